//! When the state for the next life is to be kept anew.

use super::simulation::bench::{Bench, MS, settings};
use super::status::ClockStatus;
use super::status::Reason;
use super::*;
use crate::chrony::Leap;
use crate::time::{NS_PER_S, RawInstant};

fn changed(bench: &mut Bench) -> Option<State> {
    let at = bench.readings();
    bench.estimator.take_changed_state(&at)
}

#[test]
fn measurements_that_agree_change_the_state_once_a_second_at_most() {
    let mut bench = Bench::new(settings(), None);
    let kept = (0..50).filter(|n| {
        bench.measure(n * 10);
        bench.poll();
        bench.pass(NS_PER_S / 10);
        changed(&mut bench).is_some()
    });
    assert_eq!(kept.count(), 5);
}

#[test]
fn a_leap_second_that_is_announced_or_withdrawn_changes_the_state() {
    let mut bench = Bench::new(settings(), None);
    bench.measure_for(5, 0);
    let before = changed(&mut bench).expect("measurements");
    assert_eq!(changed(&mut bench), None);
    for leap in [Leap::InsertSecond, Leap::Normal] {
        bench.host.leap = leap;
        bench.poll();
        let after = changed(&mut bench).unwrap_or_else(|| panic!("{leap:?}"));
        let announced =
            State::from_bytes(&after.to_bytes()) != State::from_bytes(&before.to_bytes());
        assert_eq!(announced, leap == Leap::InsertSecond);
        bench.poll();
        assert_eq!(changed(&mut bench), None, "{leap:?}");
    }
}

#[test]
fn sources_that_start_or_stop_disagreeing_change_the_state() {
    let mut bench = Bench::new(settings(), None).with_servers(4);
    bench.measure_for(5, 0);
    assert!(changed(&mut bench).is_some());
    for lie_ns in [NS_PER_S, 0] {
        for n in 1..4 {
            bench.measure_server(n, lie_ns);
        }
        bench.poll();
        assert!(changed(&mut bench).is_some(), "{lie_ns}");
        assert_eq!(bench.estimator.dissent.is_some(), lie_ns != 0);
    }
    bench.poll();
    assert_eq!(changed(&mut bench), None);
}

/// A chronyd that loads its measurements from files has lost the correction that it had still to
/// make.
#[test]
fn measurements_from_before_a_restart_of_chronyd_are_not_used() {
    for (restarted, reason) in [(true, Reason::Tracking), (false, Reason::Contradiction)] {
        let mut bench = Bench::new(settings(), None);
        bench.measure_for(10, 0);
        bench.measure(100 * MS);
        if restarted {
            bench.estimator.chronyd_restarted();
        }
        bench.poll();
        assert_eq!(bench.published.reason, reason);
        // What it measures itself is used again.
        bench.measure_for(10, 0);
        assert_eq!(bench.published.reason, Reason::Tracking);
        assert!(bench.contained_truth);
    }
}

/// Found by the fuzz target: a leap second at the beginning of time overflowed.
#[test]
fn instants_beyond_any_clock_are_refused() {
    let mut bench = Bench::new(settings(), None);
    bench.measure_for(5, 0);
    let bytes = changed(&mut bench).expect("measurements").to_bytes();
    assert!(State::from_bytes(&bytes).is_some());
    for word in 1..bytes.len() / 8 {
        for absurd in [i64::MIN, i64::MAX, 1 << 62] {
            let mut bytes = bytes.clone();
            bytes[word * 8..][..8].copy_from_slice(&absurd.to_ne_bytes());
            assert_eq!(State::from_bytes(&bytes), None, "{absurd} in word {word}");
        }
    }
}

/// A report that was requested before a suspend and read after it does not show what was measured
/// before the suspend.
#[test]
fn a_measurement_from_before_a_suspend_is_not_used_after_it() {
    let mut bench = Bench::new(settings(), None);
    bench.measure_for(10, 0);
    let (at, report) = (bench.readings(), bench.host.report(bench.now_ns, true));
    bench.pass(50 * MS);
    bench.measure(0);
    bench.published.status = ClockStatus::Unknown;
    bench.host.suspend(100 * NS_PER_S, 30 * MS);
    let answered = bench.readings();
    bench.estimator.polled(Ok(&report), &at, &answered);
    bench.publish(&answered);
    bench.poll();
    assert_eq!(bench.published.status, ClockStatus::Unknown);
    bench.measure_for(10, 0);
    assert_eq!(bench.published.reason, Reason::Tracking);
    assert!(bench.contained_truth);
}

