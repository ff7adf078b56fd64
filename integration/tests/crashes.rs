//! Actors that panic repeatedly, at every fail point: readers are not affected.

mod published;

use std::time::{Duration, Instant};

use integration::fakes::phc::{PHC_OPTIONS, PHC0, Phc};
use integration::fakes::vmclock::VmClock;
use integration::host::namespace::private;
use integration::host::sandbox::{Sandbox, vmclock_path};
use integration::observe::layout::Layout;
use integration::observe::reader::Reader;
use integration::observe::reading::Status;
use integration::observe::segment::Segment;
use integration::programs::daemon::{Daemon, Launch};
use integration::setup::testbed::Testbed;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");
const CRASHES: usize = 300;
const RESTARTED: &str = "restarting it";

/// A launch with a fault socket and an unlimited crash budget.
fn unlimited(testbed: &Testbed) -> Launch {
    testbed
        .launch(BIN)
        .fault_socket(&testbed.sandbox.path("faults.sock"))
        .args(["--crash-budget", "1000000", "--poll-interval", "10ms"])
}

/// Crashes one actor and waits until the supervisor has noticed.
fn crash(daemon: &Daemon, actor: &str, point: &str) {
    let before = daemon.count_log(RESTARTED);
    daemon.inject(actor, point, "1*panic");
    daemon.wait_until("the supervisor restarts the actor", || {
        daemon.count_log(RESTARTED) > before
    });
}

/// Crashes `actor` repeatedly beside readers that must not be affected.
fn assert_readers_unaffected(
    testbed: &Testbed,
    daemon: &Daemon,
    actor: &str,
    point: &str,
    times: usize,
) {
    let readers = published::readers(&testbed.shm(), &testbed.truth);
    for _ in 0..times {
        crash(daemon, actor, point);
        // The next life publishes before it crashes: a message is lost in a crash, and without any
        // the clock would become free running.
        Segment::wait_for_writes(&testbed.shm(), 1);
    }
    // It publishes after the last crash.
    Segment::wait_for_writes(&testbed.shm(), 5);
    for reader in readers {
        let seen = reader.finish();
        seen.assert_valid_with_one_status();
        assert_eq!(seen.statuses, [Status::Synchronized]);
    }
}

#[test]
fn readers_are_unaffected_by_crashes_of_the_poller() {
    let testbed = Testbed::new();
    let daemon = testbed.start_with(&unlimited(&testbed));
    assert_readers_unaffected(&testbed, &daemon, "chrony_poller", "handler", CRASHES);
}

#[test]
fn readers_are_unaffected_by_crashes_of_the_clock_state() {
    let testbed = Testbed::new();
    let daemon = testbed.start_with(&unlimited(&testbed));
    assert_readers_unaffected(&testbed, &daemon, "clock_state", "handler", CRASHES);
}

#[test]
fn readers_are_unaffected_by_crashes_of_the_publisher() {
    let testbed = Testbed::new();
    let daemon = testbed.start_with(&unlimited(&testbed));
    assert_readers_unaffected(&testbed, &daemon, "shm_publisher", "handler", CRASHES);
}

#[test]
fn readers_are_unaffected_by_crashes_of_the_publisher_in_a_write() {
    let testbed = Testbed::new();
    let daemon = testbed.start_with(&unlimited(&testbed));
    assert_readers_unaffected(&testbed, &daemon, "shm_publisher", "mid_write", CRASHES);
}

#[test]
fn readers_are_unaffected_by_crashes_of_the_phc_reader() {
    private(|host| {
        let sys = Sandbox::new();
        Phc::new(host, &sys).set_error_bound("20000\n");
        let testbed = Testbed::served_at(PHC0, 0);
        let daemon = testbed.start_with(&unlimited(&testbed).args(PHC_OPTIONS));
        assert_readers_unaffected(&testbed, &daemon, "phc_reader", "handler", CRASHES);
    });
}

#[test]
fn readers_are_unaffected_by_crashes_at_the_start_of_a_life() {
    let testbed = Testbed::new();
    let daemon = testbed.start_with(&unlimited(&testbed));
    for actor in ["chrony_poller", "clock_state", "shm_publisher"] {
        let before = daemon.count_log(RESTARTED);
        daemon.inject(actor, "started", "1*panic");
        daemon.inject(actor, "handler", "1*panic");
        daemon.wait_until("both lives end", || {
            daemon.count_log(RESTARTED) >= before + 2
        });
        assert_readers_unaffected(&testbed, &daemon, actor, "handler", 1);
    }
}

