//! The estimator: from single measurements of chronyd's sources to an interval that contains true time. Pure: every
//! instant is an argument, and nothing is read, written or logged.
//!
//! Let r be `CLOCK_MONOTONIC_RAW`, T(r) UTC, and dT/dr = 1 + y(r). The premises are those of `docs/truth.md`.
//!
//! ```text
//!   a report of chronyd
//!      | sample           which sources have a new measurement, where it puts true time, what it is wide of
//!      | source_fusion    the selected source's, or what all but F sources agree on
//!      | leap_second      in which count of seconds it is
//!      v
//!   held                  intersected with what is held, carried on by
//!      | rate_band        the rates that pairs of earlier intervals (history) prove
//!      | contradiction    disjoint: both are kept until further measurements decide
//!      v
//!   estimate              interval, growth, status, reason, error budget
//! ```
//! chronyd's own line through its measurements, and its frequency, are statistics about what the servers said. No
//! interval is made from them.

mod arrival;
mod clock_log;
mod contradiction;
pub mod error_budget;
mod estimate;
mod finding;
mod following;
mod held;
mod history;
mod leap_second;
#[cfg(test)]
mod properties;
mod rate_band;
#[cfg(test)]
mod remedies_tests;
mod remedy;
mod resume;
mod sample;
#[cfg(test)]
mod simulation;
mod source_fusion;
#[cfg(test)]
mod state_tests;
pub mod status;

pub use error_budget::ErrorBudget;
pub use estimate::{Estimate, NO_CLAIM_NS};
pub use finding::Finding;
pub use remedy::Remedy;
pub use resume::{Resumed, State};
pub use sample::Key;

use crate::chrony::{ChronyPoll, Leap, Tracking};
use crate::clocks::Readings;
use crate::time::{Interval, NS_PER_S, PPT_PER_PPB, PPT_PER_PPM, RateBand, scaled_ceil};
use clock_log::ClockLog;
use contradiction::{Contradiction, Verdict};
use held::{Held, Observed};
use history::Point;
use leap_second::{Change, LeapSecond, Use};
use rate_band::{DriftBand, Growth, WanderBand};
use source_fusion::Sources;
use status::{ClockStatus, Event, Reason, next};

/// The reference id of chronyd's local mode, 127.127.1.1.
const LOCAL_REFERENCE_ID: u32 = 0x7f7f_0101;

/// No oscillator is further from its nominal frequency, parts per trillion: beyond it no kernel could be disciplined
/// (RFC 5905, `MAXFREQ`).
const FREQUENCY_TOLERANCE_PPT: i64 = 500 * PPT_PER_PPM;

/// chronyd accepts an answer until so long after its request, ns: a measurement can have begun so long before it was made.
const LONGEST_EXCHANGE_NS: i64 = 4 * NS_PER_S;

/// How long a suspend has to be to be told from the reading of its clocks, ns.
const SUSPEND_NOISE_NS: i64 = 1_000_000;

/// Polls of a source that history reaches back at least, however short the span is.
const POLLS_PER_SPAN: i64 = 4;

/// chrony's root delay of a reference clock whose configuration declares none, s.
const UNDECLARED_DELAY_S: f64 = 1.001e-9;

/// What does not change while the daemon runs.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How far the oscillator may move from its measured rate within the holdover, parts per billion.
    pub max_drift_ppb: u32,
    /// How fast the oscillator's rate may change, parts per billion a second, if that is known.
    pub max_wander_ppb_per_s: Option<u32>,
    /// How many of the sources may lie; 0 trusts the one that chronyd follows.
    pub falsetickers: usize,
    /// chrony's reference id of the PHC, if there is one.
    pub phc_reference_id: Option<u32>,
    /// How long chronyd may be without a source, or silent, before the status is no longer `Synchronized`, ns.
    pub grace_ns: i64,
    /// How long the held interval is published without a source, ns; also the span within which rates are measured.
    pub holdover_ns: i64,
    /// An error of `CLOCK_REALTIME` above this is not published as trusted, ns.
    pub max_bound_ns: Option<i64>,
    /// Whether chronyd's local mode counts as a reference.
    pub allow_local_reference: bool,
}

