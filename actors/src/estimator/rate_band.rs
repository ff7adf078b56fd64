//! The band of rates that earlier measurements prove for now, under one premise about the
//! oscillator.
//!
//! Let r be `CLOCK_MONOTONIC_RAW`, T(r) UTC, and dT/dr = 1 + y(r). Two points of the
//! [history](super::history) prove a range for the mean of y between them; a premise says how far y
//! can be from that mean now.
//!
//! - [`DriftBand`] (`--max-drift-rate` d): within the span, y stays within d of its mean over any
//!   measured part. A pair's range, widened by d, holds until its older end is older than the span.
//! - [`WanderBand`] (`--max-wander` w): |dy/dr| <= w. The mean over [a, b] differs from y(r) by at
//!   most w (r - (a + b) / 2): every pair gives a limit that recedes at w, so that the tightest
//!   limit is a single number for each side.
//!
//! In both, |y| stays within the frequency tolerance of any oscillator (RFC 5905, `MAXFREQ`).

use super::history::{MAX_POINTS, Point};
use crate::time::{Interval, NS_PER_S, Rate, RateBand, RawInstant, saturated, scaled_ceil};

/// A premise about the oscillator, and what measurements have proved under it.
pub trait Growth {
    /// How many points of history are kept for it.
    const POINTS: usize;

    /// Takes into account that the mean rate between the instants `older` and `newer` was in
    /// `mean`.
    fn learn(&mut self, older: RawInstant, newer: RawInstant, mean: RateBand);

    /// Whether all measured rates can be true at once.
    fn is_consistent(&self) -> bool;

    /// Drops what no longer holds when the newest measurement is of `newest` and history
    /// reaches back `span_ns`.
    fn expire(&mut self, newest: RawInstant, span_ns: i64);

    /// The interval of `point`, at the later instant `raw`.
    fn carried(&self, point: Point, raw: RawInstant) -> Interval;

    /// The rates by which an interval published at `raw` contains true time for `horizon_ns` more.
    fn published(&self, raw: RawInstant, horizon_ns: i64) -> RateBand;

    /// Drops all measured rates.
    fn forget(&mut self);
}

/// Parts of the span that are dropped one by one.
const EPOCHS_PER_SPAN: i64 = 16;

/// More than a span has at any time: a span that grows makes longer epochs.
pub const MAX_EPOCHS: usize = 24;

/// The rates proved by pairs whose older end is in one part of the span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its beginning.
    pub begins: RawInstant,
    /// Its length, ns.
    pub length_ns: i64,
    /// The rates that all of them allow, widened by the drift rate.
    pub band: RateBand,
}

/// The band under the drift premise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftBand {
    drift: Rate,
    tolerance: RateBand,
    length_ns: i64,
    epochs: Vec<Epoch>,
    /// What all epochs allow; `None` when they contradict each other.
    band: Option<RateBand>,
}

impl DriftBand {
    /// Nothing is known but the tolerance; measured rates hold within `drift`.
    #[must_use]
    pub fn new(drift: Rate, tolerance: RateBand, span_ns: i64) -> Self {
        Self {
            drift,
            tolerance,
            length_ns: (span_ns / EPOCHS_PER_SPAN).max(1),
            epochs: Vec::new(),
            band: Some(tolerance),
        }
    }

    /// What an earlier life had learned, with a drift rate that was smaller by `more`.
    pub fn resume(&mut self, epochs: &[Epoch], more: Rate) {
        let widened = epochs.iter().map(|epoch| Epoch {
            band: epoch.band.widen(more),
            ..*epoch
        });
        self.epochs = widened.take(MAX_EPOCHS).collect();
        self.intersect();
    }

    /// What was learned, for the next life.
    #[must_use]
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// The band; the tolerance while the epochs contradict each other.
    #[must_use]
    pub fn band(&self) -> RateBand {
        self.band.unwrap_or(self.tolerance)
    }

    fn intersect(&mut self) {
        self.band = self
            .epochs
            .iter()
            .try_fold(self.tolerance, |band, epoch| band.intersect(epoch.band));
    }
}

impl Growth for DriftBand {
    const POINTS: usize = MAX_POINTS;

    fn learn(&mut self, older: RawInstant, _newer: RawInstant, mean: RateBand) {
        let proved = mean.widen(self.drift);
        let within = |epoch: &&mut Epoch| (0..epoch.length_ns).contains(&(older - epoch.begins));
        match self.epochs.iter_mut().find(within) {
            Some(epoch) => match epoch.band.intersect(proved) {
                Some(band) => epoch.band = band,
                // Kept apart, so that the contradiction stays visible.
                None => self.band = None,
            },
            None => {
                if self.epochs.len() >= MAX_EPOCHS {
                    self.epochs.remove(0);
                }
                self.epochs.push(Epoch {
                    begins: older - older.as_ns().rem_euclid(self.length_ns),
                    length_ns: self.length_ns,
                    band: proved,
                });
                self.epochs.sort_by_key(|epoch| epoch.begins);
            }
        }
        self.band = self.band.and_then(|band| band.intersect(proved));
    }

