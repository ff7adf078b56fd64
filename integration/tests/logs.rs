//! The daemon's log: its formats, and that logging blocks neither the daemon nor its exit.

use integration::fakes::candm::Report;
use integration::fakes::chronyd::FakeChronyd;
use integration::host::sandbox::Sandbox;
use integration::host::wait;
use integration::observe::reading::Status;
use integration::observe::segment::Segment;
use integration::programs::daemon::Launch;
use integration::setup::testbed::shm_path;
use nix::sys::signal::Signal;
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");

fn launch(sandbox: &Sandbox) -> (FakeChronyd, Launch) {
    let fake = FakeChronyd::reporting(&sandbox.chrony_dir("chrony"), Report::healthy);
    let launch = Launch::new(BIN, fake.socket(), &shm_path(sandbox));
    (fake, launch)
}

#[test]
fn json_logs_are_one_object_a_line_and_have_the_reason_of_a_status_change() {
    let sandbox = Sandbox::new();
    let (_fake, launch) = launch(&sandbox);
    let mut daemon = launch
        .args(["--json-output", "--log-level", "debug"])
        .start();
    Segment::wait_for_status(&shm_path(&sandbox), Status::Synchronized);
    daemon.wait_for_log("clock status changed");
    assert_eq!(daemon.terminate().code, Some(0));
    let lines: Vec<Value> = daemon
        .log()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|err| panic!("{err}: {line}")))
        .collect();
    assert!(lines.iter().all(Value::is_object));
    let change = lines
        .iter()
        .find(|line| line["msg"] == "clock status changed")
        .expect("the line");
    for key in ["from", "to", "reason"] {
        assert!(
            change[key].as_str().is_some_and(|value| !value.is_empty()),
            "{key}: {change}"
        );
    }
}

#[test]
fn plain_logs_have_the_reason_of_a_status_change() {
    let sandbox = Sandbox::new();
    let (_fake, launch) = launch(&sandbox);
    let daemon = launch.start();
    let line = daemon.wait_for_log("clock status changed");
    for key in ["from", "to", "reason"] {
        assert!(line.contains(key), "{key}: {line}");
    }
}

#[test]
fn an_unread_log_blocks_neither_publication_nor_exit() {
    let sandbox = Sandbox::new();
    let (fake, launch) = launch(&sandbox);
    let launch = launch
        .args(["--log-level", "trace", "--poll-interval", "10ms"])
        .unread_log();
    let mut daemon = launch.start();
    let shm = shm_path(&sandbox);
    Segment::wait_for_status(&shm, Status::Synchronized);
    // More lines than any pipe holds, then proof that the segment is still written.
    let goal = fake.requests() + 1500;
    wait::until(wait::PATIENCE, "1500 more polls", || {
        fake.requests() >= goal
    });
    Segment::wait_for_writes(&shm, 20);
    assert_eq!(daemon.terminate().code, Some(0));
}

#[test]
fn sigterm_and_sigint_stop_the_daemon_with_exit_code_0() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let sandbox = Sandbox::new();
        let (_fake, launch) = launch(&sandbox);
        let mut daemon = launch.start();
        Segment::wait_for_status(&shm_path(&sandbox), Status::Synchronized);
        daemon.signal(signal);
        assert_eq!(daemon.wait().code, Some(0), "{signal}");
        // Queued lines are written before the exit.
        daemon.wait_for_log("stopping");
    }
}
