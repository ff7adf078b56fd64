//! The verb `now`: prints one interval.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use clockbound_client::{Interval, Layout, Reason, Status};
use serde::Serialize;

use crate::Global;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::units::{duration_ns, rfc3339};
use crate::output::{print_json, print_text};
use crate::reading::{self, Reading};

/// The arguments of `now`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How the interval is written
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,
}

/// How an interval is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, with bound, status and reason
    #[default]
    Text,
    /// One JSON object, as with --json
    Json,
    /// Earliest and latest in nanoseconds since 1970
    Ns,
    /// Earliest and latest in UTC
    Rfc3339,
    /// Earliest and latest in seconds since 1970, with nine decimals
    Sec,
}

/// The interval as JSON. The ends are `null` while the status is not trusted.
#[derive(Debug, Serialize)]
struct NowJson {
    status: &'static str,
    reason: &'static str,
    is_trusted: bool,
    earliest: Option<String>,
    earliest_ns: Option<i64>,
    latest: Option<String>,
    latest_ns: Option<i64>,
    bound_ns: Option<i64>,
    layout: String,
    age_ns: i64,
    is_drill: bool,
    is_simulated: bool,
}

/// Runs the verb.
///
/// # Errors
/// [`Failure`]; the exit code is that of a critical state if nothing is claimed.
pub fn run(arguments: &Arguments, global: &Global) -> Outcome {
    let reading = reading::read(&global.directory)?;
    let (interval, reason) = (reading.interval, reading.reason());
    if global.json || arguments.format == Format::Json {
        print_json(&json(&reading))?;
    } else if let Some(line) = line(&interval, reason, reading.record.layout, arguments.format) {
        let marks = reading.marks();
        match arguments.format {
            Format::Text => print_text(&marked(&line, &marks))?,
            _ => {
                // The formats for programs have no place for it.
                if let Some(marks) = marks.strip_prefix(", ") {
                    let _ = writeln!(io::stderr(), "clockboundctl: {marks}");
                }
                print_text(&line)?;
            }
        }
    } else {
        let (status, exit) = (interval.status(), Exit::Critical);
        let message = format!("the clock status is {status}, {reason}: nothing is claimed");
        return Err(Failure::Other(exit, message));
    }
    Ok(exit_of(interval.status()))
}

fn exit_of(status: Status) -> Exit {
    if status.is_trusted() {
        Exit::Success
    } else {
        Exit::Critical
    }
}

/// The line of an interval; `None` in a format that cannot say that nothing is claimed.
fn line(interval: &Interval, reason: Reason, layout: Layout, format: Format) -> Option<String> {
    let ends = [interval.earliest_ns(), interval.latest_ns()];
    let status = interval.status();
    let pair = |text: fn(i64) -> String| format!("{} {}\n", text(ends[0]), text(ends[1]));
    match format {
        Format::Text if status.is_trusted() => Some(format!(
            "{} .. {}, bound {}, {status} ({reason}), {layout}\n",
            rfc3339(ends[0]),
            rfc3339(ends[1]),
            duration_ns(interval.bound_ns()),
        )),
        Format::Text | Format::Json => Some(format!("{status} ({reason}): nothing is claimed\n")),
        _ if !status.is_trusted() => None,
        Format::Ns => Some(pair(|ns| ns.to_string())),
        Format::Rfc3339 => Some(pair(rfc3339)),
        Format::Sec => Some(pair(seconds)),
    }
}

/// The line with these marks at its end.
fn marked(line: &str, marks: &str) -> String {
    format!("{}{marks}\n", line.trim_end())
}

/// An instant in seconds since 1970, exactly.
fn seconds(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    format!("{sign}{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
}

fn json(reading: &Reading) -> NowJson {
    let interval = reading.interval;
    let trusted = |value: i64| interval.status().is_trusted().then_some(value);
    NowJson {
        status: interval.status().as_str(),
        reason: reading.reason().as_str(),
        is_trusted: interval.status().is_trusted(),
        earliest: trusted(interval.earliest_ns()).map(rfc3339),
        earliest_ns: trusted(interval.earliest_ns()),
        latest: trusted(interval.latest_ns()).map(rfc3339),
        latest_ns: trusted(interval.latest_ns()),
        bound_ns: trusted(interval.bound_ns()),
        layout: reading.record.layout.to_string(),
        age_ns: reading.record.age_ns,
        is_drill: reading.is_drill(),
        is_simulated: reading.is_simulated(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::marks;

    const EARLIEST_NS: i64 = 1_795_550_399_999_650_000;

    fn interval(status: Status) -> Interval {
        let latest_ns = EARLIEST_NS + 800_000;
        Interval::new(EARLIEST_NS, latest_ns, status, Reason::Tracking).expect("in order")
    }

    fn written(status: Status, format: Format) -> Option<String> {
        line(
            &interval(status),
            Reason::ChronySilent,
            Layout::Native,
            format,
        )
    }

    #[test]
    fn each_format_has_both_ends() {
        for (format, text) in [
            (
                Format::Text,
                "2026-11-24T19:59:59.999650000Z .. 2026-11-24T20:00:00.000450000Z, bound 400 us, \
                 free_running (chrony_silent), native\n",
            ),
            (Format::Ns, "1795550399999650000 1795550400000450000\n"),
            (
                Format::Rfc3339,
                "2026-11-24T19:59:59.999650000Z 2026-11-24T20:00:00.000450000Z\n",
            ),
            (Format::Sec, "1795550399.999650000 1795550400.000450000\n"),
        ] {
            let line = written(Status::FreeRunning, format);
            assert_eq!(line.as_deref(), Some(text), "{format:?}");
        }
        let line = written(Status::FreeRunning, Format::Text).expect("a line");
        let marked = marked(&line, &marks(true, true));
        assert!(marked.ends_with("native, SIMULATED, DRILL\n"), "{marked}");
        assert_eq!(seconds(-1), "-0.000000001");
        assert_eq!(seconds(i64::MIN), "-9223372036.854775808");
    }

    #[test]
    fn no_format_shows_the_ends_of_an_interval_that_claims_nothing() {
        for status in [Status::Unknown, Status::Disrupted] {
            let text = written(status, Format::Text).expect("a line");
            assert!(
                text.contains("nothing is claimed") && !text.contains("2026"),
                "{text}"
            );
            for format in [Format::Ns, Format::Rfc3339, Format::Sec] {
                assert_eq!(written(status, format), None, "{format:?}");
            }
            assert_eq!(exit_of(status), Exit::Critical);
        }
    }
}
