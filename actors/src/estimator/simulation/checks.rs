//! What must be so at every event.

use super::configuration::BEGIN_NS;
use super::event_loop::{Event, Simulation};
use super::report::Lost;
use crate::estimator::*;
use crate::time::{Rate, RawInstant};

/// As many rounds are kept to check the past.
const MAX_PAST: usize = 64;

impl Simulation {
    fn lost(&self, text: String) -> Lost {
        let log = self.log.clone().unwrap_or_default();
        Lost { text, log }
    }

    /// While the premises hold, whatever is alarmed about is a mistake of the estimator.
    pub fn check_finding(&mut self, finding: Finding) -> Result<(), Lost> {
        if let Some(log) = &mut self.log {
            log.push_back(format!("    {finding:?}"));
        }
        let (may_step, may_slew) = (self.may_step(), self.may_slew());
        match (finding, &mut self.breach) {
            (Finding::WanderExceeded, Some(breach)) => breach.alarmed(),
            (Finding::LeapSecondDecided { .. }, _) => {}
            (Finding::ClockStepped { .. }, _) if may_step => {}
            (Finding::ClockSlewed { .. }, _) if may_slew => {}
            _ => {
                let text = format!("{finding:?} at raw {}\n{:?}", self.now_ns, self.settings);
                return Err(self.lost(text));
            }
        }
        Ok(())
    }

    /// Whether chronyd or anything else steps the clock in this run.
    fn may_step(&self) -> bool {
        let features = ["steers", "sets", "suspends", "leap"];
        features.into_iter().any(|name| self.config.has(name))
    }

    /// Whether anything but chronyd moves the clock in this run. A step between two polls that are
    /// far apart is not distinguished from a slew.
    fn may_slew(&self) -> bool {
        let features = ["foreign-rate", "sets", "suspends", "leap"];
        features.into_iter().any(|name| self.config.has(name))
    }

    /// Whether an oscillator that keeps to the wander premise explains what was measured.
    pub fn check_explained(&mut self) {
        let Some(wander) = &self.estimator.wander else {
            return;
        };
        let point = self.estimator.held.point();
        let new = point
            .filter(|point| point.raw.as_ns() == self.now_ns && point.raw >= wander.void_until);
        if let (Some(breach), Some(point)) = (&mut self.breach, new) {
            let ppb = self.settings.max_wander_ppb_per_s.unwrap_or(0);
            breach.measured(point, f64::from(ppb) * 1e-18);
        }
    }

    /// The own intervals of correct sources contain true time, whether they are used or not.
    pub fn check_sources(&mut self, event: Event) -> Result<(), Lost> {
        for server in self
            .host
            .servers
            .iter()
            .filter(|server| server.is_honest && !self.config.has("leap"))
        {
            let key = Key {
                address: server.key(),
                is_reference_clock: false,
            };
            let own = self
                .estimator
                .sources
                .get(key)
                .and_then(|source| source.own);
            let outside = own.filter(|own| {
                own.raw.as_ns() == self.now_ns
                    && !own.interval.contains(self.host.true_time(self.now_ns))
            });
            if let Some(own) = outside {
                let off = own.interval.shift(-self.host.utc.at(own.raw.as_ns()));
                return Err(self.lost(format!("{key:?} is not true at {event:?}: {off:?}")));
            }
        }
        Ok(())
    }

    /// The true rate is within the proved ones.
    pub fn check_rates(&mut self, event: Event) -> Result<(), Lost> {
        let rate = Rate::from_ppt((self.host.utc.rate_at(self.now_ns) * 1e12).round() as i64);
        let rounding = Rate::from_ppt(1);
        let drift = self.estimator.held.growth().band();
        let wander = self
            .estimator
            .wander
            .as_ref()
            .filter(|_| self.breach.is_none());
        let wander = wander.and_then(|wander| wander.held.growth().limits());
        let wander = wander
            .filter(|(reference, _)| reference.as_ns() == self.now_ns)
            .map(|(_, band)| band);
        for band in [Some(drift), wander].into_iter().flatten() {
            if rate < band.slowest - rounding || rate > band.fastest + rounding {
                let text = format!(
                    "{rate:?} is not in {band:?} at {event:?} of raw {}",
                    self.now_ns
                );
                return Err(self.lost(text));
            }
        }
        Ok(())
    }

