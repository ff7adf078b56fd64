//! Each remedy matters: a world in which truth is kept, and lost as soon as that remedy is taken away.

use super::tests::{PHC, S, SETTINGS, UTC, at, fresh, source, with_tracking};
use super::*;
use crate::bound::read_margin_ns;
use crate::chrony::SourceData;
use crate::facts::Selection;

const US: i64 = 1_000;
const MS: i64 = 1_000_000;
const DAY: i64 = 86_400 * S;

/// What a world did to the assessment, and where truth then was.
struct World {
    without: Option<Remedy>,
    clock: Assessment,
    /// What chronyd says of its source with each report.
    selection: Selection,
    lost: bool,
}

impl World {
    fn new(without: Option<Remedy>) -> Self {
        let mut clock = fresh(SETTINGS);
        clock.interpretation = Interpretation::without(without);
        Self {
            without,
            clock,
            selection: Selection::Untold,
            lost: false,
        }
    }

    /// chronyd measured at `ref_ns` that the clock is wrong by `correction_ns`, give or take 1 ms, and says so at `now`.
    fn report(
        &mut self,
        ref_ns: i64,
        correction_ns: i64,
        now: Readings,
        change: fn(&mut Tracking),
    ) {
        let mut report = with_tracking(ref_ns, |t| {
            t.current_correction_s = correction_ns as f64 * 1e-9;
            t.root_delay_s = 0.0;
            t.root_dispersion_s = 1e-3;
            change(t);
        });
        report.selection = self.selection;
        self.clock.polled(Ok(&report), &now, &now);
    }

    /// Truth is `truth_ns` when the clocks show `now`.
    fn truth(&mut self, now: Readings, truth_ns: i64) {
        let estimate = self.clock.estimate();
        let (earliest, latest) = estimate.aged_to(now.raw_ns);
        let inside = (earliest..=latest).contains(&truth_ns);
        let void = now.raw_ns >= estimate.void_after_raw_ns;
        self.lost |= estimate.status.is_trusted() && !void && !inside;
    }
}

type Happening = fn(&mut World);

fn nothing(_: &mut Tracking) {}

fn frequency_jump(world: &mut World) {
    // The oscillator turns 45 ppm slow right after the measurement; chronyd assumes 1 ppm.
    let slow = |ns: i64| ns + ns / 1_000_000 * 45;
    for n in 0..600 {
        let ns = n * S / 10;
        // Only the last report: what was known before is aged by the operator's drift and would hide it.
        let mut last = World::new(world.without);
        last.report(0, 999 * US, at(0), nothing);
        last.clock.estimate = Estimate::unknown(Reason::NeverSynchronized, &at(ns));
        last.report(0, 999 * US, at(ns), nothing);
        last.truth(at(ns), UTC + slow(ns));
        world.lost |= last.lost;
    }
}

fn unsure_chronyd(world: &mut World) {
    // Two measurements: chronyd takes the clock for 300 ppm fast, give or take 400. It is right.
    let unsure = |t: &mut Tracking| t.skew_ppm = 400.0;
    world.report(0, 0, at(0), unsure);
    world.truth(at(10 * S), UTC + 10 * S + 4 * MS);
}

fn unknown_frequency(world: &mut World) {
    world.report(0, 0, at(0), |t| t.skew_ppm = 1e6);
    world.truth(at(10 * S), UTC + 10 * S + 5 * MS);
}

fn small_step(world: &mut World) {
    // The clock is set forwards by 1.5 ms while chronyd measures: it is then wrong by that, and overlaps what was known.
    world.report(0, 0, at(0), nothing);
    let stepped = Readings {
        realtime_ns: at(S).realtime_ns + 1_500 * US,
        ..at(S)
    };
    world.clock.clock_set();
    world.report(S / 2, 0, stepped, nothing);
    world.truth(stepped, UTC + S);
}

fn foreign_frequency(world: &mut World) {
    // Somebody else lets the clock gain 4 ms a second. What was known before would hide it.
    let off = |n: i64| Readings {
        realtime_ns: at(n * S / 10).realtime_ns + n * 400 * US,
        ..at(n * S / 10)
    };
    world.report(0, 0, at(0), nothing);
    for n in 1..20 {
        world.clock.estimate = Estimate::unknown(Reason::NeverSynchronized, &off(n));
        world.report(0, 0, off(n), nothing);
        world.truth(off(n), UTC + n * S / 10);
    }
}

fn disturbed_frequency(world: &mut World) {
    // Samples from before and after the clock was set make chronyd sure of a frequency that nothing has.
    let wild = |t: &mut Tracking| t.freq_ppm = 400.0;
    world.report(0, 0, at(0), nothing);
    world.clock.clock_set();
    world.report(0, 0, at(S / 10), nothing);
    world.report(S, 0, at(S), wild);
    world.truth(at(S), UTC + S);
    world.truth(at(11 * S), UTC + 11 * S);
}

fn bent_line(world: &mut World) {
    // The oscillator has changed its frequency: chronyd's line misses truth by 3 ms, its last measurement does not.
    world.selection = Selection::Source(SourceData {
        original_offset_s: 0.003,
        offset_s: 0.003,
        offset_error_s: 0.000_1,
        ..source(0xff)
    });
    world.report(0, 0, at(0), nothing);
    world.truth(at(0), UTC - 3 * MS);
}

