//! The native layout: 4096 bytes, native endian, at `/var/run/clockbound/native`. It holds an
//! interval of true time at an instant of `CLOCK_MONOTONIC_RAW`, so changes of `CLOCK_REALTIME` do
//! not affect it.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | 14 bytes | [header]: magic `clkbound`, size 4096, layout version 1 |
//! | 14 | u16 | revision, 3 |
//! | 16 | 16 bytes | boot id, the UUID's bytes in the order in which they are printed |
//! | 32 | i64 | offset of the writer's monotonic clocks from the initial time namespace's, ns |
//! | 40 | 24 bytes | reserved, 0 |
//! | 64 | u64 | sequence: 0 not initialised, odd while a write is in progress |
//! | 72 | i64 | as_of, `CLOCK_MONOTONIC_RAW`, ns |
//! | 80 | i64 | earliest, ns of the time scale since 1970-01-01 |
//! | 88 | i64 | latest, as earliest |
//! | 96 | i32 | rate: frequency offset of UTC relative to the clock, in units of 2^-32 |
//! | 100 | u32 | growth of each end, in units of 2^-32 |
//! | 104 | i64 | free_running_after, `CLOCK_MONOTONIC_RAW`, ns |
//! | 112 | i64 | void_after, `CLOCK_MONOTONIC_RAW`, ns |
//! | 120 | u8 | clock status: 0 unknown, 1 synchronized, 2 free running, 3 disrupted |
//! | 121 | u8 | [reason](crate::Reason) |
//! | 122 | u8 | leap: 0 none, 1 a second will be inserted, 2 deleted, 3 not synchronised |
//! | 123 | u8 | time scale: 0 UTC |
//! | 124 | u32 | source: chronyd's reference id, 0 for none |
//! | 128 | i64 | suspended: total time since boot for which the machine was suspended, ns |
//! | 136 | i64 | realtime: `CLOCK_REALTIME` at as_of, ns, 0 for not recorded |
//! | 144 | i64 | valid_since, `CLOCK_MONOTONIC_RAW`, ns, 0 for not recorded |
//! | 152 | i64 | realtime_since, `CLOCK_MONOTONIC_RAW`, ns, 0 for not recorded |
//! | 160 | i32 | realtime_slowest, in units of 2^-32 |
//! | 164 | i32 | realtime_fastest, in units of 2^-32 |
//! | 168 | u32 | publication interval, us, 0 for not recorded |
//! | 172 | u32 | realtime_error, ns |
//! | 176 | u64 | disruption marker of the [VMClock page](crate::vmclock) under which the record holds |
//! | 184 | u8 | disruption support: 1 when readers have to compare the marker with the page |
//! | 185 | u8 | notices: bit 0 disruption soon, 1 disruption imminent, 2 TAI - UTC is known |
//! | 186 | u8 | the page's leap indicator, 0 none to 5; 0 without a page |
//! | 187 | u8 | 1 if a program wrote the record for a test, otherwise 0 |
//! | 188 | i16 | TAI - UTC, s, with bit 2 of the notices; otherwise 0 |
//! | 190 | u16 | reserved, 0 |
//! | 192 | 3904 bytes | the [resume area](resume_area), for writers only |
//!
//! Revision 0 ended at 136; in revision 1 the bytes from 144 to 191 were reserved, 0; in revision 2,
//! those from 176. A writer writes the words from 72 to 191 under the sequence. The sequence and the words up to 127, which
//! the interval needs, share one cache line: a reader copies the rest of a record once. Bytes that a
//! segment of an earlier revision does not have are read as 0.
//!
//! **Compatibility.** A reader refuses another version. A higher revision may only give a meaning
//! to reserved bytes, to unused numbers, or to bytes after the end of an earlier revision. A reader
//! accepts any revision and any size from 136, and uses the fields of its own revision. An unknown
//! number of a status, leap or time scale is an error; an unknown reason is not.

mod realtime_stamp;
mod record;
pub mod resume_area;

use std::mem::{align_of, offset_of, size_of};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::time::ClockId;

use super::identified::{
    self, BOOT_ID_OFFSET, Identified, NAMESPACE_OFFSET, REVISION_OFFSET, SEQUENCE_OFFSET,
};
use super::{IntervalLayout, Layout, header};
use crate::memory::map::Map;
use crate::record::{Disruption, Identity, Reason, RecordError};

pub use realtime_stamp::{ClockReading, StampError};
pub(super) use record::{FARTHEST_NS, status_at};
pub use record::{INTERVAL_WORDS, NativeRecord, UsualCase, WORDS};

