//! `CLOCK_REALTIME` is stepped or its frequency changed, by another program than chronyd.

use super::table::{MS, PPM, kept, scenarios, silence, trusted};
use crate::host::virtual_clock::Rate;
use crate::rig::scenario::Action::{
    AddServer, KillChronyd, KillDaemon, RestartDaemon, RunClockOff, SetRate, StartChronyd,
    StartDaemon, StepClock, StopChronyd, StopDaemon,
};
use crate::rig::scenario::Listed::Later;
use crate::rig::scenario::Scenario;
use crate::time::truth::Course;

const SECONDLY_PREFERRED: &str = "iburst minpoll 0 maxpoll 0 prefer";

/// The scenarios of the table.
pub fn all() -> Vec<Scenario> {
    [
        disturbances(),
        steps_and_restarts(),
        steps_while_down(),
        ticks(),
        fallbacks(),
        harmless_steps(),
        frequencies(),
        chronyd_restarts(),
        expired_holdovers(),
    ]
    .concat()
}

/// Variants with long poll intervals.
pub fn slow() -> Vec<Scenario> {
    scenarios! { kept;
        "set-and-restarted-each-64-s", 150 s,
            "the clock is stepped by 200 ms and the daemon restarted at once"
            [poll(64)] 20: StepClock(200 * MS), 20: RestartDaemon;
        "set-while-down-each-64-s", 150 s,
            "the clock is stepped by -4.5 ms while the daemon is down"
            [poll(64)] 20: KillDaemon, 22: StepClock(-4_500_000), 24: StartDaemon;
        "tick-and-restarted-each-64-s", 150 s,
            "the tick is changed by 8000 ppm and the daemon restarted 6 s later"
            [poll(64)] 20: RunClockOff(8_000 * PPM), 26: RestartDaemon, 50: RunClockOff(0);
        "falls-back-each-4-s", 120 s,
            "the preferred source dies, and the clock is stepped by 200 ms"
            [poll(64), preferred_and_later("iburst minpoll 2 maxpoll 2 prefer")]
            10: silence(0), 30: AddServer(1), 37: StepClock(200 * MS);
    }
}

fn disturbances() -> Vec<Scenario> {
    scenarios! { trusted;
        "set-forwards", 32 s, "the clock is stepped by 200 ms, and back"
            [poll(4)] 10: StepClock(200 * MS), 21: StepClock(-200 * MS);
        "set-backwards", 32 s, "the clock is stepped by -200 ms, and back"
            [poll(4)] 10: StepClock(-200 * MS), 21: StepClock(200 * MS);
        // A chronyd that starts corrects the kernel's frequency first.
        "slew-left-on", 24 s, "chronyd is killed in a slew, and started 3 s later"
            [poll(4), course(Course::offset_by_ns(10 * MS))]
            10: RunClockOff(8_000 * PPM), 10: KillChronyd, 13: RunClockOff(0), 13: StartChronyd;
        "runs-off", 30 s, "another program makes the clock run 8000 ppm fast for 2 s"
            [poll(4)] 10: RunClockOff(8_000 * PPM), 12: RunClockOff(0);
        "another-frequency", 30 s, "another program changes the kernel's frequency for good"
            [poll(4)] 10: SetRate(Rate::of_ppm(-100));
    }
}

