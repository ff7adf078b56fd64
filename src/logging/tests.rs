//! Tests of the written log, and of logging threads while no process reads it.

use std::io::{BufRead, BufReader, PipeReader, Read, pipe};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use slog::{debug, info, trace, warn};

use super::queue::QUEUE_EVENTS;
use super::*;

/// The deadline of every wait; it is not a measurement.
const DEADLINE: Duration = Duration::from_secs(30);

const HOSTILE: &str =
    "a\nb\r\nc\td\0e\x1b[31mf\x7fg\u{85}h\u{2028}i\u{202e}j\u{9b}k \"q\" \\ ä, x: y";

/// The text that is written for the events that `events` logs.
fn written(level: Level, format: Format, events: impl FnOnce(&Logger)) -> String {
    let (reader, writer) = pipe().unwrap();
    let (log, logging) = start_on(level, format, writer).unwrap();
    events(&log);
    drop((log, logging));
    within_deadline(move || read_all(reader))
}

fn read_all(mut reader: PipeReader) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

/// Runs `work`, and fails the test if it does not return before the deadline.
pub(super) fn within_deadline<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(DEADLINE).expect("blocked")
}

fn hostile_events(log: &Logger) {
    let child = log.new(o!("actor" => "chrony\npoller"));
    warn!(child, "{}", HOSTILE; "err" => HOSTILE, "bound_ns" => 17_u64, "source" => %HOSTILE);
    info!(log, "plain"; "from" => -5_i64, "to" => 0.5, "status" => Option::<u8>::None);
}

#[test]
fn a_plain_event_is_one_line_with_control_characters_escaped() {
    let text = written(Level::Info, Format::Plain, hostile_events);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(text.ends_with('\n'));
    let odd = |c: char| c != '\n' && (c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c));
    assert!(!text.contains(odd), "{text:?}");
    assert!(
        lines[0].contains(r"WARN a\nb\r\nc\td\u{0}e\u{1b}[31mf\u{7f}g\u{85}h"),
        "{text}"
    );
    assert!(lines[0].contains(r"actor: chrony\npoller"), "{text}");
    assert!(lines[0].contains("bound_ns: 17"), "{text}");
    let (ts, rest) = lines[1].split_once(' ').unwrap();
    assert!(ts.len() == 27 && ts.ends_with('Z'), "{ts}");
    assert!(humantime::parse_rfc3339(ts).is_ok(), "{ts}");
    assert_eq!(rest, "INFO plain, from: -5, to: 0.5, status: None");
}

#[test]
fn a_json_event_is_one_object_on_one_line() {
    let text = written(Level::Info, Format::Json, hostile_events);
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 2, "{text}");
    assert!(
        !text.contains(|c: char| c != '\n' && c.is_ascii_control() && c != '\x7f'),
        "{text:?}"
    );
    assert_eq!(events[0]["msg"], HOSTILE);
    assert_eq!(events[0]["err"], HOSTILE);
    assert_eq!(events[0]["source"], HOSTILE);
    assert_eq!(events[0]["actor"], "chrony\npoller");
    assert_eq!(events[0]["level"], "warn");
    assert_eq!(events[0]["bound_ns"], 17);
    assert_eq!(events[1]["from"], -5);
    assert_eq!(events[1]["to"], 0.5);
    assert_eq!(events[1]["status"], Value::Null);
    let ts = events[1]["ts"].as_str().unwrap();
    assert!(humantime::parse_rfc3339(ts).is_ok(), "{ts}");
    assert!(text.starts_with("{\"ts\":\""), "{text}");
}

#[test]
fn events_below_the_log_level_are_not_written() {
    for (level, lines) in [
        (Level::Trace, 3),
        (Level::Debug, 2),
        (Level::Info, 1),
        (Level::Error, 0),
    ] {
        let text = written(level, Format::Plain, |log| {
            trace!(log, "t");
            debug!(log, "d");
            info!(log, "i");
        });
        assert_eq!(text.lines().count(), lines, "{level}");
    }
}

/// Logs more events than the pipe and the queue hold, and returns their number.
pub(super) fn flood(log: &Logger) -> u64 {
    let events = 10_000;
    for number in 0..events {
        info!(log, "event"; "to" => number, "reason" => "a value that takes some room in the pipe");
    }
    events
}

