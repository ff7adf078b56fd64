//! What time is it, and how wrong can that be? Read from clockbound's shared memory.
//!
//! ```no_run
//! use std::time::{Duration, SystemTime};
//!
//! use clockbound_client::Client;
//!
//! // One for the whole process. It waits for the daemon, and follows it through restarts.
//! let client = Client::open_when_ready(Duration::from_secs(10), None)?;
//! let interval = client.now()?;
//! if interval.status().is_trusted() {
//!     println!("true time is in {} .. {} ns", interval.earliest_ns(), interval.latest_ns());
//! }
//! // Once this returns, the timestamp lies in everybody's past.
//! client.commit_wait(interval.latest())?;
//! # Ok::<(), clockbound_client::Error>(())
//! ```
//! A [`Client`] is `Send + Sync`; [`Client::now`] takes `&self`, no lock, and allocates nothing. It goes on
//! working while the daemon is down, restarted or killed: the interval then grows, and its status says so.
//!
//! ```text
//!   Client  -->  Location (which file)  -->  Segment (a layout's reader, the clocks)  -->  Interval (arithmetic)
//! ```

#![forbid(unsafe_code)]

mod client;
mod error;
#[doc(hidden)]
pub mod given;
mod interval;
mod location;
mod segment;

pub use client::{Client, Timed};
pub use error::Error;
pub use interval::{
    Interval, NativeRecord, Reason, Record, Status, V2Record, interval_at, native_interval_at,
    v2_interval_at,
};

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The causes that [`Error::Open`] and [`Error::Read`] carry.
pub mod read_error {
    pub use shm_layout::layout::header::HeaderError;
    pub use shm_layout::reader::ReadError;
    pub use shm_layout::record::RecordError;
}

/// The directory that the daemon publishes in, unless told otherwise.
pub const DEFAULT_DIRECTORY: &str = "/var/run/clockbound";
