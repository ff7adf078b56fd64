//! The daemon: it polls chronyd, publishes, and is restarted.

use super::event_loop::{Event, Simulation};
use super::report::Lost;
use crate::chrony::ChronyPoll;
use crate::estimator::status::{ClockStatus, Disruption};
use crate::estimator::*;
use crate::time::{NS_PER_S, Readings};

impl Simulation {
    /// Queries chronyd. The replies are read at once or, where replies may be queued, up to a poll
    /// interval later.
    pub fn poll(&mut self, event: Event) -> Result<(), Lost> {
        self.read_replies(event)?;
        let at = self.host.readings(self.now_ns);
        let next_ns = self.next_ns().unwrap_or(i64::MAX);
        let latency_ns = self.noise.ns(50_000, 400_000).min(next_ns - self.now_ns);
        let all = !(self.config.has("partial") && self.noise.chance(0.5));
        let report = self.host.report(self.now_ns + latency_ns / 2, all);
        let outcome = if self.now_ns < self.host.down_until_ns {
            Err(PollFailure::Silent)
        } else {
            Ok(report)
        };
        if self.config.has("queued-replies") && self.noise.chance(0.7) {
            self.queued = Some((at, outcome));
            self.after(NS_PER_S / 10, Event::Replies);
            return Ok(());
        }
        let answered = self.host.readings(self.now_ns + latency_ns);
        self.digest(&at, &answered, outcome, event)
    }

    /// Reads the replies that are queued, if there are any.
    pub fn read_replies(&mut self, event: Event) -> Result<(), Lost> {
        let Some((at, outcome)) = self.queued.take() else {
            return Ok(());
        };
        let answered = self.host.readings(self.now_ns);
        self.digest(&at, &answered, outcome, event)
    }

    fn digest(
        &mut self,
        at: &Readings,
        answered: &Readings,
        outcome: Result<ChronyPoll, PollFailure>,
        event: Event,
    ) -> Result<(), Lost> {
        let outcome = outcome.as_ref().map_err(|&failure| failure);
        let findings = self.estimator.polled(outcome, at, answered);
        self.report.polls += 1;
        self.check_sources(event)?;
        self.check_rates(event)?;
        for finding in findings {
            self.check_finding(finding)?;
        }
        self.check_explained();
        self.trace_poll();
        self.publish(answered, event)
    }

    fn trace_poll(&mut self) {
        if self.log.is_some() {
            let sampled = self.estimator.sampled.map(|(point, budget)| {
                format!(
                    "{:?} {budget}",
                    point.interval.shift(-self.host.utc.at(point.raw.as_ns()))
                )
            });
            let band = self.estimator.held.growth().band();
            let rate = self.host.utc.rate_at(self.now_ns) * 1e12;
            let text = format!(
                "    sampled {} band {band:?} true {rate:.0}",
                sampled.unwrap_or_default()
            );
            self.log
                .iter_mut()
                .for_each(|log| log.push_back(text.clone()));
        }
    }

    /// Publishes, and checks that at once.
    pub fn publish(&mut self, at: &Readings, event: Event) -> Result<(), Lost> {
        self.published = self.estimator.estimate(at);
        self.published_at = *at;
        let estimate = self.published;
        assert_eq!(
            estimate.budget.total_ns(),
            if estimate.status.is_trusted() {
                estimate.interval.half_width_ns()
            } else {
                0
            }
        );
        self.check(&estimate, at.raw.as_ns(), "at once", event)?;
        if !estimate.status.is_trusted() {
            return Ok(());
        }
        self.check_past(&estimate, event)?;
        self.synced_ns.get_or_insert(at.raw.as_ns());
        self.measure_width(&estimate);
        if self.noise.chance(0.02) && self.breach.is_none() {
            let void_ns = estimate.void_after.as_ns() - 1;
            let ns = if self.noise.chance(0.5) {
                void_ns
            } else {
                self.noise.ns(at.raw.as_ns(), void_ns)
            };
            self.retained.push(Some(estimate));
            self.after(ns - self.now_ns, Event::Retained(self.retained.len() - 1));
        }
        Ok(())
    }

    /// The daemon ends, and the next life begins with what it left.
    pub fn restart_daemon(&mut self, event: Event) -> Result<(), Lost> {
        self.queued = None;
        let bytes = self.estimator.state(&self.published_at).to_bytes();
        let published = self.published;
        if self.config.has("sets") && self.noise.chance(0.3) {
            let by_ns = self.noise.sign() * self.noise.scale(1e3, 2e10);
            self.host.set(by_ns as i64);
        }
        let paused = self.config.has("pauses") && self.leaps_at_ns == 0 && self.noise.chance(0.3);
        if paused {
            let for_ns = self.noise.scale(1e3, 1e13) as i64;
            self.disrupt(for_ns);
        }
        let now = self.host.readings(self.now_ns);
        let was_disrupted = published.disruption.marker != self.marker
            || published.status == ClockStatus::Disrupted;
        let state = State::from_bytes(&bytes)
            .filter(|state| state.is_of(now.suspended_ns) && !was_disrupted);
        let resumed = state
            .filter(|_| published.status.is_trusted())
            .map(|state| Resumed {
                status: published.status,
                validated: published.validated,
                valid_since: published.valid_since,
                leap: published.leap,
                reference_id: published.reference_id,
                state,
            });
        if resumed.is_none() && !was_disrupted {
            // What a cold start believes of samples from before it is no matter of the premises.
            self.host.restart_chronyd(self.now_ns, 0);
        }
        let unwatched_ns = (now.ahead_ns() - self.published_at.ahead_ns()).abs();
        let disruption = Disruption {
            marker: self.marker,
            supported: true,
        };
        self.estimator =
            Estimator::new(self.settings, resumed, unwatched_ns, &now).under(disruption);
        self.estimator.clocks_read(&now);
        if was_disrupted {
            self.estimator.disrupted(self.marker, &now);
        }
        self.publish(&now, event)
    }
}
