//! A reader that checks every interval, as a client program would see it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::layout::{Layout, Read};
use super::reading::{Reading, Status};
use super::segment::Segment;
use crate::host::background::Background;
use crate::host::wait;
use crate::time::truth::Truth;

const BETWEEN_READS: Duration = Duration::from_micros(200);
// The file is checked less often than the interval, since a check takes three system calls.
const READS_PER_CHECK: u64 = 16;
const KEPT_DETAILS: usize = 8;

/// What a [`Reader`] has observed.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    /// The statuses in the order of changes.
    pub statuses: Vec<Status>,
    /// Calls of the client library that returned an error.
    pub errors: u64,
    /// Intervals whose lower end is after their upper end.
    pub inverted: u64,
    /// Trusted intervals that do not contain true time.
    pub violations: u64,
    /// Steps back of the generation.
    pub backward: u64,
    /// Inodes of the files at the segment's path.
    pub inodes: BTreeSet<u64>,
    /// Descriptions of the first few faults.
    pub details: Vec<String>,
}

impl Observations {
    /// Panics unless every read returned a valid interval that contains true time if it is trusted.
    #[track_caller]
    pub fn assert_valid(&self) {
        let flaws = self.errors + self.inverted + self.violations + self.backward;
        assert!(
            flaws == 0 && self.inodes.len() <= 1,
            "invalid reads: {self:#?}"
        );
    }

    /// Panics like [`Observations::assert_valid`], and unless the status never changed.
    #[track_caller]
    pub fn assert_valid_with_one_status(&self) {
        self.assert_valid();
        assert_eq!(self.statuses.len(), 1, "the status changed: {self:#?}");
    }

    fn add_detail(&mut self, what: impl fmt::Display) {
        if self.details.len() < KEPT_DETAILS {
            self.details.push(what.to_string());
        }
    }

    fn record_status(&mut self, status: Status) {
        if self.statuses.last() != Some(&status) {
            self.statuses.push(status);
        }
    }

    fn check(&mut self, reading: &Reading, before_ns: i64, after_ns: i64) {
        if reading.earliest_ns > reading.latest_ns {
            self.inverted += 1;
            self.add_detail(format_args!("inverted: {reading:?}"));
        }
        let trusted = matches!(reading.status, Status::Synchronized | Status::FreeRunning);
        if trusted && (reading.earliest_ns > after_ns || reading.latest_ns < before_ns) {
            self.violations += 1;
            self.add_detail(format_args!(
                "true time was {before_ns}..{after_ns}: {reading:?}"
            ));
        }
    }
}

/// A thread that reads several thousand times a second.
#[derive(Debug)]
pub struct Reader {
    reads: Arc<AtomicU64>,
    seen: Arc<Mutex<Observations>>,
    thread: Background<()>,
}

impl Reader {
    /// Reads the v1 segment at `path` and the native one in its directory; the status is that of
    /// v1.
    pub fn start(path: &Path, truth: &Truth) -> Reader {
        let own = path.to_owned();
        Reader::of_all(path, truth, move || {
            [Layout::V1, Layout::NATIVE]
                .map(|layout| (layout.open)(&own).expect("open the layout"))
                .into()
        })
    }

    /// Reads this layout in the directory of the v1 segment at `path`.
    pub fn of(layout: Layout, path: &Path, truth: &Truth) -> Reader {
        let own = path.to_owned();
        Reader::of_all(path, truth, move || {
            vec![(layout.open)(&own).expect("open the layout")]
        })
    }

    fn of_all(
        path: &Path,
        truth: &Truth,
        open: impl FnOnce() -> Vec<Read> + Send + 'static,
    ) -> Reader {
        let reads = Arc::<AtomicU64>::default();
        let seen = Arc::<Mutex<Observations>>::default();
        let thread = {
            let (reads, seen) = (Arc::clone(&reads), Arc::clone(&seen));
            let (path, truth) = (path.to_owned(), truth.clone());
            Background::start(move |stop| read(open(), &path, &truth, &reads, &seen, stop))
        };
        let reader = Reader {
            reads,
            seen,
            thread,
        };
        reader.wait_for_reads(1);
        reader
    }

    /// Number of reads so far.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Waits for `count` more reads.
    #[track_caller]
    pub fn wait_for_reads(&self, count: u64) {
        let goal = self.reads() + count;
        wait::until(wait::PATIENCE, "the reader reads", || self.reads() >= goal);
    }

    /// Waits until the last status is `status`.
    #[track_caller]
    pub fn wait_for(&self, status: Status) {
        let what = format!("the reader reads {status:?}");
        wait::until(wait::PATIENCE, &what, || {
            self.seen().statuses.last() == Some(&status)
        });
    }

    /// The observations so far.
    ///
    /// # Panics
    /// If the reader has panicked.
    pub fn seen(&self) -> MutexGuard<'_, Observations> {
        self.seen.lock().expect("the reader has not panicked")
    }

    /// Stops it; returns the observations.
    ///
    /// # Panics
    /// If the reader has panicked.
    pub fn finish(self) -> Observations {
        self.thread.finish();
        let seen = self.seen.lock().expect("the reader has not panicked");
        seen.clone()
    }
}

fn read(
    mut layouts: Vec<Read>,
    path: &Path,
    truth: &Truth,
    reads: &AtomicU64,
    seen: &Mutex<Observations>,
    stop: &AtomicBool,
) {
    let mut generation = None;
    while !stop.load(Ordering::Relaxed) {
        for (layout, now) in layouts.iter_mut().enumerate() {
            let before_ns = truth.now_ns();
            let reading = now();
            let after_ns = truth.now_ns();
            let mut seen = seen.lock().expect("seen");
            match reading {
                Ok(reading) => {
                    seen.check(&reading, before_ns, after_ns);
                    if layout == 0 {
                        seen.record_status(reading.status);
                    }
                }
                Err(err) => {
                    seen.errors += 1;
                    seen.add_detail(err);
                }
            }
        }
        let count = reads.fetch_add(1, Ordering::Relaxed);
        if count.is_multiple_of(READS_PER_CHECK) {
            check_file(path, &mut generation, &mut seen.lock().expect("seen"));
        }
        thread::sleep(BETWEEN_READS);
    }
}

fn check_file(path: &Path, last: &mut Option<u16>, seen: &mut Observations) {
    let Ok(segment) = Segment::read(path) else {
        return;
    };
    seen.inodes.insert(segment.inode);
    if !segment.is_valid() {
        return;
    }
    let now = segment.generation();
    // The generation wraps: a step back is a step forward by more than half its range.
    if last.is_some_and(|last| now.wrapping_sub(last) > u16::MAX / 2) {
        seen.backward += 1;
        seen.add_detail(format_args!("generation {last:?} -> {now}"));
    }
    *last = Some(now);
}
