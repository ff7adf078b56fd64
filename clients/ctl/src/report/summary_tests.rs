use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::record::row::header;
use crate::record::test_rows::{REALTIME_NS, S, row_at, row_changed, row_with, unreadable_at};
use crate::report::{html, input, text};

fn summary_of(rows: impl IntoIterator<Item = Row>) -> Summary {
    let mut summary = Summary::default();
    for row in rows {
        summary.add(Box::new(row));
    }
    summary
}

/// The row with a bound of this much.
fn row_with_bound(after_ns: i64, bound_ns: i64) -> Row {
    row_changed(after_ns, |published| {
        let claim = published.claim.as_mut().expect("is trusted");
        let midpoint_ns = claim.earliest_ns + claim.bound_ns();
        claim.earliest_ns = midpoint_ns - bound_ns;
        claim.latest_ns = midpoint_ns + bound_ns;
        claim.components_ns = [0; BUDGET_TERMS.len()];
        claim.components_ns[6] = bound_ns;
    })
}

fn write(dir: &Path, name: &str, lines: &[String]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, lines.concat()).expect("writes");
    path
}

#[test]
fn each_state_is_credited_with_the_time_until_the_next_row() {
    let unknown = |after_ns| row_with(after_ns, ClockStatus::Unknown, Reason::HoldoverExpired);
    let summary = summary_of([
        row_at(0),
        row_at(S),
        unknown(2 * S),
        unknown(3 * S),
        row_with(4 * S, ClockStatus::FreeRunning, Reason::ChronySilent),
        unreadable_at(5 * S),
        row_at(6 * S),
        row_at(60 * S),
        unknown(61 * S),
    ]);
    let totals = &summary.totals;
    let seconds = State::ALL.map(|state| totals.durations.of(state) / S);
    assert_eq!(seconds, [3, 1, 2, 0, 1 + 54]);
    assert_eq!(totals.durations.total(), 61 * S);
    assert_eq!((totals.untrusted_spans, totals.gaps), (2, 2));
    assert_eq!((totals.rows, totals.unreadable_rows), (9, 1));
}

#[test]
fn extremes_have_their_instants() {
    let mut rows: Vec<Row> = (0..100).map(|second| row_at(second * S)).collect();
    rows[42] = row_with_bound(42 * S, 7_000_000);
    let totals = summary_of(rows).totals;
    let at_ns = REALTIME_NS + 42 * S;
    let extreme = |ns| Some(Extreme { ns, unix_ns: at_ns });
    assert_eq!(totals.bound, extreme(7_000_000));
    assert_eq!(totals.realtime_error, extreme(7_050_000));
}

#[test]
fn days_are_those_of_utc_and_a_gap_belongs_to_each_day_that_it_touches() {
    // The fixtures are at 20:00.
    let hour = 3600 * S;
    let summary = summary_of([
        row_at(0),
        row_at(S),
        row_at(30 * hour),
        row_at(30 * hour + S),
    ]);
    let days: Vec<(String, u64, i64)> = summary
        .days
        .iter()
        .map(|(day, totals)| {
            let missing_ns = totals.durations.of(State::NoData);
            (text::date(*day), totals.rows, missing_ns / S)
        })
        .collect();
    assert_eq!(
        days,
        [
            ("2026-11-24".to_owned(), 2, 4 * 3600 - 1),
            ("2026-11-25".to_owned(), 0, 24 * 3600),
            ("2026-11-26".to_owned(), 2, 2 * 3600),
        ]
    );
    let sentences = text::sentences(&summary.days[&(REALTIME_NS / DAY_NS)]);
    assert_eq!(
        sentences,
        "2 samples over 4 h. The clock error bound was at most 400 us (20:00:00 UTC). \
         CLOCK_REALTIME was within 450 us of UTC whenever the interval was trusted (20:00:00). The \
         largest divergence between CLOCK_REALTIME and the midpoint of the interval was 50.0 us \
         (20:00:00). The time was never untrusted. Data are missing for 3 h 59 min (1 gap)."
    );
}

#[test]
fn the_worst_minutes_are_found_whatever_the_order_of_the_rows() {
    let minutes: i64 = 40;
    let bound_ns = |minute: i64| 1_000_000 + (minute * 17 % minutes) * 1_000;
    let rows = |order: &dyn Fn(i64) -> i64| -> Vec<Row> {
        (0..minutes)
            .map(order)
            .flat_map(|minute| {
                [0, 20, 40].map(|second| {
                    let after_ns = minute * 60 * S + second * S;
                    row_with_bound(after_ns, bound_ns(minute) - second)
                })
            })
            .collect()
    };
    let mut expected: Vec<i64> = (0..minutes).map(bound_ns).collect();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    expected.truncate(WORST_MINUTES);
    for order in [&(|minute| minute) as &dyn Fn(i64) -> i64, &|minute| {
        minutes - 1 - minute
    }] {
        let summary = summary_of(rows(order));
        let worst: Vec<i64> = summary
            .worst_minutes()
            .into_iter()
            .map(|minute| minute.bound.ns)
            .collect();
        assert_eq!(worst, expected);
    }
}

