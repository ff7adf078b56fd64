//! The clocks, the boot and the time namespace of a process.

use std::io;

use nix::time::ClockId;
use shm_layout::clock::try_clock_ns;
use shm_layout::record::Identity;

use crate::error::Error;

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
}

/// This process.
pub(crate) struct Host;

impl Surroundings for Host {
    fn clock_ns(&self, clock: ClockId) -> Result<i64, Error> {
        try_clock_ns(clock).ok_or_else(|| Error::Clock(io::Error::last_os_error()))
    }

    fn identity(&self) -> Result<Identity, Error> {
        Ok(Identity::own()?)
    }
}
