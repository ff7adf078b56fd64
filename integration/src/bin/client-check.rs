//! Checks a client program against daemon restarts and deleted files: see
//! `integration::setup::client_check`.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use clap::Parser;
use integration::setup::client_check;

/// Checks a client program against daemon restarts and deleted files.
#[derive(Parser)]
struct Options {
    /// The daemon's program.
    daemon: PathBuf,
    /// The client program and its arguments; the segments' directory is added as the last one.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

fn main() {
    let options = Options::parse();
    let result = client_check::run(&options.daemon, &options.command);
    println!(
        "{} readings contain true time, a new file is read after {} ms",
        result.readings,
        result.recovery.as_millis()
    );
}
