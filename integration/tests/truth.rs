//! Every interval that is trusted contains true time, in every scenario of the rig.

use std::io::{self, Write as _};

use integration::rig::{Report, Rig, report, scenarios, subprocess};

mod published;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");

/// Scenarios wait most of the time: 40 use less than half of two cores.
const AT_A_TIME: usize = 40;

#[test]
fn trusted_intervals_contain_true_time_in_every_scenario() {
    published::has_v3("the 3.x segment in every scenario");
    let rig = Rig {
        daemon: BIN.into(),
        layouts: published::all(),
        subprocess_arguments: &["--exact", "run_scenario_if_requested", "--nocapture"],
    };
    let reports = rig.run_together(&scenarios::all(), AT_A_TIME);
    report::show(&reports);
    // println! is captured in tests that pass.
    let _ = writeln!(io::stdout(), "{}", report::counts(&reports));
    assert_restored_without_a_page_is_wrong(&reports);
    let faulty: Vec<&Report> = reports
        .iter()
        .filter(|report| !report.faults().is_empty())
        .collect();
    let diagnoses: Vec<String> = faulty.iter().map(|report| report.diagnosis()).collect();
    assert!(faulty.is_empty(), "{}", diagnoses.join("\n\n"));
}

/// The control of the scenarios with a VMClock page: without one, every reader trusts an interval
/// that misses true time.
fn assert_restored_without_a_page_is_wrong(reports: &[Report]) {
    let mut control = reports
        .iter()
        .filter(|report| report.scenario.name == "restored-without-a-page");
    let control = control.next().expect("the scenario is run");
    for seen in &control.layouts {
        let miss_ns = control.worst_miss_ns(seen.layout.name);
        let miss_ms = miss_ns.expect("trusted without true time") / 1_000_000;
        let _ = writeln!(
            io::stdout(),
            "report: {}, {}: wrong by {miss_ms} ms at most",
            control.scenario.name,
            seen.layout.name
        );
        assert!(miss_ms > 50_000, "{}: {miss_ms} ms", seen.layout.name);
    }
}

/// Not a test: the entry point of the processes that the rig starts under a virtual clock.
#[test]
fn run_scenario_if_requested() {
    subprocess::run_if_requested(&published::all(), scenarios::named);
}
