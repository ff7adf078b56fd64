//! A run of the rig as a picture: where the interval lay around true time, and what it was said to be worth.

use std::fmt::Write;
use std::time::Duration;

use super::report::Report;
use crate::observe::reading::Status;
use crate::observe::samples::{LayoutSamples, Sample};

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 70.0;
const PANEL: f64 = 300.0;
const BETWEEN_PANELS: f64 = 70.0;
/// Samples that fall into one of these are drawn as one.
const COLUMNS: u32 = 600;
const TICKS: i64 = 4;

/// Draws every layout of the report, one above the other.
pub fn draw(report: &Report) -> String {
    let height = TOP + report.layouts.len() as f64 * (PANEL + BETWEEN_PANELS);
    let span = Duration::from_secs(report.scenario.seconds);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let title = format!("{}: {}", report.scenario.name, report.scenario.about);
    text(&mut svg, LEFT, 24.0, "start", &title);
    legend(&mut svg);
    for (index, seen) in report.layouts.iter().enumerate() {
        let top = TOP + index as f64 * (PANEL + BETWEEN_PANELS);
        panel(&mut svg, seen, top, span);
    }
    svg.push_str("</svg>\n");
    svg
}

/// The samples of one column, as one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Column {
    seconds: f64,
    status: Status,
    earliest_ns: i64,
    latest_ns: i64,
    error_ns: i64,
}

/// What is drawn where.
struct Scale {
    top: f64,
    span: Duration,
    limit_ns: f64,
}

impl Scale {
    fn x(&self, seconds: f64) -> f64 {
        LEFT + seconds / self.span.as_secs_f64() * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, ns: i64) -> f64 {
        let part = (ns as f64 / self.limit_ns).clamp(-1.0, 1.0);
        self.top + PANEL / 2.0 * (1.0 - part)
    }
}

fn panel(svg: &mut String, seen: &LayoutSamples, top: f64, span: Duration) {
    let columns = columns_of(&seen.samples, span);
    let limit_ns = limit_ns(&columns) as f64;
    let scale = Scale {
        top,
        span,
        limit_ns,
    };
    for run in columns.chunk_by(|a, b| a.status == b.status) {
        let next = columns
            .iter()
            .find(|column| column.seconds > run[run.len() - 1].seconds);
        band(svg, &scale, run, next);
    }
    axes(svg, &scale, seen.layout.name);
    let points = columns.iter().filter(|column| is_trusted(column.status));
    let points = points.map(|column| (scale.x(column.seconds), scale.y(column.error_ns)));
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f3a93\"/>",
        joined(points)
    );
}

/// An area from end to end of the interval; what is not trusted fills the panel.
fn band(svg: &mut String, scale: &Scale, run: &[Column], next: Option<&Column>) {
    let trusted = is_trusted(run[0].status);
    let whole = scale.limit_ns as i64;
    let last = Column {
        seconds: next.map_or(run[run.len() - 1].seconds, |next| next.seconds),
        ..run[run.len() - 1]
    };
    let columns = || run.iter().chain([&last]);
    let above = columns().map(|column| {
        let ns = if trusted { column.latest_ns } else { whole };
        (scale.x(column.seconds), scale.y(ns))
    });
    let below = columns().rev().map(|column| {
        let ns = if trusted { column.earliest_ns } else { -whole };
        (scale.x(column.seconds), scale.y(ns))
    });
    let _ = writeln!(
        svg,
        "<polygon points=\"{}\" fill=\"{}\"/>",
        joined(above.chain(below)),
        colour(run[0].status)
    );
}

fn axes(svg: &mut String, scale: &Scale, name: &str) {
    let (left, right, bottom) = (LEFT, WIDTH - RIGHT, scale.top + PANEL);
    let _ = writeln!(
        svg,
        "<rect x=\"{left}\" y=\"{}\" width=\"{}\" height=\"{PANEL}\" fill=\"none\" stroke=\"black\"/>",
        scale.top,
        right - left
    );
    let zero = scale.y(0);
    let _ = writeln!(
        svg,
        "<line x1=\"{left}\" x2=\"{right}\" y1=\"{zero}\" y2=\"{zero}\" stroke=\"black\"/>"
    );
    for tick in -TICKS / 2..=TICKS / 2 {
        let ns = (scale.limit_ns * 2.0 * tick as f64 / TICKS as f64) as i64;
        text(svg, left - 8.0, scale.y(ns) + 4.0, "end", &with_unit(ns));
    }
    let step = step_s(scale.span.as_secs());
    for second in (0..=scale.span.as_secs()).step_by(step) {
        let x = scale.x(second as f64);
        text(svg, x, bottom + 18.0, "middle", &second.to_string());
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" x2=\"{x}\" y1=\"{bottom}\" y2=\"{}\" stroke=\"black\"/>",
            bottom - 5.0
        );
    }
    let caption = format!("{name}: seconds since the beginning; vertically, ahead of true time");
    text(svg, left.midpoint(right), bottom + 38.0, "middle", &caption);
}

fn legend(svg: &mut String) {
    let mut x = LEFT;
    for status in [
        Status::Synchronized,
        Status::FreeRunning,
        Status::Unknown,
        Status::Disrupted,
    ] {
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"40\" width=\"14\" height=\"14\" fill=\"{}\"/>",
            colour(status)
        );
        text(svg, x + 20.0, 52.0, "start", &format!("{status:?}"));
        x += 130.0;
    }
    for (colour, what) in [
        ("#1f3a93", "middle of the interval"),
        ("black", "true time"),
    ] {
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" x2=\"{}\" y1=\"47\" y2=\"47\" stroke=\"{colour}\"/>",
            x + 16.0
        );
        text(svg, x + 22.0, 52.0, "start", what);
        x += 180.0;
    }
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

