//! A row of a recording: what the daemon published at an instant, and its form as CSV.

use std::fmt::Write as _;

use clockbound_client::diagnostics::{BUDGET_TERMS, Diagnostics, DiagnosticsRecord, half_width_ns};
use shm_layout::{ClockStatus, Reason};
use thiserror::Error;

use crate::output::units::{reference, source_address};

/// The names of the counters in a row, in the order of [`Published::counters`].
pub const COUNTERS: [&str; 15] = [
    "reports",
    "reports_refused",
    "polls_unanswered",
    "measurements",
    "contradictions",
    "disagreements",
    "drift_exceeded",
    "wander_exceeded",
    "clock_steps",
    "clock_slews",
    "disruptions",
    "suspends",
    "source_resets",
    "chronyd_restarts",
    "actor_restarts",
];

/// The status of a row without data.
pub const UNREADABLE: &str = "unreadable";

const BEFORE_BUDGET: [&str; 9] = [
    "unix_time_ns",
    "monotonic_raw_ns",
    "interval_ns",
    "earliest_ns",
    "latest_ns",
    "bound_ns",
    "status",
    "reason",
    "failure",
];
const AFTER_BUDGET: [&str; 10] = [
    "divergence_ns",
    "realtime_error_ns",
    "source",
    "record_age_ns",
    "validated_age_ns",
    "max_drift_ppb",
    "falsetickers",
    "daemon_pid",
    "daemon_started_ns",
    "daemon_version",
];
/// Last, because a cut number can be a number and a cut boolean is none.
const LAST: [&str; 2] = ["is_drill", "is_simulated"];
/// More columns than any version writes.
const MAX_COLUMNS: usize = 128;

/// What was published at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `CLOCK_REALTIME` at the reading, ns since 1970.
    pub unix_ns: i64,
    /// `CLOCK_MONOTONIC_RAW` at the reading, ns.
    pub monotonic_ns: i64,
    /// The time between readings, as configured, ns.
    pub interval_ns: i64,
    /// What was published; `None` if nothing could be read.
    pub published: Option<Published>,
}

/// The published state at the instant of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The status.
    pub status: ClockStatus,
    /// Its reason.
    pub reason: Reason,
    /// Why the last reports are unusable; [`Reason::Tracking`] if they are usable.
    pub failure: Reason,
    /// The interval; `None` while the status is not trusted.
    pub claim: Option<Claim>,
    /// The source whose measurements the interval is from; empty if there is none.
    pub source: String,
    /// The age of the daemon's record, ns.
    pub record_age_ns: i64,
    /// The time since chronyd was last known to follow a source, ns.
    pub validated_age_ns: i64,
    /// `--max-drift-rate`, parts per billion.
    pub max_drift_ppb: u32,
    /// `--falsetickers`.
    pub falsetickers: u8,
    /// The daemon's process id.
    pub pid: u32,
    /// When its process started, `CLOCK_MONOTONIC_RAW`, ns.
    pub started_ns: i64,
    /// Its version.
    pub version: [u16; 3],
    /// The counters by [`COUNTERS`], since the start of the process.
    pub counters: [u64; COUNTERS.len()],
    /// A drill is in progress.
    pub is_drill: bool,
    /// A program wrote the record for a test.
    pub is_simulated: bool,
}

/// An interval that contains true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The earliest possible true time at the instant of the row, ns since 1970.
    pub earliest_ns: i64,
    /// The latest one.
    pub latest_ns: i64,
    /// What each of [`BUDGET_TERMS`] adds to half the width, ns.
    pub components_ns: [i64; BUDGET_TERMS.len()],
}

/// A line that is not a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RowError {
    /// It has another number of fields than the header: it was cut.
    #[error("it has another number of fields than the header")]
    FieldCount,
    /// A field is not of its type.
    #[error("field {0} is malformed")]
    Field(&'static str),
}

impl Claim {
    /// Half the width, rounded up, ns.
    pub fn bound_ns(&self) -> i64 {
        half_width_ns(self.earliest_ns, self.latest_ns)
    }

