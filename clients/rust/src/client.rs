//! The handle through which a program reads intervals.

use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::time::ClockId;

use crate::error::Error;
use crate::interval::{Interval, ns_since_1970};
use crate::location::{DEFAULT_DIRECTORY, Location};
use crate::segment::{Segment, clock_ns};

/// The age of a record from which the path is checked for another file, ns. It is not an error.
const PATH_CHECK_AGE_NS: i64 = 50_000_000;

/// The minimum time between two checks of the path, ns.
const PATH_CHECK_INTERVAL_NS: u64 = 50_000_000;

/// The time between two attempts while a program waits for the daemon.
const RETRY_INTERVAL: Duration = Duration::from_millis(5);

/// The time by which a sleep can overrun. [`Client::commit_wait`] spins for this long instead.
const SLEEP_SLACK: Duration = Duration::from_micros(100);

/// A handle to the daemon's segment. One handle is enough for all threads of a process.
///
/// [`now`](Self::now) takes no lock and allocates nothing. When the record is older than 50 ms, it
/// also checks whether another file is at the path, and reads that file from then on. At most one
/// thread checks the path at a time, and at most twenty times a second.
#[derive(Debug)]
pub struct Client {
    location: Location,
    /// The segment opened first. A restart of the daemon does not replace its file.
    first: Segment,
    /// All segments opened later. None is dropped, because another thread can be reading it.
    others: boxcar::Vec<Segment>,
    /// The segment that is read: 0 for `first`, otherwise its index in `others` plus one.
    current: AtomicUsize,
    /// The instant of the last check of the path, on the clock of the layout that was read, ns.
    path_checked_ns: AtomicI64,
}

/// The result of a call, with the intervals read before and after it.
#[derive(Debug)]
pub struct Timed<T> {
    /// The value that the call returned.
    pub value: T,
    /// The interval read immediately before the call.
    pub began: Result<Interval, Error>,
    /// The interval read immediately after the call.
    pub ended: Result<Interval, Error>,
}

impl Client {
    /// Opens the segment that the daemon publishes in [`DEFAULT_DIRECTORY`].
    ///
    /// # Errors
    /// As [`open_at`](Self::open_at).
    pub fn open() -> Result<Self, Error> {
        Self::open_at(DEFAULT_DIRECTORY)
    }

    /// Opens the segment at `path`. If `path` is a directory, opens the first that exists of
    /// `native`, `shm0` (v2) and `shm` (v1) in it; otherwise opens a segment of any layout.
    ///
    /// # Errors
    /// - [`Error::Open`] if no segment exists, or the file is not a segment of a supported layout.
    /// - [`Error::EarlierBoot`] if the native segment was written before the current boot.
    /// - [`Error::TimeNamespace`] if the time namespace of this process cannot be determined.
    pub fn open_at(path: impl AsRef<Path>) -> Result<Self, Error> {
        let location = Location::new(path.as_ref());
        Ok(Self {
            first: location.open()?,
            location,
            others: boxcar::Vec::new(),
            current: AtomicUsize::new(0),
            path_checked_ns: AtomicI64::new(0),
        })
    }

