//! chronyd disciplines the clock, or the kernel has a frequency offset.

use super::table::{MS, PPM, course, kept, scenarios, silence, trusted};
use crate::host::virtual_clock::Rate;
use crate::rig::scenario::Action::{
    KillChronyd, KillDaemon, Makestep, RestartDaemon, StartChronyd, StartDaemon, StepClock,
};
use crate::rig::scenario::Scenario;

/// The scenarios of the table.
pub fn all() -> Vec<Scenario> {
    [slews(), steps(), carried(), carried_disciplined()].concat()
}

fn slews() -> Vec<Scenario> {
    let mut slews = scenarios! { trusted;
        "slewed", 30 s, "chronyd slews a clock that is 20 ms slow and loses 30 us a second"
            [disciplined, course(course(20 * MS, 30))];
    };
    slews.extend(scenarios! { slewed;
        "slewed-20-ms", 24 s, "chronyd slews a clock that is 20 ms fast and gains 30 us a second"
            [poll(1), course(course(-20 * MS, -30))];
        "slewed-200-ms", 40 s, "chronyd slews a clock that is 200 ms slow"
            [poll(4), course(course(200 * MS, 0))];
        "slewed-200-ms-back", 60 s, "chronyd slews a clock that is 200 ms fast"
            [poll(16), max_drift_ppm("15"), course(course(-200 * MS, -10))];
        "slewed-and-restarted", 30 s,
            "the daemon is restarted while chronyd slews a clock that is 200 ms slow"
            [poll(1), course(course(200 * MS, 30))]
            3.5: RestartDaemon, 5: RestartDaemon, 7: RestartDaemon;
        "set-slewed-and-restarted", 44 s,
            "the daemon is restarted while chronyd slews back a step of 20 ms"
            [poll(4)] 12: StepClock(20 * MS), 17: RestartDaemon, 19: RestartDaemon;
        "set-slewed-while-down", 30 s,
            "chronyd slews a clock stepped by -200 ms while the daemon is down"
            [poll(1)] 10: StepClock(-200 * MS), 10.5: KillDaemon, 13: StartDaemon;
        "killed-in-its-slew", 30 s,
            "chronyd is killed while it slews by 200 ms, and started 3 s later"
            [poll(1)] 10: StepClock(200 * MS), 12.5: KillChronyd, 15.5: StartChronyd;
        "killed-in-its-slew-each-4-s", 44 s,
            "chronyd is killed while it slews by -200 ms, and started 6 s later"
            [poll(4), max_drift_ppm("15")]
            12: StepClock(-200 * MS), 18.5: KillChronyd, 24.5: StartChronyd;
        "killed-in-its-first-slew", 60 s,
            "chronyd is killed in its first slew, the daemon restarted, and chronyd started"
            [poll(16), course(course(200 * MS, 0))] 7.5: KillChronyd, 9: RestartDaemon,
            12: StartChronyd;
    });
    slews
}

fn steps() -> Vec<Scenario> {
    let mut steps = scenarios! { trusted;
        "makestep", 30 s, "chronyc makestep corrects a clock that was stepped by 200 ms"
            [disciplined, poll(1)] 12: StepClock(200 * MS), 14: Makestep;
    };
    steps.extend(scenarios! { healthy;
        "makestep-each-second", 24 s, "chronyc makestep corrects a clock that is 500 ms slow"
            [poll(1), course(course(500 * MS, 20))] 6: Makestep;
        "makestep-each-4-s", 40 s, "chronyc makestep corrects a clock that is 2 s fast"
            [poll(4), max_drift_ppm("15"), course(course(-2_000 * MS, -20))] 9: Makestep;
        "makestep-each-16-s", 60 s,
            "chronyc makestep, before and after chronyd has measured a step of 200 ms"
            [poll(16)] 10: StepClock(200 * MS), 12: Makestep, 25: Makestep;
        "makestep-of-itself", 24 s,
            "chronyd's makestep directive corrects a clock that is 500 ms slow"
            [poll(1), chrony_lines(&["makestep 0.1 3"]), course(course(500 * MS, 0))];
        "set-ten-times-disciplined", 30 s,
            "a disciplined clock is stepped by 200 ms ten times in a row"
            [poll(1), stepping(10, 0.5, 200 * MS)];
        "set-disciplined-each-16-s", 60 s,
            "a disciplined clock is stepped by 4.5 ms and back by 9 ms"
            [poll(16)] 12: StepClock(4_500_000), 30: StepClock(-9 * MS);
    });
    steps
}

