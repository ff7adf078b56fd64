//! The verb `sources`: chronyd's sources, each with its own interval drawn against the published
//! one.

use std::fmt::Write;

use clap::Args;
use clockbound_client::Status;
use clockbound_client::diagnostics::{self, Diagnostics, Source, SourceState};
use serde::Serialize;

use crate::Global;
use crate::exit::{Exit, Outcome};
use crate::output::diagnostics_json::{IntervalJson, SourceJson, bound_ns};
use crate::output::units::{
    duration_ns, ns_of, poll_interval, rfc3339, signed_ns, source_address, span_ns,
};
use crate::output::{Paint, print_json, print_text};
use crate::reading::marks;

/// The width of the drawing, in characters: odd, so that there is a middle.
const COLUMNS: usize = 35;
/// The drawing shows at most this many times the width of the published interval.
const MOST_WIDTHS: i128 = 8;

/// The arguments of `sources`.
#[derive(Debug, Args)]
pub struct Arguments {}

/// The sources as JSON.
#[derive(Debug, Serialize)]
struct SourcesJson {
    status: &'static str,
    reason: &'static str,
    as_of: String,
    as_of_ns: i64,
    age_ns: i64,
    is_current: bool,
    is_drill: bool,
    is_simulated: bool,
    interval: Option<IntervalJson>,
    source_count: u32,
    sources: Vec<SourceJson>,
}

/// Runs the verb.
///
/// # Errors
/// [`Failure`](crate::exit::Failure).
pub fn run(_arguments: &Arguments, global: &Global) -> Outcome {
    let diagnostics = diagnostics::read(&global.directory)?;
    if global.json {
        print_json(&json(&diagnostics))?;
    } else {
        print_text(&text(&diagnostics, global.color.paint()))?;
    }
    Ok(Exit::Success)
}

fn json(diagnostics: &Diagnostics) -> SourcesJson {
    let record = &diagnostics.record;
    SourcesJson {
        status: diagnostics.status.as_str(),
        reason: diagnostics.reason.as_str(),
        as_of: rfc3339(record.realtime_ns),
        as_of_ns: record.realtime_ns,
        age_ns: ns_of(diagnostics.age),
        is_current: diagnostics.is_current(),
        is_drill: record.is_drill,
        is_simulated: record.is_simulated,
        interval: IntervalJson::of(diagnostics),
        source_count: record.source_count,
        sources: (record.sources.iter())
            .map(|source| SourceJson::new(source, diagnostics))
            .collect(),
    }
}

