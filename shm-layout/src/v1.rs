//! The v1 layout: 72 bytes, native endian, at `/var/run/clockbound/shm`.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | | [header], version 1 |
//! | 16 | i64, i64 | as_of: seconds, nanoseconds of `CLOCK_MONOTONIC_COARSE` |
//! | 32 | i64, i64 | void_after, likewise |
//! | 48 | i64 | bound in nanoseconds |
//! | 56 | u32 | max_drift in parts per billion |
//! | 60 | u32 | reserved, 0 |
//! | 64 | i32 | clock status |
//! | 68 | | padding, 0 |

use std::mem::{align_of, offset_of, size_of};
use std::sync::atomic::{AtomicU16, AtomicU64};

use nix::time::ClockId;

use crate::header::{self, GENERATION_OFFSET, HEADER_BYTES, HeaderError, MAGIC};
use crate::identity::Identity;
use crate::layout::{Layout, RecordError};
use crate::map::Map;
use crate::status::{ClockStatus, ForeignStatus};

/// The version in the header.
pub const VERSION: u16 = 1;
/// The segment's size in bytes.
pub const SIZE: usize = 72;
/// The payload's size in 8-byte words.
pub const PAYLOAD_WORDS: usize = (SIZE - HEADER_BYTES) / 8;
/// Drift rates from here on are malformed, parts per billion.
pub const DRIFT_LIMIT_PPB: u32 = 1_000_000_000;
/// The bound of a record that claims nothing, ns: about 31 years. Readers go by the status; this is for
/// one that forgets to. Small enough that no reader's arithmetic overflows.
pub const NO_CLAIM_BOUND_NS: i64 = 1_000_000_000 * NS_PER_S;

const NS_PER_S: i64 = 1_000_000_000;

/// The layout as a C compiler sees it; only measured, never instantiated.
#[repr(C)]
struct Bytes {
    magic: [u32; 2],
    size: u32,
    version: u16,
    generation: u16,
    as_of: [i64; 2],
    void_after: [i64; 2],
    bound_nsec: i64,
    max_drift_ppb: u32,
    reserved: u32,
    clock_status: i32,
    padding: [u8; 4],
}

const _: () = {
    assert!(size_of::<Bytes>() == SIZE && align_of::<Bytes>() == 8);
    assert!(offset_of!(Bytes, magic) == 0 && offset_of!(Bytes, size) == 8);
    assert!(offset_of!(Bytes, version) == 12 && offset_of!(Bytes, generation) == 14);
    assert!(offset_of!(Bytes, as_of) == 16 && offset_of!(Bytes, void_after) == 32);
    assert!(offset_of!(Bytes, bound_nsec) == 48 && offset_of!(Bytes, max_drift_ppb) == 56);
    assert!(offset_of!(Bytes, reserved) == 60 && offset_of!(Bytes, clock_status) == 64);
    assert!(offset_of!(Bytes, padding) == 68 && PAYLOAD_WORDS == 7);
};

/// What a v1 segment says. Instants are `CLOCK_MONOTONIC_COARSE` in nanoseconds, not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V1Record {
    /// When the bound was true.
    pub as_of_ns: i64,
    /// When nothing is claimed any more.
    pub void_after_ns: i64,
    /// Half the width of the interval around `CLOCK_REALTIME` at `as_of_ns`, not negative.
    pub bound_ns: i64,
    /// How fast the bound grows, below [`DRIFT_LIMIT_PPB`].
    pub max_drift_ppb: u32,
    /// What may be relied on.
    pub status: ClockStatus,
}

/// The layout itself, for [`Reader`](crate::reader::Reader) and [`Segment`](crate::writer::Segment).
#[derive(Debug)]
pub enum V1 {}

impl Layout for V1 {
    type Record = V1Record;
    type Generation = AtomicU16;
    type Payload = [u64; PAYLOAD_WORDS];
    type Cells = [AtomicU64; PAYLOAD_WORDS];
    type Written = [u64; PAYLOAD_WORDS];

    const NAME: &'static str = "v1";
    const SIZE: usize = SIZE;
    const MIN_SIZE: usize = SIZE;
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC_COARSE;

    fn check(map: &Map) -> Result<u32, HeaderError> {
        header::check(map, MAGIC, VERSION, SIZE as u32)
    }

    fn set_header(map: &Map, _identity: &Identity) {
        header::set(map, MAGIC, VERSION, SIZE as u32);
    }

    /// The segment does not say whose it is; the lock file beside it does.
    fn check_identity(_map: &Map, _identity: &Identity) -> Result<(), String> {
        Ok(())
    }

