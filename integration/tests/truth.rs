//! Every interval that is trusted contains true time, in every scenario of the rig.

use std::io::{self, Write as _};

use integration::rig::{Report, Rig, report, scenarios, subprocess};

mod published;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");

/// Scenarios mostly wait.
const AT_A_TIME: usize = 20;

#[test]
fn trusted_intervals_contain_true_time_in_every_scenario() {
    let rig = Rig {
        daemon: BIN.into(),
        layouts: published::ALL.to_vec(),
        subprocess_arguments: &["--exact", "plays_a_scenario_when_asked", "--nocapture"],
    };
    let reports = rig.run_together(&scenarios::all(), AT_A_TIME);
    report::show(&reports);
    // Said aloud, also when the test passes.
    let _ = writeln!(io::stdout(), "{}", report::counts(&reports));
    let faulty: Vec<&Report> = reports
        .iter()
        .filter(|report| !report.faults().is_empty())
        .collect();
    let diagnoses: Vec<String> = faulty.iter().map(|report| report.diagnosis()).collect();
    assert!(faulty.is_empty(), "{}", diagnoses.join("\n\n"));
}

/// Nothing by itself: what the rig starts under a virtual clock is this.
#[test]
fn plays_a_scenario_when_asked() {
    subprocess::run_if_requested(&published::ALL, scenarios::named);
}