/// The sources as text.
fn text(diagnostics: &Diagnostics, paint: Paint) -> String {
    let record = &diagnostics.record;
    let mut text = state(diagnostics, paint);
    if record.sources.is_empty() {
        text += "chronyd has no sources, or has not reported them yet\n";
        return text;
    }
    let published = (diagnostics.interval()).map(|_| (record.earliest_ns, record.latest_ns));
    let own = record.sources.iter().filter_map(|source| source.own_ns);
    let axis = Axis::of(published, own);
    let names: Vec<String> = (record.sources.iter())
        .map(|source| source_address(source.address))
        .collect();
    let longest = names.iter().map(String::len).max().unwrap_or(0).max(9);
    let heading = format!(
        "  {:<longest$} {:>6} {:>5} {:>8} {:>8}",
        "source", "poll", "reach", "age", "bound"
    );
    let heading = match axis {
        Some(axis) => format!("{heading} {}", axis.labels()),
        None => heading,
    };
    // Writing to a string does not fail.
    let _ = writeln!(text, "{}", paint.heading(heading.trim_end()));
    let empty = "";
    if let (Some((earliest_ns, latest_ns)), Some(axis)) = (published, axis) {
        let bar = axis.bar(earliest_ns, latest_ns, '=');
        let line = format!(
            "  {:<longest$} {empty:>6} {empty:>5} {empty:>8} {:>8} {}",
            "published",
            duration_ns(bound_ns(earliest_ns, latest_ns)),
            paint.status(record.status, &bar),
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for (source, name) in record.sources.iter().zip(&names) {
        let age = match source.measured_ns {
            0 => "-".to_owned(),
            measured_ns => span_ns(diagnostics.now_ns.saturating_sub(measured_ns)),
        };
        let (bound, bar) = match (source.own_ns, axis) {
            (Some((earliest_ns, latest_ns)), Some(axis)) => (
                duration_ns(bound_ns(earliest_ns, latest_ns)),
                axis.bar(earliest_ns, latest_ns, '-'),
            ),
            _ => ("-".to_owned(), String::new()),
        };
        let line = format!(
            "{} {name:<longest$} {:>6} {:>5o} {age:>8} {bound:>8} {bar}",
            flag(source),
            poll_interval(source.poll),
            source.reachability,
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let left_out = usize::try_from(record.source_count)
        .unwrap_or(usize::MAX)
        .saturating_sub(record.sources.len());
    if left_out > 0 {
        let _ = writeln!(
            text,
            "  and {left_out} more, which the diagnostics have no room for"
        );
    }
    let legend = "* followed, + combined, - not combined, x disjoint, ~ variable, ? unusable";
    let _ = writeln!(text, "{}", paint.faint(legend));
    text
}

/// A line with the status, unless the record is a recent one of a synchronized clock.
fn state(diagnostics: &Diagnostics, paint: Paint) -> String {
    let record = &diagnostics.record;
    let marks = marks(record.is_simulated, record.is_drill);
    let is_usual = diagnostics.status == Status::Synchronized
        && diagnostics.is_current()
        && diagnostics.is_chronyd_replying();
    if is_usual && marks.is_empty() {
        return String::new();
    }
    let status = paint.status(diagnostics.status, diagnostics.status.as_str());
    let age = if !diagnostics.is_current() {
        format!(", as of {} ago", span_ns(ns_of(diagnostics.age)))
    } else if !diagnostics.is_chronyd_replying() {
        let silent_ns = diagnostics.now_ns.saturating_sub(record.failure_since_ns);
        format!(", chronyd's last reply was {} ago", span_ns(silent_ns))
    } else {
        String::new()
    };
    format!("{status} ({}){age}{marks}\n", diagnostics.reason)
}

/// The state of a source in one character, as chronyc shows it. A source whose interval is disjoint
/// from the published one is shown as a falseticker.
fn flag(source: &Source) -> char {
    match source.state {
        _ if source.is_disjoint => 'x',
        _ if source.is_followed => '*',
        SourceState::Selected => '*',
        SourceState::Nonselectable => '?',
        SourceState::Falseticker => 'x',
        SourceState::Jittery => '~',
        SourceState::Unselected => '-',
        SourceState::Selectable => '+',
    }
}

/// The time axis of the drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    /// The middle of the published interval, ns.
    middle_ns: i64,
    /// What half the drawing shows, ns; above 0.
    half_ns: i64,
}

impl Axis {
    /// An axis around the published interval that shows all others, unless they are too far away
    /// or too wide. `None` without any interval.
    fn of(published: Option<(i64, i64)>, own: impl Iterator<Item = (i64, i64)>) -> Option<Self> {
        let own: Vec<(i64, i64)> = own.collect();
        let hull = |(earliest, latest): (i64, i64), (low, high): (i64, i64)| {
            (earliest.min(low), latest.max(high))
        };
        let all = own.iter().copied().chain(published).reduce(hull)?;
        let (earliest_ns, latest_ns) = published.unwrap_or(all);
        let middle_ns = earliest_ns.midpoint(latest_ns);
        let far = (i128::from(middle_ns) - i128::from(all.0))
            .max(i128::from(all.1) - i128::from(middle_ns));
        let half_width = (i128::from(latest_ns) - i128::from(earliest_ns) + 1) / 2;
        let half_ns = far.min(half_width.max(1) * MOST_WIDTHS).max(1);
        Some(Self {
            middle_ns,
            half_ns: i64::try_from(half_ns).unwrap_or(i64::MAX),
        })
    }

    /// The column of an instant, which can be left or right of the drawing.
    fn column(self, ns: i64) -> i128 {
        let last = i128::try_from(COLUMNS - 1).unwrap_or(i128::MAX);
        let from_left = i128::from(ns) - i128::from(self.middle_ns) + i128::from(self.half_ns);
        // To the nearest column.
        (from_left * last + i128::from(self.half_ns)).div_euclid(2 * i128::from(self.half_ns))
    }

    /// An interval as text of [`COLUMNS`] characters. An arrow shows that it continues, or is, beyond
    /// the drawing.
    fn bar(self, earliest_ns: i64, latest_ns: i64, fill: char) -> String {
        let last = i128::try_from(COLUMNS - 1).unwrap_or(i128::MAX);
        let (from, to) = (self.column(earliest_ns), self.column(latest_ns));
        let (shown_from, shown_to) = (from.clamp(0, last), to.clamp(0, last));
        (0..=last)
            .map(|column| match column {
                _ if column < shown_from || column > shown_to => ' ',
                0 if from < 0 => '<',
                _ if column == last && to > last => '>',
                _ if column == shown_from && column == shown_to => '|',
                _ if column == shown_from => '[',
                _ if column == shown_to => ']',
                _ => fill,
            })
            .collect::<String>()
    }

    /// The ends and the middle of the axis, relative to the middle of the published interval.
    fn labels(self) -> String {
        let (left, right) = (signed_ns(-self.half_ns), signed_ns(self.half_ns));
        let space = COLUMNS.saturating_sub(left.len() + right.len() + 1);
        let before = (COLUMNS / 2).saturating_sub(left.len());
        let after = space.saturating_sub(before);
        format!("{left}{}0{}{right}", " ".repeat(before), " ".repeat(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn each_source_is_drawn_against_the_published_interval() {
        let text = text(&fixture::synchronized(), Paint::PLAIN);
        let expected = [
            "  source      poll reach      age    bound -1.15 ms         0         +1.15 ms",
            "  published                         400 us            [===========]",
            "* 192.0.2.1    4 s   377    3.0 s   400 us            [-----------]",
            "+ 192.0.2.2    4 s   377    5.0 s  1.15 ms [---------------------------------]",
            "? 192.0.2.3    4 s     0        -        -",
            "* followed, + combined, - not combined, x disjoint, ~ variable, ? unusable",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_labels_are_as_wide_as_the_drawing_with_zero_in_its_middle() {
        for half_ns in [1, 999, 1_150_000, 999_000_000_000] {
            let labels = Axis {
                middle_ns: 0,
                half_ns,
            }
            .labels();
            assert_eq!(labels.len(), COLUMNS, "{labels}");
            assert_eq!(labels.as_bytes()[COLUMNS / 2], b'0', "{labels}");
        }
    }

    #[test]
    fn what_is_beyond_the_drawing_is_an_arrow() {
        let axis = Axis::of(
            Some((-10, 10)),
            [(-1_000_000, 5), (900_000, 1_000_000)].into_iter(),
        );
        let axis = axis.expect("an axis");
        assert_eq!(axis.half_ns, 80);
        let wide = axis.bar(-1_000_000, 5, '-');
        assert!(
            wide.starts_with("<---") && wide.trim_end().ends_with(']'),
            "{wide}"
        );
        assert_eq!(
            axis.bar(900_000, 1_000_000, '-'),
            format!("{:>COLUMNS$}", ">")
        );
        assert_eq!(axis.bar(-1_000_000, -900_000, '-').trim_end(), "<");
        assert_eq!(axis.bar(0, 0, '-').trim(), "|");
    }

    #[test]
    fn no_interval_overflows_the_drawing() {
        let extreme = [
            (i64::MIN, i64::MAX),
            (i64::MIN, i64::MIN),
            (i64::MAX, i64::MAX),
            (0, 0),
        ];
        for published in extreme.into_iter().map(Some).chain([None]) {
            let axis = Axis::of(published, extreme.into_iter()).expect("an axis");
            for (earliest_ns, latest_ns) in extreme {
                assert_eq!(axis.bar(earliest_ns, latest_ns, '-').len(), COLUMNS);
            }
        }
        assert_eq!(Axis::of(None, [].into_iter()), None);
    }

    #[test]
    fn a_disjoint_source_is_marked_whatever_its_state() {
        let mut source = fixture::server(1);
        source.state = SourceState::Selectable;
        assert_eq!(flag(&source), '+');
        source.is_disjoint = true;
        assert_eq!(flag(&source), 'x');
    }

    #[test]
    fn an_old_record_is_marked_and_its_interval_is_not_shown_after_it_has_expired() {
        for (age_s, status, is_shown) in [
            (60, "free_running (daemon_silent), as of 1 min ago\n", true),
            (
                2_000,
                "unknown (holdover_expired), as of 33 min 20 s ago\n",
                false,
            ),
        ] {
            let (record, age_ns) = (fixture::synchronized_record(), age_s * fixture::S);
            let now_ns = fixture::NOW_NS + age_ns;
            let diagnostics = Diagnostics::at(record, now_ns, fixture::REALTIME_NS + age_ns);
            let text = text(&diagnostics, Paint::PLAIN);
            assert!(text.starts_with(status), "{text}");
            assert_eq!(text.contains("published"), is_shown, "{text}");
            assert_eq!(json(&diagnostics).interval.is_some(), is_shown);
        }
    }

    #[test]
    fn a_simulation_and_a_drill_are_marked() {
        let mut record = fixture::synchronized_record();
        (record.is_simulated, record.is_drill) = (true, true);
        let text = text(&fixture::at_present(record), Paint::PLAIN);
        assert!(
            text.starts_with("synchronized (tracking), SIMULATED, DRILL\n"),
            "{text}"
        );
    }

    #[test]
    fn sources_that_do_not_fit_are_counted() {
        let mut record = fixture::synchronized_record();
        record.source_count = 40;
        let text = text(&fixture::at_present(record), Paint::PLAIN);
        assert!(text.contains("and 37 more"), "{text}");
    }
}
