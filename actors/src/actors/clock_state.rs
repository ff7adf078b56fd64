//! ClockState: computes the estimate from the measurements of the other actors.
//!
//! It is a thin shell around [`Estimator`]: it reads the clocks, logs the estimator's findings,
//! stores the estimator's state for the next life, and sends the estimate to ShmPublisher after
//! every report of ChronyPoller, after every tick without one, and when the clock was set.
//!
//! Before it uses a message, it looks for a disruption of the clocks: it compares the VMClock page
//! with what is known of it and, once a second, the kernel's clocksource. A disruption is published
//! at once.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;
use shm_layout::diagnostics::DiagnosticsRecord;
use shm_layout::writer::Segment;
use slog::{Logger, debug, error, info, o, warn};

use super::disruption_cause::Cause;
use super::drill::{Drill, Rehearsal};
use super::rate_limit::ChangeGate;
use super::shm_publisher::{Publish, ShmPublisher};
use super::source_reset::{ResetSources, SourceReset, TrustReturned};
use crate::chrony::ChronyPoll;
use crate::estimator::status::{ClockStatus, Disruption, HostNotice};
use crate::estimator::{Estimate, Estimator, Finding, PollFailure, Settings};
use crate::fail_points::fail_point;
use crate::os::clocks;
use crate::os::clocksource;
use crate::os::clocksource_watch::ClocksourceWatch;
use crate::publication::diagnostics::{Diagnostics, EventCounters, Pace, Process, StateTimes};
use crate::publication::segments::Segments;
use crate::time::{NS_PER_S, RawInstant, Readings};
use crate::vmclock::{Host, VmClock};

/// A uevent so long after a change of the VMClock page reports the same event, ns.
const SAME_EVENT_NS: i64 = NS_PER_S;

/// The parts from which each life of ClockState is built.
pub struct Parts {
    /// The settings of the estimator.
    pub settings: Settings,
    /// The segments, from which a new life resumes.
    pub segments: Arc<Segments>,
    /// Receives the estimates.
    pub publisher: Addr<ShmPublisher>,
    /// Makes chronyd measure again after an interruption.
    pub source_reset: Addr<SourceReset>,
    /// The VMClock page; `None` without one.
    pub vmclock: Option<VmClock>,
    /// The switch of the drill; `None` if disruptions are not supported.
    pub drill: Option<Drill>,
    /// What does not change, for the diagnostics.
    pub process: Process,
    /// The counters of the diagnostics.
    pub counters: Arc<EventCounters>,
    /// The actor's log.
    pub log: Logger,
}

/// The actor that computes the estimate.
pub struct ClockState {
    parts: Parts,
    estimator: Estimator,
    status: ChangeGate<ClockStatus>,
    diagnostics: Diagnostics,
    counters: Arc<EventCounters>,
    /// chronyd was restarted, and has not replied since.
    chronyd_restarted: bool,
    alarm_limit: ChangeGate<u64>,
    step_limit: ChangeGate<u64>,
    slew_limit: ChangeGate<u64>,
    host: Host,
    notice: ChangeGate<HostNotice>,
    /// When the page last changed.
    page_changed: Option<RawInstant>,
    clocksource: ClocksourceWatch,
    /// What was rehearsed when it was last looked for.
    rehearsal: Option<Rehearsal>,
    /// What was rehearsed when that was last logged.
    logged_rehearsal: Option<Rehearsal>,
    disruption_limit: ChangeGate<u64>,
    /// The number of interruptions in this life of the estimator that were handled.
    handled: u64,
    /// The number of the last interruption in all lives.
    interruption: u64,
    /// The clock was not synchronized since.
    awaits_trust: bool,
    /// When a disruption was last noticed in all lives: no record from before it is resumed.
    disrupted: Option<RawInstant>,
}

