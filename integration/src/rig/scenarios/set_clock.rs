//! `CLOCK_REALTIME` is set or runs off, by somebody else than chronyd.

use super::super::scenario::{Action, Expect, Listed, Scenario};
use super::{MS, PPM, polled_each};
use crate::host::virtual_clock::Rate;
use crate::time::truth::Course;

/// The scenarios of the table.
pub fn all() -> Vec<Scenario> {
    [
        disturbances(),
        sets_and_restarts(),
        sets_while_down(),
        ticks(),
        fallbacks(),
        settings(),
        frequencies(),
        chronyd_restarts(),
        expired_holdovers(),
    ]
    .concat()
}

/// Relatives of them, whose polls are long.
pub fn slow() -> Vec<Scenario> {
    vec![
        kept(
            "set-and-restarted-each-64-s",
            "the clock is set by 200 ms and the daemon restarted at once, polled every 64 s",
            150,
            64,
        )
        .at(20.0, Action::StepClock(200 * MS))
        .at(20.0, Action::RestartDaemon),
        kept(
            "set-while-down-each-64-s",
            "the clock is set back by 4.5 ms while the daemon is down, polled every 64 s",
            150,
            64,
        )
        .at(20.0, Action::KillDaemon)
        .at(22.0, Action::StepClock(-4_500_000))
        .at(24.0, Action::StartDaemon),
        kept(
            "tick-and-restarted-each-64-s",
            "the tick is changed by 8000 ppm and the daemon restarted 6 s later, polled every 64 s",
            150,
            64,
        )
        .at(20.0, Action::RunClockOff(8_000 * PPM))
        .at(26.0, Action::RestartDaemon)
        .at(50.0, Action::RunClockOff(0)),
        fallen_back(
            "falls-back-each-4-s",
            "the preferred source, polled every 4 s, dies, and the clock is set by 200 ms",
            120,
            "iburst minpoll 2 maxpoll 2 prefer",
            64,
        )
        .at(10.0, Action::Server(0, |server| server.silent = true))
        .at(30.0, Action::AddServer(1))
        .at(37.0, Action::StepClock(200 * MS)),
    ]
}

fn disturbances() -> Vec<Scenario> {
    vec![
        trusted(
            "set-forwards",
            "CLOCK_REALTIME is set forwards by 200 ms, and back",
            32,
            4,
        )
        .at(10.0, Action::StepClock(200 * MS))
        .at(21.0, Action::StepClock(-200 * MS)),
        trusted(
            "set-backwards",
            "CLOCK_REALTIME is set backwards by 200 ms, and back",
            32,
            4,
        )
        .at(10.0, Action::StepClock(-200 * MS))
        .at(21.0, Action::StepClock(200 * MS)),
        // A chronyd that starts begins by putting the kernel's frequency right.
        trusted(
            "slew-left-on",
            "chronyd is killed in a slew, and back 3 s later",
            24,
            4,
        )
        .course(Course::offset_by_ns(10 * MS))
        .at(10.0, Action::RunClockOff(8_000 * PPM))
        .at(10.0, Action::KillChronyd)
        .at(13.0, Action::RunClockOff(0))
        .at(13.0, Action::StartChronyd),
        trusted(
            "runs-off",
            "somebody else lets the clock run off for 2 s",
            30,
            4,
        )
        .at(10.0, Action::RunClockOff(8_000 * PPM))
        .at(12.0, Action::RunClockOff(0)),
        trusted(
            "another-frequency",
            "somebody else sets the kernel's frequency for good",
            30,
            4,
        )
        .at(10.0, Action::SetRate(Rate::of_ppm(-100))),
    ]
}

