//! What the facts so far say about the clock: pure, no clock read, no IO, no logging.
//!
//! [`ClockState`](crate::clock_state::ClockState) feeds it; every instant is an argument.
//!
//! Each report is an interval that contains truth, on `CLOCK_MONOTONIC_RAW`. The previous one, aged to the same
//! instant, contains it too: so does what they have in common. If they have nothing in common, somebody was wrong:
//! that is an [`Alarm`], and what is published is both and all between them.

use crate::bound::growth_ns;
use crate::chrony::{Leap, Tracking};
use crate::clocks::Readings;
use crate::estimate::{Estimate, whole_seconds};
use crate::facts::{Alarm, PollFailure, Report, Selection, Settings};
use crate::interpretation::{Disturbance, Interpretation};
use crate::leap;
use crate::remedy::Remedy;
use crate::run_off::FASTEST_SLEW_PPB;
use crate::status::{Event, Reason, next};

/// The reference id of chronyd's local mode, 127.127.1.1.
const LOCAL_REFERENCE_ID: u32 = 0x7f7f_0101;

/// A step smaller than this is not told from a reading that was interrupted, ns.
const READING_NOISE_NS: i64 = 100_000;

/// The PHC's error bound, as last read.
#[derive(Clone, Copy, Debug)]
struct PhcBound {
    bound_ns: i64,
    raw_ns: i64,
}

/// A step of `CLOCK_REALTIME` after which chronyd has not measured yet, as far as is known.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// The measurement that may be older than the step; `None` until a report after the step names it.
    stale_ref_time_ns: Option<i64>,
}

/// The running assessment: the current estimate and what the next one is made from.
#[derive(Debug)]
pub struct Assessment {
    settings: Settings,
    estimate: Estimate,
    phc: Option<PhcBound>,
    interpretation: Interpretation,
    step: Option<Step>,
    /// The last report was of a chronyd that is not synchronised, and this was its last measurement.
    unsynchronized_ref_time_ns: Option<i64>,
    /// The readings before, by which a step that nobody told of is noticed.
    last_readings: Option<Readings>,
    /// Why there is no newer report; what the status will be blamed on when the grace is over.
    trouble: Reason,
}

impl Assessment {
    /// Begins with `estimate`: a resumed one, or one that claims nothing.
    #[must_use]
    pub fn new(settings: Settings, estimate: Estimate) -> Self {
        Self {
            settings,
            estimate,
            phc: None,
            interpretation: Interpretation::default(),
            step: None,
            unsynchronized_ref_time_ns: None,
            last_readings: None,
            trouble: Reason::ChronySilent,
        }
    }

    fn has(&self, remedy: Remedy) -> bool {
        self.interpretation.has(remedy)
    }

    /// The estimate as it stands.
    #[must_use]
    pub fn estimate(&self) -> &Estimate {
        &self.estimate
    }

    /// What chronyd assumes of the oscillator, parts per billion, as far as it has shown.
    #[must_use]
    pub fn max_clock_error_ppb(&self) -> Option<i64> {
        self.interpretation.max_clock_error_ppb()
    }

    /// The PHC's error bound was read at `raw_ns`.
    pub fn phc_read(&mut self, bound_ns: i64, raw_ns: i64) {
        self.phc = Some(PhcBound { bound_ns, raw_ns });
    }

    /// `CLOCK_REALTIME` was set. What is known on `CLOCK_MONOTONIC_RAW` stays true; what chronyd
    /// reports from measurements before this instant does not.
    ///
    /// A chronyd that was not synchronised until now has no such measurements, and may well have set the clock itself.
    pub fn clock_set(&mut self) {
        self.step = Some(Step {
            stale_ref_time_ns: self.unsynchronized_ref_time_ns,
        });
        self.trouble = Reason::ClockStepped;
        self.interpretation.disturb();
    }

    /// The machine was suspended: `CLOCK_MONOTONIC_RAW` stood still, and nothing is known any more.
    pub fn suspended(&mut self, now: &Readings) {
        self.clock_set();
        if self.has(Remedy::SuspendVoid) {
            self.advance(Event::Void, now);
        }
    }

    /// A poll of chronyd that began at `at` ended at `now`.
    ///
    /// Returns an alarm when the report contradicts what was known.
    pub fn polled(
        &mut self,
        outcome: Result<&Report, PollFailure>,
        at: &Readings,
        now: &Readings,
    ) -> Option<Alarm> {
        let mut alarm = None;
        self.notice_step(at);
        match outcome {
            Err(PollFailure::Silent) => self.trouble = Reason::ChronySilent,
            Err(PollFailure::Refused | PollFailure::NotPermitted) => {
                self.trouble = Reason::ReportRefused
            }
            Ok(report) => match self.validate(report, at, now) {
                Ok(reported) => alarm = self.accept(report, reported, at, now),
                Err(Rejection::NotNow(reason)) => self.trouble = reason,
                Err(Rejection::Becomes(event, reason)) => {
                    self.trouble = reason;
                    self.advance(event, now);
                }
            },
        }
        let tracking = outcome.ok().map(|report| &report.tracking);
        self.unsynchronized_ref_time_ns = tracking
            .filter(|tracking| tracking.leap == Leap::Unsynchronized)
            .map(|tracking| tracking.ref_time_ns);
        self.pass_time(now);
        alarm
    }

