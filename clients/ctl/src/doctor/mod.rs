//! The verb `doctor`: examines every part of a host that the interval depends on.
//!
//! [`facts`] reads what the host is, [`checks`] decides, and this module prints. Unlike the other
//! verbs it reads more than the diagnostics: /proc, /sys, chronyd's configuration, unit files, the
//! owners and modes of files. It changes nothing.

mod checks;
mod facts;
mod finding;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::styling::AnsiColor;
use serde::Serialize;

use self::facts::{Facts, Places};
use self::finding::{Change, Finding, Severity};
use crate::Global;
use crate::exit::Outcome;
use crate::output::{Paint, print_json, print_text};

/// The arguments of `doctor`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Examine the host whose root directory is here, such as a container's or an image's
    #[arg(long, value_name = "PATH", default_value = "/")]
    root: PathBuf,
    /// Path of chronyd's configuration on that host [default: that of the running chronyd]
    #[arg(long, value_name = "PATH")]
    chrony_conf: Option<PathBuf>,
}

/// Runs the verb. The exit code is 0 when there is no warning, 1 for warnings, 2 for errors.
///
/// # Errors
/// Those of standard output.
pub fn run(arguments: &Arguments, global: &Global) -> Outcome {
    let facts = Facts::collect(&Places {
        root: &arguments.root,
        directory: &global.directory,
        configuration: arguments.chrony_conf.as_deref(),
    });
    let findings = checks::examine(&facts);
    let worst = worst(&findings);
    if global.json {
        print_json(&Examination {
            root: &arguments.root,
            severity: worst,
            exit_code: worst.exit() as u8,
            findings: &findings,
        })?;
    } else {
        print_text(&text(&findings, global.color.paint()))?;
    }
    Ok(worst.exit())
}

/// The result as JSON.
#[derive(Debug, Serialize)]
struct Examination<'a> {
    root: &'a Path,
    severity: Severity,
    exit_code: u8,
    findings: &'a [Finding],
}

fn worst(findings: &[Finding]) -> Severity {
    let severities = findings.iter().map(|finding| finding.severity);
    severities.max().unwrap_or(Severity::Ok)
}

fn text(findings: &[Finding], paint: Paint) -> String {
    let mut text = String::new();
    for finding in findings {
        let (label, color) = match finding.severity {
            Severity::Ok => ("ok", AnsiColor::Green),
            Severity::Info => ("info", AnsiColor::Cyan),
            Severity::Unknown => ("unknown", AnsiColor::Magenta),
            Severity::Warning => ("WARNING", AnsiColor::Yellow),
            Severity::Error => ("ERROR", AnsiColor::Red),
        };
        let label = paint.styled(color.on_default(), &format!("[{label:^7}]"));
        // Writing to a string does not fail.
        let _ = writeln!(text, "{label} {}: {}", finding.check, finding.what);
        if !finding.why.is_empty() {
            for line in wrapped(&finding.why, 88) {
                let _ = writeln!(text, "          {line}");
            }
        }
        if let Some(change) = &finding.change {
            text.push_str(&change_text(change));
        }
    }
    text.push_str(&summary(findings));
    text
}

fn change_text(change: &Change) -> String {
    let mut text = String::new();
    if let Some(file) = &change.file {
        let place = match change.line_number {
            Some(number) => format!("{}:{number}", file.display()),
            None => file.display().to_string(),
        };
        let _ = writeln!(text, "          {place}");
    }
    if let Some(line) = &change.present_line {
        let _ = writeln!(text, "            - {line}");
    }
    for line in change.wanted_line.iter().flat_map(|lines| lines.lines()) {
        let _ = writeln!(text, "            + {line}");
    }
    if let Some(command) = &change.command {
        let _ = writeln!(text, "          run: {command}");
    }
    text
}

fn summary(findings: &[Finding]) -> String {
    let count = |severity| {
        let of = findings
            .iter()
            .filter(|finding| finding.severity == severity);
        of.count()
    };
    format!(
        "{} errors, {} warnings, {} not known, {} remarks, {} ok\n",
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Unknown),
        count(Severity::Info),
        count(Severity::Ok)
    )
}

/// The lines of a text that are at most this long.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
