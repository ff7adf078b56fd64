//! The clocks, the boot, the time namespace and the VMClock page of a process.

use std::io;

use nix::errno::Errno;
use nix::time::ClockId;
use shm_layout::clock::try_clock_ns;
use shm_layout::counter;
use shm_layout::record::Identity;

use crate::error::Error;
use crate::vmclock::VmClock;

/// What a client needs to know of the process that it is in. The conformance tests simulate it.
pub(crate) trait Surroundings {
    /// Returns the reading of `clock`, ns.
    ///
    /// # Errors
    /// [`Error::Clock`].
    fn clock_ns(&self, clock: ClockId) -> Result<i64, Error>;

    /// Returns the boot and the time namespace.
    ///
    /// # Errors
    /// [`Error::TimeNamespace`].
    fn identity(&self) -> Result<Identity, Error>;

    /// Returns the counter of the processor.
    ///
    /// # Errors
    /// [`Error::Clock`] if a program cannot read it.
    fn counter(&self) -> Result<u64, Error>;

    /// Returns the disruption marker of the VMClock page.
    ///
    /// # Errors
    /// [`Error::VmClock`].
    fn disruption_marker(&self) -> Result<u64, Error>;
}

/// Returns the error of a processor whose counter a program cannot read.
pub(crate) fn no_counter() -> Error {
    Error::Clock(Errno::EOPNOTSUPP.into())
}

/// This process.
pub(crate) struct Host<'a> {
    pub(crate) vmclock: &'a VmClock,
}

impl Surroundings for Host<'_> {
    fn clock_ns(&self, clock: ClockId) -> Result<i64, Error> {
        try_clock_ns(clock).ok_or_else(|| Error::Clock(io::Error::last_os_error()))
    }

    fn identity(&self) -> Result<Identity, Error> {
        Ok(Identity::own()?)
    }

    fn counter(&self) -> Result<u64, Error> {
        counter::read().ok_or_else(no_counter)
    }

    fn disruption_marker(&self) -> Result<u64, Error> {
        self.vmclock.checked_marker()
    }
}
