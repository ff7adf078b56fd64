//! chronyd's own assumption about the oscillator, inferred and made up for.
//!
//! Between two measurements chronyd lets its root dispersion grow by
//! `skew + |residual frequency| + maxclockerror`, and `maxclockerror` is 1 ppm unless it is configured. It is in
//! no report, but two reports of one measurement (the same `ref_time`) show the slope. An oscillator
//! that may drift faster than the slope makes every report between two measurements too narrow by the
//! difference, and no growth afterwards repairs that.
//!
//! Source: chrony.conf(5), `maxclockerror`.

use crate::bound::{NS_PER_S, ceil_ppb, growth_ns};
use crate::chrony::Tracking;
use crate::clocks::Readings;

/// Reports of one measurement this far apart show the slope well enough, ns.
const BASELINE_NS: i64 = NS_PER_S / 4;

/// A chrony wire float's relative error, both of two.
const WIRE_FLOAT_ERROR: f64 = 2.0 / (1 << 23) as f64;

/// The reports of one measurement, and what they have shown.
#[derive(Clone, Debug, Default)]
pub struct DispersionModel {
    ref_time_ns: i64,
    first_raw_ns: i64,
    first_dispersion_s: f64,
    /// What chronyd adds on top of skew and residual frequency; not known before it was seen.
    max_clock_error_ppb: Option<i64>,
}

impl DispersionModel {
    /// Takes note of a report that was asked for `at` that instant.
    pub fn observe(&mut self, tracking: &Tracking, at: &Readings) {
        let elapsed_ns = at.raw_ns.saturating_sub(self.first_raw_ns);
        if tracking.ref_time_ns != self.ref_time_ns || elapsed_ns < 0 {
            self.ref_time_ns = tracking.ref_time_ns;
            self.first_raw_ns = at.raw_ns;
            self.first_dispersion_s = tracking.root_dispersion_s;
        } else if elapsed_ns >= BASELINE_NS {
            let grown_s = tracking.root_dispersion_s - self.first_dispersion_s;
            // Rounded so that too little is inferred rather than too much.
            let grown_s = grown_s - tracking.root_dispersion_s * WIRE_FLOAT_ERROR;
            let slope_ppb = (grown_s * 1e18 / elapsed_ns as f64).floor() as i64;
            self.max_clock_error_ppb = Some((slope_ppb - measured_growth_ppb(tracking)).max(0));
        }
    }

    /// chronyd's `maxclockerror` as far as it is known, parts per billion.
    #[must_use]
    pub fn max_clock_error_ppb(&self) -> Option<i64> {
        self.max_clock_error_ppb
    }

    /// How fast a bound made from `tracking` must grow, parts per billion: what the operator says of
    /// the oscillator, or what chronyd says of the clock if that is more.
    #[must_use]
    pub fn growth_ppb(&self, tracking: &Tracking, max_drift_ppb: u32) -> u32 {
        let chronys =
            measured_growth_ppb(tracking).saturating_add(self.max_clock_error_ppb.unwrap_or(0));
        u32::try_from(chronys)
            .unwrap_or(u32::MAX)
            .max(max_drift_ppb)
            .min(shm_layout::v1::DRIFT_LIMIT_PPB - 1)
    }

    /// What is missing from the report's dispersion if the oscillator drifted by `max_drift_ppb` since the
    /// last measurement, ns.
    #[must_use]
    pub fn shortfall_ns(&self, tracking: &Tracking, max_drift_ppb: u32, at: &Readings) -> i64 {
        // Too little is assumed to have been added, since skew may be rounded up.
        let added_ppb =
            (measured_growth_ppb(tracking) - 2).max(0) + self.max_clock_error_ppb.unwrap_or(0);
        let missing_ppb = u32::try_from(i64::from(max_drift_ppb) - added_ppb).unwrap_or(0);
        let corrected_ns = at
            .realtime_ns
            .saturating_add((tracking.current_correction_s * 1e9) as i64);
        let since_ns = corrected_ns.saturating_sub(tracking.ref_time_ns);
        // The time that we have seen it for is a lower limit: `ref_time` may be in a clock that was set.
        let seen_ns = at.raw_ns.saturating_sub(self.first_raw_ns);
        growth_ns(since_ns.max(seen_ns), missing_ppb)
    }
}

