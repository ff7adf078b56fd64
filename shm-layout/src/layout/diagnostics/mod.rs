//! The diagnostics: 8192 bytes, native endian, at `/var/run/clockbound/diagnostics`. They hold what
//! the daemon knows beside the interval, for tools and their users.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | 14 bytes | [header]: magic `clkbdiag`, size 8192, layout version 1 |
//! | 14 | u16 | revision, 0 |
//! | 16 | 16 bytes | boot id, as in the [native layout](crate::native) |
//! | 32 | i64 | offset of the writer's monotonic clocks from the initial time namespace's, ns |
//! | 40 | 24 bytes | reserved, 0 |
//! | 64 | u64 | sequence: 0 not initialised, odd while a write is in progress |
//! | 72 | 56 bytes | reserved, 0 |
//! | 128 | i64 | as_of, `CLOCK_MONOTONIC_RAW`, ns |
//! | 136 | i64 | realtime: `CLOCK_REALTIME` at as_of, ns |
//! | 144 | i64 | earliest, ns of UTC since 1970-01-01 |
//! | 152 | i64 | latest, as earliest |
//! | 160 | i64 | realtime_error, ns |
//! | 168 | i64 | free_running_after, `CLOCK_MONOTONIC_RAW`, ns |
//! | 176 | i64 | void_after, `CLOCK_MONOTONIC_RAW`, ns |
//! | 184 | u8 | clock status: 0 unknown, 1 synchronized, 2 free running, 3 disrupted |
//! | 185 | u8 | [reason](crate::Reason) |
//! | 186 | u8 | leap: 0 none, 1 a second will be inserted, 2 deleted, 3 not synchronised |
//! | 187 | u8 | failure: a [reason](crate::Reason) |
//! | 188 | u8 | flags: bit 0 drill, 1 simulated |
//! | 189 | u8 | version of chronyd's command protocol, 0 for none |
//! | 190 | u16 | chronyd's stratum |
//! | 192 | i64 | status_since, `CLOCK_MONOTONIC_RAW`, ns |
//! | 200 | i64 | reason_since, as status_since |
//! | 208 | i64 | failure_since, as status_since |
//! | 216 | i64 | validated, as status_since, 0 for never |
//! | 224 | i64 | started, as status_since |
//! | 232 | u32 | process id |
//! | 236 | 3 u16 | the daemon's version: major, minor, patch |
//! | 242 | u16 | reserved, 0 |
//! | 244 | u32 | chronyd's reference id, 0 for none |
//! | 248 | i64 | root delay, ns |
//! | 256 | i64 | root dispersion, ns |
//! | 264 | i64 | correction, ns |
//! | 272 | u32 | skew, parts per billion |
//! | 276 | i32 | frequency offset, parts per billion |
//! | 280 | i64 | slowest, parts per trillion |
//! | 288 | i64 | fastest, parts per trillion |
//! | 296 | u64 | disruption marker |
//! | 304 | u8 | disruption support: 1 when there is a marker |
//! | 305 | u8 | notices: bit 0 disruption soon, 1 disruption imminent, 2 TAI - UTC is known |
//! | 306 | u8 | the host's leap indicator, 0 none to 5 |
//! | 307 | u8 | reserved, 0 |
//! | 308 | i16 | TAI - UTC, s, with bit 2 of the notices; otherwise 0 |
//! | 310 | u16 | reserved, 0 |
//! | 312 | u32 | `--max-drift-rate`, parts per billion |
//! | 316 | u32 | `--max-wander`, parts per billion per second, 0 for none |
//! | 320 | u32 | the reference id of the PTP hardware clock, 0 for none |
//! | 324 | u32 | `--poll-interval`, us |
//! | 328 | i64 | `--chrony-grace`, ns |
//! | 336 | i64 | `--holdover`, ns |
//! | 344 | i64 | `--max-bound`, ns, 0 for none |
//! | 352 | u8 | `--falsetickers` |
//! | 353 | u8 | `--allow-local-reference`: 1 when it is given |
//! | 354 | 6 bytes | reserved, 0 |
//! | 360 | 16 i64 | error budget, ns, by [`BUDGET_TERMS`]; the others are reserved, 0 |
//! | 488 | 16 u32 | restarts, by [`ACTORS`]; the others are reserved, 0 |
//! | 552 | 8 u64 | publications, by [`SEGMENTS`]; the others are reserved, 0 |
//! | 616 | 32 u64 | [`Counters`], in the order of its fields; the others are reserved, 0 |
//! | 872 | u32 | number of chronyd's sources |
//! | 876 | u16 | number of sources below, at most 32 |
//! | 878 | 3218 bytes | reserved, 0 |
//! | 4096 | 32 x 128 bytes | sources; those beyond the number above are 0 |
//!
//! A source:
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | 16 bytes | address, in network byte order; an IPv4 address or a reference id, native endian, in the first 4 |
//! | 16 | u8 | kind of the address: 0 unresolved, 1 IPv4, 2 IPv6, 3 reference id |
//! | 17 | u8 | [state](SourceState) |
//! | 18 | u8 | flags: bit 0 peer, 1 followed, 2 disjoint, 3 has an interval of its own |
//! | 19 | i8 | base 2 logarithm of the polling interval in seconds |
//! | 20 | u8 | stratum |
//! | 21 | u8 | reachability register |
//! | 22 | u16 | reserved, 0 |
//! | 24 | i64 | measured, `CLOCK_MONOTONIC_RAW`, ns, 0 for never |
//! | 32 | i64 | offset, ns |
//! | 40 | i64 | error bound of the offset, ns |
//! | 48 | i64 | own earliest, ns of UTC since 1970-01-01, with bit 3 of the flags; otherwise 0 |
//! | 56 | i64 | own latest, as own earliest |
//! | 64 | u64 | measurements |
//! | 72 | 56 bytes | reserved, 0 |
//!
//! A writer writes the words from 128 to the end under the sequence, which has a cache line of its
//! own.
//!
//! **Compatibility.** A reader refuses another version. A higher revision may only give a meaning
//! to reserved bytes. A reader accepts any revision and any size from 8192. An unknown number of a
//! status, leap, state or kind is an error; an unknown reason is not.

