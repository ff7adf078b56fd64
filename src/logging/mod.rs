//! Writes the log to standard error, one line per event, or to the journal if standard error leads
//! there. A separate thread does the writing.
//!
//! ```text
//!  actors --Logger--> level --Queue, bounded--> writer --Format--> one write per event
//!                              \__ full: the event is dropped and counted       |
//!                                                                   stderr or journald
//! ```
//! A thread that logs never waits for the reader of the log. The writer reports the number of
//! dropped events when the queue is empty again. Messages are constant and in lower case. Variable
//! parts are values with a key:
//!
//! | keys | event |
//! |---|---|
//! | `actor err source advice` | several |
//! | `unsaid_changes` | changes that are logged at most five times a minute |
//! | `from to reason bound_ns budget` | the clock status changed |
//! | `held_earliest_ns held_latest_ns` | a measurement is disjoint from the held interval |
//! | `reported_earliest_ns reported_latest_ns alarms` | likewise |
//! | `held_interval_stands` | a contradiction was resolved |
//! | `disjoint reachable` | sources disagree |
//! | `max_drift_ppb` | the daemon starts; measured rates contradict `--max-drift-rate` |
//! | `happened` | a leap second is over |
//! | `by_ns suspended` | the system clock was set |
//! | `by_ns alarms` | another program slews the system clock |
//! | `cause marker` | the clock was disrupted |
//! | `value` | no drill has the value of the signal |
//! | `burst` | the sources of chronyd were reset |
//! | `expected` | the host announces a clock disruption |
//! | `leap tai_offset_s` | the host reports another leap second or TAI offset |
//! | `path` | a deleted segment file was created again |
//! | `version segments` | the daemon starts |
//! | `signal` | the daemon stops |
//! | `pause_ms` | an actor is restarted |
//! | `status reason as_of_ns earliest_ns latest_ns` | an estimate was published, at level debug |
//! | `budget slowest_ppt fastest_ppt` | likewise |
//! | `location thread` | a thread panicked; logged by this module |
//! | `count` | events were dropped; logged by this module |
//!
//! JSON output adds `ts`, `level` and `msg`. In the journal each key is a field; see clockbound(8).

mod events;
mod journal;
mod line;
mod queue;

pub use queue::Logging;

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::panic::{self, PanicHookInfo};
use std::path::Path;

use slog::{Drain, FnValue, Level, LevelFilter, Logger, PushFnValue, Record, error, o};
use slog_json::Json;
use slog_term::{FullFormat, PlainDecorator, TermDecorator};

use journal::Journal;
use line::{EventTime, Lines, OneLine};
use queue::Sink;

/// The format of a line.
#[derive(Clone, Copy)]
enum Format {
    /// Text with colours, for a terminal.
    Terminal,
    /// The same text without colours, for a file or a pipe.
    Plain,
    /// A JSON object with `ts`, `level`, `msg` and the values.
    Json,
}

/// Starts to log events of `level` and above on standard error, as JSON or as text. If standard
/// error leads to the journal and `json` is false, events are sent to journald as fields instead.
/// Keep the [`Logging`] until the process exits: dropping it stops the writer.
///
/// # Errors
/// The kernel refused a thread or a file descriptor.
pub fn start(level: Level, json: bool) -> io::Result<(Logger, Logging)> {
    let stderr = io::stderr();
    let format = match (json, stderr.is_terminal()) {
        (true, _) => Format::Json,
        (false, true) => Format::Terminal,
        (false, false) => Format::Plain,
    };
    // A separate descriptor, because a blocked write would hold the lock of `io::stderr`.
    let out = File::from(stderr.as_fd().try_clone_to_owned()?);
    let stream = env::var("JOURNAL_STREAM").ok();
    let journald = Path::new(journal::SOCKET);
    if !json && journal::is_connected_to(&out, stream.as_deref()) && journald.exists() {
        let time = EventTime::default();
        let journal = Journal::new(journald, time.clone())?;
        return start_with(level, Box::new(journal), time);
    }
    start_on(level, format, out)
}

fn start_on(
    level: Level,
    format: Format,
    out: impl Write + Send + 'static,
) -> io::Result<(Logger, Logging)> {
    let time = EventTime::default();
    start_with(level, sink(format, out, &time), time)
}

fn start_with(level: Level, sink: Sink, time: EventTime) -> io::Result<(Logger, Logging)> {
    let (queue, logging) = queue::spawn(sink, time)?;
    let drain = LevelFilter::new(queue, level).ignore_res();
    Ok((Logger::root(drain, o!()), logging))
}

/// The writer for each format.
fn sink(format: Format, out: impl Write + Send + 'static, time: &EventTime) -> Sink {
    let out = Lines::new(out);
    let stamp = time.clone();
    let stamp = move |out: &mut dyn Write| write!(out, "{}", stamp.rfc3339());
    match format {
        Format::Terminal => {
            let term = OneLine(TermDecorator::new().stderr().build());
            let text = FullFormat::new(term).use_custom_timestamp(stamp);
            Box::new(text.use_original_order().build())
        }
        Format::Plain => {
            let plain = OneLine(PlainDecorator::new(out));
            let text = FullFormat::new(plain).use_custom_timestamp(stamp);
            Box::new(text.use_original_order().build())
        }
        Format::Json => {
            let time = time.clone();
            let keys = o!(
                "msg" => PushFnValue(|record: &Record, out| out.emit(record.msg())),
                "level" => FnValue(|record: &Record| level_name(record.level())),
                "ts" => FnValue(move |_: &Record| time.rfc3339()),
            );
            Box::new(Json::new(out).set_flush(true).add_key_value(keys).build())
        }
    }
}

/// The name of the level, as `--log-level` accepts it.
fn level_name(level: Level) -> &'static str {
    match level {
        Level::Critical => "critical",
        Level::Error => "error",
        Level::Warning => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

/// Logs every panic of the process as one event, instead of several lines on standard error.
pub fn install_panic_hook(log: &Logger) {
    let log = log.clone();
    panic::set_hook(Box::new(move |info| log_panic(&log, info)));
}

fn log_panic(log: &Logger, info: &PanicHookInfo) {
    let payload = info.payload();
    let message = (payload.downcast_ref::<&str>().copied())
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic without a message");
    let location = info.location().map(ToString::to_string);
    let thread = std::thread::current();
    error!(log, "thread panicked";
        "err" => message, "location" => location, "thread" => thread.name());
}

#[cfg(test)]
mod tests;