fn sets_and_restarts() -> Vec<Scenario> {
    vec![
        kept(
            "set-200-ms-and-restarted",
            "the clock is set by 200 ms and the daemon restarted at once, polled every 16 s",
            44,
            16,
        )
        .at(12.0, Action::StepClock(200 * MS))
        .at(12.0, Action::RestartDaemon),
        kept(
            "set-4.5-ms-and-restarted",
            "the clock is set by 4.5 ms and the daemon restarted at once, polled every 16 s",
            44,
            16,
        )
        .at(12.0, Action::StepClock(4_500_000))
        .at(12.0, Action::RestartDaemon),
        kept(
            "set-back-200-ms-restarted-later",
            "the clock is set back by 200 ms and the daemon restarted 2 s later, polled every 16 s, drift rate 15",
            44,
            16,
        )
        .max_drift_ppm("15")
        .at(12.0, Action::StepClock(-200 * MS))
        .at(14.0, Action::RestartDaemon),
        kept(
            "set-back-4.5-ms-and-restarted-twice",
            "the clock is set back by 4.5 ms, the daemon restarted at once and again 3 s later, drift rate 1",
            44,
            16,
        )
        .max_drift_ppm("1")
        .at(12.0, Action::StepClock(-4_500_000))
        .at(12.0, Action::RestartDaemon)
        .at(15.0, Action::RestartDaemon),
        kept(
            "set-and-restarted-each-4-s",
            "the clock is set back by 30 ms and the daemon restarted 1 s later, polled every 4 s",
            30,
            4,
        )
        .at(12.0, Action::StepClock(-30 * MS))
        .at(13.0, Action::RestartDaemon),
        kept(
            "set-and-restarted-each-second",
            "the clock is set by 4.5 ms and the daemon restarted at once, four times, polled every second",
            30,
            1,
        )
        .at(10.0, Action::StepClock(4_500_000))
        .at(10.0, Action::RestartDaemon)
        .at(13.3, Action::StepClock(4_500_000))
        .at(13.3, Action::RestartDaemon)
        .at(16.6, Action::StepClock(-4_500_000))
        .at(16.6, Action::RestartDaemon)
        .at(19.9, Action::StepClock(-4_500_000))
        .at(19.9, Action::RestartDaemon),
        kept(
            "restarted-and-set",
            "the daemon is restarted and the clock set by 200 ms at once, polled every 16 s",
            44,
            16,
        )
        .at(12.0, Action::RestartDaemon)
        .at(12.0, Action::StepClock(200 * MS)),
    ]
}

fn sets_while_down() -> Vec<Scenario> {
    vec![
        kept(
            "set-200-ms-while-down",
            "the clock is set by 200 ms while the daemon is down for 4 s, polled every 16 s",
            44,
            16,
        )
        .at(11.0, Action::KillDaemon)
        .at(13.0, Action::StepClock(200 * MS))
        .at(15.0, Action::StartDaemon),
        kept(
            "set-back-4.5-ms-while-down",
            "the clock is set back by 4.5 ms while the daemon is down for 8 s, polled every 16 s, drift rate 15",
            44,
            16,
        )
        .max_drift_ppm("15")
        .at(11.0, Action::StopDaemon)
        .at(12.0, Action::StepClock(-4_500_000))
        .at(19.0, Action::StartDaemon),
        kept(
            "set-twice-while-down",
            "the clock is set by 200 ms and back by 80 ms while the daemon is down, polled every 16 s",
            44,
            16,
        )
        .at(11.0, Action::KillDaemon)
        .at(12.0, Action::StepClock(200 * MS))
        .at(14.0, Action::StepClock(-80 * MS))
        .at(15.0, Action::StartDaemon),
        kept(
            "set-and-back-while-down",
            "the clock is set by 200 ms and back while the daemon is down, polled every 16 s",
            44,
            16,
        )
        .at(12.0, Action::KillDaemon)
        .at(13.0, Action::StepClock(200 * MS))
        .at(15.0, Action::StepClock(-200 * MS))
        .at(16.0, Action::StartDaemon),
        // chronyd measures while the clock is wrong, and nobody sees that it was.
        kept(
            "set-and-back-while-down-measured",
            "the clock is set by 200 ms and back while the daemon is down, polled every 16 s when it is wrong",
            52,
            16,
        )
        .at(19.0, Action::KillDaemon)
        .at(20.0, Action::StepClock(200 * MS))
        .at(25.0, Action::StepClock(-200 * MS))
        .at(26.0, Action::StartDaemon),
        kept(
            "set-and-back-while-down-each-second",
            "the clock is set by 4.5 ms and back while the daemon is down, polled every second",
            30,
            1,
        )
        .at(10.0, Action::KillDaemon)
        .at(11.0, Action::StepClock(4_500_000))
        .at(14.0, Action::StepClock(-4_500_000))
        .at(14.1, Action::StartDaemon),
        kept(
            "set-and-back-while-down-each-4-s",
            "the clock is set back by 200 ms and forwards while the daemon is down, polled every 4 s, drift rate 1",
            40,
            4,
        )
        .max_drift_ppm("1")
        .at(11.0, Action::KillDaemon)
        .at(12.0, Action::StepClock(-200 * MS))
        .at(17.0, Action::StepClock(200 * MS))
        .at(17.2, Action::StartDaemon),
    ]
}