fn joined(points: impl Iterator<Item = (f64, f64)>) -> String {
    let points: Vec<String> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    points.join(" ")
}

fn colour(status: Status) -> &'static str {
    match status {
        Status::Synchronized => "#b7e1a1",
        Status::FreeRunning => "#f6d77a",
        Status::Unknown => "#dddddd",
        Status::Disrupted => "#e39a9a",
    }
}

fn is_trusted(status: Status) -> bool {
    matches!(status, Status::Synchronized | Status::FreeRunning)
}

/// One for each column that has samples and each status in it, with the narrowest interval: so a violation shows.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number of a column"
)]
fn columns_of(samples: &[Sample], span: Duration) -> Vec<Column> {
    let column_of = |sample: &Sample| {
        (sample.at.as_secs_f64() / span.as_secs_f64() * f64::from(COLUMNS)) as u32
    };
    samples
        .chunk_by(|a, b| a.status == b.status && column_of(a) == column_of(b))
        .map(|chunk| Column {
            seconds: chunk[0].at.as_secs_f64(),
            status: chunk[0].status,
            earliest_ns: chunk
                .iter()
                .map(|s| s.earliest_ns)
                .max()
                .unwrap_or_default(),
            latest_ns: chunk.iter().map(|s| s.latest_ns).min().unwrap_or_default(),
            error_ns: chunk[chunk.len() / 2].error_ns(),
        })
        .collect()
}

/// What nearly all trusted intervals fit into: the first ones may be very wide.
fn limit_ns(columns: &[Column]) -> i64 {
    let trusted = columns.iter().filter(|column| is_trusted(column.status));
    let mut reach: Vec<i64> = trusted
        .map(|column| column.latest_ns.abs().max(column.earliest_ns.abs()))
        .collect();
    reach.sort_unstable();
    let most = reach.get(reach.len() * 9 / 10).copied().unwrap_or(0);
    (most + most / 5).max(1_000)
}

fn step_s(span_s: u64) -> usize {
    let steps = [1, 2, 5, 10, 30, 60, 300, 600, 3600];
    let fits = |step: &&u64| span_s / **step <= 12;
    steps
        .iter()
        .find(fits)
        .map_or(36_000, |&step| step as usize)
}

fn with_unit(ns: i64) -> String {
    let value = ns as f64;
    match ns.abs() {
        0 => "0".to_owned(),
        1..10_000 => format!("{ns} ns"),
        10_000..10_000_000 => format!("{:.0} us", value / 1e3),
        _ => format!("{:.0} ms", value / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scenario;
    use super::*;
    use crate::observe::layout::Layout;

    fn sample(ms: u64, status: Status, latest_ns: i64) -> Sample {
        Sample {
            at: Duration::from_millis(ms),
            status,
            earliest_ns: -2_000,
            latest_ns,
        }
    }

    fn report() -> Report {
        let samples = vec![
            sample(0, Status::Unknown, 1_000_000_000),
            sample(2_000, Status::Synchronized, 2_000),
            sample(2_001, Status::Synchronized, -500),
            sample(4_000, Status::FreeRunning, 3_000),
        ];
        Report {
            scenario: Scenario::new("test", "delay < 1 & > 0", 10),
            daemon_started: Duration::ZERO,
            chronyd_synchronised: None,
            disturbed: Vec::new(),
            slewed: Vec::new(),
            layouts: vec![LayoutSamples {
                layout: Layout::V1,
                samples,
                violations: Vec::new(),
                errors: 0,
                details: Vec::new(),
            }],
            declared_ns: Vec::new(),
            daemon_log: Vec::new(),
            chronyd_log: Vec::new(),
        }
    }

    #[test]
    fn a_picture_has_an_area_for_each_run_of_a_status_and_names_everything() {
        let svg = draw(&report());
        assert_eq!(svg.matches("<polygon").count(), 3);
        assert_eq!(svg.matches("<polyline").count(), 1);
        for word in ["Synchronized", "FreeRunning", "true time", "seconds", "v1:"] {
            assert!(svg.contains(word), "{word}");
        }
        assert!(svg.contains("delay &lt; 1 &amp; > 0"));
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn the_same_run_gives_the_same_picture() {
        assert_eq!(draw(&report()), draw(&report()));
    }

    #[test]
    fn an_interval_that_misses_true_time_is_not_hidden_by_its_neighbours() {
        let columns = columns_of(&report().layouts[0].samples, Duration::from_secs(10));
        let latest: Vec<i64> = columns.iter().map(|column| column.latest_ns).collect();
        assert_eq!(latest, [1_000_000_000, -500, 3_000]);
    }

    #[test]
    fn ends_of_the_scale_are_readable() {
        for (ns, text) in [
            (0, "0"),
            (-9_999, "-9999 ns"),
            (152_300, "152 us"),
            (12_000_000, "12 ms"),
        ] {
            assert_eq!(with_unit(ns), text);
        }
        assert_eq!([step_s(10), step_s(60), step_s(100)], [1, 5, 10]);
    }
}