/// A reading that a later message overtook is no step of the clock.
#[test]
fn readings_that_come_out_of_order_are_ignored() {
    let mut bench = Bench::new(settings(), None);
    bench.measure_for(10, 0);
    let early = bench.readings();
    bench.pass(50 * MS);
    bench.set(-200 * MS);
    let late = bench.readings();
    bench.estimator.clocks_read(&late);
    let moved_ns = bench.estimator.clock.set_ns(RawInstant::default());
    bench.estimator.clocks_read(&early);
    assert_eq!(
        bench.estimator.clock.set_ns(RawInstant::default()),
        moved_ns
    );
    assert_eq!(bench.estimator.last, Some(late));
}

/// A process that was stopped for longer than the holdover resumes with a report from before.
#[test]
fn an_interval_that_was_held_for_too_long_is_not_revived_without_a_new_measurement() {
    let mut bench = Bench::new(settings(), None);
    bench.measure_for(10, 0);
    bench.published.status = ClockStatus::Unknown;
    bench.pass(settings().holdover_ns);
    bench.poll();
    assert_eq!(bench.published.status, ClockStatus::Unknown);
    assert_eq!(bench.published.reason, Reason::HoldoverExpired);
    bench.measure_for(2, 0);
    assert_eq!(bench.published.status, ClockStatus::Synchronized);
    assert!(bench.contained_truth);
}

/// A name, and what happens.
type Happening = (&'static str, fn(&mut Bench));

/// Since when the published interval is valid, after measurements, what `happens`, and more
/// measurements; and whether that is after it happened.
fn valid_since(happens: fn(&mut Bench)) -> (RawInstant, bool) {
    let mut bench = Bench::new(settings(), None).with_servers(4);
    bench.measure_for(20, 0);
    let before = bench.published.valid_since;
    assert!(before <= RawInstant::from_ns(2 * NS_PER_S), "{before:?}");
    let began = bench.readings().raw;
    happens(&mut bench);
    bench.poll();
    let since = bench.published.valid_since;
    assert!(since == before || since >= began, "{since:?}");
    (since, since >= began)
}

#[test]
fn what_voids_the_past_makes_the_interval_valid_from_then_on() {
    let voids: [Happening; 6] = [
        ("a suspend", |bench| {
            bench.host.suspend(100 * NS_PER_S, 0);
            bench.poll();
            bench.measure_for(3, 0);
        }),
        ("an expired holdover", |bench| {
            bench.pass(settings().holdover_ns);
            bench.poll();
            bench.measure_for(3, 0);
        }),
        ("a contradiction", |bench| {
            bench.measure(100 * MS);
            bench.poll();
        }),
        ("sources that disagree", |bench| {
            for n in 1..4 {
                bench.measure_server(n, NS_PER_S);
            }
            bench.poll();
        }),
        ("a rate that contradicts the drift rate", |bench| {
            bench.rate(200e-6);
            bench.measure_for(100, 0);
        }),
        ("a leap second", |bench| {
            bench.announce_insertion(20 * NS_PER_S);
            bench.measure_for(10, 0);
            bench.pass(12 * NS_PER_S);
            bench.host.utc.value_ns -= NS_PER_S;
            bench.set(-NS_PER_S);
            bench.measure_for(20, 0);
        }),
    ];
    for (name, happens) in voids {
        assert!(valid_since(happens).1, "{name}");
    }
}

#[test]
fn the_past_stays_valid_when_the_clock_is_set_and_when_the_daemon_is_restarted() {
    let keeps: [Happening; 4] = [
        ("measurements", |bench| bench.measure_for(100, 0)),
        ("a step of the clock", |bench| {
            bench.set(NS_PER_S);
            bench.measure_for(3, 0);
        }),
        ("a restart", |bench| {
            bench.restart(|bench| bench.pass(NS_PER_S));
            bench.measure_for(3, 0);
        }),
        ("silence", |bench| {
            bench.pass(settings().holdover_ns / 2);
            bench.poll();
        }),
    ];
    for (name, happens) in keeps {
        assert!(!valid_since(happens).1, "{name}");
    }
}

#[test]
fn without_a_resumed_interval_the_past_is_not_claimed() {
    let mut bench = Bench::new(settings(), None);
    bench.measure_for(20, 0);
    let at = bench.readings();
    bench.estimator = Estimator::new(settings(), None, 0, &at);
    bench.measure_for(3, 0);
    assert!(bench.published.valid_since >= at.raw);
}
