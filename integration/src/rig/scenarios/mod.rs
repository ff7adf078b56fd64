//! Every scenario.

use super::scenario::Scenario;

mod basic;
mod changing_servers;
mod disciplined;
mod leap_seconds;
mod reference_clocks;
mod set_clock;
mod several_servers;
mod stopped_machine;
mod table;

/// The scenario of this name, from either group.
pub fn named(name: &str) -> Option<Scenario> {
    let mut scenarios = all().into_iter().chain(slow());
    scenarios.find(|scenario| scenario.name == name)
}

/// The scenarios that are always run.
pub fn all() -> Vec<Scenario> {
    [
        basic::all(),
        changing_servers::all(),
        several_servers::all(),
        reference_clocks::all(),
        set_clock::all(),
        disciplined::all(),
        leap_seconds::all(),
        stopped_machine::all(),
    ]
    .concat()
}

/// The second group: variants with long poll intervals.
pub fn slow() -> Vec<Scenario> {
    [
        changing_servers::slow(),
        several_servers::slow(),
        reference_clocks::slow(),
        set_clock::slow(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::falsetickers;
    use crate::rig::scenario::instant;
    use std::collections::BTreeSet;
    use std::time::Duration;

    fn both() -> Vec<Scenario> {
        [all(), slow()].concat()
    }

    #[test]
    fn names_are_unique_and_found() {
        let names: BTreeSet<&str> = both().iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), both().len());
        for name in names {
            assert_eq!(named(name).expect("found").name, name);
        }
        assert!(named("none").is_none());
    }

    #[test]
    fn scenarios_that_move_the_clock_need_a_virtual_clock() {
        let is_virtual = |name| named(name).expect("found").needs_virtual_clock();
        for name in [
            "set-forwards",
            "runs-off",
            "slewed",
            "leap-second",
            "carries-a-frequency",
        ] {
            assert!(is_virtual(name), "{name}");
        }
        assert!(!is_virtual("fast"));
    }

    #[test]
    fn scripts_are_in_order_and_end_before_the_scenario() {
        for scenario in both() {
            let times = scenario.script.iter().map(|(second, _)| *second);
            assert!(times.clone().is_sorted(), "{}", scenario.name);
            let last = instant(times.max_by(f64::total_cmp).unwrap_or(0.0));
            assert!(last < Duration::from_secs(scenario.seconds));
        }
    }

    #[test]
    fn held_scenarios_have_as_many_falsetickers_as_they_declare() {
        for scenario in both() {
            if scenario.not_held.is_none() {
                let count = falsetickers::count(&scenario);
                assert_eq!(count, scenario.falsetickers, "{}", scenario.name);
            }
        }
    }
}
