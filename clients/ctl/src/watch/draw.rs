//! Draws the view.

use clockbound_client::diagnostics::{BUDGET_TERMS, Diagnostics, Source, SourceState};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};

use super::view::{State, View};
use crate::output::units::{duration_ns, poll_interval, signed_ns, source_address, span_ns, utc};
use crate::record::event::Level;
use crate::record::row::Published;

/// The width of the labels beside the chart.
const LABEL_WIDTH: u16 = 9;
/// Below this size only the most important lines are drawn.
const SMALLEST: (u16, u16) = (40, 14);
const BARS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Draws with colors, or without.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// Whether there are colors.
    pub is_on: bool,
}

impl Palette {
    fn color(self, color: Color) -> Style {
        if self.is_on {
            Style::new().fg(color)
        } else {
            Style::new()
        }
    }

    fn state(self, state: State) -> Style {
        self.color(match state {
            State::Synchronized => Color::Green,
            State::FreeRunning => Color::Yellow,
            State::Unknown | State::Unreadable => Color::Red,
            State::Disrupted => Color::Magenta,
        })
    }

    fn level(self, level: Level) -> Style {
        match level {
            Level::Good => self.color(Color::Green),
            Level::Notice => Style::new(),
            Level::Warning => self.color(Color::Yellow),
            Level::Bad => self.color(Color::Red),
        }
    }

    fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }
}

/// Draws the view on the whole frame.
pub fn draw(frame: &mut Frame<'_>, view: &View, palette: Palette) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let lines = vec![state_line(view, palette), bound_line(view)];
        Paragraph::new(lines).render(area, buffer);
        return;
    }
    let body = 8 + (area.height - SMALLEST.1) / 6;
    let events = 3 + (area.height - SMALLEST.1) / 8;
    let [head, chart, middle, events, foot] = Layout::vertical([
        Constraint::Length(3),
        Constraint::Min(5),
        Constraint::Length(body.min(area.height / 3)),
        Constraint::Length(events.min(area.height / 4)),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_head(buffer, head, view, palette);
    draw_chart(buffer, chart, view, palette);
    let [components, sources] =
        Layout::horizontal([Constraint::Percentage(42), Constraint::Percentage(58)])
            .spacing(2)
            .areas(middle);
    draw_components(buffer, components, view, palette);
    draw_sources(buffer, sources, view, palette);
    draw_events(buffer, events, view, palette);
    draw_foot(buffer, foot, view, palette);
}

fn published(view: &View) -> Option<&Published> {
    view.row.as_ref()?.published.as_ref()
}

fn state_line(view: &View, palette: Palette) -> Line<'static> {
    let Some(row) = &view.row else {
        return Line::from("no data yet");
    };
    let state = State::of(row);
    let style = palette.state(state).add_modifier(Modifier::BOLD);
    let Some(published) = &row.published else {
        return Line::from(Span::styled("no data".to_owned(), style));
    };
    let mut spans = vec![
        Span::styled(published.status.as_str().to_owned(), style),
        Span::raw(format!(" ({})", published.reason)),
    ];
    if let Some(diagnostics) = &view.diagnostics
        && diagnostics.status == diagnostics.record.status
    {
        let since_ns = diagnostics.record.status_since_ns;
        let for_ns = diagnostics.now_ns.saturating_sub(since_ns);
        spans.push(Span::raw(format!(" for {}", span_ns(for_ns))));
    }
    for (is_so, mark) in [
        (published.is_drill, " DRILL"),
        (published.is_simulated, " SIMULATED"),
    ] {
        if is_so {
            let style = palette.color(Color::Magenta).add_modifier(Modifier::BOLD);
            spans.push(Span::styled(mark, style));
        }
    }
    Line::from(spans)
}

fn bound_line(view: &View) -> Line<'static> {
    let Some(published) = published(view) else {
        return Line::from(view.error.clone().unwrap_or_default());
    };
    let (Some(claim), Some(row)) = (&published.claim, &view.row) else {
        return Line::from("no interval is claimed");
    };
    Line::from(vec![
        Span::raw("bound "),
        Span::styled(
            duration_ns(claim.bound_ns()),
            Style::new().add_modifier(Modifier::BOLD),
        ),
        Span::raw(format!(
            "   CLOCK_REALTIME within {} of UTC   midpoint {}",
            duration_ns(claim.realtime_error_ns(row.unix_ns)),
            signed_ns(claim.divergence_ns(row.unix_ns)),
        )),
    ])
}

fn draw_head(buffer: &mut Buffer, area: Rect, view: &View, palette: Palette) {
    let [title, state, bound] = Layout::vertical([Constraint::Length(1); 3]).areas(area);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    Line::from(vec![
        Span::styled("clockbound", bold),
        Span::styled(format!("  {}", view.directory), palette.faint()),
    ])
    .render(title, buffer);
    if let Some(row) = &view.row {
        let time = utc(row.unix_ns, "%Y-%m-%d %H:%M:%S UTC");
        Line::from(time).right_aligned().render(title, buffer);
    }
    state_line(view, palette).render(state, buffer);
    if let Some(published) = published(view)
        && published.failure != published.reason
        && published.failure != shm_layout::Reason::Tracking
    {
        let text = format!("reports are not usable: {}", published.failure);
        Line::styled(text, palette.color(Color::Yellow))
            .right_aligned()
            .render(state, buffer);
    }
    bound_line(view).render(bound, buffer);
}

