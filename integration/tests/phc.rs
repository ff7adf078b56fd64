//! A PTP hardware clock: its own error bound is part of ours, and never silently absent.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use integration::namespace::{Private, private};
use integration::{Daemon, Reader, Sandbox, Segment, Status, World};

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");
// chrony shows an address as the reference id, and these are the bytes of "PHC0".
const PHC0: Ipv4Addr = Ipv4Addr::new(80, 72, 67, 48);
const SLOT: &str = "0000:00:05.0";
const US: i64 = 1_000;

/// The neighbours of a daemon on a machine with a hardware clock.
struct PhcWorld {
    error_bound: PathBuf,
    world: World,
    _sys: Sandbox,
}

impl PhcWorld {
    fn new(host: &Private) -> PhcWorld {
        let sys = Sandbox::new();
        host.loopback(&[PHC0]);
        let error_bound = host
            .network_device(&sys, "eth0", SLOT)
            .join("phc_error_bound");
        PhcWorld {
            error_bound,
            world: World::served_at(PHC0, 0),
            _sys: sys,
        }
    }

    fn set_error_bound(&self, content: &str) {
        // Renamed into place: a file that is half written is another test.
        let new = self.error_bound.with_extension("new");
        fs::write(&new, content).expect("write the error bound");
        fs::rename(new, &self.error_bound).expect("put it in place");
    }

    fn start(&self) -> Daemon {
        self.world
            .launch(BIN)
            .args(["-r", "PHC0", "-i", "eth0"])
            .start()
    }

    fn shm(&self) -> PathBuf {
        self.world.shm()
    }
}

fn wait_for_bound(shm: &Path, what: &str, cond: impl Fn(i64) -> bool) {
    Segment::wait_for(shm, what, |segment| {
        segment.status() == Status::Synchronized && cond(segment.bound_ns())
    });
}

#[test]
fn the_bound_grows_by_that_of_the_hardware_clock() {
    private(|host| {
        let phc = PhcWorld::new(host);
        phc.set_error_bound("3000000\n");
        let daemon = phc.start();
        wait_for_bound(&phc.shm(), "the PHC's 3 ms are in it", |ns| {
            ns >= 3_000 * US
        });
        let reader = Reader::start(&phc.shm(), &phc.world.truth);
        phc.set_error_bound("20000\n");
        wait_for_bound(&phc.shm(), "the PHC's 3 ms are forgotten", |ns| {
            ns < 3_000 * US
        });
        reader.finish().assert_undisturbed();
        assert_eq!(daemon.count_log("failed to read the phc error bound"), 0);
    });
}

#[test]
fn an_error_bound_that_makes_no_sense_is_said_and_never_taken_for_zero() {
    let senseless = [
        "",
        "\n",
        "0\n",
        "-1000000\n",
        "9223372036854775807\n",
        "twenty\n",
        "1 2\n",
        "20000.5\n",
    ];
    for content in senseless {
        private(|host| {
            let phc = PhcWorld::new(host);
            phc.set_error_bound("500000\n");
            let mut daemon = phc.start();
            wait_for_bound(&phc.shm(), "the PHC's 500 us are in it", |ns| {
                ns >= 500 * US
            });
            let reader = Reader::start(&phc.shm(), &phc.world.truth);
            phc.set_error_bound(content);
            daemon.wait_for_log("phc");
            reader.wait_for(Status::FreeRunning);
            let held = Segment::settled(&phc.shm());
            assert!(
                held.bound_ns() >= 500 * US,
                "{content:?}: {}",
                held.bound_ns()
            );
            assert!(daemon.is_running(), "{content:?}");
            phc.set_error_bound("500000\n");
            reader.wait_for(Status::Synchronized);
            reader.finish().assert_flawless();
            assert_eq!(daemon.terminate().code, Some(0));
        });
    }
}

#[test]
fn a_file_that_disappears_is_waited_for() {
    private(|host| {
        let phc = PhcWorld::new(host);
        phc.set_error_bound("500000\n");
        let mut daemon = phc.start();
        wait_for_bound(&phc.shm(), "the PHC's 500 us are in it", |ns| {
            ns >= 500 * US
        });
        let reader = Reader::start(&phc.shm(), &phc.world.truth);
        for _ in 0..2 {
            fs::remove_file(&phc.error_bound).expect("take the file away");
            reader.wait_for(Status::FreeRunning);
            phc.set_error_bound("500000\n");
            reader.wait_for(Status::Synchronized);
        }
        assert!(daemon.is_running());
        reader.finish().assert_flawless();
    });
}

#[test]
fn nothing_is_claimed_while_the_error_bound_was_never_read() {
    private(|host| {
        let phc = PhcWorld::new(host);
        let mut daemon = phc.start();
        daemon.wait_for_log("phc_error_bound");
        let segment = Segment::wait_for_writes(&phc.shm(), 20);
        assert_eq!(segment.status(), Status::Unknown);
        assert!(daemon.is_running());
        phc.set_error_bound("20000\n");
        wait_for_bound(&phc.shm(), "synchronised with the PHC's bound", |ns| {
            ns >= 20 * US
        });
    });
}

#[test]
fn the_hardware_clock_counts_only_while_chronyd_follows_it() {
    private(|host| {
        let phc = PhcWorld::new(host);
        phc.set_error_bound("5000000\n");
        // chronyd's reference id is that of another source.
        let _daemon = phc
            .world
            .launch(BIN)
            .args(["-r", "PHC1", "-i", "eth0"])
            .start();
        wait_for_bound(&phc.shm(), "without the PHC's 5 ms", |ns| ns < 5_000 * US);
    });
}
