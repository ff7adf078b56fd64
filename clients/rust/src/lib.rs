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

use std::io;
use std::path::Path;

use nix::time::{ClockId, clock_gettime};
use shm_layout::header::HeaderError;
use shm_layout::identity::Identity;
use shm_layout::native;
use shm_layout::reader::{NativeReader, ReadError, V1Reader};

pub use error::Error;
pub use interval::{
    Interval, NativeRecord, Reason, Record, Status, interval_at, native_interval_at,
};

/// The directory that the daemon publishes in, unless told otherwise.
pub const DEFAULT_DIRECTORY: &str = "/var/run/clockbound";

/// The v1 segment's name in it.
const V1_FILE_NAME: &str = "shm";

/// A handle on the daemon's segment: one is enough for all threads of a process.
#[derive(Debug)]
pub struct Client {
    segment: Segment,
}

/// The layouts, each with how far the clocks of the segment's instants are ahead of ours, ns.
#[derive(Debug)]
enum Segment {
    Native { reader: NativeReader, ahead_ns: i64 },
    V1 { reader: V1Reader, ahead_ns: i64 },
}

impl Client {
    /// Opens what the daemon publishes in [`DEFAULT_DIRECTORY`].
    ///
    /// # Errors
    /// As [`open_at`](Self::open_at).
    pub fn open() -> Result<Self, Error> {
        Self::open_at(DEFAULT_DIRECTORY)
    }

    /// Opens what is published at `path`: a segment of any layout, or a directory, in which the native layout is
    /// taken, then v1.
    ///
    /// # Errors
    /// [`Error::Open`] when there is none, or what is there is not a segment of a known layout;
    /// [`Error::EarlierBoot`] and [`Error::TimeNamespace`].
    pub fn open_at(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        if path.is_dir() {
            let v1 = path.join(V1_FILE_NAME);
            return match open_native(&path.join(native::FILE_NAME)) {
                Err(Error::Open { source, .. }) if is_for_others(&source) => open_v1(&v1),
                native => native,
            };
        }
        match open_native(path) {
            Err(Error::Open {
                source: ReadError::Header(HeaderError::Magic(_)),
                ..
            }) => open_v1(path),
            native => native,
        }
    }

    /// The interval that contains true time now, if its status is trusted.
    ///
    /// # Errors
    /// [`Error::Read`] when the segment holds nonsense, [`Error::Causality`] when it is from the future,
    /// [`Error::Clock`] when the kernel lacks a clock.
    #[inline]
    pub fn now(&self) -> Result<Interval, Error> {
        match &self.segment {
            Segment::Native { reader, ahead_ns } => {
                let record = reader.snapshot().map_err(Error::Read)?;
                let raw_ns = read_ns(ClockId::CLOCK_MONOTONIC_RAW)?;
                native_interval_at(&record, raw_ns.saturating_add(*ahead_ns))
            }
            Segment::V1 { reader, ahead_ns } => {
                let record = reader.snapshot().map_err(Error::Read)?;
                // In this order: time that passes between the two readings only widens the interval.
                let realtime_ns = read_ns(ClockId::CLOCK_REALTIME)?;
                let monotonic_ns = read_ns(ClockId::CLOCK_MONOTONIC_COARSE)?;
                interval_at(&record, realtime_ns, monotonic_ns.saturating_add(*ahead_ns))
            }
        }
    }
}

/// A native segment that is not there, or of a version to come, leaves the others.
fn is_for_others(source: &ReadError) -> bool {
    match source {
        ReadError::Io(err) => err.kind() == io::ErrorKind::NotFound,
        ReadError::Header(HeaderError::Version { .. }) => true,
        _ => false,
    }
}

fn open_native(path: &Path) -> Result<Client, Error> {
    let reader = NativeReader::open(path).map_err(|source| open_error(path, source))?;
    let (own, segments) = (Identity::own()?, reader.identity());
    if own.is_known() && own.boot_id != segments.boot_id {
        let path = path.to_owned();
        return Err(Error::EarlierBoot { path });
    }
    let ahead_ns = segments
        .namespace_offset_ns
        .saturating_sub(own.namespace_offset_ns);
    let segment = Segment::Native { reader, ahead_ns };
    Ok(Client { segment })
}

/// v1 does not say which time namespace its instants are of: the initial one, where daemons live.
fn open_v1(path: &Path) -> Result<Client, Error> {
    let reader = V1Reader::open(path).map_err(|source| open_error(path, source))?;
    let ahead_ns = Identity::own().map_or(0, |own| own.namespace_offset_ns.saturating_neg());
    let segment = Segment::V1 { reader, ahead_ns };
    Ok(Client { segment })
}

fn open_error(path: &Path, source: ReadError) -> Error {
    let path = path.to_owned();
    Error::Open { path, source }
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
