//! The form in which scenarios are written down.
//!
//! ```text
//! scenarios! { BASE;
//!     "name", SECONDS s, "what happens" [SETTING, SETTING(VALUE)] SECOND: ACTION, SECOND: ACTION;
//! }
//! ```
//!
//! is a vector of scenarios. `BASE(name, about, seconds)` makes a scenario with the settings that
//! the table's scenarios share, each setting is a method of [`Scenario`], and each action takes
//! place at its second since the beginning.

use crate::rig::scenario::{Action, Expect, Scenario};
use crate::time::truth::Course;

pub(super) const MS: i64 = 1_000_000;
pub(super) const PPM: i64 = 1_000;

macro_rules! scenarios {
    ($base:expr; $($name:literal, $seconds:literal s, $about:literal
        [$($setting:ident $(($($value:expr),*))?),*] $($at:literal: $action:expr),*;)*) => {
        vec![$(
            $base($name, $about, $seconds)
                $(.$setting($($($value),*)?))*
                $(.at(f64::from($at), $action))*
        ),*]
    };
}
pub(super) use scenarios;

/// A scenario in which the status may lapse.
pub(super) fn trusted(name: &'static str, about: &'static str, seconds: u64) -> Scenario {
    Scenario::new(name, about, seconds).expecting(Expect::Trusted)
}

/// A scenario in which the interval stays trusted.
pub(super) fn kept(name: &'static str, about: &'static str, seconds: u64) -> Scenario {
    Scenario::new(name, about, seconds).expecting(Expect::Kept)
}

/// The server of this number stops answering.
pub(super) fn silence(number: usize) -> Action {
    Action::Server(number, |server| server.silent = true)
}

/// The server of this number answers again.
pub(super) fn answer(number: usize) -> Action {
    Action::Server(number, |server| server.silent = false)
}

/// A clock that is `offset_ns` behind true time at the beginning and loses `drift_ppm` us a second.
pub(super) fn course(offset_ns: i64, drift_ppm: i64) -> Course {
    Course {
        offset_ns,
        drift_ppb: drift_ppm * PPM,
        ..Course::default()
    }
}

/// The first reference clock stops sending samples.
pub(super) fn silence_refclock() -> Action {
    Action::Refclock(0, |feed| feed.silent = true)
}

/// The first reference clock sends samples again.
pub(super) fn answer_refclock() -> Action {
    Action::Refclock(0, |feed| feed.silent = false)
}
