//! A virtual CLOCK_REALTIME that programs under test step and discipline in place of the machine's.
//!
//! Built on the crates `virtual-clock` and `virtual-clock-preload`. Cargo builds the latter's
//! library as a dependency of this package, beside the test programs or in the directory `deps`
//! beside the others.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::time::ClockId;
use virtual_clock::{STATE_VARIABLE, SharedClock, State};

use super::sandbox::Sandbox;
use crate::time::clock::clock_ns;

const LIBRARY: &str = "libvirtual_clock_preload.so";
const PRELOAD_VARIABLE: &str = "LD_PRELOAD";

/// The rate of CLOCK_REALTIME relative to the hardware, as adjtimex(2) sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Length of a tick of 10 ms, microseconds.
    pub tick: i64,
    /// Frequency offset, parts per million with 16 fractional bits.
    pub freq: i64,
}

impl Default for Rate {
    /// The rate of the hardware.
    fn default() -> Rate {
        Rate {
            tick: 10_000,
            freq: 0,
        }
    }
}

impl Rate {
    /// The hardware's rate plus `ppm`, up to 500.
    #[must_use]
    pub fn of_ppm(ppm: i64) -> Rate {
        Rate {
            freq: ppm * 65_536,
            ..Rate::default()
        }
    }

    /// The offset from the hardware's rate, ppm, rounded towards 0.
    pub fn ppm(self) -> i64 {
        (self.tick - Rate::default().tick) * 100 + self.freq / 65_536
    }

    /// This rate plus `ppb`, in steps of 100 ppm, by the tick.
    #[must_use]
    pub fn faster_by(self, ppb: i64) -> Rate {
        Rate {
            tick: self.tick + ppb / 100_000,
            ..self
        }
    }
}

/// The environment variables that make a program use a virtual clock.
#[derive(Clone, Debug)]
pub struct Environment {
    state: PathBuf,
    library: PathBuf,
}

impl Environment {
    /// Makes the program of `command` use the clock, and the programs that it starts.
    pub fn apply_to(&self, command: &mut Command) {
        command
            .env(STATE_VARIABLE, &self.state)
            .env(PRELOAD_VARIABLE, &self.library);
    }
}

/// A virtual clock that several processes can share.
#[derive(Debug)]
pub struct VirtualClock {
    clock: SharedClock,
    environment: Environment,
}

impl VirtualClock {
    /// A clock with the machine's time.
    ///
    /// # Panics
    /// If the library is not built, or the sandbox cannot be written to.
    pub fn new(sandbox: &Sandbox) -> VirtualClock {
        let state = sandbox.path("virtual-clock");
        // chronyd's account may be unable to enter the build directory.
        let library = sandbox.path(LIBRARY);
        fs::copy(built_library(), &library).expect("copy the library");
        fs::set_permissions(&library, Permissions::from_mode(0o755)).expect("make it readable");
        let now_ns = clock_ns(ClockId::CLOCK_REALTIME);
        VirtualClock {
            clock: SharedClock::create(&state, now_ns).expect("make the clock's file"),
            environment: Environment { state, library },
        }
    }

    /// The virtual clock that this process uses, if any.
    ///
    /// # Panics
    /// If the clock's file cannot be used, or the library is not loaded.
    pub fn of_this_process() -> Option<VirtualClock> {
        let state: PathBuf = env::var_os(STATE_VARIABLE)?.into();
        let library: PathBuf = env::var_os(PRELOAD_VARIABLE)
            .expect("the library is to be loaded")
            .into();
        let maps = fs::read_to_string("/proc/self/maps").expect("readable");
        assert!(maps.contains(LIBRARY), "{library:?} is not loaded");
        Some(VirtualClock {
            clock: SharedClock::open(&state).expect("open the clock's file"),
            environment: Environment { state, library },
        })
    }

    /// The environment that makes a program use it.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Its time, ns since 1970.
    pub fn now_ns(&self) -> i64 {
        self.clock.now_ns()
    }

    /// The clock and its discipline.
    pub fn state(&self) -> State {
        self.clock.state()
    }

    /// Number of steps so far, by programs and leap seconds.
    pub fn steps(&self) -> i64 {
        let now_ns = clock_ns(ClockId::CLOCK_MONOTONIC_RAW);
        self.clock.state().sets_at(now_ns)
    }

    /// Sets it, in ns since 1970.
    ///
    /// # Panics
    /// If its file cannot be locked.
    pub fn set(&self, realtime_ns: i64) {
        let set = |state: &mut State, raw_ns| state.set(raw_ns, realtime_ns);
        self.clock.update(set).expect("set the clock");
    }

    /// Steps it forwards; backwards, when negative.
    ///
    /// # Panics
    /// If its file cannot be locked.
    pub fn step(&self, by_ns: i64) {
        self.clock.step(by_ns).expect("step the clock");
    }

    /// Replaces the status bits of adjtimex(2); STA_INS requests a leap second.
    ///
    /// # Panics
    /// If its file cannot be locked.
    pub fn set_status(&self, status: i32) {
        let set = |state: &mut State, raw_ns| state.set_status(raw_ns, status);
        self.clock.update(set).expect("change the clock");
    }

    /// Its rate.
    pub fn rate(&self) -> Rate {
        let State { tick, freq, .. } = self.clock.state();
        Rate { tick, freq }
    }

    /// Changes its rate.
    ///
    /// # Panics
    /// If its file cannot be locked, or adjtimex(2) does not permit the rate.
    pub fn set_rate(&self, Rate { tick, freq }: Rate) {
        let set = |state: &mut State, raw_ns| state.set_rate(raw_ns, tick, freq);
        let set = self.clock.update(set).expect("change the clock");
        set.expect("a possible rate");
    }
}

fn built_library() -> PathBuf {
    let program = env::current_exe().expect("a path");
    let beside = program.parent().expect("a directory");
    let places: [&Path; 2] = [beside, &beside.join("deps")];
    places
        .iter()
        .map(|place| place.join(LIBRARY))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{LIBRARY} is not in any of {places:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_a_hundred_parts_per_million() {
        let rate = Rate::of_ppm(1).faster_by(8_000_000);
        assert_eq!((rate.tick, rate.freq), (10_080, 65_536));
        assert_eq!(rate.ppm(), 8_001);
        assert_eq!(rate.faster_by(-8_000_000), Rate::of_ppm(1));
    }
}
