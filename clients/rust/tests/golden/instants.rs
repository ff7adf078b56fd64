//! Intervals at other instants than the present, and the details of a record.

use serde_json::{Value, json};

use super::{
    AS_OF, Golden, S, UTC, environment, expected, golden, native, native_of_revision_1,
    native_of_revision_2, v1, v2, with,
};

/// About a second. At 2^-10 an interval grows by 2^20 ns in this time.
const BINARY: i64 = 1 << 30;
/// The reading of `CLOCK_REALTIME` in a record.
const REALTIME: i64 = UTC + 7;
/// The ends of the interval at the instant of the record, relative to `UTC`.
const FRESH: (i64, i64) = (1_000_001, 2_000_002);
/// 2^-10.
const RATE: i32 = 1 << 22;

pub fn all() -> Vec<Golden> {
    let mut all = at_monotonic_raw();
    all.extend(at_realtime());
    all.extend(records());
    all
}

fn not_known() -> Value {
    json!({ "error": "not_known" })
}

fn at_monotonic_raw() -> Vec<Golden> {
    let at = |name, bytes, raw: i64, expect| {
        golden(name, bytes, environment(BINARY), expect).and("at_monotonic_raw_ns", raw)
    };
    let (synchronized, tracking) = ("synchronized", "tracking");
    vec![
        at(
            "native-at-the-record",
            native_of_revision_2(),
            AS_OF,
            expected(0, FRESH, synchronized, tracking),
        ),
        at(
            "native-at-an-instant-before-the-record",
            native_of_revision_2(),
            AS_OF - BINARY,
            expected(-BINARY, (2_048_577, 3_048_578), synchronized, tracking),
        ),
        at(
            "native-at-valid-since",
            native_of_revision_2(),
            AS_OF - 100 * S,
            expected(-100 * S, (98_656_251, 99_656_252), synchronized, tracking),
        ),
        at(
            "native-at-an-instant-before-valid-since",
            native_of_revision_2(),
            AS_OF - 100 * S - 1,
            not_known(),
        ),
        at(
            "native-at-too-long-ago",
            native_of_revision_2().i64(112, AS_OF + 50 * S),
            AS_OF - 50 * S - 1,
            not_known(),
        ),
        at(
            "native-at-a-later-instant",
            native_of_revision_2(),
            AS_OF + 6 * S,
            expected(
                6 * S,
                (6_859_376, 7_859_377),
                "free_running",
                "daemon_silent",
            ),
        ),
        at(
            "native-at-void-after",
            native_of_revision_2(),
            AS_OF + 1_000 * S,
            expected(
                1_000 * S,
                (977_562_501, 978_562_502),
                "unknown",
                "holdover_expired",
            ),
        ),
        // Without valid_since, nothing is known of the time before the record.
        at(
            "native-at-the-record-of-revision-1",
            native_of_revision_1(),
            AS_OF,
            expected(0, FRESH, synchronized, tracking),
        ),
        at(
            "native-at-an-instant-before-the-record-of-revision-1",
            native_of_revision_1(),
            AS_OF - 1,
            not_known(),
        ),
        at(
            "native-at-an-instant-before-the-record-of-revision-0",
            native(),
            AS_OF - 1,
            not_known(),
        ),
        // The clocks of the segment are 3 s ahead of those of the client.
        golden(
            "native-at-valid-since-in-a-time-namespace",
            native_of_revision_2().i64(32, 5 * S),
            with(
                with(environment(0), "namespace_offset_ns", json!(2 * S)),
                "monotonic_raw_ns",
                json!(AS_OF - 3 * S),
            ),
            expected(-100 * S, (98_656_251, 99_656_252), synchronized, tracking),
        )
        .and("at_monotonic_raw_ns", AS_OF - 103 * S),
        at("v2-at-the-record", v2(), AS_OF, not_known()),
        at("v1-at-the-record", v1(), AS_OF, not_known()),
    ]
}

