//! Actors that panic repeatedly, at every fail point: readers are not affected.

mod published;

use std::fs;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use clockbound_client::diagnostics::{self, ACTORS, Counters};

use integration::fakes::phc::{PHC_OPTIONS, PHC0, Phc};
use integration::fakes::vmclock::VmClock;
use integration::host::namespace::private;
use integration::host::sandbox::{Sandbox, vmclock_path};
use integration::host::wait;
use integration::observe::layout::Layout;
use integration::observe::reader::Reader;
use integration::observe::reading::Status;
use integration::observe::segment::Segment;
use integration::programs::daemon::{Daemon, Launch};
use integration::setup::testbed::Testbed;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");
const CRASHES: usize = 300;
const RESTARTED: &str = "restarting it";

/// A launch with a fault socket, an unlimited crash budget and short polling intervals.
fn unlimited(testbed: &Testbed) -> Launch {
    unlimited_at(testbed, "10ms")
}

/// Likewise, with this polling interval.
fn unlimited_at(testbed: &Testbed, poll_interval: &str) -> Launch {
    testbed
        .launch(BIN)
        .fault_socket(&testbed.sandbox.path("faults.sock"))
        .args(["--crash-budget", "1000000"])
        .args(["--poll-interval", poll_interval])
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
    // The 3.x segment and the diagnostics are not written in every round.
    for (layout, crashes) in [
        ("native", CRASHES / 3),
        ("v2", CRASHES / 3),
        ("v1", CRASHES / 3),
    ] {
        let point = format!("mid_write.{layout}");
        assert_readers_unaffected(&testbed, &daemon, "shm_publisher", &point, crashes);
    }
    assert_readers_unaffected(
        &testbed,
        &daemon,
        "shm_publisher",
        "mid_write.diagnostics",
        5,
    );
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
fn a_disruption_is_noticed_after_crashes_of_the_vmclock_watch() {
    let testbed = Testbed::new();
    let page = VmClock::create(&vmclock_path(&testbed.shm()));
    // Between two polls only the watch compares the page.
    let daemon = testbed.start_with(&unlimited_at(&testbed, "2s"));
    let reader = Reader::of(Layout::NATIVE, &testbed.shm(), &testbed.truth);
    reader.wait_for(Status::Synchronized);
    for _ in 0..20 {
        crash(&daemon, "vmclock_watch", "handler");
    }
    let before = daemon.count_log(RESTARTED);
    daemon.inject("vmclock_watch", "started", "1*panic");
    daemon.inject("vmclock_watch", "handler", "1*panic");
    daemon.wait_until("both lives end", || {
        daemon.count_log(RESTARTED) >= before + 2
    });
    page.restore();
    daemon.wait_for_log("clock was disrupted");
    reader.wait_for(Status::Disrupted);
    reader.wait_for(Status::Synchronized);
    reader.finish().assert_valid();
    assert_restarts(&testbed, "vmclock_watch", 22);
}

/// Makes the kernel send more messages than the daemon's socket has room for, while the daemon
/// cannot read them.
fn lose_uevents(daemon: &Daemon) -> io::Result<()> {
    daemon.freeze();
    let sent = (0..500).try_for_each(|_| fs::write("/sys/class/mem/null/uevent", "change"));
    daemon.thaw();
    sent
}

#[test]
fn lost_kernel_events_are_noticed_after_crashes_of_the_generation_watch() {
    const LOST: &str = "kernel events lost";
    let name = "lost_kernel_events_are_noticed_after_crashes_of_the_generation_watch";
    let testbed = Testbed::new();
    let daemon = testbed.start_with(&unlimited(&testbed));
    if let Err(err) = lose_uevents(&daemon) {
        let _ = writeln!(
            io::stdout(),
            "skipped: {name}: no uevent can be sent: {err}"
        );
        return;
    }
    let heard = wait::within(Duration::from_secs(10), || {
        (daemon.count_log(LOST) > 0).then_some(())
    });
    if heard.is_none() {
        let _ = writeln!(io::stdout(), "skipped: {name}: uevents do not arrive here");
        return;
    }
    let readers = published::readers(&testbed.shm(), &testbed.truth);
    let before = daemon.count_log(RESTARTED);
    daemon.inject("generation_watch", "started", "1*panic");
    daemon.inject("generation_watch", "handler", "1*panic");
    lose_uevents(&daemon).expect("as before");
    daemon.wait_until("both lives end", || {
        daemon.count_log(RESTARTED) >= before + 2
    });
    let before = daemon.count_log(LOST);
    daemon.wait_until("the next life listens", || {
        lose_uevents(&daemon).expect("as before");
        daemon.count_log(LOST) > before
    });
    Segment::wait_for_writes(&testbed.shm(), 5);
    for reader in readers {
        reader.finish().assert_valid();
    }
    assert_restarts(&testbed, "generation_watch", 2);
}

#[test]
fn the_counters_of_the_diagnostics_survive_crashes_of_every_actor() {
    let testbed = Testbed::new();
    let daemon = testbed.start_with(&unlimited(&testbed));
    let read = || diagnostics::read(&testbed.shm().with_file_name("diagnostics"));
    let before = wait::until_some(wait::PATIENCE, "a measurement", || {
        read()
            .ok()
            .filter(|now| now.record.counters.measurements > 0)
    });
    for point in ["handler", "mid_write.diagnostics"] {
        crash(&daemon, "shm_publisher", point);
    }
    for actor in ["chrony_poller", "clock_state", "shm_publisher"] {
        crash(&daemon, actor, "handler");
    }
    assert_restarts(&testbed, "chrony_poller", 1);
    assert_restarts(&testbed, "clock_state", 1);
    assert_restarts(&testbed, "shm_publisher", 3);
    let after = wait::until_some(wait::PATIENCE, "another measurement", || {
        let counters = before.record.counters;
        let is_later =
            |counter: fn(&Counters) -> u64, now: &Counters| counter(now) > counter(&counters);
        read().ok().filter(|now| {
            is_later(|counters| counters.measurements, &now.record.counters)
                && is_later(|counters| counters.reports, &now.record.counters)
        })
    });
    assert_eq!(after.record.started_ns, before.record.started_ns);
    assert_eq!(after.record.status_since_ns, before.record.status_since_ns);
    for (now, then) in after
        .record
        .publications
        .iter()
        .zip(before.record.publications)
    {
        assert!(*now >= then);
    }
}

/// The diagnostics tell how often this actor was restarted.
#[track_caller]
fn assert_restarts(testbed: &Testbed, actor: &str, times: u32) {
    let index = ACTORS.iter().position(|name| *name == actor);
    let index = index.expect("a name of an actor");
    let path = testbed.shm().with_file_name("diagnostics");
    wait::until(wait::PATIENCE, "the restarts are counted", || {
        diagnostics::read(&path).is_ok_and(|now| now.record.restarts[index] == times)
    });
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
        daemon.inject("shm_publisher", "mid_write.v1", "pause");
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
