//! What time is it, and how wrong can that be? Read from clockbound's shared memory.
//!
//! ```no_run
//! use clockbound_client::Client;
//!
//! let client = Client::open()?; // one for the whole process
//! let interval = client.now()?;
//! if interval.status().is_trusted() {
//!     println!("true time is in {} .. {} ns", interval.earliest_ns(), interval.latest_ns());
//! }
//! # Ok::<(), clockbound_client::Error>(())
//! ```
//! A [`Client`] is `Send + Sync`; [`Client::now`] takes `&self`, no lock, and allocates nothing. It goes on
//! working while the daemon is down, restarted or killed: the interval then grows, and its status says so.

#![forbid(unsafe_code)]

mod error;
mod interval;

use std::path::Path;

use nix::time::{ClockId, clock_gettime};
use shm_layout::reader::V1Reader;

pub use error::Error;
pub use interval::{Interval, Record, Status, interval_at};

/// Where the daemon publishes, unless told otherwise.
pub const DEFAULT_PATH: &str = "/var/run/clockbound/shm";

/// A handle on the daemon's segment: one is enough for all threads of a process.
#[derive(Debug)]
pub struct Client {
    segment: V1Reader,
}

impl Client {
    /// Opens the segment at [`DEFAULT_PATH`].
    ///
    /// # Errors
    /// As [`open_at`](Self::open_at).
    pub fn open() -> Result<Self, Error> {
        Self::open_at(DEFAULT_PATH)
    }

    /// Opens the segment at `path`.
    ///
    /// # Errors
    /// [`Error::Open`] when there is none, or what is there is not a segment of a known layout.
    pub fn open_at(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let segment = V1Reader::open(path).map_err(|source| Error::Open {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self { segment })
    }

    /// The interval that contains true time now, if its status is trusted.
    ///
    /// # Errors
    /// [`Error::Read`] when the segment holds nonsense, [`Error::Causality`] when it is from the future,
    /// [`Error::Clock`] when the kernel lacks a clock.
    pub fn now(&self) -> Result<Interval, Error> {
        let record = self.segment.snapshot().map_err(Error::Read)?;
        // In this order: time that passes between the two readings only widens the interval.
        let realtime_ns = read_ns(ClockId::CLOCK_REALTIME)?;
        let monotonic_ns = read_ns(ClockId::CLOCK_MONOTONIC_COARSE)?;
        interval_at(&record, realtime_ns, monotonic_ns)
    }
}

#[inline]
fn read_ns(clock: ClockId) -> Result<i64, Error> {
    let time = clock_gettime(clock).map_err(|errno| Error::Clock(errno.into()))?;
    Ok(time
        .tv_sec()
        .saturating_mul(1_000_000_000)
        .saturating_add(time.tv_nsec()))
}

// One handle for all threads of a process is the promise.
const _: () = {
    const fn shareable<T: Send + Sync>() {}
    shareable::<Client>();
};
