//! The daemon with a real chronyd: the published values, and restarts, hangs and absence of
//! chronyd.

mod published;

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::Duration;

use clockbound_client::{Client, Reason};
use integration::fakes::ntp_server::NtpServer;
use integration::host::sandbox::{Sandbox, mode_of, names_in};
use integration::host::user::UserAccount;
use integration::host::wait;
use integration::observe::reader::Reader;
use integration::observe::reading::{Status, open_client};
use integration::observe::segment::Segment;
use integration::programs::chronyd::Chronyd;
use integration::programs::daemon::Launch;
use integration::setup::testbed::{Testbed, shm_path};
use integration::time::clock::clock_ns;
use integration::time::truth::Truth;
use nix::time::ClockId;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");
const MS: i64 = 1_000_000;

#[test]
fn the_segment_has_the_bound_of_chronyc() {
    let testbed = Testbed::with_offset_ns(5 * MS);
    let _daemon = testbed.start(BIN);
    let before_ns = clock_ns(ClockId::CLOCK_MONOTONIC_COARSE);
    let segment = Segment::wait_for_writes(&testbed.shm(), 3);
    let after_ns = clock_ns(ClockId::CLOCK_MONOTONIC_COARSE);
    // The correction of 5 ms dominates. chronyd's other values change a little at each poll, and
    // the daemon widens the first ones, since chronyd has not estimated the frequency.
    wait::until(wait::PATIENCE, "the bound of chronyc", || {
        let chronyc_ns = testbed.chronyd.tracking().expect("a report").bound_ns();
        let bound_ns = Segment::settled(&testbed.shm()).bound_ns();
        let bound_ns = i32::try_from(bound_ns).expect("below 2 s");
        (f64::from(bound_ns) - chronyc_ns).abs() < 200e3
    });
    // With -x the clock's frequency is not corrected, and chronyd has to estimate it first.
    assert!(segment.max_drift_ppb() >= 50_000);
    assert_eq!(segment.status(), Status::Synchronized);
    assert!(
        (before_ns..=after_ns).contains(&segment.as_of_ns()),
        "as_of is the instant of a poll"
    );
    assert_eq!(
        segment.void_after_ns() / 1_000_000_000,
        segment.as_of_ns() / 1_000_000_000 + 1000
    );
}

#[test]
fn intervals_of_a_fast_and_a_slow_clock_contain_true_time_in_every_layout() {
    for offset_ns in [5 * MS, -5 * MS] {
        let testbed = Testbed::with_offset_ns(offset_ns);
        let _daemon = testbed.start(BIN);
        // chronyd's dispersion is large until it has a few samples.
        Segment::wait_for(&testbed.shm(), "the offset and little more", |segment| {
            (5 * MS..6 * MS).contains(&segment.bound_ns())
        });
        let readers = published::readers(&testbed.shm(), &testbed.truth);
        for reader in readers {
            reader.wait_for_reads(2000);
            let seen = reader.finish();
            seen.assert_valid_with_one_status();
            assert_eq!(seen.statuses, [Status::Synchronized]);
        }
    }
}

#[test]
fn chronyd_may_start_after_the_daemon() {
    let sandbox = Sandbox::new();
    let server = NtpServer::start(&Truth::default());
    let mut chronyd = Chronyd::following(&sandbox, "chrony", server.address());
    let shm = shm_path(&sandbox);
    let _daemon = Launch::new(BIN, &chronyd.socket(), &shm).start();
    assert_eq!(Segment::wait_for_writes(&shm, 2).status(), Status::Unknown);
    chronyd.start_synchronised();
    Segment::wait_for_status(&shm, Status::Synchronized);
}

#[test]
fn the_clock_is_synchronized_again_after_restarts_of_chronyd() {
    let mut testbed = Testbed::new();
    let _daemon = testbed.start(BIN);
    let readers = published::readers(&testbed.shm(), &testbed.truth);
    testbed.chronyd.stop();
    readers
        .iter()
        .for_each(|reader| reader.wait_for(Status::FreeRunning));
    testbed.chronyd.start_synchronised();
    readers
        .iter()
        .for_each(|reader| reader.wait_for(Status::Synchronized));
    testbed.chronyd.kill();
    testbed.chronyd.start_synchronised();
    Segment::wait_for_writes(&testbed.shm(), 5);
    for reader in readers {
        reader.finish().assert_valid();
    }
}

#[test]
fn a_suspended_chronyd_with_a_full_queue_does_not_block_the_daemon() {
    let mut testbed = Testbed::new();
    let mut daemon = testbed.start(BIN);
    let reader = Reader::start(&testbed.shm(), &testbed.truth);
    testbed.chronyd.freeze();
    fill_queue(&testbed.chronyd);
    reader.wait_for(Status::FreeRunning);
    Segment::wait_for_writes(&testbed.shm(), 3);
    testbed.chronyd.thaw();
    reader.wait_for(Status::Synchronized);
    reader.finish().assert_valid();

    testbed.chronyd.freeze();
    fill_queue(&testbed.chronyd);
    assert_eq!(daemon.terminate().code, Some(0));
}

