//! When the daemon publishes, and for how long it does not.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::segment::Segment;
use crate::host::wait;

const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// A thread that looks at a v1 segment every millisecond.
#[derive(Debug)]
pub struct Publications {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Seen {
    last: Instant,
    longest: Duration,
}

impl Publications {
    /// Watches the segment at `path`.
    pub fn watch(path: &Path) -> Publications {
        let seen = Arc::new(Mutex::new(Seen {
            last: Instant::now(),
            longest: Duration::ZERO,
        }));
        let stop = Arc::<AtomicBool>::default();
        let thread = {
            let (seen, stop, path) = (Arc::clone(&seen), Arc::clone(&stop), path.to_owned());
            thread::spawn(move || look(&path, &seen, &stop))
        };
        Publications {
            seen,
            stop,
            thread: Some(thread),
        }
    }

    /// The longest time without a publication while `act` goes on, and until the next publication after it.
    #[track_caller]
    pub fn longest_gap(&self, act: impl FnOnce()) -> Duration {
        self.lock().longest = Duration::ZERO;
        act();
        self.next();
        self.lock().longest
    }

    /// How long it takes from now until there is a publication.
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Publications {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn look(path: &Path, seen: &Mutex<Seen>, stop: &AtomicBool) {
    let mut last = None;
    while !stop.load(Ordering::Relaxed) {
        let segment = Segment::read(path).ok().filter(Segment::is_valid);
        if let Some(generation) = segment.map(|segment| segment.generation())
            && last.replace(generation) != Some(generation)
        {
            let now = Instant::now();
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.longest = seen.longest.max(now.saturating_duration_since(seen.last));
            seen.last = now;
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}
