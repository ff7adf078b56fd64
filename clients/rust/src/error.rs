//! What can go wrong, and what to do about it.

use std::io;
use std::path::PathBuf;

use shm_layout::identity::IdentityError;
use shm_layout::reader::ReadError;
use thiserror::Error;

/// Why there is no interval.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The segment cannot be opened: the daemon has not run yet, or publishes elsewhere. Try again
    /// later, or give its `--shm-path`.
    #[error("segment {}: {source}; is clockbound running, and is this its --shm-path?", path.display())]
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
    /// The segment cannot be read now: its writer died in the middle of its very first write, or it is not the
    /// daemon that wrote there. A (re)started daemon puts it right.
    #[error("the segment cannot be read: {0}")]
    Read(#[source] ReadError),
    /// The record is from the future of this process's monotonic clock: the v1 segment comes from
    /// another boot, or the daemon lives in a time namespace.
    #[error(
        "the record is {ahead_ns} ns ahead of the monotonic clock: another boot, or the daemon's time namespace"
    )]
    Causality {
        /// How far ahead, in nanoseconds.
        ahead_ns: i64,
    },
    /// The kernel refused to read a clock.
    #[error("the clock cannot be read: {0}")]
    Clock(#[source] io::Error),
}
