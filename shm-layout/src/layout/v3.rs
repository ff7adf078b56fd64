//! The layout of the 3.x generation: 104 bytes, native endian, at `/var/run/clockbound/shm1`. Its
//! readers use the processor's [counter] and no clock of the kernel.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | 14 bytes | [header](super::header), version 0x0303: the least version that can read it, and its version |
//! | 14 | u16 | generation: 0 not initialised, odd while a write is in progress |
//! | 16 | u64 | as_of, a value of the counter |
//! | 24 | i64, i64 | as_of: seconds, nanoseconds of UTC at this value |
//! | 40 | i64, i64 | void_after: as as_of, UTC |
//! | 56 | u64 | period: the numerator |
//! | 64 | u64 | relative error of the period: the numerator |
//! | 72 | i64 | bound at as_of, ns |
//! | 80 | u64 | disruption marker |
//! | 88 | u32 | maximum drift rate, parts per billion |
//! | 92 | i32 | clock status: 0 unknown, 1 synchronized, 2 free running, 3 disrupted |
//! | 96 | u8 | whether the disruption marker is maintained |
//! | 97 | u8 | shift of the period |
//! | 98 | u8 | shift of its error |
//! | 99 | u8 | 1 if a program wrote the record for a test, otherwise 0 |
//! | 100 | 4 bytes | padding, 0 |
//!
//! A [`Fraction`] is `numerator / 2^(64 + shift)`. The period is in seconds; its error is a part of
//! it. Both the error and the maximum drift rate widen the interval.

use std::mem::{align_of, offset_of, size_of};
use std::sync::atomic::{AtomicU16, AtomicU64};

use nix::time::ClockId;

use super::realtime_bound::{
    Fields, GENERATION_OFFSET, MAGIC, PAYLOAD_OFFSET, RealtimeBound, encode_bound, first_half,
    items_of_a_realtime_layout, second_half, word,
};
use super::{IntervalLayout, Layout, SupportFlag};
use crate::counter;
use crate::memory::map::Map;
use crate::record::scale::{saturated, scaled_ceil};
use crate::record::{ClockStatus, Disruption, NO_CLAIM_BOUND_NS, NS_PER_S, RecordError};

/// The name of the file in the daemon's directory.
pub const FILE_NAME: &str = "shm1";
/// The version in the header.
pub const VERSION: u16 = 0x0303;
/// The segment's size in bytes.
pub const SIZE: usize = 104;
/// The payload's size in 8-byte words.
pub const PAYLOAD_WORDS: usize = (SIZE - PAYLOAD_OFFSET) / 8;
/// A synchronized record of this age or older reads as free running, ns.
pub const STALE_AFTER_NS: i64 = 60 * NS_PER_S;

/// The layout as a C compiler sees it. It is only measured, never instantiated.
#[repr(C)]
struct Bytes {
    magic: [u32; 2],
    size: u32,
    version: u16,
    generation: u16,
    as_of_counter: u64,
    as_of: [i64; 2],
    void_after: [i64; 2],
    period_frac: u64,
    period_error_frac: u64,
    bound_nsec: i64,
    disruption_marker: u64,
    max_drift_ppb: u32,
    clock_status: i32,
    disruption_support_enabled: u8,
    period_shift: u8,
    period_error_shift: u8,
    simulated: u8,
    padding: [u8; 4],
}

const _: () = {
    assert!(size_of::<Bytes>() == SIZE && align_of::<Bytes>() == 8);
    assert!(offset_of!(Bytes, magic) == 0 && offset_of!(Bytes, size) == 8);
    assert!(offset_of!(Bytes, version) == 12 && offset_of!(Bytes, generation) == 14);
    assert!(offset_of!(Bytes, as_of_counter) == 16 && offset_of!(Bytes, as_of) == 24);
    assert!(offset_of!(Bytes, void_after) == 40 && offset_of!(Bytes, period_frac) == 56);
    assert!(offset_of!(Bytes, period_error_frac) == 64 && offset_of!(Bytes, bound_nsec) == 72);
    assert!(offset_of!(Bytes, disruption_marker) == 80);
    assert!(offset_of!(Bytes, max_drift_ppb) == 88 && offset_of!(Bytes, clock_status) == 92);
    assert!(offset_of!(Bytes, disruption_support_enabled) == 96);
    assert!(offset_of!(Bytes, period_shift) == 97 && offset_of!(Bytes, period_error_shift) == 98);
    assert!(offset_of!(Bytes, simulated) == 99 && offset_of!(Bytes, padding) == 100);
    assert!(PAYLOAD_WORDS == 11);
    assert!(GENERATION_OFFSET == 14 && PAYLOAD_OFFSET == 16);
};

