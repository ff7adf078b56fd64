//! The v2 layout: 80 bytes, native endian, at `/var/run/clockbound/shm0`.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | 14 bytes | [header](super::header), version 2 |
//! | 14 | u16 | generation: 0 not initialised, odd while a write is in progress |
//! | 16 | i64, i64 | as_of: seconds, nanoseconds of `CLOCK_MONOTONIC_COARSE` |
//! | 32 | i64, i64 | void_after: as as_of |
//! | 48 | i64 | bound, ns |
//! | 56 | u64 | disruption marker |
//! | 64 | u32 | maximum drift rate, parts per billion |
//! | 68 | i32 | clock status: 0 unknown, 1 synchronized, 2 free running, 3 disrupted |
//! | 72 | u8 | whether the disruption marker is maintained |
//! | 73 | u8 | 1 if a program wrote the record for a test, otherwise 0 |
//! | 74 | 6 bytes | padding, 0 |
//!
//! [`realtime_bound`](super::realtime_bound) describes the meaning and the ageing of the bound.

use std::mem::{align_of, offset_of, size_of};
use std::sync::atomic::{AtomicU16, AtomicU64};

use nix::time::ClockId;

use super::realtime_bound::{
    Fields, GENERATION_OFFSET, MAGIC, PAYLOAD_OFFSET, RealtimeBound, encode_bound, first_half,
    items_of_a_realtime_layout, second_half, word,
};
use super::{IntervalLayout, Layout, SupportFlag};
use crate::memory::map::Map;
use crate::record::{Disruption, RecordError};

/// The name of the file in the daemon's directory.
pub const FILE_NAME: &str = "shm0";
/// The version in the header.
pub const VERSION: u16 = 2;
/// The segment's size in bytes.
pub const SIZE: usize = 80;
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
    disruption_marker: u64,
    max_drift_ppb: u32,
    clock_status: i32,
    disruption_support_enabled: u8,
    simulated: u8,
    padding: [u8; 6],
}

const _: () = {
    assert!(size_of::<Bytes>() == SIZE && align_of::<Bytes>() == 8);
    assert!(offset_of!(Bytes, magic) == 0 && offset_of!(Bytes, size) == 8);
    assert!(offset_of!(Bytes, version) == 12 && offset_of!(Bytes, generation) == 14);
    assert!(offset_of!(Bytes, as_of) == 16 && offset_of!(Bytes, void_after) == 32);
    assert!(offset_of!(Bytes, bound_nsec) == 48 && offset_of!(Bytes, disruption_marker) == 56);
    assert!(offset_of!(Bytes, max_drift_ppb) == 64 && offset_of!(Bytes, clock_status) == 68);
    assert!(offset_of!(Bytes, disruption_support_enabled) == 72);
    assert!(offset_of!(Bytes, simulated) == 73 && offset_of!(Bytes, padding) == 74);
    assert!(PAYLOAD_WORDS == 8);
};

/// The record of a v2 segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V2Record {
    /// The bound, as in a v1 record, except that the status may be `Disrupted`.
    pub bound: RealtimeBound,
    /// The disruption marker under which the record holds.
    pub disruption: Disruption,
}

/// A v2 record without disruption support.
impl From<RealtimeBound> for V2Record {
    fn from(bound: RealtimeBound) -> Self {
        Self {
            bound,
            disruption: Disruption::default(),
        }
    }
}

/// The layout, a parameter of [`Reader`](crate::reader::Reader) and
/// [`Segment`](crate::writer::Segment).
#[derive(Debug)]
pub enum V2 {}

impl Layout for V2 {
    items_of_a_realtime_layout!(CLOCK_MONOTONIC_COARSE);

    type Record = V2Record;

    const NAME: &'static str = "v2";
    const SUPPORT: SupportFlag = SupportFlag::NeverSet;

    fn encode(record: &V2Record) -> [u64; PAYLOAD_WORDS] {
        let [as_of_s, as_of_ns, void_s, void_ns, bound] = encode_bound(&record.bound);
        let status = record.bound.status as i32;
        [
            as_of_s,
            as_of_ns,
            void_s,
            void_ns,
            bound,
            record.disruption.marker,
            word(
                record.bound.max_drift_ppb.to_ne_bytes(),
                status.to_ne_bytes(),
            ),
            word(
                [
                    record.disruption.supported.into(),
                    record.bound.is_simulated.into(),
                    0,
                    0,
                ],
                [0; 4],
            ),
        ]
    }

    fn decode(payload: &[u64; PAYLOAD_WORDS]) -> Result<V2Record, RecordError> {
        let bound = fields(payload).decode()?;
        Ok(with_disruption_fields(bound, payload))
    }

    fn no_claim(now_ns: i64) -> V2Record {
        RealtimeBound::no_claim(now_ns).into()
    }

