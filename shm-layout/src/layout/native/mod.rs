//! The native layout: 4096 bytes, native endian, at `/var/run/clockbound/native`. It holds an
//! interval of true time at an instant of `CLOCK_MONOTONIC_RAW`, so changes of `CLOCK_REALTIME` do
//! not affect it.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | 14 bytes | [header]: magic `clkbound`, size 4096, layout version 1 |
//! | 14 | u16 | revision, 1 |
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
//! | 136 | i64 | realtime: `CLOCK_REALTIME` at as_of, ns, 0 for not stored |
//! | 144 | 48 bytes | reserved, 0 |
//! | 192 | 3904 bytes | the [resume area](resume_area), for writers only |
//!
//! Revision 0 ended at 136. A writer writes the words from 72 to 143 under the sequence; a reader
//! copies those from 72 to 135. The sequence and the words up to 127, which a reader needs for an
//! interval, share one cache line.
//!
//! **Compatibility.** A reader refuses another version. A higher revision may only give a meaning
//! to reserved bytes, to unused numbers, or to bytes after the end of an earlier revision. A reader
//! accepts any revision and any size from 136, and uses the fields of its own revision. An unknown
//! number of a status, leap or time scale is an error; an unknown reason is not.

mod record;
pub mod resume_area;

use std::mem::{align_of, offset_of, size_of};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::time::ClockId;

use super::{Layout, header};
use crate::memory::map::Map;
use crate::record::{ClockStatus, Identity, Leap, NO_CLAIM_BOUND_NS, Reason, RecordError};

pub use record::{NativeRecord, PAYLOAD_WORDS};

/// The name of the file in the daemon's directory.
pub const FILE_NAME: &str = "native";
/// The version in the header.
pub const VERSION: u16 = 1;
/// The revision in the header.
pub const REVISION: u16 = 1;
/// The segment's size in bytes.
pub const SIZE: usize = 4096;
/// The size in bytes of revision 0, which has everything that a reader needs.
pub const MIN_SIZE: usize = 136;

const MAGIC: [u32; 2] = [u32::from_ne_bytes(*b"clkb"), u32::from_ne_bytes(*b"ound")];
const BOOT_ID_OFFSET: usize = 16;
const NAMESPACE_OFFSET: usize = 32;
const SEQUENCE_OFFSET: usize = 64;
const PAYLOAD_OFFSET: usize = 72;
const REVISION_OFFSET: usize = header::END;
const RESUME_OFFSET: usize = 192;
/// The payload and `realtime`.
const WRITTEN_WORDS: usize = PAYLOAD_WORDS + 1;

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
    reserved_too: [u8; 48],
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
    assert!(offset_of!(Bytes, as_of) == PAYLOAD_OFFSET && offset_of!(Bytes, earliest) == 80);
    assert!(offset_of!(Bytes, latest) == 88 && offset_of!(Bytes, rate) == 96);
    assert!(offset_of!(Bytes, growth) == 100 && offset_of!(Bytes, free_running_after) == 104);
    assert!(offset_of!(Bytes, void_after) == 112 && offset_of!(Bytes, clock_status) == 120);
    assert!(offset_of!(Bytes, reason) == 121 && offset_of!(Bytes, leap) == 122);
    assert!(offset_of!(Bytes, time_scale) == 123 && offset_of!(Bytes, source) == 124);
    assert!(offset_of!(Bytes, suspended) == 128 && offset_of!(Bytes, realtime) == MIN_SIZE);
    assert!(offset_of!(Bytes, reserved_too) == 144);
    assert!(offset_of!(Bytes, resume) == RESUME_OFFSET);
    assert!(PAYLOAD_OFFSET + 8 * PAYLOAD_WORDS == MIN_SIZE);
    assert!(PAYLOAD_OFFSET + 8 * WRITTEN_WORDS == 144);
    assert!(RESUME_OFFSET + 8 * resume_area::AREA_WORDS == SIZE);
};

/// The layout, a parameter of [`Reader`](crate::reader::Reader) and
/// [`Segment`](crate::writer::Segment).
#[derive(Debug)]
pub enum Native {}

impl Layout for Native {
    type Record = NativeRecord;
    type Generation = AtomicU64;
    type Payload = [u64; PAYLOAD_WORDS];
    type Cells = [AtomicU64; PAYLOAD_WORDS];
    type Written = [u64; WRITTEN_WORDS];

    const NAME: &'static str = "native";
    const MAGIC: [u32; 2] = MAGIC;
    const VERSION: u16 = VERSION;
    const SIZE: usize = SIZE;
    const MIN_SIZE: usize = MIN_SIZE;
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC_RAW;

