//! True time, as a test defines it.

use std::f64::consts::TAU;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use nix::time::ClockId;

use super::NS_PER_S;
use super::clock::clock_ns;

/// The offset of true time from CLOCK_MONOTONIC_RAW, as a pure function of the elapsed time.
///
/// Positive values mean that the clock of this machine is slow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// How far true time is ahead of CLOCK_REALTIME at the beginning, ns.
    pub offset_ns: i64,
    /// The constant part of its rate, parts per billion.
    pub drift_ppb: i64,
    /// Amplitude of a sinusoidal wander, ns.
    pub wander_ns: i64,
    /// Period of the wander; zero for none.
    pub wander_period: Duration,
    /// Changes of its rate.
    pub jumps: Vec<Jump>,
}

/// A change of the rate of true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// When, since the beginning.
    pub after: Duration,
    /// The change of the rate, parts per billion.
    pub change_ppb: i64,
}

impl Course {
    /// A clock with a constant offset: slow when positive, fast when negative.
    pub fn offset_by_ns(offset_ns: i64) -> Course {
        Course {
            offset_ns,
            ..Course::default()
        }
    }

    /// True time less the value that CLOCK_REALTIME would have if it ran like CLOCK_MONOTONIC_RAW,
    /// ns.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "tests last minutes, which an f64 counts in ns"
    )]
    pub fn offset_ns(&self, elapsed: Duration) -> i64 {
        let gained = |since: Duration, ppb: i64| since.as_secs_f64() * ppb as f64;
        let jumped: f64 = self
            .jumps
            .iter()
            .map(|jump| gained(elapsed.saturating_sub(jump.after), jump.change_ppb))
            .sum();
        let swung = if self.wander_period.is_zero() {
            0.0
        } else {
            let turns = elapsed.as_secs_f64() / self.wander_period.as_secs_f64();
            (turns * TAU).sin() * self.wander_ns as f64
        };
        self.offset_ns + (gained(elapsed, self.drift_ppb) + jumped + swung).round() as i64
    }
}

/// True time: an offset from CLOCK_REALTIME, or a [`Course`] that does not depend on that clock.
///
/// Clones share their value, so that a server and the reader that checks its effect agree.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    offset_ns: Arc<AtomicI64>,
    raw: Option<Arc<OnRaw>>,
}

#[derive(Debug)]
struct OnRaw {
    began_raw_ns: i64,
    began_realtime_ns: i64,
    course: Course,
    leap_second: Option<LeapSecond>,
}

/// A leap second of true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeapSecond {
    /// Inserted or deleted.
    pub kind: LeapKind,
    /// The end of the UTC day at which it happens, ns since 1970.
    pub midnight_ns: i64,
}

/// The kind of a leap second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeapKind {
    /// The day's last second occurs twice.
    Inserted,
    /// The day's last second is skipped.
    Deleted,
}

impl LeapSecond {
    /// UTC at the instant that is `unleaped_ns` when counted without the leap second.
    fn applied_to(&self, unleaped_ns: i64) -> i64 {
        let (begins_ns, step_ns) = match self.kind {
            LeapKind::Inserted => (self.midnight_ns, -NS_PER_S),
            LeapKind::Deleted => (self.midnight_ns - NS_PER_S, NS_PER_S),
        };
        unleaped_ns + if unleaped_ns >= begins_ns { step_ns } else { 0 }
    }
}

impl Truth {
    /// True time ahead of CLOCK_REALTIME by this much; behind it, when negative.
    pub fn offset_by_ns(offset_ns: i64) -> Truth {
        let truth = Truth::default();
        truth.set_offset_ns(offset_ns);
        truth
    }

    /// True time that follows this course from now on, independent of CLOCK_REALTIME.
    pub fn on_raw(course: Course) -> Truth {
        Truth::on_raw_with_leap(course, None)
    }

    /// Like [`Truth::on_raw`], with a leap second.
    pub fn on_raw_with_leap(course: Course, leap_second: Option<LeapSecond>) -> Truth {
        Truth {
            offset_ns: Arc::default(),
            raw: Some(Arc::new(OnRaw {
                began_raw_ns: clock_ns(ClockId::CLOCK_MONOTONIC_RAW),
                began_realtime_ns: clock_ns(ClockId::CLOCK_REALTIME),
                course,
                leap_second,
            })),
        }
    }

