//! Detects that another program slews `CLOCK_REALTIME`.
//!
//! chronyd reports the correction c that it has still to make, so that a slew of its own changes c
//! by as much as `CLOCK_REALTIME`, but in the other direction. With R, `CLOCK_REALTIME`, and r,
//! `CLOCK_MONOTONIC_RAW`,
//!
//! ```text
//!   S = (R - r) + c
//! ```
//! changes only by the kernel's frequency adjustment and by the frequency that chronyd reports,
//! until chronyd updates its clock or the clock is stepped. A larger change is a slew by another
//! program. A slew of less than 500 ppm cannot be distinguished from the frequency adjustment.

use super::sample;
use crate::chrony::{Leap, Tracking};
use crate::time::{FREQUENCY_LIMIT, Rate, RawInstant, Readings, scaled_ceil};

/// A smaller change can be the error of chronyd's own slews, ns: the kernel applies a new rate of
/// the clock at its next tick, which is up to 10 ms later.
const SLEW_NOISE_NS: i64 = 1_000_000;

/// S, as of one report.
#[derive(Clone, Copy, Debug)]
struct Corrected {
    raw: RawInstant,
    corrected_ahead_ns: i64,
    uncertainty_ns: i64,
    tracking: Tracking,
}

/// Compares each report with the first one after the last update of chronyd's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SlewDetection {
    baseline: Option<Corrected>,
}

impl SlewDetection {
    /// Takes a report that was requested at `at` and had arrived at `answered`. Returns by how much
    /// another program has moved the clock, ns. `was_stepped` returns whether the clock was stepped
    /// since an instant of `CLOCK_MONOTONIC_RAW`.
    pub fn take(
        &mut self,
        tracking: &Tracking,
        at: &Readings,
        answered: &Readings,
        was_stepped: impl Fn(RawInstant) -> bool,
    ) -> Option<i64> {
        if tracking.leap == Leap::Unsynchronized {
            self.baseline = None;
            return None;
        }
        let now = Corrected::new(tracking, at, answered);
        let baseline = self.baseline.filter(|baseline| {
            is_same_update(&baseline.tracking, tracking) && !was_stepped(baseline.raw)
        });
        let moved_ns = baseline.and_then(|baseline| now.unexplained_ns(&baseline));
        if baseline.is_none() || moved_ns.is_some() {
            self.baseline = Some(now);
        }
        moved_ns
    }

    /// The next report cannot be compared with those before.
    pub fn reset(&mut self) {
        self.baseline = None;
    }
}

impl Corrected {
    fn new(tracking: &Tracking, at: &Readings, answered: &Readings) -> Self {
        let (correction_ns, rounding_ns) = sample::correction_ns(tracking);
        let ahead_ns = at.ahead_ns();
        // chronyd read its clock between the two readings.
        let moved_ns = answered.ahead_ns().saturating_sub(ahead_ns);
        let uncertainty_ns = [moved_ns.saturating_abs(), answered.gap_ns, rounding_ns]
            .into_iter()
            .fold(at.gap_ns, i64::saturating_add);
        Self {
            raw: at.raw,
            corrected_ahead_ns: ahead_ns.saturating_add(correction_ns),
            uncertainty_ns,
            tracking: *tracking,
        }
    }

    /// By how much the clock moved since `before`, ns, if that is more than chronyd and the kernel
    /// account for.
    fn unexplained_ns(&self, before: &Self) -> Option<i64> {
        let elapsed_ns = self.raw - before.raw;
        let moved_ns = self
            .corrected_ahead_ns
            .saturating_sub(before.corrected_ahead_ns);
        let own = Rate::nearest_ppm(self.tracking.freq_ppm).abs();
        let explained_ns = scaled_ceil(elapsed_ns, FREQUENCY_LIMIT + own)
            .saturating_add(before.uncertainty_ns)
            .saturating_add(self.uncertainty_ns)
            .saturating_add(SLEW_NOISE_NS);
        (moved_ns.saturating_abs() > explained_ns).then_some(moved_ns)
    }
}

/// Whether chronyd has not changed its clock between two reports. chronyd moves the time of its
/// last update also when it steps the clock or changes its rate.
fn is_same_update(before: &Tracking, now: &Tracking) -> bool {
    let figures = |tracking: &Tracking| {
        [
            tracking.last_offset_s,
            tracking.rms_offset_s,
            tracking.freq_ppm,
            tracking.last_update_interval_s,
        ]
    };
    (before.ref_id, before.ref_time_ns) == (now.ref_id, now.ref_time_ns)
        && figures(before) == figures(now)
}