/// The bound as bars, one for each column, above a band of the status and the time axis.
fn draw_chart(buffer: &mut Buffer, area: Rect, view: &View, palette: Palette) {
    let [plot, band, axis] = Layout::vertical([
        Constraint::Min(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(area);
    let split = |area| {
        Layout::horizontal([Constraint::Length(LABEL_WIDTH), Constraint::Min(1)]).areas::<2>(area)
    };
    let ([labels, plot], [band_label, band], [_, axis]) = (split(plot), split(band), split(axis));
    let parts = view.parts(usize::from(plot.width));
    let bounds = parts.iter().flatten().filter_map(|part| part.bound_ns);
    let top_ns = round_up(bounds.max().unwrap_or(1).max(1));
    for (column, part) in (plot.x..plot.right()).zip(&parts) {
        let Some(part) = part else { continue };
        let style = palette.state(part.state);
        if let Some(bound_ns) = part.bound_ns {
            let eighths = eighths(bound_ns, top_ns, plot.height);
            for row in 0..plot.height {
                let filled = eighths.saturating_sub(usize::from(row) * 8).min(8);
                if filled > 0 {
                    let cell = &mut buffer[(column, plot.bottom() - 1 - row)];
                    cell.set_symbol(BARS[filled]).set_style(style);
                }
            }
        }
        let symbol = match part.state {
            State::Synchronized => "━",
            State::FreeRunning => "▒",
            State::Unknown => "?",
            State::Disrupted => "!",
            State::Unreadable => "x",
        };
        let cell = &mut buffer[(column, band.y)];
        cell.set_symbol(symbol).set_style(style);
    }
    let label = |text: String| Line::styled(format!("{text} "), palette.faint()).right_aligned();
    let row = |offset: u16| Rect {
        y: labels.y + offset,
        height: 1,
        ..labels
    };
    if parts.iter().flatten().any(|part| part.bound_ns.is_some()) {
        label(duration_ns(top_ns)).render(row(0), buffer);
        if labels.height >= 4 {
            label(duration_ns(top_ns / 2)).render(row(labels.height / 2), buffer);
        }
        if labels.height >= 2 {
            label("0".to_owned()).render(row(labels.height - 1), buffer);
        }
    }
    label("status".to_owned()).render(band_label, buffer);
    let faint = palette.faint();
    Line::styled(format!("-{}", span_ns(view.span_ns())), faint).render(axis, buffer);
    Line::styled("now", faint)
        .right_aligned()
        .render(axis, buffer);
}

/// The height of a bar in eighths of a line; at least one.
fn eighths(value_ns: i64, top_ns: i64, lines: u16) -> usize {
    let scaled = i128::from(value_ns) * i128::from(lines) * 8 / i128::from(top_ns.max(1));
    usize::try_from(scaled).unwrap_or(0).max(1)
}

/// The next round number that is not smaller.
fn round_up(ns: i64) -> i64 {
    let mut power = 1_i64;
    while ns > power.saturating_mul(10) && power < i64::MAX / 10 {
        power *= 10;
    }
    [10, 12, 16, 20, 30, 40, 60, 80, 100]
        .into_iter()
        .map(|tenths: i64| (power.saturating_mul(tenths) / 10).max(1))
        .find(|round| *round >= ns)
        .unwrap_or(i64::MAX)
}

fn heading(text: String) -> Line<'static> {
    Line::styled(text, Style::new().add_modifier(Modifier::BOLD))
}

fn draw_components(buffer: &mut Buffer, area: Rect, view: &View, palette: Palette) {
    let mut lines = vec![heading("Components of the bound".to_owned())];
    if let Some(claim) = published(view).and_then(|published| published.claim.as_ref()) {
        let mut terms: Vec<(&str, i64)> = BUDGET_TERMS
            .into_iter()
            .zip(claim.components_ns)
            .filter(|(_, ns)| *ns != 0)
            .collect();
        terms.sort_by_key(|(_, ns)| -ns.saturating_abs());
        let largest_ns = terms.first().map_or(1, |(_, ns)| ns.saturating_abs());
        let room = usize::from(area.width).saturating_sub(28);
        for (name, ns) in terms {
            let length = i128::from(ns.saturating_abs()) * 8 * i128::try_from(room).unwrap_or(0)
                / i128::from(largest_ns.max(1));
            let color = if ns < 0 { Color::Green } else { Color::Cyan };
            lines.push(Line::from(vec![
                Span::raw(format!("{name:<17} {:>8} ", duration_ns(ns))),
                Span::styled(
                    bar(usize::try_from(length).unwrap_or(0)),
                    palette.color(color),
                ),
            ]));
        }
    } else if let Some(error) = &view.error {
        // The line above has no room for all of it.
        lines.push(Line::from(error.clone()));
    } else {
        lines.push(Line::styled("none", palette.faint()));
    }
    Paragraph::new(lines)
        .wrap(Wrap { trim: true })
        .render(area, buffer);
}

/// A horizontal bar of this many eighths of a character.
fn bar(eighths: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    format!("{}{}", "█".repeat(eighths / 8), PARTS[eighths % 8])
}

fn draw_sources(buffer: &mut Buffer, area: Rect, view: &View, palette: Palette) {
    let Some(diagnostics) = &view.diagnostics else {
        return;
    };
    let style = if view.error.is_some() {
        palette.faint()
    } else {
        Style::new()
    };
    let record = &diagnostics.record;
    let reachable = record.sources.iter();
    let reachable = reachable.filter(|source| source.reachability != 0).count();
    let mut lines = vec![heading(format!(
        "{} sources, {reachable} reachable",
        record.source_count
    ))];
    let width = usize::from(area.width);
    lines.push(Line::styled(source_titles(width), palette.faint()));
    for source in &record.sources {
        let color = if source.is_disjoint || source.state == SourceState::Falseticker {
            palette.color(Color::Red)
        } else if source.is_followed {
            palette.color(Color::Green)
        } else {
            style
        };
        lines.push(Line::styled(
            source_line(source, diagnostics, width),
            color.patch(style),
        ));
    }
    if lines.len() > usize::from(area.height) && area.height > 2 {
        let shown = usize::from(area.height) - 1;
        let omitted = lines.len() - shown;
        lines.truncate(shown);
        lines.push(Line::styled(format!("and {omitted} more"), palette.faint()));
    }
    Paragraph::new(lines).render(area, buffer);
}

/// From this width on there is room for all columns.
const WIDE: usize = 90;

fn source_titles(width: usize) -> String {
    if width >= WIDE {
        format!(
            "  {:<39} {:<13} {:>2} {:>5} {:>6} {:>7} {:>9}  error",
            "address", "state", "st", "reach", "poll", "age", "offset"
        )
    } else {
        format!(
            "  {:<15} {:>5} {:>5} {:>7}  error",
            "address", "reach", "age", "offset"
        )
    }
}

fn source_line(source: &Source, diagnostics: &Diagnostics, width: usize) -> String {
    let mark = match (source.is_followed, source.is_disjoint) {
        (_, true) => '!',
        (true, false) => '*',
        (false, false) => ' ',
    };
    let is_measured = source.measured_ns > 0;
    let of_measurement = |text: String| if is_measured { text } else { "-".to_owned() };
    let age_ns = diagnostics.now_ns.saturating_sub(source.measured_ns);
    let age = of_measurement(format!("{} s", age_ns.max(0) / 1_000_000_000));
    let offset = of_measurement(signed_ns(source.offset_ns));
    let error = of_measurement(duration_ns(source.offset_error_ns));
    let address = source_address(source.address);
    let reach = format!("{:o}", source.reachability);
    if width >= WIDE {
        let state = match source.state {
            SourceState::Selected => "selected",
            SourceState::Nonselectable => "nonselectable",
            SourceState::Falseticker => "falseticker",
            SourceState::Jittery => "jittery",
            SourceState::Unselected => "unselected",
            SourceState::Selectable => "selectable",
        };
        format!(
            "{mark} {address:<39} {state:<13} {:>2} {reach:>5} {:>6} {age:>7} {offset:>9}  {error}",
            source.stratum,
            poll_interval(source.poll),
        )
    } else {
        let address: String = address.chars().take(15).collect();
        format!("{mark} {address:<15} {reach:>5} {age:>5} {offset:>8} {error}")
    }
}

fn draw_events(buffer: &mut Buffer, area: Rect, view: &View, palette: Palette) {
    let mut lines = vec![heading("Events".to_owned())];
    if view.events.is_empty() {
        lines.push(Line::styled("none since the start", palette.faint()));
    }
    for event in &view.events {
        lines.push(Line::from(vec![
            Span::styled(utc(event.unix_ns, "%H:%M:%S  "), palette.faint()),
            Span::styled(event.text.clone(), palette.level(event.level)),
        ]));
    }
    Paragraph::new(lines).render(area, buffer);
}

fn draw_foot(buffer: &mut Buffer, area: Rect, view: &View, palette: Palette) {
    let keys = format!("q quit   + - time span: {}", span_ns(view.span_ns()));
    Line::styled(keys, palette.faint()).render(area, buffer);
    if let Some(published) = published(view) {
        let [major, minor, patch] = published.version;
        let daemon = format!(
            "clockbound {major}.{minor}.{patch}, process {}",
            published.pid
        );
        Line::styled(daemon, palette.faint())
            .right_aligned()
            .render(area, buffer);
    }
}

#[cfg(test)]
#[path = "draw_tests.rs"]
mod tests;
