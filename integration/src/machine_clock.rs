//! CLOCK_REALTIME of this machine, disturbed for a while and put back.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_settime};

use crate::kernel_clock::{Rate, rate, set_rate};
use crate::truth::clock_ns;

/// What reading two clocks one after the other may make of nothing, ns.
const NOISE_NS: i64 = 50_000;

/// The right to disturb the machine's clock, which one holder has at a time; dropped, it puts the clock back.
#[derive(Debug)]
pub struct MachineClock {
    rate: Rate,
    began_raw_ns: i64,
    began_realtime_ns: i64,
    _alone: Flock<File>,
}

/// As long as it is held, nobody disturbs the clock of this machine through a [`MachineClock`].
#[derive(Debug)]
pub struct Undisturbed {
    _shared: Flock<File>,
}

impl Undisturbed {
    /// Waits until nobody disturbs the clock.
    ///
    /// # Panics
    /// If the lock file cannot be used.
    pub fn wait() -> Undisturbed {
        Undisturbed {
            _shared: lock(FlockArg::LockShared),
        }
    }
}

impl MachineClock {
    /// Waits until nobody else disturbs the clock or relies on it.
    ///
    /// # Errors
    /// When this process may not set it.
    ///
    /// # Panics
    /// If the lock file cannot be used.
    pub fn take() -> io::Result<MachineClock> {
        let alone = lock(FlockArg::LockExclusive);
        let rate = rate()?;
        // Changes nothing, but needs the right to.
        set_rate(rate)?;
        Ok(MachineClock {
            rate,
            began_raw_ns: clock_ns(ClockId::CLOCK_MONOTONIC_RAW),
            began_realtime_ns: clock_ns(ClockId::CLOCK_REALTIME),
            _alone: alone,
        })
    }

    /// Sets the clock forwards (backwards, when negative).
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn step(&self, by_ns: i64) {
        set_realtime(by_ns).expect("set the clock");
    }

    /// Lets the clock run faster than it did before by so many parts per billion (slower, when negative).
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn run_off(&self, ppb: i64) {
        set_rate(self.rate.faster_by(ppb)).expect("change the clock's frequency");
    }

    /// How far CLOCK_REALTIME is ahead of where it would be undisturbed, ns.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a test's time times a few ppm"
    )]
    pub fn displaced_by_ns(&self) -> i64 {
        let elapsed_ns = clock_ns(ClockId::CLOCK_MONOTONIC_RAW) - self.began_raw_ns;
        let adjusted_ns = elapsed_ns as f64 * self.rate.ppb() as f64 / 1e9;
        let undisturbed_ns = self.began_realtime_ns + elapsed_ns + adjusted_ns as i64;
        clock_ns(ClockId::CLOCK_REALTIME) - undisturbed_ns
    }
}

impl Drop for MachineClock {
    fn drop(&mut self) {
        // Both had worked before, and a panic here would hide what the test found.
        let _ = set_rate(self.rate);
        let displaced_ns = self.displaced_by_ns();
        if displaced_ns.abs() > NOISE_NS {
            let _ = set_realtime(-displaced_ns);
        }
    }
}

fn lock(how: FlockArg) -> Flock<File> {
    let path = std::env::temp_dir().join("clockbound-test-machine-clock.lock");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).mode(0o666).open(path);
    let file = file.expect("make the lock file");
    Flock::lock(file, how)
        .map_err(|(_, err)| err)
        .expect("lock the machine's clock")
}

fn set_realtime(by_ns: i64) -> nix::Result<()> {
    let new_ns = clock_ns(ClockId::CLOCK_REALTIME) + by_ns;
    let since_1970 = Duration::from_nanos(new_ns.unsigned_abs());
    clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::from_duration(since_1970))
}
