//! Tables over the assessment, and the one property that matters: truth is never lost.

use super::*;
use crate::bound::{NS_PER_S, scaled_ns};
use crate::chrony::{Address, SourceData, SourceMode, SourceState};
use crate::estimator::status::ClockStatus::{self, FreeRunning, Synchronized, Unknown};
use crate::facts::Selection;
use crate::interpretation::FREQUENCY_TOLERANCE_PPB;
use proptest::prelude::*;

pub(super) const S: i64 = NS_PER_S;
const MS: i64 = 1_000_000;
const DAY: i64 = 86_400 * S;
pub(super) const PHC: u32 = u32::from_be_bytes(*b"PHC0");
const SERVER: u32 = 0x7f00_0001;
pub(super) const UTC: i64 = 1_800_000_000 * S;
pub(super) const SETTINGS: Settings = Settings {
    max_drift_ppb: 50_000,
    phc_reference_id: Some(PHC),
    grace_ns: 2 * S,
    holdover_ns: 1_000 * S,
    max_bound_ns: None,
    allow_local_reference: false,
};

/// All clocks, `ns` after the beginning.
pub(super) fn at(ns: i64) -> Readings {
    Readings {
        coarse_ns: 1_000 * S + ns,
        raw_ns: 500 * S + ns,
        realtime_ns: UTC + ns,
        gap_ns: 10,
        kernel_ppb: Some(0),
        suspended_ns: 0,
    }
}

pub(super) fn source(reachability: u16) -> SourceData {
    SourceData {
        address: Address::Unspecified,
        poll: 0,
        stratum: 1,
        state: SourceState::Selected,
        mode: SourceMode::Client,
        flags: 0,
        reachability,
        since_sample_s: 0,
        original_offset_s: 0.0,
        offset_s: 0.0,
        offset_error_s: 0.0,
    }
}

/// A healthy report of a measurement at `ref_ns` after the beginning: the clock is 1 ms fast.
fn report(ref_ns: i64) -> Report {
    Report {
        tracking: Tracking {
            ref_id: SERVER,
            address: Address::Unspecified,
            stratum: 2,
            leap: Leap::Normal,
            ref_time_ns: UTC + ref_ns,
            current_correction_s: -0.001,
            last_offset_s: 0.0,
            rms_offset_s: 0.0,
            freq_ppm: 0.0,
            resid_freq_ppm: 0.0,
            skew_ppm: 0.1,
            root_delay_s: 0.000_2,
            root_dispersion_s: 0.000_3,
            last_update_interval_s: 1.0,
        },
        selection: Selection::Source(source(0xff)),
    }
}

pub(super) fn with_tracking(ref_ns: i64, change: impl FnOnce(&mut Tracking)) -> Report {
    let mut report = report(ref_ns);
    change(&mut report.tracking);
    report
}

pub(super) fn fresh(settings: Settings) -> Assessment {
    Assessment::new(
        settings,
        Estimate::unknown(Reason::NeverSynchronized, &at(0)),
    )
}

fn tell(clock: &mut Assessment, report: &Report, ns: i64) -> Option<Alarm> {
    clock.polled(Ok(report), &at(ns), &at(ns))
}

fn synchronized() -> Assessment {
    let mut clock = fresh(SETTINGS);
    assert_eq!(tell(&mut clock, &report(0), 0), None);
    clock
}

#[test]
fn a_report_of_an_older_source_than_the_update_concludes_nothing() {
    let outdated = Report {
        selection: Selection::Outdated,
        ..report(S)
    };
    let mut clock = fresh(SETTINGS);
    tell(&mut clock, &outdated, S);
    assert_eq!(clock.estimate().status, Unknown);
    let mut clock = synchronized();
    let before = *clock.estimate();
    tell(&mut clock, &outdated, S);
    assert_eq!(*clock.estimate(), before);
}

fn state(clock: &Assessment) -> (ClockStatus, Reason) {
    (clock.estimate().status, clock.estimate().reason)
}

#[test]
fn the_first_validated_report_synchronizes() {
    let clock = synchronized();
    assert_eq!(state(&clock), (Synchronized, Reason::Tracking));
    let bound_ns = clock.estimate().to_v1(&at(0)).bound_ns;
    assert!((1_401_000..1_402_500).contains(&bound_ns), "{bound_ns}");
}

#[test]
fn without_a_report_nothing_is_ever_claimed() {
    let mut clock = fresh(SETTINGS);
    for n in 0..10_000 {
        let now = at(n * S / 2);
        match n % 4 {
            0 => drop(clock.polled(Err(PollFailure::Silent), &now, &now)),
            1 => drop(clock.polled(Err(PollFailure::Refused), &now, &now)),
            2 => drop(clock.polled(
                Ok(&with_tracking(0, |t| t.leap = Leap::Unsynchronized)),
                &now,
                &now,
            )),
            _ => clock.pass_time(&now),
        }
        assert_eq!(clock.estimate().status, Unknown);
    }
}

