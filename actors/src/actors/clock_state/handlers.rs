//! The messages of ClockState, and what it does with each.

use actix::prelude::*;
use slog::{info, warn};

use super::ClockState;
use crate::actors::disruption_cause::Cause;
use crate::actors::drill::Rehearsal;
use crate::chrony::ChronyPoll;
use crate::estimator::PollFailure;
use crate::fail_points::fail_point;
use crate::os::clocks;
use crate::time::{NS_PER_S, RawInstant, Readings};

/// A uevent so long after a change of the VMClock page reports the same event, ns.
const SAME_EVENT_NS: i64 = NS_PER_S;

/// The result of one poll of chronyd.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ChronyPolled {
    /// The clocks, read before the first request of the accepted batch was sent.
    pub at: Readings,
    /// The clocks, read after its last reply had arrived.
    pub answered: Readings,
    /// chronyd was restarted since the poll before.
    pub restarted: bool,
    /// chronyd's reports, or why the poll failed.
    pub outcome: Result<ChronyPoll, PollFailure>,
}

impl Handler<ChronyPolled> for ClockState {
    type Result = ();

    fn handle(&mut self, polled: ChronyPolled, _ctx: &mut Self::Context) {
        fail_point!("clock_state.handler");
        let ChronyPolled {
            at,
            answered,
            restarted,
            outcome,
        } = polled;
        let outcome = outcome.as_ref().map_err(|&failure| failure);
        self.count_poll(restarted, outcome);
        if restarted {
            self.estimator.chronyd_restarted();
        }
        if self.look_for_disruption() {
            // The poll began before it.
            return;
        }
        for finding in self.estimator.polled(outcome, &at, &answered) {
            self.report_finding(finding);
        }
        self.counters
            .measurements
            .add(self.estimator.take_measurements());
        self.publish(answered);
        self.save(&answered);
        self.make_chronyd_measure();
    }
}

/// A tick of ChronyPoller has no report, so that the grace or the holdover may end without one.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct NoReport;

impl Handler<NoReport> for ClockState {
    type Result = ();

    fn handle(&mut self, NoReport: NoReport, _ctx: &mut Self::Context) {
        self.look_for_disruption();
        let now = clocks::read();
        if let Some(finding) = self.estimator.clocks_read(&now) {
            self.report_finding(finding);
        }
        self.estimator.pass_time(&now);
        self.publish(now);
        self.make_chronyd_measure();
    }
}

/// The PHC's error bound.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct PhcPolled {
    /// `CLOCK_MONOTONIC_RAW`, read before the file was read.
    pub raw: RawInstant,
    /// The largest error bound of the last polls, ns.
    pub bound_ns: u32,
}

impl Handler<PhcPolled> for ClockState {
    type Result = ();

    fn handle(&mut self, polled: PhcPolled, _ctx: &mut Self::Context) {
        self.look_for_disruption();
        self.estimator
            .phc_read(i64::from(polled.bound_ns), polled.raw);
    }
}

/// `CLOCK_REALTIME` was set, or the machine resumes from suspend.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct ClockSet;

impl Handler<ClockSet> for ClockState {
    type Result = ();

    fn handle(&mut self, ClockSet: ClockSet, _ctx: &mut Self::Context) {
        self.look_for_disruption();
        let now = clocks::read();
        if let Some(finding) = self.estimator.clock_set(&now) {
            self.report_finding(finding);
        }
        self.publish(now);
        self.make_chronyd_measure();
    }
}

/// The VMClock page may have changed.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct PageChanged;

impl Handler<PageChanged> for ClockState {
    type Result = ();

    fn handle(&mut self, PageChanged: PageChanged, _ctx: &mut Self::Context) {
        self.look_for_disruption();
    }
}

/// The kernel reports a new generation of the virtual machine.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct GenerationChanged;

impl Handler<GenerationChanged> for ClockState {
    type Result = ();

    fn handle(&mut self, GenerationChanged: GenerationChanged, _ctx: &mut Self::Context) {
        self.look_for_disruption();
        let now = clocks::monotonic_raw();
        let is_known = |changed: RawInstant| now - changed < SAME_EVENT_NS;
        if !self.page_changed.is_some_and(is_known) {
            self.disrupt(Cause::Generation);
        }
    }
}

/// chronyd has acknowledged a reset of its sources.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct SourcesReset {
    /// The number of the interruption that the reset was requested for.
    pub interruption: u64,
    /// `CLOCK_MONOTONIC_RAW`, read after the acknowledgement had arrived.
    pub raw: RawInstant,
}

impl Handler<SourcesReset> for ClockState {
    type Result = ();

    fn handle(&mut self, reset: SourcesReset, _ctx: &mut Self::Context) {
        self.look_for_disruption();
        self.counters.source_resets.increment();
        if reset.interruption == self.interruption {
            self.estimator.sources_were_reset(reset.raw);
        }
    }
}

/// The switch of the drill was used.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct DrillSwitched {
    /// The value of a signal that requests what cannot be rehearsed.
    pub refused: Option<i32>,
}

impl Handler<DrillSwitched> for ClockState {
    type Result = ();

    fn handle(&mut self, DrillSwitched { refused }: DrillSwitched, _ctx: &mut Self::Context) {
        self.look_for_disruption();
        let before = std::mem::replace(&mut self.logged_rehearsal, self.rehearsal);
        let log = &self.parts.log;
        if self.parts.drill.is_none() {
            warn!(log, "disruption support is disabled, ignoring the signal");
        } else if let Some(value) = refused {
            warn!(log, "no drill has this value, ignoring the signal"; "value" => value,
                "advice" => "use clockboundctl drill");
        } else if before != self.rehearsal {
            match before {
                None => {}
                Some(Rehearsal::Disruption) => info!(log, "disruption drill is over"),
                Some(Rehearsal::Reason(reason)) => {
                    info!(log, "drill of a reason is over"; "reason" => reason.as_str());
                }
            }
            if let Some(Rehearsal::Reason(reason)) = self.rehearsal {
                warn!(log, "drill of a reason, the published status is not that of the clock";
                    "reason" => reason.as_str());
            }
            self.publish(clocks::read());
        }
    }
}