    fn is_consistent(&self) -> bool {
        self.band.is_some()
    }

    fn expire(&mut self, newest: RawInstant, span_ns: i64) {
        self.length_ns = (span_ns / EPOCHS_PER_SPAN).max(1);
        let kept = self.epochs.len();
        self.epochs.retain(|epoch| newest - epoch.begins <= span_ns);
        if self.epochs.len() < kept {
            self.intersect();
        }
    }

    fn carried(&self, point: Point, raw: RawInstant) -> Interval {
        let elapsed_ns = raw - point.raw;
        point.interval.carried(elapsed_ns, self.band())
    }

    fn published(&self, _raw: RawInstant, _horizon_ns: i64) -> RateBand {
        self.band()
    }

    fn forget(&mut self) {
        self.epochs.clear();
        self.band = Some(self.tolerance);
    }
}

/// The band under the wander premise: limits that recede with time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WanderBand {
    wander_per_s: Rate,
    tolerance: RateBand,
    /// The limits as they were at `reference`; `None` before a pair was seen.
    limits: Option<(RawInstant, RateBand)>,
    consistent: bool,
}

impl WanderBand {
    /// Nothing is known but the tolerance; the rate changes by at most `wander_per_s`.
    #[must_use]
    pub fn new(wander_per_s: Rate, tolerance: RateBand) -> Self {
        Self {
            wander_per_s,
            tolerance,
            limits: None,
            consistent: true,
        }
    }

    /// What an earlier life had learned: limits and the instant that they are for.
    pub fn resume(&mut self, limits: Option<(RawInstant, RateBand)>) {
        self.limits = limits;
    }

    /// What was learned, for the next life.
    #[must_use]
    pub fn limits(&self) -> Option<(RawInstant, RateBand)> {
        self.limits
    }

    /// The limits at `raw`, not clamped to the tolerance.
    fn limits_at(&self, raw: RawInstant) -> Option<RateBand> {
        let (reference, band) = self.limits?;
        let receded = self.receded(raw - reference);
        let slowest = band.slowest - receded;
        let fastest = band.fastest + receded;
        // Before the reference the limits approach each other, and may cross.
        (slowest <= fastest).then_some(RateBand { slowest, fastest })
    }

    /// How far the rate can have moved in `elapsed_ns`.
    fn receded(&self, elapsed_ns: i64) -> Rate {
        let receded = i128::from(elapsed_ns) * i128::from(self.wander_per_s.as_ppt());
        let rounded = -(-receded).div_euclid(i128::from(NS_PER_S));
        Rate::from_ppt(saturated(rounded))
    }

    /// The rates whose constant application from `raw` on covers every rate within the limits for
    /// `elapsed_ns`.
    fn secant(&self, raw: RawInstant, elapsed_ns: i64) -> RateBand {
        let Some(limits) = self.limits_at(raw) else {
            return self.tolerance;
        };
        // The integral of w t from 0 to t is w t^2 / 2: a mean of w t / 2.
        let mean = limits.widen(Rate::from_ppt(self.receded(elapsed_ns).as_ppt() / 2 + 1));
        mean.intersect(self.tolerance).unwrap_or(self.tolerance)
    }
}

impl Growth for WanderBand {
    /// A breach of this premise is seen between the narrowest measurements. With 32 points they are
    /// thinned out too early: in simulated runs it was found up to 66 measurements later than it
    /// could have been, with 128 points up to 2.
    const POINTS: usize = 4 * MAX_POINTS;

    fn learn(&mut self, older: RawInstant, newer: RawInstant, mean: RateBand) {
        let middle = older.midpoint(newer);
        let proved = mean.widen(self.receded(newer - middle) + Rate::from_ppt(1));
        let known = match self.limits {
            Some(_) => self.limits_at(newer),
            None => Some(proved),
        };
        match known.and_then(|known| known.intersect(proved)) {
            Some(band) => self.limits = Some((newer, band)),
            None => self.consistent = false,
        }
    }

    fn is_consistent(&self) -> bool {
        self.consistent
    }

    fn expire(&mut self, _newest: RawInstant, _span_ns: i64) {}

    fn carried(&self, point: Point, raw: RawInstant) -> Interval {
        let elapsed_ns = raw - point.raw;
        // Rounded outward once more than the band is.
        let slack_ns = scaled_ceil(elapsed_ns.saturating_abs(), Rate::from_ppt(1));
        point
            .interval
            .carried(elapsed_ns, self.secant(point.raw, elapsed_ns))
            .widen(slack_ns)
    }

    fn published(&self, raw: RawInstant, horizon_ns: i64) -> RateBand {
        self.secant(raw, horizon_ns)
    }

    fn forget(&mut self) {
        self.limits = None;
        self.consistent = true;
    }
}
