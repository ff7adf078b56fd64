//! Servers whose time moves within what they declare: each is honest all the time.

use std::time::Duration;

use super::super::scenario::{Action, Expect, Scenario};
use super::{MS, polled_each};
use crate::fakes::ntp_server::ServerBehaviour;
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

/// Relatives of them, whose polls are long.
pub fn slow() -> Vec<Scenario> {
    vec![
        slewing(
            "slews-28-ms-small-drift",
            "an honest server slews by 28 ms at 500 ppm inside 30 ms, polled every 8 s, drift rate 15",
            80,
            8,
        )
        .max_drift_ppm("15")
        .server(|server| large(server, Ramp::reaching(8.0, 0.028, 500.0))),
        slewing(
            "slews-28-ms-polled-each-16-s",
            "an honest server slews by 28 ms at 500 ppm inside 30 ms, polled every 16 s",
            140,
            16,
        )
        .server(|server| large(server, Ramp::reaching(40.0, 0.028, 500.0))),
        slewing(
            "slews-28-ms-polled-each-64-s",
            "an honest server slews by 28 ms at 500 ppm inside 30 ms, polled every 64 s",
            330,
            64,
        )
        .server(|server| large(server, Ramp::reaching(140.0, 0.028, 500.0))),
        slewing(
            "slews-28-ms-back-polled-each-64-s",
            "the same backwards at 100 ppm, with a drift rate of 15 ppm",
            500,
            64,
        )
        .max_drift_ppm("15")
        .server(|server| large(server, Ramp::reaching(140.0, -0.028, -100.0))),
        held_over(
            "server-in-holdover-polled-each-16-s",
            "a server in holdover is 10 ppm off and declares 15 ppm, drift rate 1, polled every 16 s",
            240,
            16,
        )
        .server(|server| unsteady(server, 20.0, 10.0, 15.0)),
        held_over(
            "server-in-holdover-polled-each-64-s",
            "a server in holdover is 10 ppm off and declares 15 ppm, drift rate 1, polled every 64 s",
            500,
            64,
        )
        .server(|server| unsteady(server, 20.0, -10.0, 15.0)),
        growing(
            "server-runs-off-polled-each-16-s",
            "a server's time and its declared dispersion grow by 1 ms/s, polled every 16 s",
            150,
            16,
        )
        .server(|server| unsteady(server, 20.0, 1000.0, 1005.0)),
        growing(
            "server-runs-off-polled-each-64-s",
            "a server's time falls back by 1 ms/s, as declared, polled every 64 s",
            400,
            64,
        )
        .server(|server| unsteady(server, 130.0, -1000.0, 1005.0)),
        succeeded(
            "wandering-server-succeeds-each-16-s",
            "the good server dies, and one that wanders by 25 ms is selected, polled every 16 s",
            400,
            16,
        )
        .change_server(1, |server| {
            server.time_error_profile = Profile::swing(100.0, 0.025, 240.0);
        })
        .at(60.0, Action::Server(0, |server| server.silent = true)),
    ]
}