fn suspend(world: &mut World) {
    world.report(0, 0, at(0), nothing);
    let woken = Readings {
        realtime_ns: at(S).realtime_ns + 3_600 * S,
        ..at(S)
    };
    world.clock.suspended(&woken);
    world.truth(woken, UTC + 3_601 * S);
}

fn leap_second(world: &mut World) {
    // The server counts on, the kernel inserts: nobody can tell which of the two counts a report is in.
    let near = DAY - UTC.rem_euclid(DAY) - S;
    world.report(near, 0, at(near), |t| t.leap = Leap::InsertSecond);
    world.truth(at(near + 2 * S), UTC + near + S);
}

fn leap_second_without_a_daemon(world: &mut World) {
    let before = DAY - UTC.rem_euclid(DAY) - 100 * S;
    world.report(before, 0, at(before), |t| t.leap = Leap::InsertSecond);
    world.truth(at(before + 102 * S), UTC + before + 101 * S);
}

fn local_mode(world: &mut World) {
    world.report(0, 0, at(0), |t| {
        (t.ref_id, t.root_dispersion_s) = (LOCAL_REFERENCE_ID, 0.0);
    });
    world.truth(at(0), UTC + 80 * MS);
}

fn lying_server(world: &mut World) {
    world.report(0, 0, at(0), nothing);
    world.report(S, 500 * MS, at(S), nothing);
    world.truth(at(S), UTC + S);
}

fn hardware_clock(world: &mut World) {
    world.clock.phc_read(3 * MS, at(0).raw_ns);
    world.report(0, 0, at(0), |t| t.ref_id = PHC);
    world.truth(at(0), UTC + 3 * MS);
}

fn interrupted_reading(world: &mut World) {
    // Between the readings of the two clocks the process did not run for 5 ms.
    let torn = Readings {
        gap_ns: 5 * MS,
        ..at(0)
    };
    world.report(0, 0, torn, nothing);
    world.truth(torn, UTC + 5 * MS);
}

fn late_answer(world: &mut World) {
    // The clock is 10 ms slow, and by 8 ms less when chronyd answers 100 ms late.
    let asked = at(0);
    let answered = Readings {
        realtime_ns: at(S / 10).realtime_ns + 8 * MS,
        ..at(S / 10)
    };
    let mut report = with_tracking(0, |t| t.current_correction_s = 0.002);
    report.selection = Selection::Untold;
    world.clock.polled(Ok(&report), &asked, &answered);
    world.truth(asked, UTC + 10 * MS);
}

#[test]
fn every_remedy_keeps_truth_that_is_lost_without_it() {
    use Remedy::*;
    let worlds: [(Remedy, Happening); 15] = [
        (DispersionShortfall, frequency_jump),
        (ChronysOwnDoubt, unsure_chronyd),
        (FrequencyTolerance, unknown_frequency),
        (StepQuarantine, small_step),
        (RunOff, foreign_frequency),
        (SteadyFrequency, disturbed_frequency),
        (SingleMeasurement, bent_line),
        (SuspendVoid, suspend),
        (LeapWidening, leap_second),
        (LeapVoid, leap_second_without_a_daemon),
        (NoLocalReference, local_mode),
        (Union, lying_server),
        (PhcBound, hardware_clock),
        (ReadingGap, interrupted_reading),
        (LateAnswer, late_answer),
    ];
    for (remedy, happens) in worlds {
        for (without, lost) in [(None, false), (Some(remedy), true)] {
            let mut world = World::new(without);
            happens(&mut world);
            assert_eq!(world.lost, lost, "{remedy:?}, without {without:?}");
        }
    }
}

#[test]
fn a_slew_loses_truth_on_v1_unless_the_kernels_frequency_is_looked_at() {
    for (kernel_ppb, lost) in [(Some(-83_333_000), false), (None, true)] {
        let mut world = World::new(None);
        world.report(0, 0, at(0), nothing);
        let slewing = Readings {
            kernel_ppb,
            ..at(0)
        };
        let record = world.clock.estimate().to_v1(&slewing);
        // 100 ms later the clock has fallen back by 8.3 ms.
        let grown_ns = growth_ns(S / 10, record.max_drift_ppb);
        assert_eq!(record.bound_ns + grown_ns < 8_333 * US, lost);
    }
}

#[test]
fn a_coarse_readers_lag_loses_truth_on_v1_without_the_margin() {
    let mut world = World::new(None);
    world.report(0, 0, at(0), nothing);
    let record = world.clock.estimate().to_v1(&at(0));
    // Truth drifts as fast as it may, and the reader's coarse clock lags by 7.6 ms.
    let (elapsed_ns, lag_ns) = (S, 7_600 * US);
    let known_ns = world.clock.estimate().latest_ns - UTC;
    let error_ns = known_ns + growth_ns(elapsed_ns, SETTINGS.max_drift_ppb);
    let counted_ns = growth_ns(elapsed_ns - lag_ns, record.max_drift_ppb);
    assert!(record.bound_ns + counted_ns >= error_ns);
    let bare_ns = record.bound_ns - read_margin_ns(record.max_drift_ppb);
    assert!(bare_ns + counted_ns < error_ns);
}

#[test]
fn a_signed_correction_loses_truth_when_the_clock_is_fast() {
    let mut world = World::new(None);
    world.report(0, -80 * MS, at(0), nothing);
    let bound_ns = world.clock.estimate().to_v1(&at(0)).bound_ns;
    assert!(bound_ns >= 81 * MS);
    let signed_ns = -80 * MS + (bound_ns - 80 * MS);
    assert!(signed_ns < 0, "as systems in the field have it");
}
