//! Compares the published interval with true time while things go wrong: see `integration::rig`.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use integration::observe::layout::Layout;
use integration::rig::{Report, Rig, Scenario, plot, report, scenarios, subprocess};

const FAULT: u8 = 1;
const USAGE: u8 = 64;
const CANNOT_CREATE: u8 = 73;
const USAGE_TEXT: &str =
    "usage: truth [--list] [--all] [--scenario NAME [--seconds N] [--svg FILE]]";

const LAYOUTS: [Layout; 3] = [Layout::NATIVE, Layout::V1, Layout::V2];

/// Scenarios mostly wait.
const AT_A_TIME: usize = 20;

struct Options {
    daemon: PathBuf,
    list: bool,
    all: bool,
    scenario: Option<Scenario>,
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    if subprocess::run_if_requested(&LAYOUTS, scenarios::named) {
        return ExitCode::SUCCESS;
    }
    let options = match options(env::args().skip(1)) {
        Ok(options) => options,
        Err(trouble) => {
            eprintln!("truth: {trouble}\n{USAGE_TEXT}");
            return ExitCode::from(USAGE);
        }
    };
    let rig = Rig {
        daemon: options.daemon,
        layouts: LAYOUTS.to_vec(),
        subprocess_arguments: &[],
    };
    if options.list {
        list();
        return ExitCode::SUCCESS;
    }
    let reports = match &options.scenario {
        Some(scenario) => show(&rig, std::slice::from_ref(scenario)),
        None if options.all => show(&rig, &[scenarios::slow(), scenarios::all()].concat()),
        None => show(&rig, &scenarios::all()),
    };
    if let (Some(path), Some(report)) = (&options.svg, reports.first())
        && let Err(err) = fs::write(path, plot::draw(report))
    {
        eprintln!("truth: {}: {err}", path.display());
        return ExitCode::from(CANNOT_CREATE);
    }
    match reports.iter().all(|report| report.faults().is_empty()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAULT),
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        daemon: PathBuf::from("target/release/clockbound"),
        list: false,
        all: false,
        scenario: None,
        svg: None,
    };
    let mut seconds = None;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--list" => options.list = true,
            "--all" => options.all = true,
            "--daemon" => options.daemon = value()?.into(),
            "--svg" => options.svg = Some(value()?.into()),
            "--scenario" => {
                let name = value()?;
                let found = scenarios::named(&name);
                options.scenario = Some(found.ok_or(format!("no scenario {name}; see --list"))?);
            }
            "--seconds" => {
                let text = value()?;
                let number = text.parse().ok().filter(|&seconds| seconds > 0);
                seconds = Some(number.ok_or(format!("--seconds {text}: not a number above 0"))?);
            }
            _ => return Err(format!("{word}: not understood")),
        }
    }
    if options.scenario.is_none() && (seconds.is_some() || options.svg.is_some()) {
        return Err("--seconds and --svg are for one --scenario".to_owned());
    }
    if let Some(seconds) = seconds {
        options.scenario = options.scenario.map(|scenario| scenario.lasting(seconds));
    }
    Ok(options)
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
            println!("{name:<41}{seconds:>3} s  {about}");
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
