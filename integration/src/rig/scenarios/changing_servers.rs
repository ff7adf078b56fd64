//! Servers whose time changes within their declared root distance: each is a truechimer at all
//! times.

use std::time::Duration;

use super::table::{MS, answer, course, kept, scenarios, silence};
use crate::fakes::ntp_server::ServerBehaviour;
use crate::rig::scenario::Action::Server;
use crate::rig::scenario::Scenario;
use crate::time::profile::{Profile, Ramp};
use crate::time::truth::Course;

/// The scenarios of the table.
pub fn all() -> Vec<Scenario> {
    [
        slews(),
        holdovers(),
        growths(),
        successions(),
        slow_wanders(),
    ]
    .concat()
}

/// Variants with long poll intervals.
pub fn slow() -> Vec<Scenario> {
    let mut slow = scenarios! { Scenario::new;
        "slews-28-ms-small-drift", 80 s, "a server slews by 28 ms at 500 ppm within 30 ms"
            [poll(8), max_drift_ppm("15"), server(|s| large(s, Ramp::reaching(8.0, 0.028, 500.0)))];
        "slews-28-ms-polled-each-16-s", 140 s, "a server slews by 28 ms at 500 ppm within 30 ms"
            [poll(16), server(|s| large(s, Ramp::reaching(40.0, 0.028, 500.0)))];
        "slews-28-ms-polled-each-64-s", 330 s, "a server slews by 28 ms at 500 ppm within 30 ms"
            [poll(64), server(|s| large(s, Ramp::reaching(140.0, 0.028, 500.0)))];
        "slews-28-ms-back-polled-each-64-s", 500 s,
            "a server slews back by 28 ms at 100 ppm within 30 ms"
            [poll(64), max_drift_ppm("15"),
             server(|s| large(s, Ramp::reaching(140.0, -0.028, -100.0)))];
        "server-in-holdover-polled-each-16-s", 240 s,
            "a server in holdover gains 10 ppm and declares 15"
            [poll(16), max_drift_ppm("1"), server(|s| unsteady(s, 20.0, 10.0, 15.0))];
        "server-in-holdover-polled-each-64-s", 500 s,
            "a server in holdover loses 10 ppm and declares 15"
            [poll(64), max_drift_ppm("1"), server(|s| unsteady(s, 20.0, -10.0, 15.0))];
        "server-runs-off-polled-each-16-s", 150 s,
            "a server's time error and dispersion grow by 1 ms/s"
            [poll(16), server(|s| unsteady(s, 20.0, 1000.0, 1005.0))];
        "server-runs-off-polled-each-64-s", 400 s,
            "a server's time falls back by 1 ms/s, as declared"
            [poll(64), server(|s| unsteady(s, 130.0, -1000.0, 1005.0))];
    };
    slow.extend(scenarios! { succeeded;
        "wandering-server-succeeds-each-16-s", 400 s,
            "the good server stops answering, and one that wanders by 25 ms is selected"
            [poll(16),
             change_server(1, |s| s.time_error_profile = Profile::swing(100.0, 0.025, 240.0))]
            60: silence(0);
    });
    slow
}

fn slews() -> Vec<Scenario> {
    scenarios! { Scenario::new;
        "slews-28-ms", 80 s, "a server slews by 28 ms at 500 ppm within 30 ms"
            [poll(8), server(|s| large(s, Ramp::reaching(8.0, 0.028, 500.0)))];
        "slews-28-ms-back", 80 s, "a server slews back by 28 ms at 500 ppm within 30 ms"
            [poll(8), server(|s| large(s, Ramp::reaching(8.0, -0.028, -500.0)))];
        "slews-from-side-to-side", 80 s,
            "a server slews from 28 ms behind to 28 ms ahead at 1000 ppm within 30 ms"
            [poll(4), server(|s| {
                large(s, Ramp::reaching(10.0, 0.056, 1000.0));
                s.time_error_ns = -28 * MS;
            })];
        "slews-4.5-ms", 32 s, "a server slews by 4.5 ms at 500 ppm within 5 ms"
            [poll(1), server(|s| small(s, Ramp::reaching(10.0, 0.0045, 500.0)))];
        "slews-4.5-ms-back", 32 s, "a server slews back by 4.5 ms at 500 ppm within 5 ms"
            [poll(1), server(|s| small(s, Ramp::reaching(10.0, -0.0045, -500.0)))];
        "slews-4.5-ms-declared-late", 32 s,
            "an exact server slews by 4.5 ms and declares 5 ms from then on"
            [poll(1),
             server(|s| s.time_error_profile = Profile::ramp(Ramp::reaching(10.0, 0.0045, 500.0)))]
            9.9: Server(0, |s| s.root_dispersion = 0.005);
        "slews-4.5-ms-tiny-drift", 32 s, "a server slews by 4.5 ms at 500 ppm within 5 ms"
            [poll(1), max_drift_ppm("1"), server(|s| small(s, Ramp::reaching(10.0, 0.0045, 500.0)))]
            ;
        "slews-4.5-ms-with-a-drifting-clock", 32 s,
            "a server slews by 4.5 ms at 500 ppm within 5 ms, while the clock loses 40 us a second"
            [poll(1), course(course(2 * MS, 40)),
             server(|s| small(s, Ramp::reaching(10.0, 0.0045, 500.0)))];
    }
}

