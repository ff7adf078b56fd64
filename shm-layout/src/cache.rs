//! The last payload that a reader read whole and found sound: it is not checked again, and it stands in while a
//! dead writer's is half written.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::layout::Layout;
use crate::sequence;

/// Two slots, each with a sequence lock: one is written while the other can be read, whoever is stopped
/// at whatever point. Writers step aside for each other: one that finds the cache taken has read much the same.
#[derive(Debug)]
pub(crate) struct LastGood<L: Layout> {
    taken: AtomicBool,
    /// The segment's generation that is kept.
    of: AtomicU64,
    /// Which slot is the newer one: 0 or 1.
    current: AtomicUsize,
    slots: [Slot<L>; 2],
}

#[derive(Debug)]
struct Slot<L: Layout> {
    generation: AtomicU64,
    payload: L::Cells,
}

impl<L: Layout> Default for Slot<L> {
    fn default() -> Self {
        Self {
            generation: AtomicU64::new(0),
            payload: L::Cells::default(),
        }
    }
}

impl<L: Layout> Default for LastGood<L> {
    fn default() -> Self {
        Self {
            taken: AtomicBool::new(false),
            of: AtomicU64::new(0),
            current: AtomicUsize::new(0),
            slots: [Slot::default(), Slot::default()],
        }
    }
}

impl<L: Layout> LastGood<L> {
    /// Whether the payload of the segment's `generation` is the one that is kept.
    #[inline]
    pub(crate) fn holds(&self, generation: u64) -> bool {
        self.of.load(Ordering::Relaxed) == generation
    }

    /// Keeps the payload of the segment's `generation`.
    pub(crate) fn keep(&self, generation: u64, payload: &L::Payload) {
        if self.taken.swap(true, Ordering::Acquire) {
            return;
        }
        let older = 1 - self.current.load(Ordering::Relaxed);
        let slot = &self.slots[older];
        sequence::write(&slot.generation, slot.payload.as_ref(), payload.as_ref());
        self.current.store(older, Ordering::Release);
        self.of.store(generation, Ordering::Relaxed);
        self.taken.store(false, Ordering::Release);
    }

    /// What was kept last; `None` when nothing was.
    pub(crate) fn last(&self) -> Option<L::Payload> {
        let slot = &self.slots[self.current.load(Ordering::Acquire)];
        let mut payload = L::Payload::default();
        sequence::read(&slot.generation, slot.payload.as_ref(), payload.as_mut()).ok()?;
        Some(payload)
    }
}
