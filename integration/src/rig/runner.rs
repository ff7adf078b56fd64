//! Runs scenarios, several at a time.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

use super::report::Report;
use super::scenario::Scenario;
use super::{falsetickers, in_process, subprocess};
use crate::observe::layout::Layout;

/// Runs scenarios against one daemon.
#[derive(Clone, Debug)]
pub struct Rig {
    /// The daemon's program.
    pub daemon: PathBuf,
    /// The layouts that are compared with true time.
    pub layouts: Vec<Layout>,
    /// The arguments with which the calling program, started again, calls
    /// [`subprocess::run_if_requested`].
    pub subprocess_arguments: &'static [&'static str],
}

impl Rig {
    /// Runs a scenario, in a process of its own when it needs a virtual clock.
    ///
    /// # Panics
    /// If a program fails, the daemon ends, or the scenario has more falsetickers than it declares.
    pub fn run(&self, scenario: &Scenario) -> Report {
        assert!(
            scenario.not_held.is_some() || falsetickers::count(scenario) <= scenario.falsetickers,
            "{}: more falsetickers than declared",
            scenario.name
        );
        match scenario.needs_virtual_clock() {
            true => subprocess::run(
                &self.daemon,
                &self.layouts,
                self.subprocess_arguments,
                scenario,
            ),
            false => in_process::run(&self.daemon, &self.layouts, scenario),
        }
    }

    /// Runs scenarios, `at_a_time` of them in parallel; the reports are in the order of the
    /// scenarios.
    ///
    /// # Panics
    /// As [`Rig::run`] does.
    pub fn run_together(&self, scenarios: &[Scenario], at_a_time: usize) -> Vec<Report> {
        // The longest first, so that the last ones are short.
        let mut order: Vec<usize> = (0..scenarios.len()).collect();
        order.sort_by_key(|&index| Reverse(scenarios[index].seconds));
        let queue = Mutex::new(VecDeque::from(order));
        let reports = Mutex::new(Vec::new());
        let work = || {
            let next = || queue.lock().expect("queue").pop_front();
            while let Some(index) = next() {
                let report = self.run(&scenarios[index]);
                reports.lock().expect("reports").push((index, report));
            }
        };
        thread::scope(|scope| {
            for _ in 0..at_a_time {
                scope.spawn(work);
            }
        });
        let mut reports = reports.into_inner().expect("reports");
        reports.sort_by_key(|&(index, _)| index);
        reports.into_iter().map(|(_, report)| report).collect()
    }
}
