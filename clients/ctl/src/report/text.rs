//! The summary as text and as JSON.

use std::fmt::Write as _;

use clockbound_client::diagnostics::BUDGET_TERMS;
use serde::Serialize;

use super::summary::{DAY_NS, Extreme, State, Summary, Totals, WorstMinute};
use crate::output::units::{duration_ns, rfc3339, span_ns, utc, utc_time};

/// The percentiles of the bound, per mille.
pub const PERCENTILES: [(&str, u64); 4] =
    [("50 %", 500), ("90 %", 900), ("99 %", 990), ("99.9 %", 999)];

/// The sentences for an auditor about a day, or about the whole recording.
pub fn sentences(totals: &Totals) -> String {
    let mut text = format!(
        "{} over {}.",
        counted(totals.rows, "sample"),
        span_ns(totals.durations.total())
    );
    let second = |extreme: &Extreme| utc(extreme.unix_ns, "%H:%M:%S");
    match (&totals.bound, &totals.realtime_error, &totals.divergence) {
        (Some(bound), Some(error), Some(divergence)) => write!(
            text,
            " The clock error bound was at most {} ({} UTC). CLOCK_REALTIME was within {} of UTC \
             whenever the interval was trusted ({}). The largest divergence between CLOCK_REALTIME \
             and the midpoint of the interval was {} ({}).",
            duration_ns(bound.ns),
            second(bound),
            duration_ns(error.ns),
            second(error),
            duration_ns(divergence.ns.saturating_abs()),
            second(divergence),
        ),
        _ => write!(text, " No interval was trusted."),
    }
    .expect("writing to a string does not fail");
    let untrusted_ns = totals.durations.untrusted();
    let lost = match totals.untrusted_spans {
        0 if untrusted_ns == 0 => " The time was never untrusted.".to_owned(),
        spans => format!(
            " The time was not trusted for {} ({}).",
            span_ns(untrusted_ns),
            counted(spans, "span")
        ),
    };
    let missing_ns = totals.durations.of(State::NoData);
    let missing = match totals.gaps {
        0 if missing_ns == 0 => " No data are missing.".to_owned(),
        gaps => format!(
            " Data are missing for {} ({}).",
            span_ns(missing_ns),
            counted(gaps, "gap")
        ),
    };
    text + &lost + &missing
}

/// A number with its noun.
pub fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(count))
}

/// A number with its digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// The date of a day, given in days since 1970.
pub fn date(day: i64) -> String {
    utc(day.saturating_mul(DAY_NS), "%Y-%m-%d")
}

/// What the numbers rest on.
pub fn premises(summary: &Summary) -> Vec<String> {
    let list = |values: Vec<String>| match values.is_empty() {
        true => "not known".to_owned(),
        false => values.join(", "),
    };
    let drift = summary.max_drift_ppb.iter().map(|ppb| ppm(*ppb)).collect();
    let falsetickers = summary.falsetickers.iter().map(u8::to_string).collect();
    let versions = summary
        .versions
        .iter()
        .map(|[major, minor, patch]| format!("{major}.{minor}.{patch}"))
        .collect();
    let mut premises = vec![
        "The interval contains UTC while the status is synchronized or free_running and the \
         premises of the daemon hold (docs/truth.md): the error that chronyd keeps of a \
         measurement covers its error, and the oscillator's rate stays within --max-drift-rate of \
         its measured mean."
            .to_owned(),
        format!(
            "--max-drift-rate: {}; --falsetickers: {}; version of the daemon: {}.",
            list(drift),
            list(falsetickers),
            list(versions)
        ),
        "The numbers are those of the rows. What happened between two rows is only in the \
         counters."
            .to_owned(),
        "Times are CLOCK_REALTIME of the recording host, shown as UTC.".to_owned(),
    ];
    let mut note = |count: u64, text: &str| {
        if count > 0 {
            premises.push(format!("{}: {text}", grouped(count)));
        }
    };
    note(
        summary.simulated_rows,
        "rows that a program wrote for a test. They say nothing of the clock.",
    );
    note(
        summary.drill_rows,
        "rows during a drill, which forces the status.",
    );
    note(
        summary.malformed_lines,
        "lines that are no rows, for example cut ones. They are not used.",
    );
    note(
        summary.rows_out_of_order,
        "rows that are earlier than the row before. Files overlap, or the host was restarted with \
         an earlier time.",
    );
    premises
}