/// Why a poll of chronyd gave no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollFailure {
    /// No answer.
    Silent,
    /// An answer that cannot be relied on.
    Refused,
    /// This user may not query chronyd.
    NotPermitted,
}

/// The PHC's error bound, as last read.
#[derive(Clone, Copy, Debug)]
struct PhcBound {
    bound_ns: i64,
    raw_ns: i64,
}

/// The wander premise, when there is one.
#[derive(Debug)]
struct Wander {
    held: Held<WanderBand>,
    /// Not relied on before this instant, `CLOCK_MONOTONIC_RAW` in ns.
    void_until_ns: i64,
}

/// A new measurement of a source.
#[derive(Clone, Copy, Debug)]
struct Sample {
    key: Key,
    point: Point,
    budget: ErrorBudget,
    poll_ns: i64,
}

/// What is published for one instant, before status and reason.
#[derive(Clone, Copy, Debug)]
struct Known {
    interval: Interval,
    band: RateBand,
    contradiction_ns: i64,
    leap_second_ns: i64,
}

/// The estimator.
#[derive(Debug)]
pub struct Estimator {
    settings: Settings,
    tolerance: RateBand,
    held: Held<DriftBand>,
    wander: Option<Wander>,
    contradiction: Option<Contradiction>,
    /// What most sources agree on while they contradict what is held.
    dissent: Option<Point>,
    leap_second: LeapSecond,
    sources: Sources,
    clock: ClockLog,
    last: Option<Readings>,
    phc: Option<PhcBound>,
    status: ClockStatus,
    /// Why the status is so, unless it is `Synchronized`.
    reason: Reason,
    /// What the status will be blamed on when the grace is over.
    trouble: Reason,
    validated_raw_ns: i64,
    leap: Leap,
    reference_id: u32,
    /// The measurement that was used last, and what it was wide of.
    sampled: Option<(Point, ErrorBudget)>,
    /// The source that the held interval is from.
    followed: Option<Key>,
    /// The longest polling interval of a source that was used, ns.
    poll_ns: i64,
    /// What the clock moved while no daemon watched, ns.
    unwatched_ns: i64,
    /// Measurements from before the first look are not used at all: the machine was suspended.
    suspended: bool,
    undeclared_told: bool,
    /// The state has changed since it was last asked for.
    changed: bool,
    /// It has changed by more than a measurement that agrees.
    changed_much: bool,
    /// When it was last asked for, `CLOCK_MONOTONIC_RAW` in ns.
    kept_raw_ns: i64,
    /// Taken away by tests.
    without: Option<Remedy>,
}

