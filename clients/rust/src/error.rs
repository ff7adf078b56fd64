//! The errors of this library, each with its remedy.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use shm_layout::native::StampError;
use shm_layout::reader::ReadError;
use shm_layout::record::IdentityError;
use shm_layout::vmclock::VmClockError;
use shm_layout::{ClockStatus as Status, Reason};
use thiserror::Error;

/// The reason why no interval is returned.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The segment cannot be opened: the daemon has not run yet, or publishes in another directory.
    /// Try again later, or pass the path of the segment.
    #[error(
        "failed to open segment {}: {source}; is clockbound running, and does it publish here?",
        path.display()
    )]
    Open {
        /// The path of the segment.
        path: PathBuf,
        /// The cause.
        source: ReadError,
    },
    /// The segment was written before the current boot: the daemon has not run since. Try again
    /// later.
    #[error("segment {} is from an earlier boot; is clockbound running?", path.display())]
    EarlierBoot {
        /// The path of the segment.
        path: PathBuf,
    },
    /// The time namespace of this process cannot be determined, so the instants in the segment
    /// cannot be compared with the clocks of this process. Mount `/proc`.
    #[error(transparent)]
    TimeNamespace(#[from] IdentityError),
    /// The record holds only while the VMClock page has its disruption marker, and this process
    /// cannot read that page. Provide the device to this process, readable.
    #[error(
        "the record requires the VMClock page {}: {source}; may this process read the device?",
        path.display()
    )]
    VmClock {
        /// The path of the page.
        path: Arc<Path>,
        /// Why it was not opened together with the client.
        source: Arc<VmClockError>,
    },
    /// No trusted interval, or none that is narrow enough, was published before the timeout.
    #[error("no trusted interval within {waited:?}: {cause}")]
    NotReady {
        /// The time waited.
        waited: Duration,
        /// The error of the last attempt.
        #[source]
        cause: Box<Error>,
    },
    /// The clock status is not trusted, so the interval claims nothing. The reason and the daemon's
    /// log contain the cause.
    #[error("the clock status is {status}, {reason}")]
    Untrusted {
        /// The status.
        status: Status,
        /// The reason of the status.
        reason: Reason,
    },
    /// The clock error bound exceeds the requested maximum. Wait until it decreases, or request a
    /// larger maximum.
    #[error("the clock error bound {bound:?} exceeds {max_bound:?}")]
    TooWide {
        /// The clock error bound: half the width of the interval.
        bound: Duration,
        /// The requested maximum.
        max_bound: Duration,
    },
    /// The segment cannot be read: the first write into it was interrupted, or another program
    /// wrote to it. Restart the daemon, which repairs it.
    #[error("failed to read the segment: {0}")]
    Read(#[source] ReadError),
    /// A program wrote the record for a test, so the interval says nothing about the clock, and the
    /// client was opened with [`OpenOptions::refuse_simulated`](crate::OpenOptions::refuse_simulated).
    /// Start the daemon, or pass the path at which it publishes.
    #[error("the record is simulated: a program wrote it for a test")]
    Simulated,
    /// The record is ahead of the clock of this process that it refers to: the v1, v2 or v3 segment
    /// is from another boot, or the daemon runs in a time namespace.
    #[error(
        "the record is {ahead_ns} ns ahead of the monotonic clock: \
         it is from another boot or time namespace"
    )]
    Causality {
        /// The time from the clock reading to the record, ns.
        ahead_ns: i64,
    },
    /// The segment is not of the native layout, and only that layout has intervals of other
    /// instants than the present. Configure the daemon to publish it.
    #[error("the segment is not of the native layout")]
    NotNative,
    /// The instant is before the first one for which the record has an interval: the clock was
    /// disrupted or the machine suspended since, or it is too long ago. Request the interval sooner
    /// after the instant.
    #[error("the instant is {before_ns} ns before the first for which the record has an interval")]
    TooLongAgo {
        /// The time from the instant to the first one for which the record has an interval, ns.
        before_ns: i64,
    },
    /// The reading of `CLOCK_REALTIME` cannot be converted to an instant. Request the interval
    /// sooner after the reading, or take time stamps of `CLOCK_MONOTONIC_RAW`.
    #[error(transparent)]
    Stamp(#[from] StampError),
    /// The time has not certainly passed within the timeout.
    #[error("the time has not certainly passed within the timeout")]
    TimedOut,
    /// `clock_gettime` failed, or the segment is of the v3 layout and a program cannot read the
    /// counter of this processor.
    #[error("failed to read the clock: {0}")]
    Clock(#[source] io::Error),
}

impl Error {
    pub(crate) fn from_read(err: ReadError) -> Self {
        match err {
            ReadError::Simulated => Self::Simulated,
            err => Self::Read(err),
        }
    }

    /// Returns whether the segment has no interval of the requested instant, although it can be
    /// read.
    #[must_use]
    pub fn is_not_known(&self) -> bool {
        matches!(
            self,
            Self::NotNative | Self::TooLongAgo { .. } | Self::Stamp(_)
        )
    }
}
