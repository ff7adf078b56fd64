//! The handle through which a program reads intervals.

use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::time::ClockId;
use shm_layout::memory::slot::Current;
use shm_layout::reader::ReadError;

use crate::error::Error;
use crate::interval::{Interval, ns_since_1970};
use crate::location::Location;
use crate::options::OpenOptions;
use crate::segment::{FileId, Places};
use crate::snapshot::{RecordDetails, Snapshot};
use crate::surroundings::{Host, Surroundings};
use crate::vmclock::VmClock;

/// The minimum time between two checks of the path, ns.
const PATH_CHECK_INTERVAL_NS: u64 = 50_000_000;

/// The time by which a sleep can overrun. [`Client::commit_wait`] spins for this long instead.
const SLEEP_SLACK: Duration = Duration::from_micros(100);

/// The longest sleep after which [`Client::commit_wait`] reads the interval again.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// A handle to the daemon's segment. One handle is enough for all threads of a process. By default
/// a client is neither async-signal-safe nor usable under a seccomp filter that forbids opening
/// files (see [`OpenOptions::follow`]).
///
/// By default a handle follows the daemon to another file: it opens and maps that file, and
/// allocates. A handle that was opened with [`OpenOptions::follow(false)`](OpenOptions::follow) is
/// async-signal-safe, and usable under such a filter.
///
/// [`now`](Self::now) takes no lock, allocates nothing, and makes no system call while the daemon
/// publishes on time. When a publication is overdue, or the segment cannot be read, it also checks
/// which file is at the path, and may read another one from then on. At most one thread checks the
/// path at a time, and at most twenty times a second. A handle maps at most two pages, however
/// often the file is replaced.
#[derive(Debug)]
pub struct Client {
    /// The number of the current one of `places`.
    current: Current,
    /// The instant of the last check of the path, on the clock of the layout that was read, ns.
    path_checked_ns: AtomicI64,
    places: Places,
    vmclock: VmClock,
    /// What is needed to change to another file; `None` if the handle does not follow.
    following: Option<Following>,
}

#[derive(Debug)]
struct Following {
    location: Location,
    /// The process in which a thread checks the path, or 0. A thread of the parent process does not
    /// continue after fork(2).
    process: AtomicU32,
    /// The file in the current place. Only the thread that checks the path uses it.
    device: AtomicU64,
    inode: AtomicU64,
}

/// The result of a call, with the intervals read before and after it.
#[derive(Debug)]
pub struct Timed<T> {
    /// The value that the call returned.
    pub value: T,
    /// The interval read immediately before the call. Its `earliest_ns` is not after the beginning
    /// of the call, if its status is trusted.
    pub began: Result<Interval, Error>,
    /// The interval read immediately after the call. Its `latest_ns` is not before the end of the
    /// call, if its status is trusted.
    pub ended: Result<Interval, Error>,
}

impl Client {
    /// Opens the segment that the daemon publishes in
    /// [`DEFAULT_DIRECTORY`](crate::DEFAULT_DIRECTORY).
    ///
    /// # Errors
    /// As [`OpenOptions::open`].
    pub fn open() -> Result<Self, Error> {
        OpenOptions::new().open()
    }

    /// Opens the segment at `path`, a file or a directory, as
    /// [`OpenOptions::path`](OpenOptions::path) describes.
    ///
    /// # Errors
    /// As [`OpenOptions::open`].
    pub fn open_at(path: impl AsRef<Path>) -> Result<Self, Error> {
        OpenOptions::new().path(path.as_ref()).open()
    }

    /// Waits until the daemon publishes a trusted interval in
    /// [`DEFAULT_DIRECTORY`](crate::DEFAULT_DIRECTORY). With `max_bound`, the clock error bound of
    /// that interval must not exceed it.
    ///
    /// # Errors
    /// [`Error::NotReady`] after `timeout`, with the error of the last attempt.
    pub fn open_when_ready(timeout: Duration, max_bound: Option<Duration>) -> Result<Self, Error> {
        OpenOptions::new().open_when_ready(timeout, max_bound)
    }

    /// Like [`open_when_ready`](Self::open_when_ready), for a `path` as in
    /// [`open_at`](Self::open_at).
    ///
    /// # Errors
    /// As [`open_when_ready`](Self::open_when_ready).
    pub fn open_when_ready_at(
        path: impl AsRef<Path>,
        timeout: Duration,
        max_bound: Option<Duration>,
    ) -> Result<Self, Error> {
        let options = OpenOptions::new().path(path.as_ref());
        options.open_when_ready(timeout, max_bound)
    }