fn steps_and_restarts() -> Vec<Scenario> {
    scenarios! { kept;
        "set-200-ms-and-restarted", 44 s,
            "the clock is stepped by 200 ms and the daemon restarted at once"
            [poll(16)] 12: StepClock(200 * MS), 12: RestartDaemon;
        "set-4.5-ms-and-restarted", 44 s,
            "the clock is stepped by 4.5 ms and the daemon restarted at once"
            [poll(16)] 12: StepClock(4_500_000), 12: RestartDaemon;
        "set-back-200-ms-restarted-later", 44 s,
            "the clock is stepped by -200 ms and the daemon restarted 2 s later"
            [poll(16), max_drift_ppm("15")] 12: StepClock(-200 * MS), 14: RestartDaemon;
        "set-back-4.5-ms-and-restarted-twice", 44 s,
            "the clock is stepped by -4.5 ms, and the daemon restarted at once and 3 s later"
            [poll(16), max_drift_ppm("1")]
            12: StepClock(-4_500_000), 12: RestartDaemon, 15: RestartDaemon;
        "set-and-restarted-each-4-s", 30 s,
            "the clock is stepped by -30 ms and the daemon restarted 1 s later"
            [poll(4)] 12: StepClock(-30 * MS), 13: RestartDaemon;
        "set-and-restarted-each-second", 30 s,
            "the clock is stepped by 4.5 ms and the daemon restarted at once, four times"
            [poll(1)]
            10: StepClock(4_500_000), 10: RestartDaemon, 13.3: StepClock(4_500_000),
            13.3: RestartDaemon,
            16.6: StepClock(-4_500_000), 16.6: RestartDaemon, 19.9: StepClock(-4_500_000),
            19.9: RestartDaemon;
        "restarted-and-set", 44 s, "the daemon is restarted and the clock stepped by 200 ms at once"
            [poll(16)] 12: RestartDaemon, 12: StepClock(200 * MS);
    }
}

fn steps_while_down() -> Vec<Scenario> {
    scenarios! { kept;
        "set-200-ms-while-down", 44 s,
            "the clock is stepped by 200 ms while the daemon is down for 4 s"
            [poll(16)] 11: KillDaemon, 13: StepClock(200 * MS), 15: StartDaemon;
        "set-back-4.5-ms-while-down", 44 s,
            "the clock is stepped by -4.5 ms while the daemon is down for 8 s"
            [poll(16), max_drift_ppm("15")] 11: StopDaemon, 12: StepClock(-4_500_000),
            19: StartDaemon;
        "set-twice-while-down", 44 s,
            "the clock is stepped by 200 ms and by -80 ms while the daemon is down"
            [poll(16)]
            11: KillDaemon, 12: StepClock(200 * MS), 14: StepClock(-80 * MS), 15: StartDaemon;
        "set-and-back-while-down", 44 s,
            "the clock is stepped by 200 ms and back while the daemon is down"
            [poll(16)]
            12: KillDaemon, 13: StepClock(200 * MS), 15: StepClock(-200 * MS), 16: StartDaemon;
        // chronyd polls while the clock is wrong, and no daemon can detect that it was.
        "set-and-back-while-down-measured", 52 s,
            "the daemon is down, the clock is stepped by 200 ms, polled, and stepped back"
            [poll(16)]
            19: KillDaemon, 20: StepClock(200 * MS), 25: StepClock(-200 * MS), 26: StartDaemon;
        "set-and-back-while-down-each-second", 30 s,
            "the clock is stepped by 4.5 ms and back while the daemon is down"
            [poll(1)]
            10: KillDaemon, 11: StepClock(4_500_000), 14: StepClock(-4_500_000), 14.1: StartDaemon;
        "set-and-back-while-down-each-4-s", 40 s,
            "the clock is stepped by -200 ms and back while the daemon is down"
            [poll(4), max_drift_ppm("1")]
            11: KillDaemon, 12: StepClock(-200 * MS), 17: StepClock(200 * MS), 17.2: StartDaemon;
    }
}

fn ticks() -> Vec<Scenario> {
    scenarios! { kept;
        "tick-and-restarted", 60 s,
            "the tick is changed by 8000 ppm and the daemon restarted 6 s later"
            [poll(16)] 12: RunClockOff(8_000 * PPM), 18: RestartDaemon, 30: RunClockOff(0);
        "tick-back-and-restarted", 60 s,
            "the tick is changed by -8000 ppm and the daemon restarted 6 s later"
            [poll(16), max_drift_ppm("15")]
            12: RunClockOff(-8_000 * PPM), 18: RestartDaemon, 40: RunClockOff(0);
        "tick-while-down", 40 s, "the tick is changed by 8000 ppm while the daemon is down"
            [poll(4)]
            10: KillDaemon, 11: RunClockOff(8_000 * PPM), 14: StartDaemon, 24: RunClockOff(0);
        "tick-and-restarted-each-second", 40 s,
            "the tick is changed by 500 ppm and the daemon restarted 6 s later"
            [poll(1), max_drift_ppm("1")] 10: RunClockOff(500 * PPM), 16: RestartDaemon;
        "tick-back-and-restarted-each-4-s", 40 s,
            "the tick is changed by -90000 ppm for 1 s, in which the daemon is restarted"
            [poll(4)] 12: RunClockOff(-90_000 * PPM), 12.5: RestartDaemon, 13: RunClockOff(0);
    }
}

