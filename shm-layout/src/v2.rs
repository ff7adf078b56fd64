//! The v2 layout: 80 bytes, native endian, at `/var/run/clockbound/shm0`.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | | [header], version 2 |
//! | 16 | i64, i64 | as_of: seconds, nanoseconds of `CLOCK_MONOTONIC_COARSE` |
//! | 32 | i64, i64 | void_after, likewise |
//! | 48 | i64 | bound in nanoseconds |
//! | 56 | u64 | disruption marker |
//! | 64 | u32 | max_drift in parts per billion |
//! | 68 | i32 | clock status |
//! | 72 | u8 | whether the disruption marker is kept up to date |
//! | 73 | | padding, 0 |

use std::mem::{align_of, offset_of, size_of};
use std::sync::atomic::{AtomicU16, AtomicU64};

use nix::time::ClockId;

use crate::header::{self, GENERATION_OFFSET, HEADER_BYTES, HeaderError, MAGIC};
use crate::identity::Identity;
use crate::layout::{Layout, RecordError};
use crate::map::Map;
use crate::v1::{Fields, V1Record, first_half, second_half, split, word};

/// The name of the file beside the v1 segment.
pub const FILE_NAME: &str = "shm0";
/// The version in the header.
pub const VERSION: u16 = 2;
/// The segment's size in bytes.
pub const SIZE: usize = 80;
/// The payload's size in 8-byte words.
pub const PAYLOAD_WORDS: usize = (SIZE - HEADER_BYTES) / 8;

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
    disruption_marker: u64,
    max_drift_ppb: u32,
    clock_status: i32,
    disruption_support_enabled: u8,
    padding: [u8; 7],
}

const _: () = {
    assert!(size_of::<Bytes>() == SIZE && align_of::<Bytes>() == 8);
    assert!(offset_of!(Bytes, magic) == 0 && offset_of!(Bytes, size) == 8);
    assert!(offset_of!(Bytes, version) == 12 && offset_of!(Bytes, generation) == 14);
    assert!(offset_of!(Bytes, as_of) == 16 && offset_of!(Bytes, void_after) == 32);
    assert!(offset_of!(Bytes, bound_nsec) == 48 && offset_of!(Bytes, disruption_marker) == 56);
    assert!(offset_of!(Bytes, max_drift_ppb) == 64 && offset_of!(Bytes, clock_status) == 68);
    assert!(offset_of!(Bytes, disruption_support_enabled) == 72);
    assert!(offset_of!(Bytes, padding) == 73 && PAYLOAD_WORDS == 8);
};

/// What a v2 segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V2Record {
    /// What a v1 segment would say, except that the status may be `Disrupted`.
    pub bound: V1Record,
    /// Changes when the virtual machine's clock was disrupted.
    pub disruption_marker: u64,
    /// Whether the marker is kept up to date. Readers that see it compare the marker with the device's.
    pub disruption_supported: bool,
}

/// What a v1 record would say in v2.
impl From<V1Record> for V2Record {
    fn from(bound: V1Record) -> Self {
        Self {
            bound,
            disruption_marker: 0,
            disruption_supported: false,
        }
    }
}

/// The layout itself, for [`Reader`](crate::reader::Reader) and [`Segment`](crate::writer::Segment).
#[derive(Debug)]
pub enum V2 {}

impl Layout for V2 {
    type Record = V2Record;
    type Generation = AtomicU16;
    type Payload = [u64; PAYLOAD_WORDS];
    type Cells = [AtomicU64; PAYLOAD_WORDS];
    type Written = [u64; PAYLOAD_WORDS];

    const NAME: &'static str = "v2";
    const SIZE: usize = SIZE;
    const MIN_SIZE: usize = SIZE;
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC_COARSE;

    fn check(map: &Map) -> Result<u32, HeaderError> {
        header::check(map, MAGIC, VERSION, SIZE as u32)
    }

    fn set_header(map: &Map, _identity: &Identity) {
        header::set(map, MAGIC, VERSION, SIZE as u32);
    }

