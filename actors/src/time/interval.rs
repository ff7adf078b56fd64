//! An interval of true time.

use super::instant::RealtimeInstant;
use super::rate::RateBand;

/// Where true time lies at some instant: `earliest` to `latest`, both included, instants of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The earliest that true time can be.
    pub earliest: RealtimeInstant,
    /// The latest that true time can be, not before `earliest`.
    pub latest: RealtimeInstant,
}

impl Interval {
    /// The interval between two instants.
    #[must_use]
    pub fn new(earliest: RealtimeInstant, latest: RealtimeInstant) -> Self {
        debug_assert!(earliest <= latest, "{earliest:?} > {latest:?}");
        Self { earliest, latest }
    }

    /// The interval between two numbers of ns of UTC since 1970.
    #[must_use]
    pub fn from_ns(earliest_ns: i64, latest_ns: i64) -> Self {
        Self::new(
            RealtimeInstant::from_ns(earliest_ns),
            RealtimeInstant::from_ns(latest_ns),
        )
    }

    /// The interval of `half_ns` on both sides of `centre`.
    #[must_use]
    pub fn around(centre: RealtimeInstant, half_ns: i64) -> Self {
        Self {
            earliest: centre - half_ns,
            latest: centre + half_ns,
        }
    }

    /// The distance between the ends, ns.
    #[must_use]
    pub fn width_ns(self) -> i64 {
        self.latest - self.earliest
    }

    /// Half the width, rounded up, ns.
    #[must_use]
    pub fn half_width_ns(self) -> i64 {
        self.width_ns() / 2 + self.width_ns() % 2
    }

    /// Whether `instant` lies inside.
    #[must_use]
    pub fn contains(self, instant: RealtimeInstant) -> bool {
        (self.earliest..=self.latest).contains(&instant)
    }

    /// What two intervals have in common; `None` when they are disjoint.
    #[must_use]
    pub fn intersect(self, other: Self) -> Option<Self> {
        let earliest = self.earliest.max(other.earliest);
        let latest = self.latest.min(other.latest);
        (earliest <= latest).then_some(Self { earliest, latest })
    }

    /// The smallest interval that has both inside.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self {
            earliest: self.earliest.min(other.earliest),
            latest: self.latest.max(other.latest),
        }
    }

    /// The interval with both ends moved outward by `by_ns`.
    #[must_use]
    pub fn widen(self, by_ns: i64) -> Self {
        Self {
            earliest: self.earliest - by_ns,
            latest: self.latest + by_ns,
        }
    }

    /// The interval with both ends moved by `by_ns`.
    #[must_use]
    pub fn shift(self, by_ns: i64) -> Self {
        Self {
            earliest: self.earliest + by_ns,
            latest: self.latest + by_ns,
        }
    }

    /// The interval `elapsed_ns` of `CLOCK_MONOTONIC_RAW` later (earlier, when negative), while the
    /// frequency offset of UTC stays within `band`.
    #[must_use]
    pub fn carried(self, elapsed_ns: i64, band: RateBand) -> Self {
        let (slower_ns, faster_ns) = band.gain_ns(elapsed_ns);
        let moved = self.shift(elapsed_ns);
        Self {
            earliest: moved.earliest + slower_ns,
            latest: moved.latest + faster_ns,
        }
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
    use crate::time::Rate;
    use proptest::prelude::*;

    fn intervals() -> impl Strategy<Value = Interval> {
        (-1_000_000..1_000_000i64, 0..1_000_000i64).prop_map(|(earliest_ns, width_ns)| {
            Interval::from_ns(earliest_ns, earliest_ns + width_ns)
        })
    }

    proptest! {
        #[test]
        fn the_intersection_has_what_both_have_and_the_hull_what_either_has(
            a in intervals(), b in intervals(), instant_ns in -2_000_000..2_000_000i64,
        ) {
            let instant = RealtimeInstant::from_ns(instant_ns);
            let common = a.intersect(b).is_some_and(|common| common.contains(instant));
            prop_assert_eq!(common, a.contains(instant) && b.contains(instant));
            prop_assert_eq!(a.intersect(b), b.intersect(a));
            if a.contains(instant) || b.contains(instant) {
                prop_assert!(a.hull(b).contains(instant));
            }
        }

        #[test]
        fn a_carried_interval_contains_true_time_while_its_rate_is_in_the_band(
            a in intervals(), inside in 0.0..=1.0f64, elapsed_ns in -10_000_000_000_000..10_000_000_000_000i64,
            low in -600_000_000..600_000_000i64, span in 0..600_000_000i64, share in 0.0..=1.0f64,
        ) {
            let band = RateBand::new(Rate::from_ppt(low), Rate::from_ppt(low + span));
            let at = a.earliest + (a.width_ns() as f64 * inside) as i64;
            let rate = i128::from(low) + (span as f64 * share) as i128;
            let gained = i128::from(elapsed_ns) * rate / 1_000_000_000_000;
            let later = at + elapsed_ns + gained as i64;
            let carried = a.carried(elapsed_ns, band);
            prop_assert!(carried.contains(later), "{:?} not in {:?}", later, carried);
            let exact = elapsed_ns.unsigned_abs() as f64 * span as f64 * 1e-12;
            prop_assert!((carried.width_ns() - a.width_ns()) as f64 <= exact + 2.0);
        }
    }

    #[test]
    fn extreme_values_saturate() {
        let whole = Interval::from_ns(i64::MIN, i64::MAX);
        assert_eq!(whole.widen(i64::MAX), whole);
        assert_eq!(whole.width_ns(), i64::MAX);
        let band = RateBand::new(Rate::from_ppt(i64::MIN), Rate::from_ppt(i64::MAX));
        assert_eq!(whole.carried(i64::MAX, band).latest, RealtimeInstant::MAX);
    }
}
