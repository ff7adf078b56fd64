//! The charts of the page, as SVG.
#![expect(
    clippy::cast_precision_loss,
    reason = "a chart has a resolution of pixels"
)]

use std::fmt::{self, Write};

use clockbound_client::diagnostics::BUDGET_TERMS;

use super::columns::{Claims, Column, Columns};
use super::html::Escaped;
use crate::output::units::{duration_ns, span_ns, utc, utc_time};

const WIDTH: f64 = 1160.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 12.0;
const PLOT: f64 = WIDTH - LEFT - RIGHT;
const BOUND_TOP: f64 = 14.0;
const BOUND_HEIGHT: f64 = 290.0;
const BAND_TOP: f64 = BOUND_TOP + BOUND_HEIGHT + 12.0;
const BAND_HEIGHT: f64 = 18.0;
const OFFSET_TOP: f64 = BAND_TOP + BAND_HEIGHT + 48.0;
const OFFSET_HEIGHT: f64 = 170.0;
const AXIS_TOP: f64 = OFFSET_TOP + OFFSET_HEIGHT;
const HEIGHT: f64 = AXIS_TOP + 40.0;
/// A longer time without rows is drawn with this share of the width.
const LONGEST_GAP: f64 = 0.05;

/// A column with its place in the chart.
struct Place<'a> {
    column: &'a Column,
    start_ns: i64,
    x: f64,
    width: f64,
    /// A time without rows that is drawn shortened is before it, ns.
    gap_before_ns: Option<i64>,
    /// Columns without rows are before it.
    is_detached: bool,
}

/// The indexes of the terms that any column has, in the order of the budget.
pub fn terms_in_use(columns: &Columns) -> Vec<usize> {
    let uses = |term: &usize| {
        columns.iter().any(|(_, column)| {
            let claims = column.claims.as_ref();
            claims.is_some_and(|claims| claims.components_ns[*term] > 0)
        })
    };
    (0..BUDGET_TERMS.len()).filter(uses).collect()
}

/// The bound by component, the status, and UTC relative to `CLOCK_REALTIME`, over one time axis.
pub fn svg(columns: &Columns) -> String {
    let mut svg = String::new();
    write_svg(&mut svg, columns).expect("writing to a string does not fail");
    svg
}

fn write_svg(svg: &mut String, columns: &Columns) -> fmt::Result {
    let places = places(columns);
    write!(
        svg,
        "<svg viewBox=\"0 0 {WIDTH:.0} {HEIGHT:.0}\" role=\"img\" aria-label=\"bound by component, \
         status, and UTC relative to CLOCK_REALTIME over time\">\n\
         <defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" class=\"nodata\"/>\
         <rect width=\"1.5\" height=\"6\" class=\"stripe\"/></pattern></defs>\n"
    )?;
    let bounds = values(&places, |claims| claims.largest_ns);
    let bound_scale = Scale::new(&bounds, BOUND_TOP, BOUND_HEIGHT, false);
    write_y_axis(svg, &bound_scale, "largest bound")?;
    write_time_axis(svg, &places)?;
    write_components(svg, &places, columns, &bound_scale)?;
    write_clipped(svg, &places, &bound_scale, |claims| claims.largest_ns)?;
    write_band(svg, &places)?;
    let offsets = values(&places, offset_ns);
    let offset_scale = Scale::new(&offsets, OFFSET_TOP, OFFSET_HEIGHT, true);
    write_y_axis(svg, &offset_scale, "UTC - CLOCK_REALTIME")?;
    write_offsets(svg, &places, &offset_scale)?;
    write_clipped(svg, &places, &offset_scale, offset_ns)?;
    write_tips(svg, &places, columns.width_ns())?;
    svg.write_str("</svg>\n")
}

fn offset_ns(claims: &Claims) -> i64 {
    claims.high_ns.max(claims.low_ns.saturating_neg())
}