/// A number below 1: `frac / 2^(64 + shift)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fraction {
    /// The numerator.
    pub frac: u64,
    /// The binary logarithm of the denominator, less 64.
    pub shift: u8,
}

impl Fraction {
    /// Returns this part of `number`, rounded up and saturated.
    fn of_ceil(self, number: u64) -> u128 {
        let product = u128::from(number) * u128::from(self.frac);
        match 64 + u32::from(self.shift) {
            bits @ ..128 => shifted_ceil(product, bits),
            _ => u128::from(product != 0),
        }
    }
}

/// The record of a v3 segment. Instants are UTC in ns since 1970, not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V3Record {
    /// The value of the counter for which the record holds.
    pub as_of_counter: u64,
    /// The middle of the interval of true time at this value.
    pub as_of_ns: i64,
    /// The instant from which the record claims nothing.
    pub void_after_ns: i64,
    /// The period of the counter, s.
    pub period: Fraction,
    /// The error of the period, as a part of it.
    pub period_error: Fraction,
    /// Half the width of the interval at `as_of_counter`, not negative.
    pub bound_ns: i64,
    /// The disruption marker under which the record holds.
    pub disruption: Disruption,
    /// The rate at which the bound grows, besides the error of the period, below
    /// [`DRIFT_LIMIT_PPB`](crate::DRIFT_LIMIT_PPB).
    pub max_drift_ppb: u32,
    /// The status at `as_of_counter`.
    pub status: ClockStatus,
    /// A program wrote the record for a test: the interval is not that of the clock.
    pub is_simulated: bool,
}

impl V3Record {
    /// A record that claims nothing, as of `now_ns` of UTC.
    #[must_use]
    pub fn no_claim(now_ns: i64) -> Self {
        let now_ns = now_ns.max(0);
        Self {
            as_of_counter: 0,
            as_of_ns: now_ns,
            void_after_ns: now_ns,
            period: Fraction::default(),
            period_error: Fraction::default(),
            bound_ns: NO_CLAIM_BOUND_NS,
            disruption: Disruption::default(),
            max_drift_ppb: 0,
            status: ClockStatus::Unknown,
            is_simulated: false,
        }
    }

    /// The interval, ns of UTC since 1970, and the status, when the counter shows `counter`. The
    /// interval is rounded outward, and contains what the published 3.x clients compute. At a value
    /// before `as_of_counter`, it is that of `as_of_counter`.
    ///
    /// As in these clients, a record that the writer does not renew reads as free running after
    /// [`STALE_AFTER_NS`], and as unknown after `void_after_ns`.
    #[must_use]
    pub fn aged_to(&self, counter: u64) -> (i64, i64, ClockStatus) {
        let (least_ns, most_ns) = self.elapsed_ns(counter);
        let error_ns = i128::try_from(self.period_error.of_ceil(most_ns.unsigned_abs()));
        let error_ns = saturated(error_ns.unwrap_or(i128::MAX));
        let drift_ns = scaled_ceil::<1_000_000_000>(most_ns, self.max_drift_ppb.into());
        let half_ns = self
            .bound_ns
            .saturating_add(drift_ns)
            .saturating_add(error_ns)
            .saturating_add(1);
        let now_ns = self.as_of_ns.saturating_add(most_ns);
        let status = match self.status {
            ClockStatus::Synchronized | ClockStatus::FreeRunning if now_ns > self.void_after_ns => {
                ClockStatus::Unknown
            }
            ClockStatus::Synchronized if most_ns > STALE_AFTER_NS => ClockStatus::FreeRunning,
            status => status,
        };
        (
            self.as_of_ns
                .saturating_add(least_ns)
                .saturating_sub(half_ns),
            now_ns.saturating_add(half_ns),
            status,
        )
    }

