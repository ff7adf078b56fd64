//! Since when the kernel's frequency adjustment explains how `CLOCK_REALTIME` advanced against
//! `CLOCK_MONOTONIC_RAW`, so that its time stamps can be converted.
//!
//! Between two readings, the clock advances at the rates that the kernel reports with these and the
//! reading before. What the readings show in excess is added up:
//!
//! ```text
//!   R(b) - R(a)  is in  (b - a) (1 + rates since a)  +  excess(b) - excess(a)
//! ```
//! While the sum stays within the noise of the readings, the clock was not set, and no program
//! slewed it in a way that the kernel's rate does not show (adjtime(3), the offset of the kernel's
//! loop). Otherwise, nothing is known about the clock before the newest reading, and nothing at all
//! until it shows a time that it has not shown before: a time stamp would be ambiguous.

use crate::time::{NS_PER_S, Rate, RateBand, RawInstant, Readings, RealtimeInstant};

/// The difference of the rates within which time stamps are converted.
const MAX_SPREAD: Rate = Rate::from_ppm(500);

/// The resolution of the kernel's frequency, 2^-16 ppm, rounded up.
const RESOLUTION: Rate = Rate::from_ppt(16);

/// Readings whose error is larger, because the process was interrupted, are not compared with later
/// ones, ns.
const MAX_GAP_NS: i64 = 5_000;

/// The readings are compared at least this often, ns.
const MAX_UNCOMPARED_NS: i64 = NS_PER_S;

/// An excess that the errors of the readings do not explain, ns: the kernel's rounding.
const MAX_EXCESS_NS: i64 = 500;

/// How `CLOCK_REALTIME` advanced until an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealtimeRates {
    /// Since when the rest is known.
    pub since: RawInstant,
    /// The frequency offset of `CLOCK_REALTIME` relative to `CLOCK_MONOTONIC_RAW`.
    pub band: RateBand,
    /// The largest error of a difference of two readings of `CLOCK_REALTIME`, ns.
    pub error_ns: i64,
}

/// What is known since the clock was last set or slewed.
#[derive(Clone, Copy, Debug)]
struct Run {
    since: RawInstant,
    band: RateBand,
    /// The newest reading that later ones are compared with.
    last: Readings,
    /// The rates that the kernel reported with that reading, the one before, and since.
    recent: RateBand,
    /// The rate that it reported last.
    rate: RateBand,
    /// The sum of the excess, now and at its extremes, ns.
    excess_ns: i64,
    least_excess_ns: i64,
    most_excess_ns: i64,
    /// The largest error of a reading that was compared.
    gap_ns: i64,
}

/// The log of the readings.
#[derive(Clone, Debug, Default)]
pub struct RealtimeLog {
    run: Option<Run>,
    /// The latest time that the clock can have shown before the run.
    shown: RealtimeInstant,
    /// The newest reading, with what is known until then.
    newest: Option<(RawInstant, RealtimeRates)>,
}

impl RealtimeLog {
    /// Notes a reading that is not older than the one before. Readings without the kernel's rate
    /// are ignored.
    pub fn note(&mut self, at: &Readings) {
        let Some(kernel) = at.kernel else {
            return;
        };
        let rate = RateBand::new(kernel - RESOLUTION, kernel + RESOLUTION);
        let continued = self.run.and_then(|run| run.continued(at, rate));
        if let (Some(before), None) = (self.run, continued) {
            self.shown = self.shown.max(before.latest_shown(at.raw));
        }
        // After it was set back, the clock shows for a while what it has shown before. A run begins
        // when that is over.
        let is_ambiguous = at.realtime - at.gap_ns <= self.shown;
        let kept = continued.filter(|_| !is_ambiguous && self.newest.is_some());
        let run = kept.unwrap_or_else(|| Run::new(at, rate));
        self.newest = (!is_ambiguous).then(|| (at.raw, run.rates(at)));
        self.run = match self.run {
            Some(before) if kept.is_some() && at.gap_ns > MAX_GAP_NS => Some(before.without(&run)),
            _ => Some(run),
        };
    }

