//! The golden segments, byte by byte, with the expected results: `clients/conformance/README.md`.
//!
//! The table does not use the library, so that a defect of the library cannot appear in both.

mod directories;
mod disruption;
mod far_times;
mod instants;
mod simulated;

use serde_json::{Value, json};

const S: i64 = 1_000_000_000;
/// 2027-01-15T08:00:00Z.
pub const UTC: i64 = 1_800_000_000 * S;
/// The reading of the monotonic clocks when the records were written.
const AS_OF: i64 = 1_000 * S;
const BOOT: [u8; 16] = *b"\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x00";

/// The bytes of a file.
#[derive(Clone)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn put(mut self, offset: usize, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn u16(self, offset: usize, number: u16) -> Self {
        self.put(offset, number.to_le_bytes())
    }

    fn u32(self, offset: usize, number: u32) -> Self {
        self.put(offset, number.to_le_bytes())
    }

    fn i64(self, offset: usize, number: i64) -> Self {
        self.put(offset, number.to_le_bytes())
    }

    fn instant(self, offset: usize, ns: i64) -> Self {
        self.i64(offset, ns / S).i64(offset + 8, ns % S)
    }

    fn truncated(mut self, length: usize) -> Self {
        self.0.truncate(length);
        self
    }
}

/// Returns a native segment of revision 0: synchronized, earliest UTC - 1 ms, latest UTC + 2 ms,
/// rate 0, growth 2^-10 (977 ppm).
fn native() -> Bytes {
    Bytes(vec![0; 136])
        .put(0, b"clkbound")
        .u32(8, 136)
        .u16(12, 1)
        .put(16, BOOT)
        .i64(64, 8)
        .i64(72, AS_OF)
        .i64(80, UTC - 1_000_000)
        .i64(88, UTC + 2_000_000)
        .u32(100, 1 << 22)
        .i64(104, AS_OF + 5 * S)
        .i64(112, AS_OF + 1_000 * S)
        .put(120, [1, 0, 0, 0])
        .u32(124, 0x7f00_0001)
}

/// Returns the same segment in revision 1, with the reading of `CLOCK_REALTIME` at `as_of_ns` and
/// arbitrary bytes in the area that only the writer reads.
fn native_of_revision_1() -> Bytes {
    Bytes([native().0, vec![0; 3_960]].concat())
        .u32(8, 4_096)
        .u16(14, 1)
        .i64(136, UTC + 7)
        .put(192, [0xa5; 3_904])
}

/// Returns the same segment in revision 2: the interval is known since 100 s before the record, and
/// `CLOCK_REALTIME` was not set for 50 s and kept the rate of `CLOCK_MONOTONIC_RAW`. Its reading in
/// the record can differ by 500 ns. The daemon publishes every 100 ms.
fn native_of_revision_2() -> Bytes {
    native_of_revision_1()
        .u16(14, 2)
        .i64(144, AS_OF - 100 * S)
        .i64(152, AS_OF - 50 * S)
        .u32(168, 100_000)
        .u32(172, 500)
}

/// Returns a v1 segment: synchronized, bound 10 us, maximum drift 50 ppm.
fn v1() -> Bytes {
    Bytes(vec![0; 72])
        .u32(0, 0x414d_5a4e)
        .u32(4, 0x4342_0200)
        .u32(8, 72)
        .u16(12, 1)
        .u16(14, 8)
        .instant(16, AS_OF)
        .instant(32, AS_OF + 1_000 * S)
        .i64(48, 10_000)
        .u32(56, 50_000)
        .u32(64, 1)
}

/// Returns a v2 segment with the same values.
fn v2() -> Bytes {
    Bytes(vec![0; 80])
        .u32(0, 0x414d_5a4e)
        .u32(4, 0x4342_0200)
        .u32(8, 80)
        .u16(12, 2)
        .u16(14, 8)
        .instant(16, AS_OF)
        .instant(32, AS_OF + 1_000 * S)
        .i64(48, 10_000)
        .i64(56, 7)
        .u32(64, 50_000)
        .u32(68, 1)
}

/// The counter of the processor when the v3 records were written.
const COUNTER: i64 = 1 << 40;

/// Returns a v3 segment with the same values. The period of the counter is 2^-30 s.
fn v3() -> Bytes {
    Bytes(vec![0; 104])
        .u32(0, 0x414d_5a4e)
        .u32(4, 0x4342_0200)
        .u32(8, 104)
        .u16(12, 0x0303)
        .u16(14, 8)
        .i64(16, COUNTER)
        .instant(24, UTC)
        .instant(40, UTC + 1_000 * S)
        .put(56, (1_u64 << 63).to_le_bytes())
        .i64(72, 10_000)
        .i64(80, 7)
        .u32(88, 50_000)
        .u32(92, 1)
        .put(97, [29])
}

