//! ClockState: turns facts into an estimate.
//!
//! A thin shell around [`Assessment`]: it reads the clock, says status changes, and
//! passes the estimate on after every fact. When facts stop coming it wakes up by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use slog::{Logger, debug, info};

use crate::assessment::{Assessment, PollFailure, Settings};
use crate::change_gate::ChangeGate;
use crate::chrony::Tracking;
use crate::clocks::monotonic_coarse_ns;
use crate::estimate::Estimate;
use crate::fault::{Faults, Point};
use crate::segments::Segments;
use crate::shm_publisher::{Publish, ShmPublisher};
use crate::status::{ClockStatus, Reason};
use crate::supervision::ActorName;

/// What ClockState is rebuilt from at the beginning of every life.
pub struct Parts {
    /// Drift rate and PHC.
    pub settings: Settings,
    /// How long to wait for a fact before looking at the clock without one.
    pub patience: Duration,
    /// What was published last is where a new life goes on.
    pub segments: Arc<Segments>,
    /// Where estimates go.
    pub publisher: Addr<ShmPublisher>,
    /// Switches for tests.
    pub faults: Faults,
    /// The actor's log.
    pub log: Logger,
}

/// The actor that decides what is known about the clock.
pub struct ClockState {
    parts: Parts,
    assessment: Assessment,
    status: ChangeGate<ClockStatus>,
    silence: Option<SpawnHandle>,
}

impl ClockState {
    /// An actor that goes on where the published record stands.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let estimate = resume(&parts);
        Self {
            status: ChangeGate::new(estimate.status),
            assessment: Assessment::new(parts.settings, estimate),
            parts,
            silence: None,
        }
    }

    fn publish(&mut self, ctx: &mut Context<Self>) {
        let estimate = *self.assessment.estimate();
        let from = self.status.said();
        if let Some(unsaid) = self.status.pass(estimate.status, Instant::now()) {
            info!(self.parts.log, "clock status changed";
                "from" => %from, "to" => %estimate.status, "reason" => %estimate.reason, "unsaid_changes" => unsaid);
        }
        // Full or between two lives: the next round carries a newer estimate.
        if self.parts.publisher.try_send(Publish(estimate)).is_err() {
            debug!(self.parts.log, "publisher is busy, estimate dropped");
        }
        self.expect_a_fact(ctx);
    }

    /// Arms the timer that stands in for facts which do not come.
    fn expect_a_fact(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.silence.take() {
            ctx.cancel_future(timer);
        }
        self.silence = Some(ctx.run_later(self.parts.patience, |act, ctx| {
            act.silence = None;
            act.assessment.pass_time(monotonic_coarse_ns());
            act.publish(ctx);
        }));
    }
}

fn resume(parts: &Parts) -> Estimate {
    let drift = parts.settings.max_drift_ppb;
    let record = parts.segments.last();
    if record.status.is_trusted() {
        Estimate::resumed(&record, drift)
    } else {
        Estimate::unknown(Reason::NeverSynchronized, monotonic_coarse_ns(), drift)
    }
}

impl Actor for ClockState {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.parts
            .faults
            .reach(ActorName::ClockState, Point::Started);
        // Nothing is published before there is something to say: what stands in the segment is no
        // less true for the restart, and readers age it by themselves.
        self.expect_a_fact(ctx);
    }
}

impl Supervised for ClockState {
    fn restarting(&mut self, _ctx: &mut Self::Context) {
        let estimate = resume(&self.parts);
        self.status = ChangeGate::new(estimate.status);
        self.assessment = Assessment::new(self.parts.settings, estimate);
        self.silence = None;
    }
}

/// What a poll of chronyd gave.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ChronyPolled {
    /// `CLOCK_MONOTONIC_COARSE` in ns, read before chronyd was asked.
    pub as_of_ns: i64,
    /// chronyd's report, or why there is none.
    pub outcome: Result<Tracking, PollFailure>,
}

impl Handler<ChronyPolled> for ClockState {
    type Result = ();

    fn handle(&mut self, polled: ChronyPolled, ctx: &mut Self::Context) {
        self.parts
            .faults
            .reach(ActorName::ClockState, Point::Handler);
        let outcome = polled.outcome.as_ref().map_err(|&failure| failure);
        self.assessment
            .polled(outcome, polled.as_of_ns, monotonic_coarse_ns());
        self.publish(ctx);
    }
}

/// The PHC's error bound, read.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct PhcPolled {
    /// `CLOCK_MONOTONIC_COARSE` in ns, read before the file was.
    pub as_of_ns: i64,
    /// The largest error bound of the last polls, ns.
    pub bound_ns: u32,
}

impl Handler<PhcPolled> for ClockState {
    type Result = ();

    fn handle(&mut self, polled: PhcPolled, _ctx: &mut Self::Context) {
        self.assessment
            .phc_read(i64::from(polled.bound_ns), polled.as_of_ns);
    }
}
