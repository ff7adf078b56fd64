//! Whether and how the processor's counter carries an interval, for the layout v3.

use std::io;
use std::path::Path;

use crate::counter::{Bracket, Calibration, Contradiction, TickPeriod};
use crate::os::clocksource::{self, Clocksource};
use crate::os::counter;

/// A period that is known less exactly is not published, parts per billion. Brackets of 40 ns prove
/// it within the first 100 ms.
const MAX_ERROR_PPB: u64 = 1_000;

/// What the counter allows to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterReading {
    /// An interval at the counter's value, and how it is carried to others.
    Calibrated(CalibratedCounter),
    /// The period is not known yet. What an earlier life of this boot has published still holds.
    Calibrating,
    /// Nothing: what was published before may be wrong.
    Invalid,
}

/// The counter at one instant, and its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalibratedCounter {
    /// The last readings.
    pub bracket: Bracket,
    /// The range of the period.
    pub period: TickPeriod,
}

/// Why the counter cannot carry an interval.
#[derive(Debug, thiserror::Error)]
pub enum CounterError {
    /// The clocksource's file cannot be read.
    #[error("failed to read the clocksource: {0}")]
    UnreadableClocksource(#[source] io::Error),
    /// The kernel does not compute `CLOCK_MONOTONIC_RAW` from the processor's counter.
    #[error("the clocksource is {0}")]
    OtherClocksource(Clocksource),
    /// `/proc/cpuinfo` cannot be read.
    #[error("failed to read the processor's flags: {0}")]
    UnreadableFlags(#[source] io::Error),
    /// The counter may stop or change its rate.
    #[error("the processor's counter is not invariant")]
    NotInvariant,
    /// The readings contradict each other.
    #[error("{0}")]
    Contradiction(#[from] Contradiction),
    /// No program can read the counter.
    #[error("this architecture has no counter that programs read")]
    NoCounter,
}

/// Checks that the counter of this machine can carry an interval: it is the current clocksource,
/// and the processor guarantees its rate. `sys_root` and `proc_root` are those of
/// [`clocksource`], except in tests.
///
/// # Errors
/// [`CounterError`].
pub fn check(sys_root: &Path, proc_root: &Path) -> Result<(), CounterError> {
    check_clocksource(clocksource::current(sys_root))?;
    match clocksource::is_counter_invariant(proc_root) {
        Ok(true) => Ok(()),
        Ok(false) => Err(CounterError::NotInvariant),
        Err(err) => Err(CounterError::UnreadableFlags(err)),
    }
}

fn check_clocksource(current: io::Result<Clocksource>) -> Result<(), CounterError> {
    let current = current.map_err(CounterError::UnreadableClocksource)?;
    if current.is_readable_counter() {
        Ok(())
    } else {
        Err(CounterError::OtherClocksource(current))
    }
}

/// Compares the counter with `CLOCK_MONOTONIC_RAW` at each round.
#[derive(Debug, Default)]
pub struct CounterClock {
    calibration: Option<Calibration>,
    /// Set by an error, until the counter is calibrated again.
    is_invalid: bool,
}

impl CounterClock {
    /// Reads the counter and the clock, and checks them against all readings before. `clocksource`
    /// is the kernel's, as of the last second, or why it cannot be read: a change to another counter
    /// contradicts the brackets at once.
    ///
    /// # Errors
    /// Why the result is [`CounterReading::Invalid`], once for each reason that is found.
    pub fn read(
        &mut self,
        clocksource: Result<Clocksource, io::ErrorKind>,
    ) -> (CounterReading, Option<CounterError>) {
        let bracket = check_clocksource(clocksource.map_err(io::Error::from))
            .and_then(|()| counter::read_bracket().ok_or(CounterError::NoCounter));
        self.take(bracket)
    }

    /// Takes the bracket of a round, or why there is none.
    fn take(
        &mut self,
        bracket: Result<Bracket, CounterError>,
    ) -> (CounterReading, Option<CounterError>) {
        let found = match bracket {
            Ok(bracket) => self.add(bracket).err(),
            Err(err) => {
                self.calibration = None;
                Some(err)
            }
        };
        self.is_invalid |= found.is_some();
        let calibrated = self.calibration.as_ref().filter(|calibration| {
            found.is_none() && calibration.period().error_ppb() <= MAX_ERROR_PPB
        });
        let reading = match calibrated {
            Some(calibration) => {
                self.is_invalid = false;
                CounterReading::Calibrated(CalibratedCounter {
                    bracket: calibration.last(),
                    period: calibration.period(),
                })
            }
            None if self.is_invalid => CounterReading::Invalid,
            None => CounterReading::Calibrating,
        };
        (reading, found)
    }

    /// After a contradiction a new calibration begins with `bracket`.
    fn add(&mut self, bracket: Bracket) -> Result<(), CounterError> {
        let added = match &mut self.calibration {
            Some(calibration) => calibration.add(bracket),
            None => {
                self.calibration = Some(Calibration::of(bracket));
                Ok(())
            }
        };
        if added.is_err() {
            self.calibration = Some(Calibration::of(bracket));
        }
        added.map_err(CounterError::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::RawInstant;

    /// The n-th round of a counter of 1 GHz that is `ahead` ticks ahead of the clock.
    fn round(n: u32, ahead: u64) -> Result<Bracket, CounterError> {
        let ns = 100_000_000 * i64::from(n);
        let before = ns.unsigned_abs() + ahead;
        Ok(Bracket {
            before,
            raw: RawInstant::from_ns(ns + 10),
            after: before + 20,
        })
    }

    fn is_calibrated(reading: CounterReading) -> bool {
        matches!(reading, CounterReading::Calibrated(_))
    }

    #[test]
    fn a_contradiction_invalidates_at_once_until_the_counter_is_calibrated_again() {
        let mut clock = CounterClock::default();
        let (first, found) = clock.take(round(0, 0));
        assert_eq!(
            (first, found.is_none()),
            (CounterReading::Calibrating, true)
        );
        for n in 1..50 {
            let (reading, found) = clock.take(round(n, 0));
            assert!(is_calibrated(reading) && found.is_none(), "{n}");
        }
        for ahead in [1_000, 0] {
            let mut clock = CounterClock {
                calibration: clock.calibration.clone(),
                ..CounterClock::default()
            };
            let ahead_by = if ahead == 0 { 5_000_000_000 } else { ahead };
            let (reading, found) = clock.take(round(50, ahead_by));
            assert_eq!(reading, CounterReading::Invalid);
            assert!(matches!(found, Some(CounterError::Contradiction(_))));
            let (reading, found) = clock.take(round(51, ahead_by));
            assert!(is_calibrated(reading) && found.is_none());
        }
    }

    #[test]
    fn a_counter_that_went_back_and_another_clocksource_invalidate() {
        let mut clock = CounterClock::default();
        for n in 1..50 {
            let _ = clock.take(round(n, 0));
        }
        let (reading, found) = clock.take(round(10, 0));
        assert_eq!(reading, CounterReading::Invalid);
        assert_eq!(
            found.map(|err| err.to_string()).as_deref(),
            Some("the counter went back")
        );
        let _ = clock.take(round(11, 0));
        let (reading, _) = clock.take(Err(CounterError::NotInvariant));
        assert_eq!(reading, CounterReading::Invalid);
        // The next bracket alone proves no period.
        let (reading, _) = clock.take(round(12, 0));
        assert_eq!(reading, CounterReading::Invalid);
    }
}
