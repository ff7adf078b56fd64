//! The one internal estimate of true time.
//!
//! It stands on `CLOCK_MONOTONIC_RAW`, which nobody sets, slews or steers: once a report has said where truth
//! lies, it goes on from there whatever becomes of `CLOCK_REALTIME`. [`projection`](crate::projection) brings it
//! into each published layout.

use shm_layout::native::Leap;
use shm_layout::v1::NO_CLAIM_BOUND_NS;

use crate::bound::{NS_PER_S, growth_ns, scaled_ns};
use crate::clocks::Readings;
use crate::estimator::status::{ClockStatus, Reason};

/// What is known of true time, and how that knowledge ages.
///
/// While `status` is trusted: when `CLOCK_MONOTONIC_RAW` showed `raw_ns`, truth lay in
/// `[earliest_ns, latest_ns]`. Truth then advances by `1 + rate_ppb` against that clock, give or take
/// `growth_ppb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The status to publish.
    pub status: ClockStatus,
    /// Why the status is so.
    pub reason: Reason,
    /// The instant of the interval, `CLOCK_MONOTONIC_RAW` in ns.
    pub raw_ns: i64,
    /// The earliest that truth can have been then, ns of UTC since 1970.
    pub earliest_ns: i64,
    /// The latest, likewise.
    pub latest_ns: i64,
    /// The rate of truth against `CLOCK_MONOTONIC_RAW`, less one, parts per billion.
    pub rate_ppb: i64,
    /// How fast each end of the interval moves outward, parts per billion.
    pub growth_ppb: u32,
    /// What `CLOCK_REALTIME` would gain if the kernel did not adjust it, parts per billion: chrony's frequency.
    pub frequency_ppb: i64,
    /// When the last validated report arrived, `CLOCK_MONOTONIC_RAW` in ns: silence is counted from here.
    pub validated_raw_ns: i64,
    /// When nothing is claimed any more, `CLOCK_MONOTONIC_RAW` in ns.
    pub void_after_raw_ns: i64,
    /// The same as the v1 and v2 layouts have it: whole seconds of `CLOCK_MONOTONIC_COARSE`, in ns.
    pub void_after_coarse_ns: i64,
    /// Whether a leap second is announced.
    pub leap: Leap,
    /// chrony's reference id; 0 for none.
    pub reference_id: u32,
}

impl Estimate {
    /// An estimate that claims nothing.
    #[must_use]
    pub fn unknown(reason: Reason, now: &Readings) -> Self {
        Self {
            status: ClockStatus::Unknown,
            reason,
            raw_ns: now.raw_ns,
            earliest_ns: now.realtime_ns.saturating_sub(NO_CLAIM_BOUND_NS),
            latest_ns: now.realtime_ns.saturating_add(NO_CLAIM_BOUND_NS),
            rate_ppb: 0,
            growth_ppb: 0,
            frequency_ppb: 0,
            validated_raw_ns: now.raw_ns,
            void_after_raw_ns: now.raw_ns,
            void_after_coarse_ns: whole_seconds(now.coarse_ns),
            leap: Leap::Unsynchronized,
            reference_id: 0,
        }
    }

    /// The interval aged to the instant `raw_ns`, rounded outward.
    #[must_use]
    pub fn aged_to(&self, raw_ns: i64) -> (i64, i64) {
        let elapsed_ns = raw_ns.saturating_sub(self.raw_ns);
        // Backwards, too, the interval only widens: a report may be a little older than the one before.
        let growth_ns = growth_ns(elapsed_ns.saturating_abs(), self.growth_ppb);
        let shift_ns = elapsed_ns.saturating_add(scaled_ns(elapsed_ns, self.rate_ppb));
        let earliest_ns = self
            .earliest_ns
            .saturating_add(shift_ns)
            .saturating_sub(growth_ns);
        // The scaling was rounded down.
        let latest_ns = self
            .latest_ns
            .saturating_add(shift_ns)
            .saturating_add(growth_ns)
            .saturating_add(1);
        (earliest_ns, latest_ns)
    }
}

/// Rounded down to whole seconds, as `void_after` is in the systems in the field.
#[must_use]
pub fn whole_seconds(ns: i64) -> i64 {
    ns - ns.rem_euclid(NS_PER_S)
}
