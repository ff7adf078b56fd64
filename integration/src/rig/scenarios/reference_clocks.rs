//! Reference clocks, alone and beside servers. Half of the declared delay covers their errors.

use std::time::Duration;

use super::table::{MS, answer_refclock, course, scenarios, silence_refclock};
use crate::fakes::reference_clock::Driver::{Shm, Sock};
use crate::rig::scenario::Expect::Kept;
use crate::rig::scenario::Scenario;
use crate::time::profile::{Profile, Ramp};

/// chronyd takes one of four samples a second.
const SECONDLY: &str = "poll 0 dpoll -2 filter 4";
const PREFERRED: &str = "poll 0 dpoll -2 filter 4 prefer";

/// The scenarios of the table.
pub fn all() -> Vec<Scenario> {
    [alone(), beside_servers()].concat()
}

/// Variants with long poll intervals.
pub fn slow() -> Vec<Scenario> {
    scenarios! { only;
        "refclock-sock-each-16-s", 120 s, "a SOCK reference clock is off by 0.9 ms within 1 ms"
            [refclock(Sock, "poll 4 dpoll 0 filter 16", |f| f.error_ns = 900_000)];
        "refclock-shm-each-64-s", 450 s,
            "an SHM reference clock slews by 1.8 ms within 1 ms to either side"
            [refclock(Shm, "poll 6 dpoll 2 filter 16", |f| {
                f.error_ns = -900_000;
                f.error_profile = Profile::ramp(Ramp::reaching(200.0, 0.0018, 10.0));
            })];
    }
}

fn alone() -> Vec<Scenario> {
    scenarios! { only;
        "refclock-sock", 20 s, "a SOCK reference clock is off by 0.9 ms within 1 ms"
            [refclock(Sock, SECONDLY, |f| f.error_ns = 900_000)];
        "refclock-shm", 20 s, "an SHM reference clock is off by -0.9 ms within 1 ms"
            [refclock(Shm, SECONDLY, |f| f.error_ns = -900_000)];
        "refclock-sock-noisy", 20 s, "a SOCK reference clock has errors of up to 0.9 ms, unfiltered"
            [refclock(Sock, "poll -2 dpoll -2 filter 1", |f| {
                f.noise = Duration::from_micros(1_800);
            })];
        "refclock-shm-noisy", 45 s, "an SHM reference clock has errors of up to 0.9 ms, filtered"
            [refclock(Shm, "poll 2 dpoll -2 filter 16", |f| f.noise = Duration::from_micros(1_800))]
            ;
        "refclock-sock-slews", 45 s,
            "a SOCK reference clock slews by 1.8 ms at 100 ppm within 1 ms to either side"
            [refclock(Sock, SECONDLY, |f| {
                f.error_ns = -900_000;
                f.error_profile = Profile::ramp(Ramp::reaching(10.0, 0.0018, 100.0));
            })];
        "refclock-shm-wanders", 45 s,
            "an SHM reference clock wanders by 0.9 ms within 1 ms, the clock gains 30 us a second"
            [refclock(Shm, SECONDLY, |f| f.error_profile = Profile::swing(5.0, 0.0009, 40.0)),
             course(course(-20 * MS, -30))];
        "refclock-sock-silent-and-back", 45 s, "a SOCK reference clock is silent for 15 s"
            [refclock(Sock, SECONDLY, |f| f.error_ns = 500_000), expecting(Kept)]
            12: silence_refclock(), 27: answer_refclock();
        "refclock-shm-repeats-itself", 20 s,
            "an exact SHM reference clock is read 16 times a second"
            [refclock(Shm, "poll -4 dpoll -4 filter 1", |f| f.every = Duration::from_millis(50))];
    }
}

fn beside_servers() -> Vec<Scenario> {
    let beside = |name, about, seconds| {
        Scenario::new(name, about, seconds)
            .poll(1)
            .another_server(|server| server.root_dispersion = 0.003)
    };
    scenarios! { beside;
        "preferred-refclock-sock", 30 s,
            "a preferred SOCK reference clock is off by 0.9 ms within 1 ms, beside two servers"
            [refclock(Sock, PREFERRED, |f| f.error_ns = 900_000)];
        "preferred-refclock-shm", 30 s,
            "a preferred SHM reference clock is off by -0.9 ms within 1 ms, a server by 0.9 ms"
            [refclock(Shm, PREFERRED, |f| f.error_ns = -900_000),
             server(|s| (s.root_dispersion, s.time_error_ns) = (0.001, MS * 9 / 10))];
        "preferred-refclock-slews", 30 s,
            "a preferred SOCK reference clock slews by 0.9 ms at 50 ppm, beside two servers"
            [refclock(Sock, PREFERRED, |f| {
                f.error_profile = Profile::ramp(Ramp::reaching(12.0, 0.0009, 50.0));
            })];
        "preferred-refclock-dies", 60 s,
            "a preferred SHM reference clock falls silent and stays selected, while servers answer"
            [refclock(Shm, PREFERRED, |f| f.error_ns = 500_000), daemon_args(&["--holdover", "8s"]),
             expecting(Kept)] 15: silence_refclock();
        "preferred-refclock-falseticker-of-5", 30 s,
            "a preferred SOCK reference clock is off by 5 ms, declares 1, four servers declare 10"
            [refclock(Sock, PREFERRED, |f| f.error_ns = 5 * MS), falsetickers(1),
             daemon_args(&["--falsetickers", "1"]), server(|s| s.root_dispersion = 0.010),
             change_server(1, |s| s.root_dispersion = 0.010),
             another_server(|s| s.root_dispersion = 0.010),
            another_server(|s| s.root_dispersion = 0.010)];
    }
}

fn only(name: &'static str, about: &'static str, seconds: u64) -> Scenario {
    Scenario::new(name, about, seconds).without_servers()
}
