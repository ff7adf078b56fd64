//! The estimate, projected onto each published layout, and taken back from it by the next life.
//!
//! The native layout has the estimate as it is. Layouts that are centred on `CLOCK_REALTIME` are
//! projected each round, from the reading of that clock and its rate in the kernel.

use shm_layout::layout::realtime_bound::growth_ns;
use shm_layout::native::NativeRecord;
use shm_layout::v1::V1Record;
use shm_layout::v2::V2Record;
use shm_layout::{ClockStatus, DRIFT_LIMIT_PPB, Leap, NO_CLAIM_BOUND_NS};

use crate::estimator::{Estimate, Resumed, State};
use crate::time::{
    FREQUENCY_LIMIT, Interval, NS_PER_S, Rate, RateBand, RawInstant, Readings, saturated,
};

/// The maximum lag of a reader's `CLOCK_MONOTONIC_COARSE`, ns: two ticks of the slowest kernel
/// (HZ=100). 7.6 ms were measured at HZ=250, a little under two ticks. A reader does not count the
/// growth of the bound in that time, so the published bound includes it.
const READ_LAG_NS: i64 = 20_000_000;

const NS_PER_US: i64 = 1_000;
const PPT_PER_ONE: i128 = 1_000_000_000_000;

/// How the native layout is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// A record reads as free running this long after chronyd was last known to follow a source,
    /// ns.
    pub stale_ns: i64,
    /// The longest time between two publications of a daemon that works, ns.
    pub interval_ns: i64,
}

/// The native record of `estimate` at the instant `at`.
#[must_use]
pub fn to_native(estimate: &Estimate, pace: Pace, at: &Readings) -> NativeRecord {
    let (rate, growth) = to_rate_and_growth(estimate.band);
    let (realtime_since, (slowest, fastest), realtime_error_ns) = match estimate.realtime {
        Some(rates) => (rates.since, to_units(rates.band), rates.error_ns),
        None => (RawInstant::default(), (0, 0), at.gap_ns),
    };
    let as_i32 = |units: i128| i32::try_from(units).unwrap_or_default();
    let as_u32 = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    NativeRecord {
        as_of_ns: estimate.raw.as_ns(),
        earliest_ns: estimate.interval.earliest.as_ns(),
        latest_ns: estimate.interval.latest.as_ns(),
        rate,
        growth,
        free_running_after_ns: (estimate.validated + pace.stale_ns).as_ns(),
        void_after_ns: estimate.void_after.as_ns(),
        status: estimate.status,
        reason: estimate.reason,
        leap: estimate.leap,
        source: estimate.reference_id,
        suspended_ns: at.suspended_ns,
        realtime_ns: at.realtime.as_ns(),
        valid_since_ns: estimate.valid_since.as_ns(),
        realtime_since_ns: realtime_since.as_ns(),
        realtime_slowest: as_i32(slowest),
        realtime_fastest: as_i32(fastest),
        publication_interval_us: as_u32(pace.interval_ns / NS_PER_US),
        realtime_error_ns: as_u32(realtime_error_ns),
        disruption: estimate.disruption,
        host: estimate.notice,
        is_simulated: estimate.is_simulated,
    }
}

/// The v1 record of `estimate` at the instant `at`: centred on `CLOCK_REALTIME`, aged by readers of
/// the coarse clock.
#[must_use]
pub fn to_v1(estimate: &Estimate, at: &Readings) -> V1Record {
    let max_drift_ppb = realtime_growth_ppb(estimate.band, at.kernel);
    let margin_ns = growth_ns(READ_LAG_NS, max_drift_ppb);
    let bound_ns = estimate.realtime_error_ns(at).saturating_add(margin_ns);
    let until_void_ns = estimate.void_after - at.raw;
    V1Record {
        as_of_ns: at.coarse.as_ns(),
        void_after_ns: whole_seconds((at.coarse + until_void_ns).as_ns()).max(0),
        bound_ns: bound_ns.clamp(0, NO_CLAIM_BOUND_NS),
        max_drift_ppb,
        status: match estimate.status {
            // Programs of the 1.x generation do not know it.
            ClockStatus::Disrupted => ClockStatus::Unknown,
            status => status,
        },
        is_simulated: estimate.is_simulated,
    }
}