fn ppm(ppb: u32) -> String {
    let (whole, thousandths) = (ppb / 1000, ppb % 1000);
    if thousandths == 0 {
        format!("{whole} ppm")
    } else {
        format!("{whole}.{thousandths:03} ppm")
    }
}

/// The summary as text for a terminal.
pub fn text(summary: &Summary) -> String {
    let mut text = String::new();
    write_text(&mut text, summary).expect("writing to a string does not fail");
    text
}

fn write_text(text: &mut String, summary: &Summary) -> std::fmt::Result {
    let Some((first_ns, last_ns)) = summary.range_ns else {
        return writeln!(text, "no rows");
    };
    let totals = &summary.totals;
    writeln!(
        text,
        "{} to {} UTC, {}, {} ({} unreadable)\n",
        utc_time(first_ns),
        utc_time(last_ns),
        counted(summary.files, "file"),
        counted(totals.rows, "row"),
        grouped(totals.unreadable_rows),
    )?;
    writeln!(text, "STATUS")?;
    for state in State::ALL {
        let ns = totals.durations.of(state);
        let share = percent(ns, totals.durations.total());
        writeln!(
            text,
            "  {:<14} {:>16} {share:>9}",
            state.as_str(),
            span_ns(ns)
        )?;
    }
    writeln!(text, "\nBOUND")?;
    for (name, per_mille) in PERCENTILES {
        if let Some(ns) = summary.bounds.per_mille(per_mille) {
            writeln!(text, "  {name:<14} {:>16}", duration_ns(ns))?;
        }
    }
    if let Some(bound) = &totals.bound {
        let at = utc_time(bound.unix_ns);
        writeln!(
            text,
            "  {:<14} {:>16}  {at}",
            "largest",
            duration_ns(bound.ns)
        )?;
    }
    writeln!(text, "\nWORST MINUTES")?;
    for minute in summary.worst_minutes() {
        let (component, component_ns) = minute.component;
        writeln!(
            text,
            "  {}  {:>9}  {} ({}), {} {}",
            utc(minute.bound.unix_ns, "%Y-%m-%d %H:%M"),
            duration_ns(minute.bound.ns),
            minute.status,
            minute.reason,
            BUDGET_TERMS[component],
            duration_ns(component_ns),
        )?;
    }
    writeln!(text, "\nDAYS")?;
    for (day, totals) in &summary.days {
        writeln!(text, "  {}: {}", date(*day), sentences(totals))?;
    }
    writeln!(text, "\nEVENTS")?;
    for event in &summary.events {
        writeln!(text, "  {}  {event}", utc_time(event.unix_ns))?;
    }
    if summary.omitted_events > 0 {
        writeln!(text, "  and {} more", grouped(summary.omitted_events))?;
    }
    writeln!(text, "\nPREMISES")?;
    for premise in premises(summary) {
        writeln!(text, "  {premise}")?;
    }
    Ok(())
}

/// A share, to a thousandth of a percent and rounded down, so that 100 % is all.
pub fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return "-".to_owned();
    }
    let thousandths = i128::from(part) * 100_000 / i128::from(whole);
    format!("{}.{:03} %", thousandths / 1000, thousandths % 1000)
}

