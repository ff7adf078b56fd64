//! The report of a scenario: expectations, faults and the row of the table.
#![expect(clippy::cast_precision_loss, reason = "the table has a few digits")]

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use super::scenario::{Expect, Scenario};
use crate::observe::reading::Status;
use crate::observe::samples::{LayoutSamples, Sample};

/// The part of the time that a healthy clock is Synchronized, after it was first trusted.
const HEALTHY_SHARE: f64 = 0.99;

/// The least median bound of a layout, as a part of that of the first layout. The layouts are read
/// one after the other, and the 3.x segment is only 50 ns wider than the native one.
const NOT_NARROWER: f64 = 0.98;

/// How long a layout that is centred on CLOCK_REALTIME may be wrong after a slew of that clock
/// begins: until the daemon's next round, with a margin for busy machines.
const ROUND: Duration = Duration::from_millis(250);

/// How long a layout that is centred on CLOCK_REALTIME may be wrong after a step of that clock:
/// until the daemon is scheduled, with a margin for busy machines. A daemon that does not detect
/// the step is wrong until chronyd's next poll, several seconds later.
pub(super) const NOTICE: Duration = Duration::from_secs(1);

/// In the first minute after chronyd's start, few measurements bound the rate, and intervals are
/// wider.
const FIRST_MINUTE: Duration = Duration::from_secs(60);

/// The report of a scenario. All instants are since its beginning.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario.
    pub scenario: Scenario,
    /// When the daemon was started.
    pub daemon_started: Duration,
    /// When chronyd first selected a source.
    pub chronyd_synchronised: Option<Duration>,
    /// When CLOCK_REALTIME was stepped or its rate changed.
    pub disturbed: Vec<Duration>,
    /// When a slew began or ended.
    pub slewed: Vec<Duration>,
    /// When the machine was stopped, and until when a daemon was not running that could detect it.
    pub stopped: Vec<Duration>,
    /// The samples of each layout.
    pub layouts: Vec<LayoutSamples>,
    /// Twice chronyd's root distance, about once a second, ns.
    pub declared_ns: Vec<i64>,
    /// The daemon's log.
    pub daemon_log: Vec<String>,
    /// chronyd's log since its last start.
    pub chronyd_log: Vec<String>,
}

impl Report {
    /// A report of a scenario of which nothing is recorded yet.
    pub fn of(scenario: &Scenario) -> Report {
        Report {
            scenario: scenario.clone(),
            daemon_started: Duration::ZERO,
            chronyd_synchronised: None,
            disturbed: Vec::new(),
            slewed: Vec::new(),
            stopped: Vec::new(),
            layouts: Vec::new(),
            declared_ns: Vec::new(),
            daemon_log: Vec::new(),
            chronyd_log: Vec::new(),
        }
    }

    /// Number of violations that neither a preceding change of CLOCK_REALTIME nor a stop of the
    /// machine excuses.
    pub fn violations(&self, seen: &LayoutSamples) -> usize {
        let unexcused = |at: &&Duration| self.blind_for(seen, **at).is_none();
        seen.violations.iter().filter(unexcused).count()
    }

    /// The longest time from such an event to a violation that it excuses.
    pub fn blindness(&self, seen: &LayoutSamples) -> Option<Duration> {
        let blind = |at: &Duration| self.blind_for(seen, *at);
        seen.violations.iter().filter_map(blind).max()
    }

    fn blind_for(&self, seen: &LayoutSamples, at: Duration) -> Option<Duration> {
        let within = |moves: &[Duration], limit: Duration| {
            let since = |moved: &Duration| at.checked_sub(*moved);
            moves
                .iter()
                .filter_map(since)
                .filter(|&since| since < limit)
                .min()
        };
        let blind = within(&self.disturbed, NOTICE).or_else(|| within(&self.slewed, ROUND));
        // Without the marker, a reader can only follow the daemon.
        let stopped = within(&self.stopped, NOTICE).filter(|_| !seen.layout.compares_marker);
        blind.filter(|_| seen.layout.on_realtime).or(stopped)
    }