fn slews() -> Vec<Scenario> {
    vec![
        slewing(
            "slews-28-ms",
            "an honest server slews by 28 ms at 500 ppm inside 30 ms, polled every 8 s",
            80,
            8,
        )
        .server(|server| large(server, Ramp::reaching(8.0, 0.028, 500.0))),
        slewing(
            "slews-28-ms-back",
            "an honest server slews back by 28 ms at 500 ppm inside 30 ms, polled every 8 s",
            80,
            8,
        )
        .server(|server| large(server, Ramp::reaching(8.0, -0.028, -500.0))),
        slewing(
            "slews-from-side-to-side",
            "an honest server is 28 ms behind, slews to 28 ms ahead at 1000 ppm inside 30 ms, polled every 4 s",
            80,
            4,
        )
        .server(|server| {
            large(server, Ramp::reaching(10.0, 0.056, 1000.0));
            server.time_error_ns = -28 * MS;
        }),
        slewing(
            "slews-4.5-ms",
            "an honest server slews by 4.5 ms at 500 ppm inside 5 ms, polled every second",
            32,
            1,
        )
        .server(|server| small(server, Ramp::reaching(10.0, 0.0045, 500.0))),
        slewing(
            "slews-4.5-ms-back",
            "an honest server slews back by 4.5 ms at 500 ppm inside 5 ms, polled every second",
            32,
            1,
        )
        .server(|server| small(server, Ramp::reaching(10.0, -0.0045, -500.0))),
        slewing(
            "slews-4.5-ms-declared-late",
            "an exact server slews by 4.5 ms and declares 5 ms from that moment on",
            32,
            1,
        )
        .server(|server| {
            server.time_error_profile = Profile::ramp(Ramp::reaching(10.0, 0.0045, 500.0));
        })
        .at(9.9, Action::Server(0, |server| server.root_dispersion = 0.005)),
        slewing(
            "slews-4.5-ms-tiny-drift",
            "an honest server slews by 4.5 ms at 500 ppm inside 5 ms, with a drift rate of 1 ppm",
            32,
            1,
        )
        .max_drift_ppm("1")
        .server(|server| small(server, Ramp::reaching(10.0, 0.0045, 500.0))),
        slewing(
            "slews-4.5-ms-with-a-drifting-clock",
            "the same, while the clock loses 40 us a second",
            32,
            1,
        )
        .course(Course {
            offset_ns: 2 * MS,
            drift_ppb: 40_000,
            ..Course::default()
        })
        .server(|server| small(server, Ramp::reaching(10.0, 0.0045, 500.0))),
    ]
}

fn holdovers() -> Vec<Scenario> {
    vec![
        held_over(
            "server-in-holdover",
            "a server in holdover is 10 ppm off and declares 15 ppm, drift rate 1",
            65,
            1,
        )
        .server(|server| unsteady(server, 6.0, 10.0, 15.0)),
        held_over(
            "server-in-holdover-behind",
            "a server in holdover loses 10 us a second and declares 15, drift rate 1, polled every 4 s",
            90,
            4,
        )
        .server(|server| unsteady(server, 10.0, -10.0, 15.0)),
        held_over(
            "server-in-holdover-from-the-start",
            "a server is in holdover before chronyd starts, 10 ppm off and declares 15 ppm, drift rate 1",
            90,
            1,
        )
        .server(|server| unsteady(server, 0.0, 10.0, 15.0)),
        held_over(
            "server-in-a-worse-holdover",
            "a server in holdover is 80 ppm off and declares 100 ppm, drift rate 15",
            90,
            2,
        )
        .max_drift_ppm("15")
        .server(|server| unsteady(server, 10.0, 80.0, 100.0)),
    ]
}

fn growths() -> Vec<Scenario> {
    vec![
        growing(
            "server-runs-off",
            "a server's time and its declared dispersion grow by 1 ms/s, polled every second",
            40,
            1,
        )
        .server(|server| unsteady(server, 8.0, 1000.0, 1005.0)),
        growing(
            "server-runs-off-behind",
            "a server's time falls back by 1 ms/s, as declared, polled every 4 s",
            45,
            4,
        )
        .server(|server| unsteady(server, 8.0, -1000.0, 1005.0)),
        growing(
            "server-runs-off-slowly",
            "a server's time and its declared dispersion grow by 0.1 ms/s, drift rate 15",
            40,
            1,
        )
        .max_drift_ppm("15")
        .server(|server| unsteady(server, 8.0, 100.0, 101.0)),
        growing(
            "server-runs-off-tiny-drift",
            "a server's time and its declared dispersion grow by 1 ms/s, drift rate 1, polled every 2 s",
            40,
            2,
        )
        .max_drift_ppm("1")
        .server(|server| unsteady(server, 8.0, 1000.0, 1005.0)),
    ]
}

