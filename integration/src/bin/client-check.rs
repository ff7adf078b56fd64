//! Puts a client program through what client programs have to survive: `survival DAEMON COMMAND [WORD...]`.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let daemon = words.next().map(PathBuf::from);
    let words: Vec<String> = words.collect();
    let (Some(daemon), false) = (daemon, words.is_empty()) else {
        eprintln!("usage: survival DAEMON COMMAND [WORD...]");
        return ExitCode::from(64);
    };
    let survived = integration::setup::client_check::run(&daemon, &words);
    println!(
        "{} readings contain true time, a new file is read after {} ms",
        survived.readings,
        survived.recovery.as_millis()
    );
    ExitCode::SUCCESS
}