/// chronyd falls back to a source that it has used for a short time only: a dead source stays
/// selected as long as the other has an older measurement.
fn fallbacks() -> Vec<Scenario> {
    scenarios! { kept;
        "falls-back-to-a-sample-from-before", 44 s,
            "the preferred source dies, the clock is stepped by 30 ms, the other's sample is older"
            [poll(64), preferred_and_later(SECONDLY_PREFERRED)]
            10: silence(0), 10.5: AddServer(1), 17.2: StepClock(30 * MS);
        "falls-back-set-back", 44 s,
            "the preferred source dies, and the clock is stepped by -4.5 ms"
            [poll(16), preferred_and_later(SECONDLY_PREFERRED), max_drift_ppm("15")]
            10: silence(0), 10.5: AddServer(1), 17.2: StepClock(-4_500_000);
        "falls-back-each-2-s", 60 s, "the preferred source dies, and the clock is stepped by -30 ms"
            [poll(64), preferred_and_later("iburst minpoll 1 maxpoll 1 prefer")]
            10: silence(0), 16: AddServer(1), 22.7: StepClock(-30 * MS);
        "falls-back-and-restarted", 44 s,
            "the preferred source dies, the clock is stepped by 200 ms, the daemon restarted"
            [poll(64), preferred_and_later(SECONDLY_PREFERRED)]
            10: silence(0), 10.5: AddServer(1), 17: StepClock(200 * MS), 17.2: RestartDaemon;
        "falls-back-set-while-down", 44 s,
            "the preferred source dies, the clock is stepped by -4.5 ms, the daemon is down"
            [poll(64), preferred_and_later(SECONDLY_PREFERRED), max_drift_ppm("1")]
            10: silence(0), 10.5: AddServer(1), 17: KillDaemon, 17.3: StepClock(-4_500_000),
            20: StartDaemon;
    }
}

/// Steps that change neither the interval nor the status.
fn harmless_steps() -> Vec<Scenario> {
    scenarios! { Scenario::new;
        "set-ten-times", 30 s, "the clock is stepped by 200 ms ten times in a row"
            [poll(1), stepping(10, 1.0, 200 * MS)];
        "set-back-ten-times", 44 s, "the clock is stepped by -200 ms ten times in a row"
            [poll(4), stepping(10, 2.0, -200 * MS)];
        "set-by-nothing-ten-times", 32 s, "the clock is stepped by 0 ten times in a row"
            [poll(4), max_drift_ppm("15"), stepping(10, 1.0, 0)];
        "set-by-nothing-ten-times-each-16-s", 60 s, "the clock is stepped by 0 every 4 s, ten times"
            [poll(16), stepping(10, 4.0, 0)];
        "set-once", 44 s, "the clock is stepped by 200 ms" [poll(16)] 12: StepClock(200 * MS);
        "set-back-once", 24 s, "the clock is stepped by -4.5 ms"
            [poll(1), max_drift_ppm("1")] 12: StepClock(-4_500_000);
    }
}

/// Another time daemon keeps changing the kernel's frequency.
fn frequencies() -> Vec<Scenario> {
    scenarios! { kept;
        "frequency-keeps-changing", 40 s,
            "another daemon changes the frequency by up to 100 ppm every 2 s"
            [poll(4), changing_frequency(&[100, -50, 20, -100, 100, 0, 70, -70, 30, -10])];
        "frequency-keeps-changing-each-second", 36 s,
            "another daemon changes the frequency by up to 500 ppm every 2 s"
            [poll(1), max_drift_ppm("1"),
             changing_frequency(&[500, -500, 300, -200, 500, 0, -500, 500])];
        "frequency-keeps-changing-each-16-s", 60 s,
            "another daemon changes the frequency by up to 500 ppm every 2 s"
            [poll(16), max_drift_ppm("15"),
             changing_frequency(&[500, 500, 500, 300, -500, -500, 500, -500, 500, -100])];
        "frequency-keeps-changing-disciplined", 36 s,
            "another daemon changes the frequency that chronyd has set"
            [poll(1), disciplined, changing_frequency(&[100, -50, 20, -100, 100, 0, 70, -70])];
    }
}