    /// Waits until the daemon publishes a trusted interval in [`DEFAULT_DIRECTORY`]. With
    /// `max_bound`, the clock error bound of that interval must not exceed it.
    ///
    /// # Errors
    /// [`Error::NotReady`] after `timeout`, with the error of the last attempt.
    pub fn open_when_ready(timeout: Duration, max_bound: Option<Duration>) -> Result<Self, Error> {
        Self::open_when_ready_at(DEFAULT_DIRECTORY, timeout, max_bound)
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
        let begun = Instant::now();
        let mut opened = None;
        loop {
            let attempt = opened
                .take()
                .map_or_else(|| Self::open_at(path.as_ref()), Ok);
            let cause = match attempt {
                Ok(client) => match client.now().and_then(|now| check_ready(&now, max_bound)) {
                    Ok(()) => return Ok(client),
                    Err(cause) => {
                        opened = Some(client);
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

    /// Returns the interval at the present. It contains true time while its status is trusted.
    ///
    /// # Errors
    /// - [`Error::Read`] if the content of the segment is invalid.
    /// - [`Error::Causality`] if the record is ahead of the monotonic clock.
    /// - [`Error::Clock`] if `clock_gettime` fails.
    ///
    /// The errors of [`open_at`](Self::open_at) do not occur here: a file at the path that cannot
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
        let reading = self.segment().try_now()?;
        let is_recent =
            reading.age_ns < PATH_CHECK_AGE_NS || !self.is_path_check_due(reading.at_ns);
        is_recent.then_some(reading.interval)
    }

    /// Returns the interval at the present, from another file at the path if there is one. One
    /// thread checks the path in each [`PATH_CHECK_INTERVAL_NS`].
    #[cold]
    fn now_with_path_check(&self) -> Result<Interval, Error> {
        let reading = self.segment().now();
        let now_ns = match &reading {
            Ok(reading) => reading.at_ns,
            Err(_) => clock_ns(ClockId::CLOCK_MONOTONIC_COARSE)?,
        };
        let checked_ns = self.path_checked_ns.load(Ordering::Relaxed);
        let is_checked_here = self.is_path_check_due(now_ns)
            && self
                .path_checked_ns
                .compare_exchange(checked_ns, now_ns, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        let is_recent = matches!(&reading, Ok(reading) if reading.age_ns < PATH_CHECK_AGE_NS);
        if is_checked_here
            && !is_recent
            && let Some(segment) = self.location.open_other(self.segment().file)
        {
            let index = self.others.push(segment);
            self.current.store(index + 1, Ordering::Release);
            return Ok(self.segment().now()?.interval);
        }
        Ok(reading?.interval)
    }

    /// Returns the interval at the instant at which `CLOCK_MONOTONIC_RAW` in this process reads
    /// `monotonic_raw_ns`. The instant can be in the past or in the future.
    ///
    /// # Errors
    /// - [`Error::Read`] if the content of the segment is invalid.
    /// - [`Error::NotNative`] if the segment is not of the native layout.
    /// - [`Error::TooLongAgo`] if the instant is further before the record than the record is valid
    ///   after it.
    pub fn interval_at(&self, monotonic_raw_ns: i64) -> Result<Interval, Error> {
        self.segment().interval_at(monotonic_raw_ns)
    }

    /// Waits until `t` has certainly passed, and returns the interval that proves it. Sleeps, and
    /// spins for the last 100 us. A timestamp that is exposed after the wait is in the past on
    /// every host.
    ///
    /// # Errors
    /// The errors of [`now`](Self::now), and [`Error::Untrusted`] as soon as the status is not
    /// trusted.
    pub fn commit_wait(&self, t: SystemTime) -> Result<Interval, Error> {
        self.commit_wait_ns(ns_since_1970(t))
    }

    /// Like [`commit_wait`](Self::commit_wait), for a time in ns of UTC since 1970.
    ///
    /// # Errors
    /// The errors of [`commit_wait`](Self::commit_wait).
    pub fn commit_wait_ns(&self, t_ns: i64) -> Result<Interval, Error> {
        loop {
            let interval = self.now()?;
            check_trusted(&interval)?;
            if interval.is_after_ns(t_ns) {
                return Ok(interval);
            }
            let left_ns = t_ns.saturating_sub(interval.earliest_ns());
            let left = Duration::from_nanos(left_ns.unsigned_abs());
            match left.checked_sub(SLEEP_SLACK) {
                Some(sleep) => thread::sleep(sleep),
                None => std::hint::spin_loop(),
            }
        }
    }

    /// Calls `f`, and reads the interval immediately before and immediately after it.
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

    #[inline]
    fn segment(&self) -> &Segment {
        match self.current.load(Ordering::Acquire) {
            0 => &self.first,
            // The index was returned by `push`.
            current => &self.others[current - 1],
        }
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

fn check_trusted(interval: &Interval) -> Result<(), Error> {
    let (status, reason) = (interval.status(), interval.reason());
    if status.is_trusted() {
        Ok(())
    } else {
        Err(Error::Untrusted { status, reason })
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

// All threads of a process can share one handle.
const _: () = {
    const fn assert_shareable<T: Send + Sync>() {}
    assert_shareable::<Client>();
};