fn at_realtime() -> Vec<Golden> {
    // CLOCK_REALTIME now is the reading in the record plus `passed`.
    let at_when = |name, bytes, elapsed, passed: i64, stamp: i64, expect| {
        let environment = with(
            environment(elapsed),
            "realtime_ns",
            json!(REALTIME + passed),
        );
        golden(name, bytes, environment, expect).and("at_realtime_ns", stamp)
    };
    let at = |name, bytes, stamp: i64, expect| at_when(name, bytes, BINARY, BINARY, stamp, expect);
    let rates = |slowest: i32, fastest: i32| {
        native_of_revision_2()
            .put(160, slowest.to_le_bytes())
            .put(164, fastest.to_le_bytes())
    };
    let synchronized = |early, late| expected(0, (early, late), "synchronized", "tracking");
    vec![
        // The error of the stamp is 500 ns of the record and 1 us.
        at(
            "native-realtime-before-the-record",
            native_of_revision_2(),
            REALTIME - S,
            synchronized(1_001_978_064, -997_021_937),
        ),
        at(
            "native-realtime-at-two-rates-before-the-record",
            rates(-RATE, RATE),
            REALTIME - BINARY,
            synchronized(1_076_842_531, -1_069_645_216),
        ),
        at(
            "native-realtime-at-two-rates-after-the-record",
            rates(-RATE, RATE),
            REALTIME + (BINARY >> 1),
            synchronized(-534_820_834, 539_922_018),
        ),
        at_when(
            "native-realtime-at-rates-of-one-sign-before-the-record",
            rates(RATE, 2 * RATE),
            BINARY,
            BINARY + (1 << 20) + (1 << 19),
            REALTIME - BINARY,
            synchronized(1_074_743_327, -1_068_600_728),
        ),
        at_when(
            "native-realtime-at-rates-of-one-sign-after-the-record",
            rates(RATE, 2 * RATE),
            BINARY,
            BINARY + (1 << 20) + (1 << 19),
            REALTIME + (BINARY >> 1),
            synchronized(-534_298_595, 538_872_927),
        ),
        // At 100 ppm, and CLOCK_REALTIME was set forward by 50 us in the first 20 ms. The stamp is
        // of 20 ms after the record.
        at_when(
            "native-realtime-after-a-step-within-the-rates",
            rates(-429_497, 429_497),
            900_000_000,
            900_050_000,
            REALTIME + 20_050_000,
            synchronized(-18_891_047, 22_109_112),
        ),
        at(
            "native-realtime-rounds-outward",
            rates(-3, 5),
            REALTIME - 12_345_678,
            synchronized(13_359_237, -10_332_121),
        ),
        at_when(
            "native-realtime-status-is-that-of-the-present",
            native_of_revision_2(),
            6 * S,
            6 * S,
            REALTIME - S,
            expected(
                0,
                (1_001_978_064, -997_021_937),
                "free_running",
                "daemon_silent",
            ),
        ),
        at(
            "native-realtime-in-the-future",
            native_of_revision_2(),
            REALTIME + BINARY + 1,
            not_known(),
        ),
        at(
            "native-realtime-before-realtime-since",
            native_of_revision_2(),
            REALTIME - 50 * S,
            not_known(),
        ),
        at(
            "native-realtime-before-valid-since",
            native_of_revision_2().i64(144, AS_OF - 10 * S),
            REALTIME - 11 * S,
            not_known(),
        ),
        // The largest and the smallest reading that the rates allow, and 1 ns more.
        at_when(
            "native-realtime-as-fast-as-the-rate",
            rates(-RATE, RATE),
            BINARY,
            BINARY + (1 << 20) + 1_500,
            REALTIME - BINARY,
            synchronized(1_076_842_531, -1_069_645_216),
        ),
        at_when(
            "native-realtime-faster-than-the-rate",
            rates(-RATE, RATE),
            BINARY,
            BINARY + (1 << 20) + 1_501,
            REALTIME - BINARY,
            not_known(),
        ),
        at_when(
            "native-realtime-as-slow-as-the-rate",
            rates(-RATE, RATE),
            BINARY,
            BINARY - (1 << 20) - 1_500,
            REALTIME - BINARY,
            synchronized(1_076_842_531, -1_069_645_216),
        ),
        at_when(
            "native-realtime-slower-than-the-rate",
            rates(-RATE, RATE),
            BINARY,
            BINARY - (1 << 20) - 1_501,
            REALTIME - BINARY,
            not_known(),
        ),
        at(
            "native-realtime-without-realtime",
            native_of_revision_2().i64(136, 0),
            REALTIME - S,
            not_known(),
        ),
        at(
            "native-realtime-of-revision-1",
            native_of_revision_1(),
            REALTIME + 1,
            not_known(),
        ),
        at(
            "native-realtime-of-revision-0",
            native(),
            REALTIME + 1,
            not_known(),
        ),
        at("v2-realtime", v2(), UTC, not_known()),
        at("v1-realtime", v1(), UTC, not_known()),
    ]
}

fn records() -> Vec<Golden> {
    let synchronized = |reason| expected(0, FRESH, "synchronized", reason);
    let details = |layout: &str, age: i64, leap: Value, source: Value, valid_since: Value| {
        json!({
            "layout": layout,
            "age_ns": age,
            "leap": leap,
            "source": source,
            "valid_since_ns": valid_since,
        })
    };
    let source = || json!(0x7f00_0001);
    let none = || Value::Null;
    vec![
        golden(
            "native-record",
            native_of_revision_2().put(122, [1]),
            environment(0),
            synchronized("tracking"),
        )
        .and(
            "record",
            details("native", 0, json!(1), source(), json!(AS_OF - 100 * S)),
        ),
        golden(
            "native-record-of-revision-0",
            native(),
            environment(0),
            synchronized("tracking"),
        )
        .and("record", details("native", 0, json!(0), source(), none())),
        golden(
            "native-record-in-a-time-namespace",
            native_of_revision_2().i64(32, 5 * S),
            with(
                with(environment(0), "namespace_offset_ns", json!(2 * S)),
                "monotonic_raw_ns",
                json!(AS_OF - 3 * S),
            ),
            synchronized("tracking"),
        )
        .and(
            "record",
            details("native", 0, json!(0), source(), json!(AS_OF - 103 * S)),
        ),
        golden(
            "v2-record",
            v2(),
            environment(S),
            expected(S, (60_000, 60_000), "synchronized", "untold"),
        )
        .and("record", details("v2", S, none(), none(), none())),
        golden(
            "v1-record",
            v1(),
            environment(S),
            expected(S, (60_000, 60_000), "synchronized", "untold"),
        )
        .and("record", details("v1", S, none(), none(), none())),
    ]
}
