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
    /// A system call that the library may make for each reading, for a language without the vDSO.
    #[arg(long)]
    allowed_call: Option<String>,
    /// The client program and its arguments; the segments' directory is added as the last one.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let result = client_check::run(&options.daemon, &options.command);
    println!("{}", result.summary());
    let allowed = options.allowed_call.as_deref();
    let other = (result.system_calls.keys()).find(|name| Some(name.as_str()) != allowed);
    if let Some(name) = other {
        eprintln!("the program calls {name} beside a healthy daemon");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
