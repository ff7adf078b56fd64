//! The daemon beside a real chronyd: what is true, and what happens when chronyd is away.

mod published;

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::Duration;

use integration::reader::own_client;
use integration::sandbox::{mode_of, names_in};
use integration::world::shm_in;
use integration::{Chronyd, Launch, NtpServer, Reader, Sandbox, Segment, Status, Truth, World};
use integration::{truth, wait};
use nix::time::ClockId;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");
const MS: i64 = 1_000_000;

#[test]
fn the_segment_says_what_chronyc_says() {
    let world = World::with_offset_ns(5 * MS);
    let _daemon = world.start(BIN);
    let before_ns = truth::clock_ns(ClockId::CLOCK_MONOTONIC_COARSE);
    let segment = Segment::wait_for_writes(&world.shm(), 3);
    let after_ns = truth::clock_ns(ClockId::CLOCK_MONOTONIC_COARSE);
    // 5 ms of correction dominate. chronyd's other figures move a little from poll to poll, and its first ones are
    // doubted, since it knows no frequency yet.
    wait::until(wait::PATIENCE, "the bound that chronyc says", || {
        let said_ns = world.chronyd.tracking().expect("a report").bound_ns();
        let bound_ns = Segment::settled(&world.shm()).bound_ns() as f64;
        (bound_ns - said_ns).abs() < 200e3
    });
    // With -x nobody corrects the clock's frequency, which chronyd has to estimate first.
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
fn clients_old_and_new_trust_the_interval_of_a_fast_and_of_a_slow_clock() {
    for offset_ns in [5 * MS, -5 * MS] {
        let world = World::with_offset_ns(offset_ns);
        let _daemon = world.start(BIN);
        // chronyd's own dispersion is large until it has seen a few samples.
        Segment::wait_for(&world.shm(), "the offset and little more", |segment| {
            (5 * MS..6 * MS).contains(&segment.bound_ns())
        });
        let readers = published::readers(&world.shm(), &world.truth);
        for reader in readers {
            reader.wait_for_reads(2000);
            let seen = reader.finish();
            seen.assert_undisturbed();
            assert_eq!(seen.statuses, [Status::Synchronized]);
        }
    }
}

#[test]
fn chronyd_may_come_after_the_daemon() {
    let sandbox = Sandbox::new();
    let server = NtpServer::start(&Truth::default());
    let mut chronyd = Chronyd::following(&sandbox, "chrony", server.address());
    let shm = shm_in(&sandbox);
    let _daemon = Launch::new(BIN, &chronyd.socket(), &shm).start();
    assert_eq!(Segment::wait_for_writes(&shm, 2).status(), Status::Unknown);
    chronyd.start_synchronised();
    Segment::wait_for_status(&shm, Status::Synchronized);
}

#[test]
fn a_chronyd_that_goes_and_comes_back_is_followed_again() {
    let mut world = World::new();
    let _daemon = world.start(BIN);
    let readers = published::readers(&world.shm(), &world.truth);
    world.chronyd.stop();
    readers
        .iter()
        .for_each(|reader| reader.wait_for(Status::FreeRunning));
    world.chronyd.start_synchronised();
    readers
        .iter()
        .for_each(|reader| reader.wait_for(Status::Synchronized));
    world.chronyd.kill();
    world.chronyd.start_synchronised();
    Segment::wait_for_writes(&world.shm(), 5);
    for reader in readers {
        reader.finish().assert_flawless();
    }
}

#[test]
fn a_chronyd_that_hangs_with_a_full_queue_stalls_nothing() {
    let mut world = World::new();
    let mut daemon = world.start(BIN);
    let reader = Reader::start(&world.shm(), &world.truth);
    world.chronyd.freeze();
    fill_queue(&world.chronyd);
    reader.wait_for(Status::FreeRunning);
    Segment::wait_for_writes(&world.shm(), 3);
    world.chronyd.thaw();
    reader.wait_for(Status::Synchronized);
    reader.finish().assert_flawless();

    world.chronyd.freeze();
    fill_queue(&world.chronyd);
    assert_eq!(daemon.terminate().code, Some(0));
}

#[test]
fn a_socket_that_may_not_be_used_is_named_with_its_owner() {
    let world = World::new();
    let nobody = integration::Account::named("nobody").expect("the account nobody");
    let dir = world.sandbox.dir("clockbound", 0o755);
    std::os::unix::fs::chown(&dir, Some(nobody.uid), Some(nobody.gid)).expect("chown");
    let program = integration::daemon::copy_for_everyone(BIN.as_ref(), &world.sandbox.path(""));
    let mut daemon = world.launch(program).account(&nobody).start();
    let line = daemon.wait_for_log("failed to query chronyd");
    let owner = integration::Account::chrony();
    assert!(
        line.contains(&owner.name),
        "the line names the user and group to join: {line}"
    );
    assert!(daemon.is_running(), "it may be permitted later");
    assert_eq!(Segment::settled(&world.shm()).status(), Status::Unknown);
}

#[test]
fn a_chronyd_that_is_down_is_worth_a_handful_of_lines() {
    let mut world = World::new();
    let daemon = world.start_with(&world.launch(BIN).args(["--poll-interval", "10ms"]));
    let before = daemon.log().len();
    world.chronyd.stop();
    wait::holds(Duration::from_secs(20), "few lines", || {
        daemon.log().len() <= before + 5
    });
    assert!(daemon.log().len() > before, "it is worth one line");
    let colourful = daemon
        .log()
        .into_iter()
        .find(|line| line.contains('\u{1b}'));
    assert_eq!(colourful, None, "colour codes in a log that is no terminal");
}

#[test]
fn client_sockets_do_not_pile_up_beside_chronyds() {
    let world = World::new();
    let dir = world.chronyd.dir();
    let alone = names_in(dir);
    let mut daemon = world.start(BIN);
    let own: Vec<String> = names_in(dir).difference(&alone).cloned().collect();
    assert_eq!(own.len(), 1, "one socket while it runs: {own:?}");
    assert_eq!(mode_of(&dir.join(&own[0])) & 0o007, 0, "closed to others");
    assert_eq!(daemon.terminate().code, Some(0));
    assert_eq!(names_in(dir), alone, "after SIGTERM");

    for _ in 0..3 {
        world.start(BIN).kill();
    }
    let mut daemon = world.start(BIN);
    wait::until(
        wait::PATIENCE,
        "those of killed daemons are removed",
        || names_in(dir).len() == alone.len() + 1,
    );
    assert_eq!(daemon.terminate().code, Some(0));
    assert_eq!(names_in(dir), alone);
}

#[test]
fn a_chronyd_that_loses_its_servers_still_bounds_the_clock() {
    let world = World::with_offset_ns(3 * MS);
    let _daemon = world.start(BIN);
    let reader = Reader::of(published::V1, &world.shm(), &world.truth);
    let before = Segment::settled(&world.shm());
    world.server.set(|manner| manner.mute = true);
    let later = Segment::wait_for_writes(&world.shm(), 20);
    assert!(
        later.bound_ns() >= before.bound_ns() - MS,
        "{} then {}",
        before.bound_ns(),
        later.bound_ns()
    );
    reader.finish().assert_flawless();
}

#[test]
fn restarts_of_the_daemon_do_not_prolong_the_grace() {
    let mut world = World::new();
    let launch = world.launch(BIN).args(["--chrony-grace", "8s"]);
    let mut daemon = world.start_with(&launch);
    let native = world.shm().with_file_name("native");
    let mut now = own_client(&native).expect("open the native segment");
    world.chronyd.kill();
    // Each life lasts 3 s at least, so the grace is over in the third one. A reader finds that out by itself.
    let mut statuses = Vec::new();
    for _ in 0..5 {
        thread::sleep(Duration::from_secs(3));
        statuses.push(now().expect("an interval").status);
        daemon.kill();
        daemon = launch.start();
        Segment::wait_for_writes(&world.shm(), 2);
    }
    assert_eq!(statuses.last(), Some(&Status::FreeRunning), "{statuses:?}");
}

/// Leaves no room for one more datagram in chronyd's queue.
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
