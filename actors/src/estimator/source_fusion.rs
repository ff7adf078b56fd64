//! Combines the intervals of several sources.
//!
//! Each source's own interval is what its own measurements leave, carried on by the proved rates.
//! If at most F of n sources are wrong, true time is covered by at least n - F of their intervals,
//! and so lies in the hull of the points that as many cover (Marzullo 1984).

use std::collections::VecDeque;

use super::history::Point;
use super::sample::{Key, LastReport};
use crate::chrony::{SourceData, SourceState};
use crate::time::{Interval, RateBand, RawInstant, RealtimeInstant};

/// The largest number of sources.
const MAX_SOURCES: usize = 64;

/// Measurements of a source that are kept for when chronyd selects it.
const MAX_RECENT: usize = 8;

/// A source, as it was last reported.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its key.
    pub key: Key,
    /// The last report.
    pub data: SourceData,
    /// When it was requested.
    pub reported: RawInstant,
    /// What the next report is compared with; `None` when it is not known which measurements came
    /// before.
    pub last_report: Option<LastReport>,
    /// Where true time is by its measurements alone.
    pub own: Option<Point>,
    /// Its last measurements, oldest first.
    pub recent: VecDeque<Point>,
    /// How many measurements were used since the source was added.
    pub measurements: u64,
}

impl Source {
    /// Whether it answered any of chronyd's last eight polls.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        self.data.reachability != 0
    }

    /// Whether chronyd uses it for the selection: `noselect`, unreachable and unsynchronised
    /// sources are left out.
    #[must_use]
    pub fn votes(&self) -> bool {
        self.is_reachable() && self.data.state != SourceState::Nonselectable
    }

    /// Whether chronyd accepts it, without selecting it.
    #[must_use]
    pub fn is_selectable(&self) -> bool {
        let state = self.data.state;
        self.is_reachable() && matches!(state, SourceState::Selectable | SourceState::Unselected)
    }

    /// Its own interval at `raw`, while UTC's rate is in `band`.
    #[must_use]
    pub fn own_at(&self, raw: RawInstant, band: RateBand) -> Option<Interval> {
        let own = self.own?;
        Some(own.interval.carried(raw - own.raw, band))
    }

    /// Takes a measurement of the source.
    ///
    /// One that contradicts those before replaces them: a correct source never contradicts itself.
    pub fn add_measurement(&mut self, point: Point, band: RateBand) {
        let common = self
            .own_at(point.raw, band)
            .and_then(|own| own.intersect(point.interval));
        if common.is_none() {
            self.recent.clear();
        }
        self.own = Some(Point {
            interval: common.unwrap_or(point.interval),
            ..point
        });
        if self.recent.len() >= MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(point);
        self.measurements += 1;
    }

    /// Forgets its measurements.
    pub fn forget(&mut self) {
        self.own = None;
        self.recent.clear();
    }
}

/// All sources of chronyd.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    all: Vec<Source>,
    /// When all sources were last requested: one that appears later was added later.
    complete: Option<RawInstant>,
}

impl Sources {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.all.iter()
    }

    /// The source of this key.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Source> {
        self.all.iter().find(|source| source.key == key)
    }

    /// The source that chronyd follows.
    #[must_use]
    pub fn selected(&self) -> Option<&Source> {
        let selected = |source: &&Source| source.data.state == SourceState::Selected;
        self.all.iter().find(selected)
    }

    /// Takes a report that was requested at `raw`, and returns its source as it was known before.
    /// One that is new here was added since all were last requested.
    pub fn entry_of(&mut self, data: &SourceData, raw: RawInstant) -> Option<&mut Source> {
        let key = Key::of(data);
        if data.state == SourceState::Selected {
            // Only one is; the others' reports may be older.
            for source in self.all.iter_mut().filter(|source| source.key != key) {
                if source.data.state == SourceState::Selected {
                    source.data.state = SourceState::Unselected;
                }
            }
        }
        let index = self.all.iter().position(|source| source.key == key);
        let index = match index {
            Some(index) => index,
            None if self.all.len() >= MAX_SOURCES => return None,
            None => {
                self.all.push(Source {
                    key,
                    data: *data,
                    reported: raw,
                    last_report: self.complete.map(|raw| LastReport { raw, report: None }),
                    own: None,
                    recent: VecDeque::new(),
                    measurements: 0,
                });
                self.all.len() - 1
            }
        };
        self.all.get_mut(index)
    }

    /// These are all sources that there are, as of `raw`: the others are gone.
    pub fn retain_listed(&mut self, reports: &[SourceData], raw: RawInstant) {
        self.all
            .retain(|source| reports.iter().any(|data| Key::of(data) == source.key));
        self.complete = Some(raw);
    }

    /// Forgets which measurements came before: those that the next report has were not seen to
    /// arrive.
    pub fn forget_last_reports(&mut self) {
        for source in &mut self.all {
            source.last_report = None;
        }
        self.complete = None;
    }

    /// Forgets every measurement, but not which came before: UTC had a leap second.
    pub fn forget(&mut self) {
        self.all.iter_mut().for_each(Source::forget);
    }

    /// Forgets what was measured before `raw`.
    pub fn forget_before(&mut self, raw: RawInstant) {
        let is_old = |source: &&mut Source| source.own.is_some_and(|own| own.raw < raw);
        self.all.iter_mut().filter(is_old).for_each(Source::forget);
    }

    /// The own intervals at `raw` of the sources that `counts`.
    pub fn intervals(
        &self,
        raw: RawInstant,
        band: RateBand,
        counts: impl Fn(&Source) -> bool,
    ) -> Vec<Interval> {
        let counted = self.all.iter().filter(|source| counts(source));
        counted
            .filter_map(|source| source.own_at(raw, band))
            .collect()
    }
}

