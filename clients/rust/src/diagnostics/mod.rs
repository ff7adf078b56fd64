//! What the daemon knows beside the interval: why it is so wide, from which sources, since when.
//!
//! [`read`] needs no privileges and no chronyc.

pub mod explain;
mod present;
#[doc(hidden)]
pub mod text;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::time::ClockId;
use shm_layout::clock::try_clock_ns;
use shm_layout::reader::{DiagnosticsReader, ReadError};
use shm_layout::record::{Identity, IdentityError};
use shm_layout::vmclock::{DEFAULT_PATH as DEFAULT_VMCLOCK, Page};
use shm_layout::{ClockStatus as Status, Reason};
use thiserror::Error;

use crate::interval::BLUR_NS;
pub use explain::{Statement, StatementKind, explain};
pub use present::PresentInterval;
#[doc(hidden)]
pub use present::half_width_ns;
pub use shm_layout::diagnostics::{
    ACTORS, BUDGET_TERMS, Counters, DiagnosticsRecord, FILE_NAME, MAX_SOURCES, SEGMENTS, Settings,
    Source, SourceAddress, SourceState,
};
pub use shm_layout::{Disruption, HostNotice, Leap};

/// The diagnostics, as they are at the present.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Diagnostics {
    /// The record, as the daemon wrote it, with instants of this process's clocks.
    pub record: DiagnosticsRecord,
    /// The age of the record.
    pub age: Duration,
    /// The status at the present: a record that the daemon does not renew becomes free running, and
    /// then unknown. It is disrupted if the VMClock page shows that the clock was disrupted since.
    pub status: Status,
    /// The reason of this status. That of a record that the daemon does not renew, see
    /// [`is_current`](Self::is_current), is [`Reason::DaemonSilent`] unless it is
    /// [`Reason::HoldoverExpired`], [`Reason::Retired`] or [`Reason::Disrupted`].
    pub reason: Reason,
    /// `CLOCK_MONOTONIC_RAW` at which it was read, ns.
    pub now_ns: i64,
    /// `CLOCK_REALTIME` at which it was read, ns since 1970.
    pub realtime_now_ns: i64,
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
    /// The record is ahead of `CLOCK_MONOTONIC_RAW`.
    #[error(
        "{} is {ahead_ns} ns ahead of the monotonic clock: it is from another boot or time \
         namespace",
        path.display()
    )]
    Ahead {
        /// The path of the file.
        path: PathBuf,
        /// The time from the clock reading to the record, ns.
        ahead_ns: i64,
    },
    /// The time namespace of this process cannot be determined.
    #[error(transparent)]
    TimeNamespace(#[from] IdentityError),
    /// A clock cannot be read.
    #[error("failed to read a clock: {0}")]
    Clock(io::Error),
}

/// Reads the diagnostics of the daemon that publishes at `path`: the file, or its directory. The
/// file is opened each time, so that a program follows a restart of the daemon.
///
/// The disruption marker of the record, if it has one, is compared with that of the page at
/// `/dev/vmclock0`. If that page cannot be opened, the status is that of the record while the daemon
/// renews it, because the daemon compares the marker itself, and disrupted afterwards.
///
/// # Errors
/// [`DiagnosticsError`].
pub fn read(path: &Path) -> Result<Diagnostics, DiagnosticsError> {
    read_with(path, Path::new(DEFAULT_VMCLOCK))
}

/// Like [`read`], with the VMClock page at `vmclock`.
///
/// # Errors
/// [`DiagnosticsError`].
pub fn read_with(path: &Path, vmclock: &Path) -> Result<Diagnostics, DiagnosticsError> {
    read_in(
        path,
        &Identity::own()?,
        |clock| {
            try_clock_ns(clock).ok_or_else(|| DiagnosticsError::Clock(io::Error::last_os_error()))
        },
        || Page::open(vmclock).ok().map(|page| page.marker()),
    )
}

/// Like [`read`], in a process of this identity, with these clocks and the VMClock page with this
/// disruption marker.
pub(crate) fn read_in(
    path: &Path,
    own: &Identity,
    clock_ns: impl Fn(ClockId) -> Result<i64, DiagnosticsError>,
    marker: impl FnOnce() -> Option<u64>,
) -> Result<Diagnostics, DiagnosticsError> {
    let path = &file_at(path);
    let failed = |source| DiagnosticsError::Read {
        path: path.clone(),
        source,
    };
    let reader = DiagnosticsReader::open(path).map_err(failed)?;
    let segments = reader.identity();
    if own.is_known() && own.boot_id != segments.boot_id {
        return Err(DiagnosticsError::EarlierBoot { path: path.clone() });
    }
    let ahead_ns = segments
        .namespace_offset_ns
        .saturating_sub(own.namespace_offset_ns);
    let record = reader.snapshot().map_err(failed)?.moved_back(ahead_ns);
    // After the record, so that its age is not negative.
    let diagnostics = Diagnostics::at(
        record,
        clock_ns(ClockId::CLOCK_MONOTONIC_RAW)?,
        clock_ns(ClockId::CLOCK_REALTIME)?,
    );
    let ahead_ns = (diagnostics.record.as_of_ns).saturating_sub(diagnostics.now_ns);
    if ahead_ns > BLUR_NS {
        let path = path.clone();
        return Err(DiagnosticsError::Ahead { path, ahead_ns });
    }
    // After the clocks, so that a disruption between them is seen.
    Ok(diagnostics.with_marker(marker))
}

/// The file of `path`, which is the file itself or its directory.
fn file_at(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join(FILE_NAME)
    } else {
        path.to_owned()
    }
}
