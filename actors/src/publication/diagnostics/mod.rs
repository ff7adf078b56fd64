//! The diagnostics: what the daemon knows beside the interval, for the operator's tools.
//!
//! ```text
//!   estimate, sources, tracking report --projection--> DiagnosticsRecord
//!   all actors and the supervisor --> counters ----------^
//!   pace: since when the state is so, and whether a record is due
//! ```

mod counters;
mod pace;
mod projection;

use std::sync::Arc;

use shm_layout::diagnostics::DiagnosticsRecord;

pub use counters::{Counter, EventCounters};
pub use pace::{Pace, Since, StateTimes, Trigger};
pub use projection::{Process, Situation, settings_of, to_diagnostics};

use crate::chrony::Tracking;
use crate::estimator::status::Reason;
use crate::estimator::{Estimate, Estimator};
use crate::time::{RawInstant, Readings};

/// Makes the records of the diagnostics. What it knows does not belong to one life of an actor.
#[derive(Debug)]
pub struct Diagnostics {
    /// The process.
    pub process: Process,
    /// The counters, which it shares.
    pub counters: Arc<EventCounters>,
    /// Since when the state is so.
    pub times: StateTimes,
    /// When chronyd was last known to follow a source.
    pub validated: Option<RawInstant>,
    /// chronyd's last tracking report.
    pub tracking: Option<Tracking>,
    /// When the last record was made.
    pub pace: Pace,
}

impl Diagnostics {
    /// Notes what is published at the instant of `at`.
    pub fn note(&mut self, estimate: &Estimate, failure: Option<Reason>, at: &Readings) {
        let times = &mut self.times;
        if times.status.note(estimate.status, at.raw) {
            self.counters.status_changes.increment();
        }
        times.reason.note(estimate.reason, at.raw);
        // Any other estimate has the instant at which it was made.
        let is_capped = estimate.reason == Reason::BoundOverCap && failure.is_none();
        if estimate.status.is_trusted() || is_capped {
            self.validated = Some(estimate.validated);
        }
        let failure = failure.unwrap_or(Reason::Tracking);
        times.failure.note(failure, at.raw);
    }

    /// The record for `estimate`, which is published at the instant of `at`, if one is due.
    pub fn record_if_due(
        &mut self,
        estimate: &Estimate,
        estimator: &Estimator,
        at: &Readings,
        is_drill: bool,
    ) -> Option<Box<DiagnosticsRecord>> {
        let times = &self.times;
        let trigger = Trigger {
            state: (times.status.value, times.reason.value, times.failure.value),
            is_drill,
            events: self.counters.events(),
            restarts: self.counters.restarts(),
        };
        if !self.pace.is_due(at.raw, trigger) {
            return None;
        }
        let situation = Situation {
            process: &self.process,
            times,
            validated: self.validated,
            tracking: self.tracking.as_ref(),
            counters: &self.counters,
            is_drill,
        };
        let sources = estimator.sources_at(at.raw);
        Some(Box::new(to_diagnostics(estimate, at, &situation, sources)))
    }
}
