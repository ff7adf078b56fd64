//! The charts of the page, as SVG.
#![expect(
    clippy::cast_precision_loss,
    reason = "a chart has a resolution of pixels"
)]

use std::fmt::{self, Write};

use clockbound_client::diagnostics::BUDGET_TERMS;

use super::columns::{Claims, Column, Columns};
use super::html::Escaped;
use super::summary::DAY_NS;
use crate::output::units::{duration_ns, span_ns, utc, utc_time};

const WIDTH: f64 = 1160.0;
const LEFT: f64 = 92.0;
const RIGHT: f64 = 12.0;
const PLOT: f64 = WIDTH - LEFT - RIGHT;
/// The panels, from top to bottom: bound by component, status, bound on a logarithmic axis, and UTC
/// relative to `CLOCK_REALTIME`.
const BOUND: Panel = Panel::new(14.0, 270.0);
const BAND: Panel = Panel::new(BOUND.bottom() + 12.0, 18.0);
const LOGARITHMIC: Panel = Panel::new(BAND.bottom() + 40.0, 120.0);
const OFFSET: Panel = Panel::new(LOGARITHMIC.bottom() + 28.0, 170.0);
const HEIGHT: f64 = OFFSET.bottom() + 40.0;
/// A longer time without rows is drawn with this share of the width.
const LONGEST_GAP: f64 = 0.05;

/// The place of a panel in the picture.
#[derive(Clone, Copy)]
struct Panel {
    top: f64,
    height: f64,
}

impl Panel {
    const fn new(top: f64, height: f64) -> Panel {
        Panel { top, height }
    }

    const fn bottom(self) -> f64 {
        self.top + self.height
    }
}

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
    let bound_scale = Scale::new(&bounds, BOUND, false);
    write_y_axis(svg, &bound_scale, "bound by component")?;
    write_time_axis(svg, &places, columns.width_ns())?;
    write_components(svg, &places, columns, &bound_scale)?;
    write_clipped(svg, &places, &bound_scale, |claims| claims.largest_ns)?;
    write_band(svg, &places)?;
    write_logarithmic(svg, &places)?;
    let offsets = values(&places, offset_ns);
    let offset_scale = Scale::new(&offsets, OFFSET, true);
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
    panel: Panel,
    end_ns: f64,
    tick_ns: f64,
    is_signed: bool,
}

impl Scale {
    fn new(values: &[i64], panel: Panel, is_signed: bool) -> Scale {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let of_values =
            |tenths: usize| sorted.get(sorted.len() * tenths / 10).copied().unwrap_or(0);
        let largest = sorted.last().copied().unwrap_or(0);
        // Peaks are cut, and marked, so that the rest can be seen. The logarithmic panel has them.
        let usual = of_values(8).max(of_values(5).saturating_mul(2));
        let end_ns = if largest > usual.saturating_mul(5) && usual > 0 {
            usual.saturating_mul(2)
        } else {
            largest
        };
        let end_ns = (end_ns.max(1) as f64) * 1.06;
        let ticks = if is_signed { 2.2 } else { 5.0 };
        Scale {
            panel,
            end_ns,
            tick_ns: round_step(end_ns / ticks),
            is_signed,
        }
    }

