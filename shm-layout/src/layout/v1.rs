//! The v1 layout: 72 bytes, native endian, at `/var/run/clockbound/shm`.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | 14 bytes | [header](super::header), version 1 |
//! | 14 | u16 | generation: 0 not initialised, odd while a write is in progress |
//! | 16 | i64, i64 | as_of: seconds, nanoseconds of `CLOCK_MONOTONIC_COARSE` |
//! | 32 | i64, i64 | void_after: as as_of |
//! | 48 | i64 | bound, ns |
//! | 56 | u32 | maximum drift rate, parts per billion |
//! | 60 | u8 | 1 if a program wrote the record for a test, otherwise 0 |
//! | 61 | 3 bytes | reserved, 0 |
//! | 64 | i32 | clock status: 0 unknown, 1 synchronized, 2 free running |
//! | 68 | 4 bytes | padding, 0 |
//!
//! [`realtime_bound`](super::realtime_bound) describes the meaning and the ageing of the record.

use std::mem::{align_of, offset_of, size_of};
use std::sync::atomic::{AtomicU16, AtomicU64};

use nix::time::ClockId;

pub use super::realtime_bound::RealtimeBound as V1Record;
use super::realtime_bound::{
    Fields, GENERATION_OFFSET, MAGIC, PAYLOAD_OFFSET, encode_bound, first_half,
    items_of_a_realtime_layout, second_half, word,
};
use super::{IntervalLayout, Layout};
use crate::memory::map::Map;
use crate::record::{ClockStatus, InvalidStatus, RecordError};

/// The name of the file in the daemon's directory.
pub const FILE_NAME: &str = "shm";
/// The version in the header.
pub const VERSION: u16 = 1;
/// The segment's size in bytes.
pub const SIZE: usize = 72;
/// The payload's size in 8-byte words.
pub const PAYLOAD_WORDS: usize = (SIZE - PAYLOAD_OFFSET) / 8;

/// The layout as a C compiler sees it. It is only measured, never instantiated.
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
    simulated: u8,
    reserved: [u8; 3],
    clock_status: i32,
    padding: [u8; 4],
}

const _: () = {
    assert!(size_of::<Bytes>() == SIZE && align_of::<Bytes>() == 8);
    assert!(offset_of!(Bytes, magic) == 0 && offset_of!(Bytes, size) == 8);
    assert!(offset_of!(Bytes, version) == 12 && offset_of!(Bytes, generation) == 14);
    assert!(offset_of!(Bytes, as_of) == 16 && offset_of!(Bytes, void_after) == 32);
    assert!(offset_of!(Bytes, bound_nsec) == 48 && offset_of!(Bytes, max_drift_ppb) == 56);
    assert!(offset_of!(Bytes, simulated) == 60 && offset_of!(Bytes, reserved) == 61);
    assert!(offset_of!(Bytes, clock_status) == 64);
    assert!(offset_of!(Bytes, padding) == 68 && PAYLOAD_WORDS == 7);
    assert!(GENERATION_OFFSET == 14 && PAYLOAD_OFFSET == 16);
};

/// The layout, a parameter of [`Reader`](crate::reader::Reader) and
/// [`Segment`](crate::writer::Segment).
#[derive(Debug)]
pub enum V1 {}

impl Layout for V1 {
    items_of_a_realtime_layout!(CLOCK_MONOTONIC_COARSE);

    type Record = V1Record;

    const NAME: &'static str = "v1";

    /// v1 has no `Disrupted`: it is written as `Unknown`.
    fn encode(record: &V1Record) -> [u64; PAYLOAD_WORDS] {
        let status = match record.status {
            ClockStatus::Disrupted => ClockStatus::Unknown,
            other => other,
        } as i32;
        let [as_of_s, as_of_ns, void_s, void_ns, bound] = encode_bound(record);
        [
            as_of_s,
            as_of_ns,
            void_s,
            void_ns,
            bound,
            word(
                record.max_drift_ppb.to_ne_bytes(),
                [record.is_simulated.into(), 0, 0, 0],
            ),
            word(status.to_ne_bytes(), [0; 4]),
        ]
    }

    fn decode(payload: &[u64; PAYLOAD_WORDS]) -> Result<V1Record, RecordError> {
        let record = fields(payload).decode()?;
        if record.status == ClockStatus::Disrupted {
            return Err(InvalidStatus(record.status as i32).into());
        }
        Ok(record)
    }

