//! The published estimate: the interval of true time, its growth, status and error budget.

use super::error_budget::ErrorBudget;
use super::realtime_rates::RealtimeRates;
use super::status::{ClockStatus, Disruption, HostNotice, Reason};
use crate::chrony::Leap;
use crate::time::{Interval, NS_PER_S, Rate, RateBand, RawInstant, Readings};

/// Half the width of an interval that claims nothing, ns: 31 years, for readers that do not check
/// the status.
pub const NO_CLAIM_NS: i64 = 1_000_000_000 * NS_PER_S;

/// An interval that contains true time, and how it grows.
///
/// While `status` is trusted: when `CLOCK_MONOTONIC_RAW` showed `raw`, true time was in `interval`.
/// From then on UTC advances against that clock with a frequency offset in `band`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The clock status.
    pub status: ClockStatus,
    /// Why the status is so.
    pub reason: Reason,
    /// The instant of the interval.
    pub raw: RawInstant,
    /// Where true time was then.
    pub interval: Interval,
    /// The frequency offset of UTC, until `void_after`.
    pub band: RateBand,
    /// When chronyd was last known to follow a source: silence is counted from here.
    pub validated: RawInstant,
    /// When nothing is claimed any more.
    pub void_after: RawInstant,
    /// Nothing is claimed about earlier instants.
    pub valid_since: RawInstant,
    /// The host's disruption marker: the interval is void when it has changed.
    pub disruption: Disruption,
    /// What the host announces. The estimator does not use it.
    pub notice: HostNotice,
    /// How `CLOCK_REALTIME` advanced until `raw`, if that is known.
    pub realtime: Option<RealtimeRates>,
    /// Whether chronyd announces a leap second.
    pub leap: Leap,
    /// chrony's reference id; 0 for none.
    pub reference_id: u32,
    /// What makes up half the width.
    pub budget: ErrorBudget,
    /// A program made it up for a test: it says nothing about the clock.
    pub is_simulated: bool,
}

impl Estimate {
    /// An estimate that claims nothing.
    #[must_use]
    pub fn unknown(status: ClockStatus, reason: Reason, now: &Readings) -> Self {
        Self {
            status,
            reason,
            raw: now.raw,
            interval: Interval::around(now.realtime, NO_CLAIM_NS),
            band: RateBand::within(Rate::default()),
            validated: now.raw,
            void_after: now.raw,
            valid_since: now.raw,
            disruption: Disruption::default(),
            notice: HostNotice::default(),
            realtime: None,
            leap: Leap::Unsynchronized,
            reference_id: 0,
            budget: ErrorBudget::default(),
            is_simulated: false,
        }
    }

    /// The interval at the instant `raw`.
    #[must_use]
    pub fn at(&self, raw: RawInstant) -> Interval {
        let elapsed_ns = raw - self.raw;
        self.interval.carried(elapsed_ns, self.band)
    }

    /// The largest error that `CLOCK_REALTIME` can have, as it was read `at`, ns.
    #[must_use]
    pub fn realtime_error_ns(&self, at: &Readings) -> i64 {
        let interval = self.at(at.raw);
        let behind_ns = at.realtime - interval.earliest;
        behind_ns.max(interval.latest - at.realtime)
    }
}