    pub(crate) fn open_location(
        location: Location,
        vmclock: VmClock,
        follow: bool,
    ) -> Result<Self, Error> {
        let segment = location.open(&Host { vmclock: &vmclock })?;
        let FileId { device, inode } = segment.file;
        let map_error = |err| Error::Open {
            path: location.path().to_owned(),
            source: ReadError::Io(err),
        };
        let places = Places::new(location.refuse_simulated()).map_err(map_error)?;
        let current = Current::default();
        let put = current.replace(|number| places.put(segment, number));
        put.map_err(map_error)?;
        let following = follow.then(|| Following {
            location,
            process: AtomicU32::new(0),
            device: AtomicU64::new(device),
            inode: AtomicU64::new(inode),
        });
        let client = Self {
            current,
            path_checked_ns: AtomicI64::new(0),
            places,
            vmclock,
            following,
        };
        // The first read is as fast as all others. If the record is invalid, the next call returns
        // the error.
        match client.snapshot() {
            Ok(snapshot) => {
                snapshot.is_disrupted(&client.host())?;
            }
            Err(Error::Simulated) => return Err(Error::Simulated),
            Err(_) => {}
        }
        Ok(client)
    }

    /// Returns the interval at the present. It contains true time while its status is trusted.
    ///
    /// # Errors
    /// - [`Error::Read`] if the content of the segment is invalid.
    /// - [`Error::Simulated`] if a program simulates the record, and the client refuses that.
    /// - [`Error::Causality`] if the record is ahead of the clock that it refers to.
    /// - [`Error::Clock`] if `clock_gettime` fails.
    /// - [`Error::VmClock`] if the record requires the VMClock page, which could not be opened: the
    ///   daemon or its configuration has changed since the client was opened.
    ///
    /// The other errors of [`OpenOptions::open`] do not occur here: a file at the path that cannot
    /// be opened is ignored.
    #[inline(always)]
    pub fn now(&self) -> Result<Interval, Error> {
        match self.now_if_path_check_not_due() {
            Some(interval) => Ok(interval),
            // The result is matched and built anew. Returned as it is, it would make the common
            // case go through memory, too.
            None => match self.now_with_path_check() {
                Ok(interval) => Ok(interval),
                Err(err) => Err(err),
            },
        }
    }

    /// Returns the interval at the present: the common case. Returns `None` after an error, and
    /// when a check of the path is due.
    // Inlined, because passing the result through memory would take longer than computing it.
    #[inline(always)]
    fn now_if_path_check_not_due(&self) -> Option<Interval> {
        let number = self.current.begin_read();
        let is_still_here = || self.current.is_still(number);
        let reading = self.places.try_now(number, &self.vmclock, is_still_here)?;
        let is_returned = !reading.is_late || !self.is_path_check_due(reading.at_ns);
        is_returned.then_some(reading.interval)
    }

    #[cold]
    fn now_with_path_check(&self) -> Result<Interval, Error> {
        self.checked_snapshot()?.now(&self.host())
    }