    #[inline]
    fn generation(map: &Map) -> &AtomicU16 {
        map.u16_at(GENERATION_OFFSET)
    }

    #[inline]
    fn payload(map: &Map) -> &[AtomicU64; PAYLOAD_WORDS] {
        map.words_at(HEADER_BYTES)
    }

    fn written(map: &Map) -> &[AtomicU64] {
        Self::payload(map)
    }

    fn encode(record: &V1Record) -> [u64; PAYLOAD_WORDS] {
        record.encode()
    }

    fn decode_written(written: &[u64; PAYLOAD_WORDS]) -> Result<V1Record, RecordError> {
        Self::decode(written)
    }

    fn decode(payload: &[u64; PAYLOAD_WORDS]) -> Result<V1Record, RecordError> {
        V1Record::decode(payload)
    }

    #[inline]
    fn recall(payload: &[u64; PAYLOAD_WORDS]) -> V1Record {
        Fields::of(payload).record()
    }

    fn no_claim(now_ns: i64) -> V1Record {
        V1Record::no_claim(now_ns)
    }

    fn as_of_ns(record: &V1Record) -> i64 {
        record.as_of_ns
    }
}

impl V1Record {
    /// A record that claims nothing, as of `now_ns`.
    #[must_use]
    pub fn no_claim(now_ns: i64) -> Self {
        Self {
            as_of_ns: now_ns,
            void_after_ns: now_ns,
            bound_ns: NO_CLAIM_BOUND_NS,
            max_drift_ppb: 0,
            status: ClockStatus::Unknown,
        }
    }

    /// The payload behind the header. v1 knows no `Disrupted`: it is written as `Unknown`.
    #[must_use]
    pub fn encode(&self) -> [u64; PAYLOAD_WORDS] {
        let status = match self.status {
            ClockStatus::Disrupted => ClockStatus::Unknown,
            other => other,
        } as i32;
        let [as_of_s, as_of_ns] = split(self.as_of_ns);
        let [void_s, void_ns] = split(self.void_after_ns);
        [
            as_of_s,
            as_of_ns,
            void_s,
            void_ns,
            self.bound_ns as u64,
            word(self.max_drift_ppb.to_ne_bytes(), [0; 4]),
            word(status.to_ne_bytes(), [0; 4]),
        ]
    }

    /// The record in a payload, whoever wrote it.
    ///
    /// # Errors
    /// The first field that cannot be what it says.
    pub fn decode(payload: &[u64; PAYLOAD_WORDS]) -> Result<Self, RecordError> {
        let fields = Fields::of(payload);
        if fields.status == ClockStatus::Disrupted as i32 {
            return Err(ForeignStatus(fields.status).into());
        }
        fields.check()?;
        Ok(fields.record())
    }
}

/// The fields that v1 and v2 have in common, as they stand.
pub(crate) struct Fields {
    pub(crate) as_of: [u64; 2],
    pub(crate) void_after: [u64; 2],
    pub(crate) bound_ns: i64,
    pub(crate) max_drift_ppb: u32,
    pub(crate) status: i32,
}

impl Fields {
    #[inline]
    fn of(payload: &[u64; PAYLOAD_WORDS]) -> Self {
        let [as_of_s, as_of_ns, void_s, void_ns, bound, drift, status] = *payload;
        Self {
            as_of: [as_of_s, as_of_ns],
            void_after: [void_s, void_ns],
            bound_ns: bound as i64,
            max_drift_ppb: u32::from_ne_bytes(first_half(drift)),
            status: i32::from_ne_bytes(first_half(status)),
        }
    }

    /// Whether they can be what they say.
    pub(crate) fn check(&self) -> Result<(), RecordError> {
        check_instant("as_of", self.as_of)?;
        check_instant("void_after", self.void_after)?;
        if !(0..=NO_CLAIM_BOUND_NS).contains(&self.bound_ns) {
            return Err(RecordError::Bound(self.bound_ns));
        }
        if self.max_drift_ppb >= DRIFT_LIMIT_PPB {
            return Err(RecordError::Drift(self.max_drift_ppb));
        }
        ClockStatus::try_from(self.status)?;
        Ok(())
    }

    /// What they say, once they were checked.
    #[inline]
    pub(crate) fn record(&self) -> V1Record {
        V1Record {
            as_of_ns: join(self.as_of),
            void_after_ns: join(self.void_after),
            bound_ns: self.bound_ns,
            max_drift_ppb: self.max_drift_ppb,
            status: ClockStatus::or_unknown(self.status),
        }
    }
}

pub(crate) fn split(ns: i64) -> [u64; 2] {
    [
        ns.div_euclid(NS_PER_S) as u64,
        ns.rem_euclid(NS_PER_S) as u64,
    ]
}