impl ClockState {
    /// An actor that resumes from the published record.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let host = first_look(&parts);
        let estimator = resume(&parts, &host, None);
        let diagnostics = diagnostics(&parts, estimator.status());
        Self {
            host,
            diagnostics,
            counters: parts.counters.clone(),
            chronyd_restarted: false,
            notice: ChangeGate::new(HostNotice::default()),
            page_changed: None,
            clocksource: ClocksourceWatch::new(Path::new(clocksource::SYS_ROOT)),
            rehearsal: None,
            logged_rehearsal: None,
            disruption_limit: ChangeGate::new(0),
            handled: 0,
            interruption: 0,
            awaits_trust: false,
            disrupted: None,
            status: ChangeGate::new(estimator.status()),
            estimator,
            parts,
            alarm_limit: ChangeGate::new(0),
            step_limit: ChangeGate::new(0),
            slew_limit: ChangeGate::new(0),
        }
    }

    /// Looks for a disruption, and publishes one at once. Returns whether there was one. Called
    /// before anything else is used.
    fn look_for_disruption(&mut self) -> bool {
        let raw = clocks::monotonic_raw();
        let mut cause = None;
        if let Some(vmclock) = &self.parts.vmclock {
            let content = vmclock.page.read();
            let change = self.host.compare(content, vmclock.page.marker(), raw);
            if change.is_some() {
                self.page_changed = Some(raw);
            }
            cause = change.map(Cause::Page);
        }
        if self.clocksource.has_changed(raw) {
            cause = Some(Cause::Clocksource);
        }
        let rehearsal = self.parts.drill.as_ref().and_then(Drill::rehearsal);
        let is_disruption = rehearsal == Some(Rehearsal::Disruption);
        if is_disruption && self.rehearsal != rehearsal {
            cause = Some(Cause::Drill);
        }
        self.rehearsal = rehearsal;
        self.estimator
            .withhold(is_disruption || !self.host.is_readable());
        if let Some(cause) = cause {
            self.disrupt(cause);
        }
        self.log_notice();
        cause.is_some()
    }

    /// Voids what is known, and publishes that at once.
    fn disrupt(&mut self, cause: Cause) {
        let now = clocks::read();
        self.disrupted = Some(now.raw);
        self.estimator.disrupted(self.host.marker(), &now);
        self.publish(now);
        self.save(&now);
        self.make_chronyd_measure();
        let number = self.counters.disruptions.increment();
        if let Some(suppressed) = self.disruption_limit.pass(number, Instant::now()) {
            warn!(self.parts.log, "clock was disrupted, discarding all measurements";
                "cause" => %cause, "marker" => self.host.marker(),
                "unsaid_changes" => suppressed);
        }
    }

    /// Requests new measurements if the clocks were interrupted since, and no more when the clock is
    /// synchronized again.
    fn make_chronyd_measure(&mut self) {
        if std::mem::replace(&mut self.handled, self.estimator.interruptions()) != self.handled {
            self.interruption += 1;
            self.awaits_trust = true;
            self.parts.source_reset.do_send(ResetSources {
                interruption: self.interruption,
            });
        }
        if self.awaits_trust && self.estimator.status() == ClockStatus::Synchronized {
            self.awaits_trust = false;
            self.parts.source_reset.do_send(TrustReturned {
                interruption: self.interruption,
            });
        }
    }

    /// Saves what the next life resumes from, if that has changed.
    fn save(&mut self, now: &Readings) {
        if let Some(state) = self.estimator.take_changed_state(now) {
            self.parts.segments.save(&state);
        }
    }

    /// Logs what the host announces, when that changes.
    fn log_notice(&mut self) {
        let (before, notice) = (self.notice.logged(), self.host.notice());
        let Some(suppressed) = self.notice.pass(notice, Instant::now()) else {
            return;
        };
        let log = &self.parts.log;
        let expects = |notice: HostNotice| match notice {
            HostNotice { imminent: true, .. } => "within an hour",
            HostNotice { soon: true, .. } => "within a day",
            _ => "none",
        };
        if expects(before) != expects(notice) {
            info!(log, "host announces a clock disruption"; "expected" => expects(notice),
                "unsaid_changes" => suppressed);
        }
        if (before.leap, before.tai_offset_s) != (notice.leap, notice.tai_offset_s) {
            info!(log, "host reports another leap second or tai offset"; "leap" => notice.leap,
                "tai_offset_s" => notice.tai_offset_s, "unsaid_changes" => suppressed);
        }
    }

    /// Publishes the estimate for the instant of `at`.
    fn publish(&mut self, at: Readings) {
        let notice = self.host.notice();
        let mut estimate = Estimate {
            notice,
            ..self.estimator.estimate(&at)
        };
        if let Some(Rehearsal::Reason(reason)) = self.rehearsal {
            estimate = estimate.with_reason(reason, &at);
        }
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
        let publish = Publish {
            estimate,
            at,
            clocksource: self.clocksource.current(),
            diagnostics: self.diagnose(&estimate, &at),
        };
        // The mailbox is full, or the publisher is being restarted. The next round has a newer
        // estimate.
        if self.parts.publisher.try_send(publish).is_err() {
            self.diagnostics.pace.failed();
            debug!(
                self.parts.log,
                "mailbox of ShmPublisher is full, estimate dropped"
            );
        }
    }

    /// The diagnostics of the estimate that is published `at`, if they are due.
    fn diagnose(&mut self, estimate: &Estimate, at: &Readings) -> Option<Box<DiagnosticsRecord>> {
        let failure = self.estimator.failure();
        self.diagnostics.note(estimate, failure, at);
        self.parts.segments.diagnostics.as_ref()?;
        let is_drill = self.rehearsal.is_some();
        self.diagnostics
            .record_if_due(estimate, &self.estimator, at, is_drill)
    }

    /// Counts a poll of chronyd.
    fn count_poll(&mut self, restarted: bool, outcome: Result<&ChronyPoll, PollFailure>) {
        let counters = &self.counters;
        // While chronyd restarts, several polls can notice it.
        self.chronyd_restarted |= restarted;
        if outcome.is_ok() && std::mem::take(&mut self.chronyd_restarted) {
            counters.chronyd_restarts.increment();
        }
        let polls = match outcome {
            Ok(poll) => {
                self.diagnostics.tracking = Some(poll.tracking);
                &counters.reports
            }
            Err(PollFailure::Refused) => &counters.reports_refused,
            Err(PollFailure::Silent) => &counters.polls_unanswered,
            Err(PollFailure::NotPermitted) => &counters.polls_not_permitted,
        };
        polls.increment();
    }

    /// Counts and logs a finding.
    fn report_finding(&mut self, finding: Finding) {
        let (log, counters) = (&self.parts.log, &self.counters);
        match finding {
            Finding::Contradiction {
                held,
                measured,
                source,
            } => {
                let alarms = counters.contradictions.increment();
                if self.alarm_limit.pass(alarms, Instant::now()).is_some() {
                    error!(log,
                        "measurement is disjoint from the held interval, publishing their hull";
                        "held_earliest_ns" => held.earliest.as_ns(),
                        "held_latest_ns" => held.latest.as_ns(),
                        "reported_earliest_ns" => measured.earliest.as_ns(),
                        "reported_latest_ns" => measured.latest.as_ns(),
                        "source" => source.to_string(), "alarms" => alarms);
                }
            }
            Finding::ContradictionEnded { held_stands } => {
                info!(log, "contradiction resolved"; "held_interval_stands" => held_stands);
            }
            Finding::DriftExceeded => {
                counters.drift_exceeded.increment();
                error!(log, "measured rates contradict --max-drift-rate";
                    "max_drift_ppb" => self.parts.settings.max_drift_ppb,
                    "advice" => "increase --max-drift-rate, or check for a source that is wrong");
            }
            Finding::WanderExceeded => {
                counters.wander_exceeded.increment();
                error!(log, "measured rates contradict --max-wander, ignoring it for one holdover";
                    "advice" => "increase --max-wander, or omit it");
            }
            Finding::SourcesDisagree {
                disjoint,
                reachable,
            } => {
                counters.disagreements.increment();
                error!(log, "sources disagree, publishing the hull with the majority's interval";
                    "disjoint" => disjoint, "reachable" => reachable);
            }
            Finding::UndeclaredReferenceClock => {
                warn!(log, "reference clock has no declared error";
                    "advice" => "set \"delay\" on its refclock line to twice its largest error");
            }
            Finding::ClockStepped { by_ns, suspended } => {
                let steps = counters.clock_steps.increment();
                if suspended {
                    counters.suspends.increment();
                }
                if self.step_limit.pass(steps, Instant::now()).is_some() {
                    warn!(log, "system clock was set"; "by_ns" => by_ns, "suspended" => suspended);
                }
            }
            Finding::ClockSlewed { by_ns } => {
                let slews = counters.clock_slews.increment();
                if self.slew_limit.pass(slews, Instant::now()).is_some() {
                    warn!(log, "another program slews the system clock";
                        "by_ns" => by_ns, "alarms" => slews);
                }
            }
            Finding::LeapSecondDecided { happened } => {
                info!(log, "leap second is over"; "happened" => happened);
            }
        }
    }
}

