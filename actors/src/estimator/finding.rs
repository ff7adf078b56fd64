//! Findings of the estimator that are logged for the operator.

use super::sample::Key;
use crate::time::Interval;

/// A finding for the operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Finding {
    /// A measurement is disjoint from the held interval, so that a premise is broken.
    Contradiction {
        /// The held interval.
        held: Interval,
        /// Where the measurement puts true time at the same instant.
        measured: Interval,
        /// The source.
        source: Key,
    },
    /// A contradiction is over.
    ContradictionEnded {
        /// The held interval is valid; otherwise the one that contradicted it.
        held_stands: bool,
    },
    /// The measured rates contradict `--max-drift-rate`, or a source is wrong.
    DriftExceeded,
    /// The measurements contradict `--max-wander`, which is not relied on for a holdover.
    WanderExceeded,
    /// More than half of the reachable sources are disjoint from what is published, or more sources
    /// disagree than may be wrong.
    SourcesDisagree {
        /// How many are disjoint.
        disjoint: usize,
        /// Of so many.
        reachable: usize,
    },
    /// A reference clock's error is not declared in chronyd's configuration.
    UndeclaredReferenceClock,
    /// `CLOCK_REALTIME` was stepped, by chronyd or by another program.
    ClockStepped {
        /// By how much it moved against `CLOCK_MONOTONIC_RAW`, ns.
        by_ns: i64,
        /// The machine was suspended, which is why.
        suspended: bool,
    },
    /// A program other than chronyd slews `CLOCK_REALTIME`.
    ClockSlewed {
        /// By how much it moved since the last update of chronyd's clock, or since the last such
        /// finding, ns.
        by_ns: i64,
    },
    /// A measurement has shown whether an announced leap second happened.
    LeapSecondDecided {
        /// Whether it did.
        happened: bool,
    },
}