    /// Returns this process, as far as the client uses it.
    fn host(&self) -> Host<'_> {
        Host {
            vmclock: &self.vmclock,
        }
    }

    /// Returns the interval at the instant at which `CLOCK_MONOTONIC_RAW` in this process reads
    /// `monotonic_raw_ns`. The instant can be in the past or in the future.
    ///
    /// # Errors
    /// - [`Error::Read`] if the content of the segment is invalid.
    /// - [`Error::NotNative`] if the segment is not of the native layout.
    /// - [`Error::TooLongAgo`] if the record has no interval of the instant, because the machine
    ///   was suspended or the clock disrupted since, a leap second was inserted, or the instant is
    ///   further before the record than the record is valid after it.
    /// - [`Error::VmClock`] as in [`now`](Self::now).
    pub fn interval_at(&self, monotonic_raw_ns: i64) -> Result<Interval, Error> {
        let snapshot = self.checked_snapshot()?;
        snapshot.interval_at(monotonic_raw_ns, &self.host())
    }

    /// Returns the interval at the instant at which `CLOCK_REALTIME` read `realtime_ns`, ns since
    /// 1970: a time stamp of a received packet (`SO_TIMESTAMPING`), of a file, or of a line of a
    /// log. The status is that of the present.
    ///
    /// The interval accounts for slewing, at any rate that the daemon saw. A stamp from before the
    /// clock was set is an error, and so is every stamp while the clock was set since the last
    /// publication. Premise: between that publication and this call the clock was not moved away
    /// and back.
    ///
    /// # Errors
    /// - [`Error::Read`] if the content of the segment is invalid.
    /// - [`Error::NotNative`] if the segment is not of the native layout.
    /// - [`Error::Stamp`] if the instant of the stamp is not known, or it is in the future.
    /// - [`Error::Causality`] if the record is ahead of the monotonic clock.
    /// - [`Error::Clock`] if `clock_gettime` fails.
    /// - [`Error::VmClock`] as in [`now`](Self::now).
    pub fn interval_at_realtime(&self, realtime_ns: i64) -> Result<Interval, Error> {
        let snapshot = self.checked_snapshot()?;
        snapshot.interval_at_realtime(realtime_ns, &self.host())
    }

    /// Returns the details of the record that is read: its layout, age, source and others.
    ///
    /// # Errors
    /// The errors of [`now`](Self::now).
    pub fn record(&self) -> Result<RecordDetails, Error> {
        self.checked_snapshot()?.details(&self.host())
    }

    /// Waits until `t` has certainly passed, and returns the interval that proves it. Sleeps, and
    /// spins for the last 100 us. A timestamp that is exposed after the wait is in the past on
    /// every host.
    ///
    /// # Errors
    /// The errors of [`now`](Self::now), and [`Error::Untrusted`] within 100 ms after the status
    /// has become one that is not trusted.
    pub fn commit_wait(&self, t: SystemTime) -> Result<Interval, Error> {
        self.commit_wait_ns(ns_since_1970(t))
    }

    /// Like [`commit_wait`](Self::commit_wait), for a time in ns of UTC since 1970.
    ///
    /// # Errors
    /// The errors of [`commit_wait`](Self::commit_wait).
    pub fn commit_wait_ns(&self, t_ns: i64) -> Result<Interval, Error> {
        self.wait_until(t_ns, None)
    }

    /// Like [`commit_wait`](Self::commit_wait), for at most `timeout`.
    ///
    /// # Errors
    /// The errors of [`commit_wait`](Self::commit_wait), and [`Error::TimedOut`] after `timeout`.
    pub fn commit_wait_timeout(&self, t: SystemTime, timeout: Duration) -> Result<Interval, Error> {
        self.commit_wait_timeout_ns(ns_since_1970(t), timeout)
    }

    /// Like [`commit_wait_timeout`](Self::commit_wait_timeout), for a time in ns of UTC since 1970.
    ///
    /// # Errors
    /// The errors of [`commit_wait_timeout`](Self::commit_wait_timeout).
    pub fn commit_wait_timeout_ns(&self, t_ns: i64, timeout: Duration) -> Result<Interval, Error> {
        // A timeout that no instant can represent never passes.
        self.wait_until(t_ns, Instant::now().checked_add(timeout))
    }

    fn wait_until(&self, t_ns: i64, deadline: Option<Instant>) -> Result<Interval, Error> {
        loop {
            let interval = self.now()?;
            check_trusted(&interval)?;
            if interval.is_after_ns(t_ns) {
                return Ok(interval);
            }
            let until_deadline = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => Duration::MAX,
            };
            if until_deadline.is_zero() {
                return Err(Error::TimedOut);
            }
            let left_ns = t_ns.saturating_sub(interval.earliest_ns());
            let left = Duration::from_nanos(left_ns.unsigned_abs()).min(until_deadline);
            match left.checked_sub(SLEEP_SLACK) {
                Some(sleep) => thread::sleep(sleep.min(LONGEST_SLEEP)),
                None => std::hint::spin_loop(),
            }
        }
    }

    /// Calls `f`, and reads the interval immediately before and immediately after it.
    ///
    /// ```no_run
    /// # let client = clockbound_client::Client::open()?;
    /// let timed = client.timing(|| std::fs::write("row", "committed"));
    /// timed.value.expect("written");
    /// println!("written between {} and {}", timed.began?, timed.ended?);
    /// # Ok::<(), clockbound_client::Error>(())
    /// ```
    pub fn timing<T>(&self, f: impl FnOnce() -> T) -> Timed<T> {
        let began = self.now();
        let value = f();
        let ended = self.now();
        Timed {
            value,
            began,
            ended,
        }
    }

    /// Returns the current record, after a check of the path if that is due.
    fn checked_snapshot(&self) -> Result<Snapshot, Error> {
        let snapshot = self.snapshot();
        match &self.following {
            Some(following) if self.is_check_begun(&snapshot)? && self.follow(following) => {
                self.snapshot()
            }
            _ => snapshot,
        }
    }

    /// Returns the current record.
    fn snapshot(&self) -> Result<Snapshot, Error> {
        loop {
            let number = self.current.begin_read();
            let snapshot = self.places.snapshot(number);
            if let Ok(snapshot) = &snapshot
                && self.following.is_some()
            {
                let late_age_ns = snapshot.late_age_ns();
                self.places.set_late_age_ns(number, late_age_ns);
            }
            if self.current.is_still(number) {
                return snapshot;
            }
        }
    }

    /// Returns whether the record is late or cannot be read, and this thread is the one that checks
    /// the path in this [`PATH_CHECK_INTERVAL_NS`].
    ///
    /// # Errors
    /// [`Error::Clock`].
    fn is_check_begun(&self, snapshot: &Result<Snapshot, Error>) -> Result<bool, Error> {
        let host = self.host();
        let now_ns = match snapshot {
            Ok(snapshot) => {
                let age_ns = snapshot.age_ns(&host)?;
                if snapshot.now(&host).is_ok() && age_ns < snapshot.late_age_ns() {
                    return Ok(false);
                }
                snapshot.as_of_ns().saturating_add(age_ns)
            }
            Err(_) => host.clock_ns(ClockId::CLOCK_MONOTONIC_COARSE)?,
        };
        let checked_ns = self.path_checked_ns.load(Ordering::Relaxed);
        Ok(self.is_path_check_due(now_ns)
            && self
                .path_checked_ns
                .compare_exchange(checked_ns, now_ns, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok())
    }

    /// Like [`follow`](Self::follow), for the conformance tests.
    pub(crate) fn follow_at_once(&self) -> bool {
        let following = self.following.as_ref();
        following.is_some_and(|following| self.follow(following))
    }

    /// Changes to another file at the path, if that is to be preferred. Returns whether it did.
    fn follow(&self, following: &Following) -> bool {
        let Some(_turn) = Turn::begin(&following.process) else {
            return false;
        };
        let current = FileId {
            device: following.device.load(Ordering::Relaxed),
            inode: following.inode.load(Ordering::Relaxed),
        };
        self.vmclock.open_if_missing();
        let host = self.host();
        let standing = self.snapshot().and_then(|it| it.standing(&host));
        let other = following.location.open_other(current, standing.ok(), &host);
        let Some(segment) = other else {
            return false;
        };
        let file = segment.file;
        let put = |number| self.places.put(segment, number);
        if self.current.replace(put).is_err() {
            return false;
        }
        following.device.store(file.device, Ordering::Relaxed);
        following.inode.store(file.inode, Ordering::Relaxed);
        true
    }

    /// Returns whether the last check of the path is at least [`PATH_CHECK_INTERVAL_NS`] ago. After
    /// a change between layouts with different clocks, the path is checked once more than
    /// necessary.
    #[inline]
    fn is_path_check_due(&self, now_ns: i64) -> bool {
        let checked_ns = self.path_checked_ns.load(Ordering::Relaxed);
        now_ns.wrapping_sub(checked_ns).unsigned_abs() >= PATH_CHECK_INTERVAL_NS
    }
}