fn ticks() -> Vec<Scenario> {
    vec![
        kept(
            "tick-and-restarted",
            "the tick is changed by 8000 ppm and the daemon restarted 6 s later, polled every 16 s",
            60,
            16,
        )
        .at(12.0, Action::RunClockOff(8_000 * PPM))
        .at(18.0, Action::RestartDaemon)
        .at(30.0, Action::RunClockOff(0)),
        kept(
            "tick-back-and-restarted",
            "the tick is changed by -8000 ppm and the daemon restarted 6 s later, polled every 16 s, drift rate 15",
            60,
            16,
        )
        .max_drift_ppm("15")
        .at(12.0, Action::RunClockOff(-8_000 * PPM))
        .at(18.0, Action::RestartDaemon)
        .at(40.0, Action::RunClockOff(0)),
        kept(
            "tick-while-down",
            "the tick is changed by 8000 ppm while the daemon is down, polled every 4 s",
            40,
            4,
        )
        .at(10.0, Action::KillDaemon)
        .at(11.0, Action::RunClockOff(8_000 * PPM))
        .at(14.0, Action::StartDaemon)
        .at(24.0, Action::RunClockOff(0)),
        kept(
            "tick-and-restarted-each-second",
            "the tick is changed by 500 ppm and the daemon restarted 6 s later, polled every second, drift rate 1",
            40,
            1,
        )
        .max_drift_ppm("1")
        .at(10.0, Action::RunClockOff(500 * PPM))
        .at(16.0, Action::RestartDaemon),
        kept(
            "tick-back-and-restarted-each-4-s",
            "the tick is changed by -90000 ppm for 1 s, in which the daemon is restarted, polled every 4 s",
            40,
            4,
        )
        .at(12.0, Action::RunClockOff(-90_000 * PPM))
        .at(12.5, Action::RestartDaemon)
        .at(13.0, Action::RunClockOff(0)),
    ]
}

/// chronyd falls back to a source that it has been using for a short time only: a dead one stays selected while the other
/// has a measurement that is older.
fn fallbacks() -> Vec<Scenario> {
    vec![
        fallen_back(
            "falls-back-to-a-sample-from-before",
            "the preferred source dies, the clock is set by 30 ms, the other's sample is from before",
            44,
            "iburst minpoll 0 maxpoll 0 prefer",
            64,
        )
        .at(10.0, Action::Server(0, |server| server.silent = true))
        .at(10.5, Action::AddServer(1))
        .at(17.2, Action::StepClock(30 * MS)),
        fallen_back(
            "falls-back-set-back",
            "the preferred source dies, the clock is set back by 4.5 ms, the other is polled every 16 s",
            44,
            "iburst minpoll 0 maxpoll 0 prefer",
            16,
        )
        .max_drift_ppm("15")
        .at(10.0, Action::Server(0, |server| server.silent = true))
        .at(10.5, Action::AddServer(1))
        .at(17.2, Action::StepClock(-4_500_000)),
        fallen_back(
            "falls-back-each-2-s",
            "the preferred source, polled every 2 s, dies, and the clock is set back by 30 ms",
            60,
            "iburst minpoll 1 maxpoll 1 prefer",
            64,
        )
        .at(10.0, Action::Server(0, |server| server.silent = true))
        .at(16.0, Action::AddServer(1))
        .at(22.7, Action::StepClock(-30 * MS)),
        fallen_back(
            "falls-back-and-restarted",
            "the preferred source dies, the clock is set by 200 ms, the daemon restarted before the other is selected",
            44,
            "iburst minpoll 0 maxpoll 0 prefer",
            64,
        )
        .at(10.0, Action::Server(0, |server| server.silent = true))
        .at(10.5, Action::AddServer(1))
        .at(17.0, Action::StepClock(200 * MS))
        .at(17.2, Action::RestartDaemon),
        fallen_back(
            "falls-back-set-while-down",
            "the preferred source dies, the clock is set back by 4.5 ms while the daemon is down",
            44,
            "iburst minpoll 0 maxpoll 0 prefer",
            64,
        )
        .max_drift_ppm("1")
        .at(10.0, Action::Server(0, |server| server.silent = true))
        .at(10.5, Action::AddServer(1))
        .at(17.0, Action::KillDaemon)
        .at(17.3, Action::StepClock(-4_500_000))
        .at(20.0, Action::StartDaemon),
    ]
}