#[test]
fn a_socket_without_permission_is_logged_with_its_owner() {
    let testbed = Testbed::new();
    let nobody = UserAccount::named("nobody").expect("the account nobody");
    let dir = testbed.sandbox.dir("clockbound", 0o755);
    chown(&dir, Some(nobody.uid), Some(nobody.gid)).expect("chown");
    let program =
        integration::programs::daemon::copy_for_everyone(BIN.as_ref(), &testbed.sandbox.path(""));
    let mut daemon = testbed.launch(program).account(&nobody).start();
    let line = daemon.wait_for_log("failed to query chronyd");
    let owner = UserAccount::chrony();
    assert!(
        line.contains(&owner.name),
        "the line names the user and group to join: {line}"
    );
    assert!(daemon.is_running(), "the permission may be granted later");
    assert_eq!(Segment::settled(&testbed.shm()).status(), Status::Unknown);
}

#[test]
fn a_daemon_that_is_no_longer_permitted_to_query_chronyd_publishes_that_reason() {
    let testbed = Testbed::new();
    let account = UserAccount::chrony();
    let dir = testbed.sandbox.dir("clockbound", 0o755);
    chown(&dir, Some(account.uid), Some(account.gid)).expect("chown");
    let program =
        integration::programs::daemon::copy_for_everyone(BIN.as_ref(), &testbed.sandbox.path(""));
    let launch = testbed.launch(program).account(&account);
    // The kernel checks the permission when a socket is connected, which the next daemon has to do.
    testbed.start_with(&launch).kill();
    fs::set_permissions(testbed.chronyd.socket(), Permissions::from_mode(0o000)).expect("chmod");

    let _daemon = launch.start();
    let native = testbed.shm().with_file_name("native");
    let client = Client::open_at(native).expect("open the native segment");
    let interval = wait::until_some(wait::PATIENCE, "permission_denied", || {
        let interval = client.now().ok()?;
        (interval.reason() == Reason::PermissionDenied).then_some(interval)
    });
    assert_eq!(interval.status(), clockbound_client::Status::FreeRunning);
}

#[test]
fn a_stopped_chronyd_causes_few_log_lines() {
    let mut testbed = Testbed::new();
    let daemon = testbed.start_with(&testbed.launch(BIN).args(["--poll-interval", "10ms"]));
    let before = daemon.log().len();
    testbed.chronyd.stop();
    wait::holds(Duration::from_secs(20), "few lines", || {
        daemon.log().len() <= before + 5
    });
    assert!(daemon.log().len() > before, "at least one line");
    let colourful = daemon
        .log()
        .into_iter()
        .find(|line| line.contains('\u{1b}'));
    assert_eq!(colourful, None, "colour codes in a log that is no terminal");
}

#[test]
fn client_sockets_are_removed() {
    let testbed = Testbed::new();
    let dir = testbed.chronyd.dir();
    let alone = names_in(dir);
    let mut daemon = testbed.start(BIN);
    let own: Vec<String> = names_in(dir).difference(&alone).cloned().collect();
    assert_eq!(own.len(), 1, "one socket while it runs: {own:?}");
    assert_eq!(mode_of(&dir.join(&own[0])) & 0o007, 0, "closed to others");
    assert_eq!(daemon.terminate().code, Some(0));
    assert_eq!(names_in(dir), alone, "after SIGTERM");

    for _ in 0..3 {
        testbed.start(BIN).kill();
    }
    let mut daemon = testbed.start(BIN);
    wait::until(
        wait::PATIENCE,
        "those of killed daemons are removed",
        || names_in(dir).len() == alone.len() + 1,
    );
    assert_eq!(daemon.terminate().code, Some(0));
    assert_eq!(names_in(dir), alone);
}

#[test]
fn the_bound_grows_when_the_servers_stop_replying() {
    let testbed = Testbed::with_offset_ns(3 * MS);
    let _daemon = testbed.start(BIN);
    let reader = Reader::of(published::V1, &testbed.shm(), &testbed.truth);
    let before = Segment::settled(&testbed.shm());
    testbed.server.set(|behaviour| behaviour.silent = true);
    let later = Segment::wait_for_writes(&testbed.shm(), 20);
    assert!(
        later.bound_ns() >= before.bound_ns() - MS,
        "{} then {}",
        before.bound_ns(),
        later.bound_ns()
    );
    reader.finish().assert_valid();
}

#[test]
fn restarts_of_the_daemon_do_not_extend_the_grace() {
    let mut testbed = Testbed::new();
    let launch = testbed.launch(BIN).args(["--chrony-grace", "8s"]);
    let mut daemon = testbed.start_with(&launch);
    let native = testbed.shm().with_file_name("native");
    let mut now = open_client(&native).expect("open the native segment");
    testbed.chronyd.kill();
    // Each daemon runs for at least 3 s, so the grace ends in the third one. A reader detects this
    // by itself.
    let mut statuses = Vec::new();
    for _ in 0..5 {
        thread::sleep(Duration::from_secs(3));
        statuses.push(now().expect("an interval").status);
        daemon.kill();
        daemon = launch.start();
        Segment::wait_for_writes(&testbed.shm(), 2);
    }
    assert_eq!(statuses.last(), Some(&Status::FreeRunning), "{statuses:?}");
}

/// Fills the receive queue of chronyd's socket.
fn fill_queue(chronyd: &Chronyd) {
    let sender = UnixDatagram::unbound().expect("a socket");
    sender.set_nonblocking(true).expect("non-blocking");
    loop {
        match sender.send_to(&[0; 16], chronyd.socket()) {
            Ok(_) => {}
            Err(err) if err.kind() == ErrorKind::WouldBlock => return,
            Err(err) => panic!("fill chronyd's queue: {err}"),
        }
    }
}
