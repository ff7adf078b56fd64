//! Records that hold only while the VMClock page has their disruption marker.

use serde_json::{Value, json};

use super::directories::{FRESH, SILENT, case, live, live_native};
use super::{
    AS_OF, Bytes, Golden, S, UTC, environment, expected, golden, native_of_revision_2, v1, v2, v3,
    v3_environment, with,
};

/// The marker of the records.
const MARKER: i64 = 7;

/// Returns a native segment of revision 3 with disruption support. The host expects a disruption
/// within a day, and TAI - UTC is 37 s.
fn native_of_revision_3() -> Bytes {
    in_revision_3(native_of_revision_2())
}

fn in_revision_3(bytes: Bytes) -> Bytes {
    bytes
        .u16(14, 3)
        .i64(176, MARKER)
        .put(184, [1, 0b101, 0, 0, 37, 0, 0, 0])
}

fn under(environment: Value, marker: i64) -> Value {
    with(environment, "vmclock_marker", json!(marker))
}

pub fn all() -> Vec<Golden> {
    let mut all = records();
    all.extend(directories());
    all
}

fn records() -> Vec<Golden> {
    let mut all = Vec::new();
    let fresh = (1_000_001, 2_000_002);
    let details = |supported: bool, soon: bool, imminent: bool, tai_offset_s: Value| {
        json!({
            "supported": supported,
            "marker": if supported { json!(MARKER) } else { Value::Null },
            "soon": soon,
            "imminent": imminent,
            "tai_offset_s": tai_offset_s,
        })
    };
    for (names, bytes, environment, ends, trusted, disruption) in [
        (
            [
                "native-holds",
                "native-after-a-disruption",
                "native-without-a-page",
            ],
            native_of_revision_3(),
            environment(0),
            fresh,
            "tracking",
            details(true, true, false, json!(37)),
        ),
        (
            ["v2-holds", "v2-after-a-disruption", "v2-without-a-page"],
            v2().put(72, [1]),
            environment(0),
            (10_000, 10_000),
            "untold",
            details(true, false, false, Value::Null),
        ),
        (
            ["v3-holds", "v3-after-a-disruption", "v3-without-a-page"],
            v3().put(96, [1]),
            v3_environment(0, 0),
            (10_002, 10_004),
            "untold",
            details(true, false, false, Value::Null),
        ),
    ] {
        let [holds, disrupted, without] = names;
        let trusted = expected(0, ends, "synchronized", trusted);
        let page = |marker| under(environment.clone(), marker);
        all.extend([
            golden(holds, bytes.clone(), page(MARKER), trusted)
                .and("disruption", disruption.clone()),
            golden(
                disrupted,
                bytes.clone(),
                page(MARKER + 1),
                expected(0, ends, "disrupted", "disrupted"),
            )
            .and("disruption", disruption),
            golden(without, bytes, environment, json!({ "error": "vmclock" })),
        ]);
    }
    all.extend([
        // Without disruption support the page is not read.
        golden(
            "native-without-disruption-support",
            native_of_revision_3().put(184, [0, 0b010]),
            under(environment(0), MARKER + 1),
            expected(0, fresh, "synchronized", "tracking"),
        )
        .and("disruption", details(false, false, true, Value::Null)),
        // Bytes after the end of the record of revision 0 are not part of it.
        golden(
            "native-of-revision-0-has-no-marker",
            super::native(),
            under(environment(0), MARKER),
            expected(0, fresh, "synchronized", "tracking"),
        )
        .and("disruption", details(false, false, false, Value::Null)),
        golden(
            "native-disrupted-page-holds",
            native_of_revision_3().put(120, [3, 13]),
            under(environment(0), MARKER),
            expected(0, fresh, "disrupted", "disrupted"),
        ),
        golden(
            "native-at-an-instant-after-a-disruption",
            native_of_revision_3(),
            under(environment(0), MARKER + 1),
            expected(0, fresh, "disrupted", "disrupted"),
        )
        .and("at_monotonic_raw_ns", AS_OF),
        golden(
            "native-at-an-instant-without-a-page",
            native_of_revision_3(),
            environment(0),
            json!({ "error": "vmclock" }),
        )
        .and("at_monotonic_raw_ns", AS_OF),
        golden(
            "native-realtime-without-a-page",
            native_of_revision_3().i64(136, UTC),
            environment(0),
            json!({ "error": "vmclock" }),
        )
        .and("at_realtime_ns", UTC),
    ]);
    all
}

fn directories() -> Vec<Golden> {
    let disruptible = || in_revision_3(live_native());
    let of_native = |status, reason| expected(FRESH, (1_976_563, 2_976_564), status, reason);
    let of_v1 = || expected(SILENT, (60_000, 60_000), "synchronized", "untold");
    let page = |mut golden: Golden, marker: i64| {
        golden.case["surroundings"]["vmclock_marker"] = json!(marker);
        golden
    };
    vec![
        page(
            case(
                "directory-prefers-native-that-holds-to-v1",
                [("native", disruptible()), ("shm", live(v1()))],
                of_native("synchronized", "tracking"),
            ),
            MARKER,
        ),
        // The v1 record has no marker. It can be of the time before the disruption, too.
        page(
            case(
                "directory-prefers-disrupted-native-to-v1",
                [("native", disruptible()), ("shm", live(v1()))],
                of_native("disrupted", "disrupted"),
            ),
            MARKER + 1,
        ),
        // Neither has a v2 record without disruption support.
        page(
            case(
                "directory-prefers-disrupted-native-to-v2-without-support",
                [("native", disruptible()), ("shm0", live(v2()))],
                of_native("disrupted", "disrupted"),
            ),
            MARKER + 1,
        ),
        page(
            case(
                "directory-prefers-v2-that-holds-to-disrupted-native",
                [
                    ("native", disruptible().i64(176, MARKER - 1)),
                    ("shm0", live(v2()).put(72, [1])),
                ],
                of_v1(),
            ),
            MARKER,
        ),
        // A daemon that publishes v1 and runs has replaced the other one.
        page(
            case(
                "directory-prefers-live-v1-to-dead-disrupted-native",
                [("native", native_of_revision_3()), ("shm", live(v1()))],
                of_v1(),
            ),
            MARKER + 1,
        ),
        case(
            "directory-of-native-that-requires-a-page-and-v1",
            [("native", disruptible()), ("shm", live(v1()))],
            json!({ "error": "vmclock" }),
        ),
        {
            let mut golden = case(
                "v3-directory-prefers-v1",
                [("shm", v1()), ("shm1", v3())],
                expected(SILENT, (260_000, 260_000), "free_running", "daemon_silent"),
            );
            golden.case["surroundings"] = v3_environment(SILENT, (SILENT / S) << 30);
            golden
        },
    ]
}