fn values(places: &[Place<'_>], of: impl Fn(&Claims) -> i64) -> Vec<i64> {
    let claims = places
        .iter()
        .filter_map(|place| place.column.claims.as_ref());
    claims.map(of).collect()
}

/// Places the columns side by side. Long times without rows are shortened.
fn places(columns: &Columns) -> Vec<Place<'_>> {
    let positions: Vec<i64> = columns.iter().map(|(position, _)| position).collect();
    let count = positions.len() as f64;
    let longest = (count * LONGEST_GAP).max(3.0);
    let distance = |pair: &[i64]| pair[1].saturating_sub(pair[0]) as f64;
    let total: f64 = positions
        .windows(2)
        .map(|pair| distance(pair).min(longest))
        .sum::<f64>()
        + 1.0;
    let width = PLOT / total;
    let mut x = LEFT;
    let mut previous: Option<i64> = None;
    columns
        .iter()
        .map(|(position, column)| {
            let mut gap_before_ns = None;
            if let Some(previous) = previous {
                let distance = distance(&[previous, position]);
                x += distance.min(longest) * width;
                if distance > longest {
                    let missing = position.saturating_sub(previous).saturating_sub(1);
                    gap_before_ns = Some(missing.saturating_mul(columns.width_ns()));
                }
            }
            let is_detached = previous.is_some_and(|previous| position - previous > 1);
            previous = Some(position);
            Place {
                column,
                start_ns: position.saturating_mul(columns.width_ns()),
                x,
                width,
                gap_before_ns,
                is_detached,
            }
        })
        .collect()
}

/// A linear axis of nanoseconds that ends above most of the values.
struct Scale {
    top: f64,
    height: f64,
    end_ns: f64,
    tick_ns: f64,
    is_signed: bool,
}

impl Scale {
    fn new(values: &[i64], top: f64, height: f64, is_signed: bool) -> Scale {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let largest = sorted.last().copied().unwrap_or(0);
        let usual = sorted.get(sorted.len() * 97 / 100).copied().unwrap_or(0);
        // Short peaks are cut, and marked, so that the rest can be seen.
        let end_ns = if largest > usual.saturating_mul(4) && usual > 0 {
            usual.saturating_mul(2)
        } else {
            largest
        };
        let end_ns = (end_ns.max(1) as f64) * 1.06;
        let ticks = if is_signed { 2.2 } else { 5.0 };
        Scale {
            top,
            height,
            end_ns,
            tick_ns: round_step(end_ns / ticks),
            is_signed,
        }
    }

    fn y(&self, ns: f64) -> f64 {
        let ns = ns.clamp(if self.is_signed { -self.end_ns } else { 0.0 }, self.end_ns);
        if self.is_signed {
            self.top + self.height / 2.0 * (1.0 - ns / self.end_ns)
        } else {
            self.top + self.height * (1.0 - ns / self.end_ns)
        }
    }
}

/// The next of 1, 2, 5, 10 ... that is not smaller.
fn round_step(at_least: f64) -> f64 {
    let power = 10_f64.powf(at_least.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= at_least)
        .unwrap_or(10.0 * power)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float becomes the nearest integer"
)]
fn whole(ns: f64) -> i64 {
    ns.round() as i64
}

fn write_y_axis(svg: &mut String, scale: &Scale, title: &str) -> fmt::Result {
    let mut label = |ns: f64| {
        let y = scale.y(ns);
        let kind = if ns == 0.0 { "base" } else { "grid" };
        let sign = if scale.is_signed && ns > 0.0 { "+" } else { "" };
        writeln!(
            svg,
            "<line class=\"{kind}\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{sign}{}</text>",
            LEFT + PLOT,
            LEFT - 8.0,
            y + 4.0,
            tick_text(whole(ns)),
        )
    };
    label(0.0)?;
    let mut ns = scale.tick_ns;
    while ns <= scale.end_ns {
        label(ns)?;
        if scale.is_signed {
            label(-ns)?;
        }
        ns += scale.tick_ns;
    }
    writeln!(
        svg,
        "<text class=\"title\" x=\"14\" y=\"{y:.1}\" text-anchor=\"middle\" \
         transform=\"rotate(-90 14 {y:.1})\">{title}</text>",
        y = scale.top + scale.height / 2.0,
    )
}

