//! Inputs of the estimator: reports of chronyd, the PHC's error bound and readings of the clocks.

use super::ablation::Safeguard;
use super::core::{Estimator, PhcBound, PollFailure};
use super::finding::Finding;
use super::leap_second::Change;
use super::sample::Sample;
use super::status::{Event, Reason};
use crate::chrony::{ChronyPoll, Leap, Tracking};
use crate::time::{NS_PER_S, RawInstant, Readings, SUSPEND_NOISE_NS};

/// The reference id of chronyd's local mode, 127.127.1.1.
pub(super) const LOCAL_REFERENCE_ID: u32 = 0x7f7f_0101;

/// The kernel's notification of a step arrives within this time after the step, ns.
const NOTIFICATION_NS: i64 = NS_PER_S;

impl Estimator {
    /// The PHC's error bound was read at `raw`.
    pub fn phc_read(&mut self, bound_ns: i64, raw: RawInstant) {
        if self.interruption.is_none_or(|last| last.noticed <= raw) {
            self.phc = Some(PhcBound { bound_ns, raw });
        }
    }

    /// The clocks were read: after `CLOCK_REALTIME` was set, or the machine suspended, at the
    /// latest.
    ///
    /// Readings that are older than the last ones are ignored: a later message can overtake a
    /// report.
    ///
    /// Returns a step of `CLOCK_REALTIME` since the last readings, if they show one.
    pub fn clocks_read(&mut self, at: &Readings) -> Option<Finding> {
        if self.last.is_some_and(|last| at.raw < last.raw) {
            return None;
        }
        let before = self.last.replace(*at);
        let suspended = before.is_some_and(|before| was_suspended(&before, at));
        if suspended && self.has(Safeguard::SuspendVoid) {
            self.interrupt(Event::Void, Reason::ClockStepped, at);
        }
        self.realtime.note(at);
        let by_ns = self.clock.note(at)?;
        Some(Finding::ClockStepped { by_ns, suspended })
    }

    /// The kernel reports that `CLOCK_REALTIME` was set before it was read `at`.
    ///
    /// Returns the step, unless earlier readings showed it: with its size as far as the readings
    /// show it, which is 0 if other readings were taken since a step that is small.
    pub fn clock_set(&mut self, at: &Readings) -> Option<Finding> {
        let before = self.last;
        self.realtime.clock_was_set(at.raw);
        let found = self.clocks_read(at);
        let noticed = at.raw - NOTIFICATION_NS;
        if found.is_some() || self.clock.has_proved_step(noticed) {
            return found;
        }
        let by_ns = before.map_or(0, |before| at.ahead_ns().saturating_sub(before.ahead_ns()));
        let suspended = before.is_some_and(|before| was_suspended(&before, at));
        Some(Finding::ClockStepped { by_ns, suspended })
    }

    /// chronyd was restarted. It can have loaded measurements from files, and has lost the
    /// correction of the clock that they were made with: they were not seen to arrive.
    pub fn chronyd_restarted(&mut self) {
        self.sources.forget_last_reports();
        self.slews.reset();
    }

