//! A report as text, for the way from one process of the rig to another: one item a line, each with
//! a keyword.
//!
//! The scenario is not part of it, since it contains functions; both processes find it by its name.

use std::fmt::Write as _;
use std::time::Duration;

use super::report::Report;
use super::scenario::Scenario;
use crate::observe::layout::Layout;
use crate::observe::reading::Status;
use crate::observe::samples::{LayoutSamples, Sample};

const STATUSES: [(Status, &str); 4] = [
    (Status::Unknown, "U"),
    (Status::Synchronized, "S"),
    (Status::FreeRunning, "F"),
    (Status::Disrupted, "D"),
];

/// Formats a report as text. Line breaks inside messages become spaces.
pub(super) fn format(report: &Report) -> String {
    let mut text = String::new();
    line(
        &mut text,
        "daemon-started",
        report.daemon_started.as_nanos(),
    );
    if let Some(at) = report.chronyd_synchronised {
        line(&mut text, "synchronised", at.as_nanos());
    }
    for at in &report.disturbed {
        line(&mut text, "disturbed", at.as_nanos());
    }
    for at in &report.slewed {
        line(&mut text, "slewed", at.as_nanos());
    }
    for at in &report.stopped {
        line(&mut text, "stopped", at.as_nanos());
    }
    for ns in &report.declared_ns {
        line(&mut text, "declared", ns);
    }
    for message in &report.daemon_log {
        line(&mut text, "daemon", message.replace('\n', " "));
    }
    for message in &report.chronyd_log {
        line(&mut text, "chronyd", message.replace('\n', " "));
    }
    for seen in &report.layouts {
        line(&mut text, "layout", seen.layout.name);
        line(&mut text, "errors", seen.errors);
        for at in &seen.violations {
            line(&mut text, "violation", at.as_nanos());
        }
        for detail in &seen.details {
            line(&mut text, "detail", detail.replace('\n', " "));
        }
        for sample in &seen.samples {
            let status = STATUSES.iter().find(|(status, _)| *status == sample.status);
            let status = status.map_or("U", |(_, word)| word);
            let (at, earliest_ns) = (sample.at.as_nanos(), sample.earliest_ns);
            let latest_ns = sample.latest_ns;
            let _ = writeln!(text, "{status} {at} {earliest_ns} {latest_ns}");
        }
    }
    text + "end \n"
}

fn line(text: &mut String, word: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{word} {value}");
}

/// Parses the report of `scenario`; `None` when the text is incomplete, or has another layout.
pub(super) fn parse(text: &str, scenario: &Scenario, layouts: &[Layout]) -> Option<Report> {
    let mut report = Report::of(scenario);
    let mut complete = false;
    for line in text.lines() {
        let (word, value) = line.split_once(' ')?;
        match word {
            "daemon-started" => report.daemon_started = instant(value)?,
            "synchronised" => report.chronyd_synchronised = Some(instant(value)?),
            "disturbed" => report.disturbed.push(instant(value)?),
            "slewed" => report.slewed.push(instant(value)?),
            "stopped" => report.stopped.push(instant(value)?),
            "declared" => report.declared_ns.push(value.parse().ok()?),
            "daemon" => report.daemon_log.push(value.to_owned()),
            "chronyd" => report.chronyd_log.push(value.to_owned()),
            "layout" => {
                let layout = layouts.iter().find(|layout| layout.name == value)?;
                report.layouts.push(LayoutSamples::of(layout));
            }
            "errors" => report.layouts.last_mut()?.errors = value.parse().ok()?,
            "violation" => report.layouts.last_mut()?.violations.push(instant(value)?),
            "detail" => report.layouts.last_mut()?.details.push(value.to_owned()),
            "end" => complete = true,
            _ => report
                .layouts
                .last_mut()?
                .samples
                .push(sample(word, value)?),
        }
    }
    complete.then_some(report)
}

fn sample(status: &str, value: &str) -> Option<Sample> {
    let (status, _) = STATUSES.iter().find(|(_, word)| *word == status)?;
    let mut words = value.split(' ');
    Some(Sample {
        at: instant(words.next()?)?,
        status: *status,
        earliest_ns: words.next()?.parse().ok()?,
        latest_ns: words.next()?.parse().ok()?,
    })
}

fn instant(ns: &str) -> Option<Duration> {
    ns.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let sample = |ms, status| Sample {
            at: Duration::from_millis(ms),
            status,
            earliest_ns: -2_000,
            latest_ns: i64::MAX,
        };
        let mut seen = LayoutSamples::of(&Layout::V1);
        seen.samples = vec![sample(1, Status::Unknown), sample(3, Status::Synchronized)];
        seen.violations = vec![Duration::from_nanos(7)];
        seen.details = vec!["torn, and late".to_owned()];
        seen.errors = 3;
        Report {
            scenario: Scenario::new("test", "a test", 1),
            daemon_started: Duration::from_micros(5),
            chronyd_synchronised: Some(Duration::from_secs(2)),
            disturbed: vec![Duration::from_secs(1), Duration::from_secs(4)],
            slewed: vec![Duration::from_secs(2)],
            stopped: vec![Duration::from_secs(3)],
            layouts: vec![seen, LayoutSamples::of(&Layout::NATIVE)],
            declared_ns: vec![2_500, 2_000],
            daemon_log: vec!["one".to_owned(), String::new()],
            chronyd_log: vec!["Selected source".to_owned()],
        }
    }

    #[test]
    fn a_report_is_unchanged_by_formatting_and_parsing() {
        let report = report();
        let layouts = [Layout::NATIVE, Layout::V1];
        let back = parse(&format(&report), &report.scenario, &layouts).expect("readable");
        let without_functions = |report: &Report| {
            let names: Vec<&str> = report.layouts.iter().map(|seen| seen.layout.name).collect();
            let seen = report.layouts.iter();
            let seen: Vec<String> = seen
                .map(|s| {
                    format!(
                        "{:?} {:?} {:?} {}",
                        s.samples, s.violations, s.details, s.errors
                    )
                })
                .collect();
            let times = (report.daemon_started, report.chronyd_synchronised);
            let logs = format!("{:?} {:?}", report.daemon_log, report.chronyd_log);
            format!(
                "{names:?} {seen:?} {times:?} {:?} {:?} {:?} {logs}",
                report.disturbed, report.slewed, report.stopped
            )
        };
        assert_eq!(without_functions(&back), without_functions(&report));
    }

    #[test]
    fn an_incomplete_transcript_is_no_report() {
        let report = report();
        let text = format(&report);
        let layouts = [Layout::NATIVE, Layout::V1];
        let cut = &text[..text.len() - "end \n".len()];
        assert!(parse(cut, &report.scenario, &layouts).is_none());
        assert!(parse(&text, &report.scenario, &layouts[..1]).is_none());
        assert!(parse("", &report.scenario, &layouts).is_none());
    }
}
