//! The handle that a program holds.

use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::time::ClockId;

use crate::DEFAULT_DIRECTORY;
use crate::error::Error;
use crate::interval::{Interval, ns_since_1970};
use crate::location::Location;
use crate::segment::{Segment, clock_ns};

/// A record this old is no reason for worry, but for a look whether there is another file by now, ns.
const LOOK_AGE_NS: i64 = 50_000_000;

/// The time from one look to the next, ns.
const LOOK_INTERVAL_NS: u64 = 50_000_000;

/// How often a program that waits for the daemon tries.
const TRY_INTERVAL: Duration = Duration::from_millis(5);

/// A sleep may last this much longer than was asked for; the rest is spent spinning.
const SLEEP_SLACK: Duration = Duration::from_micros(100);

/// A handle on the daemon's segment: one is enough for all threads of a process.
///
/// [`now`](Self::now) takes no lock and allocates nothing. When the record is no longer fresh it looks, at
/// most twenty times a second and in one thread, whether there is another file at the path, and follows it.
#[derive(Debug)]
pub struct Client {
    location: Location,
    /// The segment that was opened, which a daemon's restart leaves in place.
    first: Segment,
    /// All others that were ever followed: somebody may still be reading an old one.
    others: boxcar::Vec<Segment>,
    /// Which one is read: 0 for the first, otherwise one more than its index among the others.
    current: AtomicUsize,
    /// When the path was looked at last, on the clock of the layout that was read, ns.
    looked_ns: AtomicI64,
}

/// A call, and the time before and after it.
#[derive(Debug)]
pub struct Timed<T> {
    /// What the call returned.
    pub value: T,
    /// The interval just before the call.
    pub began: Result<Interval, Error>,
    /// The interval just after it.
    pub ended: Result<Interval, Error>,
}

impl Client {
    /// Opens what the daemon publishes in [`DEFAULT_DIRECTORY`].
    ///
    /// # Errors
    /// As [`open_at`](Self::open_at).
    pub fn open() -> Result<Self, Error> {
        Self::open_at(DEFAULT_DIRECTORY)
    }

    /// Opens what is published at `path`: a segment of any layout, or a directory, in which the first of
    /// `native`, `shm0` (v2) and `shm` (v1) that is there is taken.
    ///
    /// # Errors
    /// [`Error::Open`] when there is none, or what is there is not a segment of a known layout;
    /// [`Error::EarlierBoot`] and [`Error::TimeNamespace`].
    pub fn open_at(path: impl AsRef<Path>) -> Result<Self, Error> {
        let location = Location::new(path.as_ref());
        Ok(Self {
            first: location.open()?,
            location,
            others: boxcar::Vec::new(),
            current: AtomicUsize::new(0),
            looked_ns: AtomicI64::new(0),
        })
    }

    /// Waits until the daemon publishes in [`DEFAULT_DIRECTORY`] an interval that can be relied on, no wider than
    /// `max_bound` if there is one.
    ///
    /// # Errors
    /// [`Error::NotReady`] after `timeout`, with what was in the way last.
    pub fn open_when_ready(timeout: Duration, max_bound: Option<Duration>) -> Result<Self, Error> {
        Self::open_when_ready_at(DEFAULT_DIRECTORY, timeout, max_bound)
    }

