//! Reads every golden segment of `clients/conformance` with the built library.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{S, TestDirectory, VmClockPage, output_of};
use serde_json::{Value, json};

/// Statuses by their numbers.
const STATUSES: [&str; 4] = ["unknown", "synchronized", "free_running", "disrupted"];
/// Layouts by their numbers.
const LAYOUTS: [&str; 4] = ["native", "v1", "v2", "v3"];

#[test]
fn every_golden_segment_reads_as_expected() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance");
    let cases = fs::read(golden.join("cases.json")).expect("the cases");
    let cases: Vec<Value> = serde_json::from_slice(&cases).expect("JSON");
    assert!(cases.len() > 50);
    let directory = TestDirectory::new();
    let program = directory.compile("cc", "tests/field/conformance.c", &["-std=gnu11"]);
    // A program cannot replace the instruction that reads the counter of the processor.
    let is_read = |case: &&Value| case["surroundings"]["counter"].is_null();
    for case in cases.iter().filter(is_read) {
        let surroundings = &case["surroundings"];
        write_proc(&directory, surroundings);
        let mut arguments: Vec<OsString> = vec![directory.as_ref().to_owned()];
        let clocks = ["realtime_ns", "monotonic_coarse_ns", "monotonic_raw_ns"];
        arguments.extend(clocks.map(|clock| surroundings[clock].to_string().into()));
        arguments.push(golden.join("segments").join(text(&case["segment"])).into());
        let read = |request: &[String]| {
            let mut command = Command::new(&program);
            if case["refuse_simulated"] == true {
                command.env("REFUSE_SIMULATED", "1");
            }
            output_of(command.args(&arguments).args(request))
        };
        check_interval(case, &read);
        if !case["record"].is_null() {
            let record = record(&read(&["record".to_owned(), "0".to_owned()]));
            assert_eq!(record, case["record"], "{}", case["name"]);
        }
        if !case["disruption"].is_null() {
            let disruption = disruption(&read(&["disruption".to_owned(), "0".to_owned()]));
            assert_eq!(disruption, case["disruption"], "{}", case["name"]);
        }
        if let Some(expected) = case["is_simulated"].as_bool() {
            let is_simulated = read(&["simulated".to_owned(), "0".to_owned()]);
            assert_eq!(is_simulated.trim() == "1", expected, "{}", case["name"]);
        }
    }
}

/// Writes the files that the program reads in place of those in `/proc` and `/dev`.
fn write_proc(directory: &TestDirectory, surroundings: &Value) {
    let boot_id = text(&surroundings["boot_id"]);
    fs::write(directory.path("boot_id"), boot_id).expect("written");
    let offset_ns = surroundings["namespace_offset_ns"]
        .as_i64()
        .expect("a number");
    let (seconds, ns) = (offset_ns.div_euclid(S), offset_ns.rem_euclid(S));
    let offsets = format!("monotonic {seconds} {ns}\nboottime {seconds} {ns}\n");
    fs::write(directory.path("timens_offsets"), offsets).expect("written");
    let page = directory.path("vmclock");
    match surroundings["vmclock_marker"].as_u64() {
        Some(marker) => drop(VmClockPage::new(page, marker)),
        None => drop(fs::remove_file(page)),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn check_interval(case: &Value, read: &impl Fn(&[String]) -> String) {
    let (name, expect) = (&case["name"], &case["expect"]);
    let instant = |field: &str, what: &str| {
        let ns = case[field].as_i64()?;
        Some(vec![what.to_owned(), ns.to_string()])
    };
    let mut request = instant("at_monotonic_raw_ns", "at")
        .or_else(|| instant("at_realtime_ns", "at_realtime"))
        .unwrap_or_else(|| vec!["now".to_owned(), "0".to_owned()]);
    request.extend(times(case));
    let text = read(&request);
    let words: Vec<&str> = text.split_whitespace().collect();
    if let ["error", kind] = words[..] {
        assert_eq!(error_name(kind), expect["error"], "{name}");
        return;
    }
    // `clockbound_now` returns the ends of an interval that is not trusted, too.
    let mut words = words.into_iter();
    if request[0] == "now" {
        assert_eq!(
            ends(&mut words),
            [expect["earliest_ns"].clone(), expect["latest_ns"].clone()],
            "{name}"
        );
        let status: usize = words.next().expect("a status").parse().expect("a number");
        assert_eq!(STATUSES[status], expect["status"], "{name}");
    }
    let is_trusted = ["synchronized", "free_running"]
        .map(Value::from)
        .contains(&expect["status"]);
    let expected_ends = if is_trusted {
        [expect["earliest_ns"].clone(), expect["latest_ns"].clone()]
    } else {
        [json!(i64::MIN), json!(i64::MAX)]
    };
    assert_eq!(ends(&mut words), expected_ends, "{name}");
    assert_eq!(
        words.next().map(Value::from).as_ref(),
        Some(&expect["status"]),
        "{name}"
    );
    assert_eq!(
        words.next().map(Value::from).as_ref(),
        Some(&expect["reason"]),
        "{name}"
    );
    for time in case["times"].as_array().into_iter().flatten() {
        for order in ["is_after", "is_before"] {
            assert_eq!(
                json!(words.next() == Some("1")),
                time[order],
                "{name}: {order} {time}"
            );
        }
    }
    assert_eq!(words.next(), None);
}

fn times(case: &Value) -> impl Iterator<Item = String> {
    let times = case["times"].as_array().into_iter().flatten();
    times.flat_map(|time| [time["seconds"].to_string(), time["nanoseconds"].to_string()])
}

fn ends<'a>(words: &mut impl Iterator<Item = &'a str>) -> [Value; 2] {
    std::array::from_fn(|_| number(words.next().expect("an end")))
}

fn number(word: &str) -> Value {
    json!(word.parse::<i64>().expect("a number"))
}

fn record(text: &str) -> Value {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [layout, age_ns, leap, source, valid_since_ns] = words[..] else {
        panic!("not a record: {text}");
    };
    let layout = LAYOUTS[layout.parse::<usize>().expect("a layout")];
    // Other layouts have neither.
    let native = |word: &str| {
        if layout == "native" {
            number(word)
        } else {
            Value::Null
        }
    };
    if layout != "native" {
        assert_eq!([leap, source, valid_since_ns], ["255", "0", "0"]);
    }
    json!({
        "layout": layout,
        "age_ns": number(age_ns),
        "leap": native(leap),
        "source": native(source),
        "valid_since_ns": if valid_since_ns == "0" { Value::Null } else { number(valid_since_ns) },
    })
}

fn disruption(text: &str) -> Value {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [supported, marker, soon, imminent, is_known, tai_offset_s] = words[..] else {
        panic!("no details: {text}");
    };
    let given = |is_given: &str, word| {
        if is_given == "1" {
            number(word)
        } else {
            assert_eq!(word, "0");
            Value::Null
        }
    };
    json!({
        "supported": supported == "1",
        "marker": given(supported, marker),
        "soon": soon == "1",
        "imminent": imminent == "1",
        "tai_offset_s": given(is_known, tai_offset_s),
    })
}

fn error_name(kind: &str) -> &'static str {
    match kind {
        "2" => "not_initialized",
        "3" => "malformed",
        "4" => "causality",
        "5" => "version",
        "8" => "not_known",
        "10" => "vmclock",
        "11" => "simulated",
        _ => "other",
    }
}
