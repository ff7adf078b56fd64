//! A thread that runs beside a test until it is finished or dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// A running thread, stopped when dropped.
#[derive(Debug)]
pub struct Background<T> {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<T>>,
}

impl<T: Send + 'static> Background<T> {
    /// Runs `work`, which must return soon after its argument has become true.
    pub fn start(work: impl FnOnce(&AtomicBool) -> T + Send + 'static) -> Background<T> {
        let stop = Arc::<AtomicBool>::default();
        let thread = {
            let stop = Arc::clone(&stop);
            thread::spawn(move || work(&stop))
        };
        Background {
            stop,
            thread: Some(thread),
        }
    }
}

impl<T> Background<T> {
    /// Stops the thread; returns its result.
    ///
    /// # Panics
    /// If the thread has panicked.
    pub fn finish(mut self) -> T {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("only finish and drop take it");
        thread.join().expect("the thread has not panicked")
    }
}

impl<T> Drop for Background<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
