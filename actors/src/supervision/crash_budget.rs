//! How many crashes of one actor are forgiven, and how long to pause before its next life.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Crashes within this time count together.
const WINDOW: Duration = Duration::from_secs(10);

/// Crashes forgiven within ten seconds before the process gives up, unless a test says otherwise.
pub const DEFAULT_LIMIT: usize = 5;

/// The pause before the next life, by the fifth of the budget that is used.
const PAUSES_MS: [u64; 5] = [1, 10, 100, 1000, 1000];

/// What is to be done about a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Begin the next life after the pause.
    Restart {
        /// How long to wait first.
        pause: Duration,
    },
    /// A crash loop: end the process, and let its supervisor start a fresh one.
    GiveUp,
}

/// The crash budget of one actor.
#[derive(Debug)]
pub struct CrashBudget {
    limit: usize,
    crashes: VecDeque<Instant>,
}

impl CrashBudget {
    /// A budget of `limit` crashes in ten seconds.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            crashes: VecDeque::new(),
        }
    }

    /// Counts a crash at `now` and says what is to be done.
    pub fn record_crash(&mut self, now: Instant) -> Verdict {
        self.crashes
            .retain(|&at| now.saturating_duration_since(at) < WINDOW);
        self.crashes.push_back(now);
        let used = self.crashes.len();
        if used > self.limit {
            return Verdict::GiveUp;
        }
        let fifth = ((used - 1) * PAUSES_MS.len() / self.limit).min(PAUSES_MS.len() - 1);
        Verdict::Restart {
            pause: Duration::from_millis(PAUSES_MS[fifth]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(ms: u64) -> Verdict {
        Verdict::Restart {
            pause: Duration::from_millis(ms),
        }
    }

    #[test]
    fn pauses_grow_until_the_budget_is_spent() {
        let (mut budget, now) = (CrashBudget::new(5), Instant::now());
        let verdicts: Vec<_> = (0..6).map(|_| budget.record_crash(now)).collect();
        assert_eq!(
            verdicts,
            [
                pause(1),
                pause(10),
                pause(100),
                pause(1000),
                pause(1000),
                Verdict::GiveUp
            ]
        );
    }

    #[test]
    fn old_crashes_are_forgotten() {
        let (mut budget, start) = (CrashBudget::new(5), Instant::now());
        for n in 0..100 {
            assert_eq!(budget.record_crash(start + WINDOW * n), pause(1));
        }
    }

    #[test]
    fn no_budget_means_the_first_crash_ends_it() {
        assert_eq!(
            CrashBudget::new(0).record_crash(Instant::now()),
            Verdict::GiveUp
        );
    }
}
