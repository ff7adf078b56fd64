//! What the host has said, compared with what it says now. Pure.

use shm_layout::HostNotice;
use shm_layout::vmclock::Content;

use crate::time::RawInstant;

/// The longest time that the host needs to write the page, ns. The kernel waits for as long.
const LONGEST_WRITE_NS: i64 = 100_000_000;

/// What a change of the page means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The disruption marker changed.
    Marker,
    /// The generation of the virtual machine changed.
    Generation,
    /// The page cannot be read: what it says now is unknown.
    Unreadable,
    /// It can be read again.
    Readable,
}

/// The page as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    marker: u64,
    generation: Option<u64>,
    notice: HostNotice,
    /// Since when the page could not be read.
    torn_since: Option<RawInstant>,
    is_readable: bool,
}

impl Host {
    /// A host whose marker is `marker`, with the content of its page if that could be read.
    #[must_use]
    pub fn new(content: Option<Content>, marker: u64) -> Self {
        Self {
            marker,
            generation: content.and_then(|content| content.generation),
            notice: content.map_or_else(HostNotice::default, |content| (&content).into()),
            torn_since: None,
            is_readable: true,
        }
    }

    /// The marker under which everything is published.
    #[must_use]
    pub fn marker(&self) -> u64 {
        self.marker
    }

    /// What the host has announced.
    #[must_use]
    pub fn notice(&self) -> HostNotice {
        self.notice
    }

    /// Whether the page can be read.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// Compares the page with what was known, at `raw`. `content` is `None` while the host writes;
    /// `marker` is then read alone.
    pub fn compare(
        &mut self,
        content: Option<Content>,
        marker: u64,
        raw: RawInstant,
    ) -> Option<Change> {
        let marker = content.map_or(marker, |content| content.marker);
        let disrupted = std::mem::replace(&mut self.marker, marker) != marker;
        let disrupted = disrupted.then_some(Change::Marker);
        let Some(content) = content else {
            let since = *self.torn_since.get_or_insert(raw);
            if self.is_readable && raw - since >= LONGEST_WRITE_NS {
                self.is_readable = false;
                return Some(Change::Unreadable);
            }
            return disrupted;
        };
        self.torn_since = None;
        self.notice = (&content).into();
        let before = self.generation;
        // A host that begins or ceases to have a generation does not say that it changed.
        self.generation = content.generation.or(before);
        if !std::mem::replace(&mut self.is_readable, true) {
            return Some(Change::Readable);
        }
        let is_copy = before.is_some() && self.generation != before;
        disrupted.or_else(|| is_copy.then_some(Change::Generation))
    }
}

impl Default for Host {
    /// No host: the marker is 0, and there are no notices.
    fn default() -> Self {
        Self::new(None, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: i64 = 1_000_000;

    fn raw(ms: i64) -> RawInstant {
        RawInstant::from_ns(ms * MS)
    }

    fn content(marker: u64, generation: Option<u64>) -> Content {
        Content {
            marker,
            generation,
            leap: 0,
            tai_offset_s: None,
            disruption_soon: false,
            disruption_imminent: false,
            notifies: false,
        }
    }

    #[test]
    fn marker_and_generation_that_change_are_disruptions_once() {
        let mut host = Host::new(Some(content(1, Some(7))), 1);
        for (marker, generation, change) in [
            (1, Some(7), None),
            (2, Some(7), Some(Change::Marker)),
            (2, Some(7), None),
            (2, Some(8), Some(Change::Generation)),
            (3, Some(9), Some(Change::Marker)),
            (3, None, None),
            (3, Some(9), None),
            (1, Some(9), Some(Change::Marker)),
        ] {
            let now = content(marker, generation);
            assert_eq!(host.compare(Some(now), marker, raw(0)), change, "{now:?}");
            assert_eq!(host.marker(), marker);
        }
    }

    #[test]
    fn a_marker_that_changes_during_a_write_is_a_disruption_at_once() {
        let mut host = Host::new(Some(content(1, None)), 1);
        assert_eq!(host.compare(None, 2, raw(0)), Some(Change::Marker));
        assert_eq!(host.compare(None, 2, raw(1)), None);
        assert_eq!(host.compare(Some(content(2, None)), 2, raw(2)), None);
        assert_eq!(host.marker(), 2);
    }

    #[test]
    fn a_page_that_is_written_for_longer_than_the_kernel_waits_is_unreadable() {
        let mut host = Host::new(Some(content(1, None)), 1);
        assert_eq!(host.compare(None, 1, raw(0)), None);
        assert_eq!(host.compare(None, 1, raw(99)), None);
        assert_eq!(host.compare(None, 1, raw(100)), Some(Change::Unreadable));
        assert!(!host.is_readable());
        assert_eq!(host.compare(None, 1, raw(200)), None);
        let readable = host.compare(Some(content(1, None)), 1, raw(300));
        assert_eq!(readable, Some(Change::Readable));
        assert!(host.is_readable());
        // The next write takes its own time.
        assert_eq!(host.compare(None, 1, raw(400)), None);
    }

    proptest! {
        #[test]
        fn no_change_of_the_marker_goes_unnoticed(
            pages in proptest::collection::vec((any::<bool>(), 0..3u64, 0..200i64), 1..50),
        ) {
            let mut host = Host::new(Some(content(0, None)), 0);
            let (mut known, mut now) = (0, 0);
            for (is_whole, marker, elapsed) in pages {
                now += elapsed;
                let content = is_whole.then(|| content(marker, None));
                let change = host.compare(content, marker, raw(now));
                prop_assert!(marker == known || change.is_some());
                known = marker;
                prop_assert_eq!(host.marker(), known);
            }
        }
    }
}