    /// A poll of chronyd began `at`, and its last reply had arrived at `answered`.
    pub fn polled(
        &mut self,
        outcome: Result<&ChronyPoll, PollFailure>,
        at: &Readings,
        answered: &Readings,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.clocks_read(at));
        findings.extend(self.clocks_read(answered));
        // A report from before an interruption is no baseline for what is new, either.
        let is_outdated = !self.may_use_report_of(at);
        // What has been held for too long is not revived by a report without a new measurement.
        self.pass_time(answered);
        match outcome {
            Ok(_) if is_outdated => {}
            Err(failure) => {
                self.failure = Some(match failure {
                    PollFailure::Silent => Reason::ChronySilent,
                    PollFailure::Refused => Reason::ReportRefused,
                    PollFailure::NotPermitted => Reason::PermissionDenied,
                });
                // The next reply may be from another chronyd.
                self.chronyd_restarted();
            }
            Ok(poll) => self.handle_report(poll, at, answered, &mut findings),
        }
        self.pass_time(answered);
        findings
    }

    /// Voids an interval that has been held for too long. Called at every report, and when none
    /// arrives.
    pub fn pass_time(&mut self, now: &Readings) {
        if !self.status.is_trusted() {
            return;
        }
        let silent_ns = now.raw - self.validated;
        if silent_ns > self.settings.grace_ns.min(self.settings.holdover_ns) {
            // No poll may have ended since.
            self.failure.get_or_insert(Reason::ChronySilent);
        }
        if silent_ns >= self.settings.holdover_ns {
            self.void(Event::Void, Reason::HoldoverExpired);
        } else if silent_ns > self.settings.grace_ns
            && let Some(failure) = self.failure
        {
            self.advance(Event::Silence, failure);
        }
    }

    fn handle_report(
        &mut self,
        poll: &ChronyPoll,
        at: &Readings,
        answered: &Readings,
        findings: &mut Vec<Finding>,
    ) {
        let tracking = &poll.tracking;
        let was_stepped = |since| self.clock.set_ns(since) > 0;
        if let Some(by_ns) = self.slews.take(tracking, at, answered, was_stepped) {
            findings.push(Finding::ClockSlewed { by_ns });
        }
        let samples = self.new_samples(poll, at, answered);
        if tracking.leap == Leap::Unsynchronized {
            self.failure = Some(Reason::LeapUnsynchronized);
            self.advance(Event::Unsynchronized, Reason::LeapUnsynchronized);
            return;
        }
        if self.is_local(tracking) {
            self.followed = None;
            if !self.settings.allow_local_reference && self.has(Safeguard::NoLocalReference) {
                self.report_unusable(Reason::LocalReference);
                return;
            }
            self.follow_local_clock(tracking, at, findings);
        } else {
            self.announce_leap(tracking, &samples, at);
            self.forget_the_other_count(at);
            if self.settings.falsetickers == 0 {
                self.follow_selected(&samples, at, findings);
                if poll.complete {
                    self.cross_check(at, findings);
                }
            } else {
                self.follow_all_but_falsetickers(&samples, at, findings);
            }
            if let Err(reason) = self.validate(at) {
                self.report_unusable(reason);
                return;
            }
            self.warn_of_undeclared_reference_clock(tracking, findings);
        }
        if self.held.point().is_some() {
            self.advance(Event::Report, Reason::Tracking);
            self.failure = None;
            self.validated = answered.raw;
            self.leap = tracking.leap;
            self.reference_id = tracking.ref_id;
        }
    }

    fn is_local(&self, tracking: &Tracking) -> bool {
        let zero_distance = tracking.root_delay_s <= 0.0 && tracking.root_dispersion_s <= 0.0;
        tracking.ref_id == LOCAL_REFERENCE_ID || zero_distance
    }

    fn announce_leap(&mut self, tracking: &Tracking, samples: &[Sample], at: &Readings) {
        let change = match tracking.leap {
            Leap::InsertSecond => Some(Change::Insert),
            Leap::DeleteSecond => Some(Change::Delete),
            Leap::Normal | Leap::Unsynchronized => None,
        };
        let now = self.held.at(at.raw);
        let now = now.or_else(|| samples.first().map(|sample| sample.point.interval));
        if let Some(now) = now {
            let before = self.leap_second.announced();
            self.leap_second.announce(change, now);
            self.changed_much |= self.leap_second.announced() != before;
        }
    }

    /// Measurements of several sources are compared in one count of seconds only.
    fn forget_the_other_count(&mut self, at: &Readings) {
        let held = self.held.at(at.raw);
        let since = held.and_then(|held| self.leap_second.settled_since(held, at.raw));
        if let Some(since) = since {
            self.sources.forget_before(since);
        }
    }
}

/// Whether the machine was suspended between two readings of the clocks.
fn was_suspended(before: &Readings, after: &Readings) -> bool {
    after.suspended_ns.saturating_sub(before.suspended_ns) > SUSPEND_NOISE_NS
}

#[cfg(test)]
mod tests {
    use super::super::simulation::bench::{Bench, settings};
    use super::super::status::ClockStatus;
    use super::*;
    use crate::time::Rate;

    #[test]
    fn a_reported_set_of_the_clock_is_not_taken_for_a_change_of_its_rate() {
        let mut bench = Bench::new(settings(), None);
        let begin = bench.readings();
        let reading = |ms: i64, ahead_ns: i64, kernel_ppm: i64| {
            let elapsed_ns = ms * 1_000_000;
            Readings {
                raw: begin.raw + elapsed_ns,
                coarse: begin.coarse + elapsed_ns,
                realtime: begin.realtime + elapsed_ns + ahead_ns,
                kernel: Some(Rate::from_ppm(kernel_ppm)),
                ..begin
            }
        };
        for ms in [1_000, 2_000] {
            bench.estimator.clocks_read(&reading(ms, 0, 0));
        }
        // The new rate could have moved the clock as far.
        let set = reading(3_000, 100_000, 400);
        bench.estimator.clock_set(&set);
        let later = reading(4_000, 500_000, 400);
        bench.estimator.clocks_read(&later);
        let rates = bench.estimator.realtime.rates_at(&later);
        let since = rates.expect("the clock runs at its rate").since;
        assert!(since >= set.raw, "{since:?}");
    }

    #[test]
    fn a_failure_from_before_a_valid_report_is_not_the_reason_of_a_later_silence() {
        let mut bench = Bench::new(settings(), None);
        bench.measure_for(5, 0);
        let at = bench.readings();
        bench.estimator.polled(Err(PollFailure::Refused), &at, &at);
        bench.measure_for(5, 0);
        assert_eq!(bench.published.reason, Reason::Tracking);
        // No poll ends any more.
        bench.pass(settings().grace_ns + 1);
        let at = bench.readings();
        bench.estimator.pass_time(&at);
        bench.publish(&at);
        assert_eq!(bench.published.status, ClockStatus::FreeRunning);
        assert_eq!(bench.published.reason, Reason::ChronySilent);
    }

    #[test]
    fn after_the_grace_the_reason_is_the_last_failure_of_a_poll() {
        for (failure, reason) in [
            (PollFailure::Silent, Reason::ChronySilent),
            (PollFailure::Refused, Reason::ReportRefused),
            (PollFailure::NotPermitted, Reason::PermissionDenied),
        ] {
            let mut bench = Bench::new(settings(), None);
            bench.measure_for(5, 0);
            bench.pass(settings().grace_ns + 1);
            let at = bench.readings();
            bench.estimator.polled(Err(failure), &at, &at);
            bench.publish(&at);
            assert_eq!(bench.published.status, ClockStatus::FreeRunning);
            assert_eq!(bench.published.reason, reason);
        }
    }
}
