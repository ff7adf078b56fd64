//! Leap seconds.
//!
//! UTC as computers count it repeats a second when one is inserted, and skips one when one is
//! deleted, at the end of a UTC day. Every interval here is kept in the count from before the leap,
//! until a measurement after it has shown that it happened. From shortly before the leap until then
//! the published interval covers both counts. The announcement alone is not trusted: chronyd may
//! have it from a server that is wrong.
//!
//! ```text
//!            LEAD before midnight       midnight        SETTLED after     first measurement
//!   --------------|------------------------|---------------|--------------------|------------
//!     one count   |         both counts, measurements are not used              | one count
//! ```

use crate::time::{Interval, NS_PER_S, RawInstant, RealtimeInstant};

const NS_PER_DAY: i64 = 86_400 * NS_PER_S;

/// How long before midnight both counts are covered, ns: servers and kernel may differ about the
/// instant.
const LEAD_NS: i64 = 3 * NS_PER_S;

/// How long after midnight measurements may still be in either count, ns: the leap second itself
/// and the lead.
const SETTLED_NS: i64 = NS_PER_S + LEAD_NS;

/// What happens to the count at the end of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A second is inserted: the count goes back by one.
    Insert,
    /// A second is deleted: the count skips one.
    Delete,
}

/// A leap second that was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// What happens.
    pub change: Change,
    /// The end of the day, in the count from before.
    pub midnight: RealtimeInstant,
}

/// The leap second ahead, or just passed, if there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeapSecond {
    announced: Option<Announced>,
}

/// What to do with a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It is in the count of the held interval.
    AsItIs,
    /// It may be in either count: it is not used.
    Not,
    /// It shows that the leap has happened: the held interval is shifted by so many ns first.
    AfterMoving(i64),
}

impl LeapSecond {
    /// One that an earlier life knew of.
    #[must_use]
    pub fn resumed(announced: Option<Announced>) -> Self {
        Self { announced }
    }

    /// What is announced.
    #[must_use]
    pub fn announced(&self) -> Option<Announced> {
        self.announced
    }

    /// Takes the announcement of a synchronised chronyd, with true time in `now`.
    pub fn announce(&mut self, change: Option<Change>, now: Interval) {
        match (self.announced, change) {
            (None, Some(change)) => {
                let days = now
                    .earliest
                    .as_ns()
                    .div_euclid(NS_PER_DAY)
                    .saturating_add(1);
                self.announced = Some(Announced {
                    change,
                    midnight: RealtimeInstant::from_ns(days.saturating_mul(NS_PER_DAY)),
                });
            }
            (Some(Announced { midnight, .. }), None) if now.latest < midnight - LEAD_NS => {
                self.announced = None;
            }
            _ => {}
        }
    }

    /// The interval to publish for `held`: both counts, from the lead on.
    #[must_use]
    pub fn covered(&self, held: Interval) -> Interval {
        match self.announced {
            Some(leap) if held.latest >= leap.midnight - LEAD_NS => {
                held.hull(held.shift(leap.shift_ns()))
            }
            _ => held,
        }
    }

    /// How long `held` can be carried on before it has to cover both counts, ns: a record that is
    /// not renewed until then claims nothing.
    #[must_use]
    pub fn until_midnight_ns(&self, held: Interval) -> Option<i64> {
        let leap = self.announced?;
        // A deleted second is skipped before midnight.
        let skipped_ns = leap.shift_ns().max(0);
        let left_ns = leap.midnight - skipped_ns - held.latest;
        // The clock itself may be slow; an oscillator that is off by a thousandth is not within any
        // tolerance.
        (left_ns >= LEAD_NS - skipped_ns).then_some(left_ns - left_ns / 1_000)
    }

    /// What to do with the measurement `new`, while `held` is the held interval at the same
    /// instant.
    #[must_use]
    pub fn use_of(&self, held: Option<Interval>, new: Interval) -> Use {
        let Some(leap) = self.announced else {
            return Use::AsItIs;
        };
        let known = held.unwrap_or(new);
        if known.latest < leap.midnight - LEAD_NS {
            return Use::AsItIs;
        }
        if known.earliest <= leap.midnight + SETTLED_NS {
            return Use::Not;
        }
        let Some(held) = held else {
            return Use::AsItIs;
        };
        let happened = held.shift(leap.shift_ns()).intersect(new).is_some();
        match (happened, held.intersect(new).is_some()) {
            (true, true) => Use::Not,
            (false, true) => Use::AfterMoving(0),
            // The announced count, when it agrees with neither.
            (_, false) => Use::AfterMoving(leap.shift_ns()),
        }
    }

