//! Reads all the time with our own client library, for [`integration::setup::client_check`]: `watch DIRECTORY`.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clockbound_client::{Client, Error};
use integration::time::clock::clock_ns;
use nix::time::ClockId;

fn main() -> ExitCode {
    let directory = std::env::args().nth(1).unwrap_or_default();
    let Err(err) = watch(&directory);
    println!("{err}");
    ExitCode::FAILURE
}

fn watch(directory: &str) -> Result<std::convert::Infallible, Error> {
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
