//! How `CLOCK_REALTIME` moved against `CLOCK_MONOTONIC_RAW` since the daemon was started.
//!
//! The error of a measurement that was in progress while the clock was set or slewed includes the
//! movement of the clock. The log contains every reading of the clocks. Readings are merged as they
//! age, so that a few hundred entries reach back for days.

use std::collections::VecDeque;

use crate::time::{RawInstant, Readings};

/// Readings closer than this share an entry, ns.
const ENTRY_NS: i64 = 50_000_000;

/// When there are so many entries, the older half is merged in pairs.
const MAX_ENTRIES: usize = 256;

/// The largest number of steps in the log.
const MAX_STEPS: usize = 32;

/// The kernel changes the rate of the clock by a tenth at most (adjtimex(2), `tick`): a clock that
/// moves faster was set.
const FASTEST_SLEW: i64 = 10;

/// The kernel's frequency adjustment is 500 ppm at most: a clock that moves less is not set.
const SLOWEST_SETTING: i64 = 2_000;

/// A smaller difference of two readings can be an interruption between them, ns.
const READING_NOISE_NS: i64 = 100_000;

/// Readings of a period: by how much `CLOCK_REALTIME` was ahead of `CLOCK_MONOTONIC_RAW`, ns. If it
/// moved faster than the kernel's frequency adjustment, a program set it, and a slew by chronyd can
/// have hidden a part of that step: chronyd's correction accounts for the slew only.
#[derive(Clone, Copy, Debug)]
struct Entry {
    begins: RawInstant,
    least_ns: i64,
    most_ns: i64,
    hidden_ns: i64,
}

/// The log.
#[derive(Clone, Debug, Default)]
pub struct ClockLog {
    entries: VecDeque<Entry>,
    /// When the clock was set, and by how much, ns.
    steps: VecDeque<(RawInstant, i64)>,
    /// When the readings last proved a step.
    proved: Option<RawInstant>,
    last: Option<Readings>,
}

impl ClockLog {
    /// Notes a reading. Returns by how much the clock was stepped since the reading before, ns, if
    /// the two prove that it was.
    pub fn note(&mut self, at: &Readings) -> Option<i64> {
        let ahead_ns = at.ahead_ns();
        let mut step_ns = None;
        let mut hidden_ns = 0;
        if let Some(before) = self.last.replace(*at) {
            let moved_ns = ahead_ns.saturating_sub(before.ahead_ns());
            let elapsed_ns = (at.raw - before.raw).max(0);
            let excess_ns = moved_ns
                .saturating_abs()
                .saturating_sub(elapsed_ns / FASTEST_SLEW + READING_NOISE_NS);
            if excess_ns > 0 {
                if self.steps.len() >= MAX_STEPS {
                    self.steps.pop_front();
                }
                self.steps.push_back((at.raw, moved_ns));
            }
            if excess_ns > at.gap_ns.saturating_add(before.gap_ns) {
                self.proved = Some(at.raw);
                step_ns = Some(moved_ns);
            }
            if moved_ns.saturating_abs() > elapsed_ns / SLOWEST_SETTING + at.gap_ns {
                hidden_ns = elapsed_ns / FASTEST_SLEW;
            }
        }
        match self.entries.back_mut() {
            Some(entry) if at.raw - entry.begins < ENTRY_NS => {
                entry.least_ns = entry.least_ns.min(ahead_ns);
                entry.most_ns = entry.most_ns.max(ahead_ns);
                entry.hidden_ns = entry.hidden_ns.saturating_add(hidden_ns);
            }
            _ => self.entries.push_back(Entry {
                begins: at.raw,
                least_ns: ahead_ns,
                most_ns: ahead_ns,
                hidden_ns,
            }),
        }
        if self.entries.len() > MAX_ENTRIES {
            self.merge_the_older_half();
        }
        step_ns
    }

    /// Whether readings since `since` proved a step.
    #[must_use]
    pub fn has_proved_step(&self, since: RawInstant) -> bool {
        self.proved.is_some_and(|raw| raw >= since)
    }

    fn merge_the_older_half(&mut self) {
        let newer = self.entries.split_off(MAX_ENTRIES / 2);
        let older: Vec<Entry> = self.entries.drain(..).collect();
        let merged = older.chunks(2).filter_map(|pair| {
            let join = |a: Entry, b: &Entry| Entry {
                begins: a.begins,
                least_ns: a.least_ns.min(b.least_ns),
                most_ns: a.most_ns.max(b.most_ns),
                hidden_ns: a.hidden_ns.saturating_add(b.hidden_ns),
            };
            let (first, rest) = pair.split_first()?;
            Some(rest.iter().fold(*first, join))
        });
        self.entries = merged.chain(newer).collect();
    }

