//! Which measurements of a report are new, and what is charged to them.

use super::ablation::Safeguard;
use super::clock_log::ClockLog;
use super::core::Estimator;
use super::error_budget::ErrorBudget;
use super::history::Point;
use super::sample::{self, Charges, LastReport, Reported, Sample};
use crate::chrony::{ChronyPoll, SourceData, Tracking};
use crate::time::{Interval, NS_PER_S, Readings, ceil_ns, nearest_ns};

/// chronyd accepts an answer until so long after its request, ns: a measurement can have begun so
/// long before it was made.
pub(super) const LONGEST_EXCHANGE_NS: i64 = 4 * NS_PER_S;

impl Estimator {
    /// The measurements of this report that are new.
    pub(super) fn new_samples(
        &mut self,
        poll: &ChronyPoll,
        at: &Readings,
        answered: &Readings,
    ) -> Vec<Sample> {
        let band = self.held.growth().band();
        let held = self.held.at(at.raw);
        let settled = held.and_then(|held| self.leap_second.settled_since(held, at.raw));
        let mut samples = Vec::new();
        for data in &poll.sources {
            let phc_ns = self.phc_bound_ns(data, at);
            let settings = Unseen {
                allowed: self.held.point().is_none() && self.interruption.is_none()
                    || !self.has(Safeguard::SeenToArrive),
                unwatched_ns: self.unwatched_ns,
            };
            let reported = Reported {
                data: *data,
                ref_time_ns: poll.tracking.ref_time_ns,
            };
            let new_always = !self.has(Safeguard::NewMeasurement);
            let Some(source) = self.sources.entry_of(data, at.raw) else {
                continue;
            };
            (source.data, source.reported) = (*data, at.raw);
            let last_report = source.last_report;
            let is_new = match last_report {
                None | Some(LastReport { report: None, .. }) => sample::has_measurement(data),
                Some(LastReport {
                    raw,
                    report: Some(before),
                }) => {
                    let was_set = self.clock.set_ns(raw) > 0;
                    new_always || sample::is_new(&before, &reported, was_set)
                }
            };
            let Some(phc_ns) = phc_ns else {
                // No update: the measurement is used when the PHC's error bound is available.
                continue;
            };
            source.last_report = Some(LastReport {
                raw: at.raw,
                report: Some(reported),
            });
            if !is_new {
                continue;
            }
            let Some(charges) = charges(
                data,
                last_report,
                &poll.tracking,
                &self.clock,
                settings,
                at,
                answered,
            ) else {
                continue;
            };
            // It may be in the count from before a leap second.
            let begun = at.raw - charges.age_ns;
            let is_unsettled = settled.is_some_and(|settled| begun < settled);
            if is_unsettled && self.has(Safeguard::LeapSettling) {
                continue;
            }
            if self.may_precede_interruption(begun - charges.exchange_ns, at) {
                continue;
            }
            let charges = Charges { phc_ns, ..charges };
            let charges = charges.without(self.without);
            let (interval, budget) = sample::interval(data, &poll.tracking, at, band, charges);
            let (interval, budget) = self.without_terms(interval, budget);
            let point = Point {
                raw: at.raw,
                interval,
            };
            if let Some(source) = self.sources.entry_of(data, at.raw) {
                source.add_measurement(point, band);
                samples.push(Sample {
                    key: source.key,
                    point,
                    budget,
                    poll_ns: sample::poll_ns(data),
                });
            }
        }
        if poll.complete {
            self.sources.retain_listed(&poll.sources, at.raw);
        }
        samples
    }

    /// The same, for tests that take a term away.
    pub(super) fn without_terms(
        &self,
        interval: Interval,
        mut budget: ErrorBudget,
    ) -> (Interval, ErrorBudget) {
        let term = match self.without {
            Some(Safeguard::RootDistance) => &mut budget.root_distance_ns,
            Some(Safeguard::ReadingGap) => &mut budget.clock_reading_gap_ns,
            _ => return (interval, budget),
        };
        let by_ns = std::mem::take(term);
        (interval.widen(-by_ns), budget)
    }

    /// The PHC's error bound if this source is the PHC, 0 for any other; `None` when it is not
    /// known or too old.
    pub(super) fn phc_bound_ns(&self, data: &SourceData, at: &Readings) -> Option<i64> {
        if self.settings.phc_reference_id != data.address.as_reference_id() {
            return Some(0);
        }
        if self.settings.phc_reference_id.is_none() || !self.has(Safeguard::PhcBound) {
            return Some(0);
        }
        let phc = self.phc?;
        let is_fresh = at.raw - phc.raw <= self.settings.grace_ns;
        is_fresh.then_some(phc.bound_ns.max(0))
    }
}

/// Conditions for a measurement that was made before the first report.
#[derive(Clone, Copy, Debug)]
struct Unseen {
    /// It may be used.
    allowed: bool,
    /// What the clock moved before the log of its readings begins, ns.
    unwatched_ns: i64,
}

/// What is charged to a new measurement; `None` when it must not be used: it was made before the
/// daemon was started.
fn charges(
    data: &SourceData,
    last_report: Option<LastReport>,
    tracking: &Tracking,
    clock: &ClockLog,
    unseen: Unseen,
    at: &Readings,
    answered: &Readings,
) -> Option<Charges> {
    let since_report_ns = last_report.map(|last_report| answered.raw - last_report.raw);
    let corrected = at.realtime + nearest_ns(tracking.current_correction_s);
    let waited_ns = answered.raw - at.raw;
    let age_ns = sample::greatest_age_ns(data, since_report_ns, waited_ns, corrected);
    let exchange_ns = ceil_ns(2.0 * data.offset_error_s);
    let since = answered.raw - age_ns;
    let watched_ns = clock.moved_ns(since, at);
    if !unseen.allowed && (last_report.is_none() || watched_ns.is_none()) {
        return None;
    }
    let begun = since - exchange_ns;
    // A clock that was set back meanwhile made the measured round trip shorter by as much.
    let hidden_ns = clock.moved_ns(begun - LONGEST_EXCHANGE_NS, at);
    let begun = begun - hidden_ns.unwrap_or(0).min(LONGEST_EXCHANGE_NS);
    let moved_ns = clock.moved_ns(begun, at).or(watched_ns).unwrap_or_else(|| {
        clock
            .moved_at_all_ns(at)
            .saturating_add(unseen.unwatched_ns)
    });
    let set_ns = clock.set_ns(begun - LONGEST_EXCHANGE_NS);
    Some(Charges {
        // The interval is that of `at`: the measurement was made so long before it, or at most
        // so long after it.
        age_ns: (at.raw - since).max(waited_ns),
        waited_ns,
        exchange_ns,
        moved_ns: moved_ns.max(set_ns),
        phc_ns: 0,
    })
}
