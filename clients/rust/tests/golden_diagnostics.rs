//! Reads every golden file of `clients/conformance/diagnostics`.
//!
//! `GOLDEN=write cargo test -p clockbound-client --test golden_diagnostics` writes the files.
#![cfg(target_endian = "little")]
#![recursion_limit = "256"]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use clockbound_client::conformance::{Environment, diagnostics_in};
use clockbound_client::diagnostics::{
    ACTORS, BUDGET_TERMS, Counters, Diagnostics, DiagnosticsError, SEGMENTS, Source, SourceAddress,
};
use clockbound_client::read_error::{HeaderError, ReadError};
use serde_json::{Value, json};

const S: i64 = 1_000_000_000;
/// 2027-01-15T08:00:00Z.
const UTC: i64 = 1_800_000_000 * S;
/// The reading of `CLOCK_MONOTONIC_RAW` when the record was written.
const AS_OF: i64 = 1_000 * S;
const BOOT: [u8; 16] = *b"\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x00";

/// The bytes of a file. They are made without the library, so that a defect of the library cannot
/// appear in both.
#[derive(Clone)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn put(mut self, offset: usize, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn numbers<const N: usize>(mut self, offset: usize, numbers: [i64; N]) -> Self {
        for (index, number) in (0..).zip(numbers) {
            self = self.put(offset + 8 * index, number.to_le_bytes());
        }
        self
    }

    fn halves<const N: usize>(mut self, offset: usize, numbers: [u32; N]) -> Self {
        for (index, number) in (0..).zip(numbers) {
            self = self.put(offset + 4 * index, number.to_le_bytes());
        }
        self
    }
}