/// The v2 record, likewise, with the disruption marker.
#[must_use]
pub fn to_v2(estimate: &Estimate, at: &Readings) -> V2Record {
    V2Record {
        bound: V1Record {
            status: estimate.status,
            ..to_v1(estimate, at)
        },
        disruption: estimate.disruption,
    }
}

/// What a native record of this boot leaves to the next life: all that `state` has, or the
/// published interval. `stale_ns` is what it was published with.
///
/// `None` when it claims nothing, or when the machine was suspended since.
#[must_use]
pub fn from_native(
    record: &NativeRecord,
    state: Option<State>,
    stale_ns: i64,
    now: &Readings,
) -> Option<Resumed> {
    if !record.status.is_trusted() {
        return None;
    }
    let as_of = RawInstant::from_ns(record.as_of_ns);
    let published = || {
        let interval =
            Interval::from_ns(record.earliest_ns, record.latest_ns.max(record.earliest_ns));
        let band = from_rate_and_growth(record.rate, record.growth);
        State::of_interval(as_of, interval, Some(band), record.suspended_ns)
    };
    let usable = |state: &State| state.is_of(now.suspended_ns);
    let state = state.filter(usable).unwrap_or_else(published);
    let published_since = RawInstant::from_ns(match record.valid_since_ns {
        // The daemon was of an earlier version.
        0 => record.as_of_ns,
        since_ns => since_ns,
    });
    // A daemon that was killed can have written a state that is newer than its record.
    let newer = state.held_at().filter(|&held| held > as_of);
    usable(&state).then_some(Resumed {
        status: record.status,
        validated: RawInstant::from_ns(record.free_running_after_ns) - stale_ns,
        valid_since: newer.map_or(published_since, |held| held.max(published_since)),
        leap: record.leap,
        reference_id: record.source,
        state,
    })
}

/// What a v1 record of this boot leaves to the next life, when there is no native one. Whether
/// `CLOCK_REALTIME` was set or the machine suspended since cannot be known.
#[must_use]
pub fn from_v1(record: &V1Record, now: &Readings) -> Option<Resumed> {
    if !record.status.is_trusted() {
        return None;
    }
    // The interval that a reader computes from the record.
    let (earliest_ns, latest_ns) = record.aged_to(now.realtime.as_ns(), now.coarse.as_ns());
    let interval = Interval::from_ns(earliest_ns, latest_ns).widen(now.gap_ns);
    Some(Resumed {
        status: record.status,
        validated: now.raw - record.age_ns(now.coarse.as_ns()),
        valid_since: now.raw,
        leap: Leap::Normal,
        reference_id: 0,
        state: State::of_interval(now.raw, interval, None, now.suspended_ns),
    })
}

/// How fast an interval centred on `CLOCK_REALTIME` grows, parts per billion: by the largest
/// difference of UTC's rate and the rate of that clock in the kernel, which includes chronyd's
/// correction, a slew, and changes by other programs.
fn realtime_growth_ppb(band: RateBand, kernel: Option<Rate>) -> u32 {
    let farthest = match kernel {
        Some(kernel) => band.farthest_from(kernel),
        None => band
            .farthest_from(FREQUENCY_LIMIT)
            .max(band.farthest_from(-FREQUENCY_LIMIT)),
    };
    let ppb = farthest.as_ppb() + 1;
    u32::try_from(ppb)
        .unwrap_or(u32::MAX)
        .min(DRIFT_LIMIT_PPB - 1)
}

/// Rounded down to whole seconds, as `void_after` is in the systems in the field.
fn whole_seconds(ns: i64) -> i64 {
    ns - ns.rem_euclid(NS_PER_S)
}

/// The ends of the band in units of 2^-32, rounded outward.
fn to_units(band: RateBand) -> (i128, i128) {
    let units = |rate: Rate| (i128::from(rate.as_ppt()) << 32).div_euclid(PPT_PER_ONE);
    (units(band.slowest), units(band.fastest) + 1)
}

/// The native layout's rate and growth, in units of 2^-32, that cover the band.
fn to_rate_and_growth(band: RateBand) -> (i32, u32) {
    let (slowest, fastest) = to_units(band);
    let rate = slowest.midpoint(fastest);
    let growth = (fastest - rate).max(rate - slowest);
    (
        i32::try_from(rate).unwrap_or_default(),
        u32::try_from(growth).unwrap_or(u32::MAX),
    )
}

