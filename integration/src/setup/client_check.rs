//! Checks a client program: started before the daemon, while daemons are killed, and after its
//! directory is deleted.
//!
//! Each client library is checked through a small program, `watch DIRECTORY`, that waits for the
//! daemon, reads continuously, and prints a line for each reading: `BEFORE AFTER EARLIEST LATEST
//! STATUS REASON`. `BEFORE` and `AFTER` are `CLOCK_REALTIME` around the reading, in ns like the
//! next two.
//!
//! `watch DIRECTORY busy` reads for 3 s in one thread without a pause, and writes nothing in between
//! `begin` and `end READINGS`. Every system call of that thread between the two is one of the
//! library. strace(1) records them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
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

/// The duration of a busy run, s.
const BUSY_S: f64 = 3.0;
/// How many busy runs are made at most.
const BUSY_RUNS: usize = 5;

/// The result of a check.
#[derive(Clone, Debug)]
pub struct CheckResult {
    /// Number of readings.
    pub readings: usize,
    /// From the creation of a new file to the first reading of it.
    pub recovery: Duration,
    /// System calls beside a healthy daemon, each with its number of calls a second.
    pub system_calls: BTreeMap<String, f64>,
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

impl CheckResult {
    /// The result in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let calls: Vec<String> = (self.system_calls.iter())
            .map(|(name, rate)| format!("{name} {rate:.0}/s"))
            .collect();
        let calls = if calls.is_empty() {
            "0 system calls/s".to_owned()
        } else {
            calls.join(", ")
        };
        format!(
            "{} readings contain true time, {calls} beside a healthy daemon, a new file is read \
             after {} ms",
            self.readings,
            self.recovery.as_millis()
        )
    }
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

/// Checks the program `words` beside the daemon `daemon`. `runtime_calls` are system calls of the
/// language's runtime, which are not counted.
///
/// # Panics
/// If the program exits, an interval does not contain true time, or the program does not recover.
pub fn run(daemon: &Path, words: &[String], runtime_calls: &[String]) -> CheckResult {
    let testbed = Testbed::new();
    let shm = testbed.shm();
    let directory = shm.parent().expect("a directory").to_owned();
    let mut watcher = Watcher::start(words, &directory);
    // The program finds no segment at first.
    thread::sleep(Duration::from_millis(300));
    let mut running = testbed.start(daemon);
    watcher.wait_for_status("synchronized");
    let system_calls = system_calls(words, runtime_calls, &testbed, &directory);
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
        system_calls,
    }
}

/// Counts the system calls of a busy reader. While another program delays the daemon, the reader may
/// check the path; the run with the fewest calls counts.
fn system_calls(
    words: &[String],
    runtime_calls: &[String],
    testbed: &Testbed,
    directory: &Path,
) -> BTreeMap<String, f64> {
    let record = testbed.sandbox.path("strace");
    let busy_run = || {
        let status = Command::new("strace")
            .args(["-f", "-s", "8", "-o"])
            .arg(&record)
            .args(words)
            .arg(directory)
            .arg("busy")
            .stdout(Stdio::null())
            .status()
            .expect("strace is installed");
        assert!(status.success(), "{words:?} failed: {status}");
        let record = fs::read_to_string(&record).expect("the record of strace");
        let mut calls = calls_between(&record);
        calls.retain(|call| !runtime_calls.contains(call));
        calls
    };
    let mut fewest = busy_run();
    for _ in 1..BUSY_RUNS {
        if fewest.is_empty() {
            break;
        }
        let calls = busy_run();
        if calls.len() < fewest.len() {
            fewest = calls;
        }
    }
    let mut rates = BTreeMap::new();
    for call in fewest {
        *rates.entry(call).or_insert(0.0) += 1.0 / BUSY_S;
    }
    rates
}

/// The names of the system calls between those that write `begin` and `end`, in the thread that
/// writes `begin`. A line of the record begins with the number of the thread. The return from a
/// signal handler is not a call of the library.
///
/// # Panics
/// If one of the two is missing.
fn calls_between(record: &str) -> Vec<String> {
    let mut lines = record.lines();
    let begin = lines.find(|line| line.contains(r#""begin"#));
    let thread = begin.and_then(|line| line.split_whitespace().next());
    let thread = thread.expect("the program writes `begin`");
    let mut calls = Vec::new();
    for line in lines {
        let Some((number, call)) = line.split_once(' ') else {
            continue;
        };
        if number != thread {
            continue;
        }
        if line.contains(r#""end "#) {
            return calls;
        }
        let name = call.trim_start().split_once('(').map(|(name, _)| name);
        // A signal, and the second half of a call, have no name before a parenthesis.
        if let Some(name) =
            name.filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
            && name != "rt_sigreturn"
        {
            calls.push(name.to_owned());
        }
    }
    panic!("the program exited before it wrote `end`");
}

#[cfg(test)]
mod tests {
    use super::calls_between;

    #[test]
    fn only_calls_of_the_reading_thread_between_the_marks_are_counted() {
        let record = r#"
10 openat(AT_FDCWD, "x", O_RDONLY) = 3
11 write(1, "begin\n", 6 <unfinished ...>
10 futex(0x1, FUTEX_WAIT) = 0
11 <... write resumed>)              = 6
11 statx(AT_FDCWD, "/x", 0, 0, {...}) = 0
11 --- SIGURG {si_signo=SIGURG} ---
11 rt_sigreturn({mask=[]})           = 0
11 clock_gettime(CLOCK_MONOTONIC_RAW, {...}) = 0
11 write(1, "end 17\n", 7)           = 7
11 exit_group(0)                     = ?
"#;
        assert_eq!(calls_between(record), ["statx", "clock_gettime"]);
    }
}