    /// The largest distance of the clock from its reading `at` between `since` and then, ns; `None`
    /// when the log does not reach back so far.
    #[must_use]
    pub fn moved_ns(&self, since: RawInstant, at: &Readings) -> Option<i64> {
        let now_ns = at.ahead_ns();
        let away = |entry: &Entry| {
            let least = entry.least_ns.saturating_sub(now_ns).saturating_abs();
            least.max(entry.most_ns.saturating_sub(now_ns).saturating_abs())
        };
        let (mut most_ns, mut hidden_ns) = (0, 0i64);
        for entry in self.entries.iter().rev() {
            most_ns = most_ns.max(away(entry));
            hidden_ns = hidden_ns.saturating_add(entry.hidden_ns);
            if entry.begins <= since {
                return Some(hidden_ns.saturating_add(most_ns));
            }
        }
        None
    }

    /// The same since the log begins.
    #[must_use]
    pub fn moved_at_all_ns(&self, at: &Readings) -> i64 {
        let begins = self.entries.front().map_or(at.raw, |entry| entry.begins);
        self.moved_ns(begins, at).unwrap_or(0)
    }

    /// How far the clock was set since `since`, all steps added up whatever their sign, ns.
    #[must_use]
    pub fn set_ns(&self, since: RawInstant) -> i64 {
        let recent = self.steps.iter().filter(|&&(raw, _)| raw >= since);
        recent.fold(0, |sum: i64, &(_, moved_ns)| {
            sum.saturating_add(moved_ns.saturating_abs())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{CoarseInstant, NS_PER_S, RealtimeInstant};

    const S: i64 = NS_PER_S;
    const MS: i64 = 1_000_000;

    fn raw(ns: i64) -> RawInstant {
        RawInstant::from_ns(ns)
    }

    fn at(raw_ns: i64, ahead_ns: i64) -> Readings {
        Readings {
            coarse: CoarseInstant::default(),
            raw: raw(raw_ns),
            realtime: RealtimeInstant::from_ns(raw_ns + ahead_ns),
            gap_ns: 0,
            kernel: None,
            suspended_ns: 0,
        }
    }

    /// A clock read each 100 ms, ahead by what the function returns for the tenth.
    fn log_of(tenths: i64, ahead_ns: impl Fn(i64) -> i64) -> (ClockLog, Readings) {
        let mut log = ClockLog::default();
        let readings = (0..=tenths).map(|n| at(n * S / 10, ahead_ns(n)));
        let last = readings
            .inspect(|at| {
                log.note(at);
            })
            .last();
        (log, last.expect("a reading"))
    }

    #[test]
    fn a_clock_that_is_not_set_has_not_moved() {
        let (log, now) = log_of(100, |_| 7);
        assert_eq!(log.moved_ns(raw(0), &now), Some(0));
        assert_eq!(log.moved_ns(raw(-1), &now), None);
        assert_eq!(log.set_ns(raw(0)), 0);
    }

    #[test]
    fn a_step_counts_from_the_reading_before_it() {
        let (log, now) = log_of(100, |n| if n >= 50 { 200 * MS } else { 0 });
        // With what a slew between the readings can hide.
        for (since, moved) in [(48, 210 * MS), (49, 210 * MS), (50, 10 * MS), (99, 0)] {
            assert_eq!(
                log.moved_ns(raw(since * S / 10), &now),
                Some(moved),
                "{since}"
            );
        }
        assert_eq!(log.set_ns(raw(0)), 200 * MS);
        assert_eq!(log.set_ns(raw(51 * S / 10)), 0);
    }

    #[test]
    fn two_opposite_steps_are_added() {
        let (log, now) = log_of(100, |n| if n == 50 { -30 * MS } else { 0 });
        assert_eq!(log.moved_ns(raw(4 * S), &now), Some(50 * MS));
        assert_eq!(log.set_ns(raw(4 * S)), 60 * MS);
    }

    #[test]
    fn a_slew_is_no_step() {
        let (log, now) = log_of(100, |n| n * 8 * MS);
        assert_eq!(log.set_ns(raw(0)), 0);
        assert_eq!(log.moved_ns(raw(9 * S), &now), Some(190 * MS));
    }

    #[test]
    fn the_log_reaches_back_for_days_in_bounded_space() {
        let (log, now) = log_of(1_000_000, |n| if n < 10 { 5 } else { 0 });
        assert!(log.entries.len() <= MAX_ENTRIES);
        assert_eq!(log.moved_ns(raw(0), &now), Some(5));
        assert_eq!(log.moved_ns(now.raw - S, &now), Some(0));
    }
}
