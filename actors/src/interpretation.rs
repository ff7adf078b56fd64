//! What a report of chronyd stands for: an interval that contains truth, and the oscillator's frequency.
//!
//! chronyd says what it believes, under its own assumptions. Each of the rooms that are asked here knows one of
//! those that may not hold: `dispersion` what it assumes of the oscillator, `measurement` that its line through many
//! measurements fits, `run_off` that nobody else moves the clock, `steadiness` that its frequency is the oscillator's.

use crate::bound::{NS_PER_S, root_distance_ns, signed_ns};
use crate::chrony::Tracking;
use crate::clocks::Readings;
use crate::dispersion::DispersionModel;
use crate::facts::{Report, Selection};
use crate::leap;
use crate::measurement::{Measurement, greatest_age_ns};
use crate::remedy::Remedy;
use crate::run_off::RunOff;
use crate::steadiness::{Frequency, Steadiness};

/// No oscillator is further from its nominal frequency, parts per billion: beyond it no kernel could be disciplined
/// (RFC 5905, `MAXFREQ`).
pub(crate) const FREQUENCY_TOLERANCE_PPB: u32 = 500_000;

/// The kernel begins and ends a slew at a tick, chronyd counts from when it asks for it: at the fastest slew that
/// is a difference of so much for a tick of 10 ms, ns.
const SLEW_DELAY_NS: i64 = 1_000_000;

/// What a report shows of the system clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// It goes as chronyd says.
    None,
    /// It has run off without chronyd's knowledge, so far that it amounts to a step.
    Step,
}

/// What the reports so far have shown.
#[derive(Debug, Default)]
pub struct Interpretation {
    dispersion: DispersionModel,
    run_off: RunOff,
    measurement: Measurement,
    steadiness: Steadiness,
    /// Taken away by tests.
    without: Option<Remedy>,
}

impl Interpretation {
    /// Without one of the remedies, to see that it matters.
    #[cfg(test)]
    pub(crate) fn without(remedy: Option<Remedy>) -> Self {
        Self {
            without: remedy,
            ..Self::default()
        }
    }

    pub(crate) fn has(&self, remedy: Remedy) -> bool {
        self.without != Some(remedy)
    }

    /// What chronyd assumes of the oscillator, parts per billion, as far as it has shown.
    #[must_use]
    pub fn max_clock_error_ppb(&self) -> Option<i64> {
        self.dispersion.max_clock_error_ppb()
    }

    /// The clock was set.
    pub fn disturb(&mut self) {
        self.steadiness.disturb();
    }

    /// The interval that the report stands for at `at`, when it was asked for: ns of UTC since 1970. It was here at
    /// `now`; the PHC's error bound is `phc_ns`.
    pub fn interval(
        &mut self,
        report: &Report,
        max_drift_ppb: u32,
        phc_ns: i64,
        at: &Readings,
        now: &Readings,
    ) -> ((i64, i64), Disturbance) {
        let tracking = &report.tracking;
        self.dispersion.observe(tracking, at);
        let correction_s = tracking.current_correction_s;
        let centre_ns = at.realtime_ns.saturating_add(signed_ns(correction_s));
        let age_ns = match &report.selection {
            Selection::Source(source) => greatest_age_ns(source),
            _ => NS_PER_S,
        };
        let (off_ns, disturbance) = self.run_off_ns(tracking, centre_ns, max_drift_ppb, age_ns, at);
        let when = |remedy, ns| if self.has(remedy) { ns } else { 0 };
        let late_ns = when(Remedy::LateAnswer, now.gained_since(at).saturating_abs());
        let phc_ns = when(Remedy::PhcBound, phc_ns);
        let distance_ns = root_distance_ns(
            tracking.root_delay_s,
            tracking.root_dispersion_s,
            correction_s,
            phc_ns,
        );
        let half_ns = [
            when(
                Remedy::DispersionShortfall,
                self.dispersion.shortfall_ns(tracking, max_drift_ppb, at),
            ),
            off_ns,
            when(Remedy::ReadingGap, at.gap_ns),
            late_ns,
            when(
                Remedy::LeapWidening,
                leap::widening_ns(tracking.leap, centre_ns),
            ),
        ]
        .into_iter()
        .fold(distance_ns, i64::saturating_add);
        let reported = (
            centre_ns.saturating_sub(half_ns),
            centre_ns.saturating_add(half_ns),
        );
        let Selection::Source(source) = &report.selection else {
            return (reported, disturbance);
        };
        if !self.has(Remedy::SingleMeasurement) {
            return (reported, disturbance);
        }
        let frequency = self.frequency(tracking, max_drift_ppb);
        let off_ppb = self.run_off.rate_ppb();
        let measured = self
            .measurement
            .observe(source, tracking, frequency, off_ppb, at);
        let more_ns = phc_ns.saturating_add(late_ns);
        let all = (
            reported.0.min(measured.0.saturating_sub(more_ns)),
            reported.1.max(measured.1.saturating_add(more_ns)),
        );
        (all, disturbance)
    }