/// The band that a native record's rate and growth cover.
fn from_rate_and_growth(rate: i32, growth: u32) -> RateBand {
    let floor = |units: i64| Rate::from_ppt(saturated((i128::from(units) * PPT_PER_ONE) >> 32));
    let (rate, growth) = (i64::from(rate), i64::from(growth));
    RateBand::new(
        floor(rate - growth),
        floor(rate + growth) + Rate::from_ppt(1),
    )
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "test values are far from the limits of their types"
)]
mod tests {
    use super::*;
    use crate::estimator::status::{Disruption, HostNotice, Reason};
    use crate::estimator::{ErrorBudget, RealtimeRates};
    use crate::publication::counter_projection;
    use crate::time::{CoarseInstant, RealtimeInstant, scaled_ceil};
    use proptest::prelude::*;
    use shm_layout::STALE_AFTER_NS;

    const S: i64 = NS_PER_S;

    fn at(ms: i64) -> Readings {
        Readings {
            coarse: CoarseInstant::from_ns(12 * S + ms * 1_000_000),
            raw: RawInstant::from_ns(11 * S + ms * 1_000_000),
            realtime: RealtimeInstant::from_ns(1_800_000_000 * S + ms * 1_000_000),
            gap_ns: 20,
            kernel: Some(Rate::default()),
            suspended_ns: 3 * S,
        }
    }

    fn pace(stale_ns: i64) -> Pace {
        Pace {
            stale_ns,
            interval_ns: S / 10,
        }
    }

    /// True time is `correction_ns` ahead of `CLOCK_REALTIME`, known to 1 us.
    fn estimate(correction_ns: i64) -> Estimate {
        let now = at(0);
        Estimate {
            status: ClockStatus::Synchronized,
            reason: Reason::Tracking,
            raw: now.raw,
            interval: Interval::around(now.realtime + correction_ns, 1_000),
            band: RateBand::within(Rate::from_ppm(50)),
            validated: now.raw,
            void_after: now.raw + 1_000 * S,
            valid_since: now.raw - 100 * S,
            disruption: Disruption::default(),
            notice: HostNotice::default(),
            realtime: None,
            leap: Leap::Normal,
            reference_id: 0x7f00_0001,
            budget: ErrorBudget::default(),
            is_simulated: false,
        }
    }

    #[test]
    fn a_fast_and_a_slow_clock_widen_the_v1_bound_alike() {
        for correction in [5_004_000, -5_004_000] {
            let bound_ns = to_v1(&estimate(correction), &at(0)).bound_ns;
            assert_eq!(bound_ns, 5_004_000 + 1_000 + 1_001);
        }
    }

    #[test]
    fn void_after_is_in_whole_seconds_and_stays_there() {
        for ms in [0, 500, 300_000] {
            let void_after_ns = to_v1(&estimate(0), &at(ms)).void_after_ns;
            assert_eq!(void_after_ns, 1_012 * S, "after {ms} ms");
        }
    }

    #[test]
    fn the_bound_of_a_clock_that_was_set_is_relative_to_its_new_time() {
        let mut stepped = at(1_000);
        stepped.realtime = stepped.realtime + 200_000_000;
        let bound_ns = to_v1(&estimate(0), &stepped).bound_ns;
        assert!((200_051_000..200_054_000).contains(&bound_ns), "{bound_ns}");
    }

    #[test]
    fn the_growth_of_v1_is_the_largest_difference_from_the_kernels_rate() {
        let growth = |slowest, fastest, kernel_ppb: Option<i64>| {
            let band = RateBand::new(Rate::from_ppm(slowest), Rate::from_ppm(fastest));
            realtime_growth_ppb(band, kernel_ppb.map(Rate::from_ppb))
        };
        for (slowest, fastest, kernel_ppb, ppb) in [
            (-50, 50, Some(0), 50_001),
            (-70, 30, Some(-20_000), 50_001),
            (-70, 30, Some(0), 70_001),
            (-50, 50, Some(83_333_000), 83_383_001),
            (-50, 50, Some(-83_333_000), 83_383_001),
            (-50, 50, None, 550_001),
            (-50, 50, Some(i64::MAX), DRIFT_LIMIT_PPB - 1),
        ] {
            assert_eq!(growth(slowest, fastest, kernel_ppb), ppb, "{kernel_ppb:?}");
        }
    }

