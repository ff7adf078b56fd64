//! ClockState: turns what the other actors measured into an estimate.
//!
//! A thin shell around [`Estimator`]: it reads the clocks, logs what the estimator finds, keeps its
//! state for the next life, and passes the estimate on after every message. When messages stop
//! coming it wakes up by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use slog::{Logger, debug, error, info, o, warn};

use super::rate_limit::ChangeGate;
use super::shm_publisher::{Publish, ShmPublisher};
use crate::chrony::ChronyPoll;
use crate::estimator::status::ClockStatus;
use crate::estimator::{Estimator, Finding, PollFailure, Settings};
use crate::fail_points::fail_point;
use crate::os::clocks;
use crate::publication::segments::Segments;
use crate::time::{RawInstant, Readings};

/// What ClockState is rebuilt from at the beginning of every life.
pub struct Parts {
    /// Drift rate and PHC.
    pub settings: Settings,
    /// How long to wait for a message before looking at the clock without one.
    pub patience: Duration,
    /// What was published last is where a new life goes on.
    pub segments: Arc<Segments>,
    /// Where estimates go.
    pub publisher: Addr<ShmPublisher>,
    /// The actor's log.
    pub log: Logger,
}

/// The actor that decides what is known about the clock.
pub struct ClockState {
    parts: Parts,
    estimator: Estimator,
    status: ChangeGate<ClockStatus>,
    silence: Option<SpawnHandle>,
    alarms: u64,
    alarm_gate: ChangeGate<u64>,
    slews: u64,
    slew_gate: ChangeGate<u64>,
}

impl ClockState {
    /// An actor that goes on where the published record stands.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let estimator = resume(&parts);
        Self {
            status: ChangeGate::new(estimator.status()),
            estimator,
            parts,
            silence: None,
            alarms: 0,
            alarm_gate: ChangeGate::new(0),
            slews: 0,
            slew_gate: ChangeGate::new(0),
        }
    }

    /// Publishes what is known, as it stands `at` that instant.
    fn publish(&mut self, at: Readings, ctx: &mut Context<Self>) {
        let estimate = self.estimator.estimate(&at);
        let from = self.status.said();
        if let Some(unsaid) = self.status.pass(estimate.status, Instant::now()) {
            let log = self.parts.log.new(o!(
                "from" => from.as_str(), "to" => estimate.status.as_str(), "reason" => estimate.reason.as_str(),
                "bound_ns" => estimate.realtime_error_ns(&at), "budget" => estimate.budget.to_string(),
                "unsaid_changes" => unsaid));
            if estimate.status == ClockStatus::Synchronized {
                info!(log, "clock status changed");
            } else {
                warn!(log, "clock status changed");
            }
        }
        // Full or between two lives: the next round carries a newer estimate.
        if self
            .parts
            .publisher
            .try_send(Publish { estimate, at })
            .is_err()
        {
            debug!(self.parts.log, "publisher is busy, estimate dropped");
        }
        self.expect_a_message(ctx);
    }

    fn report(&mut self, finding: Finding) {
        let log = &self.parts.log;
        match finding {
            Finding::Contradiction {
                held,
                measured,
                source,
            } => {
                self.alarms += 1;
                if self.alarm_gate.pass(self.alarms, Instant::now()).is_some() {
                    error!(log, "measurement contradicts the held interval, publishing their hull";
                        "held_earliest_ns" => held.earliest.as_ns(), "held_latest_ns" => held.latest.as_ns(),
                        "reported_earliest_ns" => measured.earliest.as_ns(), "reported_latest_ns" => measured.latest.as_ns(),
                        "source" => source.to_string(), "alarms" => self.alarms);
                }
            }
            Finding::ContradictionEnded { held_stands } => {
                info!(log, "contradiction ended"; "held_interval_stands" => held_stands);
            }
            Finding::DriftExceeded => {
                error!(log, "measured rates contradict --max-drift-rate";
                    "max_drift_ppb" => self.parts.settings.max_drift_ppb,
                    "advice" => "give a higher --max-drift-rate, or look for a source that lies");
            }
            Finding::WanderExceeded => {
                error!(log, "measured rates contradict --max-wander, which is not relied on for a holdover";
                    "advice" => "give a higher --max-wander, or leave it out");
            }
            Finding::SourcesDisagree {
                disjoint,
                reachable,
            } => {
                error!(log, "sources disagree, publishing the hull with the majority";
                    "disjoint" => disjoint, "reachable" => reachable);
            }
            Finding::UndeclaredReferenceClock => {
                warn!(log, "chronyd declares no error for its reference clock";
                    "advice" => "give \"delay\" on the refclock line of chrony.conf what driver and path may be off by");
            }
            Finding::ClockStepped { by_ns, suspended } => {
                warn!(log, "the clock was set"; "by_ns" => by_ns, "suspended" => suspended);
            }
            Finding::ClockSlewed { by_ns } => {
                self.slews += 1;
                if self.slew_gate.pass(self.slews, Instant::now()).is_some() {
                    warn!(log, "another program slews the clock"; "by_ns" => by_ns, "alarms" => self.slews);
                }
            }
            Finding::LeapSecondDecided { happened } => {
                info!(log, "leap second is over"; "happened" => happened);
            }
        }
    }

    /// Arms the timer that stands in for messages which do not come.
    fn expect_a_message(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.silence.take() {
            ctx.cancel_future(timer);
        }
        self.silence = Some(ctx.run_later(self.parts.patience, |act, ctx| {
            act.silence = None;
            let now = clocks::read();
            if let Some(finding) = act.estimator.clocks_read(&now) {
                act.report(finding);
            }
            act.estimator.pass_time(&now);
            act.publish(now, ctx);
        }));
    }
}

