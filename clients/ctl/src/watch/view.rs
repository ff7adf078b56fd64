//! What the terminal shows: a pure function of the diagnostics so far.

use std::collections::VecDeque;

use clockbound_client::diagnostics::Diagnostics;

use crate::record::event::{self, Event};
use crate::record::row::{Claim, Row};

/// The time spans of the chart, ns.
const SPANS_NS: [i64; 5] = [
    60_000_000_000,
    300_000_000_000,
    900_000_000_000,
    3_600_000_000_000,
    21_600_000_000_000,
];
const FIRST_SPAN: usize = 1;
const MAX_SAMPLES: usize = 100_000;
const MAX_EVENTS: usize = 200;

/// What was seen at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// `CLOCK_MONOTONIC_RAW`, ns.
    pub at_ns: i64,
    /// The bound, ns; `None` without a trusted interval.
    pub bound_ns: Option<i64>,
    /// The status.
    pub state: State,
}

/// The status, or its absence. The later one is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Synchronized.
    Synchronized,
    /// Free running.
    FreeRunning,
    /// Unknown.
    Unknown,
    /// Disrupted.
    Disrupted,
    /// The diagnostics could not be read.
    Unreadable,
}

impl State {
    /// That of a row.
    pub fn of(row: &Row) -> State {
        use shm_layout::ClockStatus;
        match row.published.as_ref().map(|published| published.status) {
            Some(ClockStatus::Synchronized) => State::Synchronized,
            Some(ClockStatus::FreeRunning) => State::FreeRunning,
            Some(ClockStatus::Unknown) => State::Unknown,
            Some(ClockStatus::Disrupted) => State::Disrupted,
            None => State::Unreadable,
        }
    }
}

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Ends the program.
    Quit,
    /// Shows a shorter time.
    Shorter,
    /// Shows a longer time.
    Longer,
    /// Nothing.
    Other,
}

impl Key {
    /// The keys of the bytes that a terminal sent at once. An escape character at the end is the
    /// key Esc; before others it begins the sequence of another key.
    pub fn all(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Vec::new();
        let mut rest = bytes;
        while let [first, after @ ..] = rest {
            keys.push(Key::of(*first, after));
            rest = match *first {
                ESCAPE => after_sequence(after),
                _ => after,
            };
        }
        keys
    }

    fn of(byte: u8, after: &[u8]) -> Key {
        match byte {
            b'q' | b'Q' | CONTROL_C | CONTROL_D => Key::Quit,
            ESCAPE if matches!(after, [] | [ESCAPE, ..]) => Key::Quit,
            b'+' | b'=' => Key::Shorter,
            b'-' | b'_' => Key::Longer,
            _ => Key::Other,
        }
    }
}

const CONTROL_C: u8 = 0x03;
const CONTROL_D: u8 = 0x04;
const ESCAPE: u8 = 0x1b;

/// What follows a sequence, given what follows its escape character.
fn after_sequence(bytes: &[u8]) -> &[u8] {
    match bytes {
        // Parameters, and a final byte (ECMA-48).
        [b'[', parameters @ ..] => {
            let is_final = |byte: &u8| (0x40..=0x7e).contains(byte);
            let end = parameters.iter().position(is_final);
            end.map_or(&[], |end| &parameters[end + 1..])
        }
        [b'O', _, rest @ ..] => rest,
        [ESCAPE, ..] => bytes,
        [_, rest @ ..] => rest,
        [] => &[],
    }
}

/// The state of the view.
#[derive(Debug)]
pub struct View {
    /// The directory in which the daemon publishes.
    pub directory: String,
    /// The time between samples, ns.
    pub interval_ns: i64,
    /// The last row.
    pub row: Option<Row>,
    /// The last diagnostics that could be read.
    pub diagnostics: Option<Box<Diagnostics>>,
    /// Why none could be read the last time.
    pub error: Option<String>,
    /// The samples, the newest last.
    pub samples: VecDeque<Sample>,
    /// The events, the newest first.
    pub events: VecDeque<Event>,
    span: usize,
}

