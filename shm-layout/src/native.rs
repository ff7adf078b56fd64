//! The native layout: 4096 bytes, native endian, at `/var/run/clockbound/native`. It is centred on true time and
//! stands on `CLOCK_MONOTONIC_RAW`, so that nothing that happens to `CLOCK_REALTIME` can make it wrong.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | 8 bytes | magic, the characters `clkbound` |
//! | 8 | u32 | segment size in bytes, all of it |
//! | 12 | u16 | layout version, 1 |
//! | 14 | u16 | revision, 1 |
//! | 16 | 16 bytes | boot id, the UUID's bytes in the order they are printed |
//! | 32 | i64 | how far the writer's monotonic clocks are ahead of the initial time namespace's, ns |
//! | 40 | 24 bytes | reserved, 0 |
//! | 64 | u64 | sequence: 0 not initialised, odd while a write is in progress |
//! | 72 | i64 | as_of, `CLOCK_MONOTONIC_RAW` in ns |
//! | 80 | i64 | earliest, ns of the time scale since 1970-01-01 |
//! | 88 | i64 | latest |
//! | 96 | i32 | rate of truth against the clock, less one, in units of 2^-32 |
//! | 100 | u32 | growth of each end, in units of 2^-32 |
//! | 104 | i64 | free_running_after, `CLOCK_MONOTONIC_RAW` in ns |
//! | 112 | i64 | void_after, likewise |
//! | 120 | u8 | clock status: 0 unknown, 1 synchronized, 2 free running, 3 disrupted |
//! | 121 | u8 | [reason](crate::Reason) |
//! | 122 | u8 | leap: 0 none, 1 a second will be inserted, 2 deleted, 3 not synchronised |
//! | 123 | u8 | time scale: 0 UTC |
//! | 124 | u32 | source: chrony's reference id, 0 for none |
//! | 128 | i64 | how long the machine had been suspended since boot, ns |
//! | 136 | i64 | realtime: `CLOCK_REALTIME` at as_of in ns, 0 for not told |
//! | 144 | 48 bytes | reserved, 0 |
//! | 192 | 3904 bytes | the writer's own: the [resume area](crate::resume) |
//!
//! Revision 0 ended at 136. The words from 72 to 143 are written under the sequence; a reader copies those from 72 to
//! 135.
//!
//! What a reader needs for an interval, the sequence and the words up to 127, is one cache line.
//!
//! **Compatibility.** A reader refuses another version. A higher revision only gives meaning to reserved bytes, to
//! numbers that were not in use, or to bytes behind the size of an earlier one: a reader goes by what it knows of any
//! revision and any size from 136 on. The numbers of status, leap and time scale that a reader does not know are
//! errors to it; an unknown reason is not.

use std::mem::{align_of, offset_of, size_of};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::time::ClockId;

use crate::header::{self, HeaderError};
use crate::identity::Identity;
use crate::layout::{Layout, RecordError};
use crate::map::Map;
use crate::reason::Reason;
use crate::resume;
use crate::status::ClockStatus;
use crate::v1::NO_CLAIM_BOUND_NS;

/// The name of the file beside the v1 segment.
pub const FILE_NAME: &str = "native";
/// The version in the header.
pub const VERSION: u16 = 1;
/// The revision in the header.
pub const REVISION: u16 = 1;
/// The segment's size in bytes.
pub const SIZE: usize = 4096;
/// The size in bytes of revision 0, which is all that a reader needs.
pub const MIN_SIZE: usize = 136;
/// The payload's size in 8-byte words.
pub const PAYLOAD_WORDS: usize = 8;

const MAGIC: [u32; 2] = [u32::from_ne_bytes(*b"clkb"), u32::from_ne_bytes(*b"ound")];
const BOOT_ID_OFFSET: usize = 16;
const NAMESPACE_OFFSET: usize = 32;
const SEQUENCE_OFFSET: usize = 64;
const PAYLOAD_OFFSET: usize = 72;
const REVISION_OFFSET: usize = 14;
const SIZE_OFFSET: usize = 8;
const RESUME_OFFSET: usize = 192;
/// The payload and `realtime`.
const WRITTEN_WORDS: usize = PAYLOAD_WORDS + 1;

/// The layout as a C compiler sees it; only measured, never instantiated.
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
    resume: [u64; resume::AREA_WORDS],
}

