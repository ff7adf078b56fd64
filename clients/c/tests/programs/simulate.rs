//! The examples with the segments that `clockboundctl simulate` publishes by a script.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{TestDirectory, libraries, run};

/// A running `clockboundctl simulate`, killed when dropped.
struct Simulation(Child);

impl Simulation {
    /// Publishes a script in `DIRECTORY/simulated`, and waits until it is published.
    fn start(directory: &TestDirectory, script: &str) -> Self {
        let path = directory.path("script");
        fs::write(&path, script).expect("written");
        let mut child = Command::new(clockboundctl())
            .arg("simulate")
            .arg(path)
            .arg("--to")
            .arg(directory.path("simulated"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        let simulation = Self(child);
        BufReader::new(output).read_line(&mut line).expect("read");
        assert_eq!(line, "ready\n");
        simulation
    }
}

/// clockboundctl. `integration/test` sets the variable, and has built it.
fn clockboundctl() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Some(directory) = env::var_os("CLOCKBOUND_TOOLS") {
            return Path::new(&directory).join("clockboundctl");
        }
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--package", "clockboundctl"])
            .arg("--target-dir")
            .arg(libraries().parent().expect("a target directory"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(
            built.expect("cargo").success(),
            "clockboundctl is not built"
        );
        libraries().join("clockboundctl")
    })
}

impl Drop for Simulation {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_c_program_prints_the_statuses_of_a_script() {
    let directory = TestDirectory::new();
    let interval = directory.compile("cc", "examples/interval.c", &["-std=c11"]);
    let script = "status synchronized bound 2ms\nwait 2s\n\
                  status free_running reason source_unreachable bound 30ms\nwait 2s\n\
                  status unknown reason holdover_expired\nwait forever";
    let _simulation = Simulation::start(&directory, script);
    let begun = Instant::now();
    let arguments = [directory.path("simulated").into_os_string(), "1".into()];
    for expected in [
        "us  synchronized, tracking\n",
        "us  free_running, source_unreachable\n",
        "unknown, holdover_expired\n",
    ] {
        while !run(&interval, &arguments).ends_with(expected) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{expected}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_cpp_program_starts_when_the_time_is_known_and_waits_until_its_timestamp_has_passed() {
    let directory = TestDirectory::new();
    let commit_wait = directory.compile("c++", "examples/commit_wait.cpp", &["-std=c++17"]);
    let script = "status unknown\nwait 1s\nstatus synchronized bound 200ms\nwait forever";
    let _simulation = Simulation::start(&directory, script);
    let text = run(&commit_wait, &[directory.path("simulated")]);
    assert!(text.contains("has passed: true"), "{text}");
}

#[test]
fn a_cpp_program_ends_its_commit_wait_with_an_error_when_the_time_is_lost() {
    let directory = TestDirectory::new();
    let commit_wait = directory.compile("c++", "examples/commit_wait.cpp", &["-std=c++17"]);
    // The wait takes 8 s.
    let script = "status synchronized bound 4s\nwait 3s\nstatus unknown reason bound_over_cap\n\
                  wait forever";
    let _simulation = Simulation::start(&directory, script);
    let output = Command::new(&commit_wait)
        .arg(directory.path("simulated"))
        .output()
        .expect("runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("(bound_over_cap)"), "{errors}");
    assert!(output.stdout.is_empty(), "it does not expose the event");
}