    #[test]
    fn a_slew_loses_true_time_on_v1_unless_the_kernels_frequency_is_used() {
        for (kernel_ppb, lost) in [(-83_333_000, false), (0, true)] {
            let slewing = Readings {
                kernel: Some(Rate::from_ppb(kernel_ppb)),
                ..at(0)
            };
            let record = to_v1(&estimate(0), &slewing);
            // 100 ms later the clock has fallen back by 8.3 ms.
            let grown_ns = growth_ns(S / 10, record.max_drift_ppb);
            assert_eq!(record.bound_ns + grown_ns < 8_333_000, lost);
        }
    }

    #[test]
    fn a_coarse_readers_lag_loses_true_time_on_v1_without_the_margin() {
        let record = to_v1(&estimate(0), &at(0));
        // Truth drifts as fast as it may, and the reader's coarse clock lags by 7.6 ms.
        let (elapsed_ns, lag_ns) = (S, 7_600_000);
        let error_ns = 1_000 + scaled_ceil(elapsed_ns, Rate::from_ppm(50));
        let counted_ns = growth_ns(elapsed_ns - lag_ns, record.max_drift_ppb);
        assert!(record.bound_ns + counted_ns >= error_ns);
        let bare_ns = record.bound_ns - growth_ns(READ_LAG_NS, record.max_drift_ppb);
        assert!(bare_ns + counted_ns < error_ns);
    }

    #[test]
    fn the_next_life_resumes_from_the_native_record() {
        let known = estimate(-7_000);
        for stale_ns in [STALE_AFTER_NS, 60 * S] {
            let record = to_native(&known, pace(stale_ns), &at(0));
            let resumed = from_native(&record, None, stale_ns, &at(3_000)).expect("resumed");
            assert_eq!(
                (resumed.validated, resumed.valid_since),
                (known.validated, known.valid_since)
            );
            assert_eq!(
                (resumed.status, resumed.reference_id),
                (known.status, known.reference_id)
            );
        }
        let record = to_native(&known, pace(STALE_AFTER_NS), &at(0));
        let slept = Readings {
            suspended_ns: 4 * S,
            ..at(3_000)
        };
        assert_eq!(from_native(&record, None, STALE_AFTER_NS, &slept), None);
        let unknown = Estimate::unknown(ClockStatus::Unknown, Reason::ChronySilent, &at(0));
        let record = to_native(&unknown, pace(STALE_AFTER_NS), &at(0));
        assert_eq!(from_native(&record, None, STALE_AFTER_NS, &at(0)), None);
    }

    #[test]
    fn a_record_without_valid_since_was_valid_from_its_own_instant_on() {
        let known = estimate(0);
        let record = NativeRecord {
            valid_since_ns: 0,
            ..to_native(&known, pace(STALE_AFTER_NS), &at(0))
        };
        let resumed = from_native(&record, None, STALE_AFTER_NS, &at(3_000)).expect("resumed");
        assert_eq!(resumed.valid_since, known.raw);
    }

    #[test]
    fn no_instant_before_a_state_that_is_newer_than_its_record_is_valid() {
        let known = estimate(0);
        let record = to_native(&known, pace(STALE_AFTER_NS), &at(0));
        let valid_since = |ms| {
            let state = State::of_interval(at(ms).raw, known.interval, None, at(0).suspended_ns);
            let resumed = from_native(&record, Some(state), STALE_AFTER_NS, &at(3_000));
            resumed.expect("resumed").valid_since
        };
        // The daemon was killed after it had written the state, before it had written the record.
        assert_eq!(valid_since(10), at(10).raw);
        assert_eq!(valid_since(-10), known.valid_since);
    }

    #[test]
    fn the_native_record_has_the_publication_interval_and_the_rates_of_the_clock() {
        let since = RawInstant::from_ns(S);
        let band = RateBand::new(Rate::from_ppm(-20), Rate::from_ppm(30));
        let known = Estimate {
            realtime: Some(RealtimeRates {
                since,
                band,
                error_ns: 70,
            }),
            ..estimate(0)
        };
        let record = to_native(&known, pace(STALE_AFTER_NS), &at(0));
        assert_eq!(record.publication_interval_us, 100_000);
        assert_eq!(
            (record.realtime_since_ns, record.realtime_error_ns),
            (S, 70)
        );
        // 20 and 30 ppm in units of 2^-32, rounded outward.
        let rates = (record.realtime_slowest, record.realtime_fastest);
        assert_eq!(rates, (-85_900, 128_850));
        let record = to_native(&estimate(0), pace(STALE_AFTER_NS), &at(0));
        let rates = (record.realtime_slowest, record.realtime_fastest);
        assert_eq!((record.realtime_since_ns, rates), (0, (0, 0)));
    }

