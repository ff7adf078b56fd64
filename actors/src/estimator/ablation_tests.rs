//! Each safeguard is removed in a run with its hazard: the interval contains true time with it, and
//! loses it without it.

use super::ablation::Safeguard;
use super::sample::Charges;
use super::simulation::bench::{Bench, MS, PPM, UTC_NS, settings};
use super::simulation::host::Host;
use super::simulation::random::Rng;
use super::simulation::server::Server;
use super::simulation::wire::quantised;
use super::status::ClockStatus;
use super::*;
use crate::chrony::SourceData;
use crate::time::{
    CoarseInstant, FREQUENCY_LIMIT, NS_PER_S, RateBand, RawInstant, Readings, RealtimeInstant,
};

/// The hazard that a safeguard is for.
fn hazard(safeguard: Safeguard) -> fn(&mut Bench) {
    match safeguard {
        Safeguard::SampleAge => |bench| {
            // chronyd's frequency is wrong, and the first poll is late.
            bench.rate(400.0 * PPM);
            bench.host.correct(0, 400.0 * PPM, 0, false);
            bench.measure(0);
            bench.pass(4 * NS_PER_S);
            bench.poll();
        },
        Safeguard::ClockMoved => |bench| {
            bench.poll();
            bench.measure(0);
            bench.set(100 * MS);
            bench.poll();
        },
        Safeguard::SeenToArrive => |bench| {
            bench.measure_for(10, 0);
            bench.restart(|bench| {
                bench.pass(NS_PER_S);
                bench.set(450_000);
                bench.measure(0);
                bench.set(-450_000);
                bench.pass(NS_PER_S);
            });
            bench.poll();
        },
        Safeguard::ReadingGap => |bench| {
            bench.measure(0);
            bench.gap_ns = 5 * MS;
            bench.poll();
        },
        Safeguard::RootDistance => |bench| {
            bench.host.servers[0].declared_ns = 5 * MS;
            bench.measure(5 * MS);
            bench.poll();
        },
        Safeguard::FrequencyTolerance => |bench| {
            bench.rate(400.0 * PPM);
            bench.measure(0);
            bench.poll();
            bench.pass(500 * NS_PER_S);
        },
        Safeguard::DriftRate => |bench| {
            bench.measure_for(100, 0);
            bench.rate(45.0 * PPM);
            bench.pass(500 * NS_PER_S);
        },
        Safeguard::BandExpiry => |bench| {
            // The rate moves by three drift rates in three spans, in which measurements are poor.
            bench.measure_for(100, 0);
            bench.host.servers[0].declared_ns = 300 * MS;
            for n in 1..=30 {
                bench.rate(f64::from(n) * 5.0 * PPM);
                bench.pass(90 * NS_PER_S);
                bench.poll();
                bench.measure_for(10, 0);
            }
            bench.pass(900 * NS_PER_S);
        },
        Safeguard::Hull => |bench| {
            bench.measure_for(10, 0);
            bench.measure_for(1, 100 * MS);
        },
        Safeguard::SuspendVoid => |bench| {
            bench.measure_for(10, 0);
            bench.published.status = ClockStatus::Unknown;
            bench.host.suspend(100 * NS_PER_S, 0);
            bench.poll();
        },
        Safeguard::ExchangesEnded => |bench| {
            // The answer was sent before the pause, and is received after it.
            bench.measure_for(10, 0);
            bench.host.begin_exchange(0, bench.now_ns);
            bench.pass(100_000);
            bench.host.servers[0].lie_ns = 50;
            bench.host.serve(0, bench.now_ns, false);
            bench.disrupt(60 * NS_PER_S);
            bench.poll();
            bench.pass(100_000);
            bench.host.end_exchange(0, bench.now_ns, Some(true));
            bench.poll();
            bench.pass(NS_PER_S);
        },
        Safeguard::LeapCover => |bench| {
            bench.announce_insertion(20 * NS_PER_S);
            bench.measure_for(16, 0);
            bench.pass(3 * NS_PER_S);
            bench.poll();
            bench.pass(2 * NS_PER_S);
            bench.host.utc.value_ns -= NS_PER_S;
            bench.poll();
        },
        Safeguard::LeapVoid => |bench| {
            bench.announce_insertion(20 * NS_PER_S);
            bench.measure_for(10, 0);
            bench.pass(11 * NS_PER_S);
            bench.host.utc.value_ns -= NS_PER_S;
            bench.pass(NS_PER_S);
        },
        Safeguard::LeapSettling => |bench| {
            // The server is two seconds early, and nothing is held.
            bench.announce_insertion(2 * NS_PER_S);
            bench.measure(-NS_PER_S);
            bench.poll();
        },
        Safeguard::NoLocalReference => |bench| {
            bench.tracks_locally = true;
            bench.set(3 * NS_PER_S);
            bench.poll();
        },
        Safeguard::PhcBound => |bench| {
            bench.settings.phc_reference_id = Some(7);
            bench.estimator.settings.phc_reference_id = Some(7);
            bench.is_reference_clock = true;
            bench.estimator.phc_read(10 * MS, RawInstant::default());
            bench.measure(10 * MS);
            bench.poll();
        },
        Safeguard::NewMeasurement => |bench| {
            bench.rate(400.0 * PPM);
            bench.host.correct(0, 400.0 * PPM, 0, false);
            bench.measure(0);
            for _ in 0..50 {
                bench.poll();
                bench.pass(100 * MS);
            }
        },
    }
}