/// Settings that concern neither the interval nor the status.
fn settings() -> Vec<Scenario> {
    let often = |scenario: Scenario, every_s: f64, by_ns: i64| {
        let times = (0..10).map(|number| 10.0 + f64::from(number) * every_s);
        times.fold(scenario, |scenario, second| {
            scenario.at(second, Action::StepClock(by_ns))
        })
    };
    let healthy = |name, about, seconds, poll_s| {
        Scenario::new(name, about, seconds).polling(polled_each(poll_s))
    };
    vec![
        often(
            healthy(
                "set-ten-times",
                "the clock is set by 200 ms ten times in a row, polled every second",
                30,
                1,
            ),
            1.0,
            200 * MS,
        ),
        often(
            healthy(
                "set-back-ten-times",
                "the clock is set back by 200 ms ten times in a row, polled every 4 s",
                44,
                4,
            ),
            2.0,
            -200 * MS,
        ),
        often(
            healthy(
                "set-by-nothing-ten-times",
                "the clock is set by 0 ten times in a row, polled every 4 s, drift rate 15",
                32,
                4,
            )
            .max_drift_ppm("15"),
            1.0,
            0,
        ),
        often(
            healthy(
                "set-by-nothing-ten-times-each-16-s",
                "the clock is set by 0 each 4 s, polled every 16 s",
                60,
                16,
            ),
            4.0,
            0,
        ),
        healthy(
            "set-once",
            "the clock is set by 200 ms, polled every 16 s",
            44,
            16,
        )
        .at(12.0, Action::StepClock(200 * MS)),
        healthy(
            "set-back-once",
            "the clock is set back by 4.5 ms, polled every second, drift rate 1",
            24,
            1,
        )
        .max_drift_ppm("1")
        .at(12.0, Action::StepClock(-4_500_000)),
    ]
}

/// Another time daemon keeps changing the kernel's frequency.
fn frequencies() -> Vec<Scenario> {
    let changing = |scenario: Scenario, ppms: &[i64]| {
        let seconds = (0..).map(|number| 10.0 + 2.0 * f64::from(number));
        seconds
            .zip(ppms)
            .fold(scenario, |scenario, (second, &ppm)| {
                scenario.at(second, Action::SetRate(Rate::of_ppm(ppm)))
            })
    };
    vec![
        changing(
            kept(
                "frequency-keeps-changing",
                "another daemon changes the frequency by up to 100 ppm each 2 s, polled every 4 s",
                40,
                4,
            ),
            &[100, -50, 20, -100, 100, 0, 70, -70, 30, -10],
        ),
        changing(
            kept(
                "frequency-keeps-changing-each-second",
                "another daemon changes the frequency by up to 500 ppm each 2 s, polled every second, drift rate 1",
                36,
                1,
            )
            .max_drift_ppm("1"),
            &[500, -500, 300, -200, 500, 0, -500, 500],
        ),
        changing(
            kept(
                "frequency-keeps-changing-each-16-s",
                "another daemon changes the frequency by up to 500 ppm each 2 s, polled every 16 s, drift rate 15",
                60,
                16,
            )
            .max_drift_ppm("15"),
            &[500, 500, 500, 300, -500, -500, 500, -500, 500, -100],
        ),
        changing(
            kept(
                "frequency-keeps-changing-disciplined",
                "another daemon changes the frequency that chronyd has set, polled every second",
                36,
                1,
            )
            .disciplined(),
            &[100, -50, 20, -100, 100, 0, 70, -70],
        ),
    ]
}

