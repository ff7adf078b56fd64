//! What the estimator gives out: the estimate for an instant. Changes nothing.

use super::ablation::Safeguard;
use super::core::Estimator;
use super::error_budget::ErrorBudget;
use super::estimate::Estimate;
use super::history::Point;
use super::rate_band::Growth;
use super::status::{ClockStatus, Reason};
use crate::time::{Interval, RateBand, Readings, scaled_ceil};

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
        let holdover_ends_ns = self
            .validated_raw_ns
            .saturating_add(self.settings.holdover_ns);
        let horizon_ns = holdover_ends_ns.saturating_sub(at.raw_ns).max(0);
        let Some(known) = self
            .known(at.raw_ns, horizon_ns)
            .filter(|_| self.status.is_trusted())
        else {
            return Estimate::unknown(self.status, self.reason, at);
        };
        let held = self.held.at(at.raw_ns).unwrap_or(known.interval);
        let leap_ns = self
            .leap_second
            .until_midnight_ns(held)
            .filter(|_| self.has(Safeguard::LeapVoid));
        let void_after_raw_ns = leap_ns.map_or(holdover_ends_ns, |left_ns| {
            holdover_ends_ns.min(at.raw_ns.saturating_add(left_ns))
        });
        let estimate = Estimate {
            status: self.status,
            reason: self.reason_now(),
            raw_ns: at.raw_ns,
            interval: known.interval,
            band: known.band,
            validated_raw_ns: self.validated_raw_ns,
            void_after_raw_ns,
            leap: self.leap,
            reference_id: self.reference_id,
            budget: self.budget(&known, at.raw_ns),
        };
        let over_cap = |cap_ns| estimate.realtime_error_ns(at) > cap_ns;
        if self.settings.max_bound_ns.is_some_and(over_cap) {
            return Estimate::unknown(ClockStatus::Unknown, Reason::BoundOverCap, at);
        }
        estimate
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

    /// The interval at `raw_ns`, and the rates by which it contains true time for `horizon_ns`
    /// more.
    fn known(&self, raw_ns: i64, horizon_ns: i64) -> Option<Known> {
        let (interval, band, contradiction_ns) = self.in_one_count(raw_ns, horizon_ns)?;
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
        raw_ns: i64,
        horizon_ns: i64,
    ) -> Option<(Interval, RateBand, i64)> {
        let held = self.held.at(raw_ns)?;
        let drift = self.held.growth().published(raw_ns, horizon_ns);
        let (mut interval, mut band) = (held, drift);
        if let Some(wander) = &self.wander
            && let Some(narrow) = wander
                .held
                .at(raw_ns)
                .and_then(|narrow| narrow.intersect(held))
        {
            interval = narrow;
            let rates = wander.held.growth().published(raw_ns, horizon_ns);
            band = rates.intersect(drift).unwrap_or(drift);
        }
        let certain = interval;
        if let Some(contradiction) = &self.contradiction {
            interval = interval.hull(contradiction.other_at(raw_ns, self.tolerance));
            band = self.tolerance;
        }
        if let Some(dissent) = &self.dissent {
            let elapsed_ns = raw_ns.saturating_sub(dissent.raw_ns);
            interval = interval.hull(dissent.interval.carried(elapsed_ns, self.tolerance));
            band = self.tolerance;
        }
        let added_ns = interval.half_width_ns() - certain.half_width_ns();
        Some((interval, band, added_ns))
    }

    /// What makes up half the width of what is known at `raw_ns`.
    fn budget(&self, known: &Known, raw_ns: i64) -> ErrorBudget {
        let (point, sampled) = match self.sampled {
            Some((point, budget)) => (point, budget),
            None => (
                Point {
                    raw_ns,
                    interval: known.interval,
                },
                ErrorBudget::default(),
            ),
        };
        let elapsed_ns = raw_ns.saturating_sub(point.raw_ns).max(0);
        let rates = self.held.growth().band();
        let mut budget = ErrorBudget {
            growth_ns: scaled_ceil(elapsed_ns, rates.half_width_ppt()),
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
