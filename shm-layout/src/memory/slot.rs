//! Two places in which maps replace each other while other threads read them. They keep the number
//! of maps constant, however often the file at a path is replaced.
//!
//! A place is a page at an address that never changes. It contains zeros until a map is moved there
//! (mremap(2)), which replaces the content atomically: a load sees the old page or the new one. A
//! number that only grows tells which place is current: `number % 2`. The places are used in turn,
//! so that the current one is never replaced.
//!
//! Reader:
//! 1. load the number, acquire (partner of W3);
//! 2. load anything from the place `number % 2`, as relaxed atomics;
//! 3. acquire fence R (partner of W1);
//! 4. load the number again, relaxed. If it has changed, discard what was loaded, and retry.
//!
//! Writer, one at a time:
//! 1. release fence W: a reader that sees a later store to the place also sees the present number,
//!    which is not the one for which it read that place;
//! 2. replace the content of the place `(number + 1) % 2`, which readers that were interrupted
//!    since the number before the present one may still read;
//! 3. store `number + 1`, release.
//!
//! So a reader that is interrupted for any time reads words of another file, or half of one, and
//! discards them. It never waits for the writer, and retries only when a file was replaced
//! meanwhile. `tests/slot_loom.rs` shows it.
//!
//! Epochs or hazard pointers would need a store of every reader in every read. Maps that are never
//! removed need none, but reach the limit of maps (`vm.max_map_count`).

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// The number of the current place.
#[derive(Debug, Default)]
pub struct Current(AtomicU64);

impl Current {
    /// Returns the number of the current place, for a read of it.
    #[inline]
    pub fn begin_read(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Returns whether everything that was loaded since [`begin_read`](Self::begin_read) returned
    /// `number` is of that number.
    #[inline]
    #[must_use]
    pub fn is_still(&self, number: u64) -> bool {
        // R, partner of W in `replace`.
        fence(Ordering::Acquire);
        self.0.load(Ordering::Relaxed) == number
    }

    /// Replaces the content of the other place with `fill`, and makes it the current one. `fill`
    /// gets its number, and stores as relaxed atomics. If it fails, the current place stays.
    ///
    /// The caller ensures that there is one replacement at a time.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn replace<E>(&self, fill: impl FnOnce(u64) -> Result<(), E>) -> Result<(), E> {
        let next = self.0.load(Ordering::Relaxed).wrapping_add(1);
        // W, partner of R in `is_still`.
        fence(Ordering::Release);
        fill(next)?;
        self.0.store(next, Ordering::Release);
        Ok(())
    }
}

/// The index of the place of `number`, 0 or 1.
#[inline]
#[must_use]
pub fn index_of(number: u64) -> usize {
    usize::from(!number.is_multiple_of(2))
}
