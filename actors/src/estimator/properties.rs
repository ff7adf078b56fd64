//! Properties of the estimator's parts, for any sequence that keeps to the premises.

use proptest::prelude::*;

use super::held::Held;
use super::history::Point;
use super::rate_band::{DriftBand, Growth};
use super::sample::{Reported, greatest_age_ns, is_new};
use super::simulation::bench::{Bench, MS, PPM, settings};
use super::simulation::line::Line;
use super::status::ClockStatus;
use super::*;
use crate::chrony::{Address, SourceData, SourceMode, SourceState};
use crate::time::{
    FREQUENCY_LIMIT, Interval, NS_PER_S, Rate, RateBand, RawInstant, RealtimeInstant,
};

const SPAN_NS: i64 = 1_000 * NS_PER_S;

/// A step of the oscillator: seconds, where the rate is in its tube, half the width of a
/// measurement in ns, where truth is in it.
fn steps() -> impl Strategy<Value = Vec<(i64, f64, i64, f64)>> {
    proptest::collection::vec(
        (
            1..200i64,
            -1.0..1.0f64,
            1_000..10_000_000i64,
            -0.99..0.99f64,
        ),
        2..200,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_band_contains_the_rate_and_the_held_interval_true_time(
        drift_ppt in 1_000_000..100_000_000i64, centre_ppm in -300.0..300.0f64, steps in steps(),
    ) {
        let mut held = Held::new(DriftBand::new(Rate::from_ppt(drift_ppt), RateBand::within(FREQUENCY_LIMIT), SPAN_NS));
        let mut utc = Line { value_ns: 1_800_000_000 * NS_PER_S, ..Line::default() };
        let mut now_ns = 0;
        for (seconds, place, half_ns, off) in steps {
            let rate = centre_ppm * 1e-6 + place * drift_ppt as f64 * 0.49e-12;
            utc.turn(now_ns, rate, 0.0);
            now_ns += seconds * NS_PER_S;
            let centre = RealtimeInstant::from_ns(utc.at(now_ns)) + (half_ns as f64 * off) as i64;
            let new = Point { raw: RawInstant::from_ns(now_ns), interval: Interval::around(centre, half_ns) };
            if let Some(before) = held.at(new.raw) {
                prop_assert!(before.contains(RealtimeInstant::from_ns(utc.at(now_ns))));
            }
            prop_assert_eq!(held.observe(new, SPAN_NS), held::Observed::Agrees);
            let band = held.growth().band();
            let rate = Rate::from_ppt((rate * 1e12) as i64);
            prop_assert!((band.slowest..=band.fastest).contains(&rate), "{:?} {:?}", band, rate);
        }
    }

    #[test]
    fn a_false_rate_is_dropped_after_the_span(false_ppm in -400..400i64, at_s in 0..10_000i64) {
        let tolerance = RateBand::within(FREQUENCY_LIMIT);
        let mut band = DriftBand::new(Rate::from_ppm(1), tolerance, SPAN_NS);
        let at = RawInstant::from_ns(at_s * NS_PER_S);
        band.learn(at, at + NS_PER_S, RateBand::new(Rate::from_ppm(false_ppm), Rate::from_ppm(false_ppm)));
        prop_assert_ne!(band.band(), tolerance);
        band.expire(at + SPAN_NS + 1, SPAN_NS);
        prop_assert_eq!(band.band(), tolerance);
    }

    #[test]
    fn fewer_wrong_measurements_than_decide_never_lose_true_time(
        before in 1..20i64, lies in proptest::collection::vec((any::<bool>(), 20..2_000i64), 1..8), after in 1..20i64,
    ) {
        let mut bench = Bench::new(settings(), None);
        bench.measure_for(before, 0);
        for (ahead, ms) in lies {
            bench.measure_for(1, if ahead { ms } else { -ms } * MS);
        }
        bench.measure_for(after, 0);
        prop_assert!(bench.contained_truth);
        prop_assert!(bench.estimator.contradiction.is_none());
    }

    #[test]
    fn as_many_wrong_sources_as_allowed_never_lose_true_time(
        liars in 1..4usize, first in any::<prop::sample::Index>(),
        steps in proptest::collection::vec(
            (any::<prop::sample::Index>(), prop_oneof![-2_000 * MS..2_000 * MS, -MS..MS], 1..3_000i64, -20.0..20.0f64), 20..120),
    ) {
        let number = 2 * liars + 1;
        let mut bench = Bench::new(Settings { falsetickers: liars, ..settings() }, None).with_servers(number as u32);
        bench.poll();
        // Any of them may be the one that chronyd selects, which is the first.
        let first = first.index(number);
        for n in 0..number {
            bench.measure_server(n, 0);
        }
        bench.host.selected = Some(0);
        bench.poll();
        prop_assert_eq!(bench.published.status, ClockStatus::Synchronized);
        for (index, lie_ns, ms, ppm) in steps {
            let n = index.index(number);
            let lies = (n + number - first) % number < liars;
            bench.rate(ppm * PPM);
            bench.pass(ms * MS);
            bench.poll();
            bench.measure_server(n, if lies { lie_ns } else { 0 });
            bench.pass(50 * MS);
            bench.poll();
        }
        prop_assert!(bench.contained_truth);
    }

    #[test]
    fn state_is_restored_from_its_bytes_and_from_no_part_of_them(seconds in 1..40i64, wander: bool) {
        let wandering = Settings { max_wander_ppb_per_s: wander.then_some(20), ..settings() };
        let mut bench = Bench::new(wandering, None);
        bench.measure_for(seconds, 0);
        let at = bench.readings();
        let state = bench.estimator.state(&at);
        let bytes = state.to_bytes();
        prop_assert_eq!(State::from_bytes(&bytes), Some(state));
        for length in 0..bytes.len() {
            prop_assert_eq!(State::from_bytes(&bytes[..length]), None);
        }
    }

    #[test]
    fn the_next_life_starts_with_any_bytes(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<i64>(), -10..10i64]), 1..6),
        noise in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        prop_assert_eq!(State::from_bytes(&noise), None);
        let mut bench = Bench::new(Settings { max_wander_ppb_per_s: Some(20), ..settings() }, None);
        bench.measure_for(10, 0);
        let at = bench.readings();
        let mut bytes = bench.estimator.state(&at).to_bytes();
        for (index, word) in changes {
            let at = 8 * index.index(bytes.len() / 8);
            bytes[at..at + 8].copy_from_slice(&word.to_ne_bytes());
        }
        let Some(state) = State::from_bytes(&bytes) else { return Ok(()) };
        bench.resume(state);
        bench.measure_for(3, 0);
    }
}