#[test]
fn silence_holds_the_last_interval_over_until_it_is_void() {
    let mut clock = synchronized();
    for (elapsed, expected) in [
        (SETTINGS.grace_ns, (Synchronized, Reason::Tracking)),
        (SETTINGS.grace_ns + 1, (FreeRunning, Reason::ChronySilent)),
        (
            SETTINGS.holdover_ns - 1,
            (FreeRunning, Reason::ChronySilent),
        ),
        (SETTINGS.holdover_ns, (Unknown, Reason::HoldoverExpired)),
    ] {
        let now = at(elapsed);
        clock.polled(Err(PollFailure::Silent), &now, &now);
        assert_eq!(state(&clock), expected, "after {elapsed} ns");
    }
}

#[test]
fn what_is_no_reference_ends_trust_in_its_own_way() {
    let local = |t: &mut Tracking| t.ref_id = LOCAL_REFERENCE_ID;
    let zero = |t: &mut Tracking| (t.root_delay_s, t.root_dispersion_s) = (0.0, 0.0);
    let unsynchronized = with_tracking(0, |t| t.leap = Leap::Unsynchronized);
    for (report, expected) in [
        (unsynchronized, (FreeRunning, Reason::LeapUnsynchronized)),
        (with_tracking(0, local), (Unknown, Reason::LocalReference)),
        (with_tracking(0, zero), (Unknown, Reason::LocalReference)),
    ] {
        let mut clock = synchronized();
        tell(&mut clock, &report, 5);
        assert_eq!(state(&clock), expected);
        assert_eq!(tell(&mut clock, &self::report(1), 6), None);
        assert_eq!(
            clock.estimate().status,
            Synchronized,
            "and a good report ends it"
        );
    }
}

#[test]
fn a_source_that_does_not_answer_is_silence() {
    for selection in [Selection::Nothing, Selection::Source(source(0))] {
        let mut clock = synchronized();
        for n in 1..=8 {
            let report = Report {
                selection,
                ..report(0)
            };
            tell(&mut clock, &report, n * S / 4);
            assert_eq!(state(&clock), (Synchronized, Reason::Tracking));
        }
        tell(
            &mut clock,
            &Report {
                selection,
                ..report(0)
            },
            2 * S + 1,
        );
        assert_eq!(state(&clock), (FreeRunning, Reason::SourceUnreachable));
        assert_eq!(tell(&mut clock, &report(1), 3 * S), None);
        assert_eq!(clock.estimate().status, Synchronized);
    }
}

#[test]
fn before_chronyd_has_found_the_frequency_the_kernels_limit_stands_for_it() {
    let mut clock = fresh(SETTINGS);
    tell(
        &mut clock,
        &with_tracking(0, |t| (t.skew_ppm, t.freq_ppm) = (1e6, -30.0)),
        0,
    );
    assert_eq!(
        clock.estimate().growth_ppb,
        FREQUENCY_TOLERANCE_PPB + 50_000
    );
    assert_eq!(clock.estimate().rate_ppb, 0);
    tell(
        &mut clock,
        &with_tracking(1, |t| (t.skew_ppm, t.freq_ppm) = (100.0, -30.0)),
        1,
    );
    assert_eq!(clock.estimate().rate_ppb, 30_000);
}

#[test]
fn a_local_reference_counts_when_the_operator_says_so() {
    let mut clock = fresh(Settings {
        allow_local_reference: true,
        ..SETTINGS
    });
    let local = with_tracking(0, |t| t.ref_id = LOCAL_REFERENCE_ID);
    tell(
        &mut clock,
        &Report {
            selection: Selection::Nothing,
            ..local
        },
        0,
    );
    assert_eq!(clock.estimate().status, Synchronized);
}

#[test]
fn refused_reports_are_no_reports() {
    let mut clock = synchronized();
    let late = at(SETTINGS.grace_ns + 1);
    clock.polled(Err(PollFailure::Refused), &late, &late);
    assert_eq!(state(&clock), (FreeRunning, Reason::ReportRefused));
}

#[test]
fn the_phc_bound_joins_only_when_chrony_follows_the_phc() {
    let width = |ref_id| {
        let mut clock = fresh(SETTINGS);
        clock.phc_read(20_000, at(0).raw_ns);
        tell(&mut clock, &with_tracking(0, |t| t.ref_id = ref_id), 0);
        clock.estimate().latest_ns - clock.estimate().earliest_ns
    };
    assert_eq!(width(PHC), width(SERVER) + 40_000);
}

