//! The sequence lock: one writer never waits, any number of readers never block it.
//!
//! The generation is even at rest, odd while a write is in progress, 0 before the first write. It is as wide as
//! its layout has it: 16 bits wrap within hours, and a reader that sleeps for exactly that long in the middle of a
//! read is fooled; 64 bits never do.
//!
//! Writer:
//! 1. store the odd generation, relaxed;
//! 2. release fence W: what follows is not seen before the odd generation;
//! 3. store the payload as relaxed atomic words;
//! 4. store the next even generation, release: it is not seen before the payload.
//!
//! Reader:
//! 1. load the generation, acquire (partner of W4): the payload of that write is seen, or a later one;
//!    if it is odd or 0, begin again;
//! 2. load the payload as relaxed atomic words;
//! 3. acquire fence R (partner of W2): if any word came from a later write, so does the next load;
//! 4. load the generation again, relaxed; if it changed, begin again.
//!
//! A release *store* in W1 would not keep the payload's stores behind it, nor an acquire *load* in R4
//! the payload's loads before it: hence the fences. `tests/sequence_loom.rs` shows that each is needed.
//!
//! A writer that dies between W1 and W4 leaves an odd generation. The next write keeps it odd in W1 and
//! ends it in W4 with an even one that no reader has seen: healed.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU16, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering, fence};

/// How often a reader begins again before it says so: far longer than a write takes, far shorter
/// than a person notices.
const ATTEMPTS: u32 = if cfg!(loom) { 2 } else { 10_000 };

/// A generation, of whatever width.
pub trait Generation {
    /// The largest number that it can hold.
    const MAX: u64;
    /// Loads it.
    fn load(&self, ordering: Ordering) -> u64;
    /// Stores a number up to [`MAX`](Self::MAX).
    fn store(&self, number: u64, ordering: Ordering);
}

impl Generation for AtomicU16 {
    const MAX: u64 = u16::MAX as u64;
    #[inline]
    fn load(&self, ordering: Ordering) -> u64 {
        self.load(ordering).into()
    }
    #[inline]
    fn store(&self, number: u64, ordering: Ordering) {
        self.store(number as u16, ordering);
    }
}

impl Generation for AtomicU64 {
    const MAX: u64 = u64::MAX;
    #[inline]
    fn load(&self, ordering: Ordering) -> u64 {
        self.load(ordering)
    }
    #[inline]
    fn store(&self, number: u64, ordering: Ordering) {
        self.store(number, ordering);
    }
}

/// Why a reader has no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSnapshot {
    /// Nothing was ever written.
    NotInitialized,
    /// A write has been in progress for as long as was waited: its writer died, or was stopped.
    WriteInProgress,
}

/// Writes `words` to `payload`. One writer at a time is the caller's to ensure.
pub fn write<G: Generation>(generation: &G, payload: &[AtomicU64], words: &[u64]) {
    write_ordered::<true, G>(generation, payload, words, || {});
}

/// As [`write`], with a call to `midway` when half of the payload is written.
#[cfg(any(loom, feature = "fault-injection"))]
pub fn write_interrupted<G: Generation>(
    generation: &G,
    payload: &[AtomicU64],
    words: &[u64],
    midway: impl FnOnce(),
) {
    write_ordered::<true, G>(generation, payload, words, midway);
}

/// Reads `payload` into `words`, and returns the generation that they belong to.
///
/// # Errors
/// [`NoSnapshot`]; `words` then hold nothing of use.
#[inline]
pub fn read<G: Generation>(
    generation: &G,
    payload: &[AtomicU64],
    words: &mut [u64],
) -> Result<u64, NoSnapshot> {
    read_ordered::<true, G>(generation, payload, words)
}

/// As [`read`], without beginning again: `None` when there was a write.
#[inline]
pub fn read_once<G: Generation>(
    generation: &G,
    payload: &[AtomicU64],
    words: &mut [u64],
) -> Option<u64> {
    let before = generation.load(Ordering::Acquire);
    attempt::<true, G>(generation, before, payload, words).then_some(before)
}

/// The lock without its fences, for the model to fail on.
#[cfg(loom)]
pub mod unfenced {
    use super::{AtomicU64, Generation, NoSnapshot, read_ordered, write_ordered};

    /// As [`super::write`], without its release fence.
    pub fn write<G: Generation>(generation: &G, payload: &[AtomicU64], words: &[u64]) {
        write_ordered::<false, G>(generation, payload, words, || {});
    }

