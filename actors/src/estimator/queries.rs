//! Computes the estimate for an instant. Changes no state.

use super::ablation::Safeguard;
use super::core::Estimator;
use super::error_budget::ErrorBudget;
use super::estimate::Estimate;
use super::history::Point;
use super::rate_band::Growth;
use super::status::{ClockStatus, HostNotice, Reason};
use crate::time::{Interval, RateBand, RawInstant, Readings, scaled_ceil};

/// What is published for one instant, before status and reason.
#[derive(Clone, Copy, Debug)]
struct Known {
    interval: Interval,
    band: RateBand,
    contradiction_ns: i64,
    leap_second_ns: i64,
}

impl Estimator {
    /// What is to be published at the instant of `at`.
    #[must_use]
    pub fn estimate(&self, at: &Readings) -> Estimate {
        let holdover_ends = self.validated + self.settings.holdover_ns;
        let horizon_ns = (holdover_ends - at.raw).max(0);
        let Some(known) = self
            .known(at.raw, horizon_ns)
            .filter(|_| self.status.is_trusted())
        else {
            return self.no_estimate(self.status, self.reason, at);
        };
        let held = self.held.at(at.raw).unwrap_or(known.interval);
        let leap_ns = self
            .leap_second
            .until_midnight_ns(held)
            .filter(|_| self.has(Safeguard::LeapVoid));
        let void_after =
            leap_ns.map_or(holdover_ends, |left_ns| holdover_ends.min(at.raw + left_ns));
        let estimate = Estimate {
            status: self.status,
            reason: self.reason_now(),
            raw: at.raw,
            interval: known.interval,
            band: known.band,
            validated: self.validated,
            void_after,
            valid_since: self.valid_since,
            disruption: self.disruption,
            notice: HostNotice::default(),
            realtime: self.realtime.rates_at(at),
            leap: self.leap,
            reference_id: self.reference_id,
            budget: self.budget(&known, at.raw),
            is_simulated: false,
        };
        let over_cap = |cap_ns| estimate.realtime_error_ns(at) > cap_ns;
        if self.settings.max_bound_ns.is_some_and(over_cap) {
            return self.no_estimate(ClockStatus::Unknown, Reason::BoundOverCap, at);
        }
        estimate
    }

    fn no_estimate(&self, status: ClockStatus, reason: Reason, at: &Readings) -> Estimate {
        Estimate {
            disruption: self.disruption,
            ..Estimate::unknown(status, reason, at)
        }
    }

    fn reason_now(&self) -> Reason {
        if self.status != ClockStatus::Synchronized {
            self.reason
        } else if self.contradiction.is_some() {
            Reason::Contradiction
        } else if self.dissent.is_some() {
            Reason::SourcesDisagree
        } else if self.sampled.is_none() {
            Reason::Resumed
        } else {
            Reason::Tracking
        }
    }

    /// The interval at `raw`, and the rates by which it contains true time for `horizon_ns` more.
    fn known(&self, raw: RawInstant, horizon_ns: i64) -> Option<Known> {
        let (interval, band, contradiction_ns) = self.in_one_count(raw, horizon_ns)?;
        let covered = if self.has(Safeguard::LeapCover) {
            self.leap_second.covered(interval)
        } else {
            interval
        };
        Some(Known {
            interval: covered,
            band,
            contradiction_ns,
            leap_second_ns: covered.half_width_ns() - interval.half_width_ns(),
        })
    }

    /// The same without regard to a leap second, and what contradictions add to half the width.
    pub(super) fn in_one_count(
        &self,
        raw: RawInstant,
        horizon_ns: i64,
    ) -> Option<(Interval, RateBand, i64)> {
        let held = self.held.at(raw)?;
        let drift = self.held.growth().published(raw, horizon_ns);
        let (mut interval, mut band) = (held, drift);
        if let Some(wander) = &self.wander
            && let Some(narrow) = wander
                .held
                .at(raw)
                .and_then(|narrow| narrow.intersect(held))
        {
            interval = narrow;
            let rates = wander.held.growth().published(raw, horizon_ns);
            band = rates.intersect(drift).unwrap_or(drift);
        }
        let certain = interval;
        if let Some(contradiction) = &self.contradiction {
            interval = interval.hull(contradiction.other_at(raw, self.tolerance));
            band = self.tolerance;
        }
        if let Some(dissent) = &self.dissent {
            let elapsed_ns = raw - dissent.raw;
            interval = interval.hull(dissent.interval.carried(elapsed_ns, self.tolerance));
            band = self.tolerance;
        }
        let added_ns = interval.half_width_ns() - certain.half_width_ns();
        Some((interval, band, added_ns))
    }

    /// What makes up half the width of what is known at `raw`.
    fn budget(&self, known: &Known, raw: RawInstant) -> ErrorBudget {
        let (point, sampled) = match self.sampled {
            Some((point, budget)) => (point, budget),
            None => (
                Point {
                    raw,
                    interval: known.interval,
                },
                ErrorBudget::default(),
            ),
        };
        let elapsed_ns = (raw - point.raw).max(0);
        let rates = self.held.growth().band();
        let mut budget = ErrorBudget {
            growth_ns: scaled_ceil(elapsed_ns, rates.half_width()),
            contradiction_ns: known.contradiction_ns,
            leap_second_ns: known.leap_second_ns,
            ..sampled
        };
        let rest_ns = known.interval.half_width_ns() - budget.total_ns();
        match self.sampled {
            None => budget.resumed_ns = rest_ns,
            Some(_) if rest_ns > 0 => budget.contradiction_ns += rest_ns,
            Some(_) => budget.excluded_ns = rest_ns,
        }
        budget
    }
}
