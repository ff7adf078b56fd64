//! Runs a scenario in a process of its own, under a virtual clock.
//!
//! The virtual clock's library is loaded when a process starts, and the readers under test are in
//! the sampler's process. So the rig starts its own program again, which calls
//! [`run_if_requested`].

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::report::Report;
use super::scenario::Scenario;
use super::{in_process, transcript};
use crate::host::process::{Log, Process};
use crate::host::sandbox::Sandbox;
use crate::host::user::UserAccount;
use crate::host::virtual_clock::VirtualClock;
use crate::host::wait;
use crate::observe::layout::Layout;

const SCENARIO: &str = "CLOCKBOUND_RIG_SCENARIO";
const SECONDS: &str = "CLOCKBOUND_RIG_SECONDS";
const DAEMON: &str = "CLOCKBOUND_RIG_DAEMON";
const TRANSCRIPT: &str = "CLOCKBOUND_RIG_TRANSCRIPT";

/// The time that a process may need in addition to the scenario's, on a busy machine.
const SLACK: Duration = Duration::from_secs(180);

/// Runs a scenario in a process that is started with `arguments` and calls [`run_if_requested`].
///
/// # Panics
/// If that process fails.
pub(super) fn run(
    daemon: &Path,
    layouts: &[Layout],
    arguments: &[&str],
    scenario: &Scenario,
) -> Report {
    let sandbox = Sandbox::new();
    let clock = VirtualClock::new(&sandbox);
    let path = sandbox.path("transcript");
    let program = env::current_exe().expect("a path");
    let mut command = UserAccount::current().command(program.to_str().expect("an UTF-8 path"));
    command
        .args(arguments)
        .env(SCENARIO, scenario.name)
        .env(SECONDS, scenario.seconds.to_string())
        .env(DAEMON, daemon)
        .env(TRANSCRIPT, &path);
    clock.environment().apply_to(&mut command);
    let mut process = Process::start(scenario.name, command, Log::Kept);
    let limit = Duration::from_secs(scenario.seconds) + SLACK;
    let ended = wait::within(limit, || (!process.is_running()).then_some(()));
    let text = ended.and_then(|()| fs::read_to_string(&path).ok());
    let report = text.and_then(|text| transcript::parse(&text, scenario, layouts));
    report.unwrap_or_else(|| {
        panic!(
            "{} gave no report:\n{}",
            scenario.name,
            process.log().join("\n")
        )
    })
}

/// Runs the scenario for which the rig started this process, found by its name, and writes the
/// report to the transcript. Returns false if the rig did not start this process.
///
/// # Panics
/// If there is no such scenario, or as [`Rig::run`](super::Rig::run) does.
pub fn run_if_requested(layouts: &[Layout], named: fn(&str) -> Option<Scenario>) -> bool {
    let Ok(name) = env::var(SCENARIO) else {
        return false;
    };
    let seconds = env::var(SECONDS).ok().and_then(|text| text.parse().ok());
    let scenario = named(&name)
        .unwrap_or_else(|| panic!("no scenario {name}"))
        .lasting(seconds.expect("a duration"));
    let path_in = |variable| PathBuf::from(env::var_os(variable).expect("a path"));
    let report = in_process::run(&path_in(DAEMON), layouts, &scenario);
    fs::write(path_in(TRANSCRIPT), transcript::format(&report)).expect("write the transcript");
    true
}
