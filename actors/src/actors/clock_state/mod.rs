//! ClockState: computes the estimate from the measurements of the other actors.
//!
//! It is a thin shell around [`Estimator`]: it reads the clocks, logs the estimator's findings,
//! stores the estimator's state for the next life, and sends the estimate to ShmPublisher after
//! every report of ChronyPoller, after every tick without one, and when the clock was set.
//!
//! Before it uses a message, it looks for a disruption of the clocks: it compares the VMClock page
//! with what is known of it and, once a second, the kernel's clocksource. A disruption is published
//! at once.

mod findings;
mod handlers;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;
use shm_layout::diagnostics::DiagnosticsRecord;
use shm_layout::writer::Segment;
use slog::{Logger, debug, info, o, warn};

pub use handlers::{
    ChronyPolled, ClockSet, DrillSwitched, GenerationChanged, NoReport, PageChanged, PhcPolled,
    SourcesReset,
};

use super::disruption_cause::Cause;
use super::drill::{Drill, Rehearsal};
use super::rate_limit::ChangeGate;
use super::shm_publisher::{Publish, ShmPublisher};
use super::source_reset::{ResetSources, SourceReset, TrustReturned};
use crate::chrony::ChronyPoll;
use crate::estimator::status::{ClockStatus, Disruption, HostNotice};
use crate::estimator::{Estimate, Estimator, PollFailure, Settings};
use crate::fail_points::fail_point;
use crate::os::clocks;
use crate::os::clocksource;
use crate::os::clocksource_watch::ClocksourceWatch;
use crate::publication::diagnostics::{Diagnostics, EventCounters, Pace, Process, StateTimes};
use crate::publication::segments::Segments;
use crate::time::{RawInstant, Readings};
use crate::vmclock::{Host, VmClock};

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
        // Before the publication, which has the number.
        let number = self.counters.disruptions.increment();
        self.publish(now);
        self.save(&now);
        self.make_chronyd_measure();
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
