//! What the estimator is configured with.

use crate::time::Rate;

/// What does not change while the daemon runs.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How far the oscillator may move from its measured rate within the holdover, parts per
    /// billion.
    pub max_drift_ppb: u32,
    /// How fast the oscillator's rate may change, parts per billion a second, if that is known.
    pub max_wander_ppb_per_s: Option<u32>,
    /// How many of the sources may be wrong; 0 trusts the one that chronyd selects.
    pub falsetickers: usize,
    /// chrony's reference id of the PHC, if there is one.
    pub phc_reference_id: Option<u32>,
    /// How long chronyd may be without a source, or silent, before the status is no longer
    /// `Synchronized`, ns.
    pub grace_ns: i64,
    /// How long the held interval is published without a source, ns; also the span within which
    /// rates are measured.
    pub holdover_ns: i64,
    /// An error of `CLOCK_REALTIME` above this is not published as trusted, ns.
    pub max_bound_ns: Option<i64>,
    /// Whether chronyd's local mode counts as a reference.
    pub allow_local_reference: bool,
}

impl Settings {
    /// `max_drift_ppb` as a rate.
    #[must_use]
    pub fn drift(&self) -> Rate {
        Rate::from_ppb(i64::from(self.max_drift_ppb))
    }

    /// `max_wander_ppb_per_s`: how far the rate may change in a second; 0 without the premise.
    #[must_use]
    pub fn wander_per_s(&self) -> Rate {
        Rate::from_ppb(i64::from(self.max_wander_ppb_per_s.unwrap_or(0)))
    }
}