#[inline]
fn join([seconds, nanoseconds]: [u64; 2]) -> i64 {
    (seconds as i64)
        .wrapping_mul(NS_PER_S)
        .wrapping_add(nanoseconds as i64)
}

fn check_instant(field: &'static str, instant: [u64; 2]) -> Result<(), RecordError> {
    let [seconds, nanoseconds] = instant.map(|half| half as i64);
    let fits = (0..i64::MAX / NS_PER_S).contains(&seconds);
    if fits && (0..NS_PER_S).contains(&nanoseconds) {
        return Ok(());
    }
    Err(RecordError::Instant {
        field,
        seconds,
        nanoseconds,
    })
}

pub(crate) fn word(low: [u8; 4], high: [u8; 4]) -> u64 {
    let [a, b, c, d] = low;
    let [e, f, g, h] = high;
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

pub(crate) fn first_half(word: u64) -> [u8; 4] {
    let [a, b, c, d, ..] = word.to_ne_bytes();
    [a, b, c, d]
}

pub(crate) fn second_half(word: u64) -> [u8; 4] {
    let [.., a, b, c, d] = word.to_ne_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RECORD: V1Record = V1Record {
        as_of_ns: 12_000_000_034,
        void_after_ns: 1_012_000_000_000,
        bound_ns: 56_789,
        max_drift_ppb: 50_000,
        status: ClockStatus::FreeRunning,
    };

    #[test]
    fn the_payload_is_laid_out_as_in_the_table() {
        let mut expected = Vec::new();
        for number in [12i64, 34, 1012, 0, 56_789] {
            expected.extend(number.to_ne_bytes());
        }
        expected.extend(50_000u32.to_ne_bytes());
        expected.extend(0u32.to_ne_bytes());
        expected.extend(2i32.to_ne_bytes());
        expected.extend([0; 4]);
        let encoded: Vec<u8> = RECORD
            .encode()
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        assert_eq!(encoded, expected);
        assert_eq!(V1Record::decode(&RECORD.encode()), Ok(RECORD));
    }

    #[test]
    fn v1_shows_disrupted_as_unknown() {
        let encoded = V1Record {
            status: ClockStatus::Disrupted,
            ..RECORD
        }
        .encode();
        assert_eq!(
            V1Record::decode(&encoded).map(|record| record.status),
            Ok(ClockStatus::Unknown)
        );
    }

    #[test]
    fn nonsense_is_refused_by_the_name_of_its_field() {
        let with = |index: usize, value: u64| {
            let mut payload = RECORD.encode();
            payload[index] = value;
            V1Record::decode(&payload)
                .expect_err("nonsense")
                .to_string()
        };
        for (index, value, name) in [
            (0, -1i64 as u64, "as_of"),
            (0, i64::MAX as u64, "as_of"),
            (1, 1_000_000_000, "as_of"),
            (1, -1i64 as u64, "as_of"),
            (2, i64::MIN as u64, "void_after"),
            (3, 1 << 40, "void_after"),
            (4, -4_914_767i64 as u64, "bound_nsec"),
            (4, i64::MAX as u64, "bound_nsec"),
            (
                5,
                word(1_000_000_000u32.to_ne_bytes(), [0; 4]),
                "max_drift_ppb",
            ),
            (6, word(3i32.to_ne_bytes(), [0; 4]), "status"),
            (6, word(7i32.to_ne_bytes(), [0; 4]), "status"),
            (6, word(50_000i32.to_ne_bytes(), [0; 4]), "status"),
            (6, word((-1i32).to_ne_bytes(), [0; 4]), "status"),
        ] {
            let message = with(index, value);
            assert!(message.contains(name), "{message}");
        }
    }

    proptest! {
        #[test]
        fn every_record_comes_back(
            as_of_ns in 0..i64::MAX, void_after_ns in 0..i64::MAX, bound_ns in 0..=NO_CLAIM_BOUND_NS,
            max_drift_ppb in 0..DRIFT_LIMIT_PPB, status in 0..3i32,
        ) {
            let status = ClockStatus::try_from(status).expect("in range");
            let record = V1Record { as_of_ns, void_after_ns, bound_ns, max_drift_ppb, status };
            prop_assert_eq!(V1Record::decode(&record.encode()), Ok(record));
        }

        #[test]
        fn any_payload_is_a_sane_record_or_an_error(payload: [u64; PAYLOAD_WORDS]) {
            if let Ok(record) = V1Record::decode(&payload) {
                prop_assert!(record.bound_ns >= 0 && record.as_of_ns >= 0 && record.max_drift_ppb < DRIFT_LIMIT_PPB);
            }
        }
    }
}
