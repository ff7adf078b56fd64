//! Frequency offsets, in parts per trillion: fine enough that rounding outward costs nothing that
//! is visible.

use std::ops::{Add, Neg, Sub};

use shm_layout::record::scale::{self, saturated};

use super::seconds::nearest;

const UNIT: i128 = 1_000_000_000_000;
const PPT_PER_PPB: i64 = 1_000;
const PPT_PER_PPM: i64 = 1_000_000;

/// The largest frequency offset that the kernel, and so chronyd, can correct without a slew: 500
/// ppm (adjtimex(2), `freq`; `MAXFREQ` in RFC 5905). No oscillator of a disciplined clock is
/// further from its nominal frequency.
pub const FREQUENCY_LIMIT: Rate = Rate::from_ppm(500);

/// A frequency offset, in parts per trillion. All arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(i64);

impl Rate {
    /// The rate of so many parts per trillion.
    #[must_use]
    pub const fn from_ppt(ppt: i64) -> Self {
        Self(ppt)
    }

    /// The rate of so many parts per billion.
    #[must_use]
    pub const fn from_ppb(ppb: i64) -> Self {
        Self(ppb.saturating_mul(PPT_PER_PPB))
    }

    /// The rate of so many parts per million.
    #[must_use]
    pub const fn from_ppm(ppm: i64) -> Self {
        Self(ppm.saturating_mul(PPT_PER_PPM))
    }

    /// The rate that is nearest to so many parts per million.
    #[must_use]
    pub fn nearest_ppm(ppm: f64) -> Self {
        Self(nearest(ppm * 1e6))
    }

    /// Parts per trillion.
    #[must_use]
    pub const fn as_ppt(self) -> i64 {
        self.0
    }

    /// Parts per billion, rounded towards zero.
    #[must_use]
    pub const fn as_ppb(self) -> i64 {
        self.0 / PPT_PER_PPB
    }

    /// The rate without its sign.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }
}

impl Add for Rate {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Rate {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Rate {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

/// A range of frequency offsets of UTC, or of `CLOCK_REALTIME`, relative to `CLOCK_MONOTONIC_RAW`.
/// While the latter shows an elapsed time t, UTC advances by t (1 + rate), with the rate somewhere
/// in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateBand {
    /// The lowest rate.
    pub slowest: Rate,
    /// The highest rate, not below `slowest`.
    pub fastest: Rate,
}

impl RateBand {
    /// The range between two rates.
    #[must_use]
    pub fn new(slowest: Rate, fastest: Rate) -> Self {
        debug_assert!(slowest <= fastest);
        Self { slowest, fastest }
    }

    /// The rates of at most `rate` of either sign.
    #[must_use]
    pub fn within(rate: Rate) -> Self {
        Self::new(-rate, rate)
    }

    /// Half the width, rounded up.
    #[must_use]
    pub fn half_width(self) -> Rate {
        let width = (self.fastest - self.slowest).0;
        Rate(width / 2 + width % 2)
    }

    /// The rates that two ranges have in common; `None` when they are disjoint.
    #[must_use]
    pub fn intersect(self, other: Self) -> Option<Self> {
        let slowest = self.slowest.max(other.slowest);
        let fastest = self.fastest.min(other.fastest);
        (slowest <= fastest).then_some(Self { slowest, fastest })
    }

    /// The smallest range that contains two ranges.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self {
            slowest: self.slowest.min(other.slowest),
            fastest: self.fastest.max(other.fastest),
        }
    }

    /// The range with both ends moved outward by `by`.
    #[must_use]
    pub fn widen(self, by: Rate) -> Self {
        Self {
            slowest: self.slowest - by,
            fastest: self.fastest + by,
        }
    }

    /// The largest distance of a rate in the range from `rate`.
    #[must_use]
    pub fn farthest_from(self, rate: Rate) -> Rate {
        let below = (rate - self.slowest).abs();
        let above = (self.fastest - rate).abs();
        below.max(above)
    }

    /// The least and the most that UTC gains on the clock in `elapsed_ns` of it, ns. For a negative
    /// elapsed time, what the ends of an interval gain when it is carried back.
    #[must_use]
    pub fn gain_ns(self, elapsed_ns: i64) -> (i64, i64) {
        let (low, high) = if elapsed_ns >= 0 {
            (self.slowest, self.fastest)
        } else {
            (self.fastest, self.slowest)
        };
        (scaled_floor(elapsed_ns, low), scaled_ceil(elapsed_ns, high))
    }
}

/// `ns` times `rate`, rounded down.
#[must_use]
pub fn scaled_floor(ns: i64, rate: Rate) -> i64 {
    scale::scaled_floor::<UNIT>(ns, rate.0)
}

/// `ns` times `rate`, rounded up.
#[must_use]
pub fn scaled_ceil(ns: i64, rate: Rate) -> i64 {
    scale::scaled_ceil::<UNIT>(ns, rate.0)
}

/// The range of mean rates of a clock that gained between `least_ns` and `most_ns` in `elapsed_ns`,
/// rounded outward.
///
/// `None` unless time has elapsed.
#[must_use]
pub fn mean_rate(least_ns: i64, most_ns: i64, elapsed_ns: i64) -> Option<RateBand> {
    if elapsed_ns <= 0 || least_ns > most_ns {
        return None;
    }
    let elapsed = i128::from(elapsed_ns);
    let slowest = (i128::from(least_ns) * UNIT).div_euclid(elapsed);
    let fastest = -(-i128::from(most_ns) * UNIT).div_euclid(elapsed);
    Some(RateBand {
        slowest: Rate(saturated(slowest)),
        fastest: Rate(saturated(fastest)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::NS_PER_S;
    use proptest::prelude::*;

    const S: i64 = NS_PER_S;

    #[test]
    fn rates_scale_and_round_outward() {
        for (ns, ppt, floor, ceil) in [
            (S, 50 * PPT_PER_PPM, 50_000, 50_000),
            (1, 1, 0, 1),
            (1, -1, -1, 0),
            (-1, 1, -1, 0),
            (1_000 * S, -PPT_PER_PPB, -1_000, -1_000),
            (0, i64::MAX, 0, 0),
        ] {
            assert_eq!(
                (scaled_floor(ns, Rate(ppt)), scaled_ceil(ns, Rate(ppt))),
                (floor, ceil),
                "{ns} ns at {ppt} ppt"
            );
        }
    }

    #[test]
    fn a_mean_rate_needs_elapsed_time() {
        assert_eq!(mean_rate(0, 1, 0), None);
        assert_eq!(mean_rate(0, 1, -5), None);
        assert_eq!(mean_rate(2, 1, 5), None);
        assert_eq!(
            mean_rate(50_000, 50_000, S),
            Some(RateBand::new(Rate::from_ppm(50), Rate::from_ppm(50)))
        );
        assert_eq!(
            mean_rate(0, 1, 3 * S),
            Some(RateBand::new(Rate(0), Rate(334)))
        );
    }

    proptest! {
        #[test]
        fn the_mean_rate_contains_the_rate_that_made_the_gain(
            elapsed_ns in 1..4_000_000_000_000i64, ppt in -600_000_000..600_000_000i64,
            below in 0..1_000_000i64, above in 0..1_000_000i64,
        ) {
            let rate = Rate(ppt);
            let least = scaled_floor(elapsed_ns, rate) - below;
            let most = scaled_ceil(elapsed_ns, rate) + above;
            let band = mean_rate(least, most, elapsed_ns).expect("time has elapsed");
            prop_assert!((band.slowest..=band.fastest).contains(&rate));
        }
    }
}
