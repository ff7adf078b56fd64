//! Waiting on conditions, never for a time to pass.

use std::thread;
use std::time::{Duration, Instant};

/// Long enough for anything that works, on a machine that is busy with something else.
pub const PATIENCE: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(2);

/// Polls `cond` until it holds; panics with `what` once `deadline` has passed.
#[track_caller]
pub fn until(deadline: Duration, what: &str, mut cond: impl FnMut() -> bool) {
    until_some(deadline, what, || cond().then_some(()));
}

/// Polls `get` until it returns a value; panics with `what` once `deadline` has passed.
#[track_caller]
pub fn until_some<T>(deadline: Duration, what: &str, get: impl FnMut() -> Option<T>) -> T {
    match within(deadline, get) {
        Some(value) => value,
        None => panic!("not within {deadline:?}: {what}"),
    }
}

/// Polls `get` until it returns a value or `deadline` has passed.
pub fn within<T>(deadline: Duration, mut get: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = get() {
            return Some(value);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(POLL);
    }
}

/// Checks that `cond` holds for as long as `span` lasts.
#[track_caller]
pub fn holds(span: Duration, what: &str, mut cond: impl FnMut() -> bool) {
    let broken = within(span, || (!cond()).then_some(()));
    assert!(broken.is_none(), "did not hold for {span:?}: {what}");
}
