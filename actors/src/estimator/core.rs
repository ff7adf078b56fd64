//! The state of the estimator; how it is created and voided.

use super::ablation::Safeguard;
use super::clock_log::ClockLog;
use super::contradiction::Contradiction;
use super::error_budget::ErrorBudget;
use super::held::Held;
use super::history::Point;
use super::interruption::Interruption;
use super::leap_second::LeapSecond;
use super::rate_band::{DriftBand, WanderBand};
use super::realtime_rates::RealtimeLog;
use super::sample::Key;
use super::saved_state::Resumed;
use super::settings::Settings;
use super::slew_detection::SlewDetection;
use super::source_fusion::Sources;
use super::status::{ClockStatus, Disruption, Event, Reason, next};
use crate::chrony::Leap;
use crate::time::{FREQUENCY_LIMIT, RateBand, RawInstant, Readings};

/// Polls of a source that history reaches back at least, however short the span is.
const POLLS_PER_SPAN: i64 = 4;

/// Why a poll of chronyd gave no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollFailure {
    /// No reply.
    Silent,
    /// An invalid reply.
    Refused,
    /// This user may not query chronyd.
    NotPermitted,
}

/// The PHC's error bound, as last read.
#[derive(Clone, Copy, Debug)]
pub(super) struct PhcBound {
    pub(super) bound_ns: i64,
    pub(super) raw: RawInstant,
}

/// The wander premise, when there is one.
#[derive(Debug)]
pub(super) struct Wander {
    pub(super) held: Held<WanderBand>,
    /// Not relied on before this instant.
    pub(super) void_until: RawInstant,
}

/// The estimator.
#[derive(Debug)]
pub struct Estimator {
    pub(super) settings: Settings,
    pub(super) tolerance: RateBand,
    pub(super) held: Held<DriftBand>,
    pub(super) wander: Option<Wander>,
    pub(super) contradiction: Option<Contradiction>,
    /// What most sources agree on while they contradict the held interval.
    pub(super) dissent: Option<Point>,
    pub(super) leap_second: LeapSecond,
    pub(super) sources: Sources,
    pub(super) clock: ClockLog,
    pub(super) slews: SlewDetection,
    pub(super) realtime: RealtimeLog,
    pub(super) last: Option<Readings>,
    pub(super) phc: Option<PhcBound>,
    pub(super) status: ClockStatus,
    /// Why the status is so, unless it is `Synchronized`.
    pub(super) reason: Reason,
    /// Why the last reports are unusable; `None` if they are usable.
    pub(super) failure: Option<Reason>,
    /// Measurements that were used since they were last taken.
    pub(super) measurements: u64,
    pub(super) validated: RawInstant,
    /// The held interval is not carried back to earlier instants.
    pub(super) valid_since: RawInstant,
    pub(super) leap: Leap,
    pub(super) reference_id: u32,
    /// The measurement that was used last, with its error budget.
    pub(super) sampled: Option<(Point, ErrorBudget)>,
    /// The source of the held interval.
    pub(super) followed: Option<Key>,
    /// The longest polling interval of a source that was used, ns.
    pub(super) poll_ns: i64,
    /// How far the clock moved while no daemon was running, ns.
    pub(super) unwatched_ns: i64,
    /// The host's disruption marker, which everything known belongs to.
    pub(super) disruption: Disruption,
    /// The last interruption of the clocks in this life.
    pub(super) interruption: Option<Interruption>,
    /// How many there were.
    pub(super) interruptions: u64,
    /// No report is used.
    pub(super) withheld: bool,
    pub(super) undeclared_reported: bool,
    /// The state has changed since it was last taken.
    pub(super) changed: bool,
    /// It has changed by more than a measurement that agrees.
    pub(super) changed_much: bool,
    /// When it was last taken.
    pub(super) saved_at: RawInstant,
    /// The safeguard that a test removes.
    pub(super) without: Option<Safeguard>,
}

