//! Records that a program wrote for a test, read by clients that refuse them and by others.

use serde_json::{Value, json};

use super::directories::{FRESH, case, live, live_native};
use super::{
    Bytes, Golden, environment, expected, golden, native_of_revision_2, v1, v2, v3, v3_environment,
};

fn native() -> Bytes {
    native_of_revision_2().u16(14, 3)
}

pub fn all() -> Vec<Golden> {
    let mut all = Vec::new();
    let of_bound = (10_000, 10_000);
    for (layout, bytes, mark_at, environment, ends, reason) in [
        (
            "native",
            native(),
            187,
            environment(0),
            (1_000_001, 2_000_002),
            "tracking",
        ),
        ("v2", v2(), 73, environment(0), of_bound, "untold"),
        ("v1", v1(), 60, environment(0), of_bound, "untold"),
        (
            "v3",
            v3(),
            99,
            v3_environment(0, 0),
            (10_002, 10_004),
            "untold",
        ),
    ] {
        let trusted = || expected(0, ends, "synchronized", reason);
        let read = |name: &str, mark: u8, expect: Value| {
            let bytes = bytes.clone().put(mark_at, [mark]);
            golden(
                &format!("{layout}-{name}"),
                bytes,
                environment.clone(),
                expect,
            )
        };
        all.extend([
            read("simulated", 1, trusted()).and("is_simulated", true),
            read("simulated-refused", 1, json!({ "error": "simulated" }))
                .and("refuse_simulated", true),
            read("not-simulated", 0, trusted())
                .and("refuse_simulated", true)
                .and("is_simulated", false),
            // Only 1 is the mark.
            read("with-another-mark", 2, trusted())
                .and("refuse_simulated", true)
                .and("is_simulated", false),
        ]);
    }
    let simulated = || live_native().u16(14, 3).put(187, [1]);
    all.extend([
        case(
            "directory-prefers-simulated-native",
            [("native", simulated()), ("shm0", live(v2()))],
            expected(FRESH, (1_976_563, 2_976_564), "synchronized", "tracking"),
        )
        .and("is_simulated", true),
        case(
            "directory-skips-simulated-native-that-is-refused",
            [("native", simulated()), ("shm0", live(v2()))],
            expected(5 * super::S, (60_000, 60_000), "synchronized", "untold"),
        )
        .and("refuse_simulated", true)
        .and("is_simulated", false),
        case(
            "directory-of-simulated-segments-that-are-refused",
            [("native", simulated()), ("shm", live(v1()).put(60, [1]))],
            json!({ "error": "simulated" }),
        )
        .and("refuse_simulated", true),
    ]);
    all
}