/// The name of the file in the daemon's directory.
pub const FILE_NAME: &str = "native";
/// The version in the header.
pub const VERSION: u16 = 1;
/// The revision in the header.
pub const REVISION: u16 = 3;
/// The segment's size in bytes.
pub const SIZE: usize = 4096;
/// The size in bytes of revision 0, which has everything that the interval needs.
pub const MIN_SIZE: usize = 136;

const MAGIC: [u32; 2] = [u32::from_ne_bytes(*b"clkb"), u32::from_ne_bytes(*b"ound")];
const RECORD_OFFSET: usize = 72;
const RECORD_END: usize = RECORD_OFFSET + 8 * WORDS;
const RESUME_OFFSET: usize = 192;
/// The words of a record of revision 0.
const WORDS_OF_REVISION_0: usize = (MIN_SIZE - RECORD_OFFSET) / 8;
/// The first byte after the record of revision 1.
const END_OF_REVISION_1: usize = 144;
/// The same, revision 2.
const END_OF_REVISION_2: usize = 176;

/// The layout as a C compiler sees it. It is only measured, never instantiated.
#[repr(C)]
struct Bytes {
    magic: [u8; 8],
    size: u32,
    version: u16,
    revision: u16,
    boot_id: [u8; 16],
    namespace_offset: i64,
    reserved: [u8; 24],
    sequence: u64,
    as_of: i64,
    earliest: i64,
    latest: i64,
    rate: i32,
    growth: u32,
    free_running_after: i64,
    void_after: i64,
    clock_status: u8,
    reason: u8,
    leap: u8,
    time_scale: u8,
    source: u32,
    suspended: i64,
    realtime: i64,
    valid_since: i64,
    realtime_since: i64,
    realtime_slowest: i32,
    realtime_fastest: i32,
    publication_interval_us: u32,
    realtime_error: u32,
    disruption_marker: u64,
    disruption_support: u8,
    notices: u8,
    host_leap: u8,
    simulated: u8,
    tai_offset: i16,
    reserved_also: u16,
    resume: [u64; resume_area::AREA_WORDS],
}

const _: () = {
    assert!(size_of::<Bytes>() == SIZE && align_of::<Bytes>() == 8);
    assert!(
        offset_of!(Bytes, size) == header::SIZE_OFFSET
            && offset_of!(Bytes, version) == header::VERSION_OFFSET
    );
    assert!(
        offset_of!(Bytes, revision) == REVISION_OFFSET
            && offset_of!(Bytes, boot_id) == BOOT_ID_OFFSET
    );
    assert!(offset_of!(Bytes, namespace_offset) == NAMESPACE_OFFSET);
    assert!(offset_of!(Bytes, reserved) == 40 && offset_of!(Bytes, sequence) == SEQUENCE_OFFSET);
    assert!(offset_of!(Bytes, as_of) == RECORD_OFFSET && offset_of!(Bytes, earliest) == 80);
    assert!(offset_of!(Bytes, latest) == 88 && offset_of!(Bytes, rate) == 96);
    assert!(offset_of!(Bytes, growth) == 100 && offset_of!(Bytes, free_running_after) == 104);
    assert!(offset_of!(Bytes, void_after) == 112 && offset_of!(Bytes, clock_status) == 120);
    assert!(offset_of!(Bytes, reason) == 121 && offset_of!(Bytes, leap) == 122);
    assert!(offset_of!(Bytes, time_scale) == 123 && offset_of!(Bytes, source) == 124);
    assert!(offset_of!(Bytes, suspended) == 128 && offset_of!(Bytes, realtime) == MIN_SIZE);
    assert!(offset_of!(Bytes, valid_since) == END_OF_REVISION_1);
    assert!(offset_of!(Bytes, realtime_since) == 152);
    assert!(offset_of!(Bytes, realtime_slowest) == 160);
    assert!(offset_of!(Bytes, realtime_fastest) == 164);
    assert!(offset_of!(Bytes, publication_interval_us) == 168);
    assert!(offset_of!(Bytes, realtime_error) == 172);
    assert!(offset_of!(Bytes, disruption_marker) == END_OF_REVISION_2 && END_OF_REVISION_2 == 176);
    assert!(offset_of!(Bytes, disruption_support) == 184 && offset_of!(Bytes, notices) == 185);
    assert!(offset_of!(Bytes, host_leap) == 186 && offset_of!(Bytes, simulated) == 187);
    assert!(offset_of!(Bytes, tai_offset) == 188 && offset_of!(Bytes, reserved_also) == 190);
    assert!(offset_of!(Bytes, resume) == RESUME_OFFSET && RECORD_END == RESUME_OFFSET);
    assert!(RECORD_OFFSET + 8 * INTERVAL_WORDS == 128 && SEQUENCE_OFFSET.is_multiple_of(64));
    assert!(RESUME_OFFSET + 8 * resume_area::AREA_WORDS == SIZE);
};

