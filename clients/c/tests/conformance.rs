//! Every golden segment of `clients/conformance`, as a C program is told of it.
#![cfg(target_endian = "little")]

use std::fs;
use std::path::Path;

use clockbound::now_given;
use clockbound_client::given::Surroundings;
use serde_json::Value;

#[test]
fn every_golden_segment_is_told_as_it_must_be() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance");
    let cases = fs::read(directory.join("cases.json")).expect("the cases");
    let cases: Vec<Value> = serde_json::from_slice(&cases).expect("JSON");
    assert!(!cases.is_empty());
    for case in cases {
        let file = case["segment"].as_str().expect("a name");
        let path = directory.join("segments").join(file);
        let (name, expect) = (&case["name"], &case["expect"]);
        match now_given(&path, &surroundings(&case["surroundings"])) {
            Ok(said) => {
                let ns = |time: libc::timespec| time.tv_sec * 1_000_000_000 + time.tv_nsec;
                assert_eq!(
                    Some(ns(said.earliest)),
                    expect["earliest_ns"].as_i64(),
                    "{name}"
                );
                assert_eq!(
                    Some(ns(said.latest)),
                    expect["latest_ns"].as_i64(),
                    "{name}"
                );
                assert!((0..1_000_000_000).contains(&said.earliest.tv_nsec));
                let status = ["unknown", "synchronized", "free_running", "disrupted"];
                let status = status[usize::try_from(said.clock_status).expect("a status")];
                assert_eq!(Some(status), expect["status"].as_str(), "{name}");
            }
            Err(kind) => {
                let kinds = [
                    "",
                    "",
                    "not_initialized",
                    "malformed",
                    "causality",
                    "version",
                ];
                let kind = kinds.get(usize::try_from(kind).expect("a kind")).copied();
                assert_eq!(kind, expect["error"].as_str(), "{name}");
            }
        }
    }
}

fn surroundings(value: &Value) -> Surroundings {
    let number = |field: &str| value[field].as_i64().expect("a number");
    let boot_id = value["boot_id"].as_str().expect("a boot id");
    let byte = |n: usize| u8::from_str_radix(&boot_id[2 * n..2 * n + 2], 16).expect("a digit");
    Surroundings {
        realtime_ns: number("realtime_ns"),
        monotonic_coarse_ns: number("monotonic_coarse_ns"),
        monotonic_raw_ns: number("monotonic_raw_ns"),
        boot_id: std::array::from_fn(byte),
        namespace_offset_ns: number("namespace_offset_ns"),
    }
}
