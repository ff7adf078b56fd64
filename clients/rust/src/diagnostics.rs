//! What the daemon knows beside the interval: why it is so wide, from which sources, since when.
//!
//! [`read`] needs no privileges and no chronyc.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use shm_layout::reader::ReadError;
use shm_layout::record::{IdentityError, STALE_AFTER_NS};
use shm_layout::{ClockStatus as Status, Reason};
use thiserror::Error;

pub use shm_layout::diagnostics::{
    ACTORS, BUDGET_TERMS, Counters, DiagnosticsRecord, MAX_SOURCES, SEGMENTS, Settings, Source,
    SourceAddress, SourceState,
};

/// The diagnostics, as they are at the present.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Diagnostics {
    /// The record, as the daemon wrote it, with instants of this process's clocks.
    pub record: DiagnosticsRecord,
    /// The age of the record.
    pub age: Duration,
    /// The status at the present: a record that the daemon does not renew becomes free running, and
    /// then unknown.
    pub status: Status,
    /// The reason of this status.
    pub reason: Reason,
    /// `CLOCK_MONOTONIC_RAW` at which it was read, ns.
    pub now_ns: i64,
    /// `CLOCK_REALTIME` at which it was read, ns since 1970.
    pub realtime_now_ns: i64,
}

impl Diagnostics {
    /// Returns the diagnostics of a record when `CLOCK_MONOTONIC_RAW` reads `now_ns` and
    /// `CLOCK_REALTIME` reads `realtime_now_ns`, ns. Only tests need it besides [`read`].
    #[must_use]
    pub fn at(record: DiagnosticsRecord, now_ns: i64, realtime_now_ns: i64) -> Self {
        let age_ns = now_ns.saturating_sub(record.as_of_ns).max(0);
        let (status, reason) = match record.status {
            Status::Synchronized | Status::FreeRunning if now_ns >= record.void_after_ns => {
                (Status::Unknown, Reason::HoldoverExpired)
            }
            Status::Synchronized if age_ns >= STALE_AFTER_NS => {
                (Status::FreeRunning, Reason::DaemonSilent)
            }
            status => (status, record.reason),
        };
        Self {
            record,
            age: Duration::from_nanos(age_ns.unsigned_abs()),
            status,
            reason,
            now_ns,
            realtime_now_ns,
        }
    }
}

/// The reason why no diagnostics are returned.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DiagnosticsError {
    /// The file cannot be read: the daemon has not run yet, publishes in another directory, or is
    /// older than 0.3.
    #[error("failed to read {}: {source}; is clockbound running, and does it publish here?", path.display())]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// The cause.
        source: ReadError,
    },
    /// The file was written before the current boot.
    #[error("{} is from an earlier boot; is clockbound running?", path.display())]
    EarlierBoot {
        /// The path of the file.
        path: PathBuf,
    },
    /// The time namespace of this process cannot be determined.
    #[error(transparent)]
    TimeNamespace(#[from] IdentityError),
    /// A clock cannot be read.
    #[error("failed to read a clock: {0}")]
    Clock(io::Error),
}

/// Reads the diagnostics of the daemon that publishes at `path`: the file, or its directory.
///
/// # Errors
/// [`DiagnosticsError`].
pub fn read(path: &Path) -> Result<Diagnostics, DiagnosticsError> {
    Err(DiagnosticsError::Read {
        path: path.to_owned(),
        source: ReadError::NotInitialized,
    })
}
