//! The plot of a run: the ends of the interval relative to true time, over time, as SVG.
#![expect(
    clippy::cast_precision_loss,
    reason = "a plot has a resolution of pixels"
)]

use std::error::Error;
use std::ops::Range;
use std::time::Duration;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::report::Report;
use crate::observe::reading::Status;
use crate::observe::samples::{LayoutSamples, Sample};

const WIDTH: u32 = 1000;
const PANEL_HEIGHT: u32 = 340;
const TITLE_HEIGHT: u32 = 40;
/// Samples in the same one of these parts of the run are drawn as one.
const COLUMNS: u32 = 600;
const TRUE_TIME: RGBColor = RGBColor(31, 58, 147);
const VIOLATION: RGBColor = RGBColor(200, 0, 0);
const EVENT: RGBColor = RGBColor(120, 120, 120);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws a panel for each layout of the report, one above the other.
///
/// # Panics
/// If the plot cannot be laid out.
pub fn draw(report: &Report) -> String {
    let mut svg = String::new();
    let panels = report.layouts.len();
    let height = TITLE_HEIGHT + PANEL_HEIGHT * u32::try_from(panels).expect("a few");
    let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    draw_on(&area, report).expect("a string takes every element");
    drop(area);
    svg
}

fn draw_on(area: &Area, report: &Report) -> Result<(), Box<dyn Error>> {
    area.fill(&WHITE)?;
    let title = format!("{}: {}", report.scenario.name, report.scenario.about);
    let area = area.titled(&title, ("sans-serif", 18))?;
    let panels = area.split_evenly((report.layouts.len(), 1));
    for (panel, samples) in panels.iter().zip(&report.layouts) {
        draw_panel(panel, report, samples)?;
    }
    area.present()?;
    Ok(())
}

fn draw_panel(area: &Area, report: &Report, layout: &LayoutSamples) -> Result<(), Box<dyn Error>> {
    let span = Duration::from_secs(report.scenario.seconds);
    let columns = columns_of(layout, span);
    let limit_us = limit_ns(&columns) as f64 / 1e3;
    let y_axis: Range<f64> = -limit_us..limit_us;
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_right(24)
        .x_label_area_size(44)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..span.as_secs_f64(), y_axis)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 15))
        .axis_desc_style(("sans-serif", 17))
        .x_label_formatter(&|second| format!("{second:.0}"))
        .y_label_formatter(&|us| format!("{us:.0}"))
        .x_desc("time since the beginning, s")
        .y_desc(format!("{} - true time, us", layout.layout.name))
        .draw()?;
    let occurs = |status: &Status| columns.iter().any(|column| column.status == *status);
    for status in STATUSES.into_iter().filter(occurs) {
        let bands = columns
            .chunk_by(|a, b| a.status == b.status)
            .filter(|run| run[0].status == status)
            .map(|run| Polygon::new(outline(run, &columns, limit_us), colour(status).filled()));
        chart
            .draw_series(bands)?
            .label(format!("{status:?}"))
            .legend(move |(x, y)| {
                Rectangle::new([(x, y - 6), (x + 16, y + 6)], colour(status).filled())
            });
    }
    let events = report.scenario.script.iter();
    let events = events.map(|&(at, _)| PathElement::new([(at, -limit_us), (at, limit_us)], EVENT));
    chart
        .draw_series(events)?
        .label("scripted event")
        .legend(|(x, y)| PathElement::new([(x + 8, y - 6), (x + 8, y + 6)], EVENT));
    let zero = [(0.0, 0.0), (span.as_secs_f64(), 0.0)];
    chart
        .draw_series(LineSeries::new(zero, TRUE_TIME.stroke_width(2)))?
        .label("true time")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], TRUE_TIME.stroke_width(2)));
    let violations = columns.iter().filter(|column| column.violation);
    let violations =
        violations.map(|column| Circle::new((column.at_s, 0.0), 4, VIOLATION.filled()));
    chart
        .draw_series(violations)?
        .label("violation")
        .legend(|(x, y)| Circle::new((x + 8, y), 4, VIOLATION.filled()));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font(("sans-serif", 15))
        .background_style(WHITE.mix(0.8))
        .draw()?;
    Ok(())
}

const STATUSES: [Status; 4] = [
    Status::Synchronized,
    Status::FreeRunning,
    Status::Unknown,
    Status::Disrupted,
];

fn colour(status: Status) -> RGBColor {
    match status {
        Status::Synchronized => RGBColor(183, 225, 161),
        Status::FreeRunning => RGBColor(246, 215, 122),
        Status::Unknown => RGBColor(221, 221, 221),
        Status::Disrupted => RGBColor(227, 154, 154),
    }
}