    /// The midpoint minus a reading of `CLOCK_REALTIME`, ns: positive when the clock is behind.
    pub fn divergence_ns(&self, unix_ns: i64) -> i64 {
        let (low, high) = self.offsets_ns(unix_ns);
        low + high.saturating_sub(low) / 2
    }

    /// The largest error of a reading of `CLOCK_REALTIME`, ns.
    pub fn realtime_error_ns(&self, unix_ns: i64) -> i64 {
        let (low, high) = self.offsets_ns(unix_ns);
        low.saturating_neg().max(high)
    }

    /// Earliest and latest, relative to a reading of `CLOCK_REALTIME`, ns.
    pub fn offsets_ns(&self, unix_ns: i64) -> (i64, i64) {
        (
            self.earliest_ns.saturating_sub(unix_ns),
            self.latest_ns.saturating_sub(unix_ns),
        )
    }
}

impl Row {
    /// The row of the diagnostics at the instant at which they were read.
    pub fn of(diagnostics: &Diagnostics, interval_ns: i64) -> Row {
        let record = &diagnostics.record;
        let now_ns = diagnostics.now_ns;
        let counters = &record.counters;
        let actor_restarts = record.restarts.iter().map(|count| u64::from(*count)).sum();
        Row {
            unix_ns: diagnostics.realtime_now_ns,
            monotonic_ns: now_ns,
            interval_ns,
            published: Some(Published {
                status: diagnostics.status,
                reason: diagnostics.reason,
                failure: record.failure,
                claim: claim(diagnostics),
                source: source_of(record),
                record_age_ns: now_ns.saturating_sub(record.as_of_ns).max(0),
                validated_age_ns: now_ns.saturating_sub(record.validated_ns).max(0),
                max_drift_ppb: record.settings.max_drift_ppb,
                falsetickers: record.settings.falsetickers,
                pid: record.pid,
                started_ns: record.started_ns,
                version: record.version,
                counters: [
                    counters.reports,
                    counters.reports_refused,
                    counters.polls_unanswered,
                    counters.measurements,
                    counters.contradictions,
                    counters.disagreements,
                    counters.drift_exceeded,
                    counters.wander_exceeded,
                    counters.clock_steps,
                    counters.clock_slews,
                    counters.disruptions,
                    counters.suspends,
                    counters.source_resets,
                    counters.chronyd_restarts,
                    actor_restarts,
                ],
                is_drill: record.is_drill,
                is_simulated: record.is_simulated,
            }),
        }
    }

    /// A row without data.
    pub fn unreadable(unix_ns: i64, monotonic_ns: i64, interval_ns: i64) -> Row {
        Row {
            unix_ns,
            monotonic_ns,
            interval_ns,
            published: None,
        }
    }

    /// The row as a line of CSV, with its line feed.
    pub fn to_line(&self) -> String {
        let mut line = String::with_capacity(512);
        self.write_line(&mut line)
            .expect("writing to a string does not fail");
        line
    }

    fn write_line(&self, line: &mut String) -> std::fmt::Result {
        let Row {
            unix_ns,
            monotonic_ns,
            interval_ns,
            published,
        } = self;
        write!(line, "{unix_ns},{monotonic_ns},{interval_ns}")?;
        let Some(published) = published else {
            let rest = column_names().count() - BEFORE_BUDGET.len() + 2;
            write!(line, ",,,,{UNREADABLE}{}", ",".repeat(rest))?;
            return line.write_char('\n');
        };
        match &published.claim {
            Some(claim) => write!(
                line,
                ",{},{},{}",
                claim.earliest_ns,
                claim.latest_ns,
                claim.bound_ns()
            )?,
            None => line.push_str(",,,"),
        }
        let Published {
            status,
            reason,
            failure,
            ..
        } = published;
        write!(line, ",{status},{reason},{failure}")?;
        match &published.claim {
            Some(claim) => {
                for component in claim.components_ns {
                    write!(line, ",{component}")?;
                }
                let divergence = claim.divergence_ns(*unix_ns);
                let error = claim.realtime_error_ns(*unix_ns);
                write!(line, ",{divergence},{error}")?;
            }
            None => line.push_str(&",".repeat(BUDGET_TERMS.len() + 2)),
        }
        let [major, minor, patch] = published.version;
        write!(
            line,
            ",{},{},{},{},{},{},{},{major}.{minor}.{patch}",
            // A reference id may contain them, and no field is quoted.
            published.source.replace([',', '"'], "_"),
            published.record_age_ns,
            published.validated_age_ns,
            published.max_drift_ppb,
            published.falsetickers,
            published.pid,
            published.started_ns,
        )?;
        for counter in published.counters {
            write!(line, ",{counter}")?;
        }
        writeln!(line, ",{},{}", published.is_drill, published.is_simulated)
    }
}

