//! Whether `CLOCK_REALTIME` runs off behind chronyd's back.
//!
//! What chronyd reports between two measurements is the last one, carried on by the system clock. Its own slews
//! and steps it takes account of; a frequency that somebody else left in the kernel it does not know of. Only
//! `CLOCK_MONOTONIC_RAW` shows that: corrected time must advance against it as the oscillator does.

use crate::bound::{NS_PER_S, growth_ns, scaled_ns};
use crate::chrony::Tracking;
use crate::clocks::Readings;

/// The kernel changes a clock's rate by at most a tenth (adjtimex(2), `tick`), parts per billion.
pub(crate) const FASTEST_SLEW_PPB: u32 = 100_000_000;

/// The first report of chronyd's last measurement, and how the clock was running off before.
#[derive(Clone, Debug, Default)]
pub struct RunOff {
    ref_time_ns: i64,
    raw_ns: i64,
    corrected_ns: i64,
    /// How fast the clock ran off when it was last looked at, parts per billion.
    rate_ppb: u32,
    inherited_ns: i64,
}

impl RunOff {
    /// How far the system clock has run off since chronyd's last measurement was first reported, ns: more than an
    /// oscillator that is doubted by `growth_ppb` can have.
    ///
    /// `corrected_ns` is the system clock at that instant with chronyd's correction; the measurement is `age_ns` old at
    /// most.
    pub fn observe(
        &mut self,
        tracking: &Tracking,
        corrected_ns: i64,
        growth_ppb: u32,
        age_ns: i64,
        at: &Readings,
    ) -> i64 {
        if tracking.ref_time_ns != self.ref_time_ns || at.raw_ns < self.raw_ns {
            self.begin(tracking, corrected_ns, at);
            self.inherited_ns = growth_ns(age_ns, self.rate_ppb);
            return 0;
        }
        let elapsed_ns = at.raw_ns.saturating_sub(self.raw_ns);
        let rate_ppb = -((tracking.freq_ppm * 1_000.0).round() as i64);
        let expected_ns = elapsed_ns.saturating_add(scaled_ns(elapsed_ns, rate_ppb));
        let gained_ns = corrected_ns.saturating_sub(self.corrected_ns);
        let off_ns = gained_ns.saturating_sub(expected_ns).saturating_abs();
        let beyond_ns = off_ns
            .saturating_sub(growth_ns(elapsed_ns, growth_ppb))
            .saturating_sub(at.gap_ns)
            .max(0);
        if elapsed_ns > 0 {
            self.rate_ppb = if beyond_ns > 0 {
                rate(off_ns, elapsed_ns)
            } else {
                0
            };
        }
        beyond_ns
    }

    /// How far the clock may have run off between the measurement and its first report, ns: it did so before.
    pub fn inherited_ns(&self) -> i64 {
        self.inherited_ns
    }

    /// How fast the clock ran off when it was last looked at, parts per billion; 0 when it did not.
    pub fn rate_ppb(&self) -> u32 {
        self.rate_ppb
    }

    /// Counts from this report on.
    pub fn begin(&mut self, tracking: &Tracking, corrected_ns: i64, at: &Readings) {
        self.ref_time_ns = tracking.ref_time_ns;
        self.raw_ns = at.raw_ns;
        self.corrected_ns = corrected_ns;
    }
}

