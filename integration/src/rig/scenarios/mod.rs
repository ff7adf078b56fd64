//! Every scenario.

use std::time::Duration;

use super::scenario::{Action, Expect, Scenario};
use crate::time::truth::{Course, Jump};

mod changing_servers;
mod disciplined;
mod leap_seconds;
mod reference_clocks;
mod set_clock;
mod several_servers;

const MS: i64 = 1_000_000;
const PPM: i64 = 1_000;

/// The scenario of this name, from either group.
pub fn named(name: &str) -> Option<Scenario> {
    let mut scenarios = all().into_iter().chain(slow());
    scenarios.find(|scenario| scenario.name == name)
}

/// The scenarios that are always run.
pub fn all() -> Vec<Scenario> {
    [
        clocks(),
        paths(),
        servers(),
        chronyds(),
        polling(),
        changing_servers::all(),
        several_servers::all(),
        reference_clocks::all(),
        set_clock::all(),
        disciplined::all(),
        leap_seconds::all(),
    ]
    .concat()
}

/// The second group: relatives of those whose polls are long.
pub fn slow() -> Vec<Scenario> {
    [
        changing_servers::slow(),
        several_servers::slow(),
        reference_clocks::slow(),
        set_clock::slow(),
    ]
    .concat()
}

fn clocks() -> Vec<Scenario> {
    let drifting = |ppm: i64| Course {
        offset_ns: 3 * MS,
        drift_ppb: ppm * PPM,
        ..Course::default()
    };
    vec![
        Scenario::new("fast", "the clock is 80 ms fast", 10).course(Course::offset_by_ns(-80 * MS)),
        Scenario::new("slow", "the clock is 80 ms slow", 10).course(Course::offset_by_ns(80 * MS)),
        Scenario::new("losing", "the clock loses 30 us a second", 15).course(drifting(30)),
        Scenario::new(
            "gaining",
            "the clock gains 30 us a second, polled every second",
            20,
        )
        .course(drifting(-30))
        .polling("iburst minpoll 0 maxpoll 0"),
        Scenario::new(
            "wandering",
            "the clock swings by 50 us in 20 s, polled every second",
            45,
        )
        .course(Course {
            offset_ns: -2 * MS,
            wander_ns: 50_000,
            wander_period: Duration::from_secs(20),
            ..Course::default()
        })
        .polling("iburst minpoll 0 maxpoll 0"),
        Scenario::new(
            "jumping",
            "the frequency jumps by 45 ppm and back, polled every 4 s",
            60,
        )
        .course(Course {
            jumps: jumps(&[(25, 45), (42, -45)]),
            ..Course::default()
        })
        .polling("iburst minpoll 2 maxpoll 2"),
    ]
}

fn jumps(at_s_by_ppm: &[(u64, i64)]) -> Vec<Jump> {
    let jump = |&(s, ppm): &(u64, i64)| Jump {
        after: Duration::from_secs(s),
        change_ppb: ppm * PPM,
    };
    at_s_by_ppm.iter().map(jump).collect()
}

fn paths() -> Vec<Scenario> {
    vec![
        Scenario::new("slow-requests", "requests take 20 ms, replies no time", 12)
            .server(|server| server.request_delay = Duration::from_millis(20)),
        Scenario::new("slow-replies", "replies take 20 ms, requests no time", 12)
            .server(|server| server.reply_delay = Duration::from_millis(20)),
        Scenario::new("jitter", "requests and replies take up to 5 ms each", 15).server(|server| {
            server.request_jitter = Duration::from_millis(5);
            server.reply_jitter = Duration::from_millis(5);
        }),
        Scenario::new(
            "one-way-jitter",
            "replies take up to 10 ms, requests no time",
            20,
        )
        .server(|server| {
            server.reply_jitter = Duration::from_millis(10);
            server.jitter_seed = 7;
        }),
    ]
}

fn servers() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "server-dies",
            "the server falls silent for good: holdover",
            20,
        )
        .expecting(Expect::Trusted)
        .course(Course {
            offset_ns: 2 * MS,
            drift_ppb: 20 * PPM,
            ..Course::default()
        })
        .at(8.0, Action::Server(0, |server| server.silent = true)),
        Scenario::new(
            "local",
            "chronyd goes into its local mode when the server is silent",
            30,
        )
        .expecting(Expect::Trusted)
        .chrony_lines(&["local stratum 10 distance 0.001", "maxclockerror 100"])
        .at(8.0, Action::Server(0, |server| server.silent = true)),
        Scenario::new("only-local", "chronyd has nothing but its local mode", 8)
            .expecting(Expect::Untrusted)
            .chrony_lines(&["local stratum 10"])
            .server(|server| server.silent = true),
        Scenario::new(
            "large-root-error",
            "the server is off by 180 ms, and declares 200 ms",
            10,
        )
        .server(|server| {
            server.root_dispersion = 0.2;
            server.time_error_ns = 180 * MS;
        }),
        Scenario::new(
            "correcting",
            "a server off by 180 ms, as declared, corrects itself at once",
            20,
        )
        .server(|server| {
            server.root_dispersion = 0.2;
            server.time_error_ns = 180 * MS;
        })
        .at(8.0, Action::Server(0, |server| server.time_error_ns = 0)),
        Scenario::new(
            "lying",
            "the server steps its time by 200 ms and declares nothing",
            15,
        )
        .expecting(Expect::Trusted)
        .not_held("the only server tells a wrong time and calls it exact")
        .at(
            8.0,
            Action::Server(0, |server| server.time_error_ns = 200 * MS),
        ),
        Scenario::new(
            "late-server",
            "the server is not synchronised for 5 s, then good",
            15,
        )
        .server(|server| (server.leap, server.stratum) = (3, 16))
        .at(
            5.0,
            Action::Server(0, |server| (server.leap, server.stratum) = (0, 1)),
        ),
        Scenario::new("leap", "the server announces a leap second", 12)
            .server(|server| server.leap = 1),
        Scenario::new(
            "two-disagree",
            "two servers are 50 ms apart, and no third",
            12,
        )
        .expecting(Expect::Untrusted)
        .chrony_lines(&["minsources 2"])
        .falsetickers(1)
        .another_server(|server| server.time_error_ns = 50 * MS),
        Scenario::new("one-of-three", "one of three servers is off by 50 ms", 15)
            .chrony_lines(&["minsources 2"])
            .falsetickers(1)
            .another_server(|server| server.time_error_ns = 50 * MS)
            .another_server(|_| {}),
        Scenario::new(
            "phc",
            "a hardware clock off by 300 us, within its error bound",
            12,
        )
        .phc_bound_ns(400_000)
        .server(|server| server.time_error_ns = 300_000),
    ]
}

