//! The clocks, the boot and the time namespace of a process.

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
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
        let time = clock_gettime(clock).map_err(|errno| Error::Clock(errno.into()))?;
        Ok(ns_of(time))
    }

    fn identity(&self) -> Result<Identity, Error> {
        Ok(Identity::own()?)
    }
}

/// Returns the reading of `clock` in this process, ns, or `None` for an error.
#[inline]
pub(crate) fn try_clock_ns(clock: ClockId) -> Option<i64> {
    clock_gettime(clock).ok().map(ns_of)
}

#[inline]
fn ns_of(time: TimeSpec) -> i64 {
    // No clock reads a time after 2262.
    time.tv_sec()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec())
}