const _: () = {
    assert!(size_of::<Bytes>() == SIZE && align_of::<Bytes>() == 8);
    assert!(offset_of!(Bytes, size) == SIZE_OFFSET && offset_of!(Bytes, version) == 12);
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
    assert!(RESUME_OFFSET + 8 * resume::AREA_WORDS == SIZE);
};

/// What a native segment says. Instants are `CLOCK_MONOTONIC_RAW` in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NativeRecord {
    /// When the interval was true.
    pub as_of_ns: i64,
    /// The earliest that true time can have been then, ns of UTC since 1970.
    pub earliest_ns: i64,
    /// The latest, not before `earliest_ns`.
    pub latest_ns: i64,
    /// The rate of truth against the clock, less one, in units of 2^-32 (0.23 parts per billion).
    pub rate: i32,
    /// How fast each end moves outward, in the same units.
    pub growth: u32,
    /// From when on `Synchronized` reads as `FreeRunning`.
    pub free_running_after_ns: i64,
    /// From when on nothing is claimed any more.
    pub void_after_ns: i64,
    /// What may be relied on.
    pub status: ClockStatus,
    /// Why the status is so.
    pub reason: Reason,
    /// Whether a leap second is announced.
    pub leap: Leap,
    /// chrony's reference id; 0 for none.
    pub source: u32,
    /// How long the machine had been suspended since boot, ns.
    pub suspended_ns: i64,
    /// What `CLOCK_REALTIME` showed at `as_of_ns`, ns since 1970; 0 when the writer did not tell, and from readers, which
    /// do not copy it.
    pub realtime_ns: i64,
}

/// What is announced for the end of the UTC day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Leap {
    /// Nothing.
    #[default]
    None = 0,
    /// A second will be inserted.
    Insert = 1,
    /// A second will be deleted.
    Delete = 2,
    /// Nothing is known: the clock is not synchronised.
    Unsynchronized = 3,
}

/// Instants beyond it, in 1823 and 2116, are refused: sums with all others stay within 64 bits.
const FARTHEST_NS: i64 = 1 << 62;

/// The only time scale so far.
const UTC: u8 = 0;

/// The layout itself, for [`Reader`](crate::reader::Reader) and [`Segment`](crate::writer::Segment).
#[derive(Debug)]
pub enum Native {}

impl Layout for Native {
    type Record = NativeRecord;
    type Generation = AtomicU64;
    type Payload = [u64; PAYLOAD_WORDS];
    type Cells = [AtomicU64; PAYLOAD_WORDS];
    type Written = [u64; WRITTEN_WORDS];

    const NAME: &'static str = "native";
    const SIZE: usize = SIZE;
    const MIN_SIZE: usize = MIN_SIZE;
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC_RAW;

    fn check(map: &Map) -> Result<u32, HeaderError> {
        header::check(map, MAGIC, VERSION, MIN_SIZE as u32)
    }

    fn set_header(map: &Map, identity: &Identity) {
        header::set(map, MAGIC, VERSION, SIZE as u32);
        map.u16_at(REVISION_OFFSET)
            .store(REVISION, Ordering::Relaxed);
        let (first, second) = split_boot_id(identity);
        map.u64_at(BOOT_ID_OFFSET).store(first, Ordering::Relaxed);
        map.u64_at(BOOT_ID_OFFSET + 8)
            .store(second, Ordering::Relaxed);
        map.u64_at(NAMESPACE_OFFSET)
            .store(identity.namespace_offset_ns as u64, Ordering::Relaxed);
    }

    /// The size is stored last: a segment that has it was grown completely.
    fn grow(map: &Map) {
        // A file of revision 0 may be longer than it says.
        for offset in (MIN_SIZE..SIZE).step_by(8) {
            map.u64_at(offset).store(0, Ordering::Relaxed);
        }
        map.u16_at(REVISION_OFFSET)
            .store(REVISION, Ordering::Relaxed);
        map.u32_at(SIZE_OFFSET)
            .store(SIZE as u32, Ordering::Release);
    }

    fn carry_over(from: &Map, to: &Map) {
        for (from, to) in resume_area(from).iter().zip(resume_area(to)) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Readers go by the identity when they open, so it never changes under them.
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
        [a, b, c, d, e, f, g, h, record.realtime_ns as u64]
    }

