//! The estimator resumes from any bytes in the resume area of a segment and computes an interval.
#![no_main]

use clockbound_actors::chrony::Leap;
use clockbound_actors::estimator::status::ClockStatus;
use clockbound_actors::estimator::{Estimator, Resumed, Settings, State};
use clockbound_actors::time::{CoarseInstant, Rate, RawInstant, Readings, RealtimeInstant};
use libfuzzer_sys::fuzz_target;

const S: i64 = 1_000_000_000;

fuzz_target!(|data: &[u8]| {
    let Some(state) = State::from_bytes(data) else {
        return;
    };
    assert_eq!(State::from_bytes(&state.to_bytes()).as_ref(), Some(&state));
    let now = Readings {
        coarse: CoarseInstant::from_ns(1_000 * S),
        raw: RawInstant::from_ns(1_000 * S),
        realtime: RealtimeInstant::from_ns(1_800_000_000 * S),
        gap_ns: 30,
        kernel: Some(Rate::default()),
        suspended_ns: 0,
    };
    let settings = Settings {
        max_drift_ppb: 50_000,
        max_wander_ppb_per_s: Some(20),
        falsetickers: 0,
        phc_reference_id: None,
        grace_ns: 2 * S,
        holdover_ns: 1_000 * S,
        max_bound_ns: None,
        allow_local_reference: false,
    };
    let resumed = Resumed {
        status: ClockStatus::Synchronized,
        validated: now.raw,
        valid_since: now.raw,
        leap: Leap::Normal,
        reference_id: 0,
        state,
    };
    let estimate = Estimator::new(settings, Some(resumed), 0, &now).estimate(&now);
    assert!(estimate.interval.earliest <= estimate.interval.latest);
    let later = estimate.at(now.raw + 10 * S);
    assert!(later.earliest <= later.latest);
});