fn data(mode: SourceMode, since_sample_s: u32, original_offset_s: f64) -> SourceData {
    SourceData {
        address: Address::Id(1),
        poll: 6,
        stratum: 1,
        state: SourceState::Selected,
        mode,
        flags: 0,
        reachability: 1,
        since_sample_s,
        original_offset_s,
        offset_s: original_offset_s,
        offset_error_s: 0.001,
    }
}

#[test]
fn a_measurement_is_as_old_as_the_last_report_unless_its_age_is_greater() {
    let tenth = Some(NS_PER_S / 10);
    for (mode, since_s, since_report_ns, now_ns, age_ns) in [
        (
            SourceMode::Client,
            0,
            tenth,
            10 * NS_PER_S + 500 * MS,
            100 * MS,
        ),
        // The second has just begun: the measurement may be from the one before.
        (
            SourceMode::Client,
            1,
            tenth,
            10 * NS_PER_S + 50 * MS,
            100 * MS,
        ),
        (
            SourceMode::Client,
            1,
            tenth,
            10 * NS_PER_S + 500 * MS,
            2 * NS_PER_S,
        ),
        (SourceMode::Client, 64, tenth, 10 * NS_PER_S, 65 * NS_PER_S),
        (
            SourceMode::Client,
            3,
            Some(4 * NS_PER_S),
            10 * NS_PER_S,
            4 * NS_PER_S,
        ),
        (SourceMode::Client, 7, None, 10 * NS_PER_S, 8 * NS_PER_S),
        (
            SourceMode::Reference,
            0,
            tenth,
            10 * NS_PER_S,
            64 * NS_PER_S,
        ),
        (
            SourceMode::Reference,
            99,
            tenth,
            10 * NS_PER_S,
            100 * NS_PER_S,
        ),
    ] {
        let data = data(mode, since_s, 0.1);
        assert_eq!(
            greatest_age_ns(&data, since_report_ns, 0, RealtimeInstant::from_ns(now_ns)),
            age_ns,
            "{mode:?} {since_s} {since_report_ns:?} {now_ns}"
        );
    }
}

#[test]
fn a_report_is_new_when_its_original_offset_is_or_chronyd_used_it_again() {
    let report = |since_s, offset, error, ref_time_ns| Reported {
        data: SourceData {
            offset_error_s: error,
            ..data(SourceMode::Reference, since_s, offset)
        },
        ref_time_ns,
    };
    let before = report(16, 0.1, 0.001, 5);
    for (now, was_set, new) in [
        (report(16, 0.1, 0.001, 5), false, false),
        (report(17, 0.1, 0.001, 5), false, false),
        (report(0, 0.2, 0.001, 5), false, true),
        (report(0, 0.1, 0.001, 6), false, true),
        (report(0, 0.1, 0.001, 6), true, false),
        (report(17, 0.1, 0.001, 6), false, false),
        (report(u32::MAX, 0.0, 0.0, 6), false, false),
        // The clock was set back: the age is -1.
        (report(u32::MAX, 0.1, 0.001, 5), false, false),
    ] {
        assert_eq!(is_new(&before, &now, was_set), new, "{now:?} {was_set}");
    }
    let ahead = report(u32::MAX, 0.1, 0.001, 5);
    assert!(!is_new(&ahead, &report(0, 0.1, 0.001, 5), false));
    assert!(is_new(&report(u32::MAX, 0.0, 0.0, 5), &before, false));
}