fn chronyds() -> Vec<Scenario> {
    let drifting = Course {
        offset_ns: -2 * MS,
        drift_ppb: 25 * PPM,
        ..Course::default()
    };
    let scenario = |name, about, seconds| {
        Scenario::new(name, about, seconds)
            .expecting(Expect::Trusted)
            .course(drifting.clone())
    };
    vec![
        scenario("chronyd-restarted", "chronyd is stopped and started", 16)
            .at(8.0, Action::StopChronyd)
            .at(8.0, Action::StartChronyd),
        scenario(
            "chronyd-killed",
            "chronyd is killed, and back 4 s later",
            20,
        )
        .at(8.0, Action::KillChronyd)
        .at(12.0, Action::StartChronyd),
        scenario("chronyd-hangs", "chronyd hangs for 4 s", 20)
            .at(8.0, Action::FreezeChronyd)
            .at(12.0, Action::ThawChronyd),
        scenario("daemon-killed", "the daemon is killed and started", 14)
            .at(8.0, Action::RestartDaemon),
        scenario(
            "daemon-down",
            "the daemon is stopped and back 2 s later, then killed and back 1 s later",
            18,
        )
        .at(7.0, Action::StopDaemon)
        .at(9.0, Action::StartDaemon)
        .at(12.0, Action::KillDaemon)
        .at(13.0, Action::StartDaemon),
    ]
}

fn polling() -> Vec<Scenario> {
    let drifting = Course {
        offset_ns: 5 * MS,
        drift_ppb: 10 * PPM,
        ..Course::default()
    };
    let scenario = |name, about, seconds, polling| {
        Scenario::new(name, about, seconds)
            .course(drifting.clone())
            .polling(polling)
    };
    vec![
        scenario(
            "polled-16-times-a-second",
            "chronyd polls every 1/16 s",
            12,
            "minpoll -4 maxpoll -4",
        ),
        scenario(
            "polled-each-second",
            "chronyd polls every second",
            20,
            "iburst minpoll 0 maxpoll 0",
        ),
        scenario(
            "polled-each-16-s",
            "chronyd polls every 16 s",
            60,
            "iburst minpoll 4 maxpoll 4",
        ),
        scenario(
            "polled-by-default",
            "chronyd polls every 64 s, as it does unless configured, and selects at the third",
            150,
            "",
        ),
        scenario(
            "polled-by-default-after-a-burst",
            "chronyd polls every 64 s after an initial burst",
            80,
            "iburst",
        ),
    ]
}

/// Polls of this many seconds after an initial burst.
fn polled_each(poll_s: u64) -> &'static str {
    match poll_s {
        1 => "iburst minpoll 0 maxpoll 0",
        2 => "iburst minpoll 1 maxpoll 1",
        4 => "iburst minpoll 2 maxpoll 2",
        8 => "iburst minpoll 3 maxpoll 3",
        16 => "iburst minpoll 4 maxpoll 4",
        64 => "iburst minpoll 6 maxpoll 6",
        _ => unreachable!("no scenario polls each {poll_s} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::falsetickers;
    use super::*;
    use std::collections::BTreeSet;

    fn both() -> Vec<Scenario> {
        [all(), slow()].concat()
    }

    #[test]
    fn names_are_told_apart_and_found() {
        let names: BTreeSet<&str> = both().iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), both().len());
        for name in names {
            assert_eq!(named(name).expect("found").name, name);
        }
        assert!(named("none").is_none());
    }

    #[test]
    fn what_moves_the_clock_is_played_on_a_virtual_one() {
        let is_virtual = |name| named(name).expect("found").needs_virtual_clock();
        for name in [
            "set-forwards",
            "runs-off",
            "slewed",
            "leap-second",
            "carries-a-frequency",
        ] {
            assert!(is_virtual(name), "{name}");
        }
        assert!(!is_virtual("fast"));
    }

    #[test]
    fn scripts_are_in_order_and_over_before_the_end() {
        for scenario in both() {
            let times = scenario.script.iter().map(|(second, _)| *second);
            assert!(times.clone().is_sorted(), "{}", scenario.name);
            assert!(times.max_by(f64::total_cmp).unwrap_or(0.0) < scenario.seconds as f64);
        }
    }

    #[test]
    fn as_many_sources_lie_as_a_scenario_says_unless_it_is_not_held() {
        for scenario in both() {
            if scenario.not_held.is_none() {
                assert_eq!(
                    falsetickers::count(&scenario),
                    scenario.falsetickers,
                    "{}",
                    scenario.name
                );
            }
        }
    }
}