/// The summary as JSON.
#[derive(Debug, Serialize)]
pub struct Json {
    files: u64,
    rows: u64,
    unreadable_rows: u64,
    malformed_lines: u64,
    rows_out_of_order: u64,
    drill_rows: u64,
    simulated_rows: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    totals: JsonTotals,
    bound_percentiles: Option<JsonPercentiles>,
    days: Vec<JsonDay>,
    worst_minutes: Vec<JsonMinute>,
    events: Vec<JsonEvent>,
    omitted_events: u64,
    sources: Vec<JsonSource>,
    premises: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Instant {
    time: String,
    time_ns: i64,
}

#[derive(Debug, Serialize)]
struct JsonExtreme {
    value_ns: i64,
    time: String,
    time_ns: i64,
}

#[derive(Debug, Serialize)]
struct JsonTotals {
    rows: u64,
    unreadable_rows: u64,
    synchronized_ns: i64,
    free_running_ns: i64,
    unknown_ns: i64,
    disrupted_ns: i64,
    no_data_ns: i64,
    untrusted_spans: u64,
    gaps: u64,
    largest_bound: Option<JsonExtreme>,
    largest_divergence: Option<JsonExtreme>,
    largest_realtime_error: Option<JsonExtreme>,
}

#[derive(Debug, Serialize)]
struct JsonPercentiles {
    p50_ns: Option<i64>,
    p90_ns: Option<i64>,
    p99_ns: Option<i64>,
    p99_9_ns: Option<i64>,
}

#[derive(Debug, Serialize)]
struct JsonDay {
    date: String,
    sentences: String,
    #[serde(flatten)]
    totals: JsonTotals,
}

#[derive(Debug, Serialize)]
struct JsonMinute {
    minute: String,
    bound_ns: i64,
    time: String,
    time_ns: i64,
    status: &'static str,
    reason: &'static str,
    largest_component: &'static str,
    largest_component_ns: i64,
}

#[derive(Debug, Serialize)]
struct JsonEvent {
    time: String,
    time_ns: i64,
    level: &'static str,
    text: String,
}

#[derive(Debug, Serialize)]
struct JsonSource {
    source: String,
    rows: u64,
}

impl From<&Extreme> for JsonExtreme {
    fn from(extreme: &Extreme) -> Self {
        Self {
            value_ns: extreme.ns,
            time: rfc3339(extreme.unix_ns),
            time_ns: extreme.unix_ns,
        }
    }
}

impl From<&Totals> for JsonTotals {
    fn from(totals: &Totals) -> Self {
        Self {
            rows: totals.rows,
            unreadable_rows: totals.unreadable_rows,
            synchronized_ns: totals.durations.of(State::Synchronized),
            free_running_ns: totals.durations.of(State::FreeRunning),
            unknown_ns: totals.durations.of(State::Unknown),
            disrupted_ns: totals.durations.of(State::Disrupted),
            no_data_ns: totals.durations.of(State::NoData),
            untrusted_spans: totals.untrusted_spans,
            gaps: totals.gaps,
            largest_bound: totals.bound.as_ref().map(JsonExtreme::from),
            largest_divergence: totals.divergence.as_ref().map(JsonExtreme::from),
            largest_realtime_error: totals.realtime_error.as_ref().map(JsonExtreme::from),
        }
    }
}

impl From<&WorstMinute> for JsonMinute {
    fn from(minute: &WorstMinute) -> Self {
        let (component, component_ns) = minute.component;
        Self {
            minute: utc(minute.bound.unix_ns, "%Y-%m-%dT%H:%MZ"),
            bound_ns: minute.bound.ns,
            time: rfc3339(minute.bound.unix_ns),
            time_ns: minute.bound.unix_ns,
            status: minute.status.as_str(),
            reason: minute.reason.as_str(),
            largest_component: BUDGET_TERMS[component],
            largest_component_ns: component_ns,
        }
    }
}

impl From<&Summary> for Json {
    fn from(summary: &Summary) -> Self {
        let instant = |time_ns| Instant {
            time: rfc3339(time_ns),
            time_ns,
        };
        let percentile = |per_mille| summary.bounds.per_mille(per_mille);
        Self {
            files: summary.files,
            rows: summary.totals.rows,
            unreadable_rows: summary.totals.unreadable_rows,
            malformed_lines: summary.malformed_lines,
            rows_out_of_order: summary.rows_out_of_order,
            drill_rows: summary.drill_rows,
            simulated_rows: summary.simulated_rows,
            first: summary.range_ns.map(|(first_ns, _)| instant(first_ns)),
            last: summary.range_ns.map(|(_, last_ns)| instant(last_ns)),
            totals: JsonTotals::from(&summary.totals),
            bound_percentiles: percentile(500).is_some().then(|| JsonPercentiles {
                p50_ns: percentile(500),
                p90_ns: percentile(900),
                p99_ns: percentile(990),
                p99_9_ns: percentile(999),
            }),
            days: summary
                .days
                .iter()
                .map(|(day, totals)| JsonDay {
                    date: date(*day),
                    sentences: sentences(totals),
                    totals: JsonTotals::from(totals),
                })
                .collect(),
            worst_minutes: summary
                .worst_minutes()
                .into_iter()
                .map(JsonMinute::from)
                .collect(),
            events: summary
                .events
                .iter()
                .map(|event| JsonEvent {
                    time: rfc3339(event.unix_ns),
                    time_ns: event.unix_ns,
                    level: event.level.as_str(),
                    text: event.text.clone(),
                })
                .collect(),
            omitted_events: summary.omitted_events,
            sources: summary
                .sources
                .iter()
                .map(|(source, rows)| JsonSource {
                    source: source.clone(),
                    rows: *rows,
                })
                .collect(),
            premises: premises(summary),
        }
    }
}
