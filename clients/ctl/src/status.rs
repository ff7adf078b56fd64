//! The verb `status`: status, reason and bound by component.

use std::fmt::Write;

use clap::Args;
use clockbound_client::Reason;
use clockbound_client::diagnostics::{
    self, ACTORS, BUDGET_TERMS, Diagnostics, PresentInterval, SEGMENTS,
};

use crate::Global;
use crate::exit::{Exit, Outcome};
use crate::output::diagnostics_json::{DiagnosticsJson, leap_name, version};
use crate::output::units::{
    duration_ns, ns_of, ppm, realtime_of, reference, rfc3339, signed_ns, span_ns, utc_second,
};
use crate::output::{Paint, print_json, print_text};

/// The width of a bar that is as long as the bound, in characters.
const BAR: i64 = 24;

/// The arguments of `status`.
#[derive(Debug, Args)]
pub struct Arguments {}

/// Runs the verb.
///
/// # Errors
/// [`Failure`](crate::exit::Failure).
pub fn run(_arguments: &Arguments, global: &Global) -> Outcome {
    let diagnostics = diagnostics::read(&global.directory)?;
    if global.json {
        print_json(&DiagnosticsJson::from(&diagnostics))?;
    } else {
        print_text(&text(&diagnostics, global.color.paint()))?;
    }
    Ok(Exit::Success)
}

/// A table with a heading before each line.
struct Lines {
    text: String,
    paint: Paint,
}

impl Lines {
    fn add(&mut self, heading: &str, value: &str) {
        let heading = self.paint.heading(&format!("{heading:<12}"));
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{heading} {value}");
    }
}

/// The status as text.
fn text(diagnostics: &Diagnostics, paint: Paint) -> String {
    let record = &diagnostics.record;
    let mut lines = Lines {
        text: String::new(),
        paint,
    };
    let since = |raw_ns: i64| {
        format!(
            "for {}, since {}",
            span_ns(diagnostics.now_ns.saturating_sub(raw_ns)),
            utc_second(realtime_of(diagnostics, raw_ns))
        )
    };
    let marks = [
        (record.is_simulated, "SIMULATED"),
        (record.is_drill, "DRILL"),
    ];
    for (_, mark) in marks.into_iter().filter(|(is_set, _)| *is_set) {
        lines.add(mark, "not what the daemon would publish of this clock");
    }
    let since_ns = if diagnostics.is_as_published() {
        record.reason_since_ns
    } else {
        record.as_of_ns
    };
    let status = paint.status(diagnostics.status, diagnostics.status.as_str());
    let reason = diagnostics.reason;
    lines.add(
        "status",
        &format!("{status} ({reason}) {}", since(since_ns)),
    );
    // An old failure may be over.
    let is_told = [Reason::Tracking, reason].contains(&record.failure);
    if diagnostics.is_current() && !is_told {
        let failure = format!("{} {}", record.failure, since(record.failure_since_ns));
        lines.add("reports", &failure);
    }
    let age_ns = ns_of(diagnostics.age);
    if !diagnostics.is_as_published() {
        let published = format!(
            "{} ({}), {} ago",
            record.status,
            record.reason,
            span_ns(age_ns)
        );
        lines.add("published", &published);
    }
    match diagnostics.interval() {
        Some(interval) => bound(&mut lines, diagnostics, &interval),
        None => lines.add("bound", "nothing is claimed"),
    }
    chronyd(&mut lines, diagnostics);
    daemon(&mut lines, diagnostics);
    lines.text
}

