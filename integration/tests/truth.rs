//! Every interval that is trusted contains true time, in every scenario of the rig.

use std::io::{self, Write as _};

use integration::rig::{Report, Rig, Scenario, report, table};

mod published;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");

/// Scenarios mostly wait.
const AT_A_TIME: usize = 12;

#[test]
fn trusted_intervals_contain_true_time_in_every_scenario() {
    let (_, scenarios): (Vec<Scenario>, Vec<Scenario>) = table::all()
        .into_iter()
        .partition(Scenario::disturbs_the_clock);
    let rig = Rig {
        daemon: BIN.into(),
        layouts: published::ALL.to_vec(),
    };
    let reports = rig.run_together(&scenarios, AT_A_TIME);
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