/// A round number with its unit, without trailing zeros.
fn tick_text(ns: i64) -> String {
    let text = duration_ns(ns);
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            let number = number.trim_end_matches('0').trim_end_matches('.');
            format!("{number} {unit}")
        }
        _ => text,
    }
}

fn write_time_axis(svg: &mut String, places: &[Place<'_>]) -> fmt::Result {
    let (Some(first), Some(last)) = (places.first(), places.last()) else {
        return Ok(());
    };
    let shown = (last.x + last.width - first.x) / first.width;
    let width_ns = match places {
        [a, b, ..] => ((b.start_ns - a.start_ns) as f64 / ((b.x - a.x) / b.width)).max(1.0),
        _ => 1e9,
    };
    let step_ns = time_step_ns(shown * width_ns / 9.0);
    let (format, spans_days) = if step_ns >= 86_400_000_000_000 {
        ("%d %b", true)
    } else if step_ns >= 60_000_000_000 {
        ("%H:%M", false)
    } else {
        ("%H:%M:%S", false)
    };
    let mut previous_day = None;
    let mut free_from = LEFT - 1.0;
    let mut previous_step = first.start_ns.div_euclid(step_ns) - 1;
    for place in places {
        let step = place.start_ns.div_euclid(step_ns);
        let is_first = std::ptr::eq(place, first);
        if step == previous_step && !is_first {
            continue;
        }
        let begins_step = place.start_ns.rem_euclid(step_ns) as f64 <= width_ns;
        previous_step = step;
        if !begins_step && place.gap_before_ns.is_none() {
            continue;
        }
        if place.x < free_from {
            continue;
        }
        let day = place.start_ns.div_euclid(86_400_000_000_000);
        writeln!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{BOUND_TOP}\" y2=\"{:.1}\"/>\
             <line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{OFFSET_TOP}\" y2=\"{AXIS_TOP}\"/>",
            BOUND_TOP + BOUND_HEIGHT,
            x = place.x,
        )?;
        for y in [BAND_TOP + BAND_HEIGHT + 16.0, AXIS_TOP + 16.0] {
            writeln!(
                svg,
                "<text class=\"tick\" x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{}</text>",
                place.x,
                utc(place.start_ns, format),
            )?;
        }
        if !spans_days && previous_day != Some(day) {
            writeln!(
                svg,
                "<text class=\"tick day\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                place.x,
                AXIS_TOP + 32.0,
                utc(place.start_ns, "%Y-%m-%d"),
            )?;
        }
        previous_day = Some(day);
        free_from = place.x + 70.0;
    }
    Ok(())
}

/// The next usual time step that is not smaller, ns.
fn time_step_ns(at_least_ns: f64) -> i64 {
    const SECONDS: [i64; 19] = [
        1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172_800,
        604_800, 2_592_000,
    ];
    SECONDS
        .into_iter()
        .map(|seconds| seconds * 1_000_000_000)
        .find(|step_ns| *step_ns as f64 >= at_least_ns)
        .unwrap_or(31_536_000_000_000_000)
}

/// The columns that have an interval, in runs without interruption.
fn runs<'p, 'c>(places: &'p [Place<'c>]) -> impl Iterator<Item = &'p [Place<'c>]> {
    places
        .chunk_by(|a, b| {
            let has_claims = |place: &Place<'_>| place.column.claims.is_some();
            has_claims(a) == has_claims(b) && !b.is_detached
        })
        .filter(|run| run[0].column.claims.is_some())
}