    /// Steps true time: its offset is now `offset_ns`.
    pub fn set_offset_ns(&self, offset_ns: i64) {
        self.offset_ns.store(offset_ns, Ordering::Relaxed);
    }

    /// Steps true time by this much, as a machine sees it that was stopped meanwhile.
    pub fn step_by_ns(&self, by_ns: i64) {
        self.offset_ns.fetch_add(by_ns, Ordering::Relaxed);
    }

    /// True time now, in nanoseconds since 1970.
    pub fn now_ns(&self) -> i64 {
        let untouched_ns = match &self.raw {
            None => clock_ns(ClockId::CLOCK_REALTIME),
            Some(raw) => {
                let elapsed_ns = clock_ns(ClockId::CLOCK_MONOTONIC_RAW) - raw.began_raw_ns;
                let elapsed = Duration::from_nanos(elapsed_ns.unsigned_abs());
                let now_ns = raw.began_realtime_ns + elapsed_ns + raw.course.offset_ns(elapsed);
                raw.leap_second
                    .map_or(now_ns, |leap| leap.applied_to(now_ns))
            }
        };
        untouched_ns + self.offset_ns.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_course_is_the_sum_of_its_parts() {
        let course = Course {
            offset_ns: -80_000_000,
            drift_ppb: 30_000,
            wander_ns: 1_000,
            wander_period: S(20),
            jumps: vec![
                Jump {
                    after: S(10),
                    change_ppb: 45_000,
                },
                Jump {
                    after: S(30),
                    change_ppb: -45_000,
                },
            ],
        };
        for (s, expected_ns) in [
            (0, -80_000_000),
            (5, -80_000_000 + 150_000 + 1_000),
            (10, -80_000_000 + 300_000),
            (20, -80_000_000 + 600_000 + 450_000),
            (40, -80_000_000 + 1_200_000 + 900_000),
        ] {
            let offset_ns = course.offset_ns(S(s));
            assert_eq!(offset_ns, expected_ns, "after {s} s");
        }
    }

    #[test]
    fn a_leap_second_repeats_a_second_or_skips_one() {
        let midnight_ns = 1_000 * NS_PER_S;
        for (kind, unleaped_ms, ms) in [
            (LeapKind::Inserted, 999_999, 999_999),
            (LeapKind::Inserted, 1_000_000, 999_000),
            (LeapKind::Inserted, 1_001_500, 1_000_500),
            (LeapKind::Deleted, 998_999, 998_999),
            (LeapKind::Deleted, 999_000, 1_000_000),
        ] {
            let leap = LeapSecond { kind, midnight_ns };
            let utc_ns = leap.applied_to(unleaped_ms * 1_000_000);
            assert_eq!(utc_ns, ms * 1_000_000, "{kind:?} at {unleaped_ms} ms");
        }
    }

    #[test]
    fn true_time_steps_at_its_leap_second() {
        let midnight_ns = clock_ns(ClockId::CLOCK_REALTIME) + 1_000 * NS_PER_S;
        let kind = LeapKind::Inserted;
        for (offset_s, from_midnight_s) in [(900, -100), (1_000, -1)] {
            let course = Course::offset_by_ns(offset_s * NS_PER_S);
            let truth = Truth::on_raw_with_leap(course, Some(LeapSecond { kind, midnight_ns }));
            let s = (truth.now_ns() - midnight_ns).div_euclid(NS_PER_S);
            assert!((from_midnight_s..from_midnight_s + 50).contains(&s), "{s}");
        }
    }

    #[test]
    fn true_time_on_the_raw_clock_starts_at_its_offset_and_is_shared_by_clones() {
        let truth = Truth::on_raw(Course::offset_by_ns(7_000_000_000));
        let clone = truth.clone();
        truth.set_offset_ns(1_000_000_000);
        let before_ns = truth.now_ns();
        let realtime_ns = clock_ns(ClockId::CLOCK_REALTIME);
        let cloned_ns = clone.now_ns();
        assert!((before_ns..=truth.now_ns()).contains(&cloned_ns));
        // The clock was read between both; CLOCK_REALTIME may be slewed meanwhile.
        let (least_ns, most_ns) = (before_ns - realtime_ns, cloned_ns - realtime_ns);
        let slack_ns = 1_000_000;
        assert!(least_ns - slack_ns <= 8 * NS_PER_S && 8 * NS_PER_S <= most_ns + slack_ns);
    }
}