/// The interval at the instant at which the diagnostics were read.
fn claim(diagnostics: &Diagnostics) -> Option<Claim> {
    diagnostics.interval().map(|interval| Claim {
        earliest_ns: interval.earliest_ns,
        latest_ns: interval.latest_ns,
        components_ns: interval.budget_ns,
    })
}

/// The followed source, or chronyd's reference if none of the listed ones is followed.
fn source_of(record: &DiagnosticsRecord) -> String {
    match record.sources.iter().find(|source| source.is_followed) {
        Some(source) => source_address(source.address),
        None if record.reference_id != 0 => reference(record),
        None => String::new(),
    }
}

/// The names of the columns, in their order.
fn column_names() -> impl Iterator<Item = &'static str> {
    let numbers = BEFORE_BUDGET.into_iter().chain(BUDGET_TERMS);
    numbers.chain(AFTER_BUDGET).chain(COUNTERS).chain(LAST)
}

/// The first line of each file, with its line feed.
pub fn header() -> String {
    let names = column_names().map(|name| {
        if BUDGET_TERMS.contains(&name) {
            format!("{name}_ns")
        } else {
            name.to_owned()
        }
    });
    let mut line = names.collect::<Vec<_>>().join(",");
    line.push('\n');
    line
}

/// Where the columns are in a file, by its header. Columns of later versions are ignored, and those
/// that an earlier version did not write read as empty.
#[derive(Clone, Debug)]
pub struct Columns {
    count: usize,
    positions: Vec<Option<usize>>,
}

impl Columns {
    /// Reads a header; `None` if the line is not that of a recording.
    pub fn of(header_line: &str) -> Option<Columns> {
        let names: Vec<&str> = header_line.trim_end().split(',').collect();
        let ours = header();
        let positions: Vec<Option<usize>> = ours
            .trim_end()
            .split(',')
            .map(|our| names.iter().position(|name| *name == our))
            .collect();
        let has = |needed: &str| names.contains(&needed);
        let is_recording = has("unix_time_ns") && has("status") && names.len() <= MAX_COLUMNS;
        is_recording.then_some(Columns {
            count: names.len(),
            positions,
        })
    }