fn write_components(
    svg: &mut String,
    places: &[Place<'_>],
    columns: &Columns,
    scale: &Scale,
) -> fmt::Result {
    let terms = terms_in_use(columns);
    for (index, term) in terms.iter().enumerate() {
        let below = |claims: &Claims| sum(claims, &terms[..index]);
        let above = |claims: &Claims| sum(claims, &terms[..=index]);
        write!(svg, "<path class=\"t{term}\" d=\"")?;
        for run in runs(places) {
            write_area(svg, run, scale, below, above)?;
        }
        svg.write_str("\"/>\n")?;
    }
    svg.write_str("<path class=\"least\" d=\"")?;
    for run in runs(places) {
        write_line(svg, run, scale, |claims| claims.least_ns as f64)?;
    }
    svg.write_str("\"/>\n")
}

/// The upper edge of the last one of these terms. Negative terms are what several measurements
/// exclude together. The stack begins as far below zero, so that it ends at the bound.
fn sum(claims: &Claims, terms: &[usize]) -> f64 {
    let excluded: i64 = claims.components_ns.iter().filter(|ns| **ns < 0).sum();
    let terms = terms.iter().map(|term| claims.components_ns[*term].max(0));
    excluded.saturating_add(terms.sum()) as f64
}

/// Steps along the upper edge, and back along the lower one.
fn write_area(
    svg: &mut String,
    run: &[Place<'_>],
    scale: &Scale,
    below: impl Fn(&Claims) -> f64,
    above: impl Fn(&Claims) -> f64,
) -> fmt::Result {
    write_line(svg, run, scale, above)?;
    for place in run.iter().rev() {
        if let Some(claims) = &place.column.claims {
            let y = scale.y(below(claims));
            write!(svg, "V{y:.1}H{:.1}", place.x)?;
        }
    }
    svg.write_str("Z")
}

/// Steps through the values of a run, from its left to its right edge.
fn write_line(
    svg: &mut String,
    run: &[Place<'_>],
    scale: &Scale,
    value: impl Fn(&Claims) -> f64,
) -> fmt::Result {
    for (index, place) in run.iter().enumerate() {
        let Some(claims) = &place.column.claims else {
            continue;
        };
        let y = scale.y(value(claims));
        if index == 0 {
            write!(svg, "M{:.1} {y:.1}", place.x)?;
        } else {
            write!(svg, "V{y:.1}")?;
        }
        write!(svg, "H{:.1}", place.x + place.width)?;
    }
    Ok(())
}

/// Marks the columns that end above the scale, and names the largest one.
fn write_clipped(
    svg: &mut String,
    places: &[Place<'_>],
    scale: &Scale,
    value: impl Fn(&Claims) -> i64,
) -> fmt::Result {
    let clipped: Vec<(&Place<'_>, i64)> = places
        .iter()
        .filter_map(|place| Some((place, value(place.column.claims.as_ref()?))))
        .filter(|(_, ns)| *ns as f64 > scale.end_ns)
        .collect();
    let Some((largest, ns)) = clipped.iter().max_by_key(|(_, ns)| *ns) else {
        return Ok(());
    };
    svg.write_str("<path class=\"clipped\" d=\"")?;
    for (place, _) in &clipped {
        let end = place.x + place.width.max(1.5);
        write!(svg, "M{:.1} {:.1}H{end:.1}", place.x, scale.top)?;
    }
    let is_right = largest.x > LEFT + PLOT * 0.8;
    let (x, anchor) = if is_right {
        (largest.x - 6.0, "end")
    } else {
        (largest.x + largest.width + 6.0, "start")
    };
    writeln!(
        svg,
        "\"/>\n<text class=\"note\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">up to {}</text>",
        scale.top + 12.0,
        duration_ns(*ns),
    )
}

fn write_band(svg: &mut String, places: &[Place<'_>]) -> fmt::Result {
    writeln!(
        svg,
        "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">status</text>",
        LEFT - 8.0,
        BAND_TOP + 13.0
    )?;
    // Holes between columns are times without rows.
    if let (Some(first), Some(last)) = (places.first(), places.last()) {
        let width = last.x + last.width - first.x;
        write_rect(svg, "no_data", first.x, width, BAND_TOP, BAND_HEIGHT)?;
    }
    let same = |a: &Place<'_>, b: &Place<'_>| a.column.state == b.column.state && !b.is_detached;
    for run in places.chunk_by(same) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        // A column that is narrower than a pixel could not be seen.
        let width = (last.x + last.width - first.x).max(1.5);
        let class = first.column.state.as_str();
        write_rect(svg, class, first.x, width, BAND_TOP, BAND_HEIGHT)?;
    }
    for pair in places.windows(2) {
        let [before, after] = pair else { continue };
        let start = before.x + before.width;
        let Some(gap_ns) = after.gap_before_ns else {
            continue;
        };
        write_rect(
            svg,
            "hatched",
            start,
            after.x - start,
            BOUND_TOP,
            BOUND_HEIGHT,
        )?;
        write_rect(
            svg,
            "hatched",
            start,
            after.x - start,
            OFFSET_TOP,
            OFFSET_HEIGHT,
        )?;
        writeln!(
            svg,
            "<text class=\"note\" text-anchor=\"middle\" \
             transform=\"translate({:.1} {:.1}) rotate(-90)\">{} without rows</text>",
            (start + after.x) / 2.0 + 4.0,
            BOUND_TOP + BOUND_HEIGHT / 2.0,
            span_ns(gap_ns),
        )?;
    }
    Ok(())
}

fn write_rect(
    svg: &mut String,
    class: &str,
    x: f64,
    width: f64,
    y: f64,
    height: f64,
) -> fmt::Result {
    writeln!(
        svg,
        "<rect class=\"s-{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
         height=\"{height:.1}\"/>"
    )
}

fn write_offsets(svg: &mut String, places: &[Place<'_>], scale: &Scale) -> fmt::Result {
    svg.write_str("<path class=\"interval\" d=\"")?;
    for run in runs(places) {
        let low = |claims: &Claims| claims.low_ns as f64;
        write_area(svg, run, scale, low, |claims| claims.high_ns as f64)?;
    }
    svg.write_str("\"/>\n<path class=\"midpoint\" d=\"")?;
    for run in runs(places) {
        let low = |claims: &Claims| claims.divergence_ns.0 as f64;
        write_area(svg, run, scale, low, |claims| claims.divergence_ns.1 as f64)?;
    }
    let y = scale.y(0.0);
    writeln!(
        svg,
        "\"/>\n<line class=\"clock\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
        LEFT + PLOT
    )
}

/// Over each column an area that a browser shows the numbers of.
fn write_tips(svg: &mut String, places: &[Place<'_>], width_ns: i64) -> fmt::Result {
    svg.write_str("<g class=\"tips\">\n")?;
    let bottom = OFFSET_TOP + OFFSET_HEIGHT;
    for place in places {
        let column = place.column;
        let mut text = format!(
            "{} UTC, {} ({} rows)\n{}",
            utc_time(place.start_ns),
            span_ns(width_ns),
            column.rows,
            column.state.as_str(),
        );
        if let Some(claims) = &column.claims {
            write!(
                text,
                "\nbound {} to {}",
                duration_ns(claims.least_ns),
                duration_ns(claims.largest_ns)
            )?;
            let components = claims.components_ns.iter().zip(BUDGET_TERMS);
            for (ns, term) in components.filter(|(ns, _)| **ns != 0) {
                write!(text, "\n  {term} {}", duration_ns(*ns))?;
            }
        }
        writeln!(
            svg,
            "<rect x=\"{:.1}\" y=\"{BOUND_TOP}\" width=\"{:.1}\" height=\"{:.0}\"><title>{}</title></rect>",
            place.x,
            place.width,
            bottom - BOUND_TOP,
            Escaped(&text),
        )?;
    }
    svg.write_str("</g>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        for (at_least, step) in [(0.3, 1.0), (11.0, 20.0), (20.0, 20.0), (51.0, 100.0)] {
            assert!((round_step(at_least) - step).abs() < 1e-9, "{at_least}");
        }
        assert_eq!(time_step_ns(61e9), 120_000_000_000);
    }

    #[test]
    fn ticks_have_no_trailing_zeros() {
        for (ns, text) in [
            (2_000_000, "2 ms"),
            (1_500_000, "1.5 ms"),
            (100_000, "100 us"),
        ] {
            assert_eq!(tick_text(ns), text);
        }
    }

    #[test]
    fn a_short_peak_does_not_flatten_the_rest() {
        let mut values = vec![1_000_000; 999];
        values.push(1_000_000_000);
        let scale = Scale::new(&values, 0.0, 100.0, false);
        assert!(scale.end_ns < 3e6, "{}", scale.end_ns);
        assert!((scale.y(1e9) - 0.0).abs() < 1e-9);
    }
}