const ALL: [Safeguard; 17] = [
    Safeguard::SampleAge,
    Safeguard::ClockMoved,
    Safeguard::SeenToArrive,
    Safeguard::ReadingGap,
    Safeguard::RootDistance,
    Safeguard::FrequencyTolerance,
    Safeguard::DriftRate,
    Safeguard::BandExpiry,
    Safeguard::Hull,
    Safeguard::SuspendVoid,
    Safeguard::ExchangesEnded,
    Safeguard::LeapCover,
    Safeguard::LeapVoid,
    Safeguard::LeapSettling,
    Safeguard::NoLocalReference,
    Safeguard::PhcBound,
    Safeguard::NewMeasurement,
];

fn contains_true_time(safeguard: Safeguard, without: Option<Safeguard>) -> bool {
    let mut bench = Bench::new(settings(), without);
    hazard(safeguard)(&mut bench);
    bench.contained_truth
}

#[test]
fn true_time_is_lost_without_each_safeguard() {
    let wrong: Vec<String> = ALL
        .into_iter()
        .map(|safeguard| {
            (
                safeguard,
                contains_true_time(safeguard, None),
                contains_true_time(safeguard, Some(safeguard)),
            )
        })
        .filter(|(_, with, without)| !with || *without)
        .map(|(safeguard, with, without)| {
            format!("{safeguard:?}: kept with it {with}, without it {without}")
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A measurement that is wrong by all that one term pays for.
#[test]
fn no_term_of_a_measurement_can_be_left_out() {
    let clock = Readings {
        coarse: CoarseInstant::default(),
        raw: RawInstant::default(),
        realtime: RealtimeInstant::from_ns(UTC_NS),
        gap_ns: 0,
        kernel: None,
        suspended_ns: 0,
    };
    let mut host = Host::new(
        0,
        UTC_NS,
        false,
        vec![Server::new(7, 0, true, Rng::new(1, 1))],
        Rng::new(1, 2),
    );
    host.selected = Some(0);
    host.begin_exchange(0, 0);
    host.serve(0, 0, false);
    host.end_exchange(0, 0, Some(true));
    let poll = host.report(0, true);
    let (tracking, data) = (
        poll.tracking,
        SourceData {
            offset_s: 0.0,
            offset_error_s: 0.0,
            ..poll.sources[0]
        },
    );
    let none = Charges {
        age_ns: 0,
        waited_ns: 0,
        exchange_ns: 0,
        moved_ns: 0,
        phc_ns: 0,
    };
    let band = RateBand::within(FREQUENCY_LIMIT);
    let term = |name: &str, data: &SourceData, at: &Readings, charges: Charges, off_ns: i64| {
        let (interval, budget) = sample::interval(data, &tracking, at, band, charges);
        let (_, ns) = budget
            .terms()
            .into_iter()
            .find(|(term, _)| *term == name)
            .expect("a term");
        for truth in [UTC_NS - off_ns, UTC_NS + off_ns].map(RealtimeInstant::from_ns) {
            assert!(interval.contains(truth), "{name}: {off_ns} not in {budget}");
            assert!(
                !interval.widen(-ns).contains(truth),
                "{name} is not needed: {budget}"
            );
        }
        assert_eq!(budget.total_ns(), interval.half_width_ns(), "{budget}");
    };
    let declared = SourceData {
        offset_error_s: 0.005,
        ..data
    };
    term("root_distance", &declared, &clock, none, 5 * MS);
    term(
        "sample_age",
        &data,
        &clock,
        Charges {
            age_ns: NS_PER_S,
            ..none
        },
        500_000,
    );
    term(
        "clock_moved",
        &data,
        &clock,
        Charges {
            moved_ns: MS,
            ..none
        },
        MS,
    );
    term(
        "clock_reading_gap",
        &data,
        &Readings {
            gap_ns: MS,
            ..clock
        },
        none,
        MS,
    );
    term("phc", &data, &clock, Charges { phc_ns: MS, ..none }, MS);
    // chronyd's encoder cuts the last of 25 bits off.
    let offset = 0.75 + 2f64.powi(-24) * 1.24;
    let sent = quantised(offset);
    let lost_ns = ((offset - sent).abs() * 1e9) as i64;
    assert!(lost_ns > 10, "{lost_ns}");
    let far = SourceData {
        offset_s: sent,
        ..data
    };
    let at = Readings {
        realtime: RealtimeInstant::from_ns(UTC_NS + (offset * 1e9).round() as i64),
        ..clock
    };
    let (interval, budget) = sample::interval(&far, &tracking, &at, band, none);
    assert!(interval.contains(RealtimeInstant::from_ns(UTC_NS)));
    assert!(
        !interval
            .widen(-budget.wire_rounding_ns)
            .contains(RealtimeInstant::from_ns(UTC_NS))
    );
}