    /// The age when the counter shows `counter`, ns, rounded towards 0; negative before
    /// `as_of_counter`.
    #[inline]
    #[must_use]
    pub fn age_ns(&self, counter: u64) -> i64 {
        if counter < self.as_of_counter {
            -self.ns_of(self.as_of_counter - counter)
        } else {
            self.ns_of(counter - self.as_of_counter)
        }
    }

    /// The time of a number of ticks, ns, rounded down and saturated.
    #[inline]
    fn ns_of(&self, ticks: u64) -> i64 {
        let product = u128::from(ticks) * u128::from(self.period.frac);
        // The product times 10^9, in units of 2^64, rounded down: it has less than 94 bits.
        let ns_per_s = u128::from(NS_PER_S.unsigned_abs());
        let (high, low) = (product >> 64, product & u128::from(u64::MAX));
        let scaled = high * ns_per_s + ((low * ns_per_s) >> 64);
        let ns = scaled.checked_shr(self.period.shift.into()).unwrap_or(0);
        saturated(i128::try_from(ns).unwrap_or(i128::MAX))
    }

    /// The time from `as_of_counter` to `counter`, ns, not negative: the least and the most that a
    /// computation in double precision, as that of the published clients, can return.
    fn elapsed_ns(&self, counter: u64) -> (i64, i64) {
        let elapsed_ns = self.ns_of(counter.saturating_sub(self.as_of_counter));
        // Five roundings of 2^-53 each, and one to a whole number.
        let slack_ns = (elapsed_ns >> 50) + 1;
        (
            (elapsed_ns - slack_ns).max(0),
            elapsed_ns.saturating_add(1 + slack_ns),
        )
    }
}

/// `number / 2^bits`, rounded up; `bits` is less than 128.
fn shifted_ceil(number: u128, bits: u32) -> u128 {
    let floor = number >> bits;
    floor + u128::from(floor << bits != number)
}

/// The layout, a parameter of [`Reader`](crate::reader::Reader) and
/// [`Segment`](crate::writer::Segment).
#[derive(Debug)]
pub enum V3 {}

impl Layout for V3 {
    // The nearest clock to UTC.
    items_of_a_realtime_layout!(CLOCK_REALTIME);

    type Record = V3Record;

    const NAME: &'static str = "v3";
    const IS_REMOVED_AFTER_BOOT: bool = true;
    const SUPPORT: SupportFlag = SupportFlag::Fixed;

    fn encode(record: &V3Record) -> [u64; PAYLOAD_WORDS] {
        let [as_of_s, as_of_ns, void_s, void_ns, bound] = encode_bound(&RealtimeBound {
            as_of_ns: record.as_of_ns,
            void_after_ns: record.void_after_ns,
            bound_ns: record.bound_ns,
            max_drift_ppb: record.max_drift_ppb,
            status: record.status,
            is_simulated: record.is_simulated,
        });
        let status = record.status as i32;
        let supported = record.disruption.supported.into();
        [
            record.as_of_counter,
            as_of_s,
            as_of_ns,
            void_s,
            void_ns,
            record.period.frac,
            record.period_error.frac,
            bound,
            record.disruption.marker,
            word(record.max_drift_ppb.to_ne_bytes(), status.to_ne_bytes()),
            word(
                [
                    supported,
                    record.period.shift,
                    record.period_error.shift,
                    record.is_simulated.into(),
                ],
                [0; 4],
            ),
        ]
    }

    fn decode(payload: &[u64; PAYLOAD_WORDS]) -> Result<V3Record, RecordError> {
        let bound = fields(payload).decode()?;
        Ok(with_counter_fields(&bound, payload))
    }

    fn no_claim(now_ns: i64) -> V3Record {
        V3Record::no_claim(now_ns)
    }

    /// By the counter: `CLOCK_REALTIME` can be behind UTC.
    fn is_from_future(record: &V3Record, _nothing: &V3Record) -> bool {
        counter::read().is_none_or(|now| record.as_of_counter > now)
    }

    fn as_of_ns(record: &V3Record) -> i64 {
        record.as_of_ns
    }