/// The right to change to another file, which one thread of a process has at a time.
struct Turn<'a>(&'a AtomicU32);

impl<'a> Turn<'a> {
    fn begin(process: &'a AtomicU32) -> Option<Self> {
        let own = process::id();
        let holder = process.load(Ordering::Relaxed);
        let is_free = holder != own
            && process
                .compare_exchange(holder, own, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        is_free.then_some(Self(process))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

pub(crate) fn check_trusted(interval: &Interval) -> Result<(), Error> {
    let (status, reason) = (interval.status(), interval.reason());
    if status.is_trusted() {
        Ok(())
    } else {
        Err(Error::Untrusted { status, reason })
    }
}

// All threads of a process can share one handle.
const _: () = {
    const fn assert_shareable<T: Send + Sync>() {}
    assert_shareable::<Client>();
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_of_a_process_changes_the_file_also_after_a_fork() {
        let process = AtomicU32::new(0);
        let turn = Turn::begin(&process).expect("nobody else");
        assert!(Turn::begin(&process).is_none());
        drop(turn);
        // In the child process of a fork, the thread that held it does not exist.
        let parent = std::os::unix::process::parent_id();
        process.store(parent, Ordering::Relaxed);
        drop(Turn::begin(&process).expect("nobody in this process"));
        assert_eq!(process.load(Ordering::Relaxed), 0);
    }
}
