//! One clock, one server, one chronyd: offsets, drifts, paths, failures and poll intervals.

use std::time::Duration;

use super::table::{MS, PPM, course, scenarios, silence, trusted};
use crate::rig::scenario::Action::{
    FreezeChronyd, KillChronyd, KillDaemon, RestartDaemon, Server, StartChronyd, StartDaemon,
    StopChronyd, StopDaemon, ThawChronyd,
};
use crate::rig::scenario::Expect::{Trusted, Untrusted};
use crate::rig::scenario::Scenario;
use crate::time::truth::{Course, Jump};

/// The scenarios of the table.
pub fn all() -> Vec<Scenario> {
    [clocks(), paths(), servers(), programs(), polling()].concat()
}

fn clocks() -> Vec<Scenario> {
    let wander = Course {
        offset_ns: -2 * MS,
        wander_ns: 50_000,
        wander_period: Duration::from_secs(20),
        ..Course::default()
    };
    let jump = |(after_s, ppm): (u64, i64)| Jump {
        after: Duration::from_secs(after_s),
        change_ppb: ppm * PPM,
    };
    let jumps = Course {
        jumps: [(25, 45), (42, -45)].map(jump).into(),
        ..Course::default()
    };
    scenarios! { Scenario::new;
        "fast", 10 s, "the clock is 80 ms fast" [course(course(-80 * MS, 0))];
        "slow", 10 s, "the clock is 80 ms slow" [course(course(80 * MS, 0))];
        "losing", 15 s, "the clock loses 30 us a second" [course(course(3 * MS, 30))];
        "gaining", 20 s, "the clock gains 30 us a second" [poll(1), course(course(3 * MS, -30))];
        "wandering", 45 s,
            "the clock wanders by 50 us with a period of 20 s" [poll(1), course(wander)];
        "jumping", 60 s, "the frequency jumps by 45 ppm and back" [poll(4), course(jumps)];
    }
}

fn paths() -> Vec<Scenario> {
    scenarios! { Scenario::new;
        "slow-requests", 12 s, "requests take 20 ms, replies no time"
            [server(|s| s.request_delay = Duration::from_millis(20))];
        "slow-replies", 12 s, "replies take 20 ms, requests no time"
            [server(|s| s.reply_delay = Duration::from_millis(20))];
        "jitter", 15 s, "requests and replies take up to 5 ms each"
            [server(|s| {
                s.request_jitter = Duration::from_millis(5);
                s.reply_jitter = Duration::from_millis(5);
            })];
        "one-way-jitter", 20 s, "replies take up to 10 ms, requests no time"
            [server(|s| (s.reply_jitter, s.jitter_seed) = (Duration::from_millis(10), 7))];
    }
}

fn servers() -> Vec<Scenario> {
    scenarios! { Scenario::new;
        "server-dies", 20 s, "the server stops answering for good: holdover"
            [expecting(Trusted), course(course(2 * MS, 20))] 8: silence(0);
        "local", 30 s, "chronyd enters its local mode when the server stops answering"
            [expecting(Trusted),
             chrony_lines(&["local stratum 10 distance 0.001", "maxclockerror 100"])]
            8: silence(0);
        "only-local", 8 s, "chronyd has no source but its local mode"
            [expecting(Untrusted), chrony_lines(&["local stratum 10"]), server(|s| s.silent = true)]
            ;
        "large-root-error", 10 s, "the server is off by 180 ms and declares 200 ms"
            [server(|s| (s.root_dispersion, s.time_error_ns) = (0.2, 180 * MS))];
        "correcting", 20 s, "a server that is off by 180 ms, as declared, corrects its time at once"
            [server(|s| (s.root_dispersion, s.time_error_ns) = (0.2, 180 * MS))]
            8: Server(0, |s| s.time_error_ns = 0);
        "falseticker-alone", 15 s, "the server steps its time by 200 ms and declares nothing"
            [expecting(Trusted),
             not_held("the only server is a falseticker that declares its time exact")]
            8: Server(0, |s| s.time_error_ns = 200 * MS);
        "late-server", 15 s, "the server is not synchronised for 5 s"
            [server(|s| (s.leap, s.stratum) = (3, 16))]
            5: Server(0, |s| (s.leap, s.stratum) = (0, 1));
        "leap", 12 s, "the server announces a leap second" [server(|s| s.leap = 1)];
        "two-disagree", 12 s, "two servers are 50 ms apart, without a third"
            [expecting(Untrusted), chrony_lines(&["minsources 2"]), falsetickers(1),
             another_server(|s| s.time_error_ns = 50 * MS)];
        "one-of-three", 15 s, "one of three servers is off by 50 ms"
            [chrony_lines(&["minsources 2"]), falsetickers(1),
             another_server(|s| s.time_error_ns = 50 * MS), another_server(|_| {})];
        "phc", 12 s, "a hardware clock is off by 300 us, within its error bound"
            [phc_bound_ns(400_000), server(|s| s.time_error_ns = 300_000)];
    }
}

fn programs() -> Vec<Scenario> {
    let drifting = |name, about, seconds| trusted(name, about, seconds).course(course(-2 * MS, 25));
    scenarios! { drifting;
        "chronyd-restarted", 16 s,
            "chronyd is stopped and started" [] 8: StopChronyd, 8: StartChronyd;
        "chronyd-killed", 20 s, "chronyd is killed, and started 4 s later"
            [] 8: KillChronyd, 12: StartChronyd;
        "chronyd-hangs", 20 s, "chronyd hangs for 4 s" [] 8: FreezeChronyd, 12: ThawChronyd;
        "daemon-killed", 14 s, "the daemon is killed and started" [] 8: RestartDaemon;
        "daemon-down", 18 s, "the daemon is stopped for 2 s, then killed and started 1 s later"
            [] 7: StopDaemon, 9: StartDaemon, 12: KillDaemon, 13: StartDaemon;
    }
}

fn polling() -> Vec<Scenario> {
    let drifting =
        |name, about, seconds| Scenario::new(name, about, seconds).course(course(5 * MS, 10));
    scenarios! { drifting;
        "polled-16-times-a-second", 12 s,
            "chronyd polls every 1/16 s" [polling("minpoll -4 maxpoll -4")];
        "polled-each-second", 20 s, "chronyd polls every second" [poll(1)];
        "polled-each-16-s", 60 s, "chronyd polls every 16 s" [poll(16)];
        "polled-by-default", 150 s,
            "chronyd polls every 64 s, its default, and selects at the third poll"
            [polling("")];
        "polled-by-default-after-a-burst", 80 s, "chronyd polls every 64 s after an initial burst"
            [polling("iburst")];
    }
}
