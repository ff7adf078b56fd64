//! One pair of readings of the counter and of `CLOCK_MONOTONIC_RAW`.

use super::period::TickPeriod;
use crate::time::RawInstant;

/// `CLOCK_MONOTONIC_RAW` was read between two readings of the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bracket {
    /// The counter before, ticks.
    pub before: u64,
    /// What the clock showed.
    pub raw: RawInstant,
    /// The counter after, ticks.
    pub after: u64,
}

impl Bracket {
    /// How many ticks the readings took.
    #[must_use]
    pub fn ticks(&self) -> u64 {
        self.after.saturating_sub(self.before)
    }

    /// The first and the last instant of `CLOCK_MONOTONIC_RAW` at the tick `before`.
    ///
    /// One ns more is before, because the clock rounds down, and one tick more is after, because
    /// the clock does not advance within a tick.
    #[must_use]
    pub fn raw_before(&self, period: TickPeriod) -> (RawInstant, RawInstant) {
        let passed_ns = period.longest_ns(self.ticks());
        (
            self.raw - passed_ns - 1,
            self.raw + 1 + period.longest_ns(1),
        )
    }
}
