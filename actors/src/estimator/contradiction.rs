//! Decides when measurements contradict the held interval.
//!
//! Two intervals that should both contain true time and are disjoint break a premise, and it is
//! unknown which of them is wrong. Their hull is published and both are retained, until further
//! measurements decide:
//!
//! ```text
//!   a measurement agrees with  held only       the held interval is valid
//!                              the other only  AGREEMENTS in a row, over two polls of the source:
//!                                              the other one is valid
//!                              both            both are narrowed; if they overlap then, their hull
//!                                              is valid
//!                              neither         it is joined to the other one
//! ```
//! The next report alone never decides against the held interval.

use super::history::Point;
use crate::time::{Interval, RateBand, RawInstant};

/// Measurements in a row that agree with the other interval alone, before it replaces the held one.
pub const AGREEMENTS: u32 = 8;

/// The interval that contradicts the held one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The other interval.
    pub other: Point,
    /// When the contradiction was found.
    pub since: RawInstant,
    /// Measurements in a row that agreed with the other one alone.
    pub agreements: u32,
}

/// What a further measurement decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No decision: the held interval becomes this, if anything, and the contradiction continues.
    Open(Option<Interval>, Contradiction),
    /// The held interval is valid.
    Held,
    /// The other interval is valid.
    Other(Point),
}

impl Contradiction {
    /// A new contradiction: `other` is disjoint from the held interval.
    #[must_use]
    pub fn new(other: Point) -> Self {
        Self {
            other,
            since: other.raw,
            agreements: 1,
        }
    }

    /// The other interval at `raw`. If it is the valid one, only the tolerance limits the rate of
    /// the oscillator.
    #[must_use]
    pub fn other_at(&self, raw: RawInstant, tolerance: RateBand) -> Interval {
        let elapsed_ns = raw - self.other.raw;
        self.other.interval.carried(elapsed_ns, tolerance)
    }

    /// What the measurement `new` decides, while `held` is the held interval at the same instant;
    /// two polls of its source take `two_polls_ns`.
    #[must_use]
    pub fn weigh(
        self,
        held: Interval,
        new: Point,
        tolerance: RateBand,
        two_polls_ns: i64,
    ) -> Verdict {
        let other = self.other_at(new.raw, tolerance);
        let with_held = held.intersect(new.interval);
        let with_other = other.intersect(new.interval);
        let next = |interval, agreements| Self {
            other: Point {
                interval,
                raw: new.raw,
            },
            agreements,
            ..self
        };
        match (with_held, with_other) {
            (Some(_), None) => Verdict::Held,
            (Some(held), Some(other)) if held.intersect(other).is_some() => {
                Verdict::Other(next(held.hull(other), 0).other)
            }
            (Some(_), Some(other)) => Verdict::Open(with_held, next(other, 0)),
            (None, Some(other)) => {
                let next = next(other, self.agreements.saturating_add(1));
                let lasted_ns = new.raw - self.since;
                if next.agreements >= AGREEMENTS && lasted_ns >= two_polls_ns {
                    Verdict::Other(next.other)
                } else {
                    Verdict::Open(None, next)
                }
            }
            (None, None) => Verdict::Open(None, next(other.hull(new.interval), 0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{NS_PER_S, Rate};

    const S: i64 = NS_PER_S;
    const TOLERANCE: RateBand = RateBand {
        slowest: Rate::from_ppt(0),
        fastest: Rate::from_ppt(0),
    };

    fn at(second: i64, earliest: i64, latest: i64) -> Point {
        Point {
            raw: RawInstant::from_ns(second * S),
            interval: Interval::from_ns(earliest, latest).shift(second * S),
        }
    }

    fn held(second: i64) -> Interval {
        Interval::from_ns(0, 10).shift(second * S)
    }

    /// A measurement each second: the verdict of each.
    fn verdicts(first: (i64, i64), then: &[(i64, i64)]) -> Vec<Verdict> {
        let mut contradiction = Contradiction::new(at(0, first.0, first.1));
        let mut verdicts = Vec::new();
        for (n, &(earliest, latest)) in (1..).zip(then) {
            let verdict = contradiction.weigh(held(n), at(n, earliest, latest), TOLERANCE, 2 * S);
            if let Verdict::Open(_, next) = verdict {
                contradiction = next;
            }
            verdicts.push(verdict);
        }
        verdicts
    }

    #[test]
    fn one_agreement_with_the_held_interval_alone_ends_it() {
        assert_eq!(verdicts((100, 110), &[(5, 15)]), [Verdict::Held]);
        let late = verdicts((100, 110), &[(105, 106), (105, 106), (0, 1)]);
        assert_eq!(late.last(), Some(&Verdict::Held));
    }

    #[test]
    fn eight_agreements_in_a_row_replace_the_held_interval() {
        let all = verdicts((100, 110), &[(100, 110); 7]);
        assert!(
            all[..6]
                .iter()
                .all(|verdict| matches!(verdict, Verdict::Open(None, _)))
        );
        assert_eq!(all[6], Verdict::Other(at(7, 100, 110)));
    }

    #[test]
    fn eight_within_two_polls_do_not_decide() {
        let contradiction = Contradiction {
            agreements: 100,
            ..Contradiction::new(at(0, 100, 110))
        };
        let verdict = contradiction.weigh(held(1), at(1, 100, 110), TOLERANCE, 2 * S);
        assert!(matches!(verdict, Verdict::Open(..)));
    }

    #[test]
    fn a_measurement_that_agrees_with_both_narrows_both_and_restarts_the_count() {
        let [Verdict::Open(Some(kept), next)] = verdicts((100, 110), &[(8, 102)])[..] else {
            panic!("open");
        };
        assert_eq!(kept, Interval::from_ns(8, 10).shift(S));
        assert_eq!((next.other, next.agreements), (at(1, 100, 102), 0));
    }

    #[test]
    fn intervals_that_overlap_again_end_it_with_their_hull() {
        // The third joined the others to one that has the held interval inside.
        let all = verdicts((100, 110), &[(-20, -10), (3, 20)]);
        assert_eq!(all[1], Verdict::Other(at(2, 3, 20)));
    }

    #[test]
    fn a_measurement_that_agrees_with_neither_is_joined_to_the_other_one() {
        let [Verdict::Open(None, next)] = verdicts((100, 110), &[(200, 210)])[..] else {
            panic!("open");
        };
        assert_eq!((next.other, next.agreements), (at(1, 100, 210), 0));
    }
}
