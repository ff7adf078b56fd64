//! Sums up the rows of a recording, in memory that does not grow with their number.

use std::collections::{BTreeMap, BTreeSet};

use clockbound_client::diagnostics::BUDGET_TERMS;
use shm_layout::{ClockStatus, Reason};

use super::columns::Columns;
use super::histogram::Histogram;
use crate::record::event::{self, Elapsed, Event};
use crate::record::row::{Published, Row};

/// Nanoseconds of a day.
pub const DAY_NS: i64 = 86_400_000_000_000;
/// Nanoseconds of a minute.
pub const MINUTE_NS: i64 = 60_000_000_000;
const WORST_MINUTES: usize = 10;
const MAX_EVENTS: usize = 500;
const MAX_SOURCES: usize = 64;
/// A gap that a wrong clock makes is not split into days without limit.
const MAX_DAYS: usize = 4_000;

/// What is known at an instant; the later one is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The status is synchronized.
    Synchronized,
    /// It is free running.
    FreeRunning,
    /// It is unknown.
    Unknown,
    /// It is disrupted.
    Disrupted,
    /// Nothing could be read, or rows are missing.
    NoData,
}

impl State {
    /// Every state.
    pub const ALL: [State; 5] = [
        State::Synchronized,
        State::FreeRunning,
        State::Unknown,
        State::Disrupted,
        State::NoData,
    ];

    /// That of a row.
    pub fn of(row: &Row) -> State {
        let status = row.published.as_ref().map(|published| published.status);
        match status {
            Some(ClockStatus::Synchronized) => State::Synchronized,
            Some(ClockStatus::FreeRunning) => State::FreeRunning,
            Some(ClockStatus::Unknown) => State::Unknown,
            Some(ClockStatus::Disrupted) => State::Disrupted,
            None => State::NoData,
        }
    }

    /// Whether the interval contains true time.
    pub fn is_trusted(self) -> bool {
        matches!(self, State::Synchronized | State::FreeRunning)
    }

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Synchronized => "synchronized",
            State::FreeRunning => "free_running",
            State::Unknown => "unknown",
            State::Disrupted => "disrupted",
            State::NoData => "no_data",
        }
    }
}

/// How long each state lasted, ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations([i64; State::ALL.len()]);

impl Durations {
    fn add(&mut self, state: State, ns: i64) {
        let sum = &mut self.0[state as usize];
        *sum = sum.saturating_add(ns);
    }

    /// How long the state lasted.
    pub fn of(&self, state: State) -> i64 {
        self.0[state as usize]
    }

    /// The sum.
    pub fn total(&self) -> i64 {
        self.0.iter().fold(0, |sum, ns| sum.saturating_add(*ns))
    }

    /// How long rows were there and nothing was claimed.
    pub fn untrusted(&self) -> i64 {
        self.of(State::Unknown)
            .saturating_add(self.of(State::Disrupted))
    }
}

/// A value and when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extreme {
    /// The value, ns.
    pub ns: i64,
    /// `CLOCK_REALTIME` then, ns since 1970.
    pub unix_ns: i64,
}

/// Keeps the value with the greater magnitude.
fn keep_larger(kept: &mut Option<Extreme>, ns: i64, unix_ns: i64) {
    let is_larger = |kept: &Extreme| ns.saturating_abs() > kept.ns.saturating_abs();
    if kept.as_ref().is_none_or(is_larger) {
        *kept = Some(Extreme { ns, unix_ns });
    }
}

/// What a day, or the whole recording, adds up to.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// The rows.
    pub rows: u64,
    /// Those without data.
    pub unreadable_rows: u64,
    /// How long each state lasted.
    pub durations: Durations,
    /// How often trust was lost.
    pub untrusted_spans: u64,
    /// How often data were missing.
    pub gaps: u64,
    /// The largest bound.
    pub bound: Option<Extreme>,
    /// The interval's midpoint minus `CLOCK_REALTIME`, where that is largest.
    pub divergence: Option<Extreme>,
    /// The largest error that `CLOCK_REALTIME` can have had.
    pub realtime_error: Option<Extreme>,
}