    /// The ideal is the error of the last measurement, with the growth since then by the drift rate
    /// and the error of a rate between two such measurements.
    pub fn measure_width(&mut self, estimate: &Estimate) {
        let best = self.host.selected.and_then(|n| self.host.servers[n].last);
        if let Some(last) = best {
            let drift = f64::from(self.settings.max_drift_ppb) * 1e-9;
            let watched_ns =
                (estimate.raw.as_ns() - BEGIN_NS).min(self.settings.holdover_ns) as f64;
            let rate = (drift + 2.0 * last.error_ns as f64 / watched_ns).min(500e-6);
            self.report.ideal_ns +=
                last.error_ns as f64 + rate * (estimate.raw.as_ns() - last.raw_ns) as f64;
            self.report.width_ns += estimate.interval.half_width_ns() as f64;
        }
    }

    /// The interval, carried back, contains what was true time at one of the last rounds.
    pub fn check_past(&mut self, estimate: &Estimate, event: Event) -> Result<(), Lost> {
        let raw_ns = estimate.raw.as_ns();
        let holds_ns = estimate.void_after.as_ns() - raw_ns;
        let first_ns = estimate.valid_since.as_ns().max(raw_ns - holds_ns);
        self.past.retain(|&(raw_ns, _)| raw_ns >= first_ns);
        if self.breach.is_none() && !self.past.is_empty() {
            let (past_ns, truth) = self.past[self.past_rng.below(self.past.len())];
            let interval = estimate.at(RawInstant::from_ns(past_ns));
            if !interval.contains(truth) {
                let off_ns = (interval.earliest - truth).max(truth - interval.latest);
                let text = format!(
                    "true time at raw {past_ns} was {off_ns} ns outside ({event:?}): {estimate:?}\n{:?}",
                    self.settings
                );
                return Err(self.lost(text));
            }
        }
        if self.past.len() >= MAX_PAST {
            let dropped = self.past_rng.below(self.past.len());
            self.past.swap_remove(dropped);
        }
        self.past.push((raw_ns, self.host.true_time(raw_ns)));
        Ok(())
    }

    /// True time is in the interval; while a broken wander premise is relied on, in the one by the
    /// drift rate alone.
    pub fn check(
        &mut self,
        estimate: &Estimate,
        raw_ns: i64,
        what: &str,
        event: Event,
    ) -> Result<(), Lost> {
        if !estimate.status.is_trusted() || raw_ns >= estimate.void_after.as_ns() {
            return Ok(());
        }
        self.report.checks += 1;
        let (truth, interval) = (
            self.host.true_time(raw_ns),
            estimate.at(RawInstant::from_ns(raw_ns)),
        );
        if interval.contains(truth) {
            return Ok(());
        }
        let relied_on = self
            .estimator
            .wander
            .as_ref()
            .is_some_and(|wander| wander.void_until.as_ns() <= raw_ns);
        let held = self.estimator.held.at(RawInstant::from_ns(raw_ns));
        let is_held = held.is_some_and(|held| held.contains(truth));
        if let Some(breach) = self.breach.as_mut().filter(|_| relied_on && is_held) {
            breach.lost(raw_ns);
            return Ok(());
        }
        let off_ns = (interval.earliest - truth).max(truth - interval.latest);
        let text = format!(
            "true time is {off_ns} ns outside at raw {raw_ns} ({what} {event:?}), published {} ns ago: {estimate:?}\n{:?}\n{:?}",
            raw_ns - estimate.raw.as_ns(),
            self.settings,
            self.oscillator
        );
        Err(self.lost(text))
    }
}