/// Returns the environment `elapsed` ns and `ticks` of the counter after the record was written.
fn v3_environment(elapsed: i64, ticks: i64) -> Value {
    with(environment(elapsed), "counter", json!(COUNTER + ticks))
}

/// The files of a case, by their paths in `segments`, and the case in `cases.json`.
pub struct Golden {
    pub files: Vec<(String, Vec<u8>)>,
    pub case: Value,
}

impl Golden {
    /// Returns the case with another field.
    fn and(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.case[field] = value.into();
        self
    }
}

/// Returns the environment `elapsed` ns after the record was written, with a correct
/// `CLOCK_REALTIME`.
fn environment(elapsed: i64) -> Value {
    json!({
        "realtime_ns": UTC + elapsed,
        "monotonic_coarse_ns": AS_OF + elapsed,
        "monotonic_raw_ns": AS_OF + elapsed,
        "boot_id": "112233445566778899aabbccddeeff00",
        "namespace_offset_ns": 0,
    })
}

/// Returns the expected interval, with ends relative to `UTC` plus `elapsed`.
fn expected(elapsed: i64, (early, late): (i64, i64), status: &str, reason: &str) -> Value {
    json!({
        "earliest_ns": UTC + elapsed - early,
        "latest_ns": UTC + elapsed + late,
        "status": status,
        "reason": reason,
    })
}

fn golden(name: &str, bytes: Bytes, environment: Value, expect: Value) -> Golden {
    let segment = format!("{name}.bin");
    let case = json!({
        "name": name,
        "segment": segment,
        "surroundings": environment,
        "expect": expect,
    });
    Golden {
        files: vec![(segment, bytes.0)],
        case,
    }
}

/// Returns a segment that must be refused with an error of this kind.
fn refused(name: &'static str, bytes: Bytes, kind: &str) -> Golden {
    golden(name, bytes, environment(0), json!({ "error": kind }))
}

fn with(mut environment: Value, field: &str, value: Value) -> Value {
    environment[field] = value;
    environment
}

/// Returns all golden segments.
pub fn all() -> Vec<Golden> {
    let mut all = native_accepted();
    all.extend(native_refused());
    all.extend(v1_accepted());
    all.extend(v1_refused());
    all.extend(v2_segments());
    all.extend(v3_segments());
    all.extend(instants::all());
    all.extend(directories::all());
    all.extend(disruption::all());
    all.extend(simulated::all());
    all.extend(far_times::all());
    all
}