impl Estimator {
    /// Goes on where an earlier life stopped, if it left anything.
    #[must_use]
    pub fn new(
        settings: Settings,
        resumed: Option<Resumed>,
        unwatched_ns: i64,
        now: &Readings,
    ) -> Self {
        let tolerance_ppt = FREQUENCY_TOLERANCE_PPT.max(drift_ppt(&settings));
        let tolerance = RateBand::within(tolerance_ppt);
        let drift = DriftBand::new(drift_ppt(&settings), tolerance, settings.holdover_ns);
        let wander = settings.max_wander_ppb_per_s.map(|_| {
            let growth = WanderBand::new(wander_ppt_per_s(&settings), tolerance);
            Wander {
                held: Held::new(growth),
                void_until_ns: i64::MIN,
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
            last: None,
            phc: None,
            status: ClockStatus::Unknown,
            reason: Reason::NeverSynchronized,
            trouble: Reason::ChronySilent,
            validated_raw_ns: now.raw_ns,
            leap: Leap::Unsynchronized,
            reference_id: 0,
            sampled: None,
            followed: None,
            poll_ns: 0,
            unwatched_ns,
            suspended: false,
            undeclared_told: false,
            changed: false,
            changed_much: false,
            kept_raw_ns: i64::MIN,
            without: None,
        };
        if let Some(resumed) = resumed {
            new.resume(resumed, now);
        }
        new
    }

    /// Without one of the remedies, to see that it matters.
    #[cfg(test)]
    pub(crate) fn without(mut self, remedy: Option<Remedy>) -> Self {
        self.without = remedy;
        let mut drift_ppt = drift_ppt(&self.settings);
        if remedy == Some(Remedy::DriftRate) {
            drift_ppt = 0;
        }
        if remedy == Some(Remedy::FrequencyTolerance) {
            self.tolerance = RateBand::within(drift_ppt);
        }
        self.held = Held::new(DriftBand::new(
            drift_ppt,
            self.tolerance,
            self.settings.holdover_ns,
        ));
        self
    }

    fn has(&self, remedy: Remedy) -> bool {
        self.without != Some(remedy)
    }

    /// The clock status as it stands.
    #[must_use]
    pub fn status(&self) -> ClockStatus {
        self.status
    }

    /// The PHC's error bound was read at `raw_ns`.
    pub fn phc_read(&mut self, bound_ns: i64, raw_ns: i64) {
        self.phc = Some(PhcBound { bound_ns, raw_ns });
    }

    /// The clocks were read: after `CLOCK_REALTIME` was set, or the machine suspended, at the latest.
    ///
    /// Readings that are older than the last ones are ignored: a later message can overtake a report.
    pub fn clocks_read(&mut self, at: &Readings) {
        if self.last.is_some_and(|last| at.raw_ns < last.raw_ns) {
            return;
        }
        if let Some(before) = self.last.replace(*at) {
            if was_suspended(&before, at) && self.has(Remedy::SuspendVoid) {
                self.void(Reason::ClockStepped);
                self.sources.forget_looks();
                self.suspended = true;
            }
        }
        self.clock.note(at);
    }

    /// chronyd was restarted. It can have loaded measurements from files, of a clock whose correction it no longer knows: they
    /// were not seen to arrive.
    pub fn chronyd_restarted(&mut self) {
        self.sources.forget_looks();
    }

    /// A poll of chronyd began `at`, and its last answer was here at `answered`.
    pub fn polled(
        &mut self,
        outcome: Result<&ChronyPoll, PollFailure>,
        at: &Readings,
        answered: &Readings,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.clocks_read(at);
        self.clocks_read(answered);
        // A report from before a suspend is of another time: not even a baseline for what is new.
        let is_outdated = was_suspended(at, answered) && self.has(Remedy::SuspendVoid);
        match outcome {
            Ok(_) if is_outdated => {}
            Err(failure) => {
                self.trouble = match failure {
                    PollFailure::Silent => Reason::ChronySilent,
                    PollFailure::Refused | PollFailure::NotPermitted => Reason::ReportRefused,
                };
                // It may be another chronyd that answers next.
                self.chronyd_restarted();
            }
            Ok(poll) => self.reported(poll, at, answered, &mut findings),
        }
        self.pass_time(answered);
        findings
    }

    /// Lets what has been held for too long lapse. Called at every report, and when none comes.
    pub fn pass_time(&mut self, now: &Readings) {
        if !self.status.is_trusted() {
            return;
        }
        let silent_ns = now.raw_ns.saturating_sub(self.validated_raw_ns);
        if silent_ns >= self.settings.holdover_ns {
            self.void(Reason::HoldoverExpired);
        } else if silent_ns > self.settings.grace_ns {
            self.advance(Event::Silence, self.trouble);
        }
    }

    /// What is to be published at the instant of `at`.
    #[must_use]
    pub fn estimate(&self, at: &Readings) -> Estimate {
        let holdover_ends_ns = self
            .validated_raw_ns
            .saturating_add(self.settings.holdover_ns);
        let horizon_ns = holdover_ends_ns.saturating_sub(at.raw_ns).max(0);
        let Some(known) = self
            .known(at.raw_ns, horizon_ns)
            .filter(|_| self.status.is_trusted())
        else {
            return Estimate::unknown(self.status, self.reason, at);
        };
        let held = self.held.at(at.raw_ns).unwrap_or(known.interval);
        let leap_ns = self
            .leap_second
            .until_midnight_ns(held)
            .filter(|_| self.has(Remedy::LeapVoid));
        let void_after_raw_ns = leap_ns.map_or(holdover_ends_ns, |left_ns| {
            holdover_ends_ns.min(at.raw_ns.saturating_add(left_ns))
        });
        let estimate = Estimate {
            status: self.status,
            reason: self.reason_now(),
            raw_ns: at.raw_ns,
            interval: known.interval,
            band: known.band,
            validated_raw_ns: self.validated_raw_ns,
            void_after_raw_ns,
            leap: self.leap,
            reference_id: self.reference_id,
            budget: self.budget(&known, at.raw_ns),
        };
        let over_cap = |cap_ns| estimate.realtime_error_ns(at) > cap_ns;
        if self.settings.max_bound_ns.is_some_and(over_cap) {
            return Estimate::unknown(ClockStatus::Unknown, Reason::BoundOverCap, at);
        }
        estimate
    }

    fn reason_now(&self) -> Reason {
        if self.status != ClockStatus::Synchronized {
            self.reason
        } else if self.contradiction.is_some() {
            Reason::Contradiction
        } else if self.dissent.is_some() {
            Reason::SourcesDisagree
        } else if self.sampled.is_none() {
            Reason::Resumed
        } else {
            Reason::Tracking
        }
    }

    /// The interval at `raw_ns`, and the rates by which it contains true time for `horizon_ns` more.
    fn known(&self, raw_ns: i64, horizon_ns: i64) -> Option<Known> {
        let (interval, band, contradiction_ns) = self.in_one_count(raw_ns, horizon_ns)?;
        let covered = if self.has(Remedy::LeapCover) {
            self.leap_second.covered(interval)
        } else {
            interval
        };
        Some(Known {
            interval: covered,
            band,
            contradiction_ns,
            leap_second_ns: covered.half_width_ns() - interval.half_width_ns(),
        })
    }

    /// The same without regard to a leap second, and what contradictions add to half the width.
    fn in_one_count(&self, raw_ns: i64, horizon_ns: i64) -> Option<(Interval, RateBand, i64)> {
        let held = self.held.at(raw_ns)?;
        let drift = self.held.growth().published(raw_ns, horizon_ns);
        let (mut interval, mut band) = (held, drift);
        if let Some(wander) = &self.wander
            && let Some(narrow) = wander
                .held
                .at(raw_ns)
                .and_then(|narrow| narrow.intersect(held))
        {
            interval = narrow;
            let rates = wander.held.growth().published(raw_ns, horizon_ns);
            band = rates.intersect(drift).unwrap_or(drift);
        }
        let certain = interval;
        if let Some(contradiction) = &self.contradiction {
            interval = interval.hull(contradiction.other_at(raw_ns, self.tolerance));
            band = self.tolerance;
        }
        if let Some(dissent) = &self.dissent {
            let elapsed_ns = raw_ns.saturating_sub(dissent.raw_ns);
            interval = interval.hull(dissent.interval.carried(elapsed_ns, self.tolerance));
            band = self.tolerance;
        }
        let added_ns = interval.half_width_ns() - certain.half_width_ns();
        Some((interval, band, added_ns))
    }

    /// What makes up half the width of what is known at `raw_ns`.
    fn budget(&self, known: &Known, raw_ns: i64) -> ErrorBudget {
        let (point, sampled) = match self.sampled {
            Some((point, budget)) => (point, budget),
            None => (
                Point {
                    raw_ns,
                    interval: known.interval,
                },
                ErrorBudget::default(),
            ),
        };
        let elapsed_ns = raw_ns.saturating_sub(point.raw_ns).max(0);
        let rates = self.held.growth().band();
        let mut budget = ErrorBudget {
            growth_ns: scaled_ceil(elapsed_ns, rates.half_width_ppt()),
            contradiction_ns: known.contradiction_ns,
            leap_second_ns: known.leap_second_ns,
            ..sampled
        };
        let rest_ns = known.interval.half_width_ns() - budget.total_ns();
        match self.sampled {
            None => budget.resumed_ns = rest_ns,
            Some(_) if rest_ns > 0 => budget.contradiction_ns += rest_ns,
            Some(_) => budget.excluded_ns = rest_ns,
        }
        budget
    }

    fn reported(
        &mut self,
        poll: &ChronyPoll,
        at: &Readings,
        answered: &Readings,
        findings: &mut Vec<Finding>,
    ) {
        let tracking = &poll.tracking;
        let samples = self.new_samples(poll, at, answered);
        if tracking.leap == Leap::Unsynchronized {
            self.trouble = Reason::LeapUnsynchronized;
            self.advance(Event::Unsynchronized, Reason::LeapUnsynchronized);
            return;
        }
        if self.is_local(tracking) {
            self.followed = None;
            if !self.settings.allow_local_reference && self.has(Remedy::NoLocalReference) {
                self.blame(Reason::LocalReference);
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
                self.blame(reason);
                return;
            }
            self.warn_of_undeclared_reference_clock(tracking, findings);
        }
        if self.held.point().is_some() {
            self.advance(Event::Report, Reason::Tracking);
            self.validated_raw_ns = answered.raw_ns;
            self.leap = tracking.leap;
            self.reference_id = tracking.ref_id;
        }
    }

    fn is_local(&self, tracking: &Tracking) -> bool {
        let zero_distance = tracking.root_delay_s <= 0.0 && tracking.root_dispersion_s <= 0.0;
        tracking.ref_id == LOCAL_REFERENCE_ID || zero_distance
    }

    /// The report is as good as none, for this reason: the held interval lapses by itself.
    fn blame(&mut self, reason: Reason) {
        self.trouble = reason;
        if self.status == ClockStatus::Unknown {
            self.reason = reason;
        }
    }

    fn advance(&mut self, event: Event, reason: Reason) {
        self.status = next(self.status, event);
        self.reason = reason;
    }

    /// Nothing is known any more.
    fn void(&mut self, reason: Reason) {
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
        self.advance(Event::Void, reason);
    }

    /// How far back rates are measured, ns.
    fn span_ns(&self) -> i64 {
        self.settings
            .holdover_ns
            .max(self.poll_ns.saturating_mul(POLLS_PER_SPAN))
    }

    fn announce_leap(&mut self, tracking: &Tracking, samples: &[Sample], at: &Readings) {
        let change = match tracking.leap {
            Leap::InsertSecond => Some(Change::Insert),
            Leap::DeleteSecond => Some(Change::Delete),
            Leap::Normal | Leap::Unsynchronized => None,
        };
        let now = self.held.at(at.raw_ns);
        let now = now.or_else(|| samples.first().map(|sample| sample.point.interval));
        if let Some(now) = now {
            let before = self.leap_second.announced();
            self.leap_second.announce(change, now);
            self.changed_much |= self.leap_second.announced() != before;
        }
    }

    /// Measurements of several sources are compared in one count of seconds only.
    fn forget_the_other_count(&mut self, at: &Readings) {
        let held = self.held.at(at.raw_ns);
        let since_ns = held.and_then(|held| self.leap_second.settled_since_ns(held, at.raw_ns));
        if let Some(since_ns) = since_ns {
            self.sources.forget_before(since_ns);
        }
    }

    /// Takes an interval that contains true time, if the premises hold.
    fn observe(&mut self, sample: Sample, findings: &mut Vec<Finding>) {
        let point = sample.point;
        if !self.settle_leap_second(point, findings) {
            return;
        }
        self.poll_ns = sample.poll_ns;
        self.changed = true;
        self.sampled = Some((point, sample.budget));
        if let (Some(contradiction), Some(held)) = (self.contradiction, self.held.at(point.raw_ns))
        {
            self.changed_much = true;
            let two_polls_ns = sample.poll_ns.saturating_mul(2);
            let verdict = contradiction.weigh(held, point, self.tolerance, two_polls_ns);
            self.decide(verdict, point, findings);
            return;
        }
        let span_ns = if self.has(Remedy::BandExpiry) {
            self.span_ns()
        } else {
            i64::MAX
        };
        match self.held.observe(point, span_ns) {
            Observed::Agrees => self.observe_wander(point.raw_ns, findings),
            Observed::Disjoint(held) => {
                self.changed_much = true;
                findings.push(Finding::Contradiction {
                    held,
                    measured: point.interval,
                    source: sample.key,
                });
                self.void_wander(i64::MIN);
                if self.has(Remedy::Hull) {
                    self.contradiction = Some(Contradiction::new(point));
                } else {
                    self.held.begin(point);
                }
            }
            Observed::RateImpossible => {
                self.changed_much = true;
                findings.push(Finding::DriftExceeded);
                self.void_wander(i64::MIN);
            }
        }
    }

    fn decide(&mut self, verdict: Verdict, point: Point, findings: &mut Vec<Finding>) {
        match verdict {
            Verdict::Open(narrowed, next) => {
                if let Some(interval) = narrowed {
                    let raw_ns = point.raw_ns;
                    self.held.narrow(Point { raw_ns, interval });
                }
                self.contradiction = Some(next);
            }
            Verdict::Held => {
                self.contradiction = None;
                findings.push(Finding::ContradictionEnded { held_stands: true });
                self.held.narrow(point);
            }
            Verdict::Other(other) => {
                self.contradiction = None;
                findings.push(Finding::ContradictionEnded { held_stands: false });
                self.held.begin(other);
            }
        }
    }

    fn observe_wander(&mut self, raw_ns: i64, findings: &mut Vec<Finding>) {
        let (Some(wander), Some(point)) = (&mut self.wander, self.held.point()) else {
            return;
        };
        if raw_ns < wander.void_until_ns {
            return;
        }
        // This premise is about all of time: a pair proves something however long ago it was measured, and a breach
        // that is slow beside the errors of measurements is seen in long ones only.
        let agrees = wander.held.observe(point, i64::MAX) == Observed::Agrees;
        // Both premises are about the rate of now: it is in what either of them proves.
        let rates = wander.held.growth().published(raw_ns, 0);
        let may_be = rates.intersect(self.held.growth().band()).is_some();
        if !agrees || !may_be {
            findings.push(Finding::WanderExceeded);
            let until_ns = raw_ns.saturating_add(self.settings.holdover_ns);
            self.void_wander(until_ns);
        }
    }

    /// The wander premise is not relied on before this instant, and begins anew then.
    fn void_wander(&mut self, until_ns: i64) {
        if let Some(wander) = &mut self.wander {
            wander.held.clear();
            wander.void_until_ns = wander.void_until_ns.max(until_ns);
        }
    }

    /// Whether a measurement can be used as far as leap seconds are concerned; one may show that the leap has happened.
    fn settle_leap_second(&mut self, point: Point, findings: &mut Vec<Finding>) -> bool {
        let held = self.held.at(point.raw_ns);
        let to_use = self.leap_second.use_of(held, point.interval);
        match to_use {
            Use::AsItIs => true,
            Use::Not => !self.has(Remedy::LeapSettling),
            Use::AfterMoving(by_ns) => {
                self.changed_much = true;
                self.leap_second.clear();
                self.held.shift(by_ns);
                if let Some(wander) = &mut self.wander {
                    wander.held.shift(by_ns);
                }
                if let Some(contradiction) = &mut self.contradiction {
                    contradiction.other.interval = contradiction.other.interval.shift(by_ns);
                }
                self.sources.forget();
                let happened = by_ns != 0;
                findings.push(Finding::LeapSecondDecided { happened });
                true
            }
        }
    }
}

/// Whether the machine was suspended between two readings of the clocks.
fn was_suspended(before: &Readings, after: &Readings) -> bool {
    after.suspended_ns.saturating_sub(before.suspended_ns) > SUSPEND_NOISE_NS
}

fn drift_ppt(settings: &Settings) -> i64 {
    i64::from(settings.max_drift_ppb) * PPT_PER_PPB
}

/// 0 without the premise.
fn wander_ppt_per_s(settings: &Settings) -> i64 {
    i64::from(settings.max_wander_ppb_per_s.unwrap_or(0)) * PPT_PER_PPB
}