/// chronyd is restarted while the clock is stepped.
fn chronyd_restarts() -> Vec<Scenario> {
    scenarios! { kept;
        "set-and-chronyd-restarted", 44 s,
            "the clock is stepped by 200 ms and chronyd restarted at once"
            [poll(16)] 12: StepClock(200 * MS), 12: StopChronyd, 12: StartChronyd;
        "set-while-chronyd-down", 36 s, "the clock is stepped by -4.5 ms while chronyd is down"
            [poll(4), max_drift_ppm("15")]
            11: KillChronyd, 12: StepClock(-4_500_000), 14: StartChronyd;
        "set-and-all-restarted", 30 s,
            "the clock is stepped by 30 ms, chronyd and the daemon restarted at once"
            [poll(1)] 12: StepClock(30 * MS), 12: StopChronyd, 12: StartChronyd, 12: RestartDaemon;
        "set-while-all-down", 44 s,
            "the clock is stepped by -200 ms while neither chronyd nor the daemon runs"
            [poll(16)]
            11: KillDaemon, 11: KillChronyd, 12: StepClock(-200 * MS), 14: StartChronyd,
            14: StartDaemon;
    }
}

/// The clock is stepped while no daemon runs, for longer than its holdover.
fn expired_holdovers() -> Vec<Scenario> {
    let expired =
        |name, about, seconds| trusted(name, about, seconds).daemon_args(&["--holdover", "5s"]);
    scenarios! { expired;
        "set-past-the-holdover", 40 s,
            "the clock is stepped by 200 ms while the daemon is down for 7 s"
            [poll(64)] 11: KillDaemon, 13: StepClock(200 * MS), 18: StartDaemon;
        "set-back-past-the-holdover", 44 s,
            "the clock is stepped by -4.5 ms while the daemon is down for 7 s"
            [poll(16), max_drift_ppm("15")] 10: StopDaemon, 12: StepClock(-4_500_000),
            17: StartDaemon;
        "set-past-the-holdover-each-4-s", 36 s,
            "the clock is stepped by 30 ms while the daemon is down for 7 s"
            [poll(4)] 10: KillDaemon, 16.5: StepClock(30 * MS), 17: StartDaemon;
        "tick-past-the-holdover", 50 s,
            "the tick is changed by 8000 ppm while the daemon is down for 7 s"
            [poll(16)]
            11: KillDaemon, 12: RunClockOff(8_000 * PPM), 18: StartDaemon, 30: RunClockOff(0);
        "set-and-back-past-the-holdover", 50 s,
            "the daemon is down, the clock is stepped by 200 ms, polled, and stepped back"
            [poll(16),
             not_held("chronyd polls between two steps of its clock that no program can detect")]
            19: KillDaemon, 20: StepClock(200 * MS), 25: StepClock(-200 * MS), 26: StartDaemon;
    }
}

impl Scenario {
    /// Gives the first server these options, and adds a second one that chronyd does not use at
    /// first.
    fn preferred_and_later(self, options: &'static str) -> Scenario {
        self.options(options)
            .another_server(|server| server.root_dispersion = 0.001)
            .listed(Later)
    }

    /// Changes the kernel's frequency offset to each of `ppms`, every 2 s from second 10 on.
    fn changing_frequency(self, ppms: &[i64]) -> Scenario {
        let seconds = (0..).map(|number| 10.0 + 2.0 * f64::from(number));
        seconds.zip(ppms).fold(self, |scenario, (second, &ppm)| {
            scenario.at(second, SetRate(Rate::of_ppm(ppm)))
        })
    }
}
