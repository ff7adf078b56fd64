//! Actors that crash, at every point and again and again: readers notice nothing.

mod published;

use integration::fakes::phc::{PHC_OPTIONS, PHC0, Phc};
use integration::host::namespace::private;
use integration::host::sandbox::Sandbox;
use integration::observe::reader::Reader;
use integration::observe::reading::Status;
use integration::observe::segment::Segment;
use integration::programs::daemon::{Daemon, Launch};
use integration::setup::testbed::Testbed;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");
const CRASHES: usize = 300;
const RESTARTED: &str = "restarting it";

/// A launch that listens for faults and forgives them all.
fn forgiving(testbed: &Testbed) -> Launch {
    testbed
        .launch(BIN)
        .fault_socket(&testbed.sandbox.path("faults.sock"))
        .args(["--crash-budget", "1000000", "--poll-interval", "10ms"])
}

/// Crashes one actor and waits until the supervisor has noticed.
fn crash(daemon: &Daemon, actor: &str, point: &str) {
    let before = daemon.count_log(RESTARTED);
    daemon.crash(actor, point, "panic");
    daemon.wait_until("the supervisor restarts the actor", || {
        daemon.count_log(RESTARTED) > before
    });
}

/// Crashes `actor` many times under two readers that must not notice.
fn readers_notice_nothing(
    testbed: &Testbed,
    daemon: &Daemon,
    actor: &str,
    point: &str,
    times: usize,
) {
    let readers = published::readers(&testbed.shm(), &testbed.truth);
    for _ in 0..times {
        crash(daemon, actor, point);
        // The next life serves before it crashes: a fact that a crash swallows is not told again, and
        // without any the clock would rightly run free.
        Segment::wait_for_writes(&testbed.shm(), 1);
    }
    // It still works after the last one.
    Segment::wait_for_writes(&testbed.shm(), 5);
    for reader in readers {
        let seen = reader.finish();
        seen.assert_valid_with_one_status();
        assert_eq!(seen.statuses, [Status::Synchronized]);
    }
}

#[test]
fn the_poller_may_crash() {
    let testbed = Testbed::new();
    let daemon = testbed.start_with(&forgiving(&testbed));
    readers_notice_nothing(&testbed, &daemon, "chrony_poller", "handler", CRASHES);
}

#[test]
fn the_clocks_state_may_crash() {
    let testbed = Testbed::new();
    let daemon = testbed.start_with(&forgiving(&testbed));
    readers_notice_nothing(&testbed, &daemon, "clock_state", "handler", CRASHES);
}

#[test]
fn the_publisher_may_crash() {
    let testbed = Testbed::new();
    let daemon = testbed.start_with(&forgiving(&testbed));
    readers_notice_nothing(&testbed, &daemon, "shm_publisher", "handler", CRASHES);
}

#[test]
fn the_publisher_may_crash_in_the_middle_of_a_write() {
    let testbed = Testbed::new();
    let daemon = testbed.start_with(&forgiving(&testbed));
    readers_notice_nothing(&testbed, &daemon, "shm_publisher", "mid_write", CRASHES);
}

#[test]
fn the_hardware_clocks_reader_may_crash() {
    private(|host| {
        let sys = Sandbox::new();
        Phc::new(host, &sys).set_error_bound("20000\n");
        let testbed = Testbed::served_at(PHC0, 0);
        let daemon = testbed.start_with(&forgiving(&testbed).args(PHC_OPTIONS));
        readers_notice_nothing(&testbed, &daemon, "phc_reader", "handler", CRASHES);
    });
}

#[test]
fn a_new_life_may_crash_before_it_has_begun() {
    let testbed = Testbed::new();
    let daemon = testbed.start_with(&forgiving(&testbed));
    for actor in ["chrony_poller", "clock_state", "shm_publisher"] {
        let before = daemon.count_log(RESTARTED);
        daemon.crash(actor, "started", "panic");
        daemon.crash(actor, "handler", "panic");
        daemon.wait_until("both lives end", || {
            daemon.count_log(RESTARTED) >= before + 2
        });
        readers_notice_nothing(&testbed, &daemon, actor, "handler", 1);
    }
}

#[test]
fn a_crash_loop_ends_the_daemon_with_an_error() {
    for actor in ["chrony_poller", "clock_state", "shm_publisher"] {
        let testbed = Testbed::new();
        let launch = testbed
            .launch(BIN)
            .fault_socket(&testbed.sandbox.path("faults.sock"));
        let mut daemon = testbed.start_with(&launch);
        // More than any sensible budget; each strikes once.
        for _ in 0..50 {
            daemon.crash(actor, "handler", "panic");
        }
        let exit = daemon.wait();
        assert!(exit.code.is_some_and(|code| code != 0), "{actor}: {exit:?}");
        let line = daemon.wait_for_log("giving up");
        assert!(line.contains(actor), "{line}");
    }
}

#[test]
fn a_daemon_that_aborts_in_the_middle_of_a_write_is_healed_by_the_next() {
    let testbed = Testbed::new();
    let launch = forgiving(&testbed);
    let mut daemon = testbed.start_with(&launch);
    let readers = published::readers(&testbed.shm(), &testbed.truth);
    for _ in 0..10 {
        daemon.crash("shm_publisher", "mid_write", "abort");
        assert_eq!(daemon.wait().code, None, "it ends by a signal");
        let left = Segment::read(&testbed.shm()).expect("the file is there");
        assert_eq!(left.generation() % 2, 1, "left in the middle of a write");
        readers.iter().for_each(|reader| reader.wait_for_reads(20));
        daemon = launch.start();
        Segment::wait_for_writes(&testbed.shm(), 2);
    }
    for reader in readers {
        reader.finish().assert_valid_with_one_status();
    }
}

#[test]
fn an_actor_that_hangs_lets_the_clock_run_free() {
    let testbed = Testbed::new();
    let mut daemon = testbed.start_with(&forgiving(&testbed));
    let reader = Reader::of(published::V1, &testbed.shm(), &testbed.truth);
    daemon.crash("chrony_poller", "handler", "hang");
    // The published readers decide by the age of the record, whoever still writes or not.
    reader.wait_for(Status::FreeRunning);
    daemon.terminate();
    let _daemon = testbed.start(BIN);
    reader.wait_for(Status::Synchronized);
    reader.finish().assert_valid();
}
