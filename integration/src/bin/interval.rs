//! Reads one interval with the project's client library and prints `EARLIEST_NS LATEST_NS STATUS
//! REASON`, for tests that read it in another process.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Prints one interval: earliest ns, latest ns, status, reason.
#[derive(Parser)]
struct Options {
    /// A segment, or the directory of the segments.
    path: PathBuf,
}

fn main() -> ExitCode {
    let path = Options::parse().path;
    let interval = clockbound_client::Client::open_at(path).and_then(|client| client.now());
    match interval {
        Ok(interval) => {
            println!(
                "{} {} {} {}",
                interval.earliest_ns(),
                interval.latest_ns(),
                interval.status(),
                interval.reason()
            );
            ExitCode::SUCCESS
        }
        Err(err) => {
            eprintln!("interval: {err}");
            ExitCode::FAILURE
        }
    }
}
