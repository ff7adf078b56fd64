//! Whose measurements are used: the selected source's, those of others while it is unreachable, or
//! what all but `--falsetickers` agree on; and whether that is enough.

use super::core::Estimator;
use super::error_budget::ErrorBudget;
use super::finding::Finding;
use super::history::Point;
use super::sample::{self, Key, Sample};
use super::source_fusion::{Source, covered_by, majority};
use super::status::Reason;
use crate::chrony::Tracking;
use crate::time::{Interval, NS_PER_S, Readings};

/// chrony's root delay of a reference clock whose configuration declares none, s.
const UNDECLARED_DELAY_S: f64 = 1.001e-9;

impl Estimator {
    /// Trusts the source that chronyd follows; while it is unreachable, what most of the others
    /// agree on.
    pub(super) fn follow_selected(
        &mut self,
        samples: &[Sample],
        at: &Readings,
        findings: &mut Vec<Finding>,
    ) {
        let selected = self
            .sources
            .selected()
            .filter(|source| source.is_reachable());
        let Some(selected) = selected.map(|source| source.key) else {
            self.follow_others(samples, findings);
            return;
        };
        if self.followed != Some(selected) {
            self.followed = Some(selected);
            self.begin_to_follow(selected, samples, at, findings);
            return;
        }
        for sample in samples.iter().filter(|sample| sample.key == selected) {
            self.observe(*sample, findings);
        }
    }

    /// A source that becomes the one to follow brings what was measured of it before.
    fn begin_to_follow(
        &mut self,
        key: Key,
        samples: &[Sample],
        at: &Readings,
        findings: &mut Vec<Finding>,
    ) {
        let Some(source) = self.sources.get(key) else {
            return;
        };
        let poll_ns = sample::poll_ns(&source.data);
        let points: Vec<Point> = if self.held.point().is_some() {
            // Nothing is held back to an earlier instant.
            let now = source.own_at(at.raw, self.held.growth().band());
            let raw = at.raw;
            now.map(|interval| Point { raw, interval })
                .into_iter()
                .collect()
        } else {
            source.recent.iter().copied().collect()
        };
        for point in points {
            let known = samples
                .iter()
                .find(|sample| sample.key == key && sample.point.raw == point.raw);
            let budget = known.map_or_else(
                || ErrorBudget {
                    root_distance_ns: point.interval.half_width_ns(),
                    ..ErrorBudget::default()
                },
                |sample| sample.budget,
            );
            let sample = Sample {
                key,
                point,
                budget,
                poll_ns,
            };
            self.observe(sample, findings);
        }
    }

    /// No source is followed, or one that does not answer: what most of those agree on that chronyd
    /// accepts.
    fn follow_others(&mut self, samples: &[Sample], findings: &mut Vec<Finding>) {
        for sample in samples {
            let is_selectable = self
                .sources
                .get(sample.key)
                .is_some_and(Source::is_selectable);
            if !is_selectable {
                continue;
            }
            let band = self.held.growth().band();
            let raw = sample.point.raw;
            let own = self.sources.intervals(raw, band, Source::is_selectable);
            if let Some(interval) = majority(&own) {
                let point = Point { raw, interval };
                self.observe(Sample { point, ..*sample }, findings);
            }
        }
    }

    /// Trusts what all sources but `--falsetickers` agree on.
    pub(super) fn follow_all_but_falsetickers(
        &mut self,
        samples: &[Sample],
        at: &Readings,
        findings: &mut Vec<Finding>,
    ) {
        let falsetickers = self.settings.falsetickers;
        let Some(sample) = samples
            .iter()
            .find(|sample| self.sources.get(sample.key).is_some_and(Source::votes))
        else {
            return;
        };
        let band = self.held.growth().band();
        let own = self.sources.intervals(at.raw, band, Source::votes);
        if own.len() <= 2 * falsetickers {
            return;
        }
        let (raw, reachable) = (at.raw, own.len());
        let Some(interval) = covered_by(&own, reachable - falsetickers) else {
            let hull = own.into_iter().reduce(Interval::hull);
            let dissent = hull.map(|interval| Point { raw, interval });
            self.set_dissent(dissent, reachable, reachable, findings);
            return;
        };
        self.set_dissent(None, 0, reachable, findings);
        let point = Point { raw, interval };
        self.observe(Sample { point, ..*sample }, findings);
    }