    /// Since when measurements are in the final count of seconds, while `held` is the held interval
    /// at `raw`; `None` unless a leap second is near or undecided.
    #[must_use]
    pub fn settled_since(&self, held: Interval, raw: RawInstant) -> Option<RawInstant> {
        let leap = self.announced?;
        if held.latest < leap.midnight - LEAD_NS {
            return None;
        }
        let settled = leap.midnight + SETTLED_NS;
        let settled_for_ns = held.earliest - settled;
        Some(raw - settled_for_ns)
    }

    /// The leap second is over, one way or the other.
    pub fn clear(&mut self) {
        self.announced = None;
    }
}

impl Announced {
    fn shift_ns(self) -> i64 {
        match self.change {
            Change::Insert => -NS_PER_S,
            Change::Delete => NS_PER_S,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDNIGHT: i64 = 20_000 * NS_PER_DAY;
    const MS: i64 = 1_000_000;

    fn announced(change: Change) -> LeapSecond {
        let mut leap = LeapSecond::default();
        leap.announce(Some(change), before(3_600));
        leap
    }

    /// True time so many seconds before midnight, in the old count, known to 1 ms.
    fn before(seconds: i64) -> Interval {
        Interval::around(RealtimeInstant::from_ns(MIDNIGHT - seconds * NS_PER_S), MS)
    }

    #[test]
    fn both_counts_are_covered_from_the_lead_on() {
        for (change, seconds, covered) in [
            (Change::Insert, 4, before(4)),
            (Change::Insert, 2, before(3).hull(before(2))),
            (Change::Insert, -100, before(-99).hull(before(-100))),
            (Change::Delete, 4, before(4)),
            (Change::Delete, 2, before(2).hull(before(1))),
        ] {
            assert_eq!(
                announced(change).covered(before(seconds)),
                covered,
                "{change:?} {seconds}"
            );
        }
    }

    #[test]
    fn a_record_expires_before_midnight_unless_it_covers_both_counts() {
        let leap = announced(Change::Insert);
        let left = leap.until_midnight_ns(before(1_000)).expect("ahead");
        assert!((998 * NS_PER_S..1_000 * NS_PER_S).contains(&left), "{left}");
        assert_eq!(leap.until_midnight_ns(before(2)), None);
        let left = announced(Change::Delete).until_midnight_ns(before(4));
        assert!(left.is_some_and(|left| left < 3 * NS_PER_S), "{left:?}");
        assert_eq!(LeapSecond::default().until_midnight_ns(before(1_000)), None);
    }

    #[test]
    fn measurements_near_the_leap_are_not_used_and_the_first_after_it_decides() {
        let leap = announced(Change::Insert);
        for (seconds, measured, expected) in [
            (100, before(100), Use::AsItIs),
            (2, before(2), Use::Not),
            (-3, before(-2), Use::Not),
            (-10, before(-9), Use::AfterMoving(-NS_PER_S)),
            (-10, before(-10), Use::AfterMoving(0)),
            (-10, before(-50), Use::AfterMoving(-NS_PER_S)),
            (-10, before(-10).hull(before(-9)), Use::Not),
        ] {
            assert_eq!(
                leap.use_of(Some(before(seconds)), measured),
                expected,
                "{seconds} s, {measured:?}"
            );
        }
        assert_eq!(leap.use_of(None, before(1)), Use::Not);
        assert_eq!(leap.use_of(None, before(100)), Use::AsItIs);
    }

    #[test]
    fn an_announcement_can_be_withdrawn_until_the_lead() {
        for (seconds, stays) in [(100, false), (2, true), (-100, true)] {
            let mut leap = announced(Change::Insert);
            leap.announce(None, before(seconds));
            assert_eq!(leap.announced().is_some(), stays, "{seconds} s");
        }
    }
}
