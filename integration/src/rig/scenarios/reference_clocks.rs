//! Reference clocks, alone and beside servers. Half of the declared delay covers their errors.

use std::time::Duration;

use super::super::scenario::{Action, Expect, Refclock, Scenario};
use super::MS;
use crate::fakes::reference_clock::{Driver, Feed};
use crate::time::profile::{Profile, Ramp};
use crate::time::truth::Course;

/// chronyd takes one of four samples a second.
const EACH_SECOND: &str = "poll 0 dpoll -2 filter 4";

/// The scenarios of the table.
pub fn all() -> Vec<Scenario> {
    [alone(), beside_servers()].concat()
}

/// Relatives of them, whose polls are long.
pub fn slow() -> Vec<Scenario> {
    vec![
        only(
            "refclock-sock-each-16-s",
            "a reference clock by SOCK is off by 0.9 ms within 1 ms, polled every 16 s",
            Driver::Sock,
            "poll 4 dpoll 0 filter 16",
            |feed| feed.error_ns = 900_000,
        )
        .lasting(120),
        only(
            "refclock-shm-each-64-s",
            "a reference clock by SHM slews by 1.8 ms within 1 ms to either side, polled every 64 s",
            Driver::Shm,
            "poll 6 dpoll 2 filter 16",
            |feed| {
                feed.error_ns = -900_000;
                feed.error_profile = Profile::ramp(Ramp::reaching(200.0, 0.0018, 10.0));
            },
        )
        .lasting(450),
    ]
}

fn alone() -> Vec<Scenario> {
    vec![
        only(
            "refclock-sock",
            "a reference clock by SOCK is off by 0.9 ms within 1 ms",
            Driver::Sock,
            EACH_SECOND,
            |feed| feed.error_ns = 900_000,
        ),
        only(
            "refclock-shm",
            "a reference clock by SHM is off by -0.9 ms within 1 ms",
            Driver::Shm,
            EACH_SECOND,
            |feed| feed.error_ns = -900_000,
        ),
        only(
            "refclock-sock-noisy",
            "a reference clock by SOCK has errors of up to 0.9 ms to either side, unfiltered",
            Driver::Sock,
            "poll -2 dpoll -2 filter 1",
            |feed| feed.noise = Duration::from_micros(1_800),
        ),
        only(
            "refclock-shm-noisy",
            "a reference clock by SHM has errors of up to 0.9 ms to either side, filtered",
            Driver::Shm,
            "poll 2 dpoll -2 filter 16",
            |feed| feed.noise = Duration::from_micros(1_800),
        )
        .lasting(45),
        only(
            "refclock-sock-slews",
            "a reference clock by SOCK slews by 1.8 ms at 100 ppm within 1 ms to either side",
            Driver::Sock,
            EACH_SECOND,
            |feed| {
                feed.error_ns = -900_000;
                feed.error_profile = Profile::ramp(Ramp::reaching(10.0, 0.0018, 100.0));
            },
        )
        .lasting(45),
        only(
            "refclock-shm-wanders",
            "a reference clock by SHM wanders by 0.9 ms within 1 ms, on a clock that gains 30 us a second",
            Driver::Shm,
            EACH_SECOND,
            |feed| feed.error_profile = Profile::swing(5.0, 0.0009, 40.0),
        )
        .course(Course {
            offset_ns: -20 * MS,
            drift_ppb: -30_000,
            ..Course::default()
        })
        .lasting(45),
        only(
            "refclock-sock-silent-and-back",
            "a reference clock by SOCK falls silent for 15 s",
            Driver::Sock,
            EACH_SECOND,
            |feed| feed.error_ns = 500_000,
        )
        .lasting(45)
        .expecting(Expect::Kept)
        .at(12.0, Action::Refclock(0, |feed| feed.silent = true))
        .at(27.0, Action::Refclock(0, |feed| feed.silent = false)),
        only(
            "refclock-shm-repeats-itself",
            "a reference clock by SHM is exact and read 16 times a second",
            Driver::Shm,
            "poll -4 dpoll -4 filter 1",
            |feed| feed.every = Duration::from_millis(50),
        ),
    ]
}

fn beside_servers() -> Vec<Scenario> {
    let beside = |name, about, driver, change: fn(&mut Feed)| {
        Scenario::new(name, about, 30)
            .polling("iburst minpoll 0 maxpoll 0")
            .refclock(refclock(driver, "poll 0 dpoll -2 filter 4 prefer", change))
            .another_server(|server| server.root_dispersion = 0.003)
    };
    vec![
        beside(
            "preferred-refclock-sock",
            "a preferred reference clock by SOCK is off by 0.9 ms within 1 ms, beside two servers",
            Driver::Sock,
            |feed| feed.error_ns = 900_000,
        ),
        beside(
            "preferred-refclock-shm",
            "a preferred reference clock by SHM is off by -0.9 ms within 1 ms, beside servers off by as much",
            Driver::Shm,
            |feed| feed.error_ns = -900_000,
        )
        .server(|server| {
            server.root_dispersion = 0.001;
            server.time_error_ns = MS * 9 / 10;
        }),
        beside(
            "preferred-refclock-slews",
            "a preferred reference clock by SOCK slews by 0.9 ms at 50 ppm, beside two servers",
            Driver::Sock,
            |feed| feed.error_profile = Profile::ramp(Ramp::reaching(12.0, 0.0009, 50.0)),
        ),
        beside(
            "preferred-refclock-dies",
            "a preferred reference clock by SHM falls silent and stays selected, and servers answer",
            Driver::Shm,
            |feed| feed.error_ns = 500_000,
        )
        .lasting(60)
        .daemon_args(&["--holdover", "8s"])
        .expecting(Expect::Kept)
        .at(15.0, Action::Refclock(0, |feed| feed.silent = true)),
        beside(
            "preferred-refclock-lies-among-5",
            "a preferred reference clock by SOCK is off by 5 ms and declares 1, four servers declare 10, one may lie",
            Driver::Sock,
            |feed| feed.error_ns = 5 * MS,
        )
        .falsetickers(1)
        .daemon_args(&["--falsetickers", "1"])
        .server(|server| server.root_dispersion = 0.010)
        .change_server(1, |server| server.root_dispersion = 0.010)
        .another_server(|server| server.root_dispersion = 0.010)
        .another_server(|server| server.root_dispersion = 0.010),
    ]
}

fn only(
    name: &'static str,
    about: &'static str,
    driver: Driver,
    options: &'static str,
    change: fn(&mut Feed),
) -> Scenario {
    Scenario::new(name, about, 20)
        .without_servers()
        .refclock(refclock(driver, options, change))
}

fn refclock(driver: Driver, options: &'static str, change: fn(&mut Feed)) -> Refclock {
    let mut feed = Feed::default();
    change(&mut feed);
    Refclock {
        driver,
        feed,
        delay: 0.002,
        options,
    }
}