/// The layout, a parameter of [`Reader`](crate::reader::Reader) and
/// [`Segment`](crate::writer::Segment).
#[derive(Debug)]
pub enum Native {}

impl Layout for Native {
    type Record = NativeRecord;
    type Generation = AtomicU64;
    type Words = [u64; WORDS];
    type Cells = [AtomicU64; WORDS];

    const NAME: &'static str = "native";
    const MAGIC: [u32; 2] = MAGIC;
    const VERSION: u16 = VERSION;
    const SIZE: usize = SIZE;
    const MIN_SIZE: usize = MIN_SIZE;
    const RECORD_END: usize = RECORD_END;
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC_RAW;

    fn set_header(map: &Map, identity: &Identity) {
        header::write(map, MAGIC, VERSION, const { header::size_field(SIZE) });
        identified::write(map, REVISION, identity);
    }

    /// The size is stored last, so it is written only to a complete segment.
    fn upgrade(map: &Map) {
        let size = const { header::size_field(SIZE) };
        let is_complete = map.u32_at(header::SIZE_OFFSET).load(Ordering::Relaxed) >= size;
        let revision = map.u16_at(REVISION_OFFSET).load(Ordering::Relaxed);
        let undefined = match (is_complete, revision) {
            // A file of revision 0 may be longer than the size in its header.
            (false, _) => MIN_SIZE..SIZE,
            (true, ..2) => END_OF_REVISION_1..RESUME_OFFSET,
            (true, 2) => END_OF_REVISION_2..RESUME_OFFSET,
            (true, _) => return,
        };
        for offset in undefined.step_by(8) {
            map.u64_at(offset).store(0, Ordering::Relaxed);
        }
        map.u16_at(REVISION_OFFSET)
            .store(REVISION, Ordering::Release);
        map.u32_at(header::SIZE_OFFSET)
            .store(size, Ordering::Release);
    }

    fn carry_over(from: &Map, to: &Map) {
        for (from, to) in resume_words(from).iter().zip(resume_words(to)) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    fn check_identity(map: &Map, identity: &Identity) -> Result<(), String> {
        identified::check(map, REVISION, identity)
    }

    #[inline]
    fn generation(map: &Map) -> &AtomicU64 {
        map.u64_at(SEQUENCE_OFFSET)
    }

    fn cells(map: &Map) -> &[AtomicU64] {
        if map.length() >= RECORD_END {
            map.words_at::<WORDS>(RECORD_OFFSET)
        } else {
            map.words_at::<WORDS_OF_REVISION_0>(RECORD_OFFSET)
        }
    }

    fn encode(record: &NativeRecord) -> [u64; WORDS] {
        record.encode()
    }

    fn decode(words: &[u64; WORDS]) -> Result<NativeRecord, RecordError> {
        NativeRecord::decode(words)
    }

    fn no_claim(now_ns: i64) -> NativeRecord {
        NativeRecord::no_claim(now_ns)
    }

    fn retired(now_ns: i64) -> NativeRecord {
        NativeRecord {
            reason: Reason::Retired,
            ..NativeRecord::no_claim(now_ns)
        }
    }

    fn as_of_ns(record: &NativeRecord) -> i64 {
        record.as_of_ns
    }

    fn disruption(record: &NativeRecord) -> Disruption {
        record.disruption
    }

    fn is_simulated(record: &NativeRecord) -> bool {
        record.is_simulated
    }
}

impl IntervalLayout for Native {
    type IntervalWords = [u64; INTERVAL_WORDS];

    #[inline]
    fn interval_cells(map: &Map) -> &[AtomicU64] {
        map.words_at::<INTERVAL_WORDS>(RECORD_OFFSET)
    }

    #[inline]
    fn recall(words: &[u64; INTERVAL_WORDS]) -> NativeRecord {
        NativeRecord::recall(words)
    }
}

impl Identified for Native {}

/// The words of the resume area.
pub(crate) fn resume_words(map: &Map) -> &[AtomicU64; resume_area::AREA_WORDS] {
    map.words_at(RESUME_OFFSET)
}
