//! What happened between two rows.

use std::fmt;

use super::row::{COUNTERS, Published, Row};
use crate::output::units::{duration_ns, span_ns};

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The status is synchronized again, or data arrive again.
    Good,
    /// Worth knowing.
    Notice,
    /// The bound grows, or a premise is in doubt.
    Warning,
    /// Nothing is claimed, or no data arrive.
    Bad,
}

impl Level {
    /// The name, for JSON and for style sheets.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// What happened between two rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `CLOCK_REALTIME` of the row that shows it, ns since 1970.
    pub unix_ns: i64,
    /// How much it matters.
    pub level: Level,
    /// What it is.
    pub text: String,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The time between two rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elapsed {
    /// The second row is the next one, or one after it.
    Next {
        /// The time between them, ns.
        ns: i64,
        /// How far `CLOCK_REALTIME` was set forward, ns; 0 if it was not set.
        step_ns: i64,
    },
    /// Rows are missing.
    Gap {
        /// The time between the rows, ns.
        ns: i64,
    },
    /// The second row is earlier than the first one.
    OutOfOrder,
}

impl Elapsed {
    /// The time from one row to the other.
    pub fn between(before: &Row, after: &Row) -> Elapsed {
        let longest_ns = before
            .interval_ns
            .max(after.interval_ns)
            .max(1)
            .saturating_mul(INTERVALS_OF_A_GAP);
        let monotonic_ns = after.monotonic_ns.saturating_sub(before.monotonic_ns);
        let unix_ns = after.unix_ns.saturating_sub(before.unix_ns);
        // CLOCK_MONOTONIC_RAW begins again with each boot. A longer time is therefore told by
        // CLOCK_REALTIME.
        if (1..=longest_ns).contains(&monotonic_ns) {
            let moved_ns = unix_ns.saturating_sub(monotonic_ns);
            let largest_slew_ns = monotonic_ns / 8 + CLOCK_READING_GAP_NS;
            let was_set = moved_ns.saturating_abs() > largest_slew_ns;
            Elapsed::Next {
                ns: monotonic_ns,
                step_ns: if was_set { moved_ns } else { 0 },
            }
        } else if unix_ns > longest_ns {
            Elapsed::Gap { ns: unix_ns }
        } else if unix_ns > 0 {
            Elapsed::Next {
                ns: unix_ns,
                step_ns: 0,
            }
        } else {
            Elapsed::OutOfOrder
        }
    }
}

/// Rows are missing if this many intervals pass without one.
pub const INTERVALS_OF_A_GAP: i64 = 3;
/// A recorder that is interrupted between its readings of two clocks sees them this far apart.
const CLOCK_READING_GAP_NS: i64 = 5_000_000;

/// What happened between two rows, in the order of its weight.
pub fn between(before: &Row, after: &Row) -> Vec<Event> {
    let mut events = Vec::new();
    let mut add = |level, text: String| {
        events.push(Event {
            unix_ns: after.unix_ns,
            level,
            text,
        });
    };
    match Elapsed::between(before, after) {
        Elapsed::Next { step_ns: 0, .. } => {}
        Elapsed::Next { step_ns, .. } => {
            let (way, by) = if step_ns > 0 {
                ("forward", step_ns)
            } else {
                ("back", step_ns.saturating_neg())
            };
            let text = format!("CLOCK_REALTIME was set {way} by {}", duration_ns(by));
            add(Level::Warning, text);
        }
        Elapsed::Gap { ns } => add(Level::Bad, format!("no rows for {}", span_ns(ns))),
        Elapsed::OutOfOrder => add(Level::Notice, "the rows are not in order here".to_owned()),
    }
    match (&before.published, &after.published) {
        (None, None) => {}
        (Some(_), None) => add(Level::Bad, "the diagnostics are unreadable".to_owned()),
        (None, Some(after)) => {
            let text = format!("the diagnostics are readable: {}", state(after));
            add(level_of(after), text);
        }
        (Some(before), Some(after)) => changes(before, after, add),
    }
    events
}

fn changes(before: &Published, after: &Published, mut add: impl FnMut(Level, String)) {
    let is_restarted = (before.pid, before.started_ns) != (after.pid, after.started_ns);
    if is_restarted {
        let text = format!("the daemon was restarted: process {}", after.pid);
        add(Level::Notice, text);
    }
    if before.status != after.status {
        let text = format!("{} -> {}", before.status, state(after));
        add(level_of(after), text);
    } else if before.reason != after.reason {
        let text = format!("{}: {} -> {}", after.status, before.reason, after.reason);
        add(level_of(after).max(Level::Notice), text);
    } else if before.failure != after.failure {
        if after.failure == shm_layout::Reason::Tracking {
            add(Level::Notice, "reports are usable again".to_owned());
        } else {
            let text = format!("reports are not usable: {}", after.failure);
            add(Level::Notice, text);
        }
    }
    if before.source != after.source {
        let name = |source: &str| match source {
            "" => "none".to_owned(),
            source => source.to_owned(),
        };
        let text = format!("source {} -> {}", name(&before.source), name(&after.source));
        add(Level::Notice, text);
    }
    let counts = before.counters.iter().zip(&after.counters);
    for (name, (before, after)) in COUNTERS.iter().zip(counts) {
        let Some((level, text)) = meaning(name) else {
            continue;
        };
        let base = if is_restarted { 0 } else { *before };
        match after.saturating_sub(base) {
            0 => {}
            1 => add(level, text.to_owned()),
            count => add(level, format!("{text} ({count} times)")),
        }
    }
    match (before.is_drill, after.is_drill) {
        (false, true) => add(Level::Notice, "a drill began".to_owned()),
        (true, false) => add(Level::Notice, "the drill ended".to_owned()),
        _ => {}
    }
    match (before.is_simulated, after.is_simulated) {
        (false, true) => add(Level::Notice, "the record is simulated".to_owned()),
        (true, false) => add(Level::Notice, "the record is not simulated".to_owned()),
        _ => {}
    }
}

/// What an increase of a counter means; `None` if it is not an event.
fn meaning(counter: &str) -> Option<(Level, &'static str)> {
    Some(match counter {
        "contradictions" => (
            Level::Bad,
            "a measurement is disjoint from the held interval",
        ),
        "disagreements" => (
            Level::Warning,
            "most sources disagree with the selected one",
        ),
        "drift_exceeded" => (Level::Bad, "measured rates contradict --max-drift-rate"),
        "wander_exceeded" => (Level::Bad, "measured rates contradict --max-wander"),
        "clock_steps" => (Level::Warning, "the daemon found CLOCK_REALTIME set"),
        "clock_slews" => (Level::Notice, "another program slews CLOCK_REALTIME"),
        "disruptions" => (Level::Warning, "the clocks were disrupted"),
        "suspends" => (Level::Warning, "the machine was suspended"),
        "source_resets" => (Level::Notice, "chronyd reset its sources"),
        "chronyd_restarts" => (Level::Notice, "chronyd was restarted"),
        "actor_restarts" => (Level::Warning, "the daemon restarted an actor"),
        _ => return None,
    })
}

/// Status and reason: `free_running (chrony_silent)`.
pub fn state(published: &Published) -> String {
    format!("{} ({})", published.status, published.reason)
}

fn level_of(published: &Published) -> Level {
    use shm_layout::ClockStatus;
    match published.status {
        ClockStatus::Synchronized => Level::Good,
        ClockStatus::FreeRunning => Level::Warning,
        ClockStatus::Unknown | ClockStatus::Disrupted => Level::Bad,
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