/// The diagnostics of a process that begins with this status.
fn diagnostics(parts: &Parts, status: ClockStatus) -> Diagnostics {
    let segment = parts.segments.diagnostics.as_ref();
    let before = segment.map(Segment::last_record);
    let stale_ns = parts.process.stale_ns;
    let now = clocks::monotonic_raw();
    Diagnostics {
        process: parts.process.clone(),
        counters: parts.counters.clone(),
        times: StateTimes::new(status, now, before.as_ref(), stale_ns),
        validated: None,
        tracking: None,
        pace: Pace::default(),
    }
}

fn first_look(parts: &Parts) -> Host {
    parts
        .vmclock
        .as_ref()
        .map_or_else(Host::default, |vmclock| {
            Host::new(vmclock.page.read(), vmclock.page.marker())
        })
}

/// The estimator of a new life; an earlier one noticed a disruption at `disrupted`.
fn resume(parts: &Parts, host: &Host, disrupted: Option<RawInstant>) -> Estimator {
    let now = clocks::read();
    let resumed = parts.segments.resume(&now);
    let moved_ns = parts.segments.moved_since_published_ns(&now);
    let disruption = Disruption {
        marker: host.marker(),
        supported: parts.vmclock.is_some(),
    };
    // A panic can have prevented the publication of the disruption.
    let is_older = |disrupted| parts.segments.is_published_before(disrupted);
    let was_disrupted = parts.segments.was_disrupted(disruption) || disrupted.is_some_and(is_older);
    let resumed = resumed.filter(|_| !was_disrupted);
    let mut estimator = Estimator::new(parts.settings, resumed, moved_ns, &now).under(disruption);
    if was_disrupted {
        estimator.disrupted(host.marker(), &now);
    } else if disruption.supported && !estimator.status().is_trusted() {
        // Nothing shows when the marker last changed: chronyd can have measured before that.
        estimator.distrust_earlier_measurements(&now);
    }
    estimator
}

impl Actor for ClockState {
    type Context = Context<Self>;

    /// Nothing is published before the first message: the record in the segment remains valid after
    /// a restart, and readers age it. Only a disruption that no earlier life has noticed is
    /// published at once.
    fn started(&mut self, _ctx: &mut Self::Context) {
        fail_point!("clock_state.started");
        if self.estimator.status() == ClockStatus::Disrupted {
            self.disrupt(Cause::BeforeThisLife);
        }
        self.make_chronyd_measure();
    }
}

impl Supervised for ClockState {
    fn restarting(&mut self, _ctx: &mut Self::Context) {
        self.host = first_look(&self.parts);
        self.estimator = resume(&self.parts, &self.host, self.disrupted);
        // A drill that is on begins again.
        (self.handled, self.rehearsal) = (0, None);
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
