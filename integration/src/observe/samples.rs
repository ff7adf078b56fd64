//! The thread that compares each published layout with true time.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::layout::{Layout, Read};
use super::reading::{Reading, Status};
use crate::host::background::Background;
use crate::host::wait;
use crate::time::truth::Truth;

const SAMPLE_INTERVAL: Duration = Duration::from_millis(5);
const KEPT_DETAILS: usize = 8;

/// An interval relative to true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The instant of the read, since the scenario began.
    pub at: Duration,
    /// The clock status.
    pub status: Status,
    /// Its lower end less true time, ns; negative in a correct interval.
    pub earliest_ns: i64,
    /// Its upper end less true time, ns; positive in a correct interval.
    pub latest_ns: i64,
}

impl Sample {
    /// Half the width, ns.
    pub fn bound_ns(&self) -> i64 {
        (self.latest_ns - self.earliest_ns) / 2
    }

    /// The middle less true time, ns.
    pub fn error_ns(&self) -> i64 {
        self.latest_ns.midpoint(self.earliest_ns)
    }

    /// Whether the status is one of an interval that contains true time.
    pub fn is_trusted(&self) -> bool {
        matches!(self.status, Status::Synchronized | Status::FreeRunning)
    }
}

/// The samples of a layout.
#[derive(Clone, Debug)]
pub struct LayoutSamples {
    /// The layout.
    pub layout: Layout,
    /// Every sample, in order.
    pub samples: Vec<Sample>,
    /// The instants of trusted intervals without true time and of inverted intervals, in order.
    pub violations: Vec<Duration>,
    /// Calls of the client library that returned an error.
    pub errors: u64,
    /// Descriptions of the first few violations and errors.
    pub details: Vec<String>,
}

impl LayoutSamples {
    /// No samples yet.
    pub fn of(layout: &Layout) -> LayoutSamples {
        LayoutSamples {
            layout: *layout,
            samples: Vec::new(),
            violations: Vec::new(),
            errors: 0,
            details: Vec::new(),
        }
    }

    /// Reads the layout once and compares it with true time.
    pub fn take(&mut self, read: &mut Read, truth: &Truth, began: Instant) {
        let at = began.elapsed();
        let before_ns = truth.now_ns();
        let reading = read();
        let after_ns = truth.now_ns();
        self.record(at, before_ns, reading, after_ns);
    }

    /// Whether a sample of this layout is a violation.
    pub fn is_violation(&self, sample: &Sample) -> bool {
        self.violations.binary_search(&sample.at).is_ok()
    }

    fn record(
        &mut self,
        at: Duration,
        before_ns: i64,
        reading: Result<Reading, String>,
        after_ns: i64,
    ) {
        let reading = match reading {
            Ok(reading) => reading,
            Err(err) => {
                self.errors += 1;
                self.add_detail(format!("at {:.3} s: {err}", at.as_secs_f64()));
                return;
            }
        };
        let true_ns = before_ns.midpoint(after_ns);
        let sample = Sample {
            at,
            status: reading.status,
            earliest_ns: reading.earliest_ns - true_ns,
            latest_ns: reading.latest_ns - true_ns,
        };
        self.samples.push(sample);
        let outside = reading.earliest_ns > after_ns || reading.latest_ns < before_ns;
        let inverted = reading.earliest_ns > reading.latest_ns;
        if inverted || sample.is_trusted() && outside {
            self.violations.push(at);
            self.add_detail(format!(
                "at {:.3} s: {:?}, true time is {} ns before its end and {} ns after its beginning",
                at.as_secs_f64(),
                sample.status,
                sample.latest_ns,
                -sample.earliest_ns
            ));
        }
    }

    fn add_detail(&mut self, detail: String) {
        if self.details.len() < KEPT_DETAILS {
            self.details.push(detail);
        }
    }
}

/// Samples every layout every few milliseconds, until finished or dropped.
#[derive(Debug)]
pub struct Sampler {
    thread: Background<Vec<LayoutSamples>>,
    /// Number of rounds so far. The thread reads in its guard only.
    rounds: Arc<Mutex<u64>>,
}

