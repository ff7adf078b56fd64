//! Frequency offsets, in parts per trillion: fine enough that rounding outward costs nothing that
//! is visible.

/// Parts per trillion in one part per billion.
pub const PPT_PER_PPB: i64 = 1_000;

/// Parts per trillion in one part per million.
pub const PPT_PER_PPM: i64 = 1_000_000;

/// The largest frequency offset that the kernel, and so chronyd, can correct without a slew, parts
/// per trillion: 500 ppm (adjtimex(2), `freq`; `MAXFREQ` in RFC 5905). No oscillator of a
/// disciplined clock is further from its nominal frequency.
pub const FREQUENCY_LIMIT_PPT: i64 = 500 * PPT_PER_PPM;

const UNIT: i128 = 1_000_000_000_000;

/// A range of frequency offsets of UTC relative to `CLOCK_MONOTONIC_RAW`, parts per trillion. While
/// the clock shows an elapsed time t, UTC advances by t (1 + rate), with the rate somewhere in the
/// range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateBand {
    /// The lowest rate.
    pub slowest_ppt: i64,
    /// The highest rate, not below `slowest_ppt`.
    pub fastest_ppt: i64,
}

impl RateBand {
    /// The range between two rates.
    #[must_use]
    pub fn new(slowest_ppt: i64, fastest_ppt: i64) -> Self {
        debug_assert!(slowest_ppt <= fastest_ppt);
        Self {
            slowest_ppt,
            fastest_ppt,
        }
    }

    /// The rates of at most `ppt` of either sign.
    #[must_use]
    pub fn within(ppt: i64) -> Self {
        Self::new(-ppt, ppt)
    }

    /// Half the width, rounded up, parts per trillion.
    #[must_use]
    pub fn half_width_ppt(self) -> i64 {
        let width = self.fastest_ppt.saturating_sub(self.slowest_ppt);
        width / 2 + width % 2
    }

    /// The rates that two ranges have in common; `None` when they are disjoint.
    #[must_use]
    pub fn intersect(self, other: Self) -> Option<Self> {
        let slowest_ppt = self.slowest_ppt.max(other.slowest_ppt);
        let fastest_ppt = self.fastest_ppt.min(other.fastest_ppt);
        (slowest_ppt <= fastest_ppt).then_some(Self {
            slowest_ppt,
            fastest_ppt,
        })
    }

    /// The range with both ends moved outward by `by_ppt`.
    #[must_use]
    pub fn widen(self, by_ppt: i64) -> Self {
        Self {
            slowest_ppt: self.slowest_ppt.saturating_sub(by_ppt),
            fastest_ppt: self.fastest_ppt.saturating_add(by_ppt),
        }
    }

    /// The largest distance of a rate in the range from `ppt`.
    #[must_use]
    pub fn farthest_from(self, ppt: i64) -> i64 {
        let below = ppt.saturating_sub(self.slowest_ppt).saturating_abs();
        let above = self.fastest_ppt.saturating_sub(ppt).saturating_abs();
        below.max(above)
    }

    /// The least and the most that UTC gains on the clock in `elapsed_ns` of it, ns. For a negative
    /// elapsed time, what the ends of an interval gain when it is carried back.
    #[must_use]
    pub fn gain_ns(self, elapsed_ns: i64) -> (i64, i64) {
        let (low, high) = if elapsed_ns >= 0 {
            (self.slowest_ppt, self.fastest_ppt)
        } else {
            (self.fastest_ppt, self.slowest_ppt)
        };
        (scaled_floor(elapsed_ns, low), scaled_ceil(elapsed_ns, high))
    }
}

/// `ns` times `ppt` parts per trillion, rounded down.
#[must_use]
pub fn scaled_floor(ns: i64, ppt: i64) -> i64 {
    let product = i128::from(ns) * i128::from(ppt);
    clamp(product.div_euclid(UNIT))
}

/// `ns` times `ppt` parts per trillion, rounded up.
#[must_use]
pub fn scaled_ceil(ns: i64, ppt: i64) -> i64 {
    let product = i128::from(ns) * i128::from(ppt);
    clamp(-(-product).div_euclid(UNIT))
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
        slowest_ppt: clamp(slowest),
        fastest_ppt: clamp(fastest),
    })
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
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
                (scaled_floor(ns, ppt), scaled_ceil(ns, ppt)),
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
            Some(RateBand::new(50 * PPT_PER_PPM, 50 * PPT_PER_PPM))
        );
        assert_eq!(mean_rate(0, 1, 3 * S), Some(RateBand::new(0, 334)));
    }

    proptest! {
        #[test]
        fn the_mean_rate_contains_the_rate_that_made_the_gain(
            elapsed_ns in 1..4_000_000_000_000i64, ppt in -600_000_000..600_000_000i64,
            below in 0..1_000_000i64, above in 0..1_000_000i64,
        ) {
            let least = scaled_floor(elapsed_ns, ppt) - below;
            let most = scaled_ceil(elapsed_ns, ppt) + above;
            let band = mean_rate(least, most, elapsed_ns).expect("time has elapsed");
            prop_assert!((band.slowest_ppt..=band.fastest_ppt).contains(&ppt));
        }
    }
}