#[test]
fn a_phc_without_a_bound_is_a_missing_update() {
    let follows_phc = |ref_ns| with_tracking(ref_ns, |t| t.ref_id = PHC);
    let mut clock = fresh(SETTINGS);
    tell(&mut clock, &follows_phc(0), 0);
    assert_eq!(clock.estimate().status, Unknown);
    clock.phc_read(20_000, at(0).raw_ns);
    tell(&mut clock, &follows_phc(0), 0);
    assert_eq!(state(&clock), (Synchronized, Reason::Tracking));
    // The file is gone: chrony's reports go on and must not renew the grace.
    for n in 1..40 {
        tell(&mut clock, &follows_phc(n), n * S / 4);
    }
    assert_eq!(state(&clock), (FreeRunning, Reason::PhcUnreadable));
    clock.pass_time(&at(SETTINGS.grace_ns + SETTINGS.holdover_ns));
    assert_eq!(clock.estimate().status, Unknown);
}

#[test]
fn a_bound_over_the_operators_cap_is_not_trusted() {
    let mut clock = fresh(Settings {
        max_bound_ns: Some(MS),
        ..SETTINGS
    });
    tell(&mut clock, &report(0), 0);
    assert_eq!(state(&clock), (Unknown, Reason::BoundOverCap));
    tell(
        &mut clock,
        &with_tracking(1, |t| t.current_correction_s = 0.0),
        1,
    );
    assert_eq!(clock.estimate().status, Synchronized);
}

#[test]
fn a_contradiction_is_an_alarm_and_publishes_both() {
    let mut clock = synchronized();
    let before = clock.estimate().aged_to(at(S).raw_ns);
    let alarm = tell(
        &mut clock,
        &with_tracking(S, |t| t.current_correction_s = 1.0),
        S,
    )
    .expect("an alarm");
    assert_eq!(alarm.held, before);
    let estimate = clock.estimate();
    assert_eq!(
        (estimate.earliest_ns, estimate.latest_ns),
        (before.0, alarm.reported.1)
    );
}

#[test]
fn after_a_step_old_measurements_are_not_believed_and_what_was_known_still_is() {
    let step_ns = 200 * MS;
    let stepped = |ns: i64| Readings {
        realtime_ns: at(ns).realtime_ns + step_ns,
        ..at(ns)
    };
    for told in [true, false] {
        let mut clock = synchronized();
        let known = *clock.estimate();
        if told {
            clock.clock_set();
        }
        // chronyd does not know of it yet: the same measurement, the same correction, and 200 ms wrong.
        let now = stepped(100 * MS);
        assert_eq!(clock.polled(Ok(&report(0)), &now, &now), None);
        assert_eq!(
            (clock.estimate().earliest_ns, clock.estimate().status),
            (known.earliest_ns, Synchronized)
        );
        assert!(
            clock.estimate().to_v1(&now).bound_ns > step_ns,
            "v1 is centred on the clock that was set"
        );
        // It has measured, but from samples of both clocks.
        let mixed = with_tracking(S, |t| t.current_correction_s = -0.1);
        let now = stepped(S);
        assert_eq!(clock.polled(Ok(&mixed), &now, &now), None);
        assert_eq!(clock.estimate().earliest_ns, known.earliest_ns);
        // It has found out.
        let found = with_tracking(2 * S + step_ns, |t| t.current_correction_s = -0.201);
        let now = stepped(2 * S + 1);
        assert_eq!(clock.polled(Ok(&found), &now, &now), None);
        assert_eq!(clock.estimate().raw_ns, now.raw_ns);
        assert_eq!(state(&clock), (Synchronized, Reason::Tracking));
    }
}

#[test]
fn after_a_suspend_nothing_is_known_until_chronyd_has_measured() {
    let mut clock = synchronized();
    clock.suspended(&at(S));
    assert_eq!(state(&clock), (Unknown, Reason::ClockStepped));
    tell(&mut clock, &report(0), 2 * S);
    assert_eq!(clock.estimate().status, Unknown);
    tell(&mut clock, &report(3 * S), 3 * S);
    assert_eq!(clock.estimate().status, Synchronized);
}

#[test]
fn near_a_leap_second_the_interval_covers_both_counts() {
    let to_midnight = DAY - UTC.rem_euclid(DAY);
    let mut clock = fresh(SETTINGS);
    let announced = |ref_ns| with_tracking(ref_ns, |t| t.leap = Leap::InsertSecond);
    let before = to_midnight - 2 * S;
    tell(&mut clock, &announced(before - 3 * S), before - 2 * S);
    let width = |clock: &Assessment| clock.estimate().latest_ns - clock.estimate().earliest_ns;
    assert!(width(&clock) < S, "announced, but far");
    tell(&mut clock, &announced(before - S), before);
    assert!(width(&clock) > 2 * S, "near");
    // The kernel inserted it: the clock went back by a second, and so did UTC.
    let now = Readings {
        realtime_ns: at(to_midnight + S).realtime_ns - S,
        ..at(to_midnight + S)
    };
    clock.clock_set();
    clock.polled(Ok(&announced(to_midnight)), &now, &now);
    let truth = now.realtime_ns - MS;
    let (earliest, latest) = clock.estimate().aged_to(now.raw_ns);
    assert!((earliest..=latest).contains(&truth) && (earliest..=latest).contains(&(truth + S)));
}