mod codec;
mod record;

use std::mem::{align_of, offset_of, size_of};
use std::sync::atomic::AtomicU64;

use nix::time::ClockId;

use super::identified::{
    self, BOOT_ID_OFFSET, Identified, NAMESPACE_OFFSET, REVISION_OFFSET, SEQUENCE_OFFSET,
};
use super::{Layout, header};
use crate::memory::map::Map;
use crate::record::{Disruption, Identity, RecordError};

pub use record::{
    ACTORS, BUDGET_TERMS, Counters, DiagnosticsRecord, MAX_SOURCES, SEGMENTS, Settings, Source,
    SourceAddress, SourceState,
};

/// The name of the file in the daemon's directory.
pub const FILE_NAME: &str = "diagnostics";
/// The version in the header.
pub const VERSION: u16 = 1;
/// The revision in the header.
pub const REVISION: u16 = 0;
/// The segment's size in bytes.
pub const SIZE: usize = 8192;
/// The record's size in 8-byte words.
pub const WORDS: usize = (SIZE - RECORD_OFFSET) / 8;

/// The value of the signal's `si_value` with which SIGUSR1 forces a [`Reason`](crate::Reason) on a
/// daemon is this number plus that of the reason.
pub const DRILL_REASON: i32 = 0x100;

const MAGIC: [u32; 2] = [u32::from_ne_bytes(*b"clkb"), u32::from_ne_bytes(*b"diag")];
const RECORD_OFFSET: usize = 128;
const SOURCES_OFFSET: usize = 4096;
/// The size of a source in bytes.
const SOURCE_SIZE: usize = 128;

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
    reserved_line: [u8; 56],
    as_of: i64,
    realtime: i64,
    earliest: i64,
    latest: i64,
    realtime_error: i64,
    free_running_after: i64,
    void_after: i64,
    clock_status: u8,
    reason: u8,
    leap: u8,
    failure: u8,
    flags: u8,
    protocol: u8,
    stratum: u16,
    status_since: i64,
    reason_since: i64,
    failure_since: i64,
    validated: i64,
    started: i64,
    pid: u32,
    daemon_version: [u16; 3],
    reserved_half: u16,
    reference_id: u32,
    root_delay: i64,
    root_dispersion: i64,
    correction: i64,
    skew: u32,
    frequency: i32,
    slowest: i64,
    fastest: i64,
    disruption_marker: u64,
    disruption_support: u8,
    notices: u8,
    host_leap: u8,
    reserved_byte: u8,
    tai_offset: i16,
    reserved_tai: u16,
    max_drift: u32,
    max_wander: u32,
    phc_reference_id: u32,
    poll_interval_us: u32,
    grace: i64,
    holdover: i64,
    max_bound: i64,
    falsetickers: u8,
    allow_local_reference: u8,
    reserved_settings: [u8; 6],
    budget: [i64; 16],
    restarts: [u32; 16],
    publications: [u64; 8],
    counters: [u64; 32],
    source_count: u32,
    sources_here: u16,
    reserved_rest: [u8; 3218],
    sources: [SourceBytes; MAX_SOURCES],
}