    /// Descriptions of what differs from the expectation.
    pub fn faults(&self) -> Vec<String> {
        self.layouts
            .iter()
            .flat_map(|seen| {
                let layout = seen.layout.name;
                let describe = move |fault| format!("{}, {layout}: {fault}", self.scenario.name);
                self.faults_of(seen).into_iter().map(describe)
            })
            .collect()
    }

    fn faults_of(&self, seen: &LayoutSamples) -> Vec<String> {
        let mut faults = Vec::new();
        let violations = self.violations(seen);
        if violations > 0 && self.scenario.not_held.is_none() {
            faults.push(format!("{violations} trusted intervals without true time"));
        }
        if seen.errors > 0 {
            faults.push(format!("{} reads gave no interval", seen.errors));
        }
        let trusted = seen.samples.iter().any(Sample::is_trusted);
        if trusted != (self.scenario.expect != Expect::Untrusted) {
            faults.push(format!("trusted: {trusted}"));
        }
        if self.scenario.expect == Expect::Regained && !self.regained(seen) {
            faults.push("not trusted before the stop and at the end".to_owned());
        }
        let lapses = lapses(seen);
        if self.scenario.expect == Expect::Kept && lapses > 0 {
            faults.push(format!("the interval became untrusted {lapses} times"));
        }
        if (self.times_first(seen)).is_some_and(|times| times < NOT_NARROWER) {
            faults.push(format!("narrower than {}", self.layouts[0].layout.name));
        }
        if self.scenario.expect == Expect::Healthy {
            let (share, flaps) = (synchronized_share(seen), flaps(seen));
            if share <= HEALTHY_SHARE {
                faults.push(format!("Synchronized for {:.1} % only", share * 100.0));
            }
            if flaps > 0 {
                faults.push(format!("the status left Synchronized {flaps} times"));
            }
        }
        faults
    }

    /// Whether the layout was trusted before the machine was stopped, and at the end.
    fn regained(&self, seen: &LayoutSamples) -> bool {
        let stopped = self.stopped.first();
        let before = |sample: &Sample| stopped.is_some_and(|stopped| sample.at < *stopped);
        let mut earlier = seen.samples.iter().filter(|sample| before(sample));
        earlier.any(Sample::is_trusted) && seen.samples.last().is_some_and(Sample::is_trusted)
    }

    /// The largest distance of true time from a trusted interval of a layout, ns, if any was
    /// violated.
    pub fn worst_miss_ns(&self, layout: &str) -> Option<i64> {
        let seen = self.layouts.iter().find(|seen| seen.layout.name == layout);
        seen.and_then(worst_miss_ns)
    }

    /// The layout's median bound divided by that of the first layout, which should be the
    /// narrowest. Only the rounds of reads count in which both were trusted.
    fn times_first(&self, seen: &LayoutSamples) -> Option<f64> {
        let pairs = seen.samples.iter().zip(&self.layouts[0].samples);
        let (own, first): (Vec<i64>, Vec<i64>) = pairs
            .filter(|(own, first)| own.is_trusted() && first.is_trusted())
            .map(|(own, first)| (own.bound_ns(), first.bound_ns()))
            .unzip();
        Some(median_of(own)? as f64 / median_of(first)? as f64)
    }

    /// The faults, violations, status changes and logs.
    pub fn diagnosis(&self) -> String {
        let mut text = self.faults().join("\n");
        for seen in &self.layouts {
            for detail in &seen.details {
                let _ = write!(text, "\n  {}: {detail}", seen.layout.name);
            }
            let _ = write!(text, "\n  {}: {}", seen.layout.name, status_changes(seen));
            if let Some(worst_ns) = worst_miss_ns(seen) {
                let missed = time_where(&seen.samples, |sample| seen.is_violation(sample));
                let _ = write!(
                    text,
                    "\n  {}: wrong by {:.3} ms at most, for {:.1} s",
                    seen.layout.name,
                    worst_ns as f64 / 1e6,
                    missed.as_secs_f64()
                );
            }
        }
        for (who, log) in [("daemon", &self.daemon_log), ("chronyd", &self.chronyd_log)] {
            let _ = write!(text, "\n  {who}:");
            for line in log {
                let _ = write!(text, "\n    {line}");
            }
        }
        text
    }