/// A minute with a large bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorstMinute {
    /// Its largest bound.
    pub bound: Extreme,
    /// The status then.
    pub status: ClockStatus,
    /// The reason then.
    pub reason: Reason,
    /// The largest component then: its index in [`BUDGET_TERMS`], and its value in ns.
    pub component: (usize, i64),
}

/// The rows of a recording, summed up.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The files.
    pub files: u64,
    /// Lines that are no rows.
    pub malformed_lines: u64,
    /// The least and the greatest `CLOCK_REALTIME` of the rows.
    pub range_ns: Option<(i64, i64)>,
    /// The totals of all rows.
    pub totals: Totals,
    /// Those of each day, by days since 1970.
    pub days: BTreeMap<i64, Totals>,
    /// The bounds.
    pub bounds: Histogram,
    /// The events, not more than some hundreds.
    pub events: Vec<Event>,
    /// The events that there was no room for.
    pub omitted_events: u64,
    /// Rows that are earlier than the row before.
    pub rows_out_of_order: u64,
    /// Columns of the charts.
    pub columns: Columns,
    /// The sources, with the number of their rows.
    pub sources: BTreeMap<String, u64>,
    /// The versions of the daemon.
    pub versions: BTreeSet<[u16; 3]>,
    /// The values of `--max-drift-rate`, parts per billion.
    pub max_drift_ppb: BTreeSet<u32>,
    /// The values of `--falsetickers`.
    pub falsetickers: BTreeSet<u8>,
    /// Rows during a drill.
    pub drill_rows: u64,
    /// Rows that a program wrote for a test.
    pub simulated_rows: u64,
    worst: BTreeMap<i64, WorstMinute>,
    previous: Option<Box<Row>>,
}

impl Summary {
    /// Adds a row.
    pub fn add(&mut self, row: Box<Row>) {
        let (least, greatest) = self.range_ns.unwrap_or((row.unix_ns, row.unix_ns));
        self.range_ns = Some((least.min(row.unix_ns), greatest.max(row.unix_ns)));
        if let Some(previous) = self.previous.take() {
            self.add_time(&previous, &row);
            self.add_events(event::between(&previous, &row));
        } else {
            self.begin(State::of(&row), row.unix_ns);
        }
        self.add_values(&row);
        self.columns.add(&row);
        self.previous = Some(row);
    }

    /// The minutes with the largest bounds, the largest first.
    pub fn worst_minutes(&self) -> Vec<&WorstMinute> {
        let mut minutes: Vec<&WorstMinute> = self.worst.values().collect();
        minutes.sort_by_key(|minute| (-minute.bound.ns, minute.bound.unix_ns));
        minutes
    }

    fn each_totals(&mut self, unix_ns: i64, mut change: impl FnMut(&mut Totals)) {
        change(&mut self.totals);
        change(self.days.entry(unix_ns.div_euclid(DAY_NS)).or_default());
    }

    /// Counts a span that begins without trust or without data.
    fn begin(&mut self, state: State, unix_ns: i64) {
        self.each_totals(unix_ns, |totals| match state {
            State::NoData => totals.gaps += 1,
            State::Unknown | State::Disrupted => totals.untrusted_spans += 1,
            State::Synchronized | State::FreeRunning => {}
        });
    }

    fn add_time(&mut self, before: &Row, after: &Row) {
        let states = (State::of(before), State::of(after));
        match Elapsed::between(before, after) {
            Elapsed::Next { ns, .. } => {
                self.each_totals(before.unix_ns, |totals| totals.durations.add(states.0, ns));
                let kind = |state: State| (state == State::NoData, state.is_trusted());
                if kind(states.0) != kind(states.1) {
                    self.begin(states.1, after.unix_ns);
                }
            }
            Elapsed::Gap { ns } => {
                self.begin(State::NoData, before.unix_ns);
                if states.1 != State::NoData {
                    self.begin(states.1, after.unix_ns);
                }
                self.add_gap(before.unix_ns, ns);
            }
            Elapsed::OutOfOrder => self.rows_out_of_order += 1,
        }
    }

