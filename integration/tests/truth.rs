//! Every interval that is trusted contains true time, in every scenario of the rig.

use std::io::{self, Write as _};

use integration::rig::{Report, Rig, report, scenarios, subprocess};

mod published;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");

/// Scenarios wait most of the time: 40 use less than half of two cores.
const AT_A_TIME: usize = 40;

#[test]
fn trusted_intervals_contain_true_time_in_every_scenario() {
    let rig = Rig {
        daemon: BIN.into(),
        layouts: published::ALL.to_vec(),
        subprocess_arguments: &["--exact", "run_scenario_if_requested", "--nocapture"],
    };
    let reports = rig.run_together(&scenarios::all(), AT_A_TIME);
    report::show(&reports);
    // println! is captured in tests that pass.
    let _ = writeln!(io::stdout(), "{}", report::counts(&reports));
    let faulty: Vec<&Report> = reports
        .iter()
        .filter(|report| !report.faults().is_empty())
        .collect();
    let diagnoses: Vec<String> = faulty.iter().map(|report| report.diagnosis()).collect();
    assert!(faulty.is_empty(), "{}", diagnoses.join("\n\n"));
}

/// Not a test: the entry point of the processes that the rig starts under a virtual clock.
#[test]
fn run_scenario_if_requested() {
    subprocess::run_if_requested(&published::ALL, scenarios::named);
}