impl Sampler {
    /// Starts to sample the layouts in the directory of the v1 segment at `path`; instants count
    /// from `began`.
    pub fn start(path: &Path, layouts: &[Layout], truth: &Truth, began: Instant) -> Sampler {
        let (path, layouts, truth) = (path.to_owned(), layouts.to_owned(), truth.clone());
        let rounds = Arc::<Mutex<u64>>::default();
        let thread = {
            let rounds = Arc::clone(&rounds);
            Background::start(move |stop| sample(&path, &layouts, &truth, began, &rounds, stop))
        };
        Sampler { thread, rounds }
    }

    /// Runs `change` between two rounds, as if the readers were stopped meanwhile.
    pub fn between_rounds(&self, change: impl FnOnce()) {
        let _rounds = self.rounds();
        change();
    }

    /// Waits until each layout was read this many times more.
    ///
    /// # Panics
    /// If the thread does not read in time.
    #[track_caller]
    pub fn wait_for_rounds(&self, count: u64) {
        let goal = *self.rounds() + count;
        wait::until(wait::PATIENCE, "the sampler reads", || {
            *self.rounds() >= goal
        });
    }

    fn rounds(&self) -> MutexGuard<'_, u64> {
        self.rounds.lock().expect("the sampler has not panicked")
    }

    /// Stops it; returns the samples of each layout.
    ///
    /// # Panics
    /// If a layout could not be opened.
    pub fn finish(self) -> Vec<LayoutSamples> {
        self.thread.finish()
    }
}

fn sample(
    path: &Path,
    layouts: &[Layout],
    truth: &Truth,
    began: Instant,
    rounds: &Mutex<u64>,
    stop: &AtomicBool,
) -> Vec<LayoutSamples> {
    let open = |layout| (opened(layout, path), LayoutSamples::of(layout));
    let mut watched: Vec<(Read, LayoutSamples)> = layouts.iter().map(open).collect();
    while !stop.load(Ordering::Relaxed) {
        {
            let mut rounds = rounds.lock().expect("rounds");
            for (read, seen) in &mut watched {
                seen.take(read, truth, began);
            }
            *rounds += 1;
        }
        thread::sleep(SAMPLE_INTERVAL);
    }
    watched.into_iter().map(|(_, seen)| seen).collect()
}

fn opened(layout: &Layout, path: &Path) -> Read {
    let mut trouble = String::new();
    let read = wait::within(wait::PATIENCE, || {
        (layout.open)(path).map_err(|err| trouble = err).ok()
    });
    read.unwrap_or_else(|| panic!("failed to open {}: {trouble}", layout.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(reading: Result<Reading, String>) -> LayoutSamples {
        let mut seen = LayoutSamples::of(&Layout::V1);
        seen.record(Duration::from_secs(1), 1_000, reading, 1_010);
        seen
    }

    fn reading(status: Status, earliest_ns: i64, latest_ns: i64) -> Result<Reading, String> {
        Ok(Reading {
            earliest_ns,
            latest_ns,
            status,
        })
    }

    #[test]
    fn a_trusted_interval_outside_the_whole_read_is_a_violation() {
        let trusted = Status::FreeRunning;
        for (violations, status, earliest_ns, latest_ns) in [
            (0, trusted, 900, 1_100),
            (0, trusted, 1_010, 1_100),
            (0, trusted, 900, 1_000),
            (1, trusted, 1_011, 1_100),
            (1, Status::Synchronized, 900, 999),
            (0, Status::Unknown, 900, 999),
            (1, Status::Unknown, 999, 900),
        ] {
            let seen = seen(reading(status, earliest_ns, latest_ns));
            assert_eq!(seen.violations.len(), violations, "{seen:?}");
            assert_eq!(seen.details.len(), violations);
        }
    }

    #[test]
    fn an_error_of_the_client_library_is_not_a_sample() {
        let seen = seen(Err("torn".to_owned()));
        assert_eq!((seen.errors, seen.samples.len()), (1, 0));
    }

    #[test]
    fn a_sample_is_relative_to_true_time() {
        let seen = seen(reading(Status::Synchronized, 905, 1_205));
        let sample = seen.samples[0];
        assert_eq!((sample.earliest_ns, sample.latest_ns), (-100, 200));
        assert_eq!((sample.bound_ns(), sample.error_ns()), (150, 50));
    }
}
