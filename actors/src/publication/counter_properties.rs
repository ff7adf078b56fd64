//! Properties of the v3 record, with simulated counters: what the published clients compute from it
//! contains true time, in exact arithmetic, at every later value of the counter.

use proptest::collection::vec;
use proptest::prelude::*;
use shm_layout::v3::{Fraction, V3Record};

use super::counter_clock::CalibratedCounter;
use super::counter_projection::to_v3;
use crate::counter::simulated::{NS, SimulatedCounter, brackets, counters, timings};
use crate::counter::{Calibration, TickPeriod};
use crate::estimator::status::{ClockStatus, Reason};
use crate::estimator::{ErrorBudget, Estimate};
use crate::time::{
    CoarseInstant, Interval, NS_PER_S, Rate, RateBand, RawInstant, Readings, RealtimeInstant,
};

const UTC_NS: i64 = 1_800_000_000 * NS_PER_S;

fn readings(raw: RawInstant) -> Readings {
    Readings {
        coarse: CoarseInstant::from_ns(raw.as_ns()),
        raw,
        realtime: RealtimeInstant::from_ns(UTC_NS),
        gap_ns: 20,
        kernel: None,
        suspended_ns: 0,
    }
}

/// An interval as of `raw`.
fn estimate(raw: RawInstant, interval: Interval, band: RateBand) -> Estimate {
    let unknown = Estimate::unknown(ClockStatus::Unknown, Reason::Tracking, &readings(raw));
    Estimate {
        status: ClockStatus::Synchronized,
        interval,
        band,
        void_after: raw + 1_000 * NS_PER_S,
        budget: ErrorBudget::default(),
        is_simulated: false,
        ..unknown
    }
}

/// What the published clients 3.0.0-rc.0 compute, in their arithmetic: double precision, and each
/// number of ns without its fraction.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the clients convert in this way"
)]
fn published_client(record: &V3Record, counter: u64) -> (i64, i64) {
    let value =
        |fraction: Fraction| fraction.frac as f64 / 2_f64.powi(64 + i32::from(fraction.shift));
    let seconds = counter.saturating_sub(record.as_of_counter) as f64 * value(record.period);
    let ns = seconds * 1e9;
    let grown = seconds * f64::from(record.max_drift_ppb) + ns * value(record.period_error);
    let bound_ns = (record.bound_ns as f64 + grown) as i64;
    let now_ns = record.as_of_ns + ns as i64;
    (now_ns - bound_ns, now_ns + bound_ns)
}

#[derive(Clone, Debug)]
struct Scene {
    counter: SimulatedCounter,
    calibrated: CalibratedCounter,
    estimate: Estimate,
}

fn scenes() -> impl Strategy<Value = Scene> {
    let band = (-600_000_000..600_000_000_i64, 0..100_000_000_i64)
        .prop_map(|(low, span)| RateBand::new(Rate::from_ppt(low), Rate::from_ppt(low + span)));
    (
        counters(),
        vec(timings(), 2..60),
        0..2_000_000_000_i64,
        0..50_000_000_i64,
        band,
    )
        .prop_map(|(counter, timings, age_ns, width_ns, band)| {
            let brackets = brackets(&counter, 1_000, &timings);
            let mut calibration = Calibration::of(brackets[0]);
            for bracket in &brackets[1..] {
                calibration.add(*bracket).expect("no contradiction");
            }
            let bracket = calibration.last();
            let raw = counter.shown(bracket.before) - age_ns;
            let interval = Interval::from_ns(UTC_NS, UTC_NS + width_ns);
            Scene {
                counter,
                calibrated: CalibratedCounter {
                    bracket,
                    period: calibration.period(),
                },
                estimate: estimate(raw, interval, band),
            }
        })
        .prop_filter("the period is not known well enough", |scene| {
            scene.calibrated.period.error_ppb() <= 100_000
        })
}

