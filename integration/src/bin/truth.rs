//! Compares the published interval with true time while scripted faults occur: see
//! `integration::rig`.
#![forbid(unsafe_code)]

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use integration::observe::layout::{Layout, has_counter_clocksource};
use integration::observe::samples::LayoutSamples;
use integration::rig::{Report, Rig, Scenario, plot, report, scenarios, subprocess};

const FAULT: u8 = 1;
const CANNOT_CREATE: u8 = 73;

/// The layouts that the daemon publishes on this machine.
fn layouts() -> Vec<Layout> {
    let mut layouts = vec![Layout::NATIVE, Layout::V1, Layout::V2];
    if has_counter_clocksource() {
        layouts.push(Layout::V3);
    }
    layouts
}

/// Scenarios wait most of the time: 40 use less than half of two cores.
const AT_A_TIME: usize = 40;

/// Compares the published interval with true time while scripted faults occur.
#[derive(Parser)]
struct Options {
    /// The daemon's program.
    #[arg(long, default_value = "target/release/clockbound")]
    daemon: PathBuf,
    /// Lists the scenarios.
    #[arg(long)]
    list: bool,
    /// Runs the second group of scenarios, too.
    #[arg(long)]
    all: bool,
    /// Runs one scenario only.
    #[arg(long, value_name = "NAME", value_parser = find)]
    scenario: Option<Scenario>,
    /// How long the scenario lasts.
    #[arg(long, requires = "scenario", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// Plots the scenario.
    #[arg(long, requires = "scenario", value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Plots this layout only: native, v1, v2 or v3.
    #[arg(long, requires = "svg", value_name = "LAYOUT")]
    only: Option<String>,
}

fn main() -> ExitCode {
    if subprocess::run_if_requested(&layouts(), scenarios::named) {
        return ExitCode::SUCCESS;
    }
    let options = Options::parse();
    let scenario = options.scenario.map(|scenario| match options.seconds {
        Some(seconds) => scenario.lasting(seconds),
        None => scenario,
    });
    let rig = Rig {
        daemon: options.daemon,
        layouts: layouts(),
        subprocess_arguments: &[],
    };
    if options.list {
        list();
        return ExitCode::SUCCESS;
    }
    let reports = match &scenario {
        Some(scenario) => show(&rig, std::slice::from_ref(scenario)),
        None if options.all => show(&rig, &[scenarios::slow(), scenarios::all()].concat()),
        None => show(&rig, &scenarios::all()),
    };
    if let (Some(path), Some(report)) = (&options.svg, reports.first()) {
        let mut report = report.clone();
        if let Some(name) = &options.only {
            let plotted = |samples: &LayoutSamples| samples.layout.name == name;
            report.layouts.retain(plotted);
        }
        if let Err(err) = fs::write(path, plot::draw(&report)) {
            eprintln!("truth: {}: {err}", path.display());
            return ExitCode::from(CANNOT_CREATE);
        }
    }
    match reports.iter().all(|report| report.faults().is_empty()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAULT),
    }
}

fn find(name: &str) -> Result<Scenario, String> {
    scenarios::named(name).ok_or("no such scenario; see --list".to_owned())
}

fn list() {
    let groups = [
        ("always", scenarios::all()),
        ("with --all", scenarios::slow()),
    ];
    for (when, scenarios) in groups {
        let seconds: u64 = scenarios.iter().map(|scenario| scenario.seconds).sum();
        println!("{} scenarios of {seconds} s, run {when}:", scenarios.len());
        for scenario in scenarios {
            let (name, about, seconds) = (scenario.name, scenario.about, scenario.seconds);
            let settings = scenario.settings();
            println!("{name:<41}{seconds:>3} s  {about} [{settings}]");
        }
    }
}

fn show(rig: &Rig, scenarios: &[Scenario]) -> Vec<Report> {
    let reports = rig.run_together(scenarios, AT_A_TIME);
    println!("{}", report::heading());
    for row in reports.iter().flat_map(Report::rows) {
        println!("{row}");
    }
    for report in &reports {
        explain(report);
    }
    println!("\n{}", report::counts(&reports));
    reports
}

fn explain(report: &Report) {
    if let Some(reason) = report.scenario.not_held {
        println!("\n{} is not held: {reason}", report.scenario.name);
    }
    if !report.faults().is_empty() {
        println!("\n{}", report.diagnosis());
    }
}