    /// As [`super::read`], without its acquire fence.
    ///
    /// # Errors
    /// As [`super::read`].
    pub fn read<G: Generation>(
        generation: &G,
        payload: &[AtomicU64],
        words: &mut [u64],
    ) -> Result<u64, NoSnapshot> {
        read_ordered::<false, G>(generation, payload, words)
    }
}

#[inline]
fn write_ordered<const FENCED: bool, G: Generation>(
    generation: &G,
    payload: &[AtomicU64],
    words: &[u64],
    midway: impl FnOnce(),
) {
    let odd = generation.load(Ordering::Relaxed) | 1;
    generation.store(odd, Ordering::Relaxed);
    if FENCED {
        // W, partner of R in `read_ordered`.
        fence(Ordering::Release);
    }
    let half = words.len() / 2;
    store(&payload[..half], &words[..half]);
    midway();
    store(&payload[half..], &words[half..]);
    generation.store(even_after::<G>(odd), Ordering::Release);
}

fn store(payload: &[AtomicU64], words: &[u64]) {
    for (cell, &word) in payload.iter().zip(words) {
        cell.store(word, Ordering::Relaxed);
    }
}

/// The even generation that ends a write; 0 means not initialised, so the wrap skips it.
fn even_after<G: Generation>(odd: u64) -> u64 {
    match odd.wrapping_add(1) & G::MAX {
        0 => 2,
        even => even,
    }
}

#[inline]
fn read_ordered<const FENCED: bool, G: Generation>(
    generation: &G,
    payload: &[AtomicU64],
    words: &mut [u64],
) -> Result<u64, NoSnapshot> {
    for _ in 0..ATTEMPTS {
        let before = generation.load(Ordering::Acquire);
        if before == 0 {
            return Err(NoSnapshot::NotInitialized);
        }
        if attempt::<FENCED, G>(generation, before, payload, words) {
            return Ok(before);
        }
        #[cfg(not(loom))]
        std::hint::spin_loop();
        #[cfg(loom)]
        loom::thread::yield_now();
    }
    Err(NoSnapshot::WriteInProgress)
}

/// Whether the words are those of the generation `before`, which was loaded with acquire (R1).
#[inline]
fn attempt<const FENCED: bool, G: Generation>(
    generation: &G,
    before: u64,
    payload: &[AtomicU64],
    words: &mut [u64],
) -> bool {
    if before == 0 || !before.is_multiple_of(2) {
        return false;
    }
    for (word, cell) in words.iter_mut().zip(payload) {
        *word = cell.load(Ordering::Relaxed);
    }
    if FENCED {
        // R, partner of W in `write_ordered`.
        fence(Ordering::Acquire);
    }
    generation.load(Ordering::Relaxed) == before
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn cells() -> (AtomicU16, [AtomicU64; 2]) {
        (AtomicU16::new(0), [AtomicU64::new(0), AtomicU64::new(0)])
    }

    #[test]
    fn what_was_written_is_read_and_the_generation_advances_by_two() {
        let (generation, payload) = cells();
        let mut words = [0; 2];
        assert_eq!(
            read(&generation, &payload, &mut words),
            Err(NoSnapshot::NotInitialized)
        );
        for n in 1..100 {
            write(&generation, &payload, &[n, n + 1]);
            assert_eq!(read(&generation, &payload, &mut words), Ok(2 * n));
            assert_eq!(words, [n, n + 1]);
        }
    }

    #[test]
    fn the_wrap_skips_zero() {
        let (generation, payload) = cells();
        for (before, after) in [
            (65_532, 65_534),
            (65_534, 2),
            (65_535, 2),
            (0, 2),
            (1, 2),
            (7, 8),
        ] {
            generation.store(before, Ordering::Relaxed);
            write(&generation, &payload, &[1, 1]);
            assert_eq!(generation.load(Ordering::Relaxed), after, "after {before}");
        }
    }

    #[test]
    fn a_write_that_never_ends_is_reported_and_the_next_one_heals_it() {
        let (generation, payload) = cells();
        write(&generation, &payload, &[1, 1]);
        generation.store(3, Ordering::Relaxed);
        let mut words = [0; 2];
        assert_eq!(
            read(&generation, &payload, &mut words),
            Err(NoSnapshot::WriteInProgress)
        );
        write(&generation, &payload, &[5, 5]);
        assert_eq!(
            (read(&generation, &payload, &mut words), words),
            (Ok(4), [5, 5])
        );
    }
}