proptest! {
    #[test]
    fn published_clients_and_ours_contain_the_native_interval_at_every_later_value(
        scene in scenes(), later_ns in vec(0..1_000 * NS_PER_S.unsigned_abs(), 8),
    ) {
        let Scene { counter, calibrated, estimate } = scene;
        let record = to_v3(&estimate, &calibrated, &readings(estimate.raw));
        prop_assert_eq!(record.status, ClockStatus::Synchronized);
        for later_ns in later_ns.into_iter().chain([0, 1, 40, 1_000]) {
            let value = record.as_of_counter + counter.ticks(later_ns);
            let native = estimate.at(counter.shown(value));
            let (earliest_ns, latest_ns) = published_client(&record, value);
            prop_assert!(
                earliest_ns <= native.earliest.as_ns() && native.latest.as_ns() <= latest_ns,
                "{}: {earliest_ns}..{latest_ns} lacks {native:?} of {record:?}", later_ns
            );
            let (our_earliest_ns, our_latest_ns, _) = record.aged_to(value);
            prop_assert!(our_earliest_ns <= earliest_ns && latest_ns <= our_latest_ns);
        }
    }

    #[test]
    fn true_time_at_the_limit_of_the_band_is_in_the_interval_in_exact_arithmetic(
        scene in scenes(), later_ns in 0..1_000 * NS_PER_S.unsigned_abs(), late: bool,
    ) {
        let Scene { counter, calibrated, estimate } = scene;
        let record = to_v3(&estimate, &calibrated, &readings(estimate.raw));
        let value = record.as_of_counter + counter.ticks(later_ns);
        // In units of 2^-32 ns. The clock showed `raw` from its start on.
        let elapsed = counter.exact(value) - i128::from(estimate.raw.as_ns()) * NS;
        let (start, rate) = if late {
            (estimate.interval.latest, estimate.band.fastest)
        } else {
            (estimate.interval.earliest, estimate.band.slowest)
        };
        let gained = elapsed * i128::from(rate.as_ppt()) / 1_000_000_000_000;
        let truth = i128::from(start.as_ns()) * NS + elapsed + gained;
        let (earliest_ns, latest_ns) = published_client(&record, value);
        prop_assert!(i128::from(earliest_ns) * NS <= truth, "early");
        prop_assert!(truth <= i128::from(latest_ns) * NS, "late");
    }

    #[test]
    fn the_width_is_that_of_the_native_interval(scene in scenes()) {
        let Scene { calibrated, estimate, .. } = scene;
        let record = to_v3(&estimate, &calibrated, &readings(estimate.raw));
        let native = estimate.at(calibrated.bracket.raw);
        let width_ns = 2 * record.bound_ns - native.width_ns();
        let CalibratedCounter { bracket, period } = calibrated;
        // The bracket in which the counter was read, a tick, and rounding.
        let readings_ns = period.longest_ns(bracket.ticks()) + period.longest_ns(1);
        prop_assert!((0..=readings_ns * 1_001 / 1_000 + 20).contains(&width_ns), "{}", width_ns);
    }
}

#[test]
fn a_period_that_is_wrong_by_a_part_per_million_loses_the_native_interval_within_seconds() {
    let counter = SimulatedCounter {
        multiplier: NS * 10 / 26,
        offset: 0,
    };
    let rounds = brackets(&counter, 1_000, &[(100_000_000, 20, 20); 100]);
    let mut calibration = Calibration::of(rounds[0]);
    for bracket in &rounds[1..] {
        calibration.add(*bracket).expect("no contradiction");
    }
    let bracket = calibration.last();
    let period: TickPeriod = calibration.period();
    // A steady oscillator, so that the interval does not grow.
    let band = RateBand::within(Rate::from_ppt(0));
    let raw = counter.shown(bracket.before);
    let estimate = estimate(raw, Interval::from_ns(UTC_NS, UTC_NS + 2_000), band);
    let right = to_v3(
        &estimate,
        &CalibratedCounter { bracket, period },
        &readings(raw),
    );
    let wrong = V3Record {
        period: Fraction {
            frac: right.period.frac + right.period.frac / 1_000_000,
            ..right.period
        },
        ..right
    };
    let value = right.as_of_counter + counter.ticks(3 * NS_PER_S.unsigned_abs());
    let native = estimate.at(counter.shown(value));
    let has_native = |record: &V3Record| {
        let (earliest_ns, latest_ns) = published_client(record, value);
        earliest_ns <= native.earliest.as_ns() && native.latest.as_ns() <= latest_ns
    };
    assert!(has_native(&right) && !has_native(&wrong));
}
