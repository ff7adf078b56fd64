//! Reads an interval that contains true time from clockbound's shared memory. By default a client
//! is neither async-signal-safe nor usable under a seccomp filter that forbids opening files (see
//! [`OpenOptions::follow`]).
//!
//! ```no_run
//! use std::time::{Duration, SystemTime};
//!
//! use clockbound_client::Client;
//!
//! // One client per process is enough. It follows the daemon through restarts.
//! let client = Client::open_when_ready(Duration::from_secs(10), None)?;
//! let interval = client.now()?;
//! if interval.status().is_trusted() {
//!     println!("true time is in {} .. {} ns", interval.earliest_ns(), interval.latest_ns());
//! }
//! // After this call the timestamp is in the past on every host.
//! client.commit_wait(interval.latest())?;
//! # Ok::<(), clockbound_client::Error>(())
//! ```
//!
//! [`Client`] is `Send + Sync`. [`Client::now`] takes `&self` and no lock, allocates nothing, and
//! makes no system call while the daemon publishes on time. It works while the daemon is stopped,
//! restarted or killed: the interval grows meanwhile, and its status changes to
//! [`Status::FreeRunning`] and then to [`Status::Unknown`]. Use an interval only while its status
//! is trusted ([`Status::is_trusted`]).
//!
//! On a virtual machine with a VMClock device, every read compares the device's disruption marker
//! with that of the record, after it has read the clock. After a restore from a snapshot or a live
//! migration the status is therefore [`Status::Disrupted`] from the first read on, until the daemon
//! has new measurements.
//!
//! ```text
//!   Client  -->  Location     -->  Segment, Places   -->  Snapshot       -->  Interval
//!   (handle)     (which file)      (layout reader)        (one record)        (arithmetic)
//! ```

#![forbid(unsafe_code)]

mod client;
#[doc(hidden)]
pub mod conformance;
pub mod diagnostics;
mod error;
mod interval;
mod location;
mod options;
mod segment;
mod snapshot;
mod surroundings;
mod vmclock;

pub use client::{Client, Timed};
pub use error::Error;
pub use interval::{
    Interval, InvertedInterval, NativeRecord, Reason, Record, Status, V2Record, V3Record,
    interval_at, native_interval_at, v2_interval_at, v3_interval_at,
};
pub use location::DEFAULT_DIRECTORY;
pub use options::OpenOptions;
pub use shm_layout::Leap;
pub use shm_layout::native::StampError;
pub use shm_layout::vmclock::DEFAULT_PATH as DEFAULT_VMCLOCK;
pub use snapshot::{Layout, RecordDetails};

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The causes of [`Error::Open`], [`Error::Read`] and [`Error::VmClock`].
pub mod read_error {
    pub use shm_layout::layout::header::HeaderError;
    pub use shm_layout::reader::ReadError;
    pub use shm_layout::record::{IdentityError, RecordError};
    pub use shm_layout::vmclock::VmClockError;
}