#[test]
fn trust_returns_after_crashes_of_the_source_reset() {
    let testbed = Testbed::new();
    let page = VmClock::create(&vmclock_path(&testbed.shm()));
    let daemon = testbed.start_with(&unlimited(&testbed));
    let reader = Reader::of(Layout::NATIVE, &testbed.shm(), &testbed.truth);
    reader.wait_for(Status::Synchronized);
    let before = daemon.count_log(RESTARTED);
    daemon.inject("source_reset", "started", "1*panic");
    daemon.inject("source_reset", "handler", "1*panic");
    page.restore();
    daemon.wait_until("both lives end", || {
        daemon.count_log(RESTARTED) >= before + 2
    });
    // The reset was not noted, so the next life repeats it.
    daemon.wait_for_log("sources of chronyd were reset");
    reader.wait_for(Status::Synchronized);
    reader.finish().assert_valid();
}

#[test]
fn a_crash_of_the_clock_state_does_not_end_a_disruption() {
    let mut testbed = Testbed::new();
    let page = VmClock::create(&vmclock_path(&testbed.shm()));
    let daemon = testbed.start_with(&unlimited(&testbed));
    let reader = Reader::of(Layout::NATIVE, &testbed.shm(), &testbed.truth);
    reader.wait_for(Status::Synchronized);
    testbed.chronyd.freeze();
    page.restore();
    reader.wait_for(Status::Disrupted);
    let disruptions = reader.seen().statuses.len();
    for _ in 0..3 {
        crash(&daemon, "clock_state", "handler");
        Segment::wait_for_writes(&testbed.shm(), 3);
    }
    assert_eq!(reader.seen().statuses.len(), disruptions);
    testbed.chronyd.thaw();
    reader.wait_for(Status::Synchronized);
    reader.finish().assert_valid();
}

#[test]
fn a_crash_loop_ends_the_daemon_with_an_error() {
    for actor in ["chrony_poller", "clock_state", "shm_publisher"] {
        let testbed = Testbed::new();
        let launch = testbed
            .launch(BIN)
            .fault_socket(&testbed.sandbox.path("faults.sock"));
        let mut daemon = testbed.start_with(&launch);
        daemon.inject(actor, "handler", "panic");
        let exit = daemon.wait();
        assert!(exit.code.is_some_and(|code| code != 0), "{actor}: {exit:?}");
        let line = daemon.wait_for_log("exceeded its crash budget");
        assert!(line.contains(actor), "{line}");
    }
}

#[test]
fn an_unfinished_write_is_completed_by_the_next_daemon() {
    let testbed = Testbed::new();
    let launch = unlimited(&testbed);
    let mut daemon = testbed.start_with(&launch);
    let readers = published::readers(&testbed.shm(), &testbed.truth);
    let generation = || {
        let segment = Segment::read(&testbed.shm()).expect("the file is there");
        segment.generation()
    };
    for _ in 0..10 {
        daemon.inject("shm_publisher", "mid_write", "pause");
        // A write that is not paused is over when the segment is read again.
        let mut before = None;
        daemon.wait_until("a write is paused", || {
            let generation = generation();
            let paused = generation % 2 == 1 && before == Some(generation);
            before = Some(generation);
            paused
        });
        daemon.kill();
        assert_eq!(generation() % 2, 1, "left in the middle of a write");
        readers.iter().for_each(|reader| reader.wait_for_reads(20));
        daemon = launch.start();
        Segment::wait_for_writes(&testbed.shm(), 2);
    }
    for reader in readers {
        reader.finish().assert_valid_with_one_status();
    }
}

#[test]
fn an_actor_that_was_delayed_repeatedly_publishes_as_often_as_before() {
    const POLL_INTERVAL: Duration = Duration::from_millis(50);
    let testbed = Testbed::new();
    let interval = format!("{}ms", POLL_INTERVAL.as_millis());
    let launch = testbed
        .launch(BIN)
        .fault_socket(&testbed.sandbox.path("faults.sock"))
        .args(["--poll-interval", &interval]);
    let daemon = testbed.start_with(&launch);
    for _ in 0..10 {
        daemon.inject("shm_publisher", "handler", "1*sleep(150)");
        Segment::wait_for_writes(&testbed.shm(), 3);
    }
    let began = Instant::now();
    let before = Segment::settled(&testbed.shm()).generation();
    let after = Segment::wait_for_writes(&testbed.shm(), 60).generation();
    let intervals = began.elapsed().as_millis() / POLL_INTERVAL.as_millis();
    let writes = u128::from(after.wrapping_sub(before) / 2);
    assert!(
        writes <= intervals + 3,
        "{writes} in {intervals} poll intervals"
    );
}

#[test]
fn a_hung_actor_makes_the_clock_free_running() {
    let testbed = Testbed::new();
    let mut daemon = testbed.start_with(&unlimited(&testbed));
    let reader = Reader::of(published::V1, &testbed.shm(), &testbed.truth);
    daemon.inject("chrony_poller", "handler", "pause");
    // The published readers decide by the age of the record.
    reader.wait_for(Status::FreeRunning);
    daemon.terminate();
    let _daemon = testbed.start(BIN);
    reader.wait_for(Status::Synchronized);
    reader.finish().assert_valid();
}
