//! ClockState: turns facts into an estimate.
//!
//! A thin shell around [`Assessment`]: it reads the clock, says status changes, and
//! passes the estimate on after every fact. When facts stop coming it wakes up by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use slog::{Logger, debug, error, info, o, warn};

use crate::assessment::Assessment;
use crate::change_gate::ChangeGate;
use crate::chrony::ChronyPoll;
use crate::clocks::Readings;
use crate::estimate::Estimate;
use crate::facts::{Alarm, PollFailure, Report, Settings};
use crate::fault::{Faults, Point};
use crate::segments::Segments;
use crate::shm_publisher::{Publish, ShmPublisher};
use crate::status::ClockStatus;
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
    alarms: u64,
    alarm_gate: ChangeGate<u64>,
    /// That chronyd's `maxclockerror` is too small was said.
    warned: bool,
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
            alarms: 0,
            alarm_gate: ChangeGate::new(0),
            warned: false,
        }
    }

    /// Publishes what is known, as it stands `at` that instant.
    fn publish(&mut self, at: Readings, ctx: &mut Context<Self>) {
        let estimate = *self.assessment.estimate();
        let from = self.status.said();
        if let Some(unsaid) = self.status.pass(estimate.status, Instant::now()) {
            let log = self.parts.log.new(o!(
                "from" => from.as_str(), "to" => estimate.status.as_str(), "reason" => estimate.reason.as_str(),
                "bound_ns" => estimate.to_v1(&at).bound_ns, "unsaid_changes" => unsaid));
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
        self.expect_a_fact(ctx);
    }

    /// An honest report cannot contradict an honest one before it: a server lies, or the oscillator drifts
    /// faster than was promised.
    fn say_alarm(&mut self, alarm: &Alarm) {
        self.alarms += 1;
        if self.alarm_gate.pass(self.alarms, Instant::now()).is_some() {
            error!(self.parts.log, "report contradicts what was known, publishing both";
                "held_earliest_ns" => alarm.held.0, "held_latest_ns" => alarm.held.1,
                "reported_earliest_ns" => alarm.reported.0, "reported_latest_ns" => alarm.reported.1,
                "alarms" => self.alarms);
        }
    }

    /// Says once that chronyd assumes less of the oscillator than the operator does.
    fn say_max_clock_error(&mut self) {
        let max_drift_ppb = self.parts.settings.max_drift_ppb;
        let assumed_ppb = self.assessment.max_clock_error_ppb();
        let Some(assumed_ppb) =
            assumed_ppb.filter(|&ppb| !self.warned && ppb < i64::from(max_drift_ppb) * 9 / 10)
        else {
            return;
        };
        self.warned = true;
        let ppm = f64::from(max_drift_ppb) / 1_000.0;
        warn!(self.parts.log, "chronyd assumes less drift than --max-drift-rate, widening its bounds";
            "max_clock_error_ppb" => assumed_ppb, "max_drift_ppb" => max_drift_ppb,
            "advice" => format!("put \"maxclockerror {ppm}\" into chrony.conf"));
    }

    /// Arms the timer that stands in for facts which do not come.
    fn expect_a_fact(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.silence.take() {
            ctx.cancel_future(timer);
        }
        self.silence = Some(ctx.run_later(self.parts.patience, |act, ctx| {
            act.silence = None;
            let now = Readings::now();
            act.assessment.pass_time(&now);
            act.publish(now, ctx);
        }));
    }
}

fn resume(parts: &Parts) -> Estimate {
    let max_drift_ppb = parts.settings.max_drift_ppb;
    parts.segments.resume(max_drift_ppb, &Readings::now())
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
    /// The clocks, read before the first request of the accepted batch was sent; a retry reads them anew.
    pub at: Readings,
    /// The clocks, read after its last reply had arrived.
    pub answered: Readings,
    /// What chronyd reported, or why nothing is known.
    pub outcome: Result<ChronyPoll, PollFailure>,
}

impl Handler<ChronyPolled> for ClockState {
    type Result = ();

    fn handle(&mut self, polled: ChronyPolled, ctx: &mut Self::Context) {
        self.parts
            .faults
            .reach(ActorName::ClockState, Point::Handler);
        let outcome = polled.outcome.map(Report::from);
        let outcome = outcome.as_ref().map_err(|&failure| failure);
        let now = polled.answered;
        if let Some(alarm) = self.assessment.polled(outcome, &polled.at, &now) {
            self.say_alarm(&alarm);
        }
        self.say_max_clock_error();
        // A fresh estimate is published for its own instant; one that is held, for now.
        let fresh = self.assessment.estimate().raw_ns == polled.at.raw_ns;
        self.publish(if fresh { polled.at } else { now }, ctx);
    }
}

/// The PHC's error bound, read.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct PhcPolled {
    /// `CLOCK_MONOTONIC_RAW` in ns, read before the file was.
    pub raw_ns: i64,
    /// The largest error bound of the last polls, ns.
    pub bound_ns: u32,
}

impl Handler<PhcPolled> for ClockState {
    type Result = ();

    fn handle(&mut self, polled: PhcPolled, _ctx: &mut Self::Context) {
        self.assessment
            .phc_read(i64::from(polled.bound_ns), polled.raw_ns);
    }
}

/// `CLOCK_REALTIME` was set.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct ClockSet {
    /// The machine was suspended, which is why.
    pub suspended: bool,
}

impl Handler<ClockSet> for ClockState {
    type Result = ();

    fn handle(&mut self, set: ClockSet, ctx: &mut Self::Context) {
        let now = Readings::now();
        if set.suspended {
            self.assessment.suspended(&now);
        } else {
            self.assessment.clock_set();
        }
        warn!(self.parts.log, "the clock was set"; "suspended" => set.suspended);
        self.assessment.pass_time(&now);
        self.publish(now, ctx);
    }
}