/// The samples of one column, as one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Column {
    at_s: f64,
    status: Status,
    earliest_ns: i64,
    latest_ns: i64,
    violation: bool,
}

impl Column {
    fn is_trusted(&self) -> bool {
        matches!(self.status, Status::Synchronized | Status::FreeRunning)
    }
}

/// The area between both ends of the interval in a run of columns, up to the next column; an
/// untrusted run fills the panel.
fn outline(run: &[Column], columns: &[Column], limit_us: f64) -> Vec<(f64, f64)> {
    let last = run[run.len() - 1];
    let next = columns.iter().find(|column| column.at_s > last.at_s);
    let end = Column {
        at_s: next.map_or(last.at_s, |next| next.at_s),
        ..last
    };
    let points = |ns: fn(&Column) -> i64, edge_us: f64| {
        run.iter().chain([&end]).map(move |column| {
            let us = ns(column) as f64 / 1e3;
            let us = if column.is_trusted() { us } else { edge_us };
            (column.at_s, us.clamp(-limit_us, limit_us))
        })
    };
    let mut outline: Vec<(f64, f64)> = points(|column| column.earliest_ns, -limit_us).collect();
    outline.reverse();
    outline.extend(points(|column| column.latest_ns, limit_us));
    outline
}

/// A column for each part of the run and status: the sample in it that is a violation, if any,
/// otherwise the one in the middle. Samples of a reader that was interrupted are relative
/// to a wrong true time.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number of a column"
)]
fn columns_of(layout: &LayoutSamples, span: Duration) -> Vec<Column> {
    let column_of = |sample: &Sample| {
        (sample.at.as_secs_f64() / span.as_secs_f64() * f64::from(COLUMNS)) as u32
    };
    let column = |chunk: &[Sample]| {
        let violation = chunk.iter().find(|sample| layout.is_violation(sample));
        let mut chunk = chunk.to_vec();
        let at_s = chunk[0].at.as_secs_f64();
        chunk.sort_unstable_by_key(|sample| sample.earliest_ns);
        let sample = violation.unwrap_or(&chunk[chunk.len() / 2]);
        Column {
            at_s,
            status: sample.status,
            earliest_ns: sample.earliest_ns,
            latest_ns: sample.latest_ns,
            violation: violation.is_some(),
        }
    };
    layout
        .samples
        .chunk_by(|a, b| a.status == b.status && column_of(a) == column_of(b))
        .map(column)
        .collect()
}

/// A limit that nearly all trusted intervals fit into; the first ones may be very wide.
fn limit_ns(columns: &[Column]) -> i64 {
    let trusted = columns.iter().filter(|column| column.is_trusted());
    let mut reach: Vec<i64> = trusted
        .map(|column| column.latest_ns.abs().max(column.earliest_ns.abs()))
        .collect();
    reach.sort_unstable();
    let most = reach.get(reach.len() * 97 / 100).copied().unwrap_or(0);
    (most + most / 5).max(1_000)
}

#[cfg(test)]
mod tests {
    use super::super::scenario::Scenario;
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
            layouts: vec![LayoutSamples {
                samples,
                violations: vec![Duration::from_millis(2_001)],
                ..LayoutSamples::of(&Layout::V1)
            }],
            ..Report::of(&Scenario::new("test", "delay < 1 & > 0", 10))
        }
    }

    #[test]
    fn a_plot_has_an_area_for_each_run_of_a_status_a_legend_and_axes() {
        let svg = draw(&report());
        assert_eq!(svg.matches("<polygon").count(), 3);
        for word in [
            "Synchronized",
            "FreeRunning",
            "true time",
            "v1 - true time, us",
        ] {
            assert!(svg.contains(word), "{word}");
        }
        assert!(svg.contains("delay &lt; 1 &amp; &gt; 0"), "{svg}");
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn a_violation_is_drawn() {
        let circles = |report: &Report| draw(report).matches("<circle").count();
        let mut report = report();
        let with_violation = circles(&report);
        report.layouts[0].violations.clear();
        assert_eq!(with_violation, circles(&report) + 1);
    }

    #[test]
    fn a_column_shows_its_violation_or_the_sample_in_the_middle() {
        let latest = |layout: &LayoutSamples| -> Vec<i64> {
            let columns = columns_of(layout, Duration::from_secs(10));
            columns.iter().map(|column| column.latest_ns).collect()
        };
        let mut layout = report().layouts.remove(0);
        assert_eq!(latest(&layout), [1_000_000_000, -500, 3_000]);
        layout.violations.clear();
        layout.samples[1].earliest_ns = -1_500;
        assert_eq!(latest(&layout), [1_000_000_000, 2_000, 3_000]);
    }
}
