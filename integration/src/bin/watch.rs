//! Reads the interval continuously with the project's Rust client library, for `client-check`:
//! `watch DIRECTORY`.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser;
use clockbound_client::{Client, Error};
use integration::time::clock::clock_ns;
use nix::time::ClockId;

/// Reads the interval continuously and prints a line for each reading.
#[derive(Parser)]
struct Options {
    /// The directory of the segments.
    directory: PathBuf,
}

fn main() -> ExitCode {
    let Err(err) = watch(&Options::parse().directory);
    println!("{err}");
    ExitCode::FAILURE
}

fn watch(directory: &Path) -> Result<std::convert::Infallible, Error> {
    let client = Client::open_when_ready_at(directory, Duration::from_secs(30), None)?;
    loop {
        let before_ns = clock_ns(ClockId::CLOCK_REALTIME);
        let now = client.now()?;
        let after_ns = clock_ns(ClockId::CLOCK_REALTIME);
        let (earliest_ns, latest_ns) = (now.earliest_ns(), now.latest_ns());
        let (status, reason) = (now.status(), now.reason());
        println!("{before_ns} {after_ns} {earliest_ns} {latest_ns} {status} {reason}");
        thread::sleep(Duration::from_millis(1));
    }
}
