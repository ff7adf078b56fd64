//! The last words that were read completely and decoded: they are not validated again, and they are
//! the fallback while a write is unfinished.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::layout::Layout;
use crate::memory::known::Known;
use crate::memory::sequence_lock;

/// A generation that no write has: those of finished writes are even.
const NONE: u64 = u64::MAX;

/// The number of no file.
const NO_FILE: u64 = u64::MAX;

/// Two slots, each with a sequence lock. One slot is written while the other can be read, even if a
/// thread is stopped at any point. A thread that finds the cache locked by another does not write:
/// both have read nearly the same.
#[derive(Debug)]
pub(crate) struct LastGood<L: Layout> {
    is_locked: AtomicBool,
    /// Whether the reader refuses simulated records. Here, since it takes no further memory here.
    pub(crate) refuses_simulated: bool,
    /// The segment's generation from which the newest words were read, and their disruption marker.
    known: Known,
    /// The index of the newer slot.
    newer: AtomicUsize,
    slots: [Slot<L>; 2],
}

#[derive(Debug)]
struct Slot<L: Layout> {
    generation: AtomicU64,
    cells: L::Cells,
    /// The number of the file from which the words were read; [`NO_FILE`] while they are written.
    file: AtomicU64,
}

impl<L: Layout> Default for Slot<L> {
    fn default() -> Self {
        Self {
            generation: AtomicU64::new(0),
            cells: L::Cells::default(),
            file: AtomicU64::new(NO_FILE),
        }
    }
}

impl<L: Layout> Default for LastGood<L> {
    fn default() -> Self {
        Self {
            is_locked: AtomicBool::new(false),
            refuses_simulated: false,
            known: Known::new(NONE),
            newer: AtomicUsize::new(0),
            slots: [Slot::default(), Slot::default()],
        }
    }
}

impl<L: Layout> LastGood<L> {
    /// Whether the newest words in the cache were read from the segment's `generation`.
    #[inline]
    pub(crate) fn holds(&self, generation: u64) -> bool {
        self.known.is(generation)
    }

    /// The segment's generation from which the newest words were read. Everything of that write is
    /// then visible. It is [`NONE`] when there are no words.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.known.generation()
    }

    /// The disruption marker of the words of [`generation`](Self::generation), which this thread has
    /// loaded before, if the sequence lock finds then that the generation is still the segment's.
    #[inline]
    pub(crate) fn marker(&self) -> u64 {
        self.known.number()
    }

    /// Keeps the words that were read from the segment's `generation` in the file `file`, with their
    /// disruption marker, unless later ones are kept: `is_later` tells whether the generation that
    /// is kept is later, if it is of the same file.
    pub(crate) fn keep(
        &self,
        file: u64,
        generation: u64,
        words: &L::Words,
        marker: u64,
        is_later: impl FnOnce(u64) -> bool,
    ) {
        if self.is_locked.swap(true, Ordering::Acquire) {
            return;
        }
        let newer = self.newer.load(Ordering::Relaxed);
        // Files have ascending numbers.
        let is_late = match self.slots[newer].file.load(Ordering::Relaxed) {
            NO_FILE => false,
            kept if kept == file => is_later(self.known.generation()),
            kept => kept > file,
        };
        if is_late {
            self.is_locked.store(false, Ordering::Release);
            return;
        }
        let older = 1 - newer;
        let slot = &self.slots[older];
        slot.file.store(NO_FILE, Ordering::Relaxed);
        sequence_lock::write(&slot.generation, slot.cells.as_ref(), words.as_ref());
        slot.file.store(file, Ordering::Release);
        self.newer.store(older, Ordering::Release);
        self.known.keep(generation, marker);
        self.is_locked.store(false, Ordering::Release);
    }

    /// The newest words, if they are of the file `file`.
    pub(crate) fn last(&self, file: u64) -> Option<L::Words> {
        let slot = &self.slots[self.newer.load(Ordering::Acquire)];
        // The number of the file is that of this write, or none yet.
        let write = slot.generation.load(Ordering::Acquire);
        if slot.file.load(Ordering::Acquire) != file {
            return None;
        }
        let mut words = L::Words::default();
        let read = sequence_lock::read(&slot.generation, slot.cells.as_ref(), words.as_mut());
        (read.ok()? == write).then_some(words)
    }
}
