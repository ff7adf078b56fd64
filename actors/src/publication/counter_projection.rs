//! The estimate as a record of the layout v3, whose readers carry it by the processor's counter.
//!
//! The layouts v1 and v2 are centred on `CLOCK_REALTIME`. This one is centred on the interval
//! itself, so that its readers have the width of the native layout.

use shm_layout::v3::V3Record;
use shm_layout::{ClockStatus, NO_CLAIM_BOUND_NS};

use super::counter_clock::CalibratedCounter;
use crate::estimator::Estimate;
use crate::time::{Readings, scaled_floor};

/// What the published 3.x clients can lose by rounding, ns: one each in the time, in the bound, and
/// in double precision; and one of the interval, which is rounded outward at each instant.
const CLIENT_ROUNDING_NS: i64 = 4;

/// The v3 record of `estimate` at the counter's value of the last bracket.
///
/// It claims nothing if the estimate does not, and if the layout cannot express the interval.
#[must_use]
pub fn to_v3(estimate: &Estimate, counter: &CalibratedCounter, at: &Readings) -> V3Record {
    if !estimate.status.is_trusted() {
        return without_claim(estimate, estimate.status, at);
    }
    let Some(growth) = counter.period.growth(estimate.band) else {
        return without_claim(estimate, ClockStatus::Unknown, at);
    };
    let (first, last) = counter.bracket.raw_before(counter.period);
    let interval = estimate.at(first).hull(estimate.at(last));
    let as_of = interval.earliest.midpoint(interval.latest);
    let bound_ns = (as_of - interval.earliest)
        .max(interval.latest - as_of)
        .saturating_add(CLIENT_ROUNDING_NS);
    // As long as UTC takes at least, so that no reader relies on it for longer.
    let until_void_ns = (estimate.void_after - last).max(0);
    let until_void_ns =
        until_void_ns.saturating_add(scaled_floor(until_void_ns, estimate.band.slowest));
    V3Record {
        as_of_counter: counter.bracket.before,
        as_of_ns: as_of.as_ns(),
        void_after_ns: as_of.as_ns().saturating_add(until_void_ns),
        period: growth.period,
        period_error: growth.period_error,
        bound_ns: bound_ns.clamp(0, NO_CLAIM_BOUND_NS),
        max_drift_ppb: growth.max_drift_ppb,
        status: estimate.status,
        ..without_claim(estimate, estimate.status, at)
    }
}

/// A v3 record that claims nothing, at the instant `at`, with a `status` that is not trusted and the
/// disruption marker of `estimate`.
#[must_use]
pub fn without_claim(estimate: &Estimate, status: ClockStatus, at: &Readings) -> V3Record {
    V3Record {
        status,
        disruption: estimate.disruption,
        is_simulated: estimate.is_simulated,
        ..V3Record::no_claim(at.realtime.as_ns())
    }
}