/// What chronyd has measured itself: skew and residual frequency, parts per billion.
fn measured_growth_ppb(tracking: &Tracking) -> i64 {
    ceil_ppb(tracking.skew_ppm).saturating_add(ceil_ppb(tracking.resid_freq_ppm))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bound::ceil_ns;
    use crate::chrony::{Address, Leap};
    use proptest::prelude::*;

    fn tracking(dispersion_s: f64) -> Tracking {
        Tracking {
            ref_id: 1,
            address: Address::Unspecified,
            stratum: 2,
            leap: Leap::Normal,
            ref_time_ns: 1_800_000_000 * NS_PER_S,
            current_correction_s: 0.0,
            last_offset_s: 0.0,
            rms_offset_s: 0.0,
            freq_ppm: 0.0,
            resid_freq_ppm: -0.5,
            skew_ppm: 1.5,
            root_delay_s: 0.0,
            root_dispersion_s: dispersion_s,
            last_update_interval_s: 1.0,
        }
    }

    fn after(s: f64) -> Readings {
        let ns = (s * 1e9) as i64;
        Readings {
            coarse_ns: ns,
            raw_ns: ns,
            realtime_ns: 1_800_000_000 * NS_PER_S + ns,
            gap_ns: 0,
            kernel_ppb: None,
            suspended_ns: 0,
        }
    }

    /// A chronyd whose dispersion grows by 2 ppm of its own and `max_clock_error_ppm`.
    fn seen(max_clock_error_ppm: f64, seconds: f64) -> (DispersionModel, Tracking) {
        let mut model = DispersionModel::default();
        let slope = (2.0 + max_clock_error_ppm) * 1e-6;
        model.observe(&tracking(1e-3), &after(0.0));
        let last = tracking(1e-3 + slope * seconds);
        model.observe(&last, &after(seconds));
        (model, last)
    }

    #[test]
    fn what_chronyd_assumes_is_read_off_the_slope() {
        for assumed in [0.0, 1.0, 50.0] {
            let inferred = seen(assumed, 10.0)
                .0
                .max_clock_error_ppb()
                .expect("inferred");
            let exact = (assumed * 1e3) as i64;
            assert!(
                (exact - 10..=exact).contains(&inferred),
                "{inferred} for {assumed} ppm"
            );
        }
    }

    #[test]
    fn too_short_a_time_shows_nothing_and_nothing_is_assumed() {
        let (model, last) = seen(1.0, 0.1);
        assert_eq!(model.max_clock_error_ppb(), None);
        // 50 ppm less the 2 that were measured.
        let missing = model.shortfall_ns(&last, 50_000, &after(0.1));
        assert!((4_800..4_801 + 2).contains(&missing), "{missing}");
    }

    #[test]
    fn what_chronyd_did_not_add_is_added_and_what_it_did_is_not_added_twice() {
        let (model, last) = seen(1.0, 10.0);
        let missing = model.shortfall_ns(&last, 50_000, &after(10.0));
        assert!((470_000..470_200).contains(&missing), "{missing}");
        let (model, last) = seen(50.0, 10.0);
        assert!(model.shortfall_ns(&last, 50_000, &after(10.0)) < 100);
    }

    #[test]
    fn the_growth_is_the_larger_of_the_operators_and_chronys() {
        let (model, last) = seen(1.0, 10.0);
        assert_eq!(model.growth_ppb(&last, 50_000), 50_000);
        let chronys = model.growth_ppb(&last, 1_000);
        assert!((2_990..=3_002).contains(&chronys), "{chronys}");
    }

    proptest! {
        #[test]
        fn with_the_shortfall_a_report_covers_any_drift_within_the_operators_limit(
            assumed in 0.0..100.0f64, seconds in 0.0..1000.0f64, drift_ppb in 0..50_000u32,
        ) {
            let (model, last) = seen(assumed, seconds);
            let at = after(seconds);
            // The oscillator drifted from the measurement on; chronyd's dispersion then was 1 ms, honestly.
            let error_ns = growth_ns(at.raw_ns, drift_ppb);
            let covered = ceil_ns(last.root_dispersion_s) + model.shortfall_ns(&last, 50_000, &at);
            prop_assert!(covered >= 1_000_000 + error_ns, "{covered} < {}", 1_000_000 + error_ns);
        }
    }
}