impl View {
    /// A view without samples.
    pub fn new(directory: String, interval_ns: i64) -> View {
        View {
            directory,
            interval_ns,
            row: None,
            diagnostics: None,
            error: None,
            samples: VecDeque::new(),
            events: VecDeque::new(),
            span: FIRST_SPAN,
        }
    }

    /// Takes diagnostics.
    pub fn read(&mut self, diagnostics: Diagnostics) {
        let row = Row::of(&diagnostics, self.interval_ns);
        self.diagnostics = Some(Box::new(diagnostics));
        self.error = None;
        self.add(row);
    }

    /// Notes that there are none, at these readings of `CLOCK_REALTIME` and `CLOCK_MONOTONIC_RAW`.
    pub fn failed(&mut self, error: String, (unix_ns, monotonic_ns): (i64, i64)) {
        self.error = Some(error);
        self.add(Row::unreadable(unix_ns, monotonic_ns, self.interval_ns));
    }

    /// The time span of the chart, ns.
    pub fn span_ns(&self) -> i64 {
        SPANS_NS[self.span]
    }

    /// Takes the bytes that a terminal sent at once; whether the program goes on.
    pub fn type_in(&mut self, bytes: &[u8]) -> bool {
        Key::all(bytes).into_iter().all(|key| self.press(key))
    }

    fn press(&mut self, key: Key) -> bool {
        match key {
            Key::Quit => return false,
            Key::Shorter => self.span = self.span.saturating_sub(1),
            Key::Longer => self.span = (self.span + 1).min(SPANS_NS.len() - 1),
            Key::Other => {}
        }
        true
    }

    fn add(&mut self, row: Row) {
        let claim = row
            .published
            .as_ref()
            .and_then(|published| published.claim.as_ref());
        self.samples.push_back(Sample {
            at_ns: row.monotonic_ns,
            bound_ns: claim.map(Claim::bound_ns),
            state: State::of(&row),
        });
        let longest_ns = SPANS_NS[SPANS_NS.len() - 1];
        let oldest_ns = row.monotonic_ns.saturating_sub(longest_ns);
        let is_old = |sample: &Sample| sample.at_ns < oldest_ns;
        while self.samples.len() > MAX_SAMPLES || self.samples.front().is_some_and(is_old) {
            self.samples.pop_front();
        }
        if let Some(before) = &self.row {
            for event in event::between(before, &row) {
                self.events.push_front(event);
            }
            self.events.truncate(MAX_EVENTS);
        }
        self.row = Some(row);
    }

    /// The samples of each of `count` parts of the shown time, the last of which has the newest
    /// sample.
    pub fn parts(&self, count: usize) -> Vec<Option<Sample>> {
        let mut parts = vec![None; count];
        let (Some(newest), Ok(number)) = (self.samples.back(), i64::try_from(count)) else {
            return parts;
        };
        if number == 0 {
            return parts;
        }
        let width_ns = (self.span_ns() / number).max(1);
        // Parts begin at multiples of their width, so that samples stay in theirs.
        let last = newest.at_ns.div_euclid(width_ns);
        let first = last - number + 1;
        for sample in &self.samples {
            // A sample holds until the next one.
            let end_ns = sample.at_ns.saturating_add(self.interval_ns - 1);
            let from = sample.at_ns.div_euclid(width_ns).max(first);
            let to = end_ns.div_euclid(width_ns).min(last);
            for position in from..=to {
                let Ok(index) = usize::try_from(position - first) else {
                    continue;
                };
                parts[index] = Some(match parts[index] {
                    None => *sample,
                    Some(other) => worse(other, *sample),
                });
            }
        }
        parts
    }
}

/// The larger bound with the worse state.
fn worse(a: Sample, b: Sample) -> Sample {
    Sample {
        at_ns: b.at_ns,
        bound_ns: a.bound_ns.max(b.bound_ns),
        state: a.state.max(b.state),
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