fn native_accepted() -> Vec<Golden> {
    // 2^30 ns. At 2^-10 the interval grows by 2^20 ns in this time, and by 1 ns for each rounding.
    let binary = 1 << 30;
    let grown = 1 << 20;
    let day = 86_400 * S;
    let accepted = |name, bytes, elapsed, ends, status, reason| {
        let expect = expected(elapsed, ends, status, reason);
        golden(name, bytes, environment(elapsed), expect)
    };
    let fresh = (1_000_001, 2_000_002);
    let aged = (1_000_001 + grown, 2_000_002 + grown);
    vec![
        accepted(
            "native-synchronized",
            native(),
            0,
            fresh,
            "synchronized",
            "tracking",
        ),
        accepted(
            "native-aged",
            native(),
            binary,
            aged,
            "synchronized",
            "tracking",
        ),
        // 2^30 ns * -2^-20 = -1024 ns: true time falls behind the clock.
        accepted(
            "native-aged-with-rate",
            native().put(96, (-(1_i32 << 12)).to_le_bytes()),
            binary,
            (aged.0 + 1_024, aged.1 - 1_024),
            "synchronized",
            "tracking",
        ),
        // 3 units of 2^-32 in 2^30 - 1 ns: slightly less than 0.75 ns. Both signs are rounded down.
        accepted(
            "native-rounds-outward",
            native().put(96, 3_i32.to_le_bytes()).u32(100, 3),
            binary - 1,
            (1_000_001, 2_000_002),
            "synchronized",
            "tracking",
        ),
        accepted(
            "native-rounds-negative-rate-outward",
            native().put(96, (-3_i32).to_le_bytes()).u32(100, 3),
            binary - 1,
            (1_000_001 + 1, 2_000_002 - 1),
            "synchronized",
            "tracking",
        ),
        // 10 days at 2^-10: the products exceed 64 bits.
        accepted(
            "native-aged-for-days",
            native().i64(112, AS_OF + 20 * day),
            10 * day,
            (1_000_001 + 843_750_000_000, 2_000_002 + 843_750_000_000),
            "free_running",
            "daemon_silent",
        ),
        accepted(
            "native-slightly-ahead-of-clock",
            native(),
            -1_000,
            fresh,
            "synchronized",
            "tracking",
        ),
        accepted(
            "native-free-running",
            native().put(120, [2, 4, 0, 0]),
            0,
            fresh,
            "free_running",
            "chrony_silent",
        ),
        accepted(
            "native-ages-to-free-running",
            native().u32(100, 0),
            5 * S,
            fresh,
            "free_running",
            "daemon_silent",
        ),
        accepted(
            "native-ages-to-unknown",
            native().u32(100, 0),
            1_000 * S,
            fresh,
            "unknown",
            "holdover_expired",
        ),
        accepted(
            "native-unknown",
            native().put(120, [0, 1, 3, 0]),
            0,
            fresh,
            "unknown",
            "never_synchronized",
        ),
        accepted(
            "native-disrupted",
            native().put(120, [3, 13, 0, 0]),
            0,
            fresh,
            "disrupted",
            "disrupted",
        ),
        accepted(
            "native-contradiction",
            native().put(120, [1, 15, 0, 0]),
            0,
            fresh,
            "synchronized",
            "contradiction",
        ),
        accepted(
            "native-sources-disagree",
            native().put(120, [1, 16, 0, 0]),
            0,
            fresh,
            "synchronized",
            "sources_disagree",
        ),
        accepted(
            "native-too-few-sources",
            native().put(120, [2, 17, 0, 0]),
            0,
            fresh,
            "free_running",
            "too_few_sources",
        ),
        accepted(
            "native-permission-denied",
            native().put(120, [2, 18, 0, 0]),
            0,
            fresh,
            "free_running",
            "permission_denied",
        ),
        accepted(
            "native-retired",
            native_of_revision_2().put(120, [0, 19, 3, 0]),
            0,
            fresh,
            "unknown",
            "retired",
        ),
        accepted(
            "native-unassigned-reason",
            native().put(120, [1, 200, 0, 0]),
            0,
            fresh,
            "synchronized",
            "untold",
        ),
        accepted(
            "native-revision-1",
            native_of_revision_1(),
            binary,
            aged,
            "synchronized",
            "tracking",
        ),
        accepted(
            "native-later-revision",
            Bytes([native().0, vec![0xff; 24]].concat())
                .u32(8, 160)
                .u16(14, 7)
                .put(40, [0xff; 24]),
            0,
            fresh,
            "synchronized",
            "tracking",
        ),
        // The clocks of the segment are 5 s ahead of the initial namespace, those of the client
        // are 2 s ahead.
        golden(
            "native-time-namespace",
            native().i64(32, 5 * S),
            with(
                with(environment(0), "namespace_offset_ns", json!(2 * S)),
                "monotonic_raw_ns",
                json!(AS_OF - 3 * S),
            ),
            expected(0, fresh, "synchronized", "tracking"),
        ),
        golden(
            "native-realtime-stepped",
            native(),
            with(environment(0), "realtime_ns", json!(UTC + 3_600 * S)),
            expected(0, fresh, "synchronized", "tracking"),
        ),
    ]
}

fn native_refused() -> Vec<Golden> {
    vec![
        golden(
            "native-ahead-of-clock",
            native(),
            environment(-1_001),
            json!({ "error": "causality" }),
        ),
        golden(
            "native-earlier-boot",
            native(),
            with(
                environment(0),
                "boot_id",
                json!("ffffffffffffffffffffffffffffffff"),
            ),
            json!({ "error": "not_initialized" }),
        ),
        refused(
            "native-never-written",
            native().i64(64, 0),
            "not_initialized",
        ),
        refused(
            "native-write-in-progress",
            native().i64(64, 9),
            "not_initialized",
        ),
        refused("native-unsupported-version", native().u16(12, 2), "version"),
        refused(
            "native-truncated-in-header",
            native().truncated(12),
            "malformed",
        ),
        refused(
            "native-truncated-in-record",
            native().truncated(135),
            "malformed",
        ),
        refused(
            "native-truncated-after-record",
            native_of_revision_1().truncated(136),
            "malformed",
        ),
        refused(
            "native-size-exceeds-file",
            native().u32(8, 137),
            "malformed",
        ),
        refused("native-size-too-small", native().u32(8, 135), "malformed"),
        refused(
            "native-wrong-magic",
            native().put(0, b"clkbounD"),
            "malformed",
        ),
        refused(
            "native-inverted-interval",
            native().i64(80, UTC + 2_000_001),
            "malformed",
        ),
        refused(
            "native-as-of-out-of-range",
            native().i64(72, i64::MAX),
            "malformed",
        ),
        refused(
            "native-earliest-out-of-range",
            native().i64(80, i64::MIN),
            "malformed",
        ),
        refused(
            "native-latest-out-of-range",
            native().i64(88, i64::MAX),
            "malformed",
        ),
        refused(
            "native-undefined-status",
            native().put(120, [4]),
            "malformed",
        ),
        refused("native-undefined-leap", native().put(122, [4]), "malformed"),
        refused(
            "native-undefined-time-scale",
            native().put(123, [1]),
            "malformed",
        ),
    ]
}

