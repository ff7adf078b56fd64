use shm_layout::{ClockStatus, Reason};

use super::*;
use crate::record::test_rows::{S, row_at, row_changed, row_with, unreadable_at};

fn texts(before: &Row, after: &Row) -> Vec<String> {
    between(before, after)
        .into_iter()
        .map(|event| event.text)
        .collect()
}

#[test]
fn nothing_happens_between_equal_rows() {
    assert!(between(&row_at(0), &row_at(S)).is_empty());
}

#[test]
fn a_change_of_the_status_is_told_with_its_reason_and_its_weight() {
    let silent = row_with(S, ClockStatus::FreeRunning, Reason::ChronySilent);
    let expired = row_with(2 * S, ClockStatus::Unknown, Reason::HoldoverExpired);
    for (before, after, level, text) in [
        (
            &row_at(0),
            &silent,
            Level::Warning,
            "synchronized -> free_running (chrony_silent)",
        ),
        (
            &silent,
            &expired,
            Level::Bad,
            "free_running -> unknown (holdover_expired)",
        ),
        (
            &expired,
            &row_at(3 * S),
            Level::Good,
            "unknown -> synchronized (tracking)",
        ),
    ] {
        let events = between(before, after);
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!((events[0].level, events[0].text.as_str()), (level, text));
        assert_eq!(events[0].unix_ns, after.unix_ns);
    }
}

#[test]
fn a_change_of_the_reason_alone_is_told() {
    let before = row_with(0, ClockStatus::FreeRunning, Reason::ChronySilent);
    let after = row_with(S, ClockStatus::FreeRunning, Reason::SourceUnreachable);
    assert_eq!(
        texts(&before, &after),
        ["free_running: chrony_silent -> source_unreachable"]
    );
}

#[test]
fn counters_and_the_source_are_told_when_they_change() {
    let after = row_changed(S, |published| {
        published.source = "192.0.2.2".to_owned();
        for counter in &mut published.counters {
            *counter += 2;
        }
    });
    let texts = texts(&row_at(0), &after);
    assert_eq!(texts[0], "source 192.0.2.1 -> 192.0.2.2");
    assert!(
        texts.contains(&"a measurement is disjoint from the held interval (2 times)".to_owned()),
        "{texts:?}"
    );
    // Reports, refused reports, unanswered polls and measurements are no events.
    assert_eq!(texts.len(), 1 + COUNTERS.len() - 4);
}

#[test]
fn counters_of_a_restarted_daemon_begin_at_zero() {
    let after = row_changed(S, |published| {
        published.pid = 4712;
        published.counters = [0; COUNTERS.len()];
        published.counters[4] = 1;
    });
    assert_eq!(
        texts(&row_at(0), &after),
        [
            "the daemon was restarted: process 4712",
            "a measurement is disjoint from the held interval"
        ]
    );
}

#[test]
fn missing_data_and_missing_rows_are_told() {
    assert_eq!(
        texts(&row_at(0), &unreadable_at(S)),
        ["the diagnostics are unreadable"]
    );
    assert_eq!(
        texts(&unreadable_at(S), &row_at(2 * S)),
        ["the diagnostics are readable: synchronized (tracking)"]
    );
    assert_eq!(
        texts(&row_at(0), &row_at(90 * S)),
        ["no rows for 1 min 30 s"]
    );
}

#[test]
fn a_setting_of_the_clock_is_told_from_a_gap() {
    let mut after = row_at(S);
    after.unix_ns += 3600 * S;
    assert_eq!(
        texts(&row_at(0), &after),
        ["CLOCK_REALTIME was set forward by 3600 s"]
    );
    after.unix_ns -= 7200 * S;
    assert_eq!(
        texts(&row_at(0), &after),
        ["CLOCK_REALTIME was set back by 3600 s"]
    );
    assert_eq!(
        Elapsed::between(&row_at(0), &after),
        Elapsed::Next {
            ns: S,
            step_ns: -3600 * S
        }
    );
}

#[test]
fn a_slew_is_no_setting_of_the_clock() {
    let mut after = row_at(S);
    // The fastest slew of chronyd, 83333 ppm.
    after.unix_ns += S / 12;
    assert!(between(&row_at(0), &after).is_empty());
}

#[test]
fn a_restart_of_the_host_is_a_gap() {
    let mut after = row_at(600 * S);
    after.monotonic_ns = 30 * S;
    assert_eq!(
        Elapsed::between(&row_at(0), &after),
        Elapsed::Gap { ns: 600 * S }
    );
}

#[test]
fn earlier_rows_are_out_of_order() {
    assert_eq!(
        Elapsed::between(&row_at(60 * S), &row_at(0)),
        Elapsed::OutOfOrder
    );
}
