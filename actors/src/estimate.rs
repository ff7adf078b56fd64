//! The one internal estimate of true time, and its projection onto each published layout.

use shm_layout::ClockStatus;
use shm_layout::v1::{NO_CLAIM_BOUND_NS, V1Record};

use crate::bound::{NS_PER_S, read_margin_ns};
use crate::status::Reason;

/// How long a held bound may be used, ns: 1000 s, as in the systems in the field.
pub const HOLDOVER_NS: i64 = 1000 * NS_PER_S;

/// What true time was known to be at one instant, and how that knowledge ages.
///
/// While `status` is trusted: at `as_of_ns` truth lay in `R + correction_ns -+ root_distance_ns`,
/// R being `CLOCK_REALTIME`, and the half width grows by at most `max_drift_ppb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The status to publish.
    pub status: ClockStatus,
    /// Why the status is so.
    pub reason: Reason,
    /// `CLOCK_MONOTONIC_COARSE` in ns, read before chronyd was asked.
    pub as_of_ns: i64,
    /// Signed offset of truth from `CLOCK_REALTIME`, ns; > 0 when the clock is slow.
    pub correction_ns: i64,
    /// Half width of the interval around `R + correction_ns`, ns; never negative.
    pub root_distance_ns: i64,
    /// Growth of the half width, parts per billion.
    pub max_drift_ppb: u32,
    /// chrony's reference id; 0 for none.
    pub reference_id: u32,
}

impl Estimate {
    /// An estimate that claims nothing.
    #[must_use]
    pub fn unknown(reason: Reason, as_of_ns: i64, max_drift_ppb: u32) -> Self {
        Self {
            status: ClockStatus::Unknown,
            reason,
            as_of_ns,
            correction_ns: 0,
            root_distance_ns: NO_CLAIM_BOUND_NS,
            max_drift_ppb,
            reference_id: 0,
        }
    }

    /// The estimate behind a record that this daemon published earlier in this boot.
    ///
    /// The record's centre is R, so the correction is inside its bound. The growth is the larger of
    /// the record's and ours: the clock may have drifted by the former since.
    #[must_use]
    pub fn resumed(record: &V1Record, max_drift_ppb: u32) -> Self {
        Self {
            status: record.status,
            reason: Reason::Resumed,
            as_of_ns: record.as_of_ns,
            correction_ns: 0,
            root_distance_ns: record
                .bound_ns
                .saturating_sub(read_margin_ns(record.max_drift_ppb))
                .max(0),
            max_drift_ppb: record.max_drift_ppb.max(max_drift_ppb),
            reference_id: 0,
        }
    }

    /// The instant after which nothing is claimed, `CLOCK_MONOTONIC_COARSE` ns: whole seconds, as in
    /// the systems in the field.
    #[must_use]
    pub fn void_after_ns(&self) -> i64 {
        let whole = self.as_of_ns - self.as_of_ns.rem_euclid(NS_PER_S);
        whole.saturating_add(HOLDOVER_NS)
    }

    /// The estimate as a v1 record: centred on `CLOCK_REALTIME`, aged by coarse readers.
    #[must_use]
    pub fn to_v1(&self) -> V1Record {
        let bound_ns = self
            .correction_ns
            .saturating_abs()
            .saturating_add(self.root_distance_ns)
            .saturating_add(read_margin_ns(self.max_drift_ppb))
            .min(NO_CLAIM_BOUND_NS);
        V1Record {
            as_of_ns: self.as_of_ns,
            void_after_ns: self.void_after_ns(),
            bound_ns,
            max_drift_ppb: self.max_drift_ppb,
            status: self.status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(correction_ns: i64) -> Estimate {
        Estimate {
            status: ClockStatus::Synchronized,
            reason: Reason::Tracking,
            as_of_ns: 12_345_678_901,
            correction_ns,
            root_distance_ns: 1_000,
            max_drift_ppb: 50_000,
            reference_id: 0x7f00_0001,
        }
    }

    #[test]
    fn a_fast_and_a_slow_clock_widen_the_v1_bound_alike() {
        for correction in [5_004_000, -5_004_000] {
            assert_eq!(
                estimate(correction).to_v1().bound_ns,
                5_004_000 + 1_000 + 1_000
            );
        }
    }

    #[test]
    fn void_after_is_a_thousand_whole_seconds_on() {
        assert_eq!(estimate(0).to_v1().void_after_ns, 1012 * NS_PER_S);
    }

    #[test]
    fn resuming_keeps_status_instant_and_bound() {
        let record = estimate(-7_000).to_v1();
        assert_eq!(Estimate::resumed(&record, 50_000).to_v1(), record);
    }

    #[test]
    fn resuming_never_narrows_nor_slows_the_growth() {
        let record = estimate(-7_000).to_v1();
        for drift in [1, 1_000, 50_000, 500_000] {
            let resumed = Estimate::resumed(&record, drift).to_v1();
            assert!(resumed.bound_ns >= record.bound_ns);
            assert!(resumed.max_drift_ppb >= record.max_drift_ppb);
        }
    }

    #[test]
    fn an_estimate_that_claims_nothing_is_unknown_and_wide() {
        let record = Estimate::unknown(Reason::NeverSynchronized, 0, 50_000).to_v1();
        assert_eq!(
            (record.status, record.bound_ns),
            (ClockStatus::Unknown, NO_CLAIM_BOUND_NS)
        );
    }
}
