//! ClockState: computes the estimate from the measurements of the other actors.
//!
//! It is a thin shell around [`Estimator`]: it reads the clocks, logs the estimator's findings,
//! stores the estimator's state for the next life, and sends the estimate to ShmPublisher after
//! every report of ChronyPoller, after every tick without one, and when the clock was set.

use std::sync::Arc;
use std::time::Instant;

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

/// The parts from which each life of ClockState is built.
pub struct Parts {
    /// The settings of the estimator.
    pub settings: Settings,
    /// The segments, from which a new life resumes.
    pub segments: Arc<Segments>,
    /// Receives the estimates.
    pub publisher: Addr<ShmPublisher>,
    /// The actor's log.
    pub log: Logger,
}

/// The actor that computes the estimate.
pub struct ClockState {
    parts: Parts,
    estimator: Estimator,
    status: ChangeGate<ClockStatus>,
    alarms: u64,
    alarm_limit: ChangeGate<u64>,
    steps: u64,
    step_limit: ChangeGate<u64>,
    slews: u64,
    slew_limit: ChangeGate<u64>,
}

impl ClockState {
    /// An actor that resumes from the published record.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let estimator = resume(&parts);
        Self {
            status: ChangeGate::new(estimator.status()),
            estimator,
            parts,
            alarms: 0,
            alarm_limit: ChangeGate::new(0),
            steps: 0,
            step_limit: ChangeGate::new(0),
            slews: 0,
            slew_limit: ChangeGate::new(0),
        }
    }

    /// Publishes the estimate for the instant of `at`.
    fn publish(&mut self, at: Readings) {
        let estimate = self.estimator.estimate(&at);
        let from = self.status.logged();
        if let Some(suppressed) = self.status.pass(estimate.status, Instant::now()) {
            let log = self.parts.log.new(o!(
                "from" => from.as_str(), "to" => estimate.status.as_str(),
                "reason" => estimate.reason.as_str(),
                "bound_ns" => estimate.realtime_error_ns(&at),
                "budget" => estimate.budget.to_string(),
                "unsaid_changes" => suppressed));
            if estimate.status == ClockStatus::Synchronized {
                info!(log, "clock status changed");
            } else {
                warn!(log, "clock status changed");
            }
        }
        // The mailbox is full, or the publisher is being restarted. The next round has a newer
        // estimate.
        if self
            .parts
            .publisher
            .try_send(Publish { estimate, at })
            .is_err()
        {
            debug!(
                self.parts.log,
                "mailbox of ShmPublisher is full, estimate dropped"
            );
        }
    }

    fn log_finding(&mut self, finding: Finding) {
        let log = &self.parts.log;
        match finding {
            Finding::Contradiction {
                held,
                measured,
                source,
            } => {
                self.alarms += 1;
                if self.alarm_limit.pass(self.alarms, Instant::now()).is_some() {
                    error!(log,
                        "measurement is disjoint from the held interval, publishing their hull";
                        "held_earliest_ns" => held.earliest.as_ns(),
                        "held_latest_ns" => held.latest.as_ns(),
                        "reported_earliest_ns" => measured.earliest.as_ns(),
                        "reported_latest_ns" => measured.latest.as_ns(),
                        "source" => source.to_string(), "alarms" => self.alarms);
                }
            }
            Finding::ContradictionEnded { held_stands } => {
                info!(log, "contradiction resolved"; "held_interval_stands" => held_stands);
            }
            Finding::DriftExceeded => {
                error!(log, "measured rates contradict --max-drift-rate";
                    "max_drift_ppb" => self.parts.settings.max_drift_ppb,
                    "advice" => "increase --max-drift-rate, or check for a source that is wrong");
            }
            Finding::WanderExceeded => {
                error!(log, "measured rates contradict --max-wander, ignoring it for one holdover";
                    "advice" => "increase --max-wander, or omit it");
            }
            Finding::SourcesDisagree {
                disjoint,
                reachable,
            } => {
                error!(log, "sources disagree, publishing the hull with the majority's interval";
                    "disjoint" => disjoint, "reachable" => reachable);
            }
            Finding::UndeclaredReferenceClock => {
                warn!(log, "reference clock has no declared error";
                    "advice" => "set \"delay\" on its refclock line to twice its largest error");
            }
            Finding::ClockStepped { by_ns, suspended } => {
                self.steps += 1;
                if self.step_limit.pass(self.steps, Instant::now()).is_some() {
                    warn!(log, "system clock was set"; "by_ns" => by_ns, "suspended" => suspended);
                }
            }
            Finding::ClockSlewed { by_ns } => {
                self.slews += 1;
                if self.slew_limit.pass(self.slews, Instant::now()).is_some() {
                    warn!(log, "another program slews the system clock";
                        "by_ns" => by_ns, "alarms" => self.slews);
                }
            }
            Finding::LeapSecondDecided { happened } => {
                info!(log, "leap second is over"; "happened" => happened);
            }
        }
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

    /// Nothing is published before the first message: the record in the segment remains valid after
    /// a restart, and readers age it.
    fn started(&mut self, _ctx: &mut Self::Context) {
        fail_point!("clock_state.started");
    }
}

impl Supervised for ClockState {
    fn restarting(&mut self, _ctx: &mut Self::Context) {
        self.estimator = resume(&self.parts);
        self.status = ChangeGate::new(self.estimator.status());
    }
}

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
        if restarted {
            self.estimator.chronyd_restarted();
        }
        let outcome = outcome.as_ref().map_err(|&failure| failure);
        for finding in self.estimator.polled(outcome, &at, &answered) {
            self.log_finding(finding);
        }
        self.publish(answered);
        if let Some(state) = self.estimator.take_changed_state(&answered) {
            self.parts.segments.save(&state);
        }
    }
}

/// A tick of ChronyPoller has no report, so that the grace or the holdover may end without one.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct NoReport;

impl Handler<NoReport> for ClockState {
    type Result = ();

    fn handle(&mut self, NoReport: NoReport, _ctx: &mut Self::Context) {
        let now = clocks::read();
        if let Some(finding) = self.estimator.clocks_read(&now) {
            self.log_finding(finding);
        }
        self.estimator.pass_time(&now);
        self.publish(now);
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
        let now = clocks::read();
        if let Some(finding) = self.estimator.clock_set(&now) {
            self.log_finding(finding);
        }
        self.publish(now);
    }
}