    /// Lets what has been held for too long lapse; called at every fact, and when none comes.
    pub fn pass_time(&mut self, now: &Readings) {
        if !self.estimate.status.is_trusted() {
            self.estimate = Estimate {
                status: self.estimate.status,
                ..Estimate::unknown(self.estimate.reason, now)
            };
            return;
        }
        let over_cap = self
            .settings
            .max_bound_ns
            .is_some_and(|cap_ns| self.estimate.to_v1(now).bound_ns > cap_ns);
        if now.raw_ns >= self.estimate.void_after_raw_ns {
            self.trouble = Reason::HoldoverExpired;
            self.advance(Event::Void, now);
        } else if over_cap {
            self.trouble = Reason::BoundOverCap;
            self.advance(Event::Void, now);
        } else if now.raw_ns.saturating_sub(self.estimate.validated_raw_ns) > self.settings.grace_ns
        {
            self.advance(Event::Silence, now);
        }
    }

    /// Notices a step that nobody told of, since the teller was between two lives or has yet to be heard.
    fn notice_step(&mut self, at: &Readings) {
        if let Some(before) = self.last_readings.replace(*at) {
            let elapsed_ns = at.raw_ns.saturating_sub(before.raw_ns);
            let slewed_ns =
                growth_ns(elapsed_ns, FASTEST_SLEW_PPB).saturating_add(READING_NOISE_NS);
            if at.gained_since(&before).saturating_abs() > slewed_ns {
                self.clock_set();
            }
        }
    }

    /// Whether the report, asked for at `at` and here at `now`, can be relied on, and the interval that it then
    /// stands for, at `at`.
    fn validate(
        &mut self,
        report: &Report,
        at: &Readings,
        now: &Readings,
    ) -> Result<(i64, i64), Rejection> {
        use Rejection::{Becomes, NotNow};
        let tracking = &report.tracking;
        if tracking.leap == Leap::Unsynchronized {
            return Err(Becomes(Event::Unsynchronized, Reason::LeapUnsynchronized));
        }
        let zero_distance = tracking.root_delay_s <= 0.0 && tracking.root_dispersion_s <= 0.0;
        if self.has(Remedy::NoLocalReference)
            && !self.settings.allow_local_reference
            && (tracking.ref_id == LOCAL_REFERENCE_ID || zero_distance)
        {
            return Err(Becomes(Event::Void, Reason::LocalReference));
        }
        // chronyd's local mode has no source to be reached.
        if tracking.ref_id != LOCAL_REFERENCE_ID && report.selection.is_unreachable() {
            return Err(NotNow(Reason::SourceUnreachable));
        }
        if report.selection == Selection::Outdated {
            return Err(NotNow(Reason::ChronySilent));
        }
        let phc_ns = self
            .phc_bound_ns(tracking.ref_id, at)
            .ok_or(NotNow(Reason::PhcUnreadable))?;
        let (reported, disturbance) =
            self.interpretation
                .interval(report, self.settings.max_drift_ppb, phc_ns, at, now);
        if disturbance == Disturbance::Step {
            self.clock_set();
        }
        self.survives_step(tracking, reported, at)
            .then_some(reported)
            .ok_or(NotNow(Reason::ClockStepped))
    }

    /// Whether a report may be believed although `CLOCK_REALTIME` was set: chronyd has measured since, and
    /// agrees with what is known.
    fn survives_step(&mut self, tracking: &Tracking, reported: (i64, i64), at: &Readings) -> bool {
        let Some(Step { stale_ref_time_ns }) =
            self.step.filter(|_| self.has(Remedy::StepQuarantine))
        else {
            return true;
        };
        let measured = Step {
            stale_ref_time_ns: Some(tracking.ref_time_ns),
        };
        if stale_ref_time_ns.is_none_or(|stale| stale == tracking.ref_time_ns) {
            self.step = Some(measured);
            return false;
        }
        let held = self
            .estimate
            .status
            .is_trusted()
            .then(|| self.estimate.aged_to(at.raw_ns));
        if held.is_some_and(|held| common(held, reported).is_none()) {
            // Measured, but from samples of both clocks.
            self.step = Some(measured);
            return false;
        }
        self.step = None;
        true
    }