fn holdovers() -> Vec<Scenario> {
    scenarios! { Scenario::new;
        "server-in-holdover", 65 s, "a server in holdover gains 10 ppm and declares 15"
            [poll(1), max_drift_ppm("1"), server(|s| unsteady(s, 6.0, 10.0, 15.0))];
        "server-in-holdover-behind", 90 s, "a server in holdover loses 10 ppm and declares 15"
            [poll(4), max_drift_ppm("1"), server(|s| unsteady(s, 10.0, -10.0, 15.0))];
        "server-in-holdover-from-the-start", 90 s,
            "a server in holdover since before chronyd's start gains 10 ppm and declares 15"
            [poll(1), max_drift_ppm("1"), server(|s| unsteady(s, 0.0, 10.0, 15.0))];
        "server-in-a-worse-holdover", 90 s, "a server in holdover gains 80 ppm and declares 100"
            [poll(2), max_drift_ppm("15"), server(|s| unsteady(s, 10.0, 80.0, 100.0))];
    }
}

fn growths() -> Vec<Scenario> {
    scenarios! { Scenario::new;
        "server-runs-off", 40 s, "a server's time error and dispersion grow by 1 ms/s"
            [poll(1), server(|s| unsteady(s, 8.0, 1000.0, 1005.0))];
        "server-runs-off-behind", 45 s, "a server's time falls back by 1 ms/s, as declared"
            [poll(4), server(|s| unsteady(s, 8.0, -1000.0, 1005.0))];
        "server-runs-off-slowly", 40 s, "a server's time error and dispersion grow by 0.1 ms/s"
            [poll(1), max_drift_ppm("15"), server(|s| unsteady(s, 8.0, 100.0, 101.0))];
        "server-runs-off-tiny-drift", 40 s, "a server's time error and dispersion grow by 1 ms/s"
            [poll(2), max_drift_ppm("1"), server(|s| unsteady(s, 8.0, 1000.0, 1005.0))];
    }
}

fn successions() -> Vec<Scenario> {
    // chronyd's regression line through such a course bends, and so does the clock.
    let bent = Course {
        offset_ns: 40 * MS,
        wander_ns: 50_000,
        wander_period: Duration::from_secs(20),
        ..Course::default()
    };
    let mut successions = scenarios! { succeeded;
        "wandering-server-succeeds", 50 s,
            "the good server stops answering, one that wanders by 25 ms within 25.5 is selected"
            [poll(1)] 15: silence(0);
        "wandering-server-succeeds-drift-15", 60 s, "the same with a wander period of 120 s"
            [poll(1), max_drift_ppm("15"),
             change_server(1, |s| s.time_error_profile = Profile::swing(0.0, -0.025, 120.0))]
            15: silence(0);
        "wandering-server-succeeds-each-4-s", 100 s,
            "the same, and the wander begins when the good server stops answering"
            [poll(4),
             change_server(1, |s| s.time_error_profile = Profile::swing(25.0, -0.025, 80.0))]
            25: silence(0);
        "wandering-server-succeeds-and-cedes", 70 s,
            "a wandering server is selected while the good one is silent for 35 s"
            [poll(1)] 15: silence(0), 50: answer(0);
    };
    successions.extend(scenarios! { Scenario::new;
        "wandering-server-alone", 60 s, "the only server wanders by 25 ms within 25.5 ms in 60 s"
            [poll(1), server(wandering)];
        "wandering-server-and-clock", 60 s,
            "the only server wanders by 25 ms, and the oscillator too"
            [poll(2), course(bent), server(wandering),
             server(|s| s.time_error_profile = Profile::swing(0.0, -0.025, 60.0))];
    });
    successions
}

/// Oscillators that wander as slowly as `--max-wander` declares.
fn slow_wanders() -> Vec<Scenario> {
    // The frequency changes by 7 us (2 pi / 120 s)^2 = 0.019 ppm/s at most.
    let wander = Course {
        wander_ns: 7_000,
        wander_period: Duration::from_secs(120),
        ..course(3 * MS, 20)
    };
    scenarios! { Scenario::new;
        "slews-4.5-ms-with-max-wander", 32 s, "a server slews by 4.5 ms at 500 ppm within 5 ms"
            [poll(1), daemon_args(&["--max-wander", "0.02"]),
             server(|s| small(s, Ramp::reaching(10.0, 0.0045, 500.0)))];
        "wandering-within-max-wander", 90 s, "the clock wanders by 7 us with a period of 120 s"
            [poll(2), daemon_args(&["--max-wander", "0.02"]), course(wander)];
    }
}

/// The second server wanders, and is selected when the first stops answering.
fn succeeded(name: &'static str, about: &'static str, seconds: u64) -> Scenario {
    kept(name, about, seconds).another_server(wandering)
}

fn wandering(server: &mut ServerBehaviour) {
    server.root_dispersion = 0.025_5;
    server.time_error_profile = Profile::swing(0.0, 0.025, 60.0);
}

fn large(server: &mut ServerBehaviour, ramp: Ramp) {
    server.root_dispersion = 0.030;
    server.time_error_profile = Profile::ramp(ramp);
}

fn small(server: &mut ServerBehaviour, ramp: Ramp) {
    server.root_dispersion = 0.005;
    server.time_error_profile = Profile::ramp(ramp);
}

/// From `from_s` on, the server's time changes by `ppm`, and its declared dispersion by
/// `declared_ppm`.
fn unsteady(server: &mut ServerBehaviour, from_s: f64, ppm: f64, declared_ppm: f64) {
    server.root_dispersion = 0.000_1;
    server.time_error_profile = Profile::ramp(Ramp::endless(from_s, ppm));
    server.root_dispersion_profile = Profile::ramp(Ramp::endless(from_s, declared_ppm));
}
