//! Which file a client reads that was opened on a directory.

use serde_json::{Value, json};

use super::{AS_OF, Bytes, Golden, S, environment, expected, native_of_revision_2, v1, v2};

/// The time from the records to the present, if a record is of a daemon that is running.
pub const FRESH: i64 = S;
/// The same for a daemon that is not running.
pub const SILENT: i64 = 5 * S;

/// Returns a v1 or v2 segment of a daemon that is running.
pub fn live(bytes: Bytes) -> Bytes {
    bytes.i64(16, (AS_OF + SILENT - FRESH) / S)
}

/// Returns a native segment of a daemon that is running.
pub fn live_native() -> Bytes {
    native_of_revision_2()
        .i64(72, AS_OF + SILENT - FRESH)
        .i64(104, AS_OF + 2 * SILENT)
}

pub fn all() -> Vec<Golden> {
    let retired = || live_native().put(120, [0, 19, 3, 0]);
    let unknown = || live_native().put(120, [0, 1, 3, 0]);
    let of_v2 = || expect_bound(60_000, "synchronized", "untold");
    // The interval at the instant of the record is the same in all records.
    let of_native = || expected(FRESH, (1_976_563, 2_976_564), "synchronized", "tracking");
    vec![
        directory(
            "directory-prefers-native",
            [
                ("native", live_native()),
                ("shm0", live(v2())),
                ("shm", live(v1())),
            ],
            of_native(),
            "native",
        ),
        directory(
            "directory-prefers-v2-to-v1",
            [("shm0", live(v2())), ("shm", live(v1()))],
            of_v2(),
            "v2",
        ),
        directory(
            "directory-prefers-live-v2-to-dead-native",
            [("native", native_of_revision_2()), ("shm0", live(v2()))],
            of_v2(),
            "v2",
        ),
        directory(
            "directory-prefers-live-v1-to-dead-native-and-v2",
            [
                ("native", native_of_revision_2()),
                ("shm0", v2()),
                ("shm", live(v1())),
            ],
            of_v2(),
            "v1",
        ),
        directory(
            "directory-prefers-live-v2-to-retired-native",
            [("native", retired()), ("shm0", live(v2()))],
            of_v2(),
            "v2",
        ),
        // A retired segment counts as dead, however new it is, but precedes another dead one only
        // if that is not trusted.
        directory(
            "directory-prefers-dead-v2-to-retired-native",
            [("native", retired()), ("shm0", v2())],
            expect_bound(260_000, "free_running", "daemon_silent"),
            "v2",
        ),
        directory(
            "directory-prefers-trusted-v2-to-unknown-native",
            [("native", unknown()), ("shm0", live(v2()))],
            of_v2(),
            "v2",
        ),
        directory(
            "directory-prefers-live-unknown-v2-to-dead-trusted-native",
            [
                ("native", native_of_revision_2().i64(104, AS_OF + 100 * S)),
                ("shm0", live(v2()).u32(68, 0)),
            ],
            expect_bound(60_000, "unknown", "untold"),
            "v2",
        ),
        directory(
            "directory-prefers-native-of-dead-segments",
            [("native", native_of_revision_2()), ("shm0", v2())],
            expected(
                SILENT,
                (5_882_813, 6_882_814),
                "free_running",
                "daemon_silent",
            ),
            "native",
        ),
        directory(
            "directory-skips-native-of-an-earlier-boot",
            [
                ("native", live_native().put(16, [0xff; 16])),
                ("shm0", live(v2())),
            ],
            of_v2(),
            "v2",
        ),
        directory(
            "directory-skips-native-of-another-version",
            [("native", live_native().u16(12, 2)), ("shm0", live(v2()))],
            of_v2(),
            "v2",
        ),
        directory(
            "directory-skips-damaged-native",
            [
                ("native", live_native().put(0, b"CLK")),
                ("shm0", live(v2())),
            ],
            of_v2(),
            "v2",
        ),
        directory(
            "directory-skips-unfinished-native",
            [("native", live_native().i64(64, 1)), ("shm0", live(v2()))],
            of_v2(),
            "v2",
        ),
        directory(
            "directory-skips-native-with-an-invalid-record",
            [
                ("native", live_native().put(120, [9])),
                ("shm0", live(v2())),
            ],
            of_v2(),
            "v2",
        ),
        // The error is that of the first file.
        refused(
            "directory-of-an-unsupported-and-a-damaged-file",
            [
                ("native", live_native().u16(12, 2)),
                ("shm0", v2().u32(0, 0)),
            ],
            "version",
        ),
        refused(
            "directory-of-a-damaged-and-an-unsupported-file",
            [
                ("native", live_native().put(0, b"CLK")),
                ("shm", v1().u16(12, 9)),
            ],
            "malformed",
        ),
    ]
}

fn expect_bound(half: i64, status: &str, reason: &str) -> Value {
    expected(SILENT, (half, half), status, reason)
}

fn directory<const N: usize>(
    name: &str,
    files: [(&str, Bytes); N],
    expect: Value,
    layout: &str,
) -> Golden {
    let is_native = layout == "native";
    let age = if expect["reason"] == "daemon_silent" {
        SILENT
    } else {
        FRESH
    };
    let record = json!({
        "layout": layout,
        "age_ns": age,
        "leap": if is_native { json!(0) } else { Value::Null },
        "source": if is_native { json!(0x7f00_0001) } else { Value::Null },
        "valid_since_ns": if is_native { json!(AS_OF - 100 * S) } else { Value::Null },
    });
    case(name, files, expect).and("record", record)
}

fn refused<const N: usize>(name: &str, files: [(&str, Bytes); N], kind: &str) -> Golden {
    case(name, files, json!({ "error": kind }))
}

pub fn case<const N: usize>(name: &str, files: [(&str, Bytes); N], expect: Value) -> Golden {
    Golden {
        files: files
            .map(|(file, bytes)| (format!("{name}/{file}"), bytes.0))
            .into(),
        case: json!({
            "name": name,
            "segment": name,
            "surroundings": environment(SILENT),
            "expect": expect,
        }),
    }
}