/// chronyd is restarted while the clock is set.
fn chronyd_restarts() -> Vec<Scenario> {
    vec![
        kept(
            "set-and-chronyd-restarted",
            "the clock is set by 200 ms and chronyd restarted at once, polled every 16 s",
            44,
            16,
        )
        .at(12.0, Action::StepClock(200 * MS))
        .at(12.0, Action::StopChronyd)
        .at(12.0, Action::StartChronyd),
        kept(
            "set-while-chronyd-down",
            "the clock is set back by 4.5 ms while chronyd is down, polled every 4 s, drift rate 15",
            36,
            4,
        )
        .max_drift_ppm("15")
        .at(11.0, Action::KillChronyd)
        .at(12.0, Action::StepClock(-4_500_000))
        .at(14.0, Action::StartChronyd),
        kept(
            "set-and-all-restarted",
            "the clock is set by 30 ms, chronyd and the daemon restarted, polled every second",
            30,
            1,
        )
        .at(12.0, Action::StepClock(30 * MS))
        .at(12.0, Action::StopChronyd)
        .at(12.0, Action::StartChronyd)
        .at(12.0, Action::RestartDaemon),
        kept(
            "set-while-all-down",
            "the clock is set back by 200 ms while neither chronyd nor the daemon run, polled every 16 s",
            44,
            16,
        )
        .at(11.0, Action::KillDaemon)
        .at(11.0, Action::KillChronyd)
        .at(12.0, Action::StepClock(-200 * MS))
        .at(14.0, Action::StartChronyd)
        .at(14.0, Action::StartDaemon),
    ]
}

/// The clock is set while no daemon runs, for longer than its holdover.
fn expired_holdovers() -> Vec<Scenario> {
    let forgotten = |name, about, seconds, poll_s| {
        trusted(name, about, seconds, poll_s).daemon_args(&["--holdover", "5s"])
    };
    vec![
        forgotten(
            "set-past-the-holdover",
            "the clock is set by 200 ms while the daemon is down for 7 s, holdover 5 s, polled every 64 s",
            40,
            64,
        )
        .at(11.0, Action::KillDaemon)
        .at(13.0, Action::StepClock(200 * MS))
        .at(18.0, Action::StartDaemon),
        forgotten(
            "set-back-past-the-holdover",
            "the clock is set back by 4.5 ms while the daemon is down for 7 s, holdover 5 s, polled every 16 s",
            44,
            16,
        )
        .max_drift_ppm("15")
        .at(10.0, Action::StopDaemon)
        .at(12.0, Action::StepClock(-4_500_000))
        .at(17.0, Action::StartDaemon),
        forgotten(
            "set-past-the-holdover-each-4-s",
            "the clock is set by 30 ms while the daemon is down for 7 s, holdover 5 s, polled every 4 s",
            36,
            4,
        )
        .at(10.0, Action::KillDaemon)
        .at(16.5, Action::StepClock(30 * MS))
        .at(17.0, Action::StartDaemon),
        forgotten(
            "tick-past-the-holdover",
            "the tick is changed by 8000 ppm while the daemon is down for 7 s, holdover 5 s, polled every 16 s",
            50,
            16,
        )
        .at(11.0, Action::KillDaemon)
        .at(12.0, Action::RunClockOff(8_000 * PPM))
        .at(18.0, Action::StartDaemon)
        .at(30.0, Action::RunClockOff(0)),
        forgotten(
            "set-and-back-past-the-holdover",
            "the clock is set by 200 ms and back while the daemon is down past its holdover, and measured meanwhile",
            50,
            16,
        )
        .not_held("chronyd measures with a clock that is set meanwhile, and neither it nor any daemon can know")
        .at(19.0, Action::KillDaemon)
        .at(20.0, Action::StepClock(200 * MS))
        .at(25.0, Action::StepClock(-200 * MS))
        .at(26.0, Action::StartDaemon),
    ]
}

fn trusted(name: &'static str, about: &'static str, seconds: u64, poll_s: u64) -> Scenario {
    Scenario::new(name, about, seconds)
        .expecting(Expect::Trusted)
        .polling(polled_each(poll_s))
}

fn kept(name: &'static str, about: &'static str, seconds: u64, poll_s: u64) -> Scenario {
    trusted(name, about, seconds, poll_s).expecting(Expect::Kept)
}

/// Two servers; the second is polled rarely, and not before it is added.
fn fallen_back(
    name: &'static str,
    about: &'static str,
    seconds: u64,
    preferred: &'static str,
    other_poll_s: u64,
) -> Scenario {
    kept(name, about, seconds, other_poll_s)
        .options(preferred)
        .another_server(|server| server.root_dispersion = 0.001)
        .listed(Listed::Later)
}
