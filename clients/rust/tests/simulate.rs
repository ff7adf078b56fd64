//! The key-value store of the examples with simulated clocks: it is right, and its bugs are found.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory for a test, removed when dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (pid, next) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = Self(env::temp_dir().join(format!("clockbound-simulate-{pid}-{next}")));
        fs::create_dir_all(directory.path("store")).expect("a directory");
        directory
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program whose standard input and output are lines, killed when dropped.
struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Program {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|err| panic!("{command:?}: {err}"));
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self {
            child,
            input,
            output,
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn request(&mut self, text: &str) -> String {
        writeln!(self.input, "{text}").expect("written");
        self.line()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The directory of the built programs: this test is in TARGET/PROFILE/deps.
fn profile() -> PathBuf {
    let own = env::current_exe().expect("a path");
    own.ancestors().nth(2).expect("a directory").to_owned()
}

/// Builds a program beside the tests: cargo does not build it for them.
fn build(selection: &[&str]) {
    let profile = profile();
    let target = profile.parent().expect("a target directory");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--target-dir"])
        .arg(target)
        .args(selection)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo is installed");
    assert!(status.success(), "{cargo:?}");
}

/// clockboundctl. `integration/test` sets the variable, and has built it.
fn clockboundctl() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match env::var_os("CLOCKBOUND_TOOLS") {
        Some(directory) => Path::new(&directory).join("clockboundctl"),
        None => {
            build(&["--package", "clockboundctl"]);
            profile().join("clockboundctl")
        }
    })
}

/// The example. With the features of the workspace, its dependencies are not built twice.
fn key_value() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        build(&["--workspace", "--example", "key_value"]);
        profile().join("examples/key_value")
    })
}

/// Starts `clockboundctl simulate`, and waits until it publishes.
fn simulate(directory: &Directory, name: &str, script: &str) -> Program {
    // So that it is built before the script begins.
    key_value();
    let path = directory.path(&format!("{name}.script"));
    fs::write(&path, script).expect("written");
    let mut command = Command::new(clockboundctl());
    command.arg("simulate").arg(path);
    command.arg("--to").arg(directory.path(name));
    let mut program = Program::start(&mut command);
    assert_eq!(program.line(), "ready");
    program
}

fn store(directory: &Directory, segments: &str, bug: Option<&str>) -> Program {
    let mut command = Command::new(key_value());
    command
        .arg(directory.path("store"))
        .arg(directory.path(segments));
    if let Some(bug) = bug {
        command.args(["--bug", bug]);
    }
    Program::start(&mut command)
}

/// The timestamps of two writes, the second of which was begun after the first was exposed.
fn timestamps_of_two_hosts(bug: Option<&str>) -> (i64, i64) {
    let directory = Directory::new();
    // Both intervals contain true time. The clock of the first host is fast, the other is slow.
    let script =
        |midpoint| format!("status synchronized bound 1s midpoint {midpoint}\nwait forever");
    let _fast = simulate(&directory, "fast", &script("900ms"));
    let _slow = simulate(&directory, "slow", &script("-900ms"));
    let write = |segments: &str| -> i64 {
        let mut store = store(&directory, segments, bug);
        let answer = store.request("put key value");
        let timestamp = answer.strip_prefix("committed ").expect(&answer);
        timestamp.parse().expect(timestamp)
    };
    (write("fast"), write("slow"))
}

#[test]
fn a_later_write_has_a_later_timestamp_unless_timestamps_are_midpoints() {
    let (first, second) = timestamps_of_two_hosts(None);
    assert!(first < second, "{first} {second}");
    let (first, second) = timestamps_of_two_hosts(Some("midpoint"));
    assert!(first > second, "the bug is not found: {first} {second}");
}

/// What a process answers after it has lost the time, and another one has taken its lease.
fn answer_after_the_lease_was_taken(bug: Option<&str>) -> String {
    let directory = Directory::new();
    // The clock of the system is a minute slow, which the daemon knew until it lost its source.
    let known = "status synchronized bound 1ms offset 60s\n";
    let lost = format!("{known}wait 5s\nstatus unknown reason holdover_expired\nwait forever");
    let _second = simulate(&directory, "second", &format!("{known}wait forever"));
    let _first = simulate(&directory, "first", &lost);
    let mut first = store(&directory, "first", bug);
    let mut second = store(&directory, "second", bug);
    let answer = first.request("lease 100");
    assert!(answer.starts_with("leased until "), "{answer}");
    let mut answer = second.request("lease 10000");
    while answer.starts_with("refused: process ") {
        answer = second.request("lease 10000");
    }
    assert!(answer.starts_with("leased until "), "{answer}");
    // Until the first one has lost the time.
    loop {
        let answer = first.request("get key");
        if answer != "refused: the lease has ended, or may have" {
            return answer;
        }
    }
}

#[test]
fn a_process_whose_lease_was_taken_serves_no_reads_unless_it_trusts_the_system_clock() {
    let answer = answer_after_the_lease_was_taken(None);
    assert_eq!(
        answer,
        "refused: the time is not known: unknown, holdover_expired"
    );
    let answer = answer_after_the_lease_was_taken(Some("fallback"));
    assert_eq!(answer, "value nothing", "the bug is not found");
}

#[test]
fn a_store_starts_when_the_time_is_known() {
    let directory = Directory::new();
    let script = "status unknown\nwait 1s\nstatus synchronized bound 1ms\nwait forever";
    let _clock = simulate(&directory, "late", script);
    let mut store = store(&directory, "late", None);
    let answer = store.request("put key value");
    assert!(answer.starts_with("committed "), "{answer}");
    assert_eq!(
        store.request("get key"),
        "refused: the lease has ended, or may have"
    );
    assert!(store.request("lease 60000").starts_with("leased until "));
    assert_eq!(store.request("get key"), "value value");
}

#[test]
fn a_write_is_not_exposed_when_the_time_is_lost_during_its_commit_wait() {
    let directory = Directory::new();
    let script = "status synchronized bound 10s\nwait 4s\nstatus unknown\nwait forever";
    let _clock = simulate(&directory, "lost", script);
    let mut store = store(&directory, "lost", None);
    let answer = store.request("put key value");
    assert_eq!(
        answer,
        "refused: the clock status is unknown, never_synchronized"
    );
    assert!(Path::new(&directory.path("store/key-key")).exists());
}
