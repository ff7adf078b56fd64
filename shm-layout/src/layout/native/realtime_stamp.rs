//! The instants at which `CLOCK_REALTIME` can have shown a time.

use thiserror::Error;

use super::NativeRecord;
use crate::record::scale::saturated;

/// The error of the comparison of two readings of `CLOCK_REALTIME` beyond that of each, ns.
const NOISE_NS: i64 = 1_000;

/// A reading of `CLOCK_REALTIME`, between two readings of `CLOCK_MONOTONIC_RAW`, all in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// `CLOCK_MONOTONIC_RAW`, read first.
    pub before_raw_ns: i64,
    /// `CLOCK_REALTIME`, read second.
    pub realtime_ns: i64,
    /// `CLOCK_MONOTONIC_RAW`, read last.
    pub after_raw_ns: i64,
}

/// Why the instants of a time stamp are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StampError {
    /// The writer has not recorded `CLOCK_REALTIME`.
    #[error("the record has no reading of CLOCK_REALTIME")]
    NotRecorded,
    /// `CLOCK_REALTIME` was set, or its rate changed, since the record was written.
    #[error("CLOCK_REALTIME was set or slewed since the record was written")]
    ClockChanged,
    /// The stamp is later than `CLOCK_REALTIME`.
    #[error("the time stamp is in the future")]
    InFuture,
    /// At the instant of the stamp, `CLOCK_REALTIME` was not comparable, or no interval is known.
    #[error("the time stamp is from before CLOCK_REALTIME was set or slewed, or too old")]
    TooLongAgo,
}

impl NativeRecord {
    /// The first instant, ns of `CLOCK_MONOTONIC_RAW`, for which the record gives an interval: not
    /// before `valid_since_ns`, nor further before `as_of_ns` than it holds after it.
    #[must_use]
    pub fn first_instant_ns(&self) -> i64 {
        let since_ns = match self.valid_since_ns {
            0 => self.as_of_ns,
            since_ns => since_ns,
        };
        let holds_ns = self.void_after_ns.saturating_sub(self.as_of_ns);
        since_ns.max(self.as_of_ns.saturating_sub(holds_ns))
    }

    /// The first and the last instant, ns of `CLOCK_MONOTONIC_RAW`, at which `CLOCK_REALTIME` can
    /// have shown `stamp_ns`, rounded outward. `now` is a reading of the clocks after the stamp was
    /// taken.
    ///
    /// This holds unless, between `as_of_ns` and `now`, the clock was moved away and back, or the
    /// stamp is from before the daemon was started and the clock was set back since.
    ///
    /// # Errors
    /// [`StampError`].
    pub fn instants_of_stamp(
        &self,
        stamp_ns: i64,
        now: &ClockReading,
    ) -> Result<(i64, i64), StampError> {
        if self.realtime_ns == 0 || self.realtime_since_ns == 0 {
            return Err(StampError::NotRecorded);
        }
        let tolerance_ns = i128::from(self.realtime_error_ns) + i128::from(NOISE_NS);
        let moved_ns = i128::from(now.realtime_ns) - i128::from(self.realtime_ns);
        let since_as_of = |raw_ns: i64| i128::from(raw_ns) - i128::from(self.as_of_ns);
        let (least_ns, _) = self.realtime_after(since_as_of(now.before_raw_ns));
        let (_, most_ns) = self.realtime_after(since_as_of(now.after_raw_ns));
        if !(least_ns - tolerance_ns..=most_ns + tolerance_ns).contains(&moved_ns) {
            return Err(StampError::ClockChanged);
        }
        if stamp_ns > now.realtime_ns {
            return Err(StampError::InFuture);
        }
        let after_record_ns = i128::from(stamp_ns) - i128::from(self.realtime_ns);
        let (mut first_ns, mut last_ns) = self.raw_after(after_record_ns);
        if after_record_ns > 0 {
            // A movement within the spread of the rates until `now` can be larger than the spread
            // until the stamp. The instant is then between what the record and what `now` give.
            let (least_ns, most_ns) = self.raw_after(after_record_ns - moved_ns);
            first_ns = first_ns.min(since_as_of(now.before_raw_ns) + least_ns);
            last_ns = last_ns.max(since_as_of(now.after_raw_ns) + most_ns);
        }
        // A movement that the comparison has let pass is not larger; on `CLOCK_MONOTONIC_RAW`, if the
        // clock is slow, by its rate.
        let reading_ns = i128::from(now.after_raw_ns) - i128::from(now.before_raw_ns);
        let slow = -i128::from(self.realtime_slowest.min(self.realtime_fastest)).min(0);
        let by_rate_ns = (tolerance_ns * slow) >> 31;
        let tolerance_ns = tolerance_ns + reading_ns.max(0) + by_rate_ns;
        let instant = |elapsed_ns: i128| saturated(i128::from(self.as_of_ns) + elapsed_ns);
        let (first_ns, last_ns) = (
            instant(first_ns - tolerance_ns),
            instant(last_ns + tolerance_ns),
        );
        if first_ns < self.realtime_since_ns.max(self.first_instant_ns()) {
            return Err(StampError::TooLongAgo);
        }
        Ok((first_ns, last_ns))
    }

