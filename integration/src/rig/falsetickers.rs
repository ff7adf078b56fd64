//! The falsetickers among the sources of a scenario. Violations are excluded only if there are no
//! more than declared.

use std::time::Duration;

use super::scenario::{Action, Scenario};
use crate::fakes::ntp_server::ServerBehaviour;
use crate::fakes::reference_clock::Feed;

/// The interval at which time errors are checked, in seconds.
const STEP_S: f64 = 0.05;

/// Number of servers and reference clocks whose declared error does not cover their time error at
/// some instant.
pub(super) fn count(scenario: &Scenario) -> usize {
    let server = |&number: &usize| is_false_server(scenario, number);
    let refclock = |&number: &usize| is_false_refclock(scenario, number);
    (0..scenario.servers.len()).filter(server).count()
        + (0..scenario.refclocks.len()).filter(refclock).count()
}

fn is_false_server(scenario: &Scenario, number: usize) -> bool {
    let change = |action: &Action| match action {
        Action::Server(changed, change) if *changed == number => Some(*change),
        _ => None,
    };
    // A hardware clock declares its error bound in addition to its server.
    let phc_ns = u64::from(scenario.phc_bound_ns.unwrap_or(0));
    let is_false = |behaviour: &ServerBehaviour, second| {
        let truechimer = behaviour.is_truechimer_at(second);
        let covered = behaviour.time_error_ns_at(second).unsigned_abs() <= phc_ns;
        !behaviour.silent && behaviour.leap != 3 && !truechimer && !covered
    };
    ever(
        scenario,
        scenario.servers[number].behaviour,
        change,
        is_false,
    )
}

fn is_false_refclock(scenario: &Scenario, number: usize) -> bool {
    let refclock = &scenario.refclocks[number];
    let change = |action: &Action| match action {
        Action::Refclock(changed, change) if *changed == number => Some(*change),
        _ => None,
    };
    let is_false = |feed: &Feed, second| {
        !feed.silent && feed.largest_error_ns_at(second) > refclock.delay / 2.0 * 1e9
    };
    ever(scenario, refclock.feed, change, is_false)
}

/// Whether `cond` holds at any second for `state` as the script changes it.
fn ever<T>(
    scenario: &Scenario,
    mut state: T,
    change: impl Fn(&Action) -> Option<fn(&mut T)>,
    cond: impl Fn(&T, f64) -> bool,
) -> bool {
    let mut script = scenario.script.iter().peekable();
    let end_s = Duration::from_secs(scenario.seconds).as_secs_f64();
    let mut second = 0.0;
    while second <= end_s {
        while let Some((_, action)) = script.next_if(|(at, _)| *at <= second) {
            if let Some(change) = change(action) {
                change(&mut state);
            }
        }
        if cond(&state, second) {
            return true;
        }
        second += STEP_S;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::profile::{Profile, Ramp};

    const MS: i64 = 1_000_000;

    fn scenario() -> Scenario {
        Scenario::new("test", "", 30)
    }

    #[test]
    fn a_server_counts_once_its_error_exceeds_its_declaration() {
        assert_eq!(count(&scenario()), 0);
        let covered = scenario().server(|server| {
            server.time_error_ns = 5 * MS;
            server.root_dispersion = 0.005;
        });
        assert_eq!(count(&covered), 0);
        let later = covered.at(
            20.0,
            Action::Server(0, |server| server.time_error_ns = 6 * MS),
        );
        assert_eq!(count(&later), 1);
        assert_eq!(count(&later.lasting(19)), 0);
    }

    #[test]
    fn a_growing_error_is_found_when_it_exceeds_its_declaration() {
        let slewing = scenario().server(|server| {
            server.root_dispersion = 0.002;
            server.time_error_profile = Profile::ramp(Ramp::endless(5.0, 100.0));
        });
        assert_eq!(count(&slewing), 1);
        assert_eq!(count(&slewing.lasting(20)), 0);
    }

    #[test]
    fn a_silent_server_does_not_count() {
        let silent =
            scenario().server(|server| (server.time_error_ns, server.silent) = (5 * MS, true));
        assert_eq!(count(&silent), 0);
    }
}
