//! clockboundctl: shows, explains, records and checks what clockbound publishes.
//!
//! Each verb is a module with its arguments and a function `run`. Decisions and texts are pure
//! functions of a [`Diagnostics`](clockbound_client::diagnostics::Diagnostics) or of an interval.

#![forbid(unsafe_code)]

mod check;
mod doctor;
mod drill;
mod exit;
mod explain;
mod now;
mod output;
mod record;
mod report;
mod simulate;
mod sources;
mod status;
mod wait;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use clockbound_client::DEFAULT_DIRECTORY;

use crate::exit::Exit;
use crate::output::Color;

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
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(err) => {
            let _ = err.print();
            return if err.use_stderr() {
                Exit::Usage
            } else {
                Exit::Success
            }
            .into();
        }
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
        Err(failure) => {
            eprintln!("clockboundctl: {failure}");
            failure.exit().into()
        }
    }
}