    /// A line of the table for each layout.
    pub fn rows(&self) -> Vec<String> {
        self.layouts.iter().map(|seen| self.row(seen)).collect()
    }

    fn row(&self, seen: &LayoutSamples) -> String {
        let first = first_trusted(seen);
        let since = |start: Option<Duration>| match (first, start) {
            (Some(first), Some(start)) => {
                format!("{:.2}", first.as_secs_f64() - start.as_secs_f64())
            }
            _ => "-".to_owned(),
        };
        let spent = |status| format!("{:.1}", time_in(seen, status).as_secs_f64());
        let bounds = trusted_sorted(seen, Sample::bound_ns);
        let errors = trusted_sorted(seen, |sample| sample.error_ns().abs());
        let settled = |sample: &&Sample| sample.is_trusted() && sample.at >= FIRST_MINUTE;
        let later = sorted(seen.samples.iter().filter(settled), Sample::bound_ns);
        let mut declared = self.declared_ns.clone();
        declared.sort_unstable();
        let us =
            |ns: Option<&i64>| ns.map_or("-".to_owned(), |&ns| format!("{:.1}", ns as f64 / 1e3));
        let ratio = match (median(&bounds), median(&errors)) {
            (Some(&bound), Some(&error)) => format!("{:.1}", bound as f64 / error.max(1) as f64),
            _ => "-".to_owned(),
        };
        let blindness = self.blindness(seen);
        columns([
            self.scenario.name,
            seen.layout.name,
            &seen.samples.len().to_string(),
            &spent(Status::Synchronized),
            &spent(Status::FreeRunning),
            &spent(Status::Unknown),
            &flaps(seen).to_string(),
            &since(Some(self.daemon_started)),
            &since(self.chronyd_synchronised),
            &self.violations(seen).to_string(),
            &blindness.map_or("-".to_owned(), |blind| blind.as_millis().to_string()),
            &us(median(&bounds)),
            &us(bounds.last()),
            &us(median(&later)),
            &us(median(&declared)),
            &self
                .times_first(seen)
                .map_or("-".to_owned(), |times| format!("{times:.2}")),
            &ratio,
            if !self.faults_of(seen).is_empty() {
                "FAULT"
            } else if self.scenario.not_held.is_some() {
                "not held"
            } else {
                "ok"
            },
        ])
    }
}

/// Prints the table of these reports, also from a test that passes.
pub fn show<'a>(reports: impl IntoIterator<Item = &'a Report>) {
    let mut text = heading();
    for row in reports.into_iter().flat_map(Report::rows) {
        let _ = write!(text, "\n{row}");
    }
    // println! is captured in tests that pass.
    let _ = writeln!(io::stdout(), "{text}");
}

/// A summary of these reports.
pub fn counts(reports: &[Report]) -> String {
    let faulty = reports.iter().filter(|report| !report.faults().is_empty());
    let not_held = |report: &&Report| report.scenario.not_held.is_some();
    let (faulty, not_held) = (faulty.count(), reports.iter().filter(not_held).count());
    let all = reports.len();
    format!("{all} scenarios, {faulty} with faults, {not_held} of all not held")
}

/// The heading above [`Report::rows`].
pub fn heading() -> String {
    let upper = columns([
        "", "", "", "sync", "free", "unkn", "", "trusted", "after", "viola", "blind", "median",
        "worst", "after", "chronyd", "times", "bound/", "",
    ]);
    let lower = columns([
        "scenario", "layout", "samples", "s", "s", "s", "flaps", "after s", "sync s", "tions",
        "ms", "bound us", "bound us", "60 s", "2D us", "native", "error", "",
    ]);
    format!("{upper}\n{lower}")
}

