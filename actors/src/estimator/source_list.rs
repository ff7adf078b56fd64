//! The sources as the estimator knows them, for the diagnostics. Changes no state.

use super::core::Estimator;
use super::sample::{self, Key};
use super::source_fusion::Source;
use super::status::Reason;
use crate::chrony::SourceData;
use crate::time::{Interval, NS_PER_S, RawInstant};

/// A source of chronyd, at the instant that was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ListedSource {
    /// The source.
    pub key: Key,
    /// The last report on it.
    pub data: SourceData,
    /// When its last measurement was made, to within a second; `None` without one.
    pub measured: Option<RawInstant>,
    /// Where true time is by its measurements alone; `None` without one.
    pub own: Option<Interval>,
    /// The estimate is made of its measurements.
    pub is_followed: bool,
    /// How many of its measurements were used since it was added.
    pub measurements: u64,
}

impl Estimator {
    /// Why the last reports are unusable; `None` if they are usable.
    #[must_use]
    pub fn failure(&self) -> Option<Reason> {
        self.failure
    }

    /// How many measurements were used since the last call.
    pub fn take_measurements(&mut self) -> u64 {
        std::mem::take(&mut self.measurements)
    }

    /// Every source, with its own interval at `raw`: in the order in which they became known.
    pub fn sources_at(&self, raw: RawInstant) -> impl Iterator<Item = ListedSource> {
        let band = self.held.growth().band();
        self.sources.iter().map(move |source| ListedSource {
            key: source.key,
            data: source.data,
            measured: measured(source),
            own: source.own_at(raw, band),
            is_followed: self.follows(source),
            measurements: source.measurements,
        })
    }

    /// Whether the estimate is made of the measurements of this source.
    fn follows(&self, source: &Source) -> bool {
        if self.sampled.is_none() {
            return false;
        }
        if self.settings.falsetickers > 0 {
            return source.votes();
        }
        let selected = self.sources.selected();
        match selected.filter(|selected| selected.is_reachable()) {
            Some(_) => self.followed == Some(source.key),
            None => source.is_selectable(),
        }
    }
}

/// The last measurement's instant, by its age in the last report.
fn measured(source: &Source) -> Option<RawInstant> {
    let age_ns = i64::from(source.data.since_sample_s).saturating_mul(NS_PER_S);
    let is_aged = sample::has_measurement(&source.data) && source.data.since_sample_s != u32::MAX;
    is_aged.then(|| source.reported - age_ns)
}