#[test]
fn cut_lines_several_files_and_any_order_of_the_files_do_not_matter() {
    let dir = tempfile::tempdir().expect("a directory");
    let lines = |range: std::ops::Range<i64>| -> Vec<String> {
        let rows = range.map(|second| row_at(second * S).to_line());
        std::iter::once(header()).chain(rows).collect()
    };
    let mut first = lines(0..10);
    first.push(format!("{}\n", &row_at(10 * S).to_line()[..60]));
    first.push(row_at(11 * S).to_line());
    let mut second = lines(12..20);
    second.push(row_at(20 * S).to_line()[..33].to_owned());
    let first = write(dir.path(), "a.csv.1", &first);
    let second = write(dir.path(), "a.csv", &second);
    let empty = write(dir.path(), "b.csv", &[header()]);
    for order in [[&first, &second, &empty], [&second, &empty, &first]] {
        let summary = input::summarize(&order.map(Clone::clone)).expect("reads");
        assert_eq!(summary.totals.rows, 19);
        assert_eq!(summary.malformed_lines, 2);
        assert_eq!(summary.files, 3);
        assert_eq!(summary.rows_out_of_order, 0);
        assert_eq!(summary.totals.gaps, 0);
        assert_eq!(summary.totals.durations.total(), 19 * S);
    }
}

#[test]
fn what_is_no_recording_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in [
        ("empty", ""),
        ("other", "a,b,c\n1,2,3\n"),
        ("one-line", "no line feed"),
    ] {
        let path = write(dir.path(), name, &[text.to_owned()]);
        let err = input::summarize(&[path]).expect_err(name);
        assert!(err.to_string().contains("not the header"), "{err}");
    }
    assert!(input::summarize(&[dir.path().join("absent")]).is_err());
}

#[test]
fn binary_and_endless_lines_are_malformed_rows() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.csv");
    let mut bytes = header().into_bytes();
    bytes.extend([0xff, 0xfe, b'\n']);
    bytes.extend(vec![b','; 1 << 20]);
    bytes.push(b'\n');
    bytes.extend(row_at(0).to_line().into_bytes());
    fs::write(&path, bytes).expect("writes");
    let summary = input::summarize(&[path]).expect("reads");
    assert_eq!((summary.totals.rows, summary.malformed_lines), (1, 2));
}

#[test]
fn a_month_fits_into_a_page_of_two_megabytes() {
    let mut summary = Summary::default();
    let rows = 30 * 24 * 360;
    for number in 0..rows {
        // Every ten seconds, with an outage each hour.
        let after_ns = number * 10 * S;
        let mut row = match number % 360 {
            0..12 => row_with(
                after_ns,
                ClockStatus::FreeRunning,
                Reason::SourceUnreachable,
            ),
            12 => row_with(after_ns, ClockStatus::Unknown, Reason::HoldoverExpired),
            _ => row_with_bound(after_ns, 400_000 + number * 7_919 % 300_000),
        };
        row.interval_ns = 10 * S;
        summary.add(Box::new(row));
    }
    assert_eq!(summary.days.len(), 31);
    assert!(summary.events.len() <= MAX_EVENTS);
    assert!(summary.columns.iter().count() <= super::super::columns::MAX_COLUMNS);
    let page = html::page(&summary, "a month");
    assert!(page.len() < 2_000_000, "{}", page.len());
    assert!(summary.omitted_events > 0);
}

