//! chronyd disciplines the clock, or the kernel carries a frequency.

use super::super::scenario::{Action, Expect, Scenario};
use super::{MS, PPM, polled_each};
use crate::host::virtual_clock::Rate;
use crate::time::truth::Course;

/// The scenarios of the table.
pub fn all() -> Vec<Scenario> {
    [slews(), steps(), carried(), carried_disciplined()].concat()
}

fn slews() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "slewed",
            "chronyd slews a clock that is 20 ms slow and loses 30 us a second",
            30,
        )
        .expecting(Expect::Trusted)
        .disciplined()
        .course(course(20 * MS, 30)),
        slewed(
            "slewed-20-ms",
            "chronyd slews a clock that is 20 ms fast and gains 30 us a second, polled every second",
            24,
            1,
        )
        .course(course(-20 * MS, -30)),
        slewed(
            "slewed-200-ms",
            "chronyd slews a clock that is 200 ms slow, polled every 4 s",
            40,
            4,
        )
        .course(course(200 * MS, 0)),
        slewed(
            "slewed-200-ms-back",
            "chronyd slews a clock that is 200 ms fast, polled every 16 s, drift rate 15",
            60,
            16,
        )
        .max_drift_ppm("15")
        .course(course(-200 * MS, -10)),
        slewed(
            "slewed-and-restarted",
            "the clock is 200 ms off, and the daemon restarted while chronyd slews, polled every second",
            30,
            1,
        )
        .course(course(200 * MS, 30))
        .at(3.5, Action::RestartDaemon)
        .at(5.0, Action::RestartDaemon)
        .at(7.0, Action::RestartDaemon),
        slewed(
            "set-slewed-and-restarted",
            "a clock that is set by 20 ms is slewed back, and the daemon restarted, polled every 4 s",
            44,
            4,
        )
        .at(12.0, Action::StepClock(20 * MS))
        .at(17.0, Action::RestartDaemon)
        .at(19.0, Action::RestartDaemon),
        slewed(
            "set-slewed-while-down",
            "a clock that is set back by 200 ms is slewed while the daemon is down, polled every second",
            30,
            1,
        )
        .at(10.0, Action::StepClock(-200 * MS))
        .at(10.5, Action::KillDaemon)
        .at(13.0, Action::StartDaemon),
        slewed(
            "killed-in-its-slew",
            "chronyd is killed while it slews by 200 ms, and back 3 s later, polled every second",
            30,
            1,
        )
        .at(10.0, Action::StepClock(200 * MS))
        .at(12.5, Action::KillChronyd)
        .at(15.5, Action::StartChronyd),
        slewed(
            "killed-in-its-slew-each-4-s",
            "chronyd is killed while it slews by -200 ms, and back 6 s later, polled every 4 s, drift rate 15",
            44,
            4,
        )
        .max_drift_ppm("15")
        .at(12.0, Action::StepClock(-200 * MS))
        .at(18.5, Action::KillChronyd)
        .at(24.5, Action::StartChronyd),
        slewed(
            "killed-in-its-first-slew",
            "chronyd is killed in its first slew, the daemon restarted, and chronyd back, polled every 16 s",
            60,
            16,
        )
        .course(course(200 * MS, 0))
        .at(7.5, Action::KillChronyd)
        .at(9.0, Action::RestartDaemon)
        .at(12.0, Action::StartChronyd),
    ]
}

fn steps() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "makestep",
            "chronyd is told to step a clock that was set by 200 ms",
            30,
        )
        .expecting(Expect::Trusted)
        .disciplined()
        .polling(polled_each(1))
        .at(12.0, Action::StepClock(200 * MS))
        .at(14.0, Action::Makestep),
        healthy(
            "makestep-each-second",
            "chronyd is told to step a clock that is 500 ms slow, polled every second",
            24,
            1,
        )
        .course(course(500 * MS, 20))
        .at(6.0, Action::Makestep),
        healthy(
            "makestep-each-4-s",
            "chronyd is told to step a clock that is 2 s fast, polled every 4 s, drift rate 15",
            40,
            4,
        )
        .max_drift_ppm("15")
        .course(course(-2_000 * MS, -20))
        .at(9.0, Action::Makestep),
        healthy(
            "makestep-each-16-s",
            "chronyd is told to step a clock that was set by 200 ms before it has measured that, and after",
            60,
            16,
        )
        .at(10.0, Action::StepClock(200 * MS))
        .at(12.0, Action::Makestep)
        .at(25.0, Action::Makestep),
        healthy(
            "makestep-of-itself",
            "chronyd steps a clock that is 500 ms slow by itself",
            24,
            1,
        )
        .chrony_lines(&["makestep 0.1 3"])
        .course(course(500 * MS, 0)),
        healthy(
            "set-ten-times-disciplined",
            "somebody sets a disciplined clock by 200 ms ten times in a row",
            30,
            1,
        )
        .at(10.0, Action::StepClock(200 * MS))
        .at(10.5, Action::StepClock(200 * MS))
        .at(11.0, Action::StepClock(200 * MS))
        .at(11.5, Action::StepClock(200 * MS))
        .at(12.0, Action::StepClock(200 * MS))
        .at(12.5, Action::StepClock(200 * MS))
        .at(13.0, Action::StepClock(200 * MS))
        .at(13.5, Action::StepClock(200 * MS))
        .at(14.0, Action::StepClock(200 * MS))
        .at(14.5, Action::StepClock(200 * MS)),
        healthy(
            "set-disciplined-each-16-s",
            "somebody sets a disciplined clock by 4.5 ms and back by 9 ms, polled every 16 s",
            60,
            16,
        )
        .at(12.0, Action::StepClock(4_500_000))
        .at(30.0, Action::StepClock(-9 * MS)),
    ]
}