fn v1_accepted() -> Vec<Golden> {
    let accepted = |name, bytes, elapsed, half: i64, status| {
        let expect = expected(elapsed, (half, half), status, "untold");
        golden(name, bytes, environment(elapsed), expect)
    };
    vec![
        accepted("v1-synchronized", v1(), 0, 10_000, "synchronized"),
        accepted("v1-aged", v1(), S, 60_000, "synchronized"),
        accepted("v1-rounds-outward", v1(), 1, 10_001, "synchronized"),
        accepted(
            "v1-slightly-ahead-of-clock",
            v1(),
            -1_000,
            10_000,
            "synchronized",
        ),
        accepted(
            "v1-free-running",
            v1().u32(64, 2),
            0,
            10_000,
            "free_running",
        ),
        accepted("v1-unknown", v1().u32(64, 0), 0, 10_000, "unknown"),
        golden(
            "v1-ages-to-free-running",
            v1(),
            environment(5 * S),
            expected(5 * S, (260_000, 260_000), "free_running", "daemon_silent"),
        ),
        golden(
            "v1-ages-to-unknown",
            v1(),
            environment(1_000 * S),
            expected(
                1_000 * S,
                (50_010_000, 50_010_000),
                "unknown",
                "holdover_expired",
            ),
        ),
        golden(
            "v1-realtime-stepped",
            v1(),
            with(environment(0), "realtime_ns", json!(UTC + 3_600 * S)),
            expected(3_600 * S, (10_000, 10_000), "synchronized", "untold"),
        ),
        // The clocks of the client are 5 s ahead of the initial namespace, in which the daemon
        // runs.
        golden(
            "v1-time-namespace",
            v1(),
            with(
                with(environment(0), "namespace_offset_ns", json!(5 * S)),
                "monotonic_coarse_ns",
                json!(AS_OF + 5 * S),
            ),
            expected(0, (10_000, 10_000), "synchronized", "untold"),
        ),
    ]
}

fn v1_refused() -> Vec<Golden> {
    vec![
        golden(
            "v1-ahead-of-clock",
            v1(),
            environment(-1_001),
            json!({ "error": "causality" }),
        ),
        refused("v1-never-written", v1().u16(14, 0), "not_initialized"),
        refused("v1-write-in-progress", v1().u16(14, 9), "not_initialized"),
        refused("v1-unsupported-version", v1().u16(12, 9), "version"),
        refused("v1-empty", v1().truncated(0), "malformed"),
        refused("v1-truncated-in-header", v1().truncated(15), "malformed"),
        refused("v1-truncated-in-record", v1().truncated(71), "malformed"),
        refused("v1-size-exceeds-file", v1().u32(8, 4_096), "malformed"),
        refused("v1-size-too-small", v1().u32(8, 64), "malformed"),
        refused("v1-wrong-magic", v1().u32(4, 0), "malformed"),
        refused("v1-negative-bound", v1().i64(48, -1), "malformed"),
        refused(
            "v1-drift-out-of-range",
            v1().u32(56, 1_000_000_000),
            "malformed",
        ),
        refused("v1-invalid-as-of", v1().i64(24, S), "malformed"),
        refused("v1-negative-void-after", v1().i64(32, -1), "malformed"),
        refused("v1-undefined-status", v1().u32(64, 7), "malformed"),
        refused("v1-disrupted", v1().u32(64, 3), "malformed"),
    ]
}