#[test]
fn the_page_escapes_text_and_loads_nothing() {
    let evil = "<script>alert('x')</script>\"&";
    let rows = [0, S].map(|after_ns| {
        row_changed(after_ns, |published| {
            published.source = format!("{evil}{after_ns}");
        })
    });
    let page = html::page(&summary_of(rows), evil);
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)"));
    for outside in ["http://", "https://", "src=", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn the_charts_have_no_value_that_is_no_number() {
    for rows in [
        vec![row_at(0)],
        vec![unreadable_at(0)],
        vec![row_with_bound(0, 0), row_with_bound(S, 0)],
        vec![row_with_bound(0, i64::MAX / 4), row_at(S)],
        vec![row_at(0), row_at(400 * 86_400 * S)],
        vec![row_at(400 * 86_400 * S), row_at(0)],
    ] {
        let page = html::page(&summary_of(rows), "t");
        for wrong in ["NaN", "inf"] {
            assert!(!page.contains(wrong), "{page}");
        }
    }
}

#[test]
fn a_clock_that_was_set_far_does_not_hide_the_rest() {
    let mut rows: Vec<Row> = (0..300).map(|second| row_at(second * S)).collect();
    for row in &mut rows[..10] {
        row.unix_ns -= REALTIME_NS;
    }
    let summary = summary_of(rows);
    assert_eq!(summary.columns.width_ns(), S + S * 3 / 5);
    assert_eq!(summary.totals.durations.total(), 299 * S);
    assert!(
        summary.events[0]
            .text
            .starts_with("CLOCK_REALTIME was set forward"),
        "{:?}",
        summary.events
    );
}

#[test]
fn the_text_and_the_json_have_every_part() {
    let summary = summary_of([row_at(0), row_at(S), unreadable_at(2 * S), row_at(3 * S)]);
    let text = text::text(&summary);
    for part in [
        "STATUS",
        "BOUND",
        "WORST MINUTES",
        "DAYS",
        "EVENTS",
        "PREMISES",
        "50 ppm",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = serde_json::to_value(text::Json::from(&summary)).expect("serializes");
    assert_eq!(json["rows"], 4);
    assert_eq!(json["totals"]["largest_bound"]["value_ns"], 400_000);
    assert_eq!(json["days"][0]["date"], "2026-11-24");
    assert_eq!(json["days"][0]["gaps"], 1);
    assert_eq!(json["events"][0]["level"], "bad");
    assert_eq!(json["first"]["time"], "2026-11-24T20:00:00.000000000Z");
}

/// The paths of the fields of a value, with their types.
fn shape(value: &serde_json::Value, path: &str, shape_of: &mut BTreeSet<String>) {
    use serde_json::Value;
    let mut add = |kind: &str| {
        shape_of.insert(format!("{path} {kind}"));
    };
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                shape(field, &format!("{path}.{name}"), shape_of);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                shape(element, &format!("{path}[]"), shape_of);
            }
        }
        Value::String(_) => add("string"),
        Value::Number(_) => add("number"),
        Value::Bool(_) => add("boolean"),
        Value::Null => add("null"),
    }
}

#[test]
fn the_json_keeps_its_fields_and_their_types() {
    let summary = summary_of([row_at(0), row_at(S), unreadable_at(2 * S), row_at(3 * S)]);
    let json = serde_json::to_value(text::Json::from(&summary)).expect("serializes");
    let mut fields = BTreeSet::new();
    shape(&json, "", &mut fields);
    let mut expected = BTreeSet::new();
    for name in [
        "files",
        "rows",
        "unreadable_rows",
        "malformed_lines",
        "rows_out_of_order",
        "drill_rows",
        "simulated_rows",
        "omitted_events",
        "first.time_ns",
        "last.time_ns",
        "bound_percentiles.p50_ns",
        "bound_percentiles.p90_ns",
        "bound_percentiles.p99_ns",
        "bound_percentiles.p99_9_ns",
        "worst_minutes[].bound_ns",
        "worst_minutes[].time_ns",
        "worst_minutes[].largest_component_ns",
        "events[].time_ns",
        "sources[].rows",
    ] {
        expected.insert(format!(".{name} number"));
    }
    for name in [
        "first.time",
        "last.time",
        "days[].date",
        "days[].sentences",
        "worst_minutes[].minute",
        "worst_minutes[].time",
        "worst_minutes[].status",
        "worst_minutes[].reason",
        "worst_minutes[].largest_component",
        "events[].time",
        "events[].level",
        "events[].text",
        "sources[].source",
        "premises[]",
    ] {
        expected.insert(format!(".{name} string"));
    }
    for of in ["totals", "days[]"] {
        for name in [
            "rows",
            "unreadable_rows",
            "synchronized_ns",
            "free_running_ns",
            "unknown_ns",
            "disrupted_ns",
            "no_data_ns",
            "untrusted_spans",
            "gaps",
        ] {
            expected.insert(format!(".{of}.{name} number"));
        }
        for name in [
            "largest_bound",
            "largest_divergence",
            "largest_realtime_error",
        ] {
            expected.insert(format!(".{of}.{name}.value_ns number"));
            expected.insert(format!(".{of}.{name}.time_ns number"));
            expected.insert(format!(".{of}.{name}.time string"));
        }
    }
    assert_eq!(fields, expected);
}
