//! Checks a client program against daemon restarts and deleted files: see
//! `integration::setup::client_check`.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use integration::setup::client_check;

/// Checks a client program against daemon restarts and deleted files.
#[derive(Parser)]
struct Options {
    /// The daemon's program.
    daemon: PathBuf,
    /// A system call of the language's runtime, which is not counted.
    #[arg(long)]
    runtime_call: Vec<String>,
    /// The client program and its arguments; the segments' directory is added as the last one.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let result = client_check::run(&options.daemon, &options.command, &options.runtime_call);
    println!("{}", result.summary());
    if !result.system_calls.is_empty() {
        eprintln!("a reading must make no system call beside a healthy daemon");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