fn v2_segments() -> Vec<Golden> {
    let accepted = |name, bytes, elapsed, half: i64, status, reason| {
        let expect = expected(elapsed, (half, half), status, reason);
        golden(name, bytes, environment(elapsed), expect)
    };
    vec![
        accepted("v2-synchronized", v2(), 0, 10_000, "synchronized", "untold"),
        accepted("v2-aged", v2(), S, 60_000, "synchronized", "untold"),
        accepted(
            "v2-ages-to-free-running",
            v2(),
            5 * S,
            260_000,
            "free_running",
            "daemon_silent",
        ),
        accepted(
            "v2-free-running",
            v2().u32(68, 2),
            0,
            10_000,
            "free_running",
            "untold",
        ),
        accepted(
            "v2-disrupted",
            v2().u32(68, 3),
            0,
            10_000,
            "disrupted",
            "untold",
        ),
        refused("v2-write-in-progress", v2().u16(14, 9), "not_initialized"),
        refused("v2-truncated-in-record", v2().truncated(79), "malformed"),
        refused("v2-size-too-small", v2().u32(8, 72), "malformed"),
        refused("v2-negative-bound", v2().i64(48, i64::MIN), "malformed"),
        refused("v2-drift-out-of-range", v2().u32(64, u32::MAX), "malformed"),
        refused("v2-undefined-status", v2().u32(68, 50_000), "malformed"),
    ]
}

fn v3_segments() -> Vec<Golden> {
    let second = 1 << 30;
    let accepted = |name, bytes, seconds: i64, ends, status, reason| {
        let environment = v3_environment(seconds * S, seconds * second);
        let expect = expected(seconds * S, ends, status, reason);
        golden(name, bytes, environment, expect)
    };
    let refused = |name, bytes, kind: &str| {
        golden(name, bytes, v3_environment(0, 0), json!({ "error": kind }))
    };
    // The rounding of published clients, which compute in double precision, is less than 1 ns in
    // the time, and 1 ns in the bound.
    let fresh = (10_002, 10_004);
    vec![
        accepted("v3-synchronized", v3(), 0, fresh, "synchronized", "untold"),
        accepted(
            "v3-aged",
            v3(),
            1,
            (60_003, 60_004),
            "synchronized",
            "untold",
        )
        .and(
            "record",
            json!({
                "layout": "v3",
                "age_ns": S,
                "leap": Value::Null,
                "source": Value::Null,
                "valid_since_ns": Value::Null,
            }),
        ),
        // 2^-20 of 1,000,000,002 ns are less than 954 ns.
        accepted(
            "v3-aged-with-an-error-of-the-period",
            v3().i64(64, 1 << 44),
            1,
            (60_957, 60_958),
            "synchronized",
            "untold",
        ),
        accepted(
            "v3-ages-to-free-running",
            v3(),
            61,
            (3_060_003, 3_060_004),
            "free_running",
            "daemon_silent",
        ),
        accepted(
            "v3-ages-to-unknown",
            v3(),
            1_001,
            (50_060_003, 50_060_004),
            "unknown",
            "holdover_expired",
        ),
        accepted(
            "v3-free-running",
            v3().u32(92, 2),
            0,
            fresh,
            "free_running",
            "untold",
        ),
        accepted(
            "v3-disrupted",
            v3().u32(92, 3),
            0,
            fresh,
            "disrupted",
            "untold",
        ),
        // 1073 ticks are less than 1 us.
        golden(
            "v3-slightly-ahead-of-counter",
            v3(),
            v3_environment(0, -1_073),
            expected(0, fresh, "synchronized", "untold"),
        ),
        golden(
            "v3-ahead-of-counter",
            v3(),
            v3_environment(0, -1_076),
            json!({ "error": "causality" }),
        ),
        // Neither CLOCK_REALTIME nor a time namespace has an effect.
        golden(
            "v3-realtime-stepped",
            v3(),
            with(v3_environment(0, 0), "realtime_ns", json!(UTC + 3_600 * S)),
            expected(0, fresh, "synchronized", "untold"),
        ),
        golden(
            "v3-time-namespace",
            v3(),
            with(v3_environment(0, 0), "namespace_offset_ns", json!(5 * S)),
            expected(0, fresh, "synchronized", "untold"),
        ),
        refused("v3-at-an-instant", v3(), "not_known").and("at_monotonic_raw_ns", AS_OF),
        refused("v3-unsupported-version", v3().u16(12, 0x0404), "version"),
        refused("v3-truncated-in-record", v3().truncated(103), "malformed"),
        refused("v3-write-in-progress", v3().u16(14, 9), "not_initialized"),
        refused("v3-undefined-status", v3().u32(92, 4), "malformed"),
        refused("v3-negative-bound", v3().i64(72, -1), "malformed"),
    ]
}
