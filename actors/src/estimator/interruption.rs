//! Interruptions of the clocks: a suspend, a disruption (a snapshot restored, a live migration, a
//! pause), a change of the kernel's clocksource. What was measured before one says nothing after
//! it, and neither does a measurement that was in progress.
//!
//! ```text
//!   request sent        interruption     answer received           reset acknowledged
//!   ------|------------------|-----------------|----------------------------|------------> local
//!         |<- at most chronyd's longest exchange ->|                        |
//!         |   reports requested in here are not used   |  or before this one, whichever is first
//! ```
//! A request that was sent before a pause and answered before it, whose answer is received after
//! it, measures the old time on a clock that did not count the pause: the measured delay is as
//! short as ever, and the offset is wrong by the whole pause. chronyd forgets outstanding requests
//! when it resets its sources, and rejects answers that arrive later than its `maxdelay`.
//!
//! Without a reset, chronyd's filters keep samples from before the interruption, and combine them
//! with later ones to a measurement. It is not used: its age shows that it began before.

use super::ablation::Safeguard;
use super::core::Estimator;
use super::new_measurements::LONGEST_EXCHANGE_NS;
use super::realtime_rates::RealtimeLog;
use super::status::{Event, Reason};
use crate::time::{RawInstant, Readings};

/// The last interruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interruption {
    /// When it was noticed.
    pub(super) noticed: RawInstant,
    /// When chronyd had acknowledged that it has reset its sources.
    reset: Option<RawInstant>,
}

impl Interruption {
    /// Whether a report that was requested at `raw` has only measurements that began after the
    /// interruption, apart from those that the report before it had, too.
    fn is_over_at(&self, raw: RawInstant) -> bool {
        let is_late = raw - self.noticed > LONGEST_EXCHANGE_NS;
        raw >= self.noticed && (self.is_reset_at(raw) || is_late)
    }

    /// Whether a report that was requested at `raw` is from after the reset.
    fn is_reset_at(&self, raw: RawInstant) -> bool {
        self.reset.is_some_and(|reset| raw >= reset)
    }
}

impl Estimator {
    /// The clocks were disrupted before they were read `at`, or the kernel reads them from another
    /// source. The host's disruption marker is `marker` now.
    pub fn disrupted(&mut self, marker: u64, at: &Readings) {
        self.disruption.marker = marker;
        self.interrupt(Event::Disruption, Reason::Disrupted, at);
        // An earlier reading says nothing about how the clock moves from now on.
        self.realtime = RealtimeLog::default();
        self.last = Some(*at);
    }

    /// The clocks can have been interrupted before they were read `at`, at the start of this life:
    /// what chronyd has measured by then is not used.
    pub fn distrust_earlier_measurements(&mut self, at: &Readings) {
        self.interrupt(Event::Void, Reason::NeverSynchronized, at);
        self.last = Some(*at);
    }

    /// Everything known is void, and so is what chronyd measures until the interruption is over.
    pub(super) fn interrupt(&mut self, event: Event, reason: Reason, at: &Readings) {
        self.void(event, reason);
        self.failure = Some(reason);
        self.sources.forget_last_reports();
        self.slews.reset();
        self.phc = None;
        self.begin_at(at.raw);
        self.interruptions += 1;
        self.interruption = Some(Interruption {
            noticed: at.raw,
            reset: None,
        });
    }

    /// chronyd has acknowledged, at `raw` at the latest, that it has reset its sources since the
    /// last interruption.
    pub fn sources_were_reset(&mut self, raw: RawInstant) {
        if let Some(interruption) = &mut self.interruption {
            interruption.reset.get_or_insert(raw);
        }
    }

    /// While `withheld`, no report is used: nothing is known about the clocks.
    pub fn withhold(&mut self, withheld: bool) {
        self.withheld = withheld;
    }

    /// How many interruptions there were in this life.
    #[must_use]
    pub fn interruptions(&self) -> u64 {
        self.interruptions
    }

    /// Whether a report that was requested `at` may be used.
    pub(super) fn may_use_report_of(&self, at: &Readings) -> bool {
        let is_over = |interruption: Interruption| {
            interruption.is_over_at(at.raw) || !self.has(Safeguard::ExchangesEnded)
        };
        !self.withheld && self.interruption.is_none_or(is_over)
    }