/// A source, likewise.
#[repr(C)]
struct SourceBytes {
    address: [u8; 16],
    kind: u8,
    state: u8,
    flags: u8,
    poll: i8,
    stratum: u8,
    reachability: u8,
    reserved: u16,
    measured: i64,
    offset: i64,
    offset_error: i64,
    own_earliest: i64,
    own_latest: i64,
    measurements: u64,
    reserved_rest: [u8; 56],
}

const _: () = {
    assert!(size_of::<Bytes>() == SIZE && align_of::<Bytes>() == 8);
    assert!(size_of::<SourceBytes>() == SOURCE_SIZE);
    assert!(
        offset_of!(Bytes, size) == header::SIZE_OFFSET
            && offset_of!(Bytes, version) == header::VERSION_OFFSET
    );
    assert!(
        offset_of!(Bytes, revision) == REVISION_OFFSET
            && offset_of!(Bytes, boot_id) == BOOT_ID_OFFSET
    );
    assert!(offset_of!(Bytes, namespace_offset) == NAMESPACE_OFFSET);
    assert!(offset_of!(Bytes, sequence) == SEQUENCE_OFFSET);
    assert!(offset_of!(Bytes, as_of) == RECORD_OFFSET && offset_of!(Bytes, realtime) == 136);
    assert!(offset_of!(Bytes, earliest) == 144 && offset_of!(Bytes, latest) == 152);
    assert!(offset_of!(Bytes, realtime_error) == 160);
    assert!(offset_of!(Bytes, free_running_after) == 168 && offset_of!(Bytes, void_after) == 176);
    assert!(offset_of!(Bytes, clock_status) == 184 && offset_of!(Bytes, reason) == 185);
    assert!(offset_of!(Bytes, leap) == 186 && offset_of!(Bytes, failure) == 187);
    assert!(offset_of!(Bytes, flags) == 188 && offset_of!(Bytes, protocol) == 189);
    assert!(offset_of!(Bytes, stratum) == 190 && offset_of!(Bytes, status_since) == 192);
    assert!(offset_of!(Bytes, reason_since) == 200 && offset_of!(Bytes, failure_since) == 208);
    assert!(offset_of!(Bytes, validated) == 216 && offset_of!(Bytes, started) == 224);
    assert!(offset_of!(Bytes, pid) == 232 && offset_of!(Bytes, daemon_version) == 236);
    assert!(offset_of!(Bytes, reference_id) == 244 && offset_of!(Bytes, root_delay) == 248);
    assert!(offset_of!(Bytes, root_dispersion) == 256 && offset_of!(Bytes, correction) == 264);
    assert!(offset_of!(Bytes, skew) == 272 && offset_of!(Bytes, frequency) == 276);
    assert!(offset_of!(Bytes, slowest) == 280 && offset_of!(Bytes, fastest) == 288);
    assert!(offset_of!(Bytes, disruption_marker) == 296);
    assert!(offset_of!(Bytes, disruption_support) == 304 && offset_of!(Bytes, notices) == 305);
    assert!(offset_of!(Bytes, host_leap) == 306 && offset_of!(Bytes, tai_offset) == 308);
    assert!(offset_of!(Bytes, max_drift) == 312 && offset_of!(Bytes, max_wander) == 316);
    assert!(offset_of!(Bytes, phc_reference_id) == 320);
    assert!(offset_of!(Bytes, poll_interval_us) == 324 && offset_of!(Bytes, grace) == 328);
    assert!(offset_of!(Bytes, holdover) == 336 && offset_of!(Bytes, max_bound) == 344);
    assert!(offset_of!(Bytes, falsetickers) == 352);
    assert!(offset_of!(Bytes, allow_local_reference) == 353);
    assert!(offset_of!(Bytes, budget) == 360 && offset_of!(Bytes, restarts) == 488);
    assert!(offset_of!(Bytes, publications) == 552 && offset_of!(Bytes, counters) == 616);
    assert!(offset_of!(Bytes, source_count) == 872 && offset_of!(Bytes, sources_here) == 876);
    assert!(offset_of!(Bytes, sources) == SOURCES_OFFSET);
    assert!(offset_of!(SourceBytes, kind) == 16 && offset_of!(SourceBytes, state) == 17);
    assert!(offset_of!(SourceBytes, flags) == 18 && offset_of!(SourceBytes, poll) == 19);
    assert!(offset_of!(SourceBytes, stratum) == 20 && offset_of!(SourceBytes, reachability) == 21);
    assert!(offset_of!(SourceBytes, measured) == 24 && offset_of!(SourceBytes, offset) == 32);
    assert!(offset_of!(SourceBytes, offset_error) == 40);
    assert!(offset_of!(SourceBytes, own_earliest) == 48);
    assert!(offset_of!(SourceBytes, own_latest) == 56);
    assert!(offset_of!(SourceBytes, measurements) == 64);
    assert!(SEQUENCE_OFFSET.is_multiple_of(64) && RECORD_OFFSET.is_multiple_of(64));
};