/// Parts per billion, rounded up; 0 for what no slew can do, which is a step and does not go on.
fn rate(off_ns: i64, elapsed_ns: i64) -> u32 {
    let ppb = i128::from(off_ns) * i128::from(NS_PER_S) / i128::from(elapsed_ns) + 1;
    match u32::try_from(ppb) {
        Ok(ppb) if ppb <= FASTEST_SLEW_PPB => ppb,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chrony::{Address, Leap};

    const GROWTH_PPB: u32 = 50_000;

    fn tracking(ref_s: i64, freq_ppm: f64) -> Tracking {
        Tracking {
            ref_id: 1,
            address: Address::Unspecified,
            stratum: 2,
            leap: Leap::Normal,
            ref_time_ns: ref_s * NS_PER_S,
            current_correction_s: 0.0,
            last_offset_s: 0.0,
            rms_offset_s: 0.0,
            freq_ppm,
            resid_freq_ppm: 0.0,
            skew_ppm: 0.1,
            root_delay_s: 0.0,
            root_dispersion_s: 1e-3,
            last_update_interval_s: 1.0,
        }
    }

    fn at(ns: i64) -> Readings {
        Readings {
            coarse_ns: ns,
            raw_ns: ns,
            realtime_ns: ns,
            gap_ns: 20,
            kernel_ppb: None,
            suspended_ns: 0,
        }
    }

    /// What is seen when corrected time gains `ppb` on the raw clock for 4 s.
    fn seen(freq_ppm: f64, ppb: i64) -> i64 {
        let mut run_off = RunOff::default();
        let elapsed_ns = 4 * NS_PER_S;
        run_off.observe(&tracking(1, freq_ppm), 7, GROWTH_PPB, NS_PER_S, &at(0));
        let corrected_ns = 7 + elapsed_ns + scaled_ns(elapsed_ns, ppb);
        let now = at(elapsed_ns);
        run_off.observe(
            &tracking(1, freq_ppm),
            corrected_ns,
            GROWTH_PPB,
            NS_PER_S,
            &now,
        )
    }

    #[test]
    fn a_clock_that_goes_as_chronyd_says_has_not_run_off() {
        for (freq_ppm, ppb) in [(0.0, 0), (30.0, -30_000), (-400.0, 400_000)] {
            assert_eq!(seen(freq_ppm, ppb), 0, "{freq_ppm} ppm");
        }
    }

    #[test]
    fn an_oscillator_may_drift() {
        assert_eq!(seen(30.0, -30_000 + i64::from(GROWTH_PPB)), 0);
    }

    #[test]
    fn what_an_oscillator_cannot_do_is_run_off_either_way() {
        for ppb in [8_000_000, -8_000_000] {
            let off_ns = seen(0.0, ppb);
            assert!((31_799_000..=31_800_000).contains(&off_ns), "{off_ns}");
        }
    }

    #[test]
    fn a_new_measurement_begins_anew() {
        let mut run_off = RunOff::default();
        run_off.observe(&tracking(1, 0.0), 0, GROWTH_PPB, NS_PER_S, &at(0));
        let now = at(NS_PER_S);
        let off_ns = run_off.observe(&tracking(2, 0.0), 2 * NS_PER_S, GROWTH_PPB, NS_PER_S, &now);
        assert_eq!(off_ns, 0);
    }

    #[test]
    fn what_a_clock_ran_off_before_may_have_gone_on_until_the_first_report() {
        let mut run_off = RunOff::default();
        let mut at_second = |second: i64, ref_s: i64, gained_ns: i64| {
            let now = at(second * NS_PER_S);
            let corrected_ns = second * NS_PER_S + gained_ns;
            run_off.observe(
                &tracking(ref_s, 0.0),
                corrected_ns,
                GROWTH_PPB,
                NS_PER_S,
                &now,
            );
            run_off.inherited_ns()
        };
        // 8000 ppm from the second report on, and a new measurement at the third.
        assert_eq!(at_second(0, 1, 0), 0);
        assert_eq!(at_second(1, 1, 8_000_000), 0);
        let inherited_ns = at_second(2, 2, 16_000_000);
        assert!(
            (8_000_000..8_000_100).contains(&inherited_ns),
            "{inherited_ns}"
        );
        // It stays with this measurement, and ends with the next.
        assert_eq!(at_second(3, 2, 16_000_000), inherited_ns);
        assert_eq!(at_second(4, 3, 16_000_000), 0);
    }
}
