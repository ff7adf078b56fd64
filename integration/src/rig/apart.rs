//! A scenario in a process of its own, under a virtual clock.
//!
//! The library has to be loaded when a process starts, and the readers under test are in the checker's process. So the
//! rig starts the program that it is part of again, and that one calls [`play_if_asked`].

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::report::Report;
use super::run::Rig;
use super::scenario::Scenario;
use super::transcript;
use crate::process::{Log, Process};
use crate::{Account, Layout, Sandbox, VirtualClock, wait};

const SCENARIO: &str = "CLOCKBOUND_RIG_SCENARIO";
const SECONDS: &str = "CLOCKBOUND_RIG_SECONDS";
const DAEMON: &str = "CLOCKBOUND_RIG_DAEMON";
const TRANSCRIPT: &str = "CLOCKBOUND_RIG_TRANSCRIPT";

/// What a process may need besides the scenario's time, when the machine is busy.
const SLACK: Duration = Duration::from_secs(180);

/// Runs a scenario in a process that calls [`play_if_asked`].
///
/// # Panics
/// If that process fails.
pub(super) fn run(rig: &Rig, scenario: &Scenario) -> Report {
    let sandbox = Sandbox::new();
    let clock = VirtualClock::new(&sandbox);
    let path = sandbox.path("transcript");
    let program = env::current_exe().expect("a path");
    let mut command = Account::own().command(program.to_str().expect("an UTF-8 path"));
    command
        .args(rig.apart)
        .env(SCENARIO, scenario.name)
        .env(SECONDS, scenario.seconds.to_string())
        .env(DAEMON, &rig.daemon)
        .env(TRANSCRIPT, &path);
    clock.environment().show_to(&mut command);
    let mut process = Process::start(scenario.name, command, Log::Kept);
    let limit = Duration::from_secs(scenario.seconds) + SLACK;
    let ended = wait::within(limit, || (!process.is_running()).then_some(()));
    let text = ended.and_then(|()| fs::read_to_string(&path).ok());
    let report = text.and_then(|text| transcript::read(&text, scenario, &rig.layouts));
    report.unwrap_or_else(|| {
        panic!(
            "{} gave no report:\n{}",
            scenario.name,
            process.log().join("\n")
        )
    })
}

/// Plays the scenario that this process was started for, looked up by its name, and writes down what came of it.
/// Returns whether it was started for one.
///
/// # Panics
/// If the scenario is not known, or as [`Rig::run`] does.
pub fn play_if_asked(layouts: &[Layout], named: fn(&str) -> Option<Scenario>) -> bool {
    let Ok(name) = env::var(SCENARIO) else {
        return false;
    };
    let seconds = env::var(SECONDS).ok().and_then(|text| text.parse().ok());
    let scenario = named(&name)
        .unwrap_or_else(|| panic!("no scenario {name}"))
        .lasting(seconds.expect("a length"));
    let path_in = |variable| PathBuf::from(env::var_os(variable).expect("a path"));
    let rig = Rig {
        daemon: path_in(DAEMON),
        layouts: layouts.to_vec(),
        apart: &[],
    };
    let report = rig.run_here(&scenario);
    fs::write(path_in(TRANSCRIPT), transcript::write(&report)).expect("write the transcript");
    true
}