impl Estimator {
    /// Resumes the state of an earlier life, if there is one.
    #[must_use]
    pub fn new(
        settings: Settings,
        resumed: Option<Resumed>,
        unwatched_ns: i64,
        now: &Readings,
    ) -> Self {
        let tolerance = RateBand::within(FREQUENCY_LIMIT.max(settings.drift()));
        let drift = DriftBand::new(settings.drift(), tolerance, settings.holdover_ns);
        let wander = settings.max_wander_ppb_per_s.map(|_| {
            let growth = WanderBand::new(settings.wander_per_s(), tolerance);
            Wander {
                held: Held::new(growth),
                void_until: RawInstant::MIN,
            }
        });
        let mut new = Self {
            settings,
            tolerance,
            held: Held::new(drift),
            wander,
            contradiction: None,
            dissent: None,
            leap_second: LeapSecond::default(),
            sources: Sources::default(),
            clock: ClockLog::default(),
            slews: SlewDetection::default(),
            realtime: RealtimeLog::default(),
            last: None,
            phc: None,
            status: ClockStatus::Unknown,
            reason: Reason::NeverSynchronized,
            failure: Some(Reason::ChronySilent),
            measurements: 0,
            validated: now.raw,
            valid_since: now.raw,
            leap: Leap::Unsynchronized,
            reference_id: 0,
            sampled: None,
            followed: None,
            poll_ns: 0,
            unwatched_ns,
            disruption: Disruption::default(),
            interruption: None,
            interruptions: 0,
            withheld: false,
            undeclared_reported: false,
            changed: false,
            changed_much: false,
            saved_at: RawInstant::MIN,
            without: None,
        };
        if let Some(resumed) = resumed {
            new.resume(resumed, now);
        }
        new
    }

    /// Everything that is known belongs to this disruption marker.
    #[must_use]
    pub fn under(self, disruption: Disruption) -> Self {
        Self { disruption, ..self }
    }

    /// Removes one of the safeguards, to test that it is needed.
    #[cfg(test)]
    pub(crate) fn without(mut self, safeguard: Option<Safeguard>) -> Self {
        self.without = safeguard;
        let mut drift = self.settings.drift();
        if safeguard == Some(Safeguard::DriftRate) {
            drift = Default::default();
        }
        if safeguard == Some(Safeguard::FrequencyTolerance) {
            self.tolerance = RateBand::within(drift);
        }
        self.held = Held::new(DriftBand::new(
            drift,
            self.tolerance,
            self.settings.holdover_ns,
        ));
        self
    }

    pub(super) fn has(&self, safeguard: Safeguard) -> bool {
        self.without != Some(safeguard)
    }

    /// The current clock status.
    #[must_use]
    pub fn status(&self) -> ClockStatus {
        self.status
    }

    /// The report is unusable for this reason, so that the held interval expires unless others
    /// follow.
    pub(super) fn report_unusable(&mut self, reason: Reason) {
        self.failure = Some(reason);
        if self.status == ClockStatus::Unknown {
            self.reason = reason;
        }
    }

    pub(super) fn advance(&mut self, event: Event, reason: Reason) {
        let was_disrupted = self.status == ClockStatus::Disrupted;
        self.status = next(self.status, event);
        // A disruption that lasts stays the reason.
        if !(was_disrupted && self.status == ClockStatus::Disrupted) {
            self.reason = reason;
        }
    }

    /// Discards the held interval and everything measured, because of `event`.
    pub(super) fn void(&mut self, event: Event, reason: Reason) {
        self.held.clear();
        if let Some(wander) = &mut self.wander {
            wander.held.clear();
        }
        self.contradiction = None;
        self.dissent = None;
        self.sampled = None;
        self.followed = None;
        self.changed_much = true;
        self.sources.forget();
        self.advance(event, reason);
    }

    /// What is known from `raw` on says nothing about earlier instants.
    pub(super) fn begin_at(&mut self, raw: RawInstant) {
        self.valid_since = self.valid_since.max(raw);
    }

    /// How far back rates are measured, ns.
    pub(super) fn span_ns(&self) -> i64 {
        self.settings
            .holdover_ns
            .max(self.poll_ns.saturating_mul(POLLS_PER_SPAN))
    }
}
