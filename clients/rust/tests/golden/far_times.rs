//! Times at the limits of 64 bits, and beyond.

use serde_json::{Value, json};

use super::{
    AS_OF, Golden, S, UTC, environment, expected, golden, native, native_of_revision_2, v1, with,
};

/// 0001-01-01T00:00:00Z, s since 1970.
const FIRST_YEAR: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z, s since 1970.
const LAST_YEAR: i64 = 253_402_300_799;

pub fn all() -> Vec<Golden> {
    let times = |times: &[(i64, i64, bool, bool)]| -> Value {
        times
            .iter()
            .map(|&(seconds, nanoseconds, is_after, is_before)| {
                json!({
                    "seconds": seconds,
                    "nanoseconds": nanoseconds,
                    "is_after": is_after,
                    "is_before": is_before,
                })
            })
            .collect()
    };
    let (most_s, most_ns) = (i64::MAX / S, i64::MAX % S);
    let (least_s, least_ns) = (i64::MIN.div_euclid(S), i64::MIN.rem_euclid(S));
    let all_past_or_future = [
        (FIRST_YEAR, 0, true, false),
        (least_s, least_ns - 1, true, false),
        (least_s, least_ns, true, false),
        (UTC / S - 1, 998_999_998, true, false),
        (UTC / S - 1, 998_999_999, false, false),
        (UTC / S, 2_000_002, false, false),
        (UTC / S, 2_000_003, false, true),
        (most_s, most_ns, false, true),
        (most_s, most_ns + 1, false, true),
        (LAST_YEAR, 999_999_999, false, true),
    ];
    let never_certain = all_past_or_future.map(|(s, ns, ..)| (s, ns, false, false));
    // Beyond a limit of 64 bits an end is the limit, so that no time beyond it is certain.
    let ends_at = |earliest_ns: i64, latest_ns: i64| {
        json!({
            "earliest_ns": earliest_ns,
            "latest_ns": latest_ns,
            "status": "synchronized",
            "reason": "tracking",
        })
    };
    let fastest = |bytes: super::Bytes| {
        bytes
            .u32(100, u32::MAX)
            .i64(104, i64::MAX)
            .i64(112, i64::MAX)
    };
    let fresh = (1_000_001, 2_000_002);
    let long_record = (1 << 62) - 1;
    vec![
        golden(
            "far-times",
            native(),
            environment(0),
            expected(0, fresh, "synchronized", "tracking"),
        )
        .and("times", times(&all_past_or_future)),
        golden(
            "far-times-of-an-untrusted-interval",
            native().put(120, [0]),
            environment(0),
            expected(0, fresh, "unknown", "tracking"),
        )
        .and("times", times(&never_certain)),
        golden(
            "far-native-latest",
            fastest(native_of_revision_2()),
            environment(0),
            ends_at(1_800_000_001_163_153_218, i64::MAX),
        )
        .and("at_monotonic_raw_ns", AS_OF + 5_000_000_000 * S)
        .and(
            "times",
            times(&[
                (FIRST_YEAR, 0, true, false),
                (most_s, most_ns, false, false),
                (LAST_YEAR, 0, false, false),
            ]),
        ),
        golden(
            "far-native-earliest",
            fastest(native_of_revision_2())
                .i64(72, long_record)
                .i64(80, -(1 << 62))
                .i64(88, 0)
                .i64(144, 1),
            with(environment(0), "monotonic_raw_ns", json!(long_record)),
            ends_at(i64::MIN, -1_073_741_822),
        )
        .and("at_monotonic_raw_ns", 1)
        .and(
            "times",
            times(&[
                (FIRST_YEAR, 0, false, false),
                (least_s, least_ns, false, false),
                (0, 0, false, true),
                (LAST_YEAR, 0, false, true),
            ]),
        ),
        golden(
            "far-v1-latest",
            v1(),
            with(environment(0), "realtime_ns", json!(i64::MAX - 5)),
            json!({
                "earliest_ns": i64::MAX - 10_005,
                "latest_ns": i64::MAX,
                "status": "synchronized",
                "reason": "untold",
            }),
        )
        .and("times", times(&[(LAST_YEAR, 0, false, false)])),
        golden(
            "far-v1-earliest",
            v1(),
            with(environment(0), "realtime_ns", json!(i64::MIN + 5)),
            json!({
                "earliest_ns": i64::MIN,
                "latest_ns": i64::MIN + 10_005,
                "status": "synchronized",
                "reason": "untold",
            }),
        )
        .and("times", times(&[(FIRST_YEAR, 0, false, false)])),
    ]
}