    fn as_of_ns(record: &V2Record) -> i64 {
        record.bound.as_of_ns
    }

    fn disruption(record: &V2Record) -> Disruption {
        record.disruption
    }

    fn is_simulated(record: &V2Record) -> bool {
        record.bound.is_simulated
    }

    fn support_in(words: &[u64; PAYLOAD_WORDS]) -> bool {
        let [.., support] = words;
        let [supported, ..] = support.to_ne_bytes();
        supported != 0
    }

    fn set_support(words: &mut [u64; PAYLOAD_WORDS], supported: bool) {
        let [.., support] = words;
        let [_, simulated, ..] = support.to_ne_bytes();
        *support = word([supported.into(), simulated, 0, 0], [0; 4]);
    }
}

impl IntervalLayout for V2 {
    type IntervalWords = Self::Words;

    #[inline]
    fn interval_cells(map: &Map) -> &[AtomicU64] {
        Self::cells(map)
    }

    #[inline]
    fn recall(payload: &[u64; PAYLOAD_WORDS]) -> V2Record {
        with_disruption_fields(fields(payload).recall(), payload)
    }
}

#[inline]
fn fields(payload: &[u64; PAYLOAD_WORDS]) -> Fields {
    let [
        as_of_s,
        as_of_ns,
        void_s,
        void_ns,
        bound,
        _marker,
        drift,
        support,
    ] = *payload;
    let [_, mark, ..] = support.to_ne_bytes();
    Fields {
        as_of: [as_of_s, as_of_ns],
        void_after: [void_s, void_ns],
        bound_ns: bound.cast_signed(),
        max_drift_ppb: u32::from_ne_bytes(first_half(drift)),
        status: i32::from_ne_bytes(second_half(drift)),
        mark,
    }
}

#[inline]
fn with_disruption_fields(bound: RealtimeBound, payload: &[u64; PAYLOAD_WORDS]) -> V2Record {
    let [.., marker, _drift, support] = *payload;
    let [supported, ..] = support.to_ne_bytes();
    V2Record {
        bound,
        disruption: Disruption {
            marker,
            supported: supported != 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ClockStatus, DRIFT_LIMIT_PPB, NO_CLAIM_BOUND_NS};
    use proptest::prelude::*;

    const RECORD: V2Record = V2Record {
        bound: RealtimeBound {
            as_of_ns: 12_000_000_034,
            void_after_ns: 1_012_000_000_000,
            bound_ns: 56_789,
            max_drift_ppb: 50_000,
            status: ClockStatus::Disrupted,
            is_simulated: true,
        },
        disruption: Disruption {
            marker: 77,
            supported: true,
        },
    };

    #[test]
    fn the_payload_has_the_documented_layout() {
        let mut expected = Vec::new();
        for number in [12i64, 34, 1012, 0, 56_789, 77] {
            expected.extend(number.to_ne_bytes());
        }
        expected.extend(50_000u32.to_ne_bytes());
        expected.extend(3i32.to_ne_bytes());
        expected.extend([1, 1, 0, 0, 0, 0, 0, 0]);
        let encoded: Vec<u8> = V2::encode(&RECORD)
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        assert_eq!(encoded, expected);
        assert_eq!(V2::decode(&V2::encode(&RECORD)), Ok(RECORD));
    }

    #[test]
    fn an_invalid_field_is_refused_and_named() {
        for (index, value, name) in [
            (0, u64::MAX, "as_of"),
            (3, 1 << 40, "void_after"),
            (4, u64::MAX, "bound_nsec"),
            (
                6,
                word(1_000_000_000u32.to_ne_bytes(), [0; 4]),
                "max_drift_ppb",
            ),
            (6, word([0; 4], 4i32.to_ne_bytes()), "status"),
        ] {
            let mut payload = V2::encode(&RECORD);
            payload[index] = value;
            let message = V2::decode(&payload)
                .expect_err("an invalid field")
                .to_string();
            assert!(message.contains(name), "{message}");
        }
    }

    proptest! {
        #[test]
        fn every_record_survives_encoding_and_decoding(
            as_of_ns in 0..i64::MAX, void_after_ns in 0..i64::MAX,
            bound_ns in 0..=NO_CLAIM_BOUND_NS, max_drift_ppb in 0..DRIFT_LIMIT_PPB,
            status in 0..4i32,
            marker: u64, supported: bool, is_simulated: bool,
        ) {
            let status = ClockStatus::try_from(status).expect("in range");
            let bound = RealtimeBound {
                as_of_ns, void_after_ns, bound_ns, max_drift_ppb, status, is_simulated,
            };
            let record = V2Record { bound, disruption: Disruption { marker, supported } };
            prop_assert_eq!(V2::decode(&V2::encode(&record)), Ok(record));
        }
    }
}
