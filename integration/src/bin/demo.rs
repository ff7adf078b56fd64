//! Shows the published interval for a while, and removes everything afterwards.
//!
//! ```text
//! time servers of this host, or a private reference --> chronyd -x --> clockbound --> this table
//! ```
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{io, panic};

use clap::Parser;
use integration::demo::{table, time_servers};
use integration::host::sandbox::Sandbox;
use integration::host::wait;
use integration::observe::reading::{Reading, open_client};
use integration::programs::chronyd::Chronyd;
use integration::programs::daemon::{Daemon, Launch};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

const INTERRUPTED: u8 = 130;
const UNAVAILABLE: u8 = 69;

/// How long chronyd may take to synchronise.
const SYNCHRONISATION: Duration = Duration::from_secs(15);

/// Shows the daemon's interval once a second, beside a private chronyd.
#[derive(Parser)]
struct Options {
    /// The daemon's program.
    #[arg(long, default_value = "target/release/clockbound")]
    daemon: PathBuf,
    /// How long to show it.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let stop = match stop_flag() {
        Ok(stop) => stop,
        Err(err) => {
            eprintln!("demo: cannot receive signals: {err}");
            return ExitCode::from(UNAVAILABLE);
        }
    };
    // The harness panics when a step fails; unwinding ends everything that was started.
    panic::set_hook(Box::new(|info| {
        let text = info.payload().downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| info.payload().downcast_ref::<&str>().copied());
        eprintln!("demo: {}", text.unwrap_or("failed"));
    }));
    let result = panic::catch_unwind(|| show(&options, &stop));
    match result {
        _ if stop.load(Ordering::Relaxed) => ExitCode::from(INTERRUPTED),
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(UNAVAILABLE),
    }
}

fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Waits for `cond`, a stop or the end of `span`; returns whether `cond` held.
fn wait_for(stop: &AtomicBool, span: Duration, mut cond: impl FnMut() -> bool) -> bool {
    let held = || {
        if cond() {
            Some(true)
        } else {
            stop.load(Ordering::Relaxed).then_some(false)
        }
    };
    wait::within(span, held).unwrap_or(false)
}

fn show(options: &Options, stop: &AtomicBool) {
    // Dropped in this order: the daemon, its sources, the directory.
    let sandbox = Sandbox::new();
    let mut sources = Sources::of_the_host(&sandbox, stop);
    if sources.is_none() && !stop.load(Ordering::Relaxed) {
        println!(
            "No time server of this host replies: using a private reference on the loopback device."
        );
        sources = Some(Sources::private(&sandbox, stop));
    }
    let Some(sources) = sources else { return };
    let shm = sandbox.path("clockbound").join("shm");
    let mut daemon = Launch::new(&options.daemon, &sources.chronyd.socket(), &shm).start();
    println!("clockbound publishes at {}\n", shm.display());
    table(&mut daemon, &sources.chronyd, &shm, options.seconds, stop);
    let exit = daemon.terminate();
    assert!(
        exit.code == Some(0),
        "the daemon failed:\n{}",
        daemon.log().join("\n")
    );
}

fn table(daemon: &mut Daemon, chronyd: &Chronyd, shm: &Path, seconds: u64, stop: &AtomicBool) {
    let mut now = None;
    let opened = wait_for(stop, wait::PATIENCE, || {
        now = open_client(shm).ok();
        now.is_some() || !daemon.is_running()
    });
    let log = daemon.log().join("\n");
    assert!(
        !opened || now.is_some(),
        "the daemon does not publish:\n{log}"
    );
    let Some(mut now) = now else { return };
    println!("{}", table::header());
    for _ in 0..seconds {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let reading: Result<Reading, String> = now();
        let source = chronyd
            .tracking()
            .map_or_else(|| "-".to_owned(), |tracking| tracking.source);
        match reading {
            Ok(reading) => println!("{}", table::row(&reading, &source)),
            Err(err) => println!("no interval: {err}"),
        }
        wait_for(stop, Duration::from_secs(1), || false);
        assert!(
            daemon.is_running(),
            "the daemon exited unexpectedly:\n{}",
            daemon.log().join("\n")
        );
    }
}

/// chronyd and its reference.
struct Sources {
    chronyd: Chronyd,
    _reference: Option<Chronyd>,
}

impl Sources {
    /// A chronyd that uses the time servers of this host, if they reply.
    fn of_the_host(sandbox: &Sandbox, stop: &AtomicBool) -> Option<Sources> {
        let names = time_servers::configured();
        if names.is_empty() {
            return None;
        }
        println!(
            "Querying the time servers of this host: {}",
            names.join(" ")
        );
        let answering = time_servers::answering(&names);
        if answering.is_empty() || stop.load(Ordering::Relaxed) {
            return None;
        }
        let lines: Vec<String> = answering
            .iter()
            .map(|name| format!("server {name} iburst"))
            .collect();
        let lines: Vec<&str> = ["port 0"]
            .into_iter()
            .chain(lines.iter().map(String::as_str))
            .collect();
        let mut chronyd = Chronyd::new(sandbox, "chrony", &lines);
        chronyd.start();
        println!("chronyd uses {}", answering.join(" "));
        let good = wait_for(stop, SYNCHRONISATION, || chronyd.is_synchronised());
        good.then_some(Sources {
            chronyd,
            _reference: None,
        })
    }

    /// A chronyd that uses another one, which is its own reference.
    fn private(sandbox: &Sandbox, stop: &AtomicBool) -> Sources {
        let address = time_servers::free_address();
        let mut reference = Chronyd::reference(sandbox, "reference", address.port());
        reference.start();
        // Not "chrony": that directory may exist for the servers of the host.
        let mut chronyd = Chronyd::following(sandbox, "client", address);
        chronyd.start();
        wait_for(stop, SYNCHRONISATION, || chronyd.is_synchronised());
        Sources {
            chronyd,
            _reference: Some(reference),
        }
    }
}
