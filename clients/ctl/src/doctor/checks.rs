//! The checks: pure functions of the facts of a host.

mod chronyd;
mod configuration;
mod daemon;
mod machine;
mod other_programs;
mod segments;
mod sources;
mod unit;

use std::path::Path;

use super::facts::Facts;
use super::facts::files::FileFacts;
use super::finding::{Finding, Severity};

/// Examines a host.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for check in [
        chronyd::check,
        configuration::check,
        sources::check,
        other_programs::check,
        unit::check,
        segments::check,
        machine::check,
    ] {
        findings.extend(check(facts));
    }
    let worst = findings.iter().map(|finding| finding.severity).max();
    let mut all = daemon::check(facts, worst.unwrap_or(Severity::Ok));
    all.extend(findings);
    all
}

/// A rate in parts per million.
fn ppm_text(ppb: u32) -> String {
    let (whole, rest) = (ppb / 1000, ppb % 1000);
    if rest == 0 {
        format!("{whole} ppm")
    } else {
        let text = format!("{whole}.{rest:03}");
        format!("{} ppm", text.trim_end_matches('0'))
    }
}

/// The owner, the group and the mode of a file.
fn owner_text(facts: &Facts, file: &FileFacts) -> String {
    let owner = facts.user_name(file.owner);
    format!(
        "owned by {owner}, group {}, mode {:04o}",
        file.group, file.mode
    )
}

/// The command that restarts chronyd.
const RESTART_CHRONYD: &str = "systemctl restart chronyd";
/// The command that restarts the daemon.
const RESTART: &str = "systemctl restart clockbound";

/// Where a line that is missing in chronyd's configuration goes.
fn main_configuration(facts: &Facts) -> &Path {
    &facts.configuration.file
}

#[cfg(test)]
mod tests;