#[test]
fn a_blocked_reader_blocks_no_logger_and_later_receives_the_number_of_dropped_events() {
    let (reader, writer) = pipe().unwrap();
    let (log, logging) = start_on(Level::Info, Format::Json, writer).unwrap();
    let (log, logged) = within_deadline(move || {
        let logged = flood(&log);
        (log, logged)
    });
    let (mut seen, mut dropped) = (0, 0);
    let mut lines = BufReader::new(reader).lines();
    within_deadline(move || {
        // Nothing is logged while this loop reads: the report does not need another event.
        while seen + dropped < logged {
            let line = lines.next().unwrap().unwrap();
            let event: Value = serde_json::from_str(&line).unwrap();
            match event["msg"].as_str() {
                Some("log events dropped") => dropped += event["count"].as_u64().unwrap(),
                _ => seen += 1,
            }
        }
        assert!(
            dropped > 0 && seen >= QUEUE_EVENTS as u64,
            "{seen} {dropped}"
        );
        assert_eq!(seen + dropped, logged);
    });
    drop((log, logging));
}

#[test]
fn shutdown_does_not_wait_for_a_blocked_reader() {
    let (reader, writer) = pipe().unwrap();
    let (log, logging) = start_on(Level::Info, Format::Plain, writer).unwrap();
    within_deadline(move || {
        flood(&log);
        drop(logging);
    });
    drop(reader);
}

#[test]
fn events_logged_before_shutdown_are_written() {
    let text = written(Level::Info, Format::Plain, |log| {
        for number in 0..QUEUE_EVENTS / 2 {
            info!(log, "event"; "to" => number);
        }
    });
    assert_eq!(text.lines().count(), QUEUE_EVENTS / 2);
}

#[test]
fn the_timestamp_is_the_time_of_the_event_and_not_of_the_write() {
    let (reader, writer) = pipe().unwrap();
    let (log, logging) = start_on(Level::Info, Format::Json, writer).unwrap();
    flood(&log);
    let logged = humantime::format_rfc3339_micros(std::time::SystemTime::now()).to_string();
    let mut lines = BufReader::new(reader).lines();
    within_deadline(move || {
        for _ in 0..QUEUE_EVENTS {
            let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert!(event["ts"].as_str().unwrap() <= logged.as_str());
        }
    });
    drop((log, logging));
}

/// A writer that fails while `broken`, as a pipe without a reader does.
struct BreakableWriter {
    broken: mpsc::Receiver<bool>,
    out: io::PipeWriter,
}

impl Write for BreakableWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.broken.recv() {
            Ok(true) => Err(io::ErrorKind::BrokenPipe.into()),
            _ => self.out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn events_are_written_again_after_write_errors() {
    let (reader, out) = pipe().unwrap();
    let (control, broken) = mpsc::channel();
    let (log, logging) =
        start_on(Level::Info, Format::Plain, BreakableWriter { broken, out }).unwrap();
    for state in [true, true, true, false, false] {
        control.send(state).unwrap();
    }
    drop(control);
    for name in ["one", "two", "three", "four"] {
        info!(log, "{}", name);
    }
    drop((log, logging));
    let text = within_deadline(move || read_all(reader));
    assert!(!text.contains("three") && text.contains("four"), "{text}");
    assert!(text.contains("log events dropped, count: 3"), "{text}");
}

#[test]
fn a_closed_pipe_neither_blocks_nor_panics() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let (log, logging) = start_on(Level::Info, Format::Plain, writer).unwrap();
    within_deadline(move || {
        flood(&log);
        drop((log, logging));
    });
}

#[test]
fn a_panic_is_logged_as_one_event() {
    let text = written(Level::Info, Format::Json, |log| {
        let before = panic::take_hook();
        install_panic_hook(log);
        let named = std::thread::Builder::new().name("victim".to_owned());
        let ended = named.spawn(|| panic!("bad {}\nnews", 7)).unwrap().join();
        panic::set_hook(before);
        assert!(ended.is_err());
    });
    // A test that fails at the same time is logged here, too.
    let line = text.lines().find(|line| line.contains("victim")).unwrap();
    let event: Value = serde_json::from_str(line).unwrap();
    assert_eq!(event["level"], "error");
    assert_eq!(event["msg"], "thread panicked");
    assert_eq!(event["err"], "bad 7\nnews");
    assert!(
        event["location"].as_str().unwrap().contains("tests.rs:"),
        "{text}"
    );
}