    /// Whether a measurement that began at `begun`, in a report that was requested `at`, can have
    /// a sample from before the interruption.
    pub(super) fn may_precede_interruption(&self, begun: RawInstant, at: &Readings) -> bool {
        self.interruption
            .is_some_and(|last| begun < last.noticed && !last.is_reset_at(at.raw))
            && self.has(Safeguard::ExchangesEnded)
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulation::bench::{Bench, MS, settings};
    use super::super::status::ClockStatus;
    use super::*;
    use crate::time::NS_PER_S;

    /// Short enough for offsets that chronyd's floats distinguish.
    const PAUSE_NS: i64 = NS_PER_S;

    fn state(bench: &Bench) -> (ClockStatus, Reason) {
        (bench.published.status, bench.published.reason)
    }

    const DISRUPTED: (ClockStatus, Reason) = (ClockStatus::Disrupted, Reason::Disrupted);

    #[test]
    fn a_disruption_voids_everything_and_the_marker_is_published() {
        let mut bench = Bench::new(settings(), None);
        bench.measure_for(10, 0);
        let before = bench.now_ns;
        bench.disrupt(PAUSE_NS);
        assert_eq!(state(&bench), DISRUPTED);
        assert_eq!(
            (bench.published.disruption.marker, bench.published.realtime),
            (1, None)
        );
        let at = bench.readings();
        assert!(bench.estimator.state(&at).to_bytes().is_empty());
        bench.measure_for(10, 0);
        assert_eq!(state(&bench), (ClockStatus::Synchronized, Reason::Tracking));
        assert_eq!(bench.published.disruption.marker, 1);
        assert!(bench.published.valid_since.as_ns() > before);
        assert!(bench.contained_truth);
    }

    #[test]
    fn trust_returns_with_measurements_seen_after_a_reset_or_after_the_longest_exchange() {
        for resets in [true, false] {
            let mut bench = Bench::new(settings(), None);
            bench.measure_for(10, 0);
            bench.disrupt(PAUSE_NS);
            if resets {
                bench.reset_sources();
            }
            bench.measure_for(3, 0);
            let trusted = bench.published.status == ClockStatus::Synchronized;
            assert_eq!(trusted, resets);
            bench.measure_for(3, 1_000);
            assert_eq!(bench.published.status, ClockStatus::Synchronized);
            assert!(bench.contained_truth);
        }
    }

    #[test]
    fn a_measurement_that_chronyd_has_at_the_reset_is_not_used() {
        let mut bench = Bench::new(settings(), None);
        bench.measure_for(10, 0);
        bench.disrupt(PAUSE_NS);
        let at = bench.readings();
        // Acknowledged, but the old measurements are still reported.
        bench.estimator.sources_were_reset(at.raw);
        bench.pass(MS);
        bench.poll();
        assert_eq!(state(&bench), DISRUPTED);
    }

    #[test]
    fn a_measurement_with_samples_of_before_the_disruption_is_not_used_without_a_reset() {
        let mut bench = Bench::new(settings(), None);
        bench.is_reference_clock = true;
        bench.host.servers[0].poll = 4;
        bench.measure_for(20, 0);
        assert_eq!(bench.published.status, ClockStatus::Synchronized);
        bench.disrupt(PAUSE_NS);
        bench.pass(5 * NS_PER_S);
        bench.poll();
        // chronyd's filter has samples of the last 16 s.
        bench.measure(700);
        bench.pass(MS);
        bench.poll();
        assert_eq!(state(&bench), DISRUPTED);
        bench.measure_for(16, 0);
        assert_eq!(bench.published.status, ClockStatus::Synchronized);
        assert!(bench.contained_truth);
    }

    #[test]
    fn a_measurement_from_before_a_life_that_resumes_nothing_is_not_used() {
        let mut bench = Bench::new(settings(), None);
        bench.measure(0);
        // An image is restored, and nothing says so.
        bench.host.pause(PAUSE_NS);
        let at = bench.readings();
        bench.estimator = Estimator::new(settings(), None, 0, &at);
        bench.estimator.distrust_earlier_measurements(&at);
        bench.poll();
        let never = (ClockStatus::Unknown, Reason::NeverSynchronized);
        assert_eq!(state(&bench), never);
        bench.pass(10 * NS_PER_S);
        bench.poll();
        bench.pass(NS_PER_S);
        bench.poll();
        assert_eq!(state(&bench), never);
        bench.measure_for(2, 0);
        assert_eq!(bench.published.status, ClockStatus::Synchronized);
        assert!(bench.contained_truth);
    }

    #[test]
    fn a_report_requested_before_the_disruption_is_not_used() {
        let mut bench = Bench::new(settings(), None);
        bench.measure_for(10, 0);
        bench.measure(100);
        let (at, report) = (bench.readings(), bench.host.report(bench.now_ns, true));
        bench.pass(MS);
        bench.disrupt(PAUSE_NS);
        bench.reset_sources();
        let answered = bench.readings();
        bench.estimator.polled(Ok(&report), &at, &answered);
        bench.publish(&answered);
        assert_eq!(state(&bench), DISRUPTED);
        assert!(
            bench
                .estimator
                .sources
                .iter()
                .all(|source| source.last_report.is_none())
        );
    }

    #[test]
    fn no_report_is_used_while_trust_is_withheld() {
        let mut bench = Bench::new(settings(), None);
        bench.measure_for(10, 0);
        bench.estimator.withhold(true);
        bench.disrupt(0);
        bench.reset_sources();
        bench.measure_for(20, 0);
        assert_eq!(state(&bench), DISRUPTED);
        bench.estimator.withhold(false);
        bench.measure_for(2, 0);
        assert_eq!(bench.published.status, ClockStatus::Synchronized);
    }

    #[test]
    fn the_reason_of_a_disruption_stays_while_chronyd_is_silent_or_not_synchronized() {
        use crate::chrony::Leap;
        use crate::estimator::PollFailure;
        let mut bench = Bench::new(settings(), None);
        bench.measure_for(10, 0);
        bench.disrupt(PAUSE_NS);
        let at = bench.readings();
        bench.estimator.polled(Err(PollFailure::Silent), &at, &at);
        bench.publish(&at);
        assert_eq!(state(&bench), DISRUPTED);
        bench.host.leap = Leap::Unsynchronized;
        bench.pass(20 * NS_PER_S);
        bench.poll();
        assert_eq!(state(&bench), DISRUPTED);
    }
}