    /// How far the system clock has run off without chronyd's knowledge since it measured, `age_ns` ago at most, ns.
    fn run_off_ns(
        &mut self,
        tracking: &Tracking,
        centre_ns: i64,
        max_drift_ppb: u32,
        age_ns: i64,
        at: &Readings,
    ) -> (i64, Disturbance) {
        if !self.has(Remedy::RunOff) {
            return (0, Disturbance::None);
        }
        let growth_ppb = self.dispersion.growth_ppb(tracking, max_drift_ppb);
        let off_ns = self
            .run_off
            .observe(tracking, centre_ns, growth_ppb, age_ns, at);
        if off_ns > 0 {
            self.steadiness.disturb();
        }
        let is_step = off_ns > SLEW_DELAY_NS;
        if is_step {
            self.run_off.begin(tracking, centre_ns, at);
        }
        let disturbance = if is_step {
            Disturbance::Step
        } else {
            Disturbance::None
        };
        let off_ns = off_ns.saturating_add(self.run_off.inherited_ns());
        (off_ns, disturbance)
    }

    /// What `CLOCK_REALTIME` would gain unadjusted, and how far from that its oscillator may run, parts per billion.
    pub fn frequency(&mut self, tracking: &Tracking, max_drift_ppb: u32) -> Frequency {
        let reported = self.reported_frequency(tracking, max_drift_ppb);
        if !self.has(Remedy::SteadyFrequency) {
            return reported;
        }
        let (frequency_ppb, doubt_ppb) =
            self.steadiness
                .believe(reported, tracking.ref_time_ns, max_drift_ppb);
        let doubt_ppb = doubt_ppb.min(shm_layout::v1::DRIFT_LIMIT_PPB - 1);
        (frequency_ppb, doubt_ppb)
    }

    /// The same, as chronyd has it.
    ///
    /// Before its third measurement chronyd calls any frequency possible (a skew of 1000000 ppm).
    fn reported_frequency(&self, tracking: &Tracking, max_drift_ppb: u32) -> Frequency {
        let growth_ppb = if self.has(Remedy::ChronysOwnDoubt) {
            self.dispersion.growth_ppb(tracking, max_drift_ppb)
        } else {
            max_drift_ppb
        };
        let worst_ppb = FREQUENCY_TOLERANCE_PPB.saturating_add(max_drift_ppb);
        if growth_ppb > worst_ppb {
            let worst_ppb = if self.has(Remedy::FrequencyTolerance) {
                worst_ppb
            } else {
                max_drift_ppb
            };
            return (0, worst_ppb.min(shm_layout::v1::DRIFT_LIMIT_PPB - 1));
        }
        ((tracking.freq_ppm * 1_000.0).round() as i64, growth_ppb)
    }
}