/// The interval at the present, also of an old record: what it has grown since is in `growth`.
fn bound(lines: &mut Lines, diagnostics: &Diagnostics, interval: &PresentInterval) {
    let record = &diagnostics.record;
    let half_ns = interval.bound_ns();
    let bound = format!(
        "{}, CLOCK_REALTIME within {}",
        duration_ns(half_ns),
        duration_ns(interval.realtime_error_ns(diagnostics.realtime_now_ns))
    );
    lines.add("bound", &bound);
    let terms = BUDGET_TERMS.into_iter().zip(interval.budget_ns);
    for (name, ns) in terms.filter(|(_, ns)| *ns != 0) {
        let length = i128::from(ns.unsigned_abs()) * i128::from(BAR) / i128::from(half_ns.max(1));
        let length = usize::try_from(length.min(i128::from(2 * BAR))).unwrap_or(0);
        let bar = if ns < 0 { "-" } else { "=" }.repeat(length);
        let line = format!("  {name:<18}{:>9}  {bar}", duration_ns(ns));
        lines.add("", line.trim_end());
    }
    lines.add("earliest", &rfc3339(interval.earliest_ns));
    lines.add("latest", &rfc3339(interval.latest_ns));
    let left_ns = record.void_after_ns.saturating_sub(diagnostics.now_ns);
    let holdover = format!(
        "for {} without reports, until {}",
        span_ns(left_ns),
        utc_second(realtime_of(diagnostics, record.void_after_ns))
    );
    lines.add("holdover", &holdover);
    let half_band = (i128::from(record.fastest_ppt) - i128::from(record.slowest_ppt)) / 2;
    let middle = (i128::from(record.fastest_ppt) + i128::from(record.slowest_ppt)) / 2;
    lines.add(
        "rate",
        &format!(
            "{} within {}, relative to CLOCK_MONOTONIC_RAW",
            ppm(middle),
            ppm(half_band)
        ),
    );
}

fn chronyd(lines: &mut Lines, diagnostics: &Diagnostics) {
    let record = &diagnostics.record;
    if record.protocol == 0 {
        lines.add("chronyd", "no reply yet");
        return;
    }
    let chronyd = match record.reference_id {
        0 => format!("no reference, {} sources", record.source_count),
        _ => format!(
            "reference {}, stratum {}, {} sources",
            reference(record),
            record.stratum,
            record.source_count
        ),
    };
    lines.add("chronyd", &chronyd);
    let root = format!(
        "root delay {}, root dispersion {}, correction {}",
        duration_ns(record.root_delay_ns),
        duration_ns(record.root_dispersion_ns),
        signed_ns(record.correction_ns)
    );
    lines.add("", &root);
    if !diagnostics.is_chronyd_replying() {
        let silent_ns = diagnostics.now_ns.saturating_sub(record.failure_since_ns);
        lines.add(
            "",
            &format!("as of its last reply, {} ago", span_ns(silent_ns)),
        );
    }
    if record.leap != clockbound_client::Leap::Normal {
        lines.add("leap", leap_name(record.leap));
    }
}

