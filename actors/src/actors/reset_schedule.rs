//! When chronyd's sources are reset. Pure: every instant is an argument.
//!
//! ```text
//!   request ---> reset now --acknowledged--> burst, then quiet for 10 s --> the next request's reset
//!                 ^     |                       (requests meanwhile are joined to one)
//!                 +-----+ not acknowledged: again within a second
//! ```

use std::time::{Duration, Instant};

/// The time from an attempt that failed to the next one.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// The time after a reset in which chronyd measures, before it is reset again.
const QUIET: Duration = Duration::from_secs(10);

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing is requested.
    Rest,
    /// Wait for so long.
    Wait(Duration),
    /// Reset the sources, for the interruption of this number and all before it.
    Reset(u64),
}

/// The schedule.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Schedule {
    /// The number of the last interruption that a reset was requested for.
    requested: u64,
    /// The number of the last interruption that chronyd was reset for.
    done: u64,
    /// No reset before this instant.
    not_before: Option<Instant>,
}

impl Schedule {
    /// The interruption of this number requires a reset.
    pub(super) fn request(&mut self, interruption: u64) {
        self.requested = self.requested.max(interruption);
    }

    /// What to do at `now`.
    pub(super) fn next(&self, now: Instant) -> Step {
        if self.requested == self.done {
            return Step::Rest;
        }
        let left = self
            .not_before
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        if left.is_zero() {
            Step::Reset(self.requested)
        } else {
            Step::Wait(left)
        }
    }

    /// chronyd has reset its sources for this interruption, or refuses to.
    pub(super) fn finished(&mut self, interruption: u64, now: Instant) {
        self.done = self.done.max(interruption);
        self.not_before = Some(now + QUIET);
    }

    /// An attempt that began at `began` was not acknowledged.
    pub(super) fn failed(&mut self, began: Instant) {
        self.not_before = Some(began + RETRY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_reset_is_tried_each_second_until_it_is_acknowledged() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        assert_eq!(schedule.next(start), Step::Rest);
        schedule.request(1);
        for n in 0..100 {
            assert_eq!(schedule.next(start + S * n), Step::Reset(1));
            schedule.failed(start + S * n);
            assert_eq!(schedule.next(start + S * n), Step::Wait(RETRY));
        }
        schedule.finished(1, start + S * 100);
        assert_eq!(schedule.next(start + S * 1_000), Step::Rest);
    }

    #[test]
    fn requests_within_the_quiet_time_are_joined_to_one_reset_after_it() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        schedule.request(1);
        schedule.finished(1, start);
        for n in 2..9 {
            schedule.request(u64::from(n));
            assert_eq!(schedule.next(start + S * n), Step::Wait(QUIET - S * n));
        }
        assert_eq!(schedule.next(start + QUIET), Step::Reset(8));
        schedule.finished(8, start + QUIET);
        assert_eq!(schedule.next(start + QUIET * 9), Step::Rest);
    }

    #[test]
    fn an_interruption_during_a_reset_requires_another_one() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        schedule.request(1);
        assert_eq!(schedule.next(start), Step::Reset(1));
        schedule.request(2);
        schedule.finished(1, start);
        assert_eq!(schedule.next(start + QUIET), Step::Reset(2));
    }
}