    #[test]
    fn every_layout_has_the_mark_of_a_simulated_estimate() {
        for is_simulated in [false, true] {
            let estimate = Estimate {
                is_simulated,
                ..estimate(0)
            };
            let native = to_native(&estimate, pace(STALE_AFTER_NS), &at(0));
            let v3 = counter_projection::without_claim(&estimate, ClockStatus::Unknown, &at(0));
            let marks = [
                native.is_simulated,
                to_v1(&estimate, &at(0)).is_simulated,
                to_v2(&estimate, &at(0)).bound.is_simulated,
                v3.is_simulated,
            ];
            assert_eq!(marks, [is_simulated; 4]);
        }
    }

    #[test]
    fn an_estimate_that_claims_nothing_is_unknown_and_wide() {
        let unknown = Estimate::unknown(ClockStatus::Unknown, Reason::NeverSynchronized, &at(0));
        let record = to_v1(&unknown, &at(0));
        assert_eq!(
            (record.status, record.bound_ns),
            (ClockStatus::Unknown, NO_CLAIM_BOUND_NS)
        );
    }

    #[test]
    fn a_disruption_is_published_on_every_layout_and_its_marker_where_it_has_a_place() {
        let disruption = Disruption {
            marker: 7,
            supported: true,
        };
        let notice = HostNotice {
            imminent: true,
            ..HostNotice::default()
        };
        let trusted = Estimate {
            disruption,
            notice,
            ..estimate(0)
        };
        let disrupted = Estimate {
            disruption,
            ..Estimate::unknown(ClockStatus::Disrupted, Reason::Disrupted, &at(0))
        };
        for (estimate, v1) in [
            (trusted, ClockStatus::Synchronized),
            (disrupted, ClockStatus::Unknown),
        ] {
            let native = to_native(&estimate, pace(STALE_AFTER_NS), &at(0));
            assert_eq!(
                (native.status, native.reason),
                (estimate.status, estimate.reason)
            );
            assert_eq!(
                (native.disruption, native.host),
                (disruption, estimate.notice)
            );
            let v2 = to_v2(&estimate, &at(0));
            assert_eq!(
                (v2.bound.status, v2.disruption),
                (estimate.status, disruption)
            );
            assert_eq!(to_v1(&estimate, &at(0)).status, v1);
        }
    }

    proptest! {
        #[test]
        fn every_layout_contains_true_time_while_its_rate_is_in_the_band(
            ms in 0..2_000_000i64, slowest in -400_000_000..400_000_000i64, span in 0..400_000_000i64,
            share in 0.0..=1.0f64, start_ns in -1_000..=1_000i64, correction_ns in -S..S, step_ns in -10 * S..10 * S,
        ) {
            let band = RateBand::new(Rate::from_ppt(slowest), Rate::from_ppt(slowest + span));
            let estimate = Estimate { band, ..estimate(correction_ns) };
            let mut now = at(ms);
            now.realtime = now.realtime + step_ns;
            let elapsed_ns = now.raw - estimate.raw;
            let rate = i128::from(slowest) + (span as f64 * share) as i128;
            let gained_ns = (i128::from(elapsed_ns) * rate / 1_000_000_000_000) as i64;
            let truth = at(0).realtime + correction_ns + start_ns + elapsed_ns + gained_ns;
            prop_assert!(estimate.at(now.raw).contains(truth));
            let record = to_v1(&estimate, &now);
            prop_assert!((truth - now.realtime).abs() <= record.bound_ns);
            let native = to_native(&estimate, pace(STALE_AFTER_NS), &at(0));
            let (earliest, latest) = native.aged_to(now.raw.as_ns());
            prop_assert!((earliest..=latest).contains(&truth.as_ns()), "{truth:?} not in {earliest}..{latest}");
            let covered = from_rate_and_growth(native.rate, native.growth);
            prop_assert!(covered.slowest <= band.slowest && covered.fastest >= band.fastest);
        }
    }
}
