//! The verb `simulate`: a publisher for the tests of programs that read the segments.
//!
//! ```text
//!   text --script (pure)--> Script --player (pure)--> State at an instant
//!                                        |  projection, diagnostics (pure)
//!                                        v
//!                          publisher: segments of the daemon, page of VMClock
//! ```

mod diagnostics;
mod events;
mod files;
mod page;
mod player;
mod projection;
#[cfg(test)]
mod properties;
mod publisher;
mod script;
mod speed;
mod units;

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use clap::Args;
use nix::sys::signal::{SigSet, Signal};

use self::events::Events;
use self::files::Files;
use self::page::Page;
use self::player::DEFAULT_DRIFT_PPB;
use self::publisher::{Plan, Publisher};
use self::script::Script;
use self::speed::Speed;
use crate::Global;
use crate::exit::{Exit, Failure, Outcome};

/// The arguments of `simulate`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// File with the script, or "-" for standard input
    #[arg(value_name = "SCRIPT")]
    script: PathBuf,
    /// Directory in which the segments are published
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// How much time of the script passes in the same real time, from 0.001 to 1000
    #[arg(long, value_name = "N", default_value = "1")]
    speed: Speed,
    /// Plays the script again whenever it has ended
    #[arg(long = "loop")]
    is_repeated: bool,
    /// Leaves the last records as they are at the end, as a daemon that is killed does
    #[arg(long = "hold")]
    is_held: bool,
    /// File of a VMClock page, created if it is missing: clients that are given it notice the
    /// disruptions of the script before the records show them
    #[arg(long, value_name = "PATH")]
    vmclock: Option<PathBuf>,
    /// Permits to publish in the default directory of the daemon
    #[arg(long)]
    allow_default_directory: bool,
}

/// The greatest rate at which an end of the interval may move, parts per billion: 10 %.
const MAX_RATE_PPB: i64 = 100_000_000;

/// The shortest real time for which records hold, ns. The layouts v1 and v2 have its end in whole
/// seconds.
const MIN_HOLDOVER_NS: i64 = 3_000_000_000;

/// Runs the verb.
///
/// # Errors
/// [`Failure`].
pub fn run(arguments: &Arguments, global: &Global) -> Outcome {
    // This precedes every thread, so that all threads inherit the signal mask.
    let signals = receive_signals()?;
    let text = read(&arguments.script)?;
    let script = Script::parse(&text).map_err(|err| refused(&arguments.script, &err))?;
    check(&script, arguments)?;
    if !arguments.allow_default_directory && files::is_default(&arguments.to) {
        let why = format!(
            "{} is the directory of the daemon, whose clients would use the simulated interval; \
             give another directory, or --allow-default-directory",
            arguments.to.display()
        );
        return Err(Failure::Other(Exit::Usage, why));
    }
    let (files, counter_error) =
        Files::new(&arguments.to).map_err(|source| match source.kind() {
            io::ErrorKind::ResourceBusy => Failure::Other(
                Exit::CannotCreate,
                format!("{}: {source}", arguments.to.display()),
            ),
            _ => Failure::File {
                path: arguments.to.clone(),
                source,
            },
        })?;
    if let Some(err) = counter_error {
        eprintln!("clockboundctl: the segment of the 3.x layout is not published: {err}");
    }
    let page = arguments.vmclock.as_deref().map(open_page).transpose()?;
    let events = Events {
        lines: text.lines().map(str::to_owned).collect(),
        is_json: global.json,
    };
    let plan = Plan {
        script,
        speed: arguments.speed,
        is_repeated: arguments.is_repeated,
        is_held: arguments.is_held,
    };
    let mut publisher = Publisher::open(plan, files, page)?;
    let end = publisher.play(&signals, &events)?;
    events.ended(end)?;
    Ok(Exit::Success)
}

/// Checks that the script can be played so.
fn check(script: &Script, arguments: &Arguments) -> Result<(), Failure> {
    let speed = arguments.speed;
    let wrong = |problem: String| Err(refused(&arguments.script, &problem));
    if arguments.is_repeated && script.length_ns.is_none_or(|length_ns| length_ns == 0) {
        return wrong("--loop needs a script that takes some time and has an end".to_owned());
    }
    let rate_ppb = script.greatest_rate_ppb.max(DEFAULT_DRIFT_PPB.into());
    if speed.script_ns(rate_ppb) > MAX_RATE_PPB {
        return wrong(format!(
            "the drift and the ramps of the offset reach {} ppm, which is more than 100000 ppm at \
             --speed {speed}",
            rate_ppb / 1_000
        ));
    }
    if let Some(holdover_ns) = script.least_holdover_ns
        && speed.real_ns(holdover_ns) < MIN_HOLDOVER_NS
    {
        return wrong(format!(
            "the holdover must be at least 3 s of real time, which is {} at --speed {speed}",
            units::seconds(speed.script_ns(MIN_HOLDOVER_NS))
        ));
    }
    Ok(())
}

fn refused(path: &Path, problem: &impl std::fmt::Display) -> Failure {
    Failure::Other(Exit::DataError, format!("{}: {problem}", path.display()))
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    read.map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })
}

fn open_page(path: &Path) -> Result<Page, Failure> {
    Page::open(path).map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })
}

/// Blocks SIGTERM, SIGINT and SIGHUP, and starts a thread that waits for them.
fn receive_signals() -> io::Result<Receiver<()>> {
    let mut wanted = SigSet::empty();
    wanted.add(Signal::SIGTERM);
    wanted.add(Signal::SIGINT);
    wanted.add(Signal::SIGHUP);
    wanted.thread_block()?;
    let (sender, receiver) = channel();
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || while wanted.wait().is_ok() && sender.send(()).is_ok() {})?;
    Ok(receiver)
}