    fn add_gap(&mut self, from_ns: i64, ns: i64) {
        self.totals.durations.add(State::NoData, ns);
        let mut from_ns = from_ns;
        let end_ns = from_ns.saturating_add(ns);
        while from_ns < end_ns && self.days.len() < MAX_DAYS {
            let day = from_ns.div_euclid(DAY_NS);
            let day_end_ns = (day + 1).saturating_mul(DAY_NS).min(end_ns);
            let totals = self.days.entry(day).or_default();
            totals.durations.add(State::NoData, day_end_ns - from_ns);
            from_ns = day_end_ns;
        }
    }

    fn add_events(&mut self, events: Vec<Event>) {
        for event in events {
            if self.events.len() < MAX_EVENTS {
                self.events.push(event);
            } else {
                self.omitted_events += 1;
            }
        }
    }

    fn add_values(&mut self, row: &Row) {
        let unix_ns = row.unix_ns;
        let is_unreadable = row.published.is_none();
        self.each_totals(unix_ns, |totals| {
            totals.rows += 1;
            totals.unreadable_rows += u64::from(is_unreadable);
        });
        let Some(published) = &row.published else {
            return;
        };
        self.add_settings(published);
        let Some(claim) = &published.claim else {
            return;
        };
        let bound_ns = claim.bound_ns();
        self.bounds.add(bound_ns);
        self.each_totals(unix_ns, |totals| {
            keep_larger(&mut totals.bound, bound_ns, unix_ns);
            keep_larger(
                &mut totals.divergence,
                claim.divergence_ns(unix_ns),
                unix_ns,
            );
            let error_ns = claim.realtime_error_ns(unix_ns);
            keep_larger(&mut totals.realtime_error, error_ns, unix_ns);
        });
        self.add_to_worst(published, bound_ns, &claim.components_ns, unix_ns);
    }

    fn add_settings(&mut self, published: &Published) {
        self.versions.insert(published.version);
        self.max_drift_ppb.insert(published.max_drift_ppb);
        self.falsetickers.insert(published.falsetickers);
        self.drill_rows += u64::from(published.is_drill);
        self.simulated_rows += u64::from(published.is_simulated);
        if published.source.is_empty() {
            return;
        }
        if let Some(rows) = self.sources.get_mut(&published.source) {
            *rows += 1;
        } else if self.sources.len() < MAX_SOURCES {
            self.sources.insert(published.source.clone(), 1);
        }
    }

    fn add_to_worst(
        &mut self,
        published: &Published,
        bound_ns: i64,
        components_ns: &[i64; BUDGET_TERMS.len()],
        unix_ns: i64,
    ) {
        let minute = unix_ns.div_euclid(MINUTE_NS);
        let is_larger = |kept: &WorstMinute| bound_ns > kept.bound.ns;
        let enters = match self.worst.get(&minute) {
            Some(kept) => is_larger(kept),
            None if self.worst.len() < WORST_MINUTES => true,
            None => self.worst.values().any(is_larger),
        };
        if !enters {
            return;
        }
        let components = components_ns.iter().copied().enumerate();
        let component = components.max_by_key(|(_, ns)| *ns).unwrap_or((0, 0));
        self.worst.insert(
            minute,
            WorstMinute {
                bound: Extreme {
                    ns: bound_ns,
                    unix_ns,
                },
                status: published.status,
                reason: published.reason,
                component,
            },
        );
        if self.worst.len() > WORST_MINUTES {
            let least = self.worst.iter().min_by_key(|(_, kept)| kept.bound.ns);
            if let Some(least) = least.map(|(minute, _)| *minute) {
                self.worst.remove(&least);
            }
        }
    }
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