    fn set_header(map: &Map, identity: &Identity) {
        header::write(map, MAGIC, VERSION, const { header::size_field(SIZE) });
        map.u16_at(REVISION_OFFSET)
            .store(REVISION, Ordering::Relaxed);
        let (first, second) = split_boot_id(identity);
        map.u64_at(BOOT_ID_OFFSET).store(first, Ordering::Relaxed);
        map.u64_at(BOOT_ID_OFFSET + 8)
            .store(second, Ordering::Relaxed);
        map.u64_at(NAMESPACE_OFFSET).store(
            identity.namespace_offset_ns.cast_unsigned(),
            Ordering::Relaxed,
        );
    }

    /// The size is stored last, so it is written only to a complete segment.
    fn grow(map: &Map) {
        // A file of revision 0 may be longer than the size in its header.
        for offset in (MIN_SIZE..SIZE).step_by(8) {
            map.u64_at(offset).store(0, Ordering::Relaxed);
        }
        map.u16_at(REVISION_OFFSET)
            .store(REVISION, Ordering::Relaxed);
        map.u32_at(header::SIZE_OFFSET)
            .store(const { header::size_field(SIZE) }, Ordering::Release);
    }

    fn carry_over(from: &Map, to: &Map) {
        for (from, to) in resume_words(from).iter().zip(resume_words(to)) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Readers load the identity when they open a segment, so it never changes in one.
    fn check_identity(map: &Map, identity: &Identity) -> Result<(), String> {
        let revision = map.u16_at(REVISION_OFFSET).load(Ordering::Relaxed);
        if revision > REVISION {
            return Err(format!("it is of revision {revision}"));
        }
        let found = identity_of(map);
        if !found.is_known() || found.boot_id != identity.boot_id {
            return Err("it is of another boot".to_owned());
        }
        if found != *identity {
            return Err("it is of another time namespace".to_owned());
        }
        Ok(())
    }

    #[inline]
    fn generation(map: &Map) -> &AtomicU64 {
        map.u64_at(SEQUENCE_OFFSET)
    }

    #[inline]
    fn payload(map: &Map) -> &[AtomicU64; PAYLOAD_WORDS] {
        map.words_at(PAYLOAD_OFFSET)
    }

    fn written(map: &Map) -> &[AtomicU64] {
        map.words_at::<WRITTEN_WORDS>(PAYLOAD_OFFSET)
    }

    fn encode(record: &NativeRecord) -> [u64; WRITTEN_WORDS] {
        let [a, b, c, d, e, f, g, h] = record.encode();
        [a, b, c, d, e, f, g, h, record.realtime_ns.cast_unsigned()]
    }

    fn decode_written(written: &[u64; WRITTEN_WORDS]) -> Result<NativeRecord, RecordError> {
        let [payload @ .., realtime] = *written;
        Ok(NativeRecord {
            realtime_ns: realtime.cast_signed(),
            ..NativeRecord::decode(&payload)?
        })
    }

    fn decode(payload: &[u64; PAYLOAD_WORDS]) -> Result<NativeRecord, RecordError> {
        NativeRecord::decode(payload)
    }

    #[inline]
    fn recall(payload: &[u64; PAYLOAD_WORDS]) -> NativeRecord {
        NativeRecord::recall(payload)
    }

    fn no_claim(now_ns: i64) -> NativeRecord {
        NativeRecord {
            as_of_ns: now_ns,
            earliest_ns: -NO_CLAIM_BOUND_NS,
            latest_ns: NO_CLAIM_BOUND_NS,
            rate: 0,
            growth: 0,
            free_running_after_ns: now_ns,
            void_after_ns: now_ns,
            status: ClockStatus::Unknown,
            reason: Reason::NeverSynchronized,
            leap: Leap::Unsynchronized,
            source: 0,
            suspended_ns: 0,
            realtime_ns: 0,
        }
    }

    fn as_of_ns(record: &NativeRecord) -> i64 {
        record.as_of_ns
    }
}

/// The words of the resume area.
pub(crate) fn resume_words(map: &Map) -> &[AtomicU64; resume_area::AREA_WORDS] {
    map.words_at(RESUME_OFFSET)
}

/// The boot and the time namespace of a native segment.
pub(crate) fn identity_of(map: &Map) -> Identity {
    let word = |offset| map.u64_at(offset).load(Ordering::Relaxed).to_ne_bytes();
    let (first, second) = (word(BOOT_ID_OFFSET), word(BOOT_ID_OFFSET + 8));
    let mut boot_id = [0; 16];
    boot_id[..8].copy_from_slice(&first);
    boot_id[8..].copy_from_slice(&second);
    Identity {
        boot_id,
        namespace_offset_ns: i64::from_ne_bytes(word(NAMESPACE_OFFSET)),
    }
}

fn split_boot_id(identity: &Identity) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = identity.boot_id;
    (
        u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
        u64::from_ne_bytes([i, j, k, l, m, n, o, p]),
    )
}
