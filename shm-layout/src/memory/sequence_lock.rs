//! The sequence lock. Its one writer never waits, and readers never block it.
//!
//! The generation is 0 before the first write, odd while a write is in progress, and otherwise
//! even. Its width depends on the layout. A 16-bit generation wraps within hours: a reader that is
//! interrupted in the middle of a read for exactly that long does not detect the writes. A 64-bit
//! generation never wraps.
//!
//! Writer:
//! 1. store the odd generation, relaxed;
//! 2. release fence W: no reader sees a later store without the odd generation;
//! 3. store the payload as relaxed atomic words;
//! 4. store the next even generation, release: no reader sees it without the payload.
//!
//! Reader:
//! 1. load the generation, acquire (partner of W4): the reader sees the payload of that write, or a
//!    later one; if the generation is odd, retry;
//! 2. load the payload as relaxed atomic words;
//! 3. acquire fence R (partner of W2): if any word is from a later write, so is the next load;
//! 4. load the generation again, relaxed; if it has changed, retry.
//!
//! A release *store* in W1 would not order the payload's stores after it, nor would an acquire
//! *load* in R4 order the payload's loads before it. Hence the fences; `tests/sequence_loom.rs`
//! shows that each is needed.
//!
//! A writer that is killed between W1 and W4 leaves an odd generation. W1 of the next write keeps
//! it, and W4 stores an even one that no reader has seen, which repairs the segment.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU16, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering, fence};

/// How many times a reader tries: much longer than a write takes, and too short to be noticed.
const ATTEMPTS: u32 = if cfg!(loom) { 2 } else { 10_000 };

/// A generation of any width.
pub trait Generation {
    /// The largest value.
    const MAX: u64;
    /// Loads the generation.
    fn load(&self, ordering: Ordering) -> u64;
    /// Stores a generation of at most [`MAX`](Self::MAX).
    fn store(&self, number: u64, ordering: Ordering);
}

impl Generation for AtomicU16 {
    const MAX: u64 = u16::MAX as u64;
    #[inline]
    fn load(&self, ordering: Ordering) -> u64 {
        self.load(ordering).into()
    }
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the number is at most MAX")]
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

/// Why no snapshot is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSnapshot {
    /// Nothing has been written.
    NotInitialized,
    /// A write was in progress at every attempt: its writer was killed or stopped.
    WriteInProgress,
}

/// Writes `words` to `payload`. The caller ensures that there is one writer at a time.
pub fn write<G: Generation>(generation: &G, payload: &[AtomicU64], words: &[u64]) {
    write_ordered::<true, G>(generation, payload, words, || {});
}

/// As [`write`]; calls `midway` after half of the payload.
#[cfg(any(loom, feature = "fault-injection"))]
pub fn write_interrupted<G: Generation>(
    generation: &G,
    payload: &[AtomicU64],
    words: &[u64],
    midway: impl FnOnce(),
) {
    write_ordered::<true, G>(generation, payload, words, midway);
}

/// Reads `payload` into `words`; returns the generation of the write they are from.
///
/// # Errors
/// [`NoSnapshot`]; the content of `words` is then undefined.
#[inline]
pub fn read<G: Generation>(
    generation: &G,
    payload: &[AtomicU64],
    words: &mut [u64],
) -> Result<u64, NoSnapshot> {
    read_ordered::<true, G>(generation, payload, words)
}

/// As [`read`], with one attempt: `None` when a write was in progress, or nothing has been written.
#[inline]
pub fn read_once<G: Generation>(
    generation: &G,
    payload: &[AtomicU64],
    words: &mut [u64],
) -> Option<u64> {
    let before = generation.load(Ordering::Acquire);
    attempt::<true, G>(generation, before, payload, words).then_some(before)
}

/// Reads `payload` into `words`, if the last write is still the one of `known`, an even generation
/// that an earlier read has returned; returns whether it is. The caller has loaded `known` with
/// acquire, from where the earlier read was stored with release.
///
/// So the payload of `known`, or a later one, is visible here, as after R1, and R1 is not needed.
/// But it is for a generation that wraps, since `known` may be the one before the wrap.
#[inline]
pub fn read_known<G: Generation>(
    generation: &G,
    known: u64,
    payload: &[AtomicU64],
    words: &mut [u64],
) -> bool {
    if G::MAX != u64::MAX && generation.load(Ordering::Acquire) != known {
        return false;
    }
    for (word, cell) in words.iter_mut().zip(payload) {
        *word = cell.load(Ordering::Relaxed);
    }
    // R, partner of W in `write_ordered`.
    fence(Ordering::Acquire);
    generation.load(Ordering::Relaxed) == known
}

/// The lock without its fences, with which the loom model must fail.
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

/// Takes the last cache line from the readers' processors before the write begins. Otherwise the
/// write would wait for it while its generation is odd, and more readers would find it so.
#[inline]
fn own_last_line(payload: &[AtomicU64]) {
    // A loom model would have more states, and this changes no value.
    if cfg!(not(loom))
        && let Some(last) = payload.last()
    {
        last.fetch_or(0, Ordering::Relaxed);
    }
}

#[inline]
fn write_ordered<const FENCED: bool, G: Generation>(
    generation: &G,
    payload: &[AtomicU64],
    words: &[u64],
    midway: impl FnOnce(),
) {
    own_last_line(payload);
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

/// The even generation that ends a write. 0 means not initialised, so the wrap skips it.
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

/// Whether all words are of the generation `before`, which was loaded with acquire (R1).
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
    fn read_returns_the_last_write_and_each_write_adds_two_to_the_generation() {
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
    fn the_generation_wraps_past_zero() {
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
    fn an_unfinished_write_is_reported_and_the_next_write_repairs_it() {
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
