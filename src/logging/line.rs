//! Writes one event as one line, in one write, with the time of the event.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use slog::{OwnedKVList, Record};
use slog_term::{Decorator, RecordDecorator};

/// The last microsecond of the year 9999, the last year in RFC 3339, since 1970.
const MAX_US: u64 = 253_402_300_799_999_999;

/// The time of the event that is being written, in microseconds since 1970. It differs from the
/// time of writing, because the event may have waited in the queue.
#[derive(Clone, Default)]
pub(super) struct EventTime(Arc<AtomicU64>);

impl EventTime {
    /// `CLOCK_REALTIME` now, in microseconds since 1970.
    pub(super) fn now_us() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        // A time before 1970 is clamped to 1970.
        since.map_or(0, |since| {
            u64::try_from(since.as_micros()).unwrap_or(MAX_US)
        })
    }

    pub(super) fn set(&self, us: u64) {
        self.0.store(us, Ordering::Relaxed);
    }

    /// The time as RFC 3339 text in UTC, with microseconds.
    pub(super) fn rfc3339(&self) -> String {
        let us = self.0.load(Ordering::Relaxed).min(MAX_US);
        humantime::format_rfc3339_micros(UNIX_EPOCH + Duration::from_micros(us)).to_string()
    }
}

/// Buffers a line until it is flushed, and then writes it in one write, so that lines of several
/// writers of one pipe do not mix. A line that cannot be written is lost.
pub(super) struct Lines<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W) -> Self {
        let line = Vec::new();
        Self { out, line }
    }
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.out.write_all(&self.line);
        self.line.clear();
        written?;
        self.out.flush()
    }
}

/// Escapes control characters in messages, keys and values before the inner decorator receives
/// them.
pub(super) struct OneLine<D>(pub(super) D);

impl<D: Decorator> Decorator for OneLine<D> {
    fn with_record<F>(&self, record: &Record, values: &OwnedKVList, f: F) -> io::Result<()>
    where
        F: FnOnce(&mut dyn RecordDecorator) -> io::Result<()>,
    {
        self.0.with_record(record, values, |inner| {
            f(&mut Escaping {
                inner,
                untrusted: false,
            })
        })
    }
}

struct Escaping<'a> {
    inner: &'a mut dyn RecordDecorator,
    /// The part that is being written is a message, a key or a value. Otherwise it is punctuation
    /// or the newline.
    untrusted: bool,
}

impl Write for Escaping<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.untrusted {
            return self.inner.write(bytes);
        }
        self.inner
            .write_all(escape(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl RecordDecorator for Escaping<'_> {
    fn reset(&mut self) -> io::Result<()> {
        self.untrusted = false;
        self.inner.reset()
    }

    fn start_whitespace(&mut self) -> io::Result<()> {
        self.untrusted = false;
        self.inner.start_whitespace()
    }

    fn start_msg(&mut self) -> io::Result<()> {
        self.untrusted = true;
        self.inner.start_msg()
    }

    fn start_timestamp(&mut self) -> io::Result<()> {
        self.untrusted = false;
        self.inner.start_timestamp()
    }

    fn start_level(&mut self) -> io::Result<()> {
        self.untrusted = false;
        self.inner.start_level()
    }

    fn start_comma(&mut self) -> io::Result<()> {
        self.untrusted = false;
        self.inner.start_comma()
    }

    fn start_key(&mut self) -> io::Result<()> {
        self.untrusted = true;
        self.inner.start_key()
    }

    fn start_value(&mut self) -> io::Result<()> {
        self.untrusted = true;
        self.inner.start_value()
    }

    fn start_separator(&mut self) -> io::Result<()> {
        self.untrusted = false;
        self.inner.start_separator()
    }
}

/// Escapes control characters, and Unicode's line separators and bidirectional controls.
fn escape(text: &str) -> String {
    let must_be_escaped =
        |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if must_be_escaped(c) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "{}", c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}
