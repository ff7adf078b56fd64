//! The generation of the words that readers validated last, and a number that belongs to these
//! words but that a reader of them does not load: their disruption marker.
//!
//! Keeper, one at a time, after it has read words and their generation from a segment:
//! 1. store the number, release: a reader that sees it sees the generation in the segment, too;
//! 2. store the generation, release.
//!
//! Reader:
//! 1. load the known generation, acquire (partner of 2): it sees the number of that generation, or
//!    of a later one;
//! 2. load the number, relaxed;
//! 3. load the words and validate the generation
//!    ([`read_known`](super::sequence_lock::read_known)). Its acquire fence is the partner of the
//!    store 1: a reader that has loaded the number of a later generation loads that generation from
//!    the segment, or a later one, and discards everything.
//!
//! So the number belongs to the words, if no keeper stores an earlier generation after a later one.
//! The caller ensures it. `tests/known_loom.rs` shows it, and that it fails otherwise.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};

/// The known generation, and the number that belongs to it, in one cache line.
#[derive(Debug)]
#[repr(align(16))]
pub struct Known {
    generation: AtomicU64,
    number: AtomicU64,
}

impl Known {
    /// Returns one that knows this generation, with the number 0.
    #[must_use]
    pub fn new(generation: u64) -> Self {
        Self {
            generation: AtomicU64::new(generation),
            number: AtomicU64::new(0),
        }
    }

    /// The known generation. What its keeper has read and stored is then visible.
    #[inline]
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The number of the generation that this thread has loaded before, unless the validation that
    /// has to follow fails.
    #[inline]
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// Whether this is the known generation.
    #[inline]
    #[must_use]
    pub fn is(&self, generation: u64) -> bool {
        self.generation.load(Ordering::Relaxed) == generation
    }

    /// Replaces the known generation. The caller ensures that there is one keeper at a time, and
    /// that the generation is later than the known one.
    pub fn keep(&self, generation: u64, number: u64) {
        self.number.store(number, Ordering::Release);
        self.generation.store(generation, Ordering::Release);
    }
}
