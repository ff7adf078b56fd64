//! Reads the interval continuously with the project's Rust client library, for `client-check`:
//! `watch DIRECTORY [busy]`.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use clockbound_client::{Client, Error};
use integration::time::clock::clock_ns;
use nix::time::ClockId;

/// Reads the interval continuously and prints a line for each reading.
#[derive(Parser)]
struct Options {
    /// The directory of the segments.
    directory: PathBuf,
    /// Reads for 3 s without a pause, and prints only `begin`, and `end` with the number of
    /// readings.
    mode: Option<Mode>,
}

#[derive(Clone, ValueEnum)]
enum Mode {
    Busy,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match options.mode {
        None => watch(&options.directory),
        Some(Mode::Busy) => read_busily(&options.directory),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            println!("{err}");
            ExitCode::FAILURE
        }
    }
}

fn read_busily(directory: &Path) -> Result<(), Error> {
    let client = Client::open_when_ready_at(directory, Duration::from_secs(30), None)?;
    let mut readings = 0_u64;
    println!("begin");
    let until_ns = client.now()?.latest_ns() + 3_000_000_000;
    while !client.now()?.is_after_ns(until_ns) {
        readings += 1;
    }
    println!("end {readings}");
    Ok(())
}

fn watch(directory: &Path) -> Result<(), Error> {
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