    /// Notes that the clock was set before `raw`, even if the rates explain what it showed since.
    pub fn clock_was_set(&mut self, raw: RawInstant) {
        if let Some(before) = self.run.take() {
            let raw = raw.max(before.last.raw);
            self.shown = self.shown.max(before.latest_shown(raw));
        }
        self.newest = None;
    }

    /// What is known of the newest reading; `None` for any other one.
    #[must_use]
    pub fn rates_at(&self, at: &Readings) -> Option<RealtimeRates> {
        let (raw, rates) = self.newest?;
        (raw == at.raw).then_some(rates)
    }
}

impl Run {
    /// Nothing is known of the time before `at`.
    fn new(at: &Readings, rate: RateBand) -> Self {
        Self {
            since: at.raw,
            band: rate,
            last: *at,
            recent: rate,
            rate,
            excess_ns: 0,
            least_excess_ns: 0,
            most_excess_ns: 0,
            gap_ns: at.gap_ns,
        }
    }

    /// With one more reading, at which the kernel reported `rate`; `None` if the clock was set or
    /// slewed.
    fn continued(&self, at: &Readings, rate: RateBand) -> Option<Self> {
        let elapsed_ns = at.raw - self.last.raw;
        let is_compared = at.gap_ns <= MAX_GAP_NS;
        let is_late = !is_compared && elapsed_ns > MAX_UNCOMPARED_NS;
        let began_uncompared = is_compared && self.gap_ns > MAX_GAP_NS;
        if is_late || began_uncompared {
            return None;
        }
        // The kernel can apply a new rate at its next tick, after it has reported it.
        let between = self.recent.hull(rate);
        let band = self.band.hull(between);
        let moved_ns = at.ahead_ns().saturating_sub(self.last.ahead_ns());
        let (least_ns, most_ns) = between.gain_ns(elapsed_ns);
        let excess_ns = self
            .excess_ns
            .saturating_add(moved_ns.saturating_sub(moved_ns.clamp(least_ns, most_ns)));
        let new = Self {
            band,
            last: *at,
            recent: self.rate.hull(rate),
            rate,
            excess_ns,
            least_excess_ns: self.least_excess_ns.min(excess_ns),
            most_excess_ns: self.most_excess_ns.max(excess_ns),
            gap_ns: self.gap_ns.max(at.gap_ns),
            ..*self
        };
        let noise_ns = self.gap_ns.saturating_add(at.gap_ns) + MAX_EXCESS_NS;
        let is_one = new.farthest_ns() <= noise_ns && band.fastest - band.slowest <= MAX_SPREAD;
        is_one.then_some(new)
    }

    /// Without the newest reading, except for its rate: `with` is this run continued by it.
    fn without(self, with: &Self) -> Self {
        Self {
            band: with.band,
            recent: self.recent.hull(with.rate),
            rate: with.rate,
            ..self
        }
    }

    /// The latest time that the clock can have shown until `raw`, while it was not set. The kernel
    /// changes its rate by a tenth at most (adjtimex(2), `tick`).
    fn latest_shown(&self, raw: RawInstant) -> RealtimeInstant {
        let elapsed_ns = raw - self.last.raw;
        self.last.realtime + elapsed_ns.saturating_add(elapsed_ns / 10) + self.last.gap_ns
    }

    /// The largest difference of the excess from what it is now.
    fn farthest_ns(&self) -> i64 {
        let above_ns = self.most_excess_ns.saturating_sub(self.excess_ns);
        above_ns.max(self.excess_ns.saturating_sub(self.least_excess_ns))
    }

    fn rates(&self, at: &Readings) -> RealtimeRates {
        // The error of this reading, of any other one, and what is left of the excess.
        let gaps_ns = at.gap_ns.saturating_add(self.gap_ns);
        RealtimeRates {
            since: self.since,
            band: self.band,
            error_ns: gaps_ns.saturating_add(self.farthest_ns()),
        }
    }
}
