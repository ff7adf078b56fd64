//! Which sources of a scenario lie: the premise under which nothing may be violated.

use super::scenario::{Action, Scenario};
use crate::fakes::ntp_server::ServerBehaviour;
use crate::fakes::reference_clock::Feed;

/// How closely the time is looked at, in seconds.
const STEP_S: f64 = 0.05;

/// How many servers and reference clocks of a scenario tell, at some time, what their own declaration does not cover.
pub(super) fn count(scenario: &Scenario) -> usize {
    let server = |&number: &usize| server_lies(scenario, number);
    let refclock = |&number: &usize| refclock_lies(scenario, number);
    (0..scenario.servers.len()).filter(server).count()
        + (0..scenario.refclocks.len()).filter(refclock).count()
}

fn server_lies(scenario: &Scenario, number: usize) -> bool {
    let change = |action: &Action| match action {
        Action::Server(changed, change) if *changed == number => Some(*change),
        _ => None,
    };
    // A hardware clock declares its error beside the server that stands for it.
    let phc_ns = f64::from(scenario.phc_bound_ns.unwrap_or(0));
    let lies = |behaviour: &ServerBehaviour, second| {
        let honest = behaviour.is_truechimer_at(second);
        let covered = behaviour.time_error_ns_at(second).unsigned_abs() as f64 <= phc_ns;
        !behaviour.silent && behaviour.leap != 3 && !honest && !covered
    };
    ever(scenario, scenario.servers[number].behaviour, change, lies)
}

fn refclock_lies(scenario: &Scenario, number: usize) -> bool {
    let refclock = &scenario.refclocks[number];
    let change = |action: &Action| match action {
        Action::Refclock(changed, change) if *changed == number => Some(*change),
        _ => None,
    };
    let lies = |feed: &Feed, second| {
        !feed.silent && feed.largest_error_ns_at(second) > refclock.delay / 2.0 * 1e9
    };
    ever(scenario, refclock.feed, change, lies)
}

/// Whether `cond` holds at any time for what the script makes of `state`.
fn ever<T>(
    scenario: &Scenario,
    mut state: T,
    change: impl Fn(&Action) -> Option<fn(&mut T)>,
    cond: impl Fn(&T, f64) -> bool,
) -> bool {
    let mut script = scenario.script.iter().peekable();
    let mut second = 0.0;
    while second <= scenario.seconds as f64 {
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
    fn a_lie_counts_once_it_is_told_and_not_covered() {
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
    fn a_lie_that_outgrows_its_declaration_is_found() {
        let slewing = scenario().server(|server| {
            server.root_dispersion = 0.002;
            server.time_error_profile = Profile::ramp(Ramp::endless(5.0, 100.0));
        });
        assert_eq!(count(&slewing), 1);
        assert_eq!(count(&slewing.lasting(20)), 0);
    }

    #[test]
    fn silence_is_no_lie() {
        let silent =
            scenario().server(|server| (server.time_error_ns, server.silent) = (5 * MS, true));
        assert_eq!(count(&silent), 0);
    }
}