    /// As [`open_when_ready`](Self::open_when_ready), at a path as for [`open_at`](Self::open_at).
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
                Ok(client) => match client.now().and_then(|now| is_ready(&now, max_bound)) {
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
            thread::sleep(TRY_INTERVAL.min(timeout - waited));
        }
    }

    /// The interval that contains true time now, if its status is trusted.
    ///
    /// # Errors
    /// [`Error::Read`] when the segment holds nonsense, [`Error::Causality`] when it is from the future,
    /// [`Error::Clock`] when the kernel lacks a clock.
    #[inline(always)]
    pub fn now(&self) -> Result<Interval, Error> {
        match self.glance() {
            Some(interval) => Ok(interval),
            // Not returned as it is: the common case would then go through the memory that this one needs.
            None => match self.look() {
                Ok(interval) => Ok(interval),
                Err(err) => Err(err),
            },
        }
    }

    /// The interval now, if nothing is in the way and it is not time to look for another file: nearly always.
    #[inline(always)] // Its result would go through memory otherwise, which takes longer than making it.
    fn glance(&self) -> Option<Interval> {
        let aged = self.segment().glance()?;
        let is_fresh = aged.age_ns < LOOK_AGE_NS || !self.is_time_to_look(aged.at_ns);
        is_fresh.then_some(aged.interval)
    }

    /// The interval now, from another file at the path if there is one. One thread looks in each interval.
    #[cold]
    fn look(&self) -> Result<Interval, Error> {
        let known = self.segment().now();
        let now_ns = match &known {
            Ok(aged) => aged.at_ns,
            Err(_) => clock_ns(ClockId::CLOCK_MONOTONIC_COARSE)?,
        };
        let looked_ns = self.looked_ns.load(Ordering::Relaxed);
        let is_first = self.is_time_to_look(now_ns)
            && self
                .looked_ns
                .compare_exchange(looked_ns, now_ns, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        let is_stale = !matches!(&known, Ok(aged) if aged.age_ns < LOOK_AGE_NS);
        if is_first
            && is_stale
            && let Some(segment) = self.location.open_other(self.segment().file)
        {
            let index = self.others.push(segment);
            self.current.store(index + 1, Ordering::Release);
            return Ok(self.segment().now()?.interval);
        }
        Ok(known?.interval)
    }

    /// The interval that contained true time when `CLOCK_MONOTONIC_RAW` showed `monotonic_raw_ns` in this process,
    /// for an instant that is not too long ago.
    ///
    /// # Errors
    /// Those of [`now`](Self::now), [`Error::NotNative`] and [`Error::TooLongAgo`].
    pub fn interval_at(&self, monotonic_raw_ns: i64) -> Result<Interval, Error> {
        self.segment().interval_at(monotonic_raw_ns)
    }

    /// Returns when `t` has certainly passed: sleeps, and spins for the last moments. A timestamp that is
    /// exposed after this is in the past for everybody.
    ///
    /// # Errors
    /// Those of [`now`](Self::now), and [`Error::Untrusted`] as soon as the interval claims nothing.
    pub fn commit_wait(&self, t: SystemTime) -> Result<Interval, Error> {
        self.commit_wait_ns(ns_since_1970(t))
    }

    /// As [`commit_wait`](Self::commit_wait), for a time in ns of UTC since 1970.
    ///
    /// # Errors
    /// As [`commit_wait`](Self::commit_wait).
    pub fn commit_wait_ns(&self, t_ns: i64) -> Result<Interval, Error> {
        loop {
            let interval = self.now()?;
            is_trusted(&interval)?;
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

    /// Calls `f`, and tells the time just before and just after.
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
            // The index came from a push.
            current => &self.others[current - 1],
        }
    }

    /// Whether the path was not looked at lately. Two layouts' clocks may differ; then it is looked at once too often.
    #[inline]
    fn is_time_to_look(&self, now_ns: i64) -> bool {
        let looked_ns = self.looked_ns.load(Ordering::Relaxed);
        now_ns.wrapping_sub(looked_ns).unsigned_abs() >= LOOK_INTERVAL_NS
    }
}

fn is_trusted(interval: &Interval) -> Result<(), Error> {
    let (status, reason) = (interval.status(), interval.reason());
    if status.is_trusted() {
        Ok(())
    } else {
        Err(Error::Untrusted { status, reason })
    }
}

fn is_ready(interval: &Interval, max_bound: Option<Duration>) -> Result<(), Error> {
    is_trusted(interval)?;
    match max_bound.filter(|&max_bound| interval.bound() > max_bound) {
        Some(max_bound) => Err(Error::TooWide {
            bound: interval.bound(),
            max_bound,
        }),
        None => Ok(()),
    }
}

// One handle for all threads of a process is the promise.
const _: () = {
    const fn shareable<T: Send + Sync>() {}
    shareable::<Client>();
};
