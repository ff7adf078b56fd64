//! When chronyd's sources are reset, and bursts are requested. Pure: every instant is an argument.
//!
//! ```text
//!   interruption --> reset and burst --> burst again after 10 s, 20 s, 40 s, up to 640 s
//!                     ^     |                   |            |
//!                     |     | not acknowledged: |            +--> trust has returned: rest
//!                     +-----+ again after 1 s   |
//!                     ^                         | another interruption: reset at once, the burst
//!                     +-------------------------+ when 10 s have passed since the last one
//! ```
//! chronyd ignores the request of a burst while one is under way, also that of `iburst`, which a
//! reset of the sources does not end. The request is repeated for that reason, and less and less
//! often, because servers that do not answer would get eight requests each time.

use std::time::{Duration, Instant};

/// The least time between two attempts.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// The time between the first two bursts after an interruption. It doubles with each burst.
const BURST_INTERVAL: Duration = Duration::from_secs(10);

/// How often it doubles.
const MAX_DOUBLINGS: u32 = 6;

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is nothing to do.
    Rest,
    /// Wait for so long.
    Wait(Duration),
    /// Send requests to chronyd.
    Send(Attempt),
}

/// Requests to chronyd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// Reset the sources, for the interruption of this number and all before it.
    pub(super) reset: Option<u64>,
    /// Then request a burst.
    pub(super) burst: bool,
}

/// The schedule.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Schedule {
    /// The number of the last interruption.
    last: u64,
    /// The number of the last interruption that chronyd was reset for.
    reset: u64,
    /// The number of the last interruption after which trust has returned.
    over: u64,
    /// When the last attempt began.
    attempted: Option<Instant>,
    /// When the last burst was requested.
    burst: Option<Instant>,
    /// The number of bursts since the last interruption.
    bursts: u32,
}

impl Schedule {
    /// There was an interruption, of this number.
    pub(super) fn interrupted(&mut self, interruption: u64) {
        if interruption > self.last {
            (self.last, self.bursts) = (interruption, 0);
        }
    }

    /// Trust has returned after the interruption of this number.
    pub(super) fn trusted(&mut self, interruption: u64) {
        self.over = self.over.max(interruption);
    }

    /// What to do at `now`.
    pub(super) fn next(&self, now: Instant) -> Step {
        if self.last <= self.over {
            return Step::Rest;
        }
        let left = |since: Option<Instant>, interval: Duration| {
            since.map_or(Duration::ZERO, |since| {
                (since + interval).saturating_duration_since(now)
            })
        };
        let doublings = self.bursts.saturating_sub(1).min(MAX_DOUBLINGS);
        let until_burst = left(self.burst, BURST_INTERVAL * 2u32.pow(doublings));
        let resets = self.last > self.reset;
        let until_next = if resets {
            left(self.attempted, RETRY)
        } else {
            until_burst.max(left(self.attempted, RETRY))
        };
        if !until_next.is_zero() {
            return Step::Wait(until_next);
        }
        Step::Send(Attempt {
            reset: resets.then_some(self.last),
            burst: until_burst.is_zero(),
        })
    }

    /// An attempt began at `began`.
    pub(super) fn began(&mut self, began: Instant) {
        self.attempted = Some(began);
    }

    /// chronyd has answered the attempt: it has reset its sources, or refuses to.
    pub(super) fn answered(&mut self, attempt: Attempt, now: Instant) {
        self.reset = self.reset.max(attempt.reset.unwrap_or_default());
        if attempt.burst {
            self.burst = Some(now);
            self.bursts = self.bursts.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn reset(interruption: u64, burst: bool) -> Step {
        Step::Send(Attempt {
            reset: Some(interruption),
            burst,
        })
    }

    const BURST: Step = Step::Send(Attempt {
        reset: None,
        burst: true,
    });

    /// What happens in a row of a table, before the schedule is asked.
    enum Event {
        Nothing,
        Interrupted(u64),
        Trusted(u64),
    }
    use Event::{Interrupted, Nothing, Trusted};

    /// Runs a table: at this second this happens, and this is to be done. chronyd answers each
    /// attempt at once, or none.
    fn run(answers: bool, table: &[(u32, Event, Step)]) {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        for (second, event, expected) in table {
            let now = start + S * *second;
            match *event {
                Nothing => {}
                Interrupted(n) => schedule.interrupted(n),
                Trusted(n) => schedule.trusted(n),
            }
            let step = schedule.next(now);
            assert_eq!(step, *expected, "at {second} s");
            if let Step::Send(attempt) = step {
                schedule.began(now);
                if answers {
                    schedule.answered(attempt, now);
                }
            }
        }
    }

    #[test]
    fn a_reset_is_tried_each_second_until_it_is_acknowledged() {
        run(
            false,
            &[
                (0, Nothing, Step::Rest),
                (0, Interrupted(1), reset(1, true)),
                (0, Nothing, Step::Wait(RETRY)),
                (1, Nothing, reset(1, true)),
                (2, Nothing, reset(1, true)),
                (500, Nothing, reset(1, true)),
            ],
        );
    }

    #[test]
    fn bursts_are_repeated_less_and_less_often_until_trust_returns() {
        run(
            true,
            &[
                (0, Interrupted(1), reset(1, true)),
                (1, Nothing, Step::Wait(S * 9)),
                (10, Nothing, BURST),
                (11, Nothing, Step::Wait(S * 19)),
                (30, Nothing, BURST),
                (70, Nothing, BURST),
                (150, Nothing, BURST),
                (310, Nothing, BURST),
                (630, Nothing, BURST),
                (1_270, Nothing, BURST),
                (1_271, Nothing, Step::Wait(S * 639)),
                (1_910, Nothing, BURST),
                (1_911, Trusted(1), Step::Rest),
                (5_000, Nothing, Step::Rest),
            ],
        );
    }

    #[test]
    fn each_interruption_is_followed_by_a_reset_at_once_and_few_by_a_burst() {
        run(
            true,
            &[
                (0, Interrupted(1), reset(1, true)),
                (0, Interrupted(2), Step::Wait(RETRY)),
                (1, Interrupted(3), reset(3, false)),
                (2, Interrupted(4), reset(4, false)),
                (3, Nothing, Step::Wait(S * 7)),
                (10, Nothing, BURST),
                (11, Trusted(4), Step::Rest),
                (12, Interrupted(5), reset(5, false)),
                (20, Nothing, BURST),
            ],
        );
    }

    #[test]
    fn nothing_is_sent_for_an_interruption_that_is_over() {
        run(
            false,
            &[
                (0, Interrupted(1), reset(1, true)),
                (5, Trusted(1), Step::Rest),
                (6, Interrupted(2), reset(2, true)),
                (7, Trusted(1), reset(2, true)),
                (8, Trusted(2), Step::Rest),
            ],
        );
    }

    #[test]
    fn an_interruption_during_an_attempt_requires_another_reset() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        schedule.interrupted(1);
        let Step::Send(attempt) = schedule.next(start) else {
            panic!("nothing to send");
        };
        schedule.began(start);
        schedule.interrupted(2);
        schedule.answered(attempt, start);
        assert_eq!(schedule.next(start + RETRY), reset(2, false));
    }
}