fn columns(cells: [&str; 18]) -> String {
    const WIDTHS: [usize; 18] = [40, 8, 7, 6, 6, 6, 5, 7, 6, 5, 5, 10, 10, 10, 10, 7, 8, 8];
    let mut line = String::new();
    for (index, (cell, width)) in cells.into_iter().zip(WIDTHS).enumerate() {
        let _ = match index {
            0 | 1 | 17 => write!(line, "{cell:<width$} "),
            _ => write!(line, "{cell:>width$} "),
        };
    }
    line.trim_end().to_owned()
}

/// When the layout was first trusted.
pub fn first_trusted(seen: &LayoutSamples) -> Option<Duration> {
    let first = seen.samples.iter().find(|sample| sample.is_trusted());
    first.map(|sample| sample.at)
}

/// How long the layout had this status.
pub fn time_in(seen: &LayoutSamples, status: Status) -> Duration {
    time_where(&seen.samples, |sample| sample.status == status)
}

/// How often the status changed from Synchronized.
pub fn flaps(seen: &LayoutSamples) -> usize {
    let left = |pair: &&[Sample]| {
        pair[0].status == Status::Synchronized && pair[1].status != Status::Synchronized
    };
    seen.samples.windows(2).filter(left).count()
}

/// The largest distance of true time from a trusted interval, ns, if any was violated.
fn worst_miss_ns(seen: &LayoutSamples) -> Option<i64> {
    let missed = seen
        .samples
        .iter()
        .filter(|sample| seen.is_violation(sample));
    let miss_ns = |sample: &Sample| sample.earliest_ns.max(-sample.latest_ns);
    missed.map(miss_ns).max()
}

/// How often the interval changed from trusted to untrusted.
fn lapses(seen: &LayoutSamples) -> usize {
    let lapsed = |pair: &&[Sample]| pair[0].is_trusted() && !pair[1].is_trusted();
    seen.samples.windows(2).filter(lapsed).count()
}

/// The part of the time since the layout was first trusted in which it was Synchronized.
fn synchronized_share(seen: &LayoutSamples) -> f64 {
    let begin = seen.samples.iter().position(Sample::is_trusted);
    let samples = begin.map_or(&[][..], |begin| &seen.samples[begin..]);
    let all = time_where(samples, |_| true);
    let synchronized = time_where(samples, |sample| sample.status == Status::Synchronized);
    synchronized.as_secs_f64() / all.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// A sample counts until the next one.
fn time_where(samples: &[Sample], cond: impl Fn(&Sample) -> bool) -> Duration {
    let pairs = samples.windows(2).filter(|pair| cond(&pair[0]));
    pairs.map(|pair| pair[1].at - pair[0].at).sum()
}

fn trusted_sorted(seen: &LayoutSamples, value: impl Fn(&Sample) -> i64) -> Vec<i64> {
    sorted(
        seen.samples.iter().filter(|sample| sample.is_trusted()),
        value,
    )
}

fn sorted<'a>(
    samples: impl Iterator<Item = &'a Sample>,
    value: impl Fn(&Sample) -> i64,
) -> Vec<i64> {
    let mut values: Vec<i64> = samples.map(value).collect();
    values.sort_unstable();
    values
}

fn median_of(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    median(&values).copied()
}

fn median(sorted: &[i64]) -> Option<&i64> {
    sorted.get(sorted.len() / 2)
}

/// The changes of the status.
fn status_changes(seen: &LayoutSamples) -> String {
    let mut changes: Vec<String> = Vec::new();
    let mut last = None;
    for sample in &seen.samples {
        if last.replace(sample.status) != Some(sample.status) {
            changes.push(format!(
                "{:?} at {:.3} s",
                sample.status,
                sample.at.as_secs_f64()
            ));
        }
    }
    changes.join(", ")
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