    /// As in v1, the lock file beside the segment says whose it is.
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

    fn encode(record: &V2Record) -> [u64; PAYLOAD_WORDS] {
        let [as_of_s, as_of_ns] = split(record.bound.as_of_ns);
        let [void_s, void_ns] = split(record.bound.void_after_ns);
        let status = record.bound.status as i32;
        [
            as_of_s,
            as_of_ns,
            void_s,
            void_ns,
            record.bound.bound_ns as u64,
            record.disruption_marker,
            word(
                record.bound.max_drift_ppb.to_ne_bytes(),
                status.to_ne_bytes(),
            ),
            word([record.disruption_supported.into(), 0, 0, 0], [0; 4]),
        ]
    }

    fn decode_written(written: &[u64; PAYLOAD_WORDS]) -> Result<V2Record, RecordError> {
        Self::decode(written)
    }

    fn decode(payload: &[u64; PAYLOAD_WORDS]) -> Result<V2Record, RecordError> {
        fields(payload).check()?;
        Ok(Self::recall(payload))
    }

    #[inline]
    fn recall(payload: &[u64; PAYLOAD_WORDS]) -> V2Record {
        let [.., support] = *payload;
        let [supported, ..] = support.to_ne_bytes();
        V2Record {
            bound: fields(payload).record(),
            disruption_marker: payload[5],
            disruption_supported: supported != 0,
        }
    }

    fn no_claim(now_ns: i64) -> V2Record {
        V1Record::no_claim(now_ns).into()
    }

    fn as_of_ns(record: &V2Record) -> i64 {
        record.bound.as_of_ns
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
        _support,
    ] = *payload;
    Fields {
        as_of: [as_of_s, as_of_ns],
        void_after: [void_s, void_ns],
        bound_ns: bound as i64,
        max_drift_ppb: u32::from_ne_bytes(first_half(drift)),
        status: i32::from_ne_bytes(second_half(drift)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::ClockStatus;
    use crate::v1::{DRIFT_LIMIT_PPB, NO_CLAIM_BOUND_NS};
    use proptest::prelude::*;

    const RECORD: V2Record = V2Record {
        bound: V1Record {
            as_of_ns: 12_000_000_034,
            void_after_ns: 1_012_000_000_000,
            bound_ns: 56_789,
            max_drift_ppb: 50_000,
            status: ClockStatus::Disrupted,
        },
        disruption_marker: 77,
        disruption_supported: true,
    };

    #[test]
    fn the_payload_is_laid_out_as_in_the_table() {
        let mut expected = Vec::new();
        for number in [12i64, 34, 1012, 0, 56_789, 77] {
            expected.extend(number.to_ne_bytes());
        }
        expected.extend(50_000u32.to_ne_bytes());
        expected.extend(3i32.to_ne_bytes());
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        let encoded: Vec<u8> = V2::encode(&RECORD)
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        assert_eq!(encoded, expected);
        assert_eq!(V2::decode(&V2::encode(&RECORD)), Ok(RECORD));
    }

    #[test]
    fn nonsense_is_refused_by_the_name_of_its_field() {
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
            let message = V2::decode(&payload).expect_err("nonsense").to_string();
            assert!(message.contains(name), "{message}");
        }
    }

    proptest! {
        #[test]
        fn every_record_comes_back(
            as_of_ns in 0..i64::MAX, void_after_ns in 0..i64::MAX, bound_ns in 0..=NO_CLAIM_BOUND_NS,
            max_drift_ppb in 0..DRIFT_LIMIT_PPB, status in 0..4i32, disruption_marker: u64, disruption_supported: bool,
        ) {
            let status = ClockStatus::try_from(status).expect("in range");
            let bound = V1Record { as_of_ns, void_after_ns, bound_ns, max_drift_ppb, status };
            let record = V2Record { bound, disruption_marker, disruption_supported };
            prop_assert_eq!(V2::decode(&V2::encode(&record)), Ok(record));
        }
    }
}