/// The layout, a parameter of [`Reader`](crate::reader::Reader) and
/// [`Segment`](crate::writer::Segment).
#[derive(Debug)]
pub enum Diagnostics {}

/// The words of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words([u64; WORDS]);

impl Default for Words {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl AsRef<[u64]> for Words {
    fn as_ref(&self) -> &[u64] {
        &self.0
    }
}

impl AsMut<[u64]> for Words {
    fn as_mut(&mut self) -> &mut [u64] {
        &mut self.0
    }
}

/// As many words in shared memory.
#[derive(Debug)]
pub struct Cells([AtomicU64; WORDS]);

impl Default for Cells {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; WORDS])
    }
}

impl AsRef<[AtomicU64]> for Cells {
    fn as_ref(&self) -> &[AtomicU64] {
        &self.0
    }
}

impl Layout for Diagnostics {
    type Record = DiagnosticsRecord;
    type Generation = AtomicU64;
    type Words = Words;
    type Cells = Cells;

    const NAME: &'static str = "diagnostics";
    const MAGIC: [u32; 2] = MAGIC;
    const VERSION: u16 = VERSION;
    const SIZE: usize = SIZE;
    const MIN_SIZE: usize = SIZE;
    const RECORD_END: usize = SIZE;
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC_RAW;

    fn set_header(map: &Map, identity: &Identity) {
        header::write(map, MAGIC, VERSION, const { header::size_field(SIZE) });
        identified::write(map, REVISION, identity);
    }

    fn check_identity(map: &Map, identity: &Identity) -> Result<(), String> {
        identified::check(map, REVISION, identity)
    }

    fn generation(map: &Map) -> &AtomicU64 {
        map.u64_at(SEQUENCE_OFFSET)
    }

    fn cells(map: &Map) -> &[AtomicU64] {
        map.words_at::<WORDS>(RECORD_OFFSET)
    }

    fn encode(record: &DiagnosticsRecord) -> Words {
        codec::encode(record)
    }

    fn decode(words: &Words) -> Result<DiagnosticsRecord, RecordError> {
        codec::decode(words)
    }

    fn no_claim(now_ns: i64) -> DiagnosticsRecord {
        DiagnosticsRecord::no_claim(now_ns)
    }

    fn retired(now_ns: i64) -> DiagnosticsRecord {
        DiagnosticsRecord::retired(now_ns)
    }

    fn as_of_ns(record: &DiagnosticsRecord) -> i64 {
        record.as_of_ns
    }

    fn disruption(record: &DiagnosticsRecord) -> Disruption {
        record.disruption
    }

    fn is_simulated(record: &DiagnosticsRecord) -> bool {
        record.is_simulated
    }
}

impl Identified for Diagnostics {}