fn resume(parts: &Parts) -> Estimator {
    let now = clocks::read();
    let resumed = parts.segments.resume(&now);
    let moved_ns = parts.segments.moved_since_published_ns(&now);
    Estimator::new(parts.settings, resumed, moved_ns, &now)
}

impl Actor for ClockState {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        fail_point!("clock_state.started");
        // Nothing is published before there is something to say: what stands in the segment is no
        // less true for the restart, and readers age it by themselves.
        self.expect_a_message(ctx);
    }
}

impl Supervised for ClockState {
    fn restarting(&mut self, _ctx: &mut Self::Context) {
        self.estimator = resume(&self.parts);
        self.status = ChangeGate::new(self.estimator.status());
        self.silence = None;
    }
}

/// What a poll of chronyd gave.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ChronyPolled {
    /// The clocks, read before the first request of the accepted batch was sent.
    pub at: Readings,
    /// The clocks, read after its last reply had arrived.
    pub answered: Readings,
    /// chronyd was restarted since the poll before.
    pub restarted: bool,
    /// What chronyd reported, or why nothing is known.
    pub outcome: Result<ChronyPoll, PollFailure>,
}

impl Handler<ChronyPolled> for ClockState {
    type Result = ();

    fn handle(&mut self, polled: ChronyPolled, ctx: &mut Self::Context) {
        fail_point!("clock_state.handler");
        let ChronyPolled {
            at,
            answered,
            restarted,
            outcome,
        } = polled;
        if restarted {
            self.estimator.chronyd_restarted();
        }
        let outcome = outcome.as_ref().map_err(|&failure| failure);
        for finding in self.estimator.polled(outcome, &at, &answered) {
            self.report(finding);
        }
        self.publish(answered, ctx);
        if let Some(state) = self.estimator.take_changed_state(&answered) {
            self.parts.segments.save(&state);
        }
    }
}

/// The PHC's error bound, read.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct PhcPolled {
    /// `CLOCK_MONOTONIC_RAW` in ns, read before the file was.
    pub raw: RawInstant,
    /// The largest error bound of the last polls, ns.
    pub bound_ns: u32,
}

impl Handler<PhcPolled> for ClockState {
    type Result = ();

    fn handle(&mut self, polled: PhcPolled, _ctx: &mut Self::Context) {
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

    fn handle(&mut self, ClockSet: ClockSet, ctx: &mut Self::Context) {
        let now = clocks::read();
        if let Some(finding) = self.estimator.clock_set(&now) {
            self.report(finding);
        }
        self.publish(now, ctx);
    }
}
