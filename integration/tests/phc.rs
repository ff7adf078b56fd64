//! A PTP hardware clock: its error bound is part of the published bound, or the status is not
//! Synchronized.

use std::path::{Path, PathBuf};

use integration::fakes::phc::{PHC_OPTIONS, PHC0, Phc};
use integration::host::namespace::{Private, private};
use integration::host::sandbox::Sandbox;
use integration::observe::reader::Reader;
use integration::observe::reading::Status;
use integration::observe::segment::Segment;
use integration::programs::daemon::Daemon;
use integration::setup::testbed::Testbed;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");
const US: i64 = 1_000;

/// A synchronised chronyd on a machine with a hardware clock.
struct PhcTestbed {
    phc: Phc,
    testbed: Testbed,
    _sys: Sandbox,
}

impl PhcTestbed {
    fn new(host: &Private) -> PhcTestbed {
        let sys = Sandbox::new();
        let phc = Phc::new(host, &sys);
        PhcTestbed {
            phc,
            testbed: Testbed::served_at(PHC0, 0),
            _sys: sys,
        }
    }

    fn set_error_bound(&self, content: &str) {
        self.phc.set_error_bound(content);
    }

    fn start(&self) -> Daemon {
        self.testbed.launch(BIN).args(PHC_OPTIONS).start()
    }

    fn shm(&self) -> PathBuf {
        self.testbed.shm()
    }
}

fn wait_for_bound(shm: &Path, what: &str, cond: impl Fn(i64) -> bool) {
    Segment::wait_for(shm, what, |segment| {
        segment.status() == Status::Synchronized && cond(segment.bound_ns())
    });
}

#[test]
fn the_bound_includes_that_of_the_hardware_clock() {
    private(|host| {
        let phc = PhcTestbed::new(host);
        phc.set_error_bound("3000000\n");
        let daemon = phc.start();
        wait_for_bound(&phc.shm(), "the PHC's 3 ms are included", |ns| {
            ns >= 3_000 * US
        });
        let reader = Reader::start(&phc.shm(), &phc.testbed.truth);
        phc.set_error_bound("20000\n");
        wait_for_bound(&phc.shm(), "the PHC's 3 ms are replaced", |ns| {
            ns < 3_000 * US
        });
        reader.finish().assert_valid_with_one_status();
        assert_eq!(daemon.count_log("failed to read the phc error bound"), 0);
    });
}

#[test]
fn an_invalid_error_bound_is_logged_and_not_taken_for_zero() {
    let invalid = [
        "",
        "\n",
        "0\n",
        "-1000000\n",
        "9223372036854775807\n",
        "twenty\n",
        "1 2\n",
        "20000.5\n",
    ];
    for content in invalid {
        private(|host| {
            let phc = PhcTestbed::new(host);
            phc.set_error_bound("500000\n");
            let mut daemon = phc.start();
            wait_for_bound(&phc.shm(), "the PHC's 500 us are included", |ns| {
                ns >= 500 * US
            });
            let reader = Reader::start(&phc.shm(), &phc.testbed.truth);
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
            reader.finish().assert_valid();
            assert_eq!(daemon.terminate().code, Some(0));
        });
    }
}

#[test]
fn a_removed_error_bound_makes_the_clock_free_running_until_it_is_back() {
    private(|host| {
        let phc = PhcTestbed::new(host);
        phc.set_error_bound("500000\n");
        let mut daemon = phc.start();
        wait_for_bound(&phc.shm(), "the PHC's 500 us are included", |ns| {
            ns >= 500 * US
        });
        let reader = Reader::start(&phc.shm(), &phc.testbed.truth);
        for _ in 0..2 {
            phc.phc.remove_error_bound();
            reader.wait_for(Status::FreeRunning);
            phc.set_error_bound("500000\n");
            reader.wait_for(Status::Synchronized);
        }
        assert!(daemon.is_running());
        reader.finish().assert_valid();
    });
}

#[test]
fn the_status_is_unknown_until_the_error_bound_is_read() {
    private(|host| {
        let phc = PhcTestbed::new(host);
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
fn the_error_bound_is_ignored_while_chronyd_uses_another_source() {
    private(|host| {
        let phc = PhcTestbed::new(host);
        phc.set_error_bound("5000000\n");
        // chronyd's reference id differs.
        let _daemon = phc
            .testbed
            .launch(BIN)
            .args(["-r", "PHC1", "-i", "eth0"])
            .start();
        wait_for_bound(&phc.shm(), "without the PHC's 5 ms", |ns| ns < 5_000 * US);
    });
}