    /// chronyd's local mode, which the operator trusts: there is no source to be measured.
    pub(super) fn follow_local_clock(
        &mut self,
        tracking: &Tracking,
        at: &Readings,
        findings: &mut Vec<Finding>,
    ) {
        let moved_ns = self.clock.moved_ns(at.raw, at).unwrap_or(0);
        let (interval, budget) = sample::interval_of_tracking(tracking, at, moved_ns);
        let key = Key {
            address: tracking.address,
            is_reference_clock: true,
        };
        let raw = at.raw;
        let sample = Sample {
            key,
            point: Point { raw, interval },
            budget,
            poll_ns: NS_PER_S,
        };
        self.observe(sample, findings);
    }

    /// Compares what is published with each reachable source.
    pub(super) fn cross_check(&mut self, at: &Readings, findings: &mut Vec<Finding>) {
        let band = self.held.growth().band();
        let own = self.sources.intervals(at.raw, band, Source::votes);
        let published = self.held.at(at.raw).map(|held| match &self.contradiction {
            Some(contradiction) => held.hull(contradiction.other_at(at.raw, self.tolerance)),
            None => held,
        });
        let comparable = published.filter(|_| self.leap_second.announced().is_none());
        let is_disjoint =
            |own: &&Interval| comparable.is_some_and(|other| own.intersect(other).is_none());
        let disjoint = own.iter().filter(is_disjoint).count();
        let raw = at.raw;
        let dissent = if disjoint * 2 > own.len() {
            // Without a majority any of them may be right.
            majority(&own).or_else(|| own.iter().copied().reduce(Interval::hull))
        } else {
            None
        };
        let dissent = dissent.map(|interval| Point { raw, interval });
        self.set_dissent(dissent, disjoint, own.len(), findings);
    }

    /// Replaces the dissent: where true time is by the sources that contradict the held interval,
    /// `disjoint` of `reachable`. Reports one that begins.
    fn set_dissent(
        &mut self,
        dissent: Option<Point>,
        disjoint: usize,
        reachable: usize,
        findings: &mut Vec<Finding>,
    ) {
        if let (Some(point), None) = (dissent, self.dissent) {
            findings.push(Finding::SourcesDisagree {
                disjoint,
                reachable,
            });
            self.begin_at(point.raw);
        }
        self.changed_much |= self.dissent != dissent;
        self.dissent = dissent;
    }

    /// Whether chronyd selects a source that is reachable, and its bound can be computed.
    pub(super) fn validate(&self, at: &Readings) -> Result<(), Reason> {
        let votes = self.sources.iter().filter(|source| source.votes()).count();
        if self.settings.falsetickers > 0 {
            let enough = votes > 2 * self.settings.falsetickers;
            return if enough {
                Ok(())
            } else {
                Err(Reason::TooFewSources)
            };
        }
        let selected = self.sources.selected();
        if let Some(selected) = selected.filter(|source| source.is_reachable()) {
            let known = self.phc_bound_ns(&selected.data, at).is_some();
            return if known {
                Ok(())
            } else {
                Err(Reason::PhcUnreadable)
            };
        }
        let others = self.sources.iter().any(Source::is_selectable);
        if others {
            Ok(())
        } else {
            Err(Reason::SourceUnreachable)
        }
    }

    pub(super) fn warn_of_undeclared_reference_clock(
        &mut self,
        tracking: &Tracking,
        findings: &mut Vec<Finding>,
    ) {
        let undeclared = self.sources.selected().is_some_and(|source| {
            source.key.is_reference_clock
                && tracking.root_delay_s <= UNDECLARED_DELAY_S
                && source.key.address.as_reference_id() != self.settings.phc_reference_id
        });
        if undeclared && !std::mem::replace(&mut self.undeclared_reported, true) {
            findings.push(Finding::UndeclaredReferenceClock);
        }
    }
}
