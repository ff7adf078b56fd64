use super::super::scenario::Action;
use super::*;
use crate::observe::layout::Layout;
use Status::{FreeRunning, Synchronized, Unknown};

/// A layout with these statuses, one a second.
fn seen(statuses: &[Status]) -> LayoutSamples {
    let sample = |(second, &status)| Sample {
        at: Duration::from_secs(second),
        status,
        earliest_ns: -3_000,
        latest_ns: 1_000,
    };
    LayoutSamples {
        layout: Layout::V1,
        samples: (0..).zip(statuses).map(sample).collect(),
        violations: Vec::new(),
        errors: 0,
        details: Vec::new(),
    }
}

fn report(expect: Expect, seen: LayoutSamples) -> Report {
    Report {
        scenario: Scenario::new("test", "", 10).expecting(expect),
        daemon_started: Duration::from_millis(100),
        chronyd_synchronised: Some(Duration::from_millis(600)),
        disturbed: Vec::new(),
        slewed: Vec::new(),
        stopped: Vec::new(),
        layouts: vec![seen],
        declared_ns: vec![2_500, 2_000, 3_000],
        daemon_log: vec!["a line of the daemon".to_owned()],
        chronyd_log: Vec::new(),
    }
}

#[test]
fn time_and_flaps_are_counted() {
    let seen = seen(&[
        Unknown,
        Synchronized,
        FreeRunning,
        Synchronized,
        Synchronized,
    ]);
    assert_eq!(first_trusted(&seen), Some(Duration::from_secs(1)));
    assert_eq!(time_in(&seen, Unknown), Duration::from_secs(1));
    assert_eq!(time_in(&seen, Synchronized), Duration::from_secs(2));
    assert_eq!(time_in(&seen, FreeRunning), Duration::from_secs(1));
    assert_eq!(flaps(&seen), 1);
    assert!((synchronized_share(&seen) - 2.0 / 3.0).abs() < 1e-9);
}

#[test]
fn each_expectation_has_its_faults() {
    let faults = |expect, statuses: &[Status]| report(expect, seen(statuses)).faults().len();
    let (healthy, dead) = ([Unknown, Synchronized, Synchronized], [Unknown, Unknown]);
    let flapping = [Synchronized, FreeRunning, Synchronized];
    assert_eq!(faults(Expect::Healthy, &healthy), 0);
    assert_eq!(faults(Expect::Healthy, &flapping), 2);
    assert_eq!(faults(Expect::Trusted, &flapping), 0);
    let lapsed = [Synchronized, Unknown, Synchronized];
    assert_eq!(faults(Expect::Trusted, &lapsed), 0);
    assert_eq!(faults(Expect::Kept, &lapsed), 1);
    assert_eq!(faults(Expect::Kept, &flapping), 0);
    assert_eq!(faults(Expect::Trusted, &dead), 1);
    assert_eq!(faults(Expect::Untrusted, &dead), 0);
    assert_eq!(faults(Expect::Untrusted, &healthy), 1);
}

#[test]
fn a_violation_is_a_fault_unless_an_assumption_is_broken() {
    let mut seen = seen(&[Synchronized, Synchronized]);
    seen.violations = vec![Duration::from_secs(1)];
    let mut report = report(Expect::Trusted, seen);
    assert_eq!(report.faults().len(), 1);
    assert!(report.diagnosis().contains("a line of the daemon"));
    report.layouts[0].samples[1].earliest_ns = 2_000_000;
    let line = "v1: wrong by 2.000 ms at most, for 0.0 s";
    assert!(report.diagnosis().contains(line));
    report.scenario = report.scenario.not_held("for this test");
    assert_eq!(report.faults().len(), 0);
}

