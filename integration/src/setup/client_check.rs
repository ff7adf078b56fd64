//! Checks a client program: started before the daemon, while daemons are killed, and after its
//! directory is deleted.
//!
//! Each client library is checked through a small program, `watch DIRECTORY`, that waits for the
//! daemon, reads continuously, and prints a line for each reading: `BEFORE AFTER EARLIEST LATEST
//! STATUS REASON`. `BEFORE` and `AFTER` are `CLOCK_REALTIME` around the reading, in ns like the
//! next two.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::time::ClockId;

use super::testbed::Testbed;
use crate::host::process::{Log, Process};
use crate::host::wait::{self, PATIENCE};
use crate::observe::reading::Status;
use crate::observe::segment::Segment;
use crate::programs::daemon::Launch;
use crate::time::clock::clock_ns;

/// How often the daemon is killed.
const KILLS: usize = 20;

/// The result of a check.
#[derive(Clone, Copy, Debug)]
pub struct CheckResult {
    /// Number of readings.
    pub readings: usize,
    /// From the creation of a new file to the first reading of it.
    pub recovery: Duration,
}

/// One line of the program's output.
#[derive(Clone, Debug)]
struct Line {
    before_ns: i64,
    after_ns: i64,
    earliest_ns: i64,
    latest_ns: i64,
    status: String,
}

impl Line {
    fn parse(line: &str) -> Line {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [before, after, earliest, latest, status, _reason] = words[..] else {
            panic!("not a reading: {line}");
        };
        let ns = |word: &str| {
            word.parse()
                .unwrap_or_else(|err| panic!("{err}, in {line}"))
        };
        Line {
            before_ns: ns(before),
            after_ns: ns(after),
            earliest_ns: ns(earliest),
            latest_ns: ns(latest),
            status: status.to_owned(),
        }
    }

    /// Whether the interval may contain true time, which is CLOCK_REALTIME, or is not trusted.
    fn is_true(&self) -> bool {
        let is_trusted = ["synchronized", "free_running"].contains(&self.status.as_str());
        !is_trusted || (self.earliest_ns <= self.after_ns && self.before_ns <= self.latest_ns)
    }
}

/// The running program.
struct Watcher(Process);

impl Watcher {
    /// Starts `words` with the directory as the last argument.
    fn start(words: &[String], directory: &Path) -> Watcher {
        let mut command = Command::new("sh");
        // `Process` records standard error.
        command
            .args(["-c", "exec \"$@\" 1>&2", "sh"])
            .args(words)
            .arg(directory);
        Watcher(Process::start("watch", command, Log::Kept))
    }

    fn wait_for(&mut self, what: &str, cond: impl Fn(&Line) -> bool) -> Line {
        let from = self.0.log().len();
        let found = wait::within(PATIENCE, || {
            let lines = self.0.log();
            lines
                .iter()
                .skip(from)
                .map(|line| Line::parse(line))
                .find(&cond)
        });
        found.unwrap_or_else(|| {
            let lines = self.0.log();
            let last = lines.last().map_or("nothing", String::as_str);
            let runs = self.0.is_running();
            panic!("no reading {what}; the last one is {last}, running: {runs}")
        })
    }

    fn wait_for_status(&mut self, status: &str) -> Line {
        self.wait_for(status, |line| line.status == status)
    }
}

/// Checks the program `words` beside the daemon `daemon`.
///
/// # Panics
/// If the program exits, an interval does not contain true time, or the program does not recover.
pub fn run(daemon: &Path, words: &[String]) -> CheckResult {
    let testbed = Testbed::new();
    let shm = testbed.shm();
    let directory = shm.parent().expect("a directory").to_owned();
    let mut watcher = Watcher::start(words, &directory);
    // The program finds no segment at first.
    thread::sleep(Duration::from_millis(300));
    let mut running = testbed.start(daemon);
    watcher.wait_for_status("synchronized");
    for _ in 0..KILLS {
        running.kill();
        running = testbed.launch(daemon).start();
        Segment::wait_for_writes(&shm, 2);
    }
    watcher.wait_for_status("synchronized");

    running.kill();
    fs::remove_dir_all(&directory).expect("delete the directory");
    // A daemon without a chronyd publishes Unknown, which identifies its file.
    let no_socket = testbed.sandbox.path("none.sock");
    let mut unsynchronised = Launch::new(daemon, &no_socket, &shm).start();
    let mut there_ns = 0;
    wait::until(PATIENCE, "a new file", || {
        let is_there = Segment::read(&shm).is_ok_and(|new| new.status() == Status::Unknown);
        there_ns = clock_ns(ClockId::CLOCK_REALTIME);
        is_there
    });
    let first = watcher.wait_for_status("unknown");
    unsynchronised.kill();
    running = testbed.start(daemon);
    watcher.wait_for_status("synchronized");

    assert!(watcher.0.is_running(), "{words:?} exited");
    let lines = watcher.0.log();
    watcher.0.kill();
    running.terminate();
    for line in &lines {
        assert!(Line::parse(line).is_true(), "true time is not in {line}");
    }
    let recovery_ns = first.after_ns.saturating_sub(there_ns).max(0);
    CheckResult {
        readings: lines.len(),
        recovery: Duration::from_nanos(recovery_ns.unsigned_abs()),
    }
}