/// The kernel has a frequency offset when `chronyd -x` starts.
fn carried() -> Vec<Scenario> {
    scenarios! { trusted;
        "carries-a-frequency", 20 s, "the kernel has an offset of 60 ppm" [rate(Rate::of_ppm(60))];
        "carries-60-ppm-polled-often", 30 s,
            "the kernel's offset is 60 ppm, the oscillator's 60 ppm"
            [rate(Rate::of_ppm(60)), max_drift_ppm("1"), course(course(3 * MS, 60))];
        "carries-60-ppm-for-120", 40 s,
            "the kernel's offset is 60 ppm, the oscillator's -60 ppm, and the server dies"
            [rate(Rate::of_ppm(60)), max_drift_ppm("1"), course(course(0, -60))] 15: silence(0);
        "carries-60-ppm", 40 s, "the kernel's offset is 60 ppm, the oscillator's 60 ppm"
            [poll(1), rate(Rate::of_ppm(60)), max_drift_ppm("1"), course(course(3 * MS, 60))];
        "carries-60-ppm-the-other-way", 40 s,
            "the kernel's offset is -60 ppm, the oscillator's 60 ppm"
            [poll(4), rate(Rate::of_ppm(-60)), max_drift_ppm("1"), course(course(0, 60))];
        "carries-450-ppm", 60 s, "the kernel's offset is 450 ppm, the oscillator's -60 ppm"
            [poll(16), rate(Rate::of_ppm(450)), max_drift_ppm("1"), course(course(-3 * MS, -60))];
        "carries-100-ppm-and-restarted", 40 s,
            "the kernel's offset is 100 ppm, the oscillator's -60 ppm, and the daemon is restarted"
            [poll(4), rate(Rate::of_ppm(100)), max_drift_ppm("15"), course(course(0, -60))]
            9: RestartDaemon, 20: RestartDaemon;
        "carries-60-ppm-and-is-left-alone", 50 s,
            "the kernel's offset is 60 ppm, the oscillator's 60 ppm, and the server dies"
            [poll(1), rate(Rate::of_ppm(60)), max_drift_ppm("1"), course(course(0, 60))]
            16: silence(0);
    }
}

/// The kernel has a frequency offset when a chronyd starts that disciplines the clock.
fn carried_disciplined() -> Vec<Scenario> {
    scenarios! { slewed;
        "carries-60-ppm-disciplined", 40 s, "the kernel's offset is 60 ppm, the oscillator's 60 ppm"
            [poll(1), rate(Rate::of_ppm(60)), max_drift_ppm("1"), course(course(3 * MS, 60))];
        "carries-the-other-way-disciplined", 40 s,
            "the kernel's offset is -60 ppm, the oscillator's 60 ppm"
            [poll(4), rate(Rate::of_ppm(-60)), max_drift_ppm("1"), course(course(0, 60))];
        "carries-450-ppm-disciplined", 60 s,
            "the kernel's offset is 450 ppm, the oscillator's -60 ppm"
            [poll(16), rate(Rate::of_ppm(450)), max_drift_ppm("15"), course(course(-3 * MS, -60))];
        "carries-a-tick-disciplined", 30 s, "the kernel's tick makes the clock 8000 ppm fast"
            [poll(1), rate(Rate::default().faster_by(8_000 * PPM))];
    }
}

fn healthy(name: &'static str, about: &'static str, seconds: u64) -> Scenario {
    Scenario::new(name, about, seconds).disciplined()
}

fn slewed(name: &'static str, about: &'static str, seconds: u64) -> Scenario {
    kept(name, about, seconds).disciplined()
}
