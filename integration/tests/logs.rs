//! The daemon's log: for machines when asked to, and never in the way.

use std::time::Duration;

use integration::fakes::candm::Report;
use integration::fakes::chronyd::FakeChronyd;
use integration::host::sandbox::Sandbox;
use integration::observe::reading::Status;
use integration::observe::segment::Segment;
use integration::programs::daemon::Launch;
use integration::setup::testbed::shm_path;
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");

fn launch(sandbox: &Sandbox) -> (FakeChronyd, Launch) {
    let fake = FakeChronyd::reporting(&sandbox.chrony_dir("chrony"), Report::healthy);
    let launch = Launch::new(BIN, fake.socket(), &shm_path(sandbox));
    (fake, launch)
}

#[test]
fn json_logs_are_one_object_a_line_and_tell_why_the_status_changed() {
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
fn plain_logs_tell_why_the_status_changed() {
    let sandbox = Sandbox::new();
    let (_fake, launch) = launch(&sandbox);
    let daemon = launch.start();
    let line = daemon.wait_for_log("clock status changed");
    for key in ["from", "to", "reason"] {
        assert!(line.contains(key), "{key}: {line}");
    }
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up() {
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
    integration::host::wait::until(integration::host::wait::PATIENCE, "polls go on", || {
        fake.requests() >= goal
    });
    Segment::wait_for_writes(&shm, 20);
    let exit = daemon.terminate();
    assert_eq!(exit.code, Some(0));
    assert!(exit.elapsed < Duration::from_secs(5), "{exit:?}");
}

#[test]
fn both_signals_end_it_in_good_order() {
    for signal in [
        nix::sys::signal::Signal::SIGTERM,
        nix::sys::signal::Signal::SIGINT,
    ] {
        let sandbox = Sandbox::new();
        let (_fake, launch) = launch(&sandbox);
        let mut daemon = launch.start();
        Segment::wait_for_status(&shm_path(&sandbox), Status::Synchronized);
        daemon.signal(signal);
        let exit = daemon.wait();
        assert_eq!(exit.code, Some(0), "{signal}");
        assert!(exit.elapsed < Duration::from_secs(5), "{exit:?}");
        // Lines that were queued are not lost.
        daemon.wait_for_log("stopping");
    }
}
