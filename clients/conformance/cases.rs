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
    pub expect: Value,
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
        environment: environment(&case["surroundings"]),
        expect: case["expect"].clone(),
    };
    cases.into_iter().map(case).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn environment(value: &Value) -> Environment {
    let number = |field: &str| value[field].as_i64().expect("a number");
    let boot_id = text(&value["boot_id"]);
    let byte = |n: usize| u8::from_str_radix(&boot_id[2 * n..2 * n + 2], 16).expect("a digit");
    Environment {
        realtime_ns: number("realtime_ns"),
        monotonic_coarse_ns: number("monotonic_coarse_ns"),
        monotonic_raw_ns: number("monotonic_raw_ns"),
        boot_id: std::array::from_fn(byte),
        namespace_offset_ns: number("namespace_offset_ns"),
    }
}
