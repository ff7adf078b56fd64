//! Prints one interval of our own client library, for tests that need it from another process:
//! `interval PATH` gives `<earliest ns> <latest ns> <status> <reason>`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("interval: give the path of a segment, or of its directory");
        return ExitCode::from(64);
    };
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
