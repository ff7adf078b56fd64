//! The number of crashes after which an actor is still restarted, and the pause before a restart.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The time over which crashes are counted.
const WINDOW: Duration = Duration::from_secs(10);

/// The default crash budget: the number of crashes within ten seconds after which an actor is still
/// restarted.
pub const DEFAULT_LIMIT: usize = 5;

/// The pause before a restart, by the fifth of the budget that is used.
const PAUSES_MS: [u64; 5] = [1, 10, 100, 1000, 1000];

/// The decision after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Restart the actor after the pause.
    Restart {
        /// The time to wait before the restart.
        pause: Duration,
    },
    /// A crash loop: end the process. The service manager restarts it.
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

    /// Counts a crash at `now` and returns the decision.
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
    fn pauses_grow_until_the_budget_is_exceeded() {
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
    fn crashes_outside_the_window_are_not_counted() {
        let (mut budget, start) = (CrashBudget::new(5), Instant::now());
        for n in 0..100 {
            assert_eq!(budget.record_crash(start + WINDOW * n), pause(1));
        }
    }

    #[test]
    fn a_budget_of_zero_is_exceeded_by_the_first_crash() {
        assert_eq!(
            CrashBudget::new(0).record_crash(Instant::now()),
            Verdict::GiveUp
        );
    }
}
