//! clockboundctl: shows, explains, records and checks what clockbound publishes.
//!
//! Each verb is a module with its arguments and a function `run`. Decisions and texts are pure
//! functions of a [`Diagnostics`](clockbound_client::diagnostics::Diagnostics) or of an interval.

#![forbid(unsafe_code)]

mod check;
mod doctor;
#[cfg(test)]
mod documents;
mod drill;
mod exit;
mod explain;
#[cfg(test)]
mod fixture;
mod now;
mod output;
mod reading;
mod record;
mod report;
mod signals;
mod simulate;
mod sources;
mod status;
mod values;
mod wait;
mod watch;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clockbound_client::DEFAULT_DIRECTORY;

use crate::exit::Exit;
use crate::output::{Color, print_text};

/// Shows, explains, records and checks the clock error bound that clockbound publishes.
#[derive(Debug, Parser)]
#[command(name = "clockboundctl", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// The options of every verb.
#[derive(Debug, Args)]
struct Global {
    /// Directory in which the daemon publishes
    #[arg(long, global = true, value_name = "PATH", default_value = DEFAULT_DIRECTORY)]
    directory: PathBuf,
    /// Prints one JSON object, with fields that stay the same from version to version
    #[arg(long, global = true)]
    json: bool,
    /// When to use colors
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Shows status, reason and bound by component
    Status(status::Arguments),
    /// Shows chronyd's sources, each with its own interval
    Sources(sources::Arguments),
    /// Explains in sentences why the bound is as wide as it is, and what would make it narrower
    Explain(explain::Arguments),
    /// Prints the interval of true time at the present
    Now(now::Arguments),
    /// Waits until the interval is trusted, and narrow enough
    Wait(wait::Arguments),
    /// Checks the interval once, with the exit codes of monitoring plugins
    Check(check::Arguments),
    /// Shows the bound over time in the terminal
    Watch(watch::Arguments),
    /// Records interval and diagnostics to a CSV file
    Record(record::Arguments),
    /// Makes a report of a recording
    Report(report::Arguments),
    /// Looks for faults of this host's configuration
    Doctor(doctor::Arguments),
    /// Publishes segments by a script, for the tests of programs that read them
    Simulate(simulate::Arguments),
    /// Makes a running daemon publish a disruption, or another reason
    Drill(drill::Arguments),
}

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let line = match CommandLine::try_parse_from(&words) {
        Ok(line) => line,
        Err(err) => return refuse(&err, &words).into(),
    };
    let CommandLine { global, verb } = line;
    let outcome = match verb {
        Verb::Status(arguments) => status::run(&arguments, &global),
        Verb::Sources(arguments) => sources::run(&arguments, &global),
        Verb::Explain(arguments) => explain::run(&arguments, &global),
        Verb::Now(arguments) => now::run(&arguments, &global),
        Verb::Wait(arguments) => wait::run(&arguments, &global),
        Verb::Check(arguments) => check::run(&arguments, &global),
        Verb::Watch(arguments) => watch::run(&arguments, &global),
        Verb::Record(arguments) => record::run(&arguments, &global),
        Verb::Report(arguments) => report::run(&arguments, &global),
        Verb::Doctor(arguments) => doctor::run(&arguments, &global),
        Verb::Simulate(arguments) => simulate::run(&arguments, &global),
        Verb::Drill(arguments) => drill::run(&arguments, &global),
    };
    match outcome {
        Ok(exit) => exit.into(),
        // What was asked for was printed as far as somebody read it.
        Err(failure) if failure.is_closed_pipe() => Exit::Success.into(),
        Err(failure) => {
            complain(&failure.to_string());
            failure.exit().into()
        }
    }
}

/// Prints why a command line is refused, or the help that it asks for.
fn refuse(err: &clap::Error, words: &[OsString]) -> Exit {
    // A failed write is ignored: there is no other place to report it.
    let _ = err.print();
    if !err.use_stderr() {
        return Exit::Success;
    }
    if is_check(words) {
        // A monitoring plugin reports its own misuse as "unknown", on standard output.
        let _ = print_text("UNKNOWN - invalid arguments of clockboundctl check; see --help\n");
        return Exit::Unknown;
    }
    Exit::Usage
}

/// Whether the verb of a command line that is refused is `check`.
fn is_check(words: &[OsString]) -> bool {
    let lenient = CommandLine::command().ignore_errors(true);
    let matches = lenient.try_get_matches_from(words);
    matches.is_ok_and(|matches| matches.subcommand_name() == Some("check"))
}

/// Writes an error to standard error, whose own errors are ignored.
fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "clockboundctl: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_arguments_of_every_verb_are_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn only_a_refused_check_ends_as_a_monitoring_plugin_does() {
        for (line, is_refused_check) in [
            ("clockboundctl check --max-bound soon", true),
            ("clockboundctl --json check --nonsense", true),
            ("clockboundctl --directory check status --nonsense", false),
            ("clockboundctl wait --max-bound soon", false),
            ("clockboundctl", false),
        ] {
            let words = words(line);
            assert!(CommandLine::try_parse_from(&words).is_err(), "{line}");
            assert_eq!(is_check(&words), is_refused_check, "{line}");
        }
    }
}