    fn accept(
        &mut self,
        report: &Report,
        reported: (i64, i64),
        at: &Readings,
        now: &Readings,
    ) -> Option<Alarm> {
        // Around a leap second UTC is ambiguous, and what was known before is in the old count.
        let leap_is_near =
            leap::widening_ns(report.tracking.leap, reported.0.midpoint(reported.1)) > 0;
        let held = (self.estimate.status.is_trusted() && !leap_is_near)
            .then(|| self.estimate.aged_to(at.raw_ns));
        let (interval, alarm) = match held {
            None => (reported, None),
            Some(held) => match common(held, reported) {
                Some(common) => (common, None),
                None if !self.has(Remedy::Union) => (reported, None),
                None => {
                    let all = (held.0.min(reported.0), held.1.max(reported.1));
                    (all, Some(Alarm { held, reported }))
                }
            },
        };
        let tracking = &report.tracking;
        let (frequency_ppb, growth_ppb) = self
            .interpretation
            .frequency(tracking, self.settings.max_drift_ppb);
        let (rate_ppb, doubt_ppb) = raw_rate_ppb(frequency_ppb, at.kernel_ppb);
        let mismatch_ppb = at
            .kernel_ppb
            .map_or(0, |kernel_ppb| kernel_ppb.saturating_add(frequency_ppb));
        // Nobody may be there to widen the interval when the leap second comes.
        let to_leap_ns = leap::until_near_ns(tracking.leap, interval.1).unwrap_or(i64::MAX);
        let holdover_ns = if self.has(Remedy::LeapVoid) {
            self.settings.holdover_ns.min(to_leap_ns)
        } else {
            self.settings.holdover_ns
        };
        let slewing = mismatch_ppb.saturating_abs() > i64::from(growth_ppb);
        self.estimate = Estimate {
            status: next(self.estimate.status, Event::Report),
            reason: if slewing {
                Reason::SlewInFlight
            } else {
                Reason::Tracking
            },
            raw_ns: at.raw_ns,
            earliest_ns: interval.0,
            latest_ns: interval.1,
            rate_ppb,
            growth_ppb: growth_ppb
                .saturating_add(doubt_ppb)
                .min(shm_layout::v1::DRIFT_LIMIT_PPB - 1),
            frequency_ppb,
            validated_raw_ns: now.raw_ns,
            void_after_raw_ns: at.raw_ns.saturating_add(holdover_ns),
            void_after_coarse_ns: whole_seconds(at.coarse_ns).saturating_add(holdover_ns),
            leap: leap::published(tracking.leap),
            reference_id: tracking.ref_id,
        };
        alarm
    }

    /// Takes a step of the state machine that leaves the held interval as it is, or drops it.
    fn advance(&mut self, event: Event, now: &Readings) {
        let status = next(self.estimate.status, event);
        self.estimate = if status.is_trusted() {
            Estimate {
                status,
                reason: self.trouble,
                ..self.estimate
            }
        } else {
            Estimate {
                status,
                ..Estimate::unknown(self.trouble, now)
            }
        };
    }

    /// What the PHC adds to the bound when chrony follows `reference_id`: nothing for any other
    /// source, `None` when it is the PHC and its bound is not known or too old.
    fn phc_bound_ns(&self, reference_id: u32, at: &Readings) -> Option<i64> {
        if self.settings.phc_reference_id != Some(reference_id) {
            return Some(0);
        }
        let phc = self.phc?;
        (at.raw_ns.saturating_sub(phc.raw_ns) <= self.settings.grace_ns).then_some(phc.bound_ns)
    }
}

/// Why a report is not accepted.
enum Rejection {
    /// It is as good as none: the last one is held, and lapses by itself.
    NotNow(Reason),
    /// It says that something happened.
    Becomes(Event, Reason),
}

/// What two intervals have in common.
fn common(a: (i64, i64), b: (i64, i64)) -> Option<(i64, i64)> {
    let (earliest, latest) = (a.0.max(b.0), a.1.min(b.1));
    (earliest <= latest).then_some((earliest, latest))
}

/// The rate of truth against `CLOCK_MONOTONIC_RAW`, less one, and how much of it is in doubt, parts per billion.
///
/// chrony's frequency is what the system clock gains when the kernel does not adjust it, and then it runs like
/// `CLOCK_MONOTONIC_RAW`. Only `chronyd -x` means the clock as it is, adjusted by whoever did: that is
/// the same while the kernel's adjustment is zero, and cannot be told from a slew while it is not.
fn raw_rate_ppb(frequency_ppb: i64, kernel_ppb: Option<i64>) -> (i64, u32) {
    let kernel_ppb = kernel_ppb.unwrap_or(0);
    let followed = kernel_ppb.saturating_add(frequency_ppb).saturating_abs()
        <= kernel_ppb.saturating_abs() / 2;
    let doubt_ppb = if followed {
        0
    } else {
        kernel_ppb.saturating_abs()
    };
    (
        frequency_ppb.saturating_neg(),
        u32::try_from(doubt_ppb).unwrap_or(u32::MAX),
    )
}

#[cfg(test)]
#[path = "assessment_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "assessment_remedies.rs"]
mod remedies;