/// The file of a daemon with two sources, in which no two fields have the same value.
fn file() -> Bytes {
    let source = |bytes: Bytes, at: usize, head: [u8; 8], numbers: [i64; 6]| {
        bytes.put(at + 16, head).numbers(at + 24, numbers)
    };
    let bytes = Bytes(vec![0; 8_192])
        .put(0, b"clkbdiag")
        .halves(8, [8_192, 1])
        .put(16, BOOT)
        .numbers(32, [0])
        .numbers(64, [2])
        .numbers(
            128,
            [
                AS_OF,
                UTC + 7,
                UTC - 66,
                UTC + 65,
                73,
                AS_OF + 5 * S,
                AS_OF + 1_000 * S,
            ],
        )
        .put(184, [1, 15, 2, 4, 0b01, 6, 3, 0])
        .numbers(192, [11, 12, 13, 14, 15].map(|seconds| seconds * S))
        .halves(232, [4_711])
        .put(236, [1, 0, 22, 0, 77, 1, 0, 0])
        .halves(244, [0xc000_0201])
        .numbers(248, [101, 102, -103])
        .halves(272, [104])
        .put(276, (-105i32).to_le_bytes())
        .numbers(280, [-1_001, 1_002, 7])
        .put(304, [1, 0b101, 2, 0, 37, 0, 0, 0])
        .halves(312, [50_000, 20, 0x5048_4330, 100_000])
        .numbers(328, [201, 202, 203])
        .put(352, [2, 1])
        .numbers(360, [16, 15, 14, 1, 2, 3, 4, 5, 6, 0, 0])
        .halves(488, [31, 32, 33, 34, 35, 36, 37, 38])
        .numbers(552, [41, 42, 43, 44])
        .numbers(
            616,
            std::array::from_fn::<_, 17, _>(|index| (51..).nth(index).unwrap_or(0)),
        )
        .halves(872, [3, 2]);
    let bytes = bytes
        .put(4_096, [192, 0, 2, 1])
        .put(4_224, b"\x20\x01\x0d\xb8");
    let bytes = bytes.put(4_239, [1]);
    let bytes = source(
        bytes,
        4_096,
        [1, 0, 0b1010, 0xfc, 2, 0xff, 0, 0],
        [990 * S, -301, 302, UTC - 303, UTC + 304, 305],
    );
    source(
        bytes,
        4_224,
        [2, 2, 0b0101, 6, 16, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    )
}

fn surroundings(age_ns: i64) -> Value {
    json!({
        "realtime_ns": UTC + age_ns,
        "monotonic_raw_ns": AS_OF + age_ns,
        "boot_id": "112233445566778899aabbccddeeff00",
        "namespace_offset_ns": 0,
    })
}

fn case(name: &str, bytes: Bytes, surroundings: Value, expect: Value) -> (Bytes, Value) {
    let case = json!({
        "name": name,
        "file": format!("{name}.bin"),
        "surroundings": surroundings,
        "expect": expect,
    });
    (bytes, case)
}

/// What the record of [`file`] is, at the age 0.
fn expected() -> Value {
    let named = |names: &[&str], numbers: &[i64]| -> Value {
        names.iter().copied().zip(numbers.iter().copied()).collect()
    };
    let counters = [
        "reports",
        "reports_refused",
        "polls_unanswered",
        "polls_not_permitted",
        "measurements",
        "contradictions",
        "disagreements",
        "drift_exceeded",
        "wander_exceeded",
        "clock_steps",
        "clock_slews",
        "disruptions",
        "suspends",
        "source_resets",
        "chronyd_restarts",
        "status_changes",
        "files_recreated",
    ];
    json!({
        "status": "synchronized",
        "reason": "contradiction",
        "age_ns": 0,
        "record": {
            "as_of_ns": AS_OF,
            "realtime_ns": UTC + 7,
            "earliest_ns": UTC - 66,
            "latest_ns": UTC + 65,
            "realtime_error_ns": 73,
            "free_running_after_ns": AS_OF + 5 * S,
            "void_after_ns": AS_OF + 1_000 * S,
            "leap": 2,
            "failure": "chrony_silent",
            "is_drill": true,
            "is_simulated": false,
            "protocol": 6,
            "stratum": 3,
            "status_since_ns": 11 * S,
            "reason_since_ns": 12 * S,
            "failure_since_ns": 13 * S,
            "validated_ns": 14 * S,
            "started_ns": 15 * S,
            "pid": 4_711,
            "version": [1, 22, 333],
            "reference_id": 0xc000_0201u32,
            "root_delay_ns": 101,
            "root_dispersion_ns": 102,
            "correction_ns": -103,
            "skew_ppb": 104,
            "frequency_ppb": -105,
            "slowest_ppt": -1_001,
            "fastest_ppt": 1_002,
            "disruption_marker": 7,
            "disruption_supported": true,
            "disruption_soon": true,
            "disruption_imminent": false,
            "host_leap": 2,
            "tai_offset_s": 37,
            "max_drift_ppb": 50_000,
            "max_wander_ppb_per_s": 20,
            "phc_reference_id": 0x5048_4330,
            "poll_interval_us": 100_000,
            "grace_ns": 201,
            "holdover_ns": 202,
            "max_bound_ns": 203,
            "falsetickers": 2,
            "allow_local_reference": true,
            "budget_ns": named(&BUDGET_TERMS, &[16, 15, 14, 1, 2, 3, 4, 5, 6, 0, 0]),
            "restarts": named(&ACTORS, &[31, 32, 33, 34, 35, 36, 37, 38]),
            "publications": named(&SEGMENTS, &[41, 42, 43, 44]),
            "counters": named(&counters, &(51..68).collect::<Vec<_>>()),
            "source_count": 3,
            "sources": [
                {
                    "address": "192.0.2.1",
                    "state": 0,
                    "is_peer": false,
                    "is_followed": true,
                    "is_disjoint": false,
                    "poll": -4,
                    "stratum": 2,
                    "reachability": 255,
                    "measured_ns": 990 * S,
                    "offset_ns": -301,
                    "offset_error_ns": 302,
                    "own_ns": [UTC - 303, UTC + 304],
                    "measurements": 305,
                },
                {
                    "address": "2001:db8::1",
                    "state": 2,
                    "is_peer": true,
                    "is_followed": false,
                    "is_disjoint": true,
                    "poll": 6,
                    "stratum": 16,
                    "reachability": 0,
                    "measured_ns": 0,
                    "offset_ns": 0,
                    "offset_error_ns": 0,
                    "own_ns": null,
                    "measurements": 0,
                },
            ],
        },
    })
}

fn with(mut value: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, to) in changes {
        *value.pointer_mut(pointer).expect("a field") = to.clone();
    }
    value
}

