//! The duration of a tick, as a range, with all rounding outward.

use shm_layout::DRIFT_LIMIT_PPB;
use shm_layout::v3::Fraction;

use crate::time::RateBand;

/// One ns, in the unit of the range.
const NS: u128 = 1 << 64;
const NS_PER_S: u128 = 1_000_000_000;
const PPB_PER_ONE: u128 = 1_000_000_000;
const PPT_PER_ONE: i128 = 1_000_000_000_000;
const PPT_PER_PPB: i64 = 1_000;
/// The unit of a growth is 2^-48, 3.6 parts in 10^15.
const GROWTH_BITS: u32 = 48;
/// Any period below this is accepted, so that the products below fit: 1 ms, which is a counter of
/// 1 kHz.
const LONGEST: u128 = NS * 1_000_000;

/// The shortest and the longest duration of a tick that are possible, in units of 2^-64 ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickPeriod {
    shortest: u128,
    longest: u128,
}

/// How an interval is carried by the counter: the layout v3 has these fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// How far UTC advances with a tick, s.
    pub period: Fraction,
    /// The share of the elapsed time by which the interval grows on each side, in addition to
    /// `max_drift_ppb`.
    pub period_error: Fraction,
    /// The same in parts per billion, as far as the oscillator is the reason.
    pub max_drift_ppb: u32,
}

impl TickPeriod {
    /// Any duration.
    pub(super) const ANY: Self = Self {
        shortest: 0,
        longest: LONGEST,
    };

    /// The periods that also satisfy: at least `ns` passed in `ticks`. `None` when there is none.
    #[must_use]
    pub(super) fn at_least(self, ns: i128, ticks: u64) -> Option<Self> {
        let Ok(ns) = u128::try_from(ns) else {
            return Some(self);
        };
        let shortest = ns.checked_mul(NS)?.checked_div(u128::from(ticks))?;
        Self {
            shortest: self.shortest.max(shortest),
            ..self
        }
        .unless_empty()
    }

    /// The periods that also satisfy: less than `ns` passed in `ticks`. `None` when there is none.
    #[must_use]
    pub(super) fn less_than(self, ns: i128, ticks: u64) -> Option<Self> {
        let ns = u128::try_from(ns).ok().filter(|&ns| ns > 0)?;
        let longest = match ticks {
            0 => LONGEST,
            _ => ns.saturating_mul(NS).div_ceil(u128::from(ticks)),
        };
        Self {
            longest: self.longest.min(longest),
            ..self
        }
        .unless_empty()
    }

    /// Whether a period, in units of 2^-64 ns, is in the range.
    #[cfg(test)]
    pub(super) fn contains(self, period: u128) -> bool {
        (self.shortest..=self.longest).contains(&period)
    }

    fn unless_empty(self) -> Option<Self> {
        (self.shortest <= self.longest).then_some(self)
    }

    /// How long so many ticks last at most, rounded up, ns.
    #[must_use]
    pub fn longest_ns(&self, ticks: u64) -> i64 {
        let ns = u128::from(ticks).saturating_mul(self.longest).div_ceil(NS);
        i64::try_from(ns).unwrap_or(i64::MAX)
    }

    /// Half of the range relative to the period, parts per billion, rounded up.
    #[must_use]
    pub fn error_ppb(&self) -> u64 {
        let half = (self.longest - self.shortest).div_ceil(2);
        let error = half.saturating_mul(PPB_PER_ONE);
        let error = error
            .checked_div(self.shortest)
            .map_or(u128::MAX, |error| error + 1);
        u64::try_from(error).unwrap_or(u64::MAX)
    }

    /// How UTC advances with the counter, while its rate against `CLOCK_MONOTONIC_RAW` is in
    /// `band`. The result covers every period of the range with every rate of the band.
    ///
    /// `None` when the layout cannot express it.
    #[must_use]
    pub fn growth(&self, band: RateBand) -> Option<Growth> {
        let shortest = scaled(self.shortest, band.slowest.as_ppt())?;
        let longest = scaled(self.longest, band.fastest.as_ppt())? + 1;
        let period = fraction(shortest.midpoint(longest))?;
        // The period that the fraction states, in the unit of the range.
        let stated = u128::from(period.frac) * NS_PER_S;
        let (below, above) = (stated >> period.shift, (stated >> period.shift) + 1);
        let error = longest
            .checked_sub(below)?
            .max(above.checked_sub(shortest)?);
        let growth = (error << GROWTH_BITS).div_ceil(below);

        let half_band_ppb = band.half_width().as_ppt() / PPT_PER_PPB;
        let max_drift_ppb = u32::try_from(half_band_ppb)
            .unwrap_or(u32::MAX)
            .min(DRIFT_LIMIT_PPB - 1);
        let of_drift = (u128::from(max_drift_ppb) << GROWTH_BITS) / PPB_PER_ONE;
        Some(Growth {
            period,
            period_error: error_fraction(growth.saturating_sub(of_drift))?,
            max_drift_ppb,
        })
    }
}

/// A period changed by so many ppt, rounded down; `None` if nothing is left of it.
fn scaled(period: u128, ppt: i64) -> Option<u128> {
    let factor = u128::try_from(PPT_PER_ONE + i128::from(ppt)).ok()?;
    let scaled = period.checked_mul(factor)? / PPT_PER_ONE.cast_unsigned();
    (scaled > 0).then_some(scaled)
}

/// A period in units of 2^-64 ns as a fraction of a second, rounded down, with all bits used.
fn fraction(period: u128) -> Option<Fraction> {
    let frequency = (NS * NS_PER_S).checked_div(period)?;
    let mut shift = frequency.checked_ilog2()?;
    let mut frac = period.checked_shl(shift)? / NS_PER_S;
    if frac > u128::from(u64::MAX) {
        shift = shift.checked_sub(1)?;
        frac = (period << shift) / NS_PER_S;
    }
    Some(Fraction {
        frac: u64::try_from(frac).ok()?,
        shift: u8::try_from(shift).ok()?,
    })
}

/// A growth in units of 2^-48 as a fraction; `None` unless it is below 1.
fn error_fraction(growth: u128) -> Option<Fraction> {
    let frac = u64::try_from(growth << (64 - GROWTH_BITS)).ok()?;
    let shift = frac.leading_zeros() % u64::BITS;
    Some(Fraction {
        frac: frac << shift,
        shift: u8::try_from(shift).ok()?,
    })
}
