//! The machine's clock is set, or runs off, while programs rely on the interval: each of these is alone with it.

use std::io::{self, Write};

use integration::rig::{Rig, report, table};

mod published;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");

#[test]
fn a_clock_that_is_set_forwards_and_back_is_noticed() {
    holds("set-forwards");
}

#[test]
fn a_clock_that_is_set_backwards_and_back_is_noticed() {
    holds("set-backwards");
}

#[test]
fn a_slew_towards_true_time_that_is_left_on_is_noticed() {
    holds("slew-left-on");
}

#[test]
fn a_clock_that_runs_off_is_noticed() {
    holds("runs-off");
}

#[track_caller]
fn holds(name: &str) {
    let rig = Rig {
        daemon: BIN.into(),
        layouts: published::ALL.to_vec(),
    };
    let report = match rig.run(&table::named(name).expect("a scenario")) {
        Ok(report) => report,
        Err(err) => {
            // Said aloud, although the test passes.
            let _ = writeln!(io::stdout(), "{name} skipped, may not set the clock: {err}");
            return;
        }
    };
    report::show([&report]);
    assert!(report.faults().is_empty(), "{}", report.diagnosis());
}
