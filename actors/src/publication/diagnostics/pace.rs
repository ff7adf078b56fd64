//! Since when the state is as it is, and when the diagnostics have to be written.

use shm_layout::diagnostics::{ACTORS, Counters, DiagnosticsRecord};

use crate::estimator::status::{ClockStatus, Reason};
use crate::time::RawInstant;

/// The time between two records while nothing happens, ns. It is less than a second, so that every
/// round includes one if rounds are a second apart.
const INTERVAL_NS: i64 = 900_000_000;

/// A value, and since when it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since<T> {
    /// The value.
    pub value: T,
    /// Since when.
    pub since: RawInstant,
}

impl<T: PartialEq> Since<T> {
    /// The value is `value` at `raw`. Returns whether it was another one before.
    pub fn note(&mut self, value: T, raw: RawInstant) -> bool {
        let changed = self.value != value;
        if changed {
            *self = Self { value, since: raw };
        }
        changed
    }
}

/// Since when the published state is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateTimes {
    /// The published status.
    pub status: Since<ClockStatus>,
    /// The published reason.
    pub reason: Since<Reason>,
    /// Why the last reports are unusable; [`Reason::Tracking`] if they are usable.
    pub failure: Since<Reason>,
}

impl StateTimes {
    /// The state of a daemon that starts at `raw` with `status`. What the record of a daemon before
    /// it still claims goes on; one that is older than `stale_ns` reads as free running.
    #[must_use]
    pub fn new(
        status: ClockStatus,
        raw: RawInstant,
        before: Option<&DiagnosticsRecord>,
        stale_ns: i64,
    ) -> Self {
        let is_recent = |record: &&DiagnosticsRecord| {
            let age_ns = raw - RawInstant::from_ns(record.as_of_ns);
            record.status == status && status.is_trusted() && (0..=stale_ns).contains(&age_ns)
        };
        let before = before.filter(is_recent);
        let since = |since_ns: Option<i64>| since_ns.map_or(raw, RawInstant::from_ns);
        Self {
            status: Since {
                value: status,
                since: since(before.map(|record| record.status_since_ns)),
            },
            reason: Since {
                value: before.map_or(Reason::NeverSynchronized, |record| record.reason),
                since: since(before.map(|record| record.reason_since_ns)),
            },
            failure: Since {
                value: before.map_or(Reason::ChronySilent, |record| record.failure),
                since: since(before.map(|record| record.failure_since_ns)),
            },
        }
    }
}

/// What is written at once when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Status, reason and failure.
    pub state: (ClockStatus, Reason, Reason),
    /// A drill is in progress.
    pub is_drill: bool,
    /// The counters. Those that count polls do not matter.
    pub events: Counters,
    /// The restarts of each actor.
    pub restarts: [u32; ACTORS.len()],
}

impl Trigger {
    fn without_polls(self) -> Self {
        Self {
            events: Counters {
                reports: 0,
                reports_refused: 0,
                polls_unanswered: 0,
                polls_not_permitted: 0,
                measurements: 0,
                ..self.events
            },
            ..self
        }
    }
}

/// When the last record was written, and what it had.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace(Option<(RawInstant, Trigger)>);

impl Pace {
    /// Whether a record has to be written at `raw`. If so, it is taken as written.
    pub fn is_due(&mut self, raw: RawInstant, trigger: Trigger) -> bool {
        let trigger = trigger.without_polls();
        let is_due = self
            .0
            .is_none_or(|(at, last)| last != trigger || raw - at >= INTERVAL_NS);
        if is_due {
            self.0 = Some((raw, trigger));
        }
        is_due
    }

    /// The last record was not written.
    pub fn failed(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::NS_PER_S;

    const MS: i64 = 1_000_000;

    fn at(ms: i64) -> RawInstant {
        RawInstant::from_ns(ms * MS)
    }

    fn trigger(reason: Reason, reports: u64, clock_steps: u64) -> Trigger {
        Trigger {
            state: (ClockStatus::Synchronized, reason, Reason::Tracking),
            is_drill: false,
            events: Counters {
                reports,
                clock_steps,
                ..Counters::default()
            },
            restarts: [0; ACTORS.len()],
        }
    }

    #[test]
    fn a_record_is_due_at_once_when_something_happens_and_otherwise_about_once_a_second() {
        let mut pace = Pace::default();
        let mut due = Vec::new();
        for n in 0..30i64 {
            let (reason, steps) = match n {
                0..13 => (Reason::Tracking, 0),
                13..15 => (Reason::Contradiction, 0),
                _ => (Reason::Contradiction, 1),
            };
            let trigger = trigger(reason, n.unsigned_abs(), steps);
            if pace.is_due(at(n * 100), trigger) {
                due.push(n);
            }
        }
        assert_eq!(due, [0, 9, 13, 15, 24]);
    }

    #[test]
    fn a_record_that_was_not_written_is_due_again() {
        let mut pace = Pace::default();
        let trigger = trigger(Reason::Tracking, 0, 0);
        assert!(pace.is_due(at(0), trigger));
        assert!(!pace.is_due(at(1), trigger));
        pace.failed();
        assert!(pace.is_due(at(2), trigger));
    }

    #[test]
    fn a_state_is_as_old_as_its_last_change() {
        let mut times = StateTimes::new(ClockStatus::Unknown, at(5), None, NS_PER_S);
        assert!(!times.status.note(ClockStatus::Unknown, at(6)));
        assert_eq!(times.status.since, at(5));
        assert!(times.status.note(ClockStatus::Synchronized, at(7)));
        assert!(!times.status.note(ClockStatus::Synchronized, at(8)));
        assert_eq!(times.status.since, at(7));
    }

    #[test]
    fn a_daemon_that_follows_another_at_once_continues_its_state() {
        let record = DiagnosticsRecord {
            status: ClockStatus::Synchronized,
            status_since_ns: 3 * MS,
            reason: Reason::Tracking,
            reason_since_ns: 4 * MS,
            ..DiagnosticsRecord::no_claim(100 * MS)
        };
        let status = ClockStatus::Synchronized;
        let since = |status, ms| {
            let times = StateTimes::new(status, at(ms), Some(&record), NS_PER_S);
            (times.status.since, times.reason.since)
        };
        assert_eq!(since(status, 1_100), (at(3), at(4)));
        for (status, ms) in [
            (status, 1_101),
            (status, 99),
            (ClockStatus::FreeRunning, 200),
        ] {
            assert_eq!(since(status, ms), (at(ms), at(ms)));
        }
    }
}