    fn disruption(record: &V3Record) -> Disruption {
        record.disruption
    }

    fn is_simulated(record: &V3Record) -> bool {
        record.is_simulated
    }

    fn support_in(words: &[u64; PAYLOAD_WORDS]) -> bool {
        let [.., support] = words;
        let [supported, ..] = support.to_ne_bytes();
        supported != 0
    }

    fn set_support(words: &mut [u64; PAYLOAD_WORDS], supported: bool) {
        let [.., support] = words;
        let [_, shift, error_shift, simulated, ..] = support.to_ne_bytes();
        *support = word([supported.into(), shift, error_shift, simulated], [0; 4]);
    }
}

impl IntervalLayout for V3 {
    type IntervalWords = Self::Words;

    #[inline]
    fn interval_cells(map: &Map) -> &[AtomicU64] {
        Self::cells(map)
    }

    #[inline]
    fn recall(payload: &[u64; PAYLOAD_WORDS]) -> V3Record {
        with_counter_fields(&fields(payload).recall(), payload)
    }
}

#[inline]
fn fields(payload: &[u64; PAYLOAD_WORDS]) -> Fields {
    let [
        _counter,
        as_of_s,
        as_of_ns,
        void_s,
        void_ns,
        _period,
        _period_error,
        bound,
        _marker,
        drift,
        support,
    ] = *payload;
    let [_, _, _, mark, ..] = support.to_ne_bytes();
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
fn with_counter_fields(bound: &RealtimeBound, payload: &[u64; PAYLOAD_WORDS]) -> V3Record {
    let [
        as_of_counter,
        _,
        _,
        _,
        _,
        period,
        period_error,
        _,
        marker,
        _,
        support,
    ] = *payload;
    let [supported, period_shift, period_error_shift, ..] = support.to_ne_bytes();
    let fraction = |frac, shift| Fraction { frac, shift };
    V3Record {
        as_of_counter,
        as_of_ns: bound.as_of_ns,
        void_after_ns: bound.void_after_ns,
        period: fraction(period, period_shift),
        period_error: fraction(period_error, period_error_shift),
        bound_ns: bound.bound_ns,
        disruption: Disruption {
            marker,
            supported: supported != 0,
        },
        max_drift_ppb: bound.max_drift_ppb,
        status: bound.status,
        is_simulated: bound.is_simulated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: i64 = NS_PER_S;
    const RECORD: V3Record = V3Record {
        as_of_counter: 3_847_592_014_882,
        as_of_ns: 1_800_000_000 * S + 34,
        void_after_ns: 1_800_001_000 * S,
        period: Fraction {
            frac: 15_259_000_000_000_000_000,
            shift: 31,
        },
        period_error: Fraction {
            frac: 14_757_395_258_967_641_292,
            shift: 29,
        },
        bound_ns: 56_789,
        disruption: Disruption {
            marker: 77,
            supported: true,
        },
        max_drift_ppb: 50_000,
        status: ClockStatus::Synchronized,
        is_simulated: true,
    };

    #[test]
    fn the_payload_has_the_documented_layout() {
        let mut expected = Vec::new();
        expected.extend(3_847_592_014_882_u64.to_ne_bytes());
        for number in [1_800_000_000i64, 34, 1_800_001_000, 0] {
            expected.extend(number.to_ne_bytes());
        }
        expected.extend(15_259_000_000_000_000_000_u64.to_ne_bytes());
        expected.extend(14_757_395_258_967_641_292_u64.to_ne_bytes());
        expected.extend(56_789i64.to_ne_bytes());
        expected.extend(77u64.to_ne_bytes());
        expected.extend(50_000u32.to_ne_bytes());
        expected.extend(1i32.to_ne_bytes());
        expected.extend([1, 31, 29, 1, 0, 0, 0, 0]);
        let encoded: Vec<u8> = V3::encode(&RECORD)
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        assert_eq!(encoded, expected);
        assert_eq!(V3::decode(&V3::encode(&RECORD)), Ok(RECORD));
    }

    #[test]
    fn an_invalid_field_is_refused_and_named() {
        for (index, value, name) in [
            (1, u64::MAX, "as_of"),
            (2, 1_000_000_000, "as_of"),
            (4, 1 << 40, "void_after"),
            (7, u64::MAX, "bound_nsec"),
            (
                9,
                word(1_000_000_000u32.to_ne_bytes(), [0; 4]),
                "max_drift_ppb",
            ),
            (9, word([0; 4], 4i32.to_ne_bytes()), "status"),
        ] {
            let mut payload = V3::encode(&RECORD);
            payload[index] = value;
            let message = V3::decode(&payload)
                .expect_err("an invalid field")
                .to_string();
            assert!(message.contains(name), "{message}");
        }
    }

    #[test]
    fn the_support_flag_is_set_without_a_change_of_other_fields() {
        let mut words = V3::encode(&RECORD);
        V3::set_support(&mut words, false);
        assert!(!V3::support_in(&words));
        let disruption = Disruption {
            supported: false,
            ..RECORD.disruption
        };
        let expected = V3Record {
            disruption,
            ..RECORD
        };
        assert_eq!(V3::decode(&words), Ok(expected));
    }

    #[test]
    fn the_status_of_a_record_that_is_not_renewed_expires() {
        use ClockStatus::{Disrupted, FreeRunning, Synchronized, Unknown};
        // A counter of 2^30 Hz.
        let record = V3Record {
            as_of_counter: 5,
            as_of_ns: 0,
            void_after_ns: 1_000 * S,
            period: Fraction {
                frac: 1 << 63,
                shift: 29,
            },
            ..RECORD
        };
        for (status, seconds, expected) in [
            (Synchronized, 59, Synchronized),
            (Synchronized, 61, FreeRunning),
            (FreeRunning, 999, FreeRunning),
            (FreeRunning, 1_001, Unknown),
            (Synchronized, 1_001, Unknown),
            (Unknown, 1_001, Unknown),
            (Disrupted, 1_001, Disrupted),
        ] {
            let record = V3Record { status, ..record };
            let (.., found) = record.aged_to(5 + (seconds << 30));
            assert_eq!(found, expected, "{status} after {seconds} s");
        }
    }

    #[test]
    fn a_record_that_claims_nothing_survives_any_counter() {
        for now_ns in [i64::MIN, 0, 1_800_000_000 * S] {
            let record = V3Record::no_claim(now_ns);
            assert_eq!(V3::decode(&V3::encode(&record)), Ok(record));
            for counter in [0, u64::MAX] {
                let (earliest, latest, status) = record.aged_to(counter);
                assert!(earliest < latest && status == ClockStatus::Unknown);
            }
        }
    }

    /// The arithmetic of the published 3.x clients: the middle, half the width and the status.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "as these clients compute"
    )]
    fn published(record: &V3Record, counter: u64) -> (i64, i64, ClockStatus) {
        let number =
            |fraction: Fraction| fraction.frac as f64 / 2_f64.powi(64 + i32::from(fraction.shift));
        let ticks = counter.saturating_sub(record.as_of_counter) as f64;
        let seconds = ticks * number(record.period);
        let ns = ticks * number(record.period) * 1e9;
        let now_ns = record.as_of_ns + ns as i64;
        let drift_ns = seconds * f64::from(record.max_drift_ppb);
        let error_ns = ns * number(record.period_error);
        let half_ns = (record.bound_ns as f64 + drift_ns + error_ns) as i64;
        let status = match record.status {
            ClockStatus::Synchronized | ClockStatus::FreeRunning => {
                if now_ns > record.void_after_ns {
                    ClockStatus::Unknown
                } else if now_ns > record.as_of_ns + 60 * S {
                    ClockStatus::FreeRunning
                } else {
                    record.status
                }
            }
            status => status,
        };
        (now_ns, half_ns, status)
    }

    proptest! {
        #[test]
        fn every_record_survives_encoding_and_decoding(
            as_of_counter: u64, as_of_ns in 0..i64::MAX, void_after_ns in 0..i64::MAX,
            fractions: [(u64, u8); 2], bound_ns in 0..=NO_CLAIM_BOUND_NS,
            marker: u64, supported: bool,
            max_drift_ppb in 0..crate::DRIFT_LIMIT_PPB, status in 0..4i32, is_simulated: bool,
        ) {
            let [period, period_error] = fractions.map(|(frac, shift)| Fraction { frac, shift });
            let record = V3Record {
                as_of_counter, as_of_ns, void_after_ns, period, period_error, bound_ns,
                disruption: Disruption { marker, supported }, max_drift_ppb,
                status: ClockStatus::try_from(status).expect("in range"), is_simulated,
            };
            prop_assert_eq!(V3::decode(&V3::encode(&record)), Ok(record));
        }

        #[test]
        fn the_interval_contains_that_of_the_published_clients_and_is_hardly_wider(
            ticks in 0..1_u64 << 42, frac in 1 << 63..=u64::MAX, shift in 30_u8..33,
            error in 0..1_u64 << 44, error_shift in 0_u8..2, bound_ns in 0..10 * S,
            max_drift_ppb in 0..200_000_u32, status in 0..4i32,
        ) {
            let record = V3Record {
                period: Fraction { frac, shift },
                period_error: Fraction { frac: error, shift: error_shift },
                bound_ns,
                max_drift_ppb,
                status: ClockStatus::try_from(status).expect("in range"),
                ..RECORD
            };
            let counter = record.as_of_counter + ticks;
            let (earliest_ns, latest_ns, status) = record.aged_to(counter);
            let (now_ns, half_ns, published_status) = published(&record, counter);
            let wider_ns = [(now_ns - half_ns) - earliest_ns, latest_ns - (now_ns + half_ns)];
            for wider_ns in wider_ns {
                prop_assert!((0..=8).contains(&wider_ns), "{wider_ns} ns");
            }
            let until_change = [60 * S, record.void_after_ns - record.as_of_ns]
                .map(|change_ns| (record.as_of_ns + change_ns - now_ns).abs());
            if until_change.iter().all(|&distance_ns| distance_ns > 4) {
                prop_assert_eq!(status, published_status);
            }
        }

        #[test]
        fn the_interval_contains_the_exact_one(
            ticks in 0..1_u64 << 40, frac: u32, shift in 31_u8..34, error: u32,
            ppb in 0..crate::DRIFT_LIMIT_PPB, by_error: bool, bound_ns in 0..10 * S,
        ) {
            let fraction = |frac: u32, shift| Fraction { frac: u64::from(frac) << 32, shift };
            let error = if by_error { error } else { 0 };
            let record = V3Record {
                period: fraction(frac, shift),
                period_error: fraction(error, 0),
                bound_ns,
                max_drift_ppb: if by_error { 0 } else { ppb },
                ..RECORD
            };
            let (earliest_ns, latest_ns, _) = record.aged_to(record.as_of_counter + ticks);
            // In units of 2^-(23 + shift) ns, since 10^9 is 2^9 * 1953125.
            let elapsed = i128::from(ticks) * i128::from(frac) * 1_953_125;
            let one_ns = 1_i128 << (23 + shift);
            let (numerator, denominator) = if by_error {
                (i128::from(error), 1_i128 << 32)
            } else {
                (i128::from(ppb), 1_000_000_000)
            };
            let growth = elapsed * numerator;
            let after_ns = i128::from(latest_ns - record.as_of_ns - bound_ns);
            prop_assert!(after_ns * one_ns * denominator >= elapsed * denominator + growth);
            let before_ns = i128::from(earliest_ns - record.as_of_ns + bound_ns);
            prop_assert!(before_ns * one_ns * denominator <= elapsed * denominator - growth);
        }

        #[test]
        fn no_valid_record_inverts_the_interval(payload: [u64; PAYLOAD_WORDS], counter: u64) {
            let mut payload = payload;
            for (index, limit) in [(1, 1 << 33), (2, 1 << 29), (3, 1 << 33), (4, 1 << 29)] {
                payload[index] %= limit;
            }
            payload[7] %= 1 << 59;
            payload[9] = V3::encode(&RECORD)[9];
            let record = V3::decode(&payload).expect("a valid record");
            let (earliest_ns, latest_ns, _) = record.aged_to(counter);
            prop_assert!(earliest_ns <= latest_ns);
        }
    }
}