/// Returns the content of every file with the case that reads it.
fn golden() -> Vec<(Bytes, Value)> {
    let aged = |age_ns: i64, status: &str, reason: &str| {
        with(
            expected(),
            &[
                ("/age_ns", json!(age_ns)),
                ("/status", json!(status)),
                ("/reason", json!(reason)),
            ],
        )
    };
    let refused = |name: &str, at: usize, with: &[u8], kind: &str| {
        case(
            name,
            file().put(at, with),
            surroundings(0),
            json!({ "error": kind }),
        )
    };
    let mut ahead = surroundings(0);
    ahead["namespace_offset_ns"] = json!(-5 * S);
    ahead["monotonic_raw_ns"] = json!(AS_OF - 5 * S);
    let mut moved = expected();
    for field in [
        "as_of",
        "free_running_after",
        "void_after",
        "status_since",
        "reason_since",
        "failure_since",
        "validated",
        "started",
    ] {
        let ns = &mut moved["record"][format!("{field}_ns")];
        *ns = json!(ns.as_i64().expect("an instant") - 5 * S);
    }
    moved["record"]["sources"][0]["measured_ns"] = json!(985 * S);
    vec![
        case("published", file(), surroundings(0), expected()),
        case(
            "aged-to-free-running",
            file(),
            surroundings(5 * S),
            aged(5 * S, "free_running", "daemon_silent"),
        ),
        case(
            "aged-to-unknown",
            file(),
            surroundings(1_000 * S),
            aged(1_000 * S, "unknown", "holdover_expired"),
        ),
        case("time-namespace", file(), ahead, moved),
        case(
            "higher-revision",
            file()
                .put(14, [9])
                .put(242, [9])
                .put(440 + 8, [9; 40])
                .put(878, [9; 3_218]),
            surroundings(0),
            expected(),
        ),
        case(
            "unknown-reasons",
            file().put(185, [200, 2, 201]),
            surroundings(0),
            with(
                expected(),
                &[
                    ("/reason", json!("untold")),
                    ("/record/failure", json!("untold")),
                ],
            ),
        ),
        case(
            "simulated",
            file().put(188, [2]),
            surroundings(0),
            with(
                expected(),
                &[
                    ("/record/is_drill", json!(false)),
                    ("/record/is_simulated", json!(true)),
                ],
            ),
        ),
        refused("earlier-boot", 16, &[0], "not_initialized"),
        refused("never-written", 64, &[0], "not_initialized"),
        refused("write-in-progress", 64, &[3], "not_initialized"),
        refused("wrong-magic", 4, b"ound", "malformed"),
        refused("unsupported-version", 12, &[2], "version"),
        refused("size-exceeds-file", 8, &[0, 0x40], "malformed"),
        refused(
            "inverted-interval",
            144,
            &(UTC + 66).to_le_bytes(),
            "malformed",
        ),
        refused("undefined-status", 184, &[4], "malformed"),
        case(
            "negative-excluded",
            file().put(416, (-5_i64).to_le_bytes()),
            surroundings(0),
            with(expected(), &[("/record/budget_ns/excluded", json!(-5))]),
        ),
        refused(
            "term-out-of-range",
            360,
            &i64::MIN.to_le_bytes(),
            "malformed",
        ),
        refused("too-many-sources", 876, &[33], "malformed"),
        refused("undefined-state-of-a-source", 4_113, &[6], "malformed"),
    ]
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/diagnostics")
}

/// Returns the path and the content of every file.
fn files() -> Vec<(PathBuf, Vec<u8>)> {
    let golden = golden();
    let cases: Vec<&Value> = golden.iter().map(|(_, case)| case).collect();
    let cases = serde_json::to_string_pretty(&cases).expect("JSON") + "\n";
    let mut files = vec![(directory().join("cases.json"), cases.into_bytes())];
    let path = |case: &Value| directory().join(case["file"].as_str().expect("a name"));
    files.extend(
        golden
            .iter()
            .map(|(bytes, case)| (path(case), bytes.0.clone())),
    );
    files
}

#[test]
fn every_golden_file_is_current_and_reads_as_expected() {
    if env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        fs::create_dir_all(directory()).expect("the directory");
        for (path, bytes) in files() {
            fs::write(path, bytes).expect("written");
        }
    }
    for (path, bytes) in files() {
        let found = fs::read(&path).expect("the file exists");
        assert!(found == bytes, "{} differs from the table", path.display());
    }
    let cases = fs::read(directory().join("cases.json")).expect("the cases");
    let cases: Vec<Value> = serde_json::from_slice(&cases).expect("JSON");
    for case in cases {
        let path = directory().join(case["file"].as_str().expect("a name"));
        let read = diagnostics_in(&path, &environment(&case["surroundings"]));
        let actual = read.map_or_else(|err| json!({ "error": kind(&err) }), |it| described(&it));
        assert_eq!(actual, case["expect"], "{}", case["name"]);
    }
}

fn environment(value: &Value) -> Environment {
    let number = |field: &str| value[field].as_i64().expect("a number");
    Environment {
        realtime_ns: number("realtime_ns"),
        monotonic_coarse_ns: 0,
        monotonic_raw_ns: number("monotonic_raw_ns"),
        boot_id: BOOT,
        namespace_offset_ns: number("namespace_offset_ns"),
        // That of the record.
        vmclock_marker: Some(7),
        counter: None,
        refuse_simulated: false,
    }
}

fn kind(err: &DiagnosticsError) -> &'static str {
    match err {
        DiagnosticsError::EarlierBoot { .. } => "not_initialized",
        DiagnosticsError::Read { source, .. } => match source {
            ReadError::NotInitialized | ReadError::WriteInProgress => "not_initialized",
            ReadError::Header(HeaderError::Version { .. }) => "version",
            _ => "malformed",
        },
        _ => "other",
    }
}