/// The kernel carries a frequency when `chronyd -x` starts.
fn carried() -> Vec<Scenario> {
    let carries = |name, about, seconds, poll_s, ppm| {
        Scenario::new(name, about, seconds)
            .expecting(Expect::Trusted)
            .polling(polled_each(poll_s))
            .rate(Rate::of_ppm(ppm))
    };
    vec![
        Scenario::new(
            "carries-a-frequency",
            "the kernel carries 60 ppm when chronyd -x starts",
            20,
        )
        .expecting(Expect::Trusted)
        .rate(Rate::of_ppm(60)),
        Scenario::new(
            "carries-60-ppm-polled-often",
            "the kernel carries 60 ppm, the oscillator is off by 60 ppm, drift rate 1, polled every 1/16 s",
            30,
        )
        .expecting(Expect::Trusted)
        .rate(Rate::of_ppm(60))
        .max_drift_ppm("1")
        .course(course(3 * MS, 60)),
        Scenario::new(
            "carries-60-ppm-for-120",
            "the kernel carries 60 ppm, the oscillator is off by -60 ppm, drift rate 1, and the server dies",
            40,
        )
        .expecting(Expect::Trusted)
        .rate(Rate::of_ppm(60))
        .max_drift_ppm("1")
        .course(course(0, -60))
        .at(15.0, Action::Server(0, |server| server.silent = true)),
        carries(
            "carries-60-ppm",
            "the kernel carries 60 ppm, the oscillator is off by 60 ppm, drift rate 1, polled every second",
            40,
            1,
            60,
        )
        .max_drift_ppm("1")
        .course(course(3 * MS, 60)),
        carries(
            "carries-60-ppm-the-other-way",
            "the kernel carries -60 ppm, the oscillator is off by 60 ppm, drift rate 1, polled every 4 s",
            40,
            4,
            -60,
        )
        .max_drift_ppm("1")
        .course(course(0, 60)),
        carries(
            "carries-450-ppm",
            "the kernel carries 450 ppm, the oscillator is off by -60 ppm, drift rate 1, polled every 16 s",
            60,
            16,
            450,
        )
        .max_drift_ppm("1")
        .course(course(-3 * MS, -60)),
        carries(
            "carries-100-ppm-and-restarted",
            "the kernel carries 100 ppm, the oscillator is off by -60 ppm, and the daemon is restarted, drift rate 15",
            40,
            4,
            100,
        )
        .max_drift_ppm("15")
        .course(course(0, -60))
        .at(9.0, Action::RestartDaemon)
        .at(20.0, Action::RestartDaemon),
        carries(
            "carries-60-ppm-and-is-left-alone",
            "the kernel carries 60 ppm, the oscillator is off by 60 ppm, the server dies, drift rate 1",
            50,
            1,
            60,
        )
        .max_drift_ppm("1")
        .course(course(0, 60))
        .at(16.0, Action::Server(0, |server| server.silent = true)),
    ]
}

/// The same with a chronyd that disciplines.
fn carried_disciplined() -> Vec<Scenario> {
    let carries = |name, about, seconds, poll_s, ppm| {
        slewed(name, about, seconds, poll_s).rate(Rate::of_ppm(ppm))
    };
    vec![
        carries(
            "carries-60-ppm-disciplined",
            "the kernel carries 60 ppm when chronyd starts, the oscillator is off by 60 ppm, drift rate 1",
            40,
            1,
            60,
        )
        .max_drift_ppm("1")
        .course(course(3 * MS, 60)),
        carries(
            "carries-the-other-way-disciplined",
            "the kernel carries -60 ppm when chronyd starts, the oscillator is off by 60 ppm, drift rate 1",
            40,
            4,
            -60,
        )
        .max_drift_ppm("1")
        .course(course(0, 60)),
        carries(
            "carries-450-ppm-disciplined",
            "the kernel carries 450 ppm when chronyd starts, the oscillator is off by -60 ppm, polled every 16 s",
            60,
            16,
            450,
        )
        .max_drift_ppm("15")
        .course(course(-3 * MS, -60)),
        carries(
            "carries-a-tick-disciplined",
            "the kernel runs off by 8000 ppm when chronyd starts, polled every second",
            30,
            1,
            0,
        )
        .rate(Rate::default().faster_by(8_000 * PPM)),
    ]
}

fn course(offset_ns: i64, drift_ppm: i64) -> Course {
    Course {
        offset_ns,
        drift_ppb: drift_ppm * PPM,
        ..Course::default()
    }
}

fn healthy(name: &'static str, about: &'static str, seconds: u64, poll_s: u64) -> Scenario {
    Scenario::new(name, about, seconds)
        .disciplined()
        .polling(polled_each(poll_s))
}

fn slewed(name: &'static str, about: &'static str, seconds: u64, poll_s: u64) -> Scenario {
    healthy(name, about, seconds, poll_s).expecting(Expect::Kept)
}
