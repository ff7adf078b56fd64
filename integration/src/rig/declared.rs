//! The thread that asks chronyd for its own error bound, for comparison.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::chronyd::tracking_at;

const BETWEEN_QUESTIONS: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(20);

/// Asks `chronyc tracking` once a second, until finished or dropped.
#[derive(Debug)]
pub struct Declared {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<i64>>>,
}

impl Declared {
    /// Asks the chronyd behind this socket.
    pub fn start(socket: &Path) -> Declared {
        let stop = Arc::<AtomicBool>::default();
        let thread = {
            let (socket, stop) = (socket.to_owned(), Arc::clone(&stop));
            thread::spawn(move || ask(&socket, &stop))
        };
        Declared {
            stop,
            thread: Some(thread),
        }
    }

    /// Ends it; returns twice the sum of half the root delay and the root dispersion, ns, for each report of a chronyd
    /// that was synchronised.
    ///
    /// # Panics
    /// If its thread has panicked.
    pub fn finish(mut self) -> Vec<i64> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("running");
        thread.join().expect("no panic")
    }
}

impl Drop for Declared {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "an error bound in nanoseconds fits"
)]
fn ask(socket: &Path, stop: &AtomicBool) -> Vec<i64> {
    let mut widths_ns = Vec::new();
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if Instant::now() < next {
            thread::sleep(TICK);
            continue;
        }
        next += BETWEEN_QUESTIONS;
        let tracking = tracking_at(socket).filter(|tracking| tracking.is_synchronised());
        if let Some(tracking) = tracking {
            let width_s = tracking.root_delay + 2.0 * tracking.root_dispersion;
            widths_ns.push((width_s * 1e9) as i64);
        }
    }
    widths_ns
}