/// One honest report: how long after the one before, how wrong its centre is as a share of its dispersion, and
/// whether chronyd has measured for it.
#[derive(Clone, Debug)]
struct Honest {
    after_ns: i64,
    error_share: f64,
    dispersion_s: f64,
    measured: bool,
    silent: bool,
    realtime_step_ns: i64,
}

fn honest() -> impl Strategy<Value = Honest> {
    let step = prop_oneof![9 => Just(0i64), 1 => -S..S];
    (
        1_000..20 * S,
        -1.0..1.0f64,
        1e-6..0.01f64,
        any::<bool>(),
        prop::bool::weighted(0.2),
        step,
    )
        .prop_map(
            |(after_ns, error_share, dispersion_s, measured, silent, realtime_step_ns)| Honest {
                after_ns,
                error_share,
                dispersion_s,
                measured,
                silent,
                realtime_step_ns,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn truth_is_never_lost_by_any_sequence_of_honest_reports(
        drift_ppb in -49_000..49_000i64, reports in proptest::collection::vec(honest(), 1..40),
    ) {
        // Truth runs at `1 + drift_ppb` against CLOCK_MONOTONIC_RAW; CLOCK_REALTIME runs like that and is set now and then.
        let truth_at = |ns: i64| UTC + ns + ((i128::from(ns) * i128::from(drift_ppb)) / 1_000_000_000) as i64;
        let mut clock = fresh(SETTINGS);
        let (mut ns, mut realtime_offset_ns) = (0, 0);
        // What chronyd knows: the measurement's instant, and the offset of the clock that it believes in.
        let mut measured: Option<(i64, i64, f64, f64)> = None;
        for honest in reports {
            ns += honest.after_ns;
            if honest.realtime_step_ns != 0 {
                realtime_offset_ns += honest.realtime_step_ns;
                clock.clock_set();
            }
            let readings = |ns: i64| Readings { realtime_ns: at(ns).realtime_ns + realtime_offset_ns, ..at(ns) };
            let now = readings(ns);
            if honest.measured || measured.is_none() {
                let error_s = honest.error_share * honest.dispersion_s;
                let correction_s = (truth_at(ns) - now.realtime_ns) as f64 * 1e-9 + error_s;
                measured = Some((ns, now.realtime_ns, correction_s, honest.dispersion_s));
            }
            let outcome = measured.filter(|_| !honest.silent).map(|(measured_ns, ref_time_ns, correction_s, dispersion_s)| {
                // Dispersion grows by chronyd's own assumption: 1 ppm and the skew.
                let grown_s = dispersion_s + (ns - measured_ns) as f64 * 1.1e-15;
                with_tracking(0, |t| {
                    t.ref_time_ns = ref_time_ns;
                    t.current_correction_s = correction_s;
                    t.root_delay_s = 0.0;
                    t.root_dispersion_s = grown_s;
                })
            });
            let outcome = outcome.as_ref().ok_or(PollFailure::Silent);
            let alarm = clock.polled(outcome, &now, &now);
            prop_assert_eq!(alarm, None, "honest reports do not contradict each other");
            for later in [0, 50 * MS] {
                let now = readings(ns + later);
                let (truth, estimate) = (truth_at(ns + later), clock.estimate());
                if estimate.status.is_trusted() {
                    let (earliest, latest) = estimate.aged_to(now.raw_ns);
                    prop_assert!((earliest..=latest).contains(&truth), "{truth} not in {earliest}..={latest}");
                    prop_assert!((truth - now.realtime_ns).abs() <= estimate.to_v1(&now).bound_ns);
                }
            }
        }
    }
}

#[test]
fn a_clock_that_somebody_else_lets_run_off_does_not_take_truth_along() {
    for ppb in [8_000_000, -8_000_000, 300_000] {
        let mut clock = synchronized();
        for n in 1..40 {
            // Truth stays with the raw clock; chronyd, which has not measured again, does not know.
            let mut now = at(n * 100 * MS);
            now.realtime_ns += scaled_ns(n * 100 * MS, ppb);
            assert_eq!(clock.polled(Ok(&report(0)), &now, &now), None);
            let (earliest, latest) = clock.estimate().aged_to(now.raw_ns);
            let truth = UTC + n * 100 * MS - MS;
            assert!(
                (earliest..=latest).contains(&truth),
                "{ppb}: {truth} not in {earliest}..{latest} at {n}"
            );
        }
    }
}