#[cfg(test)]
mod tests {
    use super::super::simulation::bench::{Bench, MS, PPM, settings};
    use super::super::{Finding, PollFailure};
    use crate::time::NS_PER_S;

    fn is_slew(finding: &Finding) -> bool {
        matches!(finding, Finding::ClockSlewed { .. })
    }

    /// A chronyd that steers the clock and has a measurement.
    fn bench() -> Bench {
        let mut bench = Bench::new(settings(), None);
        bench.host.steers = true;
        bench.measure(0);
        bench.host.correct(bench.now_ns, 30.0 * PPM, 0, false);
        bench
    }

    /// Polls each 100 ms; returns the slews that were found.
    fn slews(bench: &mut Bench, polls: usize) -> Vec<Finding> {
        let mut found = Vec::new();
        for _ in 0..polls {
            found.extend(bench.poll().into_iter().filter(is_slew));
            bench.pass(100 * MS);
        }
        found
    }

    #[test]
    fn a_slew_by_another_program_is_found() {
        for rate in [2_000.0 * PPM, -80_000.0 * PPM] {
            let mut bench = bench();
            assert_eq!(slews(&mut bench, 100), []);
            bench.host.end_slew(bench.now_ns);
            bench.host.steer(bench.now_ns, rate);
            let found = slews(&mut bench, 50);
            let [Finding::ClockSlewed { by_ns }, ..] = found[..] else {
                panic!("{rate}: {found:?}");
            };
            assert_eq!(by_ns > 0, rate > 0.0, "{by_ns}");
        }
    }

    #[test]
    fn slews_and_steps_of_chronyd_are_not_found() {
        for (offset_ns, step) in [(50 * MS, false), (-50 * MS, false), (50 * MS, true)] {
            let mut bench = bench();
            assert_eq!(slews(&mut bench, 10), []);
            let ends_ns = bench
                .host
                .correct(bench.now_ns, 30.0 * PPM, offset_ns, step);
            while ends_ns.is_some_and(|ends_ns| bench.now_ns < ends_ns) {
                assert_eq!(slews(&mut bench, 1), [], "{offset_ns}");
            }
            assert_eq!(slews(&mut bench, 10), [], "{offset_ns}");
        }
    }

    #[test]
    fn a_slew_is_not_found_across_a_failed_poll_or_a_step() {
        for fails in [true, false] {
            let mut bench = bench();
            assert_eq!(slews(&mut bench, 10), []);
            bench.set(if fails { 8 * MS } else { NS_PER_S });
            if fails {
                let at = bench.readings();
                let failed = Err(PollFailure::Silent);
                bench.estimator.polled(failed, &at, &at);
            }
            assert_eq!(slews(&mut bench, 10), [], "{fails}");
        }
    }

    #[test]
    fn a_step_between_two_polls_is_found_once() {
        let steps = |findings: Vec<Finding>| -> Vec<(i64, bool)> {
            let steps = findings.into_iter().filter_map(|finding| match finding {
                Finding::ClockStepped { by_ns, suspended } => Some((by_ns, suspended)),
                _ => None,
            });
            steps.collect()
        };
        let mut bench = Bench::new(settings(), None);
        bench.measure_for(3, 0);
        bench.set(-200 * MS);
        let found = steps(bench.poll());
        let [(by_ns, false)] = found[..] else {
            panic!("{found:?}");
        };
        assert!((by_ns + 200 * MS).abs() < MS, "{by_ns}");
        // The kernel's notification of the same step comes later.
        let at = bench.readings();
        assert_eq!(bench.estimator.clock_set(&at), None);
        bench.pass(100 * MS);
        assert_eq!(steps(bench.poll()), []);
        // The readings alone do not show a step of a millisecond.
        bench.pass(2 * NS_PER_S);
        bench.set(MS);
        assert_eq!(steps(bench.poll()), []);
        let at = bench.readings();
        assert!(bench.estimator.clock_set(&at).is_some());
        bench.host.suspend(100 * NS_PER_S, 0);
        let at = bench.readings();
        let found = bench.estimator.clocks_read(&at);
        assert!(matches!(
            found,
            Some(Finding::ClockStepped {
                suspended: true,
                ..
            })
        ));
    }
}