    /// Reads a line.
    ///
    /// # Errors
    /// The line was cut, or is malformed.
    pub fn parse(&self, line: &str) -> Result<Row, RowError> {
        let mut values = [""; MAX_COLUMNS];
        let mut count = 0;
        for value in line.trim_end_matches(['\n', '\r']).split(',') {
            *values.get_mut(count).ok_or(RowError::FieldCount)? = value;
            count += 1;
        }
        if count != self.count {
            return Err(RowError::FieldCount);
        }
        let mut fields = Fields {
            values: &values,
            positions: self.positions.iter(),
        };
        let unix_ns = fields.number("unix_time_ns")?;
        let monotonic_ns = fields.number_or("monotonic_raw_ns", 0)?;
        let interval_ns = fields.number_or("interval_ns", 1_000_000_000)?;
        let earliest_ns: Option<i64> = fields.optional("earliest_ns")?;
        let latest_ns: Option<i64> = fields.optional("latest_ns")?;
        fields.skip();
        let status = match fields.next() {
            UNREADABLE => {
                return Ok(Row::unreadable(unix_ns, monotonic_ns, interval_ns));
            }
            name => status(name).ok_or(RowError::Field("status"))?,
        };
        let reason = reason(fields.next());
        let failure = self::reason(fields.next());
        let mut components_ns = [0; BUDGET_TERMS.len()];
        for (component, name) in components_ns.iter_mut().zip(BUDGET_TERMS) {
            *component = fields.number_or(name, 0)?;
        }
        // Divergence and error follow from the interval.
        fields.skip();
        fields.skip();
        let claim = match (earliest_ns, latest_ns) {
            (Some(earliest_ns), Some(latest_ns)) if status.is_trusted() => Some(Claim {
                earliest_ns,
                latest_ns,
                components_ns,
            }),
            _ => None,
        };
        let source = fields.next().to_owned();
        let record_age_ns = fields.number_or("record_age_ns", 0)?;
        let validated_age_ns = fields.number_or("validated_age_ns", 0)?;
        let max_drift_ppb = fields.number_or("max_drift_ppb", 0)?;
        let falsetickers = fields.number_or("falsetickers", 0)?;
        let pid = fields.number_or("daemon_pid", 0)?;
        let started_ns = fields.number_or("daemon_started_ns", 0)?;
        let version = version(fields.next()).ok_or(RowError::Field("daemon_version"))?;
        let mut counters = [0; COUNTERS.len()];
        for (counter, name) in counters.iter_mut().zip(COUNTERS) {
            *counter = fields.number_or(name, 0)?;
        }
        Ok(Row {
            unix_ns,
            monotonic_ns,
            interval_ns,
            published: Some(Published {
                status,
                reason,
                failure,
                claim,
                source,
                record_age_ns,
                validated_age_ns,
                max_drift_ppb,
                falsetickers,
                pid,
                started_ns,
                version,
                counters,
                is_drill: fields.boolean("is_drill")?,
                is_simulated: fields.boolean("is_simulated")?,
            }),
        })
    }
}

/// The fields of a line, in the order of this version's columns.
struct Fields<'a, 'b> {
    values: &'b [&'a str],
    positions: std::slice::Iter<'b, Option<usize>>,
}

impl<'a> Fields<'a, '_> {
    fn next(&mut self) -> &'a str {
        let position = self.positions.next().copied().flatten();
        position.map_or("", |position| self.values[position])
    }

    fn skip(&mut self) {
        self.positions.next();
    }

    fn optional<T: std::str::FromStr>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, RowError> {
        match self.next() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| RowError::Field(name)),
        }
    }

    fn number<T: std::str::FromStr>(&mut self, name: &'static str) -> Result<T, RowError> {
        self.optional(name)?.ok_or(RowError::Field(name))
    }

    fn number_or<T: std::str::FromStr>(
        &mut self,
        name: &'static str,
        default: T,
    ) -> Result<T, RowError> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    fn boolean(&mut self, name: &'static str) -> Result<bool, RowError> {
        match self.positions.next().copied().flatten() {
            None => Ok(false),
            Some(position) => self.values[position]
                .parse()
                .map_err(|_| RowError::Field(name)),
        }
    }
}

fn status(name: &str) -> Option<ClockStatus> {
    [
        ClockStatus::Unknown,
        ClockStatus::Synchronized,
        ClockStatus::FreeRunning,
        ClockStatus::Disrupted,
    ]
    .into_iter()
    .find(|status| status.as_str() == name)
}

/// The reason of this name. One that only a later version knows is untold.
fn reason(name: &str) -> Reason {
    let known = |reason: &Reason| reason.as_str() == name;
    Reason::ALL
        .into_iter()
        .find(known)
        .unwrap_or(Reason::Untold)
}

fn version(text: &str) -> Option<[u16; 3]> {
    if text.is_empty() {
        return Some([0; 3]);
    }
    let mut parts = text.split('.').map(str::parse);
    let version = [
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next()?.ok()?,
    ];
    parts.next().is_none().then_some(version)
}

#[cfg(test)]
#[path = "row_tests.rs"]
mod tests;