fn described(it: &Diagnostics) -> Value {
    let record = &it.record;
    let named = |names: &[&str], numbers: Vec<Value>| -> Value {
        names
            .iter()
            .map(|&name| name.to_owned())
            .zip(numbers)
            .collect()
    };
    let Counters {
        reports,
        reports_refused,
        polls_unanswered,
        polls_not_permitted,
        measurements,
        contradictions,
        disagreements,
        drift_exceeded,
        wander_exceeded,
        clock_steps,
        clock_slews,
        disruptions,
        suspends,
        source_resets,
        chronyd_restarts,
        status_changes,
        files_recreated,
    } = record.counters;
    json!({
        "status": it.status.to_string(),
        "reason": it.reason.to_string(),
        "age_ns": u64::try_from(it.age.as_nanos()).expect("an age"),
        "record": {
            "as_of_ns": record.as_of_ns,
            "realtime_ns": record.realtime_ns,
            "earliest_ns": record.earliest_ns,
            "latest_ns": record.latest_ns,
            "realtime_error_ns": record.realtime_error_ns,
            "free_running_after_ns": record.free_running_after_ns,
            "void_after_ns": record.void_after_ns,
            "leap": record.leap as u8,
            "failure": record.failure.to_string(),
            "is_drill": record.is_drill,
            "is_simulated": record.is_simulated,
            "protocol": record.protocol,
            "stratum": record.stratum,
            "status_since_ns": record.status_since_ns,
            "reason_since_ns": record.reason_since_ns,
            "failure_since_ns": record.failure_since_ns,
            "validated_ns": record.validated_ns,
            "started_ns": record.started_ns,
            "pid": record.pid,
            "version": record.version,
            "reference_id": record.reference_id,
            "root_delay_ns": record.root_delay_ns,
            "root_dispersion_ns": record.root_dispersion_ns,
            "correction_ns": record.correction_ns,
            "skew_ppb": record.skew_ppb,
            "frequency_ppb": record.frequency_ppb,
            "slowest_ppt": record.slowest_ppt,
            "fastest_ppt": record.fastest_ppt,
            "disruption_marker": record.disruption.marker,
            "disruption_supported": record.disruption.supported,
            "disruption_soon": record.host.soon,
            "disruption_imminent": record.host.imminent,
            "host_leap": record.host.leap,
            "tai_offset_s": record.host.tai_offset_s,
            "max_drift_ppb": record.settings.max_drift_ppb,
            "max_wander_ppb_per_s": record.settings.max_wander_ppb_per_s,
            "phc_reference_id": record.settings.phc_reference_id,
            "poll_interval_us": record.settings.poll_interval_us,
            "grace_ns": record.settings.grace_ns,
            "holdover_ns": record.settings.holdover_ns,
            "max_bound_ns": record.settings.max_bound_ns,
            "falsetickers": record.settings.falsetickers,
            "allow_local_reference": record.settings.allow_local_reference,
            "budget_ns": named(&BUDGET_TERMS, record.budget_ns.map(Value::from).into()),
            "restarts": named(&ACTORS, record.restarts.map(Value::from).into()),
            "publications": named(&SEGMENTS, record.publications.map(Value::from).into()),
            "counters": {
                "reports": reports,
                "reports_refused": reports_refused,
                "polls_unanswered": polls_unanswered,
                "polls_not_permitted": polls_not_permitted,
                "measurements": measurements,
                "contradictions": contradictions,
                "disagreements": disagreements,
                "drift_exceeded": drift_exceeded,
                "wander_exceeded": wander_exceeded,
                "clock_steps": clock_steps,
                "clock_slews": clock_slews,
                "disruptions": disruptions,
                "suspends": suspends,
                "source_resets": source_resets,
                "chronyd_restarts": chronyd_restarts,
                "status_changes": status_changes,
                "files_recreated": files_recreated,
            },
            "source_count": record.source_count,
            "sources": record.sources.iter().map(described_source).collect::<Vec<_>>(),
        },
    })
}

fn described_source(source: &Source) -> Value {
    json!({
        "address": match source.address {
            SourceAddress::Unresolved => Value::Null,
            SourceAddress::V4(octets) => json!(std::net::Ipv4Addr::from(octets).to_string()),
            SourceAddress::V6(octets) => json!(std::net::Ipv6Addr::from(octets).to_string()),
            SourceAddress::ReferenceClock(id) => json!(id),
        },
        "state": source.state as u8,
        "is_peer": source.is_peer,
        "is_followed": source.is_followed,
        "is_disjoint": source.is_disjoint,
        "poll": source.poll,
        "stratum": source.stratum,
        "reachability": source.reachability,
        "measured_ns": source.measured_ns,
        "offset_ns": source.offset_ns,
        "offset_error_ns": source.offset_error_ns,
        "own_ns": source.own_ns.map(|(earliest_ns, latest_ns)| [earliest_ns, latest_ns]),
        "measurements": source.measurements,
    })
}
