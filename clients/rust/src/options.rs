//! How a segment is opened.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use shm_layout::vmclock::DEFAULT_PATH as DEFAULT_VMCLOCK;

use crate::client::{Client, check_trusted};
use crate::error::Error;
use crate::interval::Interval;
use crate::location::{DEFAULT_DIRECTORY, Location};
use crate::vmclock::VmClock;

/// The time between two attempts while a program waits for the daemon.
const RETRY_INTERVAL: Duration = Duration::from_millis(5);

/// How a segment is opened.
///
/// ```no_run
/// use clockbound_client::OpenOptions;
///
/// // A client for a signal handler, or for a process that is about to enter a sandbox.
/// let client = OpenOptions::new().path("/run/clockbound").follow(false).open()?;
/// # Ok::<(), clockbound_client::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct OpenOptions {
    path: PathBuf,
    vmclock: PathBuf,
    follow: bool,
    refuse_simulated: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            path: DEFAULT_DIRECTORY.into(),
            vmclock: DEFAULT_VMCLOCK.into(),
            follow: true,
            refuse_simulated: false,
        }
    }
}

impl OpenOptions {
    /// Returns the defaults: [`DEFAULT_DIRECTORY`], followed, with the page of
    /// [`DEFAULT_VMCLOCK`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the path: a file, or a directory. A relative path is made absolute when it is opened.
    ///
    /// In a directory, the client reads one of the files `native`, `shm0` (v2), `shm` (v1) and
    /// `shm1` (v3). It skips those that it cannot open. It prefers a segment that a daemon has
    /// published in the last 5 s and not retired, then one whose status is trusted, then the order
    /// above.
    pub fn path(mut self, path: impl AsRef<Path>) -> Self {
        path.as_ref().clone_into(&mut self.path);
        self
    }

    /// Sets the path of the VMClock page (default: [`DEFAULT_VMCLOCK`]). A record with disruption
    /// support requires it; others do not. The page is mapped when the client is opened. If it
    /// cannot be opened then, a client that follows tries again when a record requires it.
    pub fn vmclock(mut self, path: impl AsRef<Path>) -> Self {
        path.as_ref().clone_into(&mut self.vmclock);
        self
    }

    /// Sets whether the client follows the daemon to another file at the path (default: `true`).
    ///
    /// With `false`, the client reads the file that it opened for ever. After it was opened, it
    /// never looks at the path, allocates nothing, takes no lock, and makes no system call, except
    /// [`commit_wait`](Client::commit_wait), which sleeps, and except for reading a clock where the
    /// vDSO does not provide it. [`now`](Client::now), [`interval_at`](Client::interval_at),
    /// [`interval_at_realtime`](Client::interval_at_realtime) and [`record`](Client::record) are
    /// then async-signal-safe, and work under a seccomp filter that permits no system call. (The
    /// strict mode of seccomp(2) also forbids reading the counter of the processor, and so every
    /// clock.) When the daemon is restarted it continues to use the same file. If the file is
    /// replaced, because it was deleted or damaged, the interval grows, and its status becomes
    /// unknown.
    pub fn follow(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }

    /// Sets whether a record that a program simulates is an error, [`Error::Simulated`] (default:
    /// `false`). Programs that simulate the daemon for tests mark their records. A service that must
    /// never run on such time sets this. In a directory, the client then skips such segments if
    /// there is another one.
    pub fn refuse_simulated(mut self, refuse_simulated: bool) -> Self {
        self.refuse_simulated = refuse_simulated;
        self
    }

    /// Opens the segment.
    ///
    /// # Errors
    /// In a directory, the error is that of the first file that exists:
    /// - [`Error::Open`] if no segment exists, or the file is not a segment of a supported layout.
    /// - [`Error::EarlierBoot`] if the native segment was written before the current boot.
    /// - [`Error::TimeNamespace`] if the time namespace of this process cannot be determined, which
    ///   only the native layout needs.
    /// - [`Error::VmClock`] if the record requires the VMClock page, and that cannot be opened.
    /// - [`Error::Simulated`] if a program simulates the record, and the client refuses that.
    pub fn open(&self) -> Result<Client, Error> {
        let vmclock = VmClock::open(&self.vmclock);
        let location = Location::new(&self.path, self.refuse_simulated)?;
        Client::open_location(location, vmclock, self.follow)
    }

    /// Opens the segment when a trusted interval is published. With `max_bound`, the clock error
    /// bound of that interval must not exceed it.
    ///
    /// # Errors
    /// [`Error::NotReady`] after `timeout`, with the error of the last attempt.
    pub fn open_when_ready(
        &self,
        timeout: Duration,
        max_bound: Option<Duration>,
    ) -> Result<Client, Error> {
        let begun = Instant::now();
        let mut opened = None;
        loop {
            let cause = match opened.take().map_or_else(|| self.open(), Ok) {
                Ok(client) => match client.now().and_then(|now| check_ready(&now, max_bound)) {
                    Ok(()) => return Ok(client),
                    Err(cause) => {
                        // A client that does not follow is opened anew.
                        opened = self.follow.then_some(client);
                        cause
                    }
                },
                Err(cause) => cause,
            };
            let waited = begun.elapsed();
            if waited >= timeout {
                let cause = Box::new(cause);
                return Err(Error::NotReady { waited, cause });
            }
            thread::sleep(RETRY_INTERVAL.min(timeout - waited));
        }
    }
}

fn check_ready(interval: &Interval, max_bound: Option<Duration>) -> Result<(), Error> {
    check_trusted(interval)?;
    match max_bound.filter(|&max_bound| interval.bound() > max_bound) {
        Some(max_bound) => Err(Error::TooWide {
            bound: interval.bound(),
            max_bound,
        }),
        None => Ok(()),
    }
}
