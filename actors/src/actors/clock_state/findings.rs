//! Counts and logs what the estimator finds.

use std::time::Instant;

use slog::{error, info, warn};

use super::ClockState;
use crate::estimator::Finding;

impl ClockState {
    /// Counts and logs a finding.
    pub(super) fn report_finding(&mut self, finding: Finding) {
        let (log, counters) = (&self.parts.log, &self.counters);
        match finding {
            Finding::Contradiction {
                held,
                measured,
                source,
            } => {
                let alarms = counters.contradictions.increment();
                if self.alarm_limit.pass(alarms, Instant::now()).is_some() {
                    error!(log,
                        "measurement is disjoint from the held interval, publishing their hull";
                        "held_earliest_ns" => held.earliest.as_ns(),
                        "held_latest_ns" => held.latest.as_ns(),
                        "reported_earliest_ns" => measured.earliest.as_ns(),
                        "reported_latest_ns" => measured.latest.as_ns(),
                        "source" => source.to_string(), "alarms" => alarms);
                }
            }
            Finding::ContradictionEnded { held_stands } => {
                info!(log, "contradiction resolved"; "held_interval_stands" => held_stands);
            }
            Finding::DriftExceeded => {
                counters.drift_exceeded.increment();
                error!(log, "measured rates contradict --max-drift-rate";
                    "max_drift_ppb" => self.parts.settings.max_drift_ppb,
                    "advice" => "increase --max-drift-rate, or check for a source that is wrong");
            }
            Finding::WanderExceeded => {
                counters.wander_exceeded.increment();
                error!(log, "measured rates contradict --max-wander, ignoring it for one holdover";
                    "advice" => "increase --max-wander, or omit it");
            }
            Finding::SourcesDisagree {
                disjoint,
                reachable,
            } => {
                counters.disagreements.increment();
                error!(log, "sources disagree, publishing the hull with the majority's interval";
                    "disjoint" => disjoint, "reachable" => reachable);
            }
            Finding::UndeclaredReferenceClock => {
                warn!(log, "reference clock has no declared error";
                    "advice" => "set \"delay\" on its refclock line to twice its largest error");
            }
            Finding::ClockStepped { by_ns, suspended } => {
                let steps = counters.clock_steps.increment();
                if suspended {
                    counters.suspends.increment();
                }
                if self.step_limit.pass(steps, Instant::now()).is_some() {
                    warn!(log, "system clock was set"; "by_ns" => by_ns, "suspended" => suspended);
                }
            }
            Finding::ClockSlewed { by_ns } => {
                let slews = counters.clock_slews.increment();
                if self.slew_limit.pass(slews, Instant::now()).is_some() {
                    warn!(log, "another program slews the system clock";
                        "by_ns" => by_ns, "alarms" => slews);
                }
            }
            Finding::LeapSecondDecided { happened } => {
                info!(log, "leap second is over"; "happened" => happened);
            }
        }
    }
}