/// The hull of the points that at least `number` of these intervals cover; `None` when there are
/// none.
#[must_use]
pub fn covered_by(intervals: &[Interval], number: usize) -> Option<Interval> {
    // At one instant intervals begin before others end: both ends are inside.
    let begins = intervals.iter().map(|interval| (interval.earliest, 0));
    let ends = intervals.iter().map(|interval| (interval.latest, 1));
    let mut edges: Vec<(RealtimeInstant, u8)> = begins.chain(ends).collect();
    edges.sort_unstable();
    let (mut covering, mut hull) = (0, None::<Interval>);
    for (instant, is_end) in edges {
        if is_end == 0 {
            covering += 1;
        }
        if covering >= number {
            let here = Interval::new(instant, instant);
            hull = Some(hull.map_or(here, |hull| hull.hull(here)));
        }
        if is_end == 1 {
            covering -= 1;
        }
    }
    hull.filter(|_| number > 0)
}

/// The hull of what more than half of the intervals cover.
#[must_use]
pub fn majority(intervals: &[Interval]) -> Option<Interval> {
    covered_by(intervals, intervals.len() / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn intervals(ends: &[(i64, i64)]) -> Vec<Interval> {
        ends.iter()
            .map(|&(earliest, latest)| Interval::from_ns(earliest, latest))
            .collect()
    }

    #[test]
    fn the_hull_of_what_enough_intervals_cover() {
        let apart = [(0, 10), (5, 15), (20, 30), (25, 26)];
        for (ends, number, hull) in [
            (&apart[..], 1, Some((0, 30))),
            (&apart[..], 2, Some((5, 26))),
            (&apart[..], 3, None),
            (&apart[..2], 2, Some((5, 10))),
            (&[(0, 5), (5, 9)][..], 2, Some((5, 5))),
            (&[][..], 1, None),
            (&apart[..], 0, None),
        ] {
            let hull = hull.map(|(earliest, latest)| Interval::from_ns(earliest, latest));
            assert_eq!(
                covered_by(&intervals(ends), number),
                hull,
                "{number} of {ends:?}"
            );
        }
    }

    #[test]
    fn two_sources_apart_have_no_majority() {
        assert_eq!(majority(&intervals(&[(0, 1), (5, 6)])), None);
        assert_eq!(
            majority(&intervals(&[(0, 5)])),
            Some(Interval::from_ns(0, 5))
        );
        assert_eq!(
            majority(&intervals(&[(0, 5), (4, 9), (100, 101)])),
            Some(Interval::from_ns(4, 5))
        );
    }

    proptest! {
        #[test]
        fn the_hull_contains_true_time_if_no_more_sources_are_wrong_than_assumed(
            honest in proptest::collection::vec((0..1_000i64, 0..1_000i64), 1..8),
            lies in proptest::collection::vec((-5_000..5_000i64, 0..1_000i64), 0..4),
        ) {
            prop_assume!(lies.len() * 2 < honest.len() + lies.len());
            let mut all: Vec<Interval> =
                honest.iter().map(|&(below, above)| Interval::from_ns(-below, above)).collect();
            all.extend(lies.iter().map(|&(at, width)| Interval::from_ns(at, at + width)));
            let hull = covered_by(&all, all.len() - lies.len());
            prop_assert!(hull.is_some_and(|hull| hull.contains(RealtimeInstant::default())), "{:?} of {:?}", hull, all);
        }
    }
}
