//! What can go wrong, and what to do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use shm_layout::reader::ReadError;
use shm_layout::record::IdentityError;
use thiserror::Error;

use crate::interval::{Reason, Status};

/// Why there is no interval.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The segment cannot be opened: the daemon has not run yet, or publishes elsewhere. Try again
    /// later, or give its path.
    #[error("segment {}: {source}; is clockbound running, and does it publish here?", path.display())]
    Open {
        /// The segment's path.
        path: PathBuf,
        /// What was wrong.
        source: ReadError,
    },
    /// The segment was written before the machine was booted: the daemon has not run since. Try again later.
    #[error("segment {} is of an earlier boot; is clockbound running?", path.display())]
    EarlierBoot {
        /// The segment's path.
        path: PathBuf,
    },
    /// This process cannot say which time namespace it lives in, and so not what the segment's instants mean to it.
    #[error(transparent)]
    TimeNamespace(#[from] IdentityError),
    /// No trusted interval, or none that is narrow enough, came in time. The cause is what was in the way last.
    #[error("no interval that can be relied on within {waited:?}: {cause}")]
    NotReady {
        /// How long it was waited for.
        waited: Duration,
        /// What was in the way last.
        cause: Box<Error>,
    },
    /// The interval claims nothing, so nothing can be said about a time. The reason tells the operator where to look.
    #[error("the clock status is {status}, {reason}")]
    Untrusted {
        /// The status.
        status: Status,
        /// Its reason.
        reason: Reason,
    },
    /// The interval is wider than was asked for. Wait for chronyd to get better, or ask for less.
    #[error("the bound is {bound:?}, wider than {max_bound:?}")]
    TooWide {
        /// How wrong the midpoint can be.
        bound: Duration,
        /// What was asked for.
        max_bound: Duration,
    },
    /// The segment cannot be read now: its writer died in the middle of its very first write, or it is not the
    /// daemon that wrote there. A (re)started daemon puts it right.
    #[error("the segment cannot be read: {0}")]
    Read(#[source] ReadError),
    /// The record is from the future of this process's monotonic clock: the v1 or v2 segment comes from
    /// another boot, or the daemon lives in a time namespace.
    #[error(
        "the record is {ahead_ns} ns ahead of the monotonic clock: another boot, or the daemon's time namespace"
    )]
    Causality {
        /// How far ahead, in nanoseconds.
        ahead_ns: i64,
    },
    /// Only the native layout can say what the time was at another instant. Let the daemon publish it.
    #[error("the segment is not of the native layout, which alone knows other instants than now")]
    NotNative,
    /// The instant is too far before the record to say what the time was then. Ask sooner.
    #[error("the instant is {before_ns} ns before the record, too long ago")]
    TooLongAgo {
        /// How far before, in nanoseconds.
        before_ns: i64,
    },
    /// The kernel refused to read a clock.
    #[error("the clock cannot be read: {0}")]
    Clock(#[source] io::Error),
}
