//! The instants of publications, and the gaps between them.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::segment::Segment;
use crate::host::background::Background;
use crate::host::wait;

const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// A thread that reads the generation of a v1 segment every millisecond.
#[derive(Debug)]
pub struct Publications {
    recorded: Arc<Mutex<Recorded>>,
    _thread: Background<()>,
}

#[derive(Debug)]
struct Recorded {
    last: Instant,
    longest: Duration,
    count: u64,
}

impl Publications {
    /// Watches the segment at `path`.
    pub fn watch(path: &Path) -> Publications {
        let recorded = Arc::new(Mutex::new(Recorded {
            last: Instant::now(),
            longest: Duration::ZERO,
            count: 0,
        }));
        let thread = {
            let (recorded, path) = (Arc::clone(&recorded), path.to_owned());
            Background::start(move |stop| poll(&path, &recorded, stop))
        };
        Publications {
            recorded,
            _thread: thread,
        }
    }

    /// The longest time between publications while `act` runs, and until the next publication after
    /// it.
    #[track_caller]
    pub fn longest_gap(&self, act: impl FnOnce()) -> Duration {
        self.lock().longest = Duration::ZERO;
        act();
        self.next();
        self.lock().longest
    }

    /// Number of publications so far.
    pub fn count(&self) -> u64 {
        self.lock().count
    }

    /// Waits for the next publication; returns the time from now until then.
    #[track_caller]
    pub fn next(&self) -> Duration {
        let now = Instant::now();
        wait::until_some(wait::PATIENCE, "the daemon publishes", || {
            self.lock()
                .last
                .checked_duration_since(now)
                .filter(|after| !after.is_zero())
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn poll(path: &Path, recorded: &Mutex<Recorded>, stop: &AtomicBool) {
    let mut last = None;
    while !stop.load(Ordering::Relaxed) {
        let segment = Segment::read(path).ok().filter(Segment::is_valid);
        // Odd while a publication is written.
        let generation = segment.map(|segment| segment.generation() / 2);
        if let Some(generation) = generation
            && last.replace(generation) != Some(generation)
        {
            let now = Instant::now();
            let mut recorded = recorded.lock().unwrap_or_else(PoisonError::into_inner);
            recorded.longest = recorded
                .longest
                .max(now.saturating_duration_since(recorded.last));
            recorded.last = now;
            recorded.count += 1;
        }
        thread::sleep(POLL_INTERVAL);
    }
}