fn successions() -> Vec<Scenario> {
    let dies = Action::Server(0, |server| server.silent = true);
    vec![
        succeeded(
            "wandering-server-succeeds",
            "the good server dies, and chronyd selects one that wanders by 25 ms inside 25.5 ms",
            50,
            1,
        )
        .at(15.0, dies),
        succeeded(
            "wandering-server-succeeds-drift-15",
            "the same with a drift rate of 15 ppm and a swing in 120 s",
            60,
            1,
        )
        .max_drift_ppm("15")
        .change_server(1, |server| {
            server.time_error_profile = Profile::swing(0.0, -0.025, 120.0);
        })
        .at(15.0, dies),
        succeeded(
            "wandering-server-succeeds-each-4-s",
            "the same, polled every 4 s, and the wandering begins when the good server dies",
            100,
            4,
        )
        .change_server(1, |server| {
            server.time_error_profile = Profile::swing(25.0, -0.025, 80.0);
        })
        .at(25.0, dies),
        succeeded(
            "wandering-server-succeeds-and-cedes",
            "the good server dies, a wandering one is selected, and the good one is back",
            70,
            1,
        )
        .at(15.0, dies)
        .at(50.0, Action::Server(0, |server| server.silent = false)),
        Scenario::new(
            "wandering-server-alone",
            "the only server wanders by 25 ms in 60 s inside 25.5 ms, polled every second",
            60,
        )
        .polling(polled_each(1))
        .server(|server| {
            server.root_dispersion = 0.025_5;
            server.time_error_profile = Profile::swing(0.0, 0.025, 60.0);
        }),
        // chronyd's line through such a course bends, and so does the clock.
        Scenario::new(
            "wandering-server-and-clock",
            "the only server wanders by 25 ms, and the oscillator too",
            60,
        )
        .polling(polled_each(2))
        .course(Course {
            offset_ns: 40 * MS,
            wander_ns: 50_000,
            wander_period: Duration::from_secs(20),
            ..Course::default()
        })
        .server(|server| {
            server.root_dispersion = 0.025_5;
            server.time_error_profile = Profile::swing(0.0, -0.025, 60.0);
        }),
    ]
}

/// Oscillators that wander as slowly as the daemon is told.
fn slow_wanders() -> Vec<Scenario> {
    let told = &["--max-wander", "0.02"];
    vec![
        slewing(
            "slews-4.5-ms-told-max-wander",
            "an honest server slews by 4.5 ms at 500 ppm inside 5 ms, --max-wander 0.02",
            32,
            1,
        )
        .daemon_args(told)
        .server(|server| small(server, Ramp::reaching(10.0, 0.0045, 500.0))),
        // The frequency changes by 7 us (2 pi / 120 s)^2 = 0.019 ppm/s at most.
        slewing(
            "wandering-within-max-wander",
            "the clock swings by 7 us in 120 s, --max-wander 0.02, polled every 2 s",
            90,
            2,
        )
        .daemon_args(told)
        .course(Course {
            offset_ns: 3 * MS,
            drift_ppb: 20_000,
            wander_ns: 7_000,
            wander_period: Duration::from_secs(120),
            ..Course::default()
        }),
    ]
}

fn slewing(name: &'static str, about: &'static str, seconds: u64, poll_s: u64) -> Scenario {
    Scenario::new(name, about, seconds).polling(polled_each(poll_s))
}

fn held_over(name: &'static str, about: &'static str, seconds: u64, poll_s: u64) -> Scenario {
    slewing(name, about, seconds, poll_s).max_drift_ppm("1")
}

fn growing(name: &'static str, about: &'static str, seconds: u64, poll_s: u64) -> Scenario {
    slewing(name, about, seconds, poll_s)
}

/// The second server wanders, and is selected when the first is silent.
fn succeeded(name: &'static str, about: &'static str, seconds: u64, poll_s: u64) -> Scenario {
    slewing(name, about, seconds, poll_s)
        .expecting(Expect::Kept)
        .another_server(|server| {
            server.root_dispersion = 0.025_5;
            server.time_error_profile = Profile::swing(0.0, 0.025, 60.0);
        })
}

fn large(server: &mut ServerBehaviour, ramp: Ramp) {
    server.root_dispersion = 0.030;
    server.time_error_profile = Profile::ramp(ramp);
}

fn small(server: &mut ServerBehaviour, ramp: Ramp) {
    server.root_dispersion = 0.005;
    server.time_error_profile = Profile::ramp(ramp);
}

/// From a second on the time that the server tells changes at a rate, and the declared dispersion at another.
fn unsteady(server: &mut ServerBehaviour, from_s: f64, ppm: f64, declared_ppm: f64) {
    server.root_dispersion = 0.000_1;
    server.time_error_profile = Profile::ramp(Ramp::endless(from_s, ppm));
    server.root_dispersion_profile = Profile::ramp(Ramp::endless(from_s, declared_ppm));
}