    fn y(&self, ns: f64) -> f64 {
        let ns = ns.clamp(if self.is_signed { -self.end_ns } else { 0.0 }, self.end_ns);
        let Panel { top, height } = self.panel;
        if self.is_signed {
            top + height / 2.0 * (1.0 - ns / self.end_ns)
        } else {
            top + height * (1.0 - ns / self.end_ns)
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
        let sign = if scale.is_signed && ns > 0.0 { "+" } else { "" };
        let text = format!("{sign}{}", tick_text(whole(ns)));
        write_tick(svg, scale.y(ns), &text, ns == 0.0)
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
    write_title(svg, scale.panel, title)
}

fn write_tick(svg: &mut String, y: f64, text: &str, is_base: bool) -> fmt::Result {
    let kind = if is_base { "base" } else { "grid" };
    writeln!(
        svg,
        "<line class=\"{kind}\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
         <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
        LEFT + PLOT,
        LEFT - 8.0,
        y + 4.0,
    )
}

fn write_title(svg: &mut String, panel: Panel, title: &str) -> fmt::Result {
    writeln!(
        svg,
        "<text class=\"title\" x=\"12\" y=\"{y:.1}\" text-anchor=\"middle\" \
         transform=\"rotate(-90 12 {y:.1})\">{title}</text>",
        y = panel.top + panel.height / 2.0,
    )
}

/// The smallest and the largest bound of each column, over all decades that occur.
fn write_logarithmic(svg: &mut String, places: &[Place<'_>]) -> fmt::Result {
    let decade = |ns: f64| ns.max(1.0).log10();
    let least = values(places, |claims| claims.least_ns).into_iter().min();
    let largest = values(places, |claims| claims.largest_ns).into_iter().max();
    let (Some(least), Some(largest)) = (least, largest) else {
        return Ok(());
    };
    let first = decade(least as f64).floor();
    let last = decade(largest as f64).ceil().max(first + 1.0);
    let Panel { top, height } = LOGARITHMIC;
    let y = |ns: f64| top + height * (last - decade(ns)) / (last - first);
    let mut exponent = first;
    while exponent <= last {
        let ns = 10_f64.powf(exponent);
        write_tick(svg, y(ns), &tick_text(whole(ns)), exponent <= first)?;
        exponent += 1.0;
    }
    write_title(svg, LOGARITHMIC, "logarithmic")?;
    svg.write_str("<path class=\"bound\" d=\"")?;
    for run in runs(places) {
        let low = |claims: &Claims| claims.least_ns as f64;
        write_area(svg, run, y, low, |claims| claims.largest_ns as f64)?;
    }
    svg.write_str("\"/>\n")
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

fn write_time_axis(svg: &mut String, places: &[Place<'_>], width_ns: i64) -> fmt::Result {
    let (Some(first), Some(last)) = (places.first(), places.last()) else {
        return Ok(());
    };
    let shown_ns = (last.x + last.width - first.x) / first.width * width_ns as f64;
    let step_ns = time_step_ns(shown_ns / 10.0);
    let format = match step_ns {
        DAY_NS.. => "%d %b",
        60_000_000_000.. => "%H:%M",
        _ => "%H:%M:%S",
    };
    let mut free_from = LEFT - 1.0;
    let mut previous_day = None;
    for place in places {
        // The first step in the column.
        let tick_ns = (place.start_ns + step_ns - 1).div_euclid(step_ns) * step_ns;
        let into_column_ns = tick_ns - place.start_ns;
        if into_column_ns >= width_ns {
            continue;
        }
        let x = place.x + into_column_ns as f64 / width_ns as f64 * place.width;
        if x < free_from || x > LEFT + PLOT - 20.0 {
            continue;
        }
        free_from = x + 64.0;
        for panel in [BOUND, LOGARITHMIC, OFFSET] {
            writeln!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
                panel.top,
                panel.bottom(),
            )?;
        }
        let mut label = |y: f64, text: String| {
            writeln!(
                svg,
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{text}</text>"
            )
        };
        label(BAND.bottom() + 16.0, utc(tick_ns, format))?;
        label(OFFSET.bottom() + 16.0, utc(tick_ns, format))?;
        let day = tick_ns.div_euclid(DAY_NS);
        if step_ns < DAY_NS && previous_day != Some(day) {
            label(OFFSET.bottom() + 32.0, utc(tick_ns, "%Y-%m-%d"))?;
        }
        previous_day = Some(day);
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
            write_area(svg, run, |ns| scale.y(ns), below, above)?;
        }
        svg.write_str("\"/>\n")?;
    }
    svg.write_str("<path class=\"least\" d=\"")?;
    for run in runs(places) {
        write_line(svg, run, |ns| scale.y(ns), |claims| claims.least_ns as f64)?;
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
    y: impl Fn(f64) -> f64,
    below: impl Fn(&Claims) -> f64,
    above: impl Fn(&Claims) -> f64,
) -> fmt::Result {
    write_line(svg, run, &y, above)?;
    for place in run.iter().rev() {
        if let Some(claims) = &place.column.claims {
            write!(svg, "V{:.1}H{:.1}", y(below(claims)), place.x)?;
        }
    }
    svg.write_str("Z")
}

/// Steps through the values of a run, from its left to its right edge.
fn write_line(
    svg: &mut String,
    run: &[Place<'_>],
    y: impl Fn(f64) -> f64,
    value: impl Fn(&Claims) -> f64,
) -> fmt::Result {
    for (index, place) in run.iter().enumerate() {
        let Some(claims) = &place.column.claims else {
            continue;
        };
        let y = y(value(claims));
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
        write!(svg, "M{:.1} {:.1}H{end:.1}", place.x, scale.panel.top)?;
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
        scale.panel.top + 14.0,
        duration_ns(*ns),
    )
}

fn write_band(svg: &mut String, places: &[Place<'_>]) -> fmt::Result {
    writeln!(
        svg,
        "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">status</text>",
        LEFT - 8.0,
        BAND.top + 13.0
    )?;
    // Holes between columns are times without rows.
    if let (Some(first), Some(last)) = (places.first(), places.last()) {
        let width = last.x + last.width - first.x;
        write_rect(svg, "no_data", first.x, width, BAND)?;
    }
    let same = |a: &Place<'_>, b: &Place<'_>| a.column.state == b.column.state && !b.is_detached;
    for run in places.chunk_by(same) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        // A column that is narrower than a pixel could not be seen.
        let width = (last.x + last.width - first.x).max(1.5);
        let class = first.column.state.as_str();
        write_rect(svg, class, first.x, width, BAND)?;
    }
    for pair in places.windows(2) {
        let [before, after] = pair else { continue };
        let start = before.x + before.width;
        let Some(gap_ns) = after.gap_before_ns else {
            continue;
        };
        for panel in [BOUND, LOGARITHMIC, OFFSET] {
            write_rect(svg, "hatched", start, after.x - start, panel)?;
        }
        writeln!(
            svg,
            "<text class=\"note\" text-anchor=\"middle\" \
             transform=\"translate({:.1} {:.1}) rotate(-90)\">{} without rows</text>",
            (start + after.x) / 2.0 + 4.0,
            BOUND.top + BOUND.height / 2.0,
            span_ns(gap_ns),
        )?;
    }
    Ok(())
}

fn write_rect(svg: &mut String, class: &str, x: f64, width: f64, panel: Panel) -> fmt::Result {
    let Panel { top, height } = panel;
    writeln!(
        svg,
        "<rect class=\"s-{class}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
         height=\"{height:.1}\"/>"
    )
}

fn write_offsets(svg: &mut String, places: &[Place<'_>], scale: &Scale) -> fmt::Result {
    svg.write_str("<path class=\"interval\" d=\"")?;
    for run in runs(places) {
        let low = |claims: &Claims| claims.low_ns as f64;
        write_area(
            svg,
            run,
            |ns| scale.y(ns),
            low,
            |claims| claims.high_ns as f64,
        )?;
    }
    svg.write_str("\"/>\n<path class=\"midpoint\" d=\"")?;
    for run in runs(places) {
        let low = |claims: &Claims| claims.divergence_ns.0 as f64;
        write_area(
            svg,
            run,
            |ns| scale.y(ns),
            low,
            |claims| claims.divergence_ns.1 as f64,
        )?;
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
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.0}\"><title>{}</title></rect>",
            place.x,
            BOUND.top,
            place.width,
            OFFSET.bottom() - BOUND.top,
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
        let scale = Scale::new(&values, Panel::new(0.0, 100.0), false);
        assert!(scale.end_ns < 5e6, "{}", scale.end_ns);
        assert!((scale.y(1e9) - 0.0).abs() < 1e-9);
    }
}