    fn decode_written(written: &[u64; WRITTEN_WORDS]) -> Result<NativeRecord, RecordError> {
        let [payload @ .., realtime] = *written;
        Ok(NativeRecord {
            realtime_ns: realtime as i64,
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

/// What the writer keeps for its next life.
pub(crate) fn resume_area(map: &Map) -> &[AtomicU64; resume::AREA_WORDS] {
    map.words_at(RESUME_OFFSET)
}

/// Whose instants a native segment's are.
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

impl NativeRecord {
    /// The interval aged to the instant `raw_ns`, rounded outward. Backwards, too, it only widens.
    #[inline]
    #[must_use]
    pub fn aged_to(&self, raw_ns: i64) -> (i64, i64) {
        let elapsed_ns = raw_ns.wrapping_sub(self.as_of_ns);
        if !(0..1 << 31).contains(&elapsed_ns) {
            return self.aged_far(raw_ns);
        }
        // Nearly always: all products fit 64 bits, and no sum is beyond them, see `decode`.
        let growth_ns = (elapsed_ns * i64::from(self.growth)) >> 32;
        let shift_ns = elapsed_ns + ((elapsed_ns * i64::from(self.rate)) >> 32);
        // Both scalings were rounded down.
        (
            self.earliest_ns
                .wrapping_add(shift_ns)
                .wrapping_sub(growth_ns + 1),
            self.latest_ns
                .wrapping_add(shift_ns)
                .wrapping_add(growth_ns + 2),
        )
    }

    /// As [`aged_to`](Self::aged_to), for any distance.
    #[cold]
    fn aged_far(&self, raw_ns: i64) -> (i64, i64) {
        let elapsed_ns = raw_ns.saturating_sub(self.as_of_ns);
        let scaled = |ns: i128, factor: i64| ((ns * i128::from(factor)) >> 32) as i64;
        let growth_ns = scaled(elapsed_ns.unsigned_abs().into(), self.growth.into());
        let shift_ns = elapsed_ns.saturating_add(scaled(elapsed_ns.into(), self.rate.into()));
        (
            self.earliest_ns
                .saturating_add(shift_ns)
                .saturating_sub(growth_ns.saturating_add(1)),
            self.latest_ns
                .saturating_add(shift_ns)
                .saturating_add(growth_ns.saturating_add(2)),
        )
    }

    /// The status as it reads at the instant `raw_ns`, with its reason: one that the writer did not keep up lapses.
    #[inline]
    #[must_use]
    pub fn status_at(&self, raw_ns: i64) -> (ClockStatus, Reason) {
        match self.status {
            ClockStatus::Synchronized | ClockStatus::FreeRunning
                if raw_ns >= self.void_after_ns =>
            {
                (ClockStatus::Unknown, Reason::HoldoverExpired)
            }
            ClockStatus::Synchronized if raw_ns >= self.free_running_after_ns => {
                (ClockStatus::FreeRunning, Reason::DaemonSilent)
            }
            status => (status, self.reason),
        }
    }

    /// The payload behind the sequence.
    #[must_use]
    pub fn encode(&self) -> [u64; PAYLOAD_WORDS] {
        let [a, b, c, d] = self.rate.to_ne_bytes();
        let [e, f, g, h] = self.growth.to_ne_bytes();
        let [s, o, u, r] = self.source.to_ne_bytes();
        [
            self.as_of_ns as u64,
            self.earliest_ns as u64,
            self.latest_ns as u64,
            u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            self.free_running_after_ns as u64,
            self.void_after_ns as u64,
            u64::from_ne_bytes([
                self.status as i32 as u8,
                self.reason as u8,
                self.leap as u8,
                UTC,
                s,
                o,
                u,
                r,
            ]),
            self.suspended_ns as u64,
        ]
    }

    /// The record in a payload, whoever wrote it.
    ///
    /// # Errors
    /// The first field that cannot be what it says.
    pub fn decode(payload: &[u64; PAYLOAD_WORDS]) -> Result<Self, RecordError> {
        let record = Self::recall(payload);
        for (field, ns) in [
            ("as_of", record.as_of_ns),
            ("earliest", record.earliest_ns),
            ("latest", record.latest_ns),
        ] {
            if !(-FARTHEST_NS..FARTHEST_NS).contains(&ns) {
                return Err(RecordError::Range { field, ns });
            }
        }
        if record.earliest_ns > record.latest_ns {
            return Err(RecordError::Inverted {
                earliest_ns: record.earliest_ns,
                latest_ns: record.latest_ns,
            });
        }
        let [status, _reason, leap, time_scale, ..] = payload[6].to_ne_bytes();
        if time_scale != UTC {
            return Err(RecordError::TimeScale(time_scale));
        }
        if leap > Leap::Unsynchronized as u8 {
            return Err(RecordError::Leap(leap));
        }
        ClockStatus::try_from(i32::from(status))?;
        Ok(record)
    }

    /// The record in a payload that decoded before.
    #[inline]
    fn recall(payload: &[u64; PAYLOAD_WORDS]) -> Self {
        let [
            as_of,
            earliest,
            latest,
            rates,
            free_running_after,
            void_after,
            words,
            suspended,
        ] = *payload;
        let [a, b, c, d, e, f, g, h] = rates.to_ne_bytes();
        let [status, reason, leap, _time_scale, s, o, u, r] = words.to_ne_bytes();
        Self {
            as_of_ns: as_of as i64,
            earliest_ns: earliest as i64,
            latest_ns: latest as i64,
            rate: i32::from_ne_bytes([a, b, c, d]),
            growth: u32::from_ne_bytes([e, f, g, h]),
            free_running_after_ns: free_running_after as i64,
            void_after_ns: void_after as i64,
            status: ClockStatus::or_unknown(status.into()),
            reason: Reason::from(reason),
            leap: match leap {
                0 => Leap::None,
                1 => Leap::Insert,
                2 => Leap::Delete,
                _ => Leap::Unsynchronized,
            },
            source: u32::from_ne_bytes([s, o, u, r]),
            suspended_ns: suspended as i64,
            realtime_ns: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: i64 = 1_000_000_000;
    const RECORD: NativeRecord = NativeRecord {
        as_of_ns: 100 * S,
        earliest_ns: 1_800_000_000 * S,
        latest_ns: 1_800_000_000 * S + 1_000,
        rate: -(1 << 20),
        growth: 1 << 20,
        free_running_after_ns: 105 * S,
        void_after_ns: 1_100 * S,
        status: ClockStatus::Synchronized,
        reason: Reason::SlewInFlight,
        leap: Leap::Insert,
        source: 0x5048_4330,
        suspended_ns: 7,
        realtime_ns: 1_800_000_000 * S + 9,
    };

    #[test]
    fn the_payload_is_laid_out_as_in_the_table() {
        let mut expected = Vec::new();
        for number in [100 * S, 1_800_000_000 * S, 1_800_000_000 * S + 1_000] {
            expected.extend(number.to_ne_bytes());
        }
        expected.extend((-(1i32 << 20)).to_ne_bytes());
        expected.extend((1u32 << 20).to_ne_bytes());
        expected.extend((105 * S).to_ne_bytes());
        expected.extend((1_100 * S).to_ne_bytes());
        expected.extend([1, 3, 1, 0]);
        expected.extend(0x5048_4330u32.to_ne_bytes());
        expected.extend(7i64.to_ne_bytes());
        let encoded: Vec<u8> = RECORD
            .encode()
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        assert_eq!(encoded, expected);
        let untold = NativeRecord {
            realtime_ns: 0,
            ..RECORD
        };
        assert_eq!(NativeRecord::decode(&RECORD.encode()), Ok(untold));
    }

    #[test]
    fn the_next_writer_reads_what_readers_leave_out() {
        let written = Native::encode(&RECORD);
        assert_eq!(written[..PAYLOAD_WORDS], RECORD.encode());
        assert_eq!(written[PAYLOAD_WORDS], RECORD.realtime_ns as u64);
        assert_eq!(Native::decode_written(&written), Ok(RECORD));
    }

    #[test]
    fn the_ends_move_with_truth_and_outward() {
        // 2^20 units of 2^-32 are 1/4096: after 4096 s one second.
        let (earliest, latest) = RECORD.aged_to(RECORD.as_of_ns + 4_096 * S);
        assert_eq!(earliest, RECORD.earliest_ns + 4_096 * S - S - S - 1);
        assert_eq!(latest, RECORD.latest_ns + 4_096 * S - S + S + 2);
        let (earliest, latest) = RECORD.aged_to(RECORD.as_of_ns - 4_096 * S);
        assert_eq!(earliest, RECORD.earliest_ns - 4_096 * S + S - S - 1);
        assert_eq!(latest, RECORD.latest_ns - 4_096 * S + S + S + 2);
    }

    #[test]
    fn a_status_that_is_not_kept_up_lapses() {
        use ClockStatus::{Disrupted, FreeRunning, Synchronized, Unknown};
        let free = NativeRecord {
            status: FreeRunning,
            ..RECORD
        };
        let unknown = NativeRecord {
            status: Unknown,
            ..RECORD
        };
        let disrupted = NativeRecord {
            status: Disrupted,
            ..RECORD
        };
        for (record, raw_ns, expected) in [
            (RECORD, 105 * S - 1, (Synchronized, Reason::SlewInFlight)),
            (RECORD, 105 * S, (FreeRunning, Reason::DaemonSilent)),
            (RECORD, 1_100 * S, (Unknown, Reason::HoldoverExpired)),
            (free, 1_100 * S - 1, (FreeRunning, Reason::SlewInFlight)),
            (free, 1_100 * S, (Unknown, Reason::HoldoverExpired)),
            (unknown, 2_000 * S, (Unknown, Reason::SlewInFlight)),
            (disrupted, 2_000 * S, (Disrupted, Reason::SlewInFlight)),
        ] {
            assert_eq!(record.status_at(raw_ns), expected, "{record:?} at {raw_ns}");
        }
    }

    #[test]
    fn nonsense_is_refused_by_the_name_of_its_field() {
        let with = |index: usize, change: fn(&mut [u8; 8])| {
            let mut payload = RECORD.encode();
            let mut bytes = payload[index].to_ne_bytes();
            change(&mut bytes);
            payload[index] = u64::from_ne_bytes(bytes);
            NativeRecord::decode(&payload).map_err(|err| err.to_string())
        };
        let message = |result: Result<NativeRecord, String>| result.expect_err("nonsense");
        assert!(message(with(1, |b| *b = i64::MAX.to_ne_bytes())).contains("earliest"));
        assert!(message(with(6, |b| b[0] = 4)).contains("status"));
        assert!(message(with(6, |b| b[2] = 4)).contains("leap"));
        assert!(message(with(6, |b| b[3] = 1)).contains("time scale"));
        let newer = with(6, |b| b[1] = 200).expect("a reason of a newer daemon");
        assert_eq!(newer.reason, Reason::Untold);
    }

    proptest! {
        #[test]
        fn any_payload_ages_without_turning_around(payload: [u64; PAYLOAD_WORDS], raw_ns: i64, plain: bool) {
            let mut payload = payload;
            if plain {
                // Within the range, and in order.
                for word in &mut payload[..3] {
                    *word = (*word as i64 / 2) as u64;
                }
                payload[1..3].sort_by_key(|&word| word as i64);
                payload[6] = RECORD.encode()[6];
            }
            if let Ok(record) = NativeRecord::decode(&payload) {
                let (earliest, latest) = record.aged_to(raw_ns);
                prop_assert!(earliest <= latest);
                let _ = record.status_at(raw_ns);
            }
        }

        #[test]
        fn near_and_far_age_alike(elapsed in 0..1_i64 << 31, as_of_ns in -FARTHEST_NS..FARTHEST_NS, rate: i32, growth: u32) {
            let record = NativeRecord { as_of_ns, rate, growth, ..RECORD };
            let raw_ns = as_of_ns + elapsed;
            prop_assert_eq!(record.aged_to(raw_ns), record.aged_far(raw_ns));
        }

        #[test]
        fn the_interval_never_shrinks_with_time(elapsed in -100 * S..2_000 * S, more in 0..2_000 * S, rate: i32, growth: u32) {
            let record = NativeRecord { rate, growth, ..RECORD };
            let width = |elapsed: i64| {
                let (earliest, latest) = record.aged_to(record.as_of_ns + elapsed);
                latest - earliest
            };
            prop_assert!(elapsed < 0 || width(elapsed) <= width(elapsed + more));
        }
    }
}