fn daemon(lines: &mut Lines, diagnostics: &Diagnostics) {
    let record = &diagnostics.record;
    let daemon = format!(
        "clockbound {}, process {}, started {}",
        version(record),
        record.pid,
        utc_second(realtime_of(diagnostics, record.started_ns))
    );
    lines.add("daemon", &daemon);
    let counters = record.counters;
    let reports = format!(
        "{} used, {} refused, {} unanswered, {} not permitted; {} measurements",
        counters.reports,
        counters.reports_refused,
        counters.polls_unanswered,
        counters.polls_not_permitted,
        counters.measurements
    );
    lines.add("polls", &reports);
    let published = SEGMENTS.into_iter().zip(record.publications);
    let published: Vec<&str> = published
        .filter(|(_, count)| *count > 0)
        .map(|(name, _)| name)
        .collect();
    lines.add("segments", &published.join(", "));
    let events = [
        ("status changes", counters.status_changes),
        ("contradictions", counters.contradictions),
        ("disagreements", counters.disagreements),
        ("drift rate exceeded", counters.drift_exceeded),
        ("wander exceeded", counters.wander_exceeded),
        ("clock steps", counters.clock_steps),
        ("slews by others", counters.clock_slews),
        ("disruptions", counters.disruptions),
        ("suspends", counters.suspends),
        ("source resets", counters.source_resets),
        ("chronyd restarts", counters.chronyd_restarts),
        ("files created again", counters.files_recreated),
    ];
    let restarts = ACTORS.into_iter().zip(record.restarts);
    let restarts = restarts
        .filter(|(_, count)| *count > 0)
        .map(|(actor, count)| format!("restarts of {actor} {count}"));
    let events: Vec<String> = (events.into_iter())
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .chain(restarts)
        .collect();
    if !events.is_empty() {
        lines.add("events", &events.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use clockbound_client::Status;
    use clockbound_client::diagnostics::DiagnosticsRecord;

    use super::*;
    use crate::fixture::{self, NOW_NS, S};

    #[test]
    fn a_trusted_status_is_shown_with_bound_terms_and_interval() {
        let text = text(&fixture::synchronized(), Paint::PLAIN);
        let expected = "\
status       synchronized (tracking) for 1 h 58 min, since 2026-11-24 18:01:40 UTC
bound        400 us, CLOCK_REALTIME within 450 us
               root_distance        310 us  ==================
               wire_rounding        200 ns
               sample_age          4.00 us
               clock_moved          500 ns
               clock_reading_gap    300 ns
               growth               150 us  =========
               excluded           -65.0 us  ---
earliest     2026-11-24T19:59:59.999650000Z
latest       2026-11-24T20:00:00.000450000Z
holdover     for 16 min 40 s without reports, until 2026-11-24 20:16:40 UTC
rate         -2 ppm within 50 ppm, relative to CLOCK_MONOTONIC_RAW
chronyd      reference 192.0.2.1, stratum 2, 3 sources
             root delay 500 us, root dispersion 60.0 us, correction +1.20 us
daemon       clockbound 0.3.0, process 4711, started 2026-11-24 18:00:00 UTC
polls        72000 used, 0 refused, 0 unanswered, 0 not permitted; 2250 measurements
segments     native, v2, v1
events       status changes 1
";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_interval_that_claims_nothing_is_not_shown() {
        let silent = |seconds: i64| {
            let record = fixture::synchronized_record();
            Diagnostics::at(
                record,
                NOW_NS + seconds * S,
                fixture::REALTIME_NS + seconds * S,
            )
        };
        for diagnostics in [fixture::no_claim(), silent(2_000)] {
            let text = text(&diagnostics, Paint::PLAIN);
            assert!(text.contains("nothing is claimed"), "{text}");
            assert!(!text.contains("earliest"), "{text}");
        }
        let text = text(&silent(12), Paint::PLAIN);
        assert!(
            text.contains("status       free_running (daemon_silent) for 12 s"),
            "{text}"
        );
        assert!(
            text.contains("published    synchronized (tracking), 12 s ago"),
            "{text}"
        );
        // 12 s at half the width of the rate band, 50 ppm, and the daemon's 400 us.
        for line in [
            "bound        1.00 ms, CLOCK_REALTIME within",
            "               growth               750 us",
            "earliest     2026-11-24T20:00:11.999026000Z",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn the_state_of_a_daemon_that_ended_is_marked_by_its_age() {
        for (status, reason) in [
            (Status::FreeRunning, Reason::ChronySilent),
            (Status::Unknown, Reason::NeverSynchronized),
        ] {
            let record = DiagnosticsRecord {
                status,
                reason,
                ..fixture::synchronized_record()
            };
            let (now_ns, realtime_ns) = (NOW_NS + 60 * S, fixture::REALTIME_NS + 60 * S);
            let text = text(&Diagnostics::at(record, now_ns, realtime_ns), Paint::PLAIN);
            for line in [
                format!("status       {status} (daemon_silent) for 1 min"),
                format!("published    {status} ({reason}), 1 min ago"),
            ] {
                assert!(text.contains(&line), "{line}: {text}");
            }
        }
    }

    #[test]
    fn marks_and_failures_are_shown_first() {
        let mut record = fixture::synchronized_record();
        record.is_simulated = true;
        record.is_drill = true;
        record.failure = Reason::ChronySilent;
        record.failure_since_ns = NOW_NS - S;
        let text = text(&fixture::at_present(record), Paint::PLAIN);
        assert!(text.starts_with("SIMULATED"), "{text}");
        assert!(text.contains("\nDRILL"), "{text}");
        assert!(
            text.contains("\nreports      chrony_silent for 1.0 s"),
            "{text}"
        );
        assert!(text.contains("as of its last reply, 1.0 s ago"), "{text}");
    }
}