    /// The least and the most that `CLOCK_REALTIME` advances in `elapsed_ns` of
    /// `CLOCK_MONOTONIC_RAW`, ns, rounded outward.
    fn realtime_after(&self, elapsed_ns: i128) -> (i128, i128) {
        let [slow, fast] = self.factors().map(|factor| elapsed_ns * factor);
        (slow.min(fast) >> 32, -(-slow.max(fast) >> 32))
    }

    /// The least and the most that `CLOCK_MONOTONIC_RAW` advances in `elapsed_ns` of
    /// `CLOCK_REALTIME`, ns, rounded outward.
    fn raw_after(&self, elapsed_ns: i128) -> (i128, i128) {
        let elapsed = elapsed_ns << 32;
        let [slow, fast] = self.factors().map(|factor| {
            // The factors are between 2^31 and 2^33.
            let floor = elapsed.div_euclid(factor);
            (floor, -(-elapsed).div_euclid(factor))
        });
        (slow.0.min(fast.0), slow.1.max(fast.1))
    }

    /// The least and the greatest rate of `CLOCK_REALTIME`, in units of 2^-32.
    fn factors(&self) -> [i128; 2] {
        [self.realtime_slowest, self.realtime_fastest].map(|rate| (1 << 32) + i128::from(rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: i64 = 1_000_000_000;
    const UTC: i64 = 1_800_000_000 * S;

    fn record() -> NativeRecord {
        NativeRecord {
            void_after_ns: 2_100 * S,
            realtime_ns: UTC,
            valid_since_ns: 100 * S,
            realtime_since_ns: 200 * S,
            ..NativeRecord::no_claim(1_100 * S)
        }
    }

    /// A reading `elapsed_ns` after the record of a clock that runs at the rate of
    /// `CLOCK_MONOTONIC_RAW`.
    fn reading(elapsed_ns: i64) -> ClockReading {
        ClockReading {
            before_raw_ns: 1_100 * S + elapsed_ns - 30,
            realtime_ns: UTC + elapsed_ns,
            after_raw_ns: 1_100 * S + elapsed_ns + 30,
        }
    }

    #[test]
    fn a_stamp_is_converted_within_the_tolerance() {
        let instants = record().instants_of_stamp(UTC - 5 * S, &reading(S));
        // The tolerance and the time that the reading took.
        assert_eq!(instants, Ok((1_095 * S - 1_060, 1_095 * S + 1_060)));
        let later = NativeRecord {
            realtime_error_ns: 500,
            realtime_fastest: 1 << 22,
            ..record()
        };
        let instants = later.instants_of_stamp(UTC + S / 10, &reading(S / 5));
        let first_ns = 1_100 * S + 99_902_439 - 1_560;
        // From the reading, S / 10 at the greatest rate back, and 30 ns for its second half.
        let last_ns = 1_100 * S + S / 5 - 99_902_439 + 30 + 1_560;
        assert_eq!(instants, Ok((first_ns, last_ns)));
    }

    #[test]
    fn a_stamp_after_the_record_is_converted_although_the_clock_was_moved_within_the_rates() {
        let record = NativeRecord {
            // 100 ppm.
            realtime_slowest: -429_497,
            realtime_fastest: 429_497,
            ..record()
        };
        const MS: i64 = 1_000_000;
        let moved_at_ns = 10 * MS;
        for by_ns in [50_000, -50_000] {
            let clock = |elapsed_ns: i64| {
                let moved_ns = if elapsed_ns < moved_at_ns { 0 } else { by_ns };
                UTC + elapsed_ns + moved_ns
            };
            let now = ClockReading {
                realtime_ns: clock(900 * MS),
                ..reading(900 * MS)
            };
            for elapsed_ns in [5 * MS, 9 * MS, 11 * MS, 20 * MS, 500 * MS, 899 * MS] {
                let (first_ns, last_ns) = record
                    .instants_of_stamp(clock(elapsed_ns), &now)
                    .expect("converted");
                let instant_ns = 1_100 * S + elapsed_ns;
                assert!(
                    (first_ns..=last_ns).contains(&instant_ns),
                    "{by_ns} at {elapsed_ns}: {instant_ns} not in {first_ns}..{last_ns}"
                );
            }
        }
    }

    #[test]
    fn a_stamp_that_cannot_be_converted_is_an_error() {
        let set = |by_ns| ClockReading {
            realtime_ns: UTC + S + by_ns,
            ..reading(S)
        };
        let without = |change: fn(&mut NativeRecord)| {
            let mut record = record();
            change(&mut record);
            record
        };
        let old = UTC - 1_000 * S;
        for (record, stamp_ns, now, expected) in [
            (
                without(|it| it.realtime_ns = 0),
                UTC,
                reading(S),
                StampError::NotRecorded,
            ),
            (
                without(|it| it.realtime_since_ns = 0),
                UTC,
                reading(S),
                StampError::NotRecorded,
            ),
            (record(), UTC, set(1_100), StampError::ClockChanged),
            (record(), UTC, set(-1_100), StampError::ClockChanged),
            (record(), UTC + S + 1, reading(S), StampError::InFuture),
            (
                record(),
                UTC - 900 * S + 1_000,
                reading(S),
                StampError::TooLongAgo,
            ),
            (
                without(|it| (it.realtime_since_ns, it.valid_since_ns) = (1, 0)),
                UTC - 1,
                reading(S),
                StampError::TooLongAgo,
            ),
            (
                without(|it| (it.realtime_since_ns, it.void_after_ns) = (1, 1_101 * S)),
                old,
                reading(S),
                StampError::TooLongAgo,
            ),
        ] {
            assert_eq!(record.instants_of_stamp(stamp_ns, &now), Err(expected));
        }
        let within = record().instants_of_stamp(UTC + 1, &set(1_000));
        assert!(within.is_ok(), "{within:?}");
    }

    #[test]
    fn the_first_instant_is_limited_by_valid_since_and_by_the_time_that_the_record_holds() {
        for (valid_since_ns, void_after_ns, expected) in [
            (0, 2_100 * S, 1_100 * S),
            (100 * S, 2_100 * S, 100 * S),
            (50 * S, 2_100 * S, 100 * S),
            (100 * S, 1_200 * S, 1_000 * S),
            (1_100 * S, 1_100 * S, 1_100 * S),
        ] {
            let record = NativeRecord {
                valid_since_ns,
                void_after_ns,
                ..record()
            };
            assert_eq!(record.first_instant_ns(), expected);
        }
    }

    proptest! {
        #[test]
        fn no_record_and_no_reading_cause_an_overflow_or_an_inverted_range(
            instants: [i64; 5], rates: [i32; 2], realtime_error_ns: u32, stamp_ns: i64,
            clocks: [i64; 3],
        ) {
            let [as_of_ns, void_after_ns, realtime_ns, valid_since_ns, realtime_since_ns] =
                instants;
            let record = NativeRecord {
                as_of_ns,
                void_after_ns,
                realtime_ns,
                valid_since_ns,
                realtime_since_ns,
                realtime_slowest: rates[0],
                realtime_fastest: rates[1],
                realtime_error_ns,
                ..record()
            };
            let [before_raw_ns, realtime_ns, after_raw_ns] = clocks;
            let now = ClockReading { before_raw_ns, realtime_ns, after_raw_ns };
            if let Ok((first_ns, last_ns)) = record.instants_of_stamp(stamp_ns, &now) {
                prop_assert!(first_ns <= last_ns);
            }
        }
    }
}
