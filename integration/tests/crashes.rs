//! Actors that crash, at every point and again and again: readers notice nothing.

mod published;

use integration::namespace::private;
use integration::{Daemon, Launch, Reader, Sandbox, Segment, Status, World};

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");
const CRASHES: usize = 300;
const RESTARTED: &str = "restarting it";

/// A launch that listens for faults and forgives them all.
fn forgiving(world: &World) -> Launch {
    world
        .launch(BIN)
        .fault_socket(&world.sandbox.path("faults.sock"))
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

/// Crashes `actor` many times under two readers that must not notice.
fn readers_notice_nothing(world: &World, daemon: &Daemon, actor: &str, point: &str, times: usize) {
    let readers = published::readers(&world.shm(), &world.truth);
    for _ in 0..times {
        crash(daemon, actor, point);
        // The next life serves before it crashes: a fact that a crash swallows is not told again, and
        // without any the clock would rightly run free.
        Segment::wait_for_writes(&world.shm(), 1);
    }
    // It still works after the last one.
    Segment::wait_for_writes(&world.shm(), 5);
    for reader in readers {
        let seen = reader.finish();
        seen.assert_undisturbed();
        assert_eq!(seen.statuses, [Status::Synchronized]);
    }
}

#[test]
fn the_poller_may_crash() {
    let world = World::new();
    let daemon = world.start_with(&forgiving(&world));
    readers_notice_nothing(&world, &daemon, "chrony_poller", "handler", CRASHES);
}

#[test]
fn the_clocks_state_may_crash() {
    let world = World::new();
    let daemon = world.start_with(&forgiving(&world));
    readers_notice_nothing(&world, &daemon, "clock_state", "handler", CRASHES);
}

#[test]
fn the_publisher_may_crash() {
    let world = World::new();
    let daemon = world.start_with(&forgiving(&world));
    readers_notice_nothing(&world, &daemon, "shm_publisher", "handler", CRASHES);
}

#[test]
fn the_publisher_may_crash_in_the_middle_of_a_write() {
    let world = World::new();
    let daemon = world.start_with(&forgiving(&world));
    readers_notice_nothing(&world, &daemon, "shm_publisher", "mid_write", CRASHES);
}

#[test]
fn the_hardware_clocks_reader_may_crash() {
    private(|host| {
        let sys = Sandbox::new();
        let address = [80, 72, 67, 48].into();
        host.loopback(&[address]);
        let device = host.network_device(&sys, "eth0", "0000:00:05.0");
        std::fs::write(device.join("phc_error_bound"), "20000\n").expect("write the error bound");
        let world = World::served_at(address, 0);
        let daemon = world.start_with(&forgiving(&world).args(["-r", "PHC0", "-i", "eth0"]));
        readers_notice_nothing(&world, &daemon, "phc_reader", "handler", CRASHES);
    });
}

#[test]
fn a_new_life_may_crash_before_it_has_begun() {
    let world = World::new();
    let daemon = world.start_with(&forgiving(&world));
    for actor in ["chrony_poller", "clock_state", "shm_publisher"] {
        let before = daemon.count_log(RESTARTED);
        daemon.inject(actor, "started", "1*panic");
        daemon.inject(actor, "handler", "1*panic");
        daemon.wait_until("both lives end", || {
            daemon.count_log(RESTARTED) >= before + 2
        });
        readers_notice_nothing(&world, &daemon, actor, "handler", 1);
    }
}

#[test]
fn a_crash_loop_ends_the_daemon_with_an_error() {
    for actor in ["chrony_poller", "clock_state", "shm_publisher"] {
        let world = World::new();
        let launch = world
            .launch(BIN)
            .fault_socket(&world.sandbox.path("faults.sock"));
        let mut daemon = world.start_with(&launch);
        daemon.inject(actor, "handler", "panic");
        let exit = daemon.wait();
        assert!(exit.code.is_some_and(|code| code != 0), "{actor}: {exit:?}");
        let line = daemon.wait_for_log("exceeded its crash budget");
        assert!(line.contains(actor), "{line}");
    }
}

#[test]
fn a_daemon_that_is_killed_in_the_middle_of_a_write_is_healed_by_the_next() {
    let world = World::new();
    let launch = forgiving(&world);
    let mut daemon = world.start_with(&launch);
    let readers = published::readers(&world.shm(), &world.truth);
    let generation = || {
        let segment = Segment::read(&world.shm()).expect("the file is there");
        segment.generation()
    };
    for _ in 0..10 {
        daemon.inject("shm_publisher", "mid_write", "pause");
        // A write that is not paused is over at the next look.
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
        Segment::wait_for_writes(&world.shm(), 2);
    }
    for reader in readers {
        reader.finish().assert_undisturbed();
    }
}

#[test]
fn an_actor_that_hangs_lets_the_clock_run_free() {
    let world = World::new();
    let mut daemon = world.start_with(&forgiving(&world));
    let reader = Reader::of(published::V1, &world.shm(), &world.truth);
    daemon.inject("chrony_poller", "handler", "pause");
    // The published readers decide by the age of the record, whoever still writes or not.
    reader.wait_for(Status::FreeRunning);
    daemon.terminate();
    let _daemon = world.start(BIN);
    reader.wait_for(Status::Synchronized);
    reader.finish().assert_flawless();
}
