//! What readers keep of a segment besides its map: the last valid words, and the generation of a
//! write that does not end.
//!
//! A map can be [replaced](crate::memory::map::MapPair::replace). Each file therefore has a number,
//! and what was kept of a file is not used for another, even if a thread that was interrupted keeps
//! it late.

use std::sync::atomic::{AtomicU64, Ordering};

use super::ReadError;
use super::last_good::LastGood;
use crate::layout::{IntervalLayout, Layout, SupportFlag};
use crate::memory::map::Map;
use crate::memory::sequence_lock::{self, Generation, NoSnapshot};
use crate::record::Disruption;

/// What readers keep of the segments of a layout that are in a map, one after another.
#[derive(Debug)]
pub struct Kept<L: Layout> {
    cache: LastGood<L>,
    /// The odd generation of an unfinished write that a reader has waited for. It is not waited for
    /// again.
    unfinished: AtomicU64,
}

impl<L: Layout> Default for Kept<L> {
    fn default() -> Self {
        Self {
            cache: LastGood::default(),
            unfinished: AtomicU64::new(0),
        }
    }
}

impl<L: Layout> Kept<L> {
    /// What readers keep that refuse simulated records if `is_refused`. Such a record is never kept,
    /// so that [`glance`](Self::glance) does not find it.
    #[must_use]
    pub fn refusing_simulated(is_refused: bool) -> Self {
        let mut kept = Self::default();
        kept.cache.refuses_simulated = is_refused;
        kept
    }

    /// The whole record that was written last to the file `number` in `map`. While a write is
    /// unfinished, the last record of that file that was read here.
    ///
    /// # Errors
    /// `WriteInProgress`, `NotInitialized`, `Simulated` or `Record`.
    pub fn snapshot(&self, map: &Map, number: u64) -> Result<L::Record, ReadError> {
        let (generation, cells) = (L::generation(map), L::cells(map));
        // The cache has valid words only.
        let last = || {
            let words = self.cache.last(number)?;
            L::decode(&words).ok()
        };
        let unfinished = self.unfinished.load(Ordering::Relaxed);
        let is_known = of_file(number, generation.load(Ordering::Relaxed)) == unfinished;
        if is_known && let Some(record) = last() {
            return Ok(record);
        }
        let mut words = L::Words::default();
        match sequence_lock::read(generation, cells, words.as_mut()) {
            Ok(generation) => self.accept(number, generation, &words),
            Err(no_snapshot) => {
                let odd = generation.load(Ordering::Relaxed) | 1;
                self.unfinished
                    .store(of_file(number, odd), Ordering::Relaxed);
                last().ok_or_else(|| no_snapshot.into())
            }
        }
    }

    /// As [`snapshot`](Self::snapshot), with one attempt, and without a record that was read
    /// before.
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot).
    pub fn snapshot_at_once(&self, map: &Map, number: u64) -> Result<L::Record, ReadError> {
        let (generation, cells) = (L::generation(map), L::cells(map));
        let mut words = L::Words::default();
        match sequence_lock::read_once(generation, cells, words.as_mut()) {
            Some(generation) => self.accept(number, generation, &words),
            None => Err(match generation.load(Ordering::Relaxed) {
                0 => NoSnapshot::NotInitialized.into(),
                _ => NoSnapshot::WriteInProgress.into(),
            }),
        }
    }

    /// Validates words, and keeps them.
    fn accept(
        &self,
        number: u64,
        generation: u64,
        words: &L::Words,
    ) -> Result<L::Record, ReadError> {
        let record = L::decode(words)?;
        if self.cache.refuses_simulated && L::is_simulated(&record) {
            return Err(ReadError::Simulated);
        }
        let disruption = L::disruption(&record);
        let kept = of_file(number, generation ^ support_bit::<L>(disruption));
        if !self.cache.holds(kept) {
            let is_later = |known| {
                let known = of_file(number, known) & !WITH_MARKER;
                // The generations of the other layouts wrap; these have no marker to protect.
                L::Generation::MAX == u64::MAX && known > generation
            };
            self.cache
                .keep(number, kept, words, disruption.marker, is_later);
        }
        Ok(record)
    }

    /// Keeps what `other` has kept of its file 0, as of the file `number`.
    pub(super) fn take_over(&self, other: &Self, number: u64) {
        if let Some(words) = other.cache.last(0) {
            let generation = of_file(number, other.cache.generation());
            let marker = other.cache.marker();
            self.cache
                .keep(number, generation, &words, marker, |_| false);
        }
    }
}

impl<L: IntervalLayout> Kept<L> {
    /// What the interval needs of the record that was written last to the file `number` in `map`,
    /// if that was read here before and no write is in progress. This is the usual case. All other
    /// fields of the record are 0. A native record with disruption support is not returned.
    #[inline]
    #[must_use]
    pub fn glance(&self, map: &Map, number: u64) -> Option<L::Record> {
        let words = self.glance_at_words(map, number)?;
        Some(L::recall(&words))
    }

    /// The words of [`glance`](Self::glance).
    #[inline]
    #[must_use]
    pub fn glance_at_words(&self, map: &Map, number: u64) -> Option<L::IntervalWords> {
        let known = of_file(number, self.cache.generation());
        let (generation, cells) = (L::generation(map), L::interval_cells(map));
        let mut words = L::IntervalWords::default();
        sequence_lock::read_known(generation, known, cells, words.as_mut()).then_some(words)
    }

    /// As [`glance_at_words`](Self::glance_at_words), for a record with or without disruption
    /// support; with its disruption marker if the record has support. The words of a native record
    /// do not contain it, so [`glance`](Self::glance) and `glance_at_words` return no record with
    /// support.
    #[inline(always)]
    #[must_use]
    pub fn glance_with_marker(
        &self,
        map: &Map,
        number: u64,
    ) -> Option<(L::IntervalWords, Option<u64>)> {
        let known = of_file(number, self.cache.generation());
        let is_supported = known & WITH_MARKER != 0;
        // Before the validation in `read_known`: see `memory::known`.
        let marker = is_supported.then(|| self.cache.marker());
        let (generation, cells) = (L::generation(map), L::interval_cells(map));
        let mut words = L::IntervalWords::default();
        let is_known =
            sequence_lock::read_known(generation, known & !WITH_MARKER, cells, words.as_mut());
        is_known.then_some((words, marker))
    }
}

/// Set in a kept generation when readers have to compare the disruption marker, but the words that
/// the interval needs do not contain it. Generations stay far below it.
const WITH_MARKER: u64 = 1 << 39;

#[inline]
fn support_bit<L: Layout>(disruption: Disruption) -> u64 {
    // In the other layouts the interval's words are the whole record.
    if L::SUPPORT == SupportFlag::Free && disruption.supported {
        WITH_MARKER
    } else {
        0
    }
}

/// A generation of the file `number`, different from those of all other files, since generations
/// stay far below 2^40; and back.
#[inline]
fn of_file(number: u64, generation: u64) -> u64 {
    generation ^ number.rotate_left(40)
}

impl From<NoSnapshot> for ReadError {
    fn from(no_snapshot: NoSnapshot) -> Self {
        match no_snapshot {
            NoSnapshot::NotInitialized => Self::NotInitialized,
            NoSnapshot::WriteInProgress => Self::WriteInProgress,
        }
    }
}
