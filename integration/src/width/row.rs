//! A row of the table: a summary of the samples of one layout.
#![expect(clippy::cast_precision_loss, reason = "the table has a few digits")]

use std::time::Duration;

use crate::observe::reading::Status;
use crate::observe::samples::{LayoutSamples, Sample};

/// Mean and percentiles of latest - earliest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Widths {
    /// Arithmetic mean, ns.
    pub mean_ns: f64,
    /// Median, ns.
    pub p50_ns: i64,
    /// 99th percentile, ns.
    pub p99_ns: i64,
}

/// The summary of one layout of one daemon.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Daemon and layout.
    pub name: String,
    /// Number of samples in the measured time.
    pub samples: usize,
    /// When it was first trusted, s after chronyd's selection of its source; negative when earlier.
    pub trusted_after_selection_s: Option<f64>,
    /// When it was first trusted, s after the daemon's start.
    pub trusted_after_start_s: Option<f64>,
    /// The part of the measured samples that were Synchronized, 0 to 1.
    pub synchronized: Option<f64>,
    /// Trusted intervals without true time, in the whole comparison.
    pub violations: Option<usize>,
    /// Widths of the trusted intervals in the measured time.
    pub widths: Option<Widths>,
}

impl Widths {
    /// A summary of these widths, in ns, in any order; `None` if there are none.
    pub fn of(mut widths_ns: Vec<i64>) -> Option<Widths> {
        widths_ns.sort_unstable();
        let percentile = |part: usize| widths_ns.get((widths_ns.len().max(1) - 1) * part / 100);
        Some(Widths {
            p50_ns: *percentile(50)?,
            p99_ns: *percentile(99)?,
            mean_ns: widths_ns.iter().sum::<i64>() as f64 / widths_ns.len() as f64,
        })
    }
}

impl Row {
    /// The row of a daemon that was started at `started`, beside a chronyd that selected its source
    /// at `selected`; the measured time starts at `from`.
    pub fn of(
        daemon: &str,
        seen: &LayoutSamples,
        started: Duration,
        selected: Option<Duration>,
        from: Duration,
    ) -> Row {
        let measured: Vec<&Sample> = seen.samples.iter().filter(|s| s.at >= from).collect();
        let trusted = seen.samples.iter().find(|sample| sample.is_trusted());
        let after = |instant: Duration| Some(trusted?.at.as_secs_f64() - instant.as_secs_f64());
        let is_synchronized = |sample: &&&Sample| sample.status == Status::Synchronized;
        let synchronized = measured.iter().filter(is_synchronized).count();
        let widths_ns = measured.iter().filter(|sample| sample.is_trusted());
        Row {
            name: format!("{daemon} {}", seen.layout.name),
            samples: measured.len(),
            trusted_after_selection_s: selected.and_then(after),
            trusted_after_start_s: after(started),
            synchronized: (!measured.is_empty())
                .then(|| synchronized as f64 / measured.len() as f64),
            violations: Some(seen.violations.len()),
            widths: Widths::of(widths_ns.map(|s| s.latest_ns - s.earliest_ns).collect()),
        }
    }

    /// The row of twice chronyd's root distance, in ns.
    pub fn of_chronyd(widths_ns: Vec<i64>) -> Row {
        Row {
            name: "chronyd 2D".to_owned(),
            samples: widths_ns.len(),
            trusted_after_selection_s: None,
            trusted_after_start_s: None,
            synchronized: None,
            violations: None,
            widths: Widths::of(widths_ns),
        }
    }

    /// The line of the table, with the ratio of the median to `reference`.
    pub fn line(&self, reference: Option<Widths>) -> String {
        let widths = self.widths;
        let ratio = widths
            .zip(reference)
            .map(|(own, reference)| own.p50_ns as f64 / reference.p50_ns as f64);
        columns([
            &self.name,
            &self.samples.to_string(),
            &decimal(self.trusted_after_selection_s, 2),
            &decimal(self.trusted_after_start_s, 2),
            &decimal(self.synchronized.map(|part| part * 100.0), 1),
            &self.violations.map_or("-".to_owned(), |n| n.to_string()),
            &decimal(widths.map(|widths| widths.mean_ns / 1e3), 1),
            &decimal(widths.map(|widths| widths.p50_ns as f64 / 1e3), 1),
            &decimal(widths.map(|widths| widths.p99_ns as f64 / 1e3), 1),
            &decimal(ratio, 3),
        ])
    }
}

/// The heading above [`Row::line`].
pub fn heading() -> String {
    let upper = columns([
        "", "", "trusted", "since", "synchro", "viola", "mean", "p50", "p99", "p50/",
    ]);
    let lower = columns([
        "daemon, layout",
        "samples",
        "selection",
        "start",
        "nized, %",
        "tions",
        "us",
        "us",
        "us",
        "2.0.3",
    ]);
    format!("{upper}\n{lower}")
}

fn decimal(number: Option<f64>, digits: usize) -> String {
    number.map_or("-".to_owned(), |number| format!("{number:.digits$}"))
}

fn columns([name, cells @ ..]: [&str; 10]) -> String {
    let cells: String = cells.iter().map(|cell| format!("{cell:>10}")).collect();
    format!("{name:<28}{cells}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::layout::Layout;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn widths_have_percentiles_and_a_mean() {
        let widths = Widths::of((1..=101).rev().collect()).expect("some");
        assert_eq!((widths.p50_ns, widths.p99_ns), (51, 100));
        assert!((widths.mean_ns - 51.0).abs() < 1e-9);
        assert_eq!(Widths::of(vec![7]).expect("one").p99_ns, 7);
        assert_eq!(Widths::of(Vec::new()), None);
    }

    #[test]
    fn only_trusted_intervals_of_the_measured_time_have_a_width() {
        let sample = |at: u64, status, width_ns| Sample {
            at: S(at),
            status,
            earliest_ns: 0,
            latest_ns: width_ns,
        };
        let seen = LayoutSamples {
            samples: vec![
                sample(3, Status::Unknown, 9_000_000),
                sample(6, Status::Synchronized, 9_000),
                sample(10, Status::Synchronized, 2_000),
                sample(11, Status::FreeRunning, 4_000),
                sample(12, Status::Unknown, 9_000_000),
                sample(13, Status::Synchronized, 6_000),
            ],
            violations: vec![S(6)],
            ..LayoutSamples::of(&Layout::V1)
        };
        let row = Row::of("ours", &seen, S(1), Some(S(4)), S(10));
        let expected = Row {
            name: "ours v1".to_owned(),
            samples: 4,
            trusted_after_selection_s: Some(2.0),
            trusted_after_start_s: Some(5.0),
            synchronized: Some(0.5),
            violations: Some(1),
            widths: Some(Widths {
                mean_ns: 4_000.0,
                p50_ns: 4_000,
                p99_ns: 4_000,
            }),
        };
        assert_eq!(row, expected);
    }

    #[test]
    fn a_missing_value_is_a_dash() {
        let line = Row::of("2.0.3", &LayoutSamples::of(&Layout::V2), S(1), None, S(9)).line(None);
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            cells,
            ["2.0.3", "v2", "0", "-", "-", "-", "0", "-", "-", "-", "-"]
        );
    }
}
