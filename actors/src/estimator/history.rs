//! Intervals that contained true time at earlier instants, for measuring the rate of UTC.
//!
//! Two true intervals prove a range for the mean rate between their instants:
//!
//! ```text
//!   (earliest_b - latest_a) / (b - a) - 1  <=  mean of y over [a, b]
//!                                          <=  (latest_b - earliest_a) / (b - a) - 1
//! ```
//! A long baseline with narrow ends proves most, so the points that are kept are spread evenly over
//! the logarithm of their age.

use crate::time::{Interval, RateBand, RawInstant, mean_rate};

/// As many points are kept for the next life.
pub const MAX_POINTS: usize = 32;

/// Points closer than this prove nothing that matters, ns.
const SHORTEST_BASELINE_NS: i64 = 100_000_000;

/// An interval that contained true time when `CLOCK_MONOTONIC_RAW` showed `raw`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The instant.
    pub raw: RawInstant,
    /// The interval then.
    pub interval: Interval,
}

/// The kept points, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    points: Vec<Point>,
}

impl History {
    /// A history of these points, in any order.
    #[must_use]
    pub fn from_points(mut points: Vec<Point>) -> Self {
        points.sort_by_key(|point| point.raw);
        points.truncate(MAX_POINTS);
        Self { points }
    }

    /// The kept points, oldest first.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// What each kept point proves together with `newer`: the instant of the older end, and the
    /// range of the mean rate.
    pub fn mean_rates(&self, newer: Point) -> impl Iterator<Item = (Point, RateBand)> + '_ {
        self.points.iter().filter_map(move |&older| {
            let elapsed_ns = newer.raw - older.raw;
            if elapsed_ns < SHORTEST_BASELINE_NS {
                return None;
            }
            let gained = |ns: i64| ns.saturating_sub(elapsed_ns);
            let least_ns = gained(newer.interval.earliest - older.interval.latest);
            let most_ns = gained(newer.interval.latest - older.interval.earliest);
            Some((older, mean_rate(least_ns, most_ns, elapsed_ns)?))
        })
    }

    /// Adds the newest point and drops those that are older than `span_ns`; no more than `most` are
    /// kept.
    pub fn add(&mut self, point: Point, span_ns: i64, most: usize) {
        let oldest = point.raw - span_ns;
        self.points.retain(|kept| kept.raw >= oldest);
        if self.points.len() >= most {
            self.drop_the_closest(point.raw);
        }
        self.points.push(point);
    }

    /// Drops the point whose neighbours are closest to each other for their age. The ends are kept.
    fn drop_the_closest(&mut self, now: RawInstant) {
        let crowding = |index: &usize| {
            let (before, after) = (self.points[index - 1], self.points[index + 1]);
            let gap_ns = after.raw - before.raw;
            let age_ns = (now - self.points[*index].raw).max(1);
            i128::from(gap_ns) * 1_000_000 / i128::from(age_ns)
        };
        if let Some(index) = (1..self.points.len() - 1).min_by_key(crowding) {
            self.points.remove(index);
        }
    }

    /// Moves every interval by `by_ns`: UTC had a leap second.
    pub fn shift(&mut self, by_ns: i64) {
        for point in &mut self.points {
            point.interval = point.interval.shift(by_ns);
        }
    }

    /// Forgets every point.
    pub fn clear(&mut self) {
        self.points.clear();
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "test values are far from the limits of their types"
)]
mod tests {
    use super::*;
    use crate::time::{NS_PER_S, Rate, RealtimeInstant};
    use proptest::prelude::*;

    const S: i64 = NS_PER_S;

    fn point(raw_ns: i64, half_ns: i64) -> Point {
        let centre = RealtimeInstant::from_ns(1_800_000_000 * S + raw_ns);
        let interval = Interval::around(centre, half_ns);
        let raw = RawInstant::from_ns(raw_ns);
        Point { raw, interval }
    }

    #[test]
    fn ages_stay_spread_from_the_newest_to_the_span() {
        let mut history = History::default();
        for n in 0..20_000 {
            history.add(point(n * S, 1_000), 1_000 * S, MAX_POINTS);
        }
        let ages: Vec<i64> = history
            .points()
            .iter()
            .map(|point| (RawInstant::from_ns(19_999 * S) - point.raw) / S)
            .collect();
        assert_eq!(ages.len(), MAX_POINTS);
        assert!(ages[0] > 500 && ages[0] <= 1_000, "{ages:?}");
        for age in [2, 10, 50, 200] {
            assert!(
                ages.iter().any(|kept| (age / 2..=age * 2).contains(kept)),
                "none of about {age} s: {ages:?}"
            );
        }
    }

    #[test]
    fn points_that_are_too_close_prove_nothing() {
        let mut history = History::default();
        history.add(point(0, 1_000), S, MAX_POINTS);
        assert_eq!(history.mean_rates(point(S / 20, 1_000)).count(), 0);
        assert_eq!(history.mean_rates(point(S / 2, 1_000)).count(), 1);
    }

    proptest! {
        #[test]
        fn every_pair_proves_a_range_with_the_mean_rate_inside(
            ppb in -500_000..500_000i64,
            points in proptest::collection::vec((1..2_000i64, 1..2_000_000i64, -1.0..1.0f64), 2..80),
        ) {
            // UTC at a constant rate; each interval contains it off centre.
            let (mut history, mut raw_ns) = (History::default(), 0);
            for (seconds, half_ns, off) in points {
                raw_ns += seconds * S;
                let gained = (i128::from(raw_ns) * i128::from(ppb) / 1_000_000_000) as i64;
                let centre_ns = 1_800_000_000 * S + raw_ns + gained + (half_ns as f64 * off) as i64;
                let newest = Point {
                    raw: RawInstant::from_ns(raw_ns),
                    interval: Interval::around(RealtimeInstant::from_ns(centre_ns), half_ns + 1),
                };
                for (_, mean) in history.mean_rates(newest) {
                    prop_assert!((mean.slowest..=mean.fastest).contains(&Rate::from_ppb(ppb)), "{:?}", mean);
                }
                history.add(newest, 10_000 * S, MAX_POINTS);
                prop_assert!(history.points().len() <= MAX_POINTS);
            }
        }
    }
}
