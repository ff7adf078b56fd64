use super::*;
use crate::record::test_rows::{NOW_NS, REALTIME_NS, S, diagnostics_at};

fn view_of(seconds: i64) -> View {
    let mut view = View::new("/run/clockbound".to_owned(), S);
    for second in 0..seconds {
        view.read(diagnostics_at(second * S));
    }
    view
}

#[test]
fn only_q_escape_and_control_c_and_d_quit() {
    for (bytes, keys) in [
        (&b"q"[..], &[Key::Quit][..]),
        (b"Q", &[Key::Quit]),
        (b"\x1b", &[Key::Quit]),
        (b"\x03", &[Key::Quit]),
        (b"\x04", &[Key::Quit]),
        (b"\x1b[A", &[Key::Other]),
        (b"\x1b[1;5C", &[Key::Other]),
        (b"\x1bOP", &[Key::Other]),
        (b"\x1bq", &[Key::Other]),
        (b"\x1b[A-", &[Key::Other, Key::Longer]),
        (b"\x1b[A\x1b", &[Key::Other, Key::Quit]),
        (b"\x1b[", &[Key::Other]),
        (b"\x1bO", &[Key::Other]),
        (b"+", &[Key::Shorter]),
        (b"--x", &[Key::Longer, Key::Longer, Key::Other]),
        (b"", &[]),
    ] {
        assert_eq!(Key::all(bytes), keys, "{bytes:?}");
    }
}

#[test]
fn keys_change_the_span_within_its_limits() {
    let mut view = view_of(1);
    for _ in 0..10 {
        assert!(view.press(Key::Longer));
    }
    assert_eq!(view.span_ns(), 6 * 3600 * S);
    for _ in 0..10 {
        assert!(view.press(Key::Shorter));
    }
    assert_eq!(view.span_ns(), 60 * S);
    assert!(!view.press(Key::Quit));
}

#[test]
fn the_newest_sample_is_in_the_last_part() {
    let view = view_of(10);
    let parts = view.parts(100);
    assert_eq!(parts[99].and_then(|part| part.bound_ns), Some(400_000));
    // Three seconds a part: ten samples are in at most five parts.
    let filled = parts.iter().flatten().count();
    assert!((3..=5).contains(&filled), "{filled}");
    assert!(view.parts(0).is_empty());
}

#[test]
fn a_part_that_is_shorter_than_an_interval_has_no_hole() {
    let mut view = view_of(60);
    view.press(Key::Shorter);
    let parts = view.parts(200);
    let first = parts.iter().position(Option::is_some).expect("has samples");
    // The last sample holds until the next one, which is not there yet.
    assert!(parts[first..].iter().all(Option::is_some));
}

#[test]
fn a_part_shows_the_worst_of_its_samples() {
    let mut view = view_of(3);
    view.failed("gone".to_owned(), (REALTIME_NS + 3 * S, NOW_NS + 3 * S));
    let last = view.parts(1)[0].expect("has samples");
    assert_eq!(last.state, State::Unreadable);
    assert_eq!(last.bound_ns, Some(400_000));
}

#[test]
fn failures_and_recoveries_are_events() {
    let mut view = view_of(2);
    view.failed("gone".to_owned(), (REALTIME_NS + 2 * S, NOW_NS + 2 * S));
    assert_eq!(view.error.as_deref(), Some("gone"));
    assert_eq!(view.events[0].text, "the diagnostics are unreadable");
    view.read(diagnostics_at(3 * S));
    assert_eq!(view.error, None);
    assert!(
        view.events[0]
            .text
            .starts_with("the diagnostics are readable")
    );
    assert_eq!(view.events.len(), 2);
}

#[test]
fn memory_is_bounded() {
    let mut view = View::new(String::new(), S);
    for second in 0..30_000 {
        let clocks = (REALTIME_NS + second * S, NOW_NS + second * S);
        view.failed(String::new(), clocks);
    }
    assert_eq!(view.samples.len(), 6 * 3600 + 1);
}
