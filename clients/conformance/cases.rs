//! Reads `cases.json` for the tests in Rust.

use std::fs;
use std::path::{Path, PathBuf};

use clockbound_client::conformance::Environment;
use serde_json::Value;

/// A golden segment, the environment in which it is read, and the expected result.
pub struct Case {
    pub name: String,
    pub path: PathBuf,
    pub environment: Environment,
    pub instant: Instant,
    pub expect: Value,
    /// The expected details of the record, if they are tested.
    pub record: Option<Value>,
    /// The expected details about disruptions, if they are tested.
    pub disruption: Option<Value>,
    /// Whether the record is expected to be simulated, if that is tested.
    pub is_simulated: Option<bool>,
    pub times: Vec<Time>,
}

/// The instant of the interval that is read.
#[derive(Clone, Copy, Debug)]
pub enum Instant {
    Present,
    MonotonicRaw(i64),
    Realtime(i64),
}

/// A time, and whether it has certainly passed or is certainly in the future.
pub struct Time {
    pub seconds: i64,
    pub nanoseconds: u32,
    pub is_after: bool,
    pub is_before: bool,
}

/// Returns all cases.
pub fn all() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance");
    let cases = fs::read(directory.join("cases.json")).expect("the cases");
    let cases: Vec<Value> = serde_json::from_slice(&cases).expect("JSON");
    assert!(cases.len() > 50);
    let case = |case: Value| Case {
        name: text(&case["name"]).to_owned(),
        path: directory.join("segments").join(text(&case["segment"])),
        environment: Environment {
            refuse_simulated: case["refuse_simulated"] == true,
            ..environment(&case["surroundings"])
        },
        instant: match (&case["at_monotonic_raw_ns"], &case["at_realtime_ns"]) {
            (Value::Null, Value::Null) => Instant::Present,
            (raw, Value::Null) => Instant::MonotonicRaw(integer(raw)),
            (_, realtime) => Instant::Realtime(integer(realtime)),
        },
        expect: case["expect"].clone(),
        record: case.get("record").cloned(),
        disruption: case.get("disruption").cloned(),
        is_simulated: case["is_simulated"].as_bool(),
        times: case["times"]
            .as_array()
            .map_or(Vec::new(), |times| times.iter().map(time).collect()),
    };
    cases.into_iter().map(case).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn integer(value: &Value) -> i64 {
    value.as_i64().expect("a number")
}

fn time(value: &Value) -> Time {
    let flag = |field: &str| value[field].as_bool().expect("true or false");
    Time {
        seconds: integer(&value["seconds"]),
        nanoseconds: integer(&value["nanoseconds"])
            .try_into()
            .expect("below 1e9"),
        is_after: flag("is_after"),
        is_before: flag("is_before"),
    }
}

fn environment(value: &Value) -> Environment {
    let number = |field: &str| integer(&value[field]);
    let unsigned = |field: &str| value.get(field).map(|it| it.as_u64().expect("a number"));
    let boot_id = text(&value["boot_id"]);
    let byte = |n: usize| u8::from_str_radix(&boot_id[2 * n..2 * n + 2], 16).expect("a digit");
    Environment {
        realtime_ns: number("realtime_ns"),
        monotonic_coarse_ns: number("monotonic_coarse_ns"),
        monotonic_raw_ns: number("monotonic_raw_ns"),
        boot_id: std::array::from_fn(byte),
        namespace_offset_ns: number("namespace_offset_ns"),
        vmclock_marker: unsigned("vmclock_marker"),
        counter: unsigned("counter"),
        refuse_simulated: false,
    }
}