#[test]
fn a_stop_of_the_machine_excuses_a_layout_without_a_marker_only() {
    let mut seen = seen(&[Synchronized, Synchronized, Synchronized]);
    seen.violations = vec![Duration::from_secs(1), Duration::from_secs(2)];
    let mut report = report(Expect::Regained, seen);
    assert_eq!(report.violations(&report.layouts[0]), 2);
    report.stopped = vec![Duration::from_millis(500)];
    assert_eq!(report.violations(&report.layouts[0]), 1);
    report.layouts[0].layout = Layout::NATIVE;
    assert_eq!(report.violations(&report.layouts[0]), 2);
}

#[test]
fn trust_has_to_return_after_a_stop_of_the_machine() {
    let faults = |statuses: &[Status]| {
        let mut report = report(Expect::Regained, seen(statuses));
        report.stopped = vec![Duration::from_millis(1_500)];
        report.faults().len()
    };
    assert_eq!(faults(&[Unknown, Synchronized, Unknown, Synchronized]), 0);
    assert_eq!(faults(&[Unknown, Synchronized, Unknown, Unknown]), 1);
    assert_eq!(faults(&[Unknown, Unknown, Unknown, Synchronized]), 1);
}

#[test]
fn a_layout_narrower_than_the_first_is_a_fault() {
    let narrow = seen(&[Synchronized, Synchronized]);
    let mut wide = narrow.clone();
    for sample in &mut wide.samples {
        sample.latest_ns += 2_000;
    }
    let mut report = report(Expect::Trusted, narrow);
    report.layouts.push(wide);
    assert_eq!(report.faults().len(), 0);
    report.layouts.reverse();
    assert_eq!(report.faults(), ["test, v1: narrower than v1"]);
}

#[test]
fn widths_are_compared_while_both_layouts_are_trusted() {
    let mut wider_in_holdover = seen(&[Synchronized, FreeRunning, FreeRunning]);
    for sample in &mut wider_in_holdover.samples[1..] {
        sample.latest_ns += 2_000;
    }
    let mut report = report(Expect::Trusted, wider_in_holdover);
    report.layouts.push(seen(&[Synchronized, Unknown, Unknown]));
    assert_eq!(report.faults().len(), 0);
}

#[test]
fn a_violation_within_a_second_of_a_clock_change_is_excused_on_that_clock() {
    let mut seen = seen(&[Synchronized, Synchronized]);
    seen.violations = vec![Duration::from_millis(4_003), Duration::from_millis(9_000)];
    let mut report = report(Expect::Trusted, seen);
    report.scenario = report.scenario.at(4.0, Action::StepClock(1));
    report.disturbed = vec![Duration::from_secs(4)];
    let violations = |report: &Report| report.violations(&report.layouts[0]);
    assert_eq!(violations(&report), 1);
    assert_eq!(
        report.blindness(&report.layouts[0]),
        Some(Duration::from_millis(3))
    );
    report.layouts[0].layout.on_realtime = false;
    assert_eq!(violations(&report), 2);
}

#[test]
fn a_violation_within_a_round_of_a_slew_is_excused_on_that_clock() {
    let mut seen = seen(&[Synchronized, Synchronized]);
    seen.violations = vec![Duration::from_millis(4_103), Duration::from_millis(4_503)];
    let mut report = report(Expect::Trusted, seen);
    report.slewed = vec![Duration::from_secs(4)];
    assert_eq!(report.violations(&report.layouts[0]), 1);
    report.layouts[0].layout.on_realtime = false;
    assert_eq!(report.violations(&report.layouts[0]), 2);
}

#[test]
fn a_row_has_the_columns_of_the_heading() {
    let report = report(
        Expect::Trusted,
        seen(&[Unknown, Synchronized, Synchronized]),
    );
    let row = &report.rows()[0];
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>(),
        [
            "test", "v1", "3", "1.0", "0.0", "1.0", "0", "0.90", "0.40", "0", "-", "2.0", "2.0",
            "-", "2.5", "1.00", "2.0", "ok"
        ]
    );
    assert!(heading().lines().all(|line| line.len() <= row.len()));
}