    fn no_claim(now_ns: i64) -> V1Record {
        V1Record::no_claim(now_ns)
    }

    fn as_of_ns(record: &V1Record) -> i64 {
        record.as_of_ns
    }

    fn is_simulated(record: &V1Record) -> bool {
        record.is_simulated
    }
}

impl IntervalLayout for V1 {
    type IntervalWords = Self::Words;

    #[inline]
    fn interval_cells(map: &Map) -> &[AtomicU64] {
        Self::cells(map)
    }

    #[inline]
    fn recall(payload: &[u64; PAYLOAD_WORDS]) -> V1Record {
        fields(payload).recall()
    }
}

#[inline]
fn fields(payload: &[u64; PAYLOAD_WORDS]) -> Fields {
    let [as_of_s, as_of_ns, void_s, void_ns, bound, drift, status] = *payload;
    Fields {
        as_of: [as_of_s, as_of_ns],
        void_after: [void_s, void_ns],
        bound_ns: bound.cast_signed(),
        max_drift_ppb: u32::from_ne_bytes(first_half(drift)),
        status: i32::from_ne_bytes(first_half(status)),
        mark: second_half(drift)[0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{DRIFT_LIMIT_PPB, NO_CLAIM_BOUND_NS};
    use proptest::prelude::*;

    const RECORD: V1Record = V1Record {
        as_of_ns: 12_000_000_034,
        void_after_ns: 1_012_000_000_000,
        bound_ns: 56_789,
        max_drift_ppb: 50_000,
        status: ClockStatus::FreeRunning,
        is_simulated: true,
    };

    #[test]
    fn the_payload_has_the_documented_layout() {
        let mut expected = Vec::new();
        for number in [12i64, 34, 1012, 0, 56_789] {
            expected.extend(number.to_ne_bytes());
        }
        expected.extend(50_000u32.to_ne_bytes());
        expected.extend([1, 0, 0, 0]);
        expected.extend(2i32.to_ne_bytes());
        expected.extend([0; 4]);
        let encoded: Vec<u8> = V1::encode(&RECORD)
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        assert_eq!(encoded, expected);
        assert_eq!(V1::decode(&V1::encode(&RECORD)), Ok(RECORD));
    }

    #[test]
    fn disrupted_is_written_as_unknown() {
        let encoded = V1::encode(&V1Record {
            status: ClockStatus::Disrupted,
            ..RECORD
        });
        assert_eq!(
            V1::decode(&encoded).map(|record| record.status),
            Ok(ClockStatus::Unknown)
        );
    }

    #[test]
    fn an_invalid_field_is_refused_and_named() {
        let with = |index: usize, value: u64| {
            let mut payload = V1::encode(&RECORD);
            payload[index] = value;
            V1::decode(&payload)
                .expect_err("an invalid field")
                .to_string()
        };
        for (index, value, name) in [
            (0, u64::MAX, "as_of"),
            (0, i64::MAX.cast_unsigned(), "as_of"),
            (1, 1_000_000_000, "as_of"),
            (1, u64::MAX, "as_of"),
            (2, 1 << 63, "void_after"),
            (3, 1 << 40, "void_after"),
            (4, (-4_914_767_i64).cast_unsigned(), "bound_nsec"),
            (4, i64::MAX.cast_unsigned(), "bound_nsec"),
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
        fn every_record_survives_encoding_and_decoding(
            as_of_ns in 0..i64::MAX, void_after_ns in 0..i64::MAX,
            bound_ns in 0..=NO_CLAIM_BOUND_NS, max_drift_ppb in 0..DRIFT_LIMIT_PPB,
            status in 0..3i32, is_simulated: bool,
        ) {
            let status = ClockStatus::try_from(status).expect("in range");
            let record = V1Record {
                as_of_ns, void_after_ns, bound_ns, max_drift_ppb, status, is_simulated,
            };
            prop_assert_eq!(V1::decode(&V1::encode(&record)), Ok(record));
        }

        #[test]
        fn any_payload_decodes_to_a_valid_record_or_an_error(payload: [u64; PAYLOAD_WORDS]) {
            if let Ok(record) = V1::decode(&payload) {
                prop_assert!(record.bound_ns >= 0 && record.as_of_ns >= 0);
                prop_assert!(record.max_drift_ppb < DRIFT_LIMIT_PPB);
            }
        }
    }
}
