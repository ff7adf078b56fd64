use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::record::test_rows::{NOW_NS, REALTIME_NS, S, diagnostics_at};

fn screen(view: &View, width: u16, height: u16, palette: Palette) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal
        .draw(|frame| draw(frame, view, palette))
        .expect("draws");
    terminal.backend().buffer().clone()
}

fn lines(buffer: &Buffer) -> Vec<String> {
    buffer
        .content()
        .chunks(usize::from(buffer.area.width))
        .map(|cells| {
            let line: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
            line.trim_end().to_owned()
        })
        .collect()
}

fn view() -> View {
    let mut view = View::new("/run/clockbound".to_owned(), S);
    for second in 0..120 {
        view.read(diagnostics_at(second * S));
    }
    view
}

const COLORS: Palette = Palette { is_on: true };
const PLAIN: Palette = Palette { is_on: false };

#[test]
fn a_standard_terminal_shows_every_part() {
    let lines = lines(&screen(&view(), 80, 24, PLAIN));
    for (row, start) in [
        (0, "clockbound  /run/clockbound"),
        (1, "synchronized (tracking) for 2 h"),
        (2, "bound 400 us   CLOCK_REALTIME within 450 us of UTC"),
    ] {
        assert!(lines[row].starts_with(start), "{lines:#?}");
    }
    let text = lines.join("\n");
    for part in [
        "2026-11-24 20:01:59 UTC",
        " 400 us ",
        "████",
        "━━━━",
        "-5 min",
        "now",
        "Components of the bound",
        "root_distance       310 us",
        "excluded          -65.0 us",
        "3 sources, 2 reachable",
        "* 192.0.2.1",
        "Events",
        "none since the start",
        "q quit   + - time span: 5 min",
        "clockbound 0.3.0, process 4711",
    ] {
        assert!(text.contains(part), "{part}: {lines:#?}");
    }
}

#[test]
fn a_large_terminal_shows_more() {
    let lines = lines(&screen(&view(), 200, 60, PLAIN));
    let text = lines.join("\n");
    for part in [
        "clock_reading_gap",
        "wire_rounding",
        "selectable",
        "nonselectable",
        "reach",
    ] {
        assert!(text.contains(part), "{part}: {lines:#?}");
    }
    assert_eq!(lines.len(), 60);
    assert!(lines[59].contains("q quit"));
}

#[test]
fn every_size_can_be_drawn() {
    let mut view = view();
    view.failed("gone".to_owned(), (REALTIME_NS + 200 * S, NOW_NS + 200 * S));
    for view in [&view, &View::new(String::new(), S)] {
        for width in [1, 2, 9, 10, 39, 40, 41, 79, 80, 100, 200, 500] {
            for height in [1, 2, 3, 13, 14, 15, 23, 24, 60, 200] {
                screen(view, width, height, COLORS);
            }
        }
    }
}

#[test]
fn an_absent_daemon_is_shown_with_the_error() {
    let mut view = View::new("/nowhere".to_owned(), S);
    view.failed("failed to read /nowhere".to_owned(), (REALTIME_NS, NOW_NS));
    let lines = lines(&screen(&view, 80, 24, PLAIN));
    assert_eq!(lines[1], "no data");
    assert_eq!(lines[2], "failed to read /nowhere");
}

#[test]
fn the_status_has_its_color_and_its_sign_in_the_band() {
    let mut view = view();
    view.failed("gone".to_owned(), (REALTIME_NS + 120 * S, NOW_NS + 120 * S));
    let buffer = screen(&view, 80, 24, COLORS);
    let cells = buffer.content();
    let cell = |symbol: &str| cells.iter().find(|cell| cell.symbol() == symbol);
    assert_eq!(cell("━").map(|cell| cell.fg), Some(Color::Green));
    assert_eq!(cell("x").map(|cell| cell.fg), Some(Color::Red));
    let plain = screen(&view, 80, 24, PLAIN);
    assert!(plain.content().iter().all(|cell| cell.fg == Color::Reset));
}

#[test]
fn the_axis_ends_at_a_round_number_above_the_largest_bound() {
    for (ns, end) in [
        (1, 1),
        (400_000, 400_000),
        (410_000, 600_000),
        (999, 1000),
        (1001, 1200),
    ] {
        assert_eq!(round_up(ns), end);
    }
    assert!(round_up(i64::MAX) >= i64::MAX / 2);
}
