//! The golden segments, byte by byte, and what a client must say of them: `clients/conformance/README.md`.
//!
//! Written without the library: a mistake there must not hide itself here.

use serde_json::{Value, json};

const S: i64 = 1_000_000_000;
/// 2027-01-15T08:00:00Z.
pub const UTC: i64 = 1_800_000_000 * S;
/// What the monotonic clocks showed when the records were written.
const AS_OF: i64 = 1_000 * S;
const BOOT: [u8; 16] = *b"\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x00";

/// A file of bytes.
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

    fn cut(mut self, length: usize) -> Self {
        self.0.truncate(length);
        self
    }
}

/// Revision 0. Synchronized, earliest UTC - 1 ms, latest UTC + 2 ms, rate 0, growth 2^-10 (977 ppm).
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

/// The same in revision 1, with the clock at as_of and something in the writer's own area.
fn native_of_revision_1() -> Bytes {
    Bytes([native().0, vec![0; 3_960]].concat())
        .u32(8, 4_096)
        .u16(14, 1)
        .i64(136, UTC + 7)
        .put(192, [0xa5; 3_904])
}

/// Synchronized, bound 10 us, max drift 50 ppm.
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

/// The same.
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

/// A golden segment with all that is asked of it.
pub struct Golden {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    pub case: Value,
}

/// What a client sees: `elapsed` ns after the record was written, with a real-time clock that is right.
fn surroundings(elapsed: i64) -> Value {
    json!({
        "realtime_ns": UTC + elapsed,
        "monotonic_coarse_ns": AS_OF + elapsed,
        "monotonic_raw_ns": AS_OF + elapsed,
        "boot_id": "112233445566778899aabbccddeeff00",
        "namespace_offset_ns": 0,
    })
}

/// What it must say: an interval, relative to `UTC` plus `elapsed`.
fn says(elapsed: i64, (early, late): (i64, i64), status: &str, reason: &str) -> Value {
    json!({
        "earliest_ns": UTC + elapsed - early,
        "latest_ns": UTC + elapsed + late,
        "status": status,
        "reason": reason,
    })
}

fn golden(name: &'static str, bytes: Bytes, surroundings: Value, expect: Value) -> Golden {
    let case = json!({
        "name": name,
        "segment": format!("{name}.bin"),
        "surroundings": surroundings,
        "expect": expect,
    });
    Golden {
        name,
        bytes: bytes.0,
        case,
    }
}

/// A segment that cannot be relied on: an error of this kind.
fn bad(name: &'static str, bytes: Bytes, kind: &str) -> Golden {
    golden(name, bytes, surroundings(0), json!({ "error": kind }))
}

fn with(mut surroundings: Value, field: &str, value: Value) -> Value {
    surroundings[field] = value;
    surroundings
}

/// All of them.
pub fn all() -> Vec<Golden> {
    let mut all = native_ones();
    all.extend(native_bad_ones());
    all.extend(v1_ones());
    all.extend(v1_bad_ones());
    all.extend(v2_ones());
    all
}

fn native_ones() -> Vec<Golden> {
    // A binary second: 2^30 ns. At 2^-10, growth is 2^20 ns in it, and 1 ns for each rounding.
    let binary = 1 << 30;
    let grown = 1 << 20;
    let day = 86_400 * S;
    let fine = |name, bytes, elapsed, ends, status, reason| {
        let expect = says(elapsed, ends, status, reason);
        golden(name, bytes, surroundings(elapsed), expect)
    };
    let fresh = (1_000_001, 2_000_002);
    let aged = (1_000_001 + grown, 2_000_002 + grown);
    vec![
        fine(
            "native-synchronized",
            native(),
            0,
            fresh,
            "synchronized",
            "tracking",
        ),
        fine(
            "native-aged",
            native(),
            binary,
            aged,
            "synchronized",
            "tracking",
        ),
        // 2^30 ns * 2^-20 = 1024 ns that truth loses on the clock.
        fine(
            "native-aged-with-a-rate",
            native().put(96, (-(1_i32 << 12)).to_le_bytes()),
            binary,
            (aged.0 + 1_024, aged.1 - 1_024),
            "synchronized",
            "tracking",
        ),
        // 3 units of 2^-32 in a nanosecond less than a binary second: 0.75 less a little, rounded down either way.
        fine(
            "native-rounds-outward",
            native().put(96, 3_i32.to_le_bytes()).u32(100, 3),
            binary - 1,
            (1_000_001, 2_000_002),
            "synchronized",
            "tracking",
        ),
        fine(
            "native-rounds-a-negative-rate-outward",
            native().put(96, (-3_i32).to_le_bytes()).u32(100, 3),
            binary - 1,
            (1_000_001 + 1, 2_000_002 - 1),
            "synchronized",
            "tracking",
        ),
        // 10 days at 2^-10: products beyond 64 bits.
        fine(
            "native-aged-for-days",
            native().i64(112, AS_OF + 20 * day),
            10 * day,
            (1_000_001 + 843_750_000_000, 2_000_002 + 843_750_000_000),
            "free_running",
            "daemon_silent",
        ),
        fine(
            "native-seems-a-little-early",
            native(),
            -1_000,
            fresh,
            "synchronized",
            "tracking",
        ),
        fine(
            "native-free-running",
            native().put(120, [2, 4, 0, 0]),
            0,
            fresh,
            "free_running",
            "chrony_silent",
        ),
        fine(
            "native-lapses-to-free-running",
            native().u32(100, 0),
            5 * S,
            fresh,
            "free_running",
            "daemon_silent",
        ),
        fine(
            "native-lapses-to-unknown",
            native().u32(100, 0),
            1_000 * S,
            fresh,
            "unknown",
            "holdover_expired",
        ),
        fine(
            "native-unknown",
            native().put(120, [0, 1, 3, 0]),
            0,
            fresh,
            "unknown",
            "never_synchronized",
        ),
        fine(
            "native-disrupted",
            native().put(120, [3, 13, 0, 0]),
            0,
            fresh,
            "disrupted",
            "disrupted",
        ),
        fine(
            "native-contradiction",
            native().put(120, [1, 15, 0, 0]),
            0,
            fresh,
            "synchronized",
            "contradiction",
        ),
        fine(
            "native-sources-disagree",
            native().put(120, [1, 16, 0, 0]),
            0,
            fresh,
            "synchronized",
            "sources_disagree",
        ),
        fine(
            "native-too-few-sources",
            native().put(120, [2, 17, 0, 0]),
            0,
            fresh,
            "free_running",
            "too_few_sources",
        ),
        fine(
            "native-reason-to-come",
            native().put(120, [1, 200, 0, 0]),
            0,
            fresh,
            "synchronized",
            "untold",
        ),
        fine(
            "native-revision-1",
            native_of_revision_1(),
            binary,
            aged,
            "synchronized",
            "tracking",
        ),
        fine(
            "native-revision-to-come",
            Bytes([native().0, vec![0xff; 24]].concat())
                .u32(8, 160)
                .u16(14, 7)
                .put(40, [0xff; 24]),
            0,
            fresh,
            "synchronized",
            "tracking",
        ),
        // The segment's clocks are 5 s ahead of the initial ones, the client's 2 s.
        golden(
            "native-time-namespace",
            native().i64(32, 5 * S),
            with(
                with(surroundings(0), "namespace_offset_ns", json!(2 * S)),
                "monotonic_raw_ns",
                json!(AS_OF - 3 * S),
            ),
            says(0, fresh, "synchronized", "tracking"),
        ),
        golden(
            "native-clock-set",
            native(),
            with(surroundings(0), "realtime_ns", json!(UTC + 3_600 * S)),
            says(0, fresh, "synchronized", "tracking"),
        ),
    ]
}

fn native_bad_ones() -> Vec<Golden> {
    vec![
        golden(
            "native-from-the-future",
            native(),
            surroundings(-1_001),
            json!({ "error": "causality" }),
        ),
        golden(
            "native-previous-boot",
            native(),
            with(
                surroundings(0),
                "boot_id",
                json!("ffffffffffffffffffffffffffffffff"),
            ),
            json!({ "error": "not_initialized" }),
        ),
        bad(
            "native-never-written",
            native().i64(64, 0),
            "not_initialized",
        ),
        bad("native-torn", native().i64(64, 9), "not_initialized"),
        bad("native-version-to-come", native().u16(12, 2), "version"),
        bad("native-cut-in-the-header", native().cut(12), "malformed"),
        bad("native-cut-in-the-record", native().cut(135), "malformed"),
        bad(
            "native-cut-behind-the-record",
            native_of_revision_1().cut(136),
            "malformed",
        ),
        bad(
            "native-says-more-than-it-has",
            native().u32(8, 137),
            "malformed",
        ),
        bad("native-says-too-little", native().u32(8, 135), "malformed"),
        bad("native-magic", native().put(0, b"clkbounD"), "malformed"),
        bad(
            "native-turned-around",
            native().i64(80, UTC + 2_000_001),
            "malformed",
        ),
        bad(
            "native-as-of-far-away",
            native().i64(72, i64::MAX),
            "malformed",
        ),
        bad(
            "native-earliest-far-away",
            native().i64(80, i64::MIN),
            "malformed",
        ),
        bad(
            "native-latest-far-away",
            native().i64(88, i64::MAX),
            "malformed",
        ),
        bad("native-foreign-status", native().put(120, [4]), "malformed"),
        bad("native-foreign-leap", native().put(122, [4]), "malformed"),
        bad(
            "native-foreign-time-scale",
            native().put(123, [1]),
            "malformed",
        ),
    ]
}

fn v1_ones() -> Vec<Golden> {
    let fine = |name, bytes, elapsed, half: i64, status| {
        let expect = says(elapsed, (half, half), status, "untold");
        golden(name, bytes, surroundings(elapsed), expect)
    };
    vec![
        fine("v1-synchronized", v1(), 0, 10_000, "synchronized"),
        fine("v1-aged", v1(), S, 60_000, "synchronized"),
        fine("v1-rounds-outward", v1(), 1, 10_001, "synchronized"),
        fine(
            "v1-seems-a-little-early",
            v1(),
            -1_000,
            10_000,
            "synchronized",
        ),
        fine(
            "v1-free-running",
            v1().u32(64, 2),
            0,
            10_000,
            "free_running",
        ),
        fine("v1-unknown", v1().u32(64, 0), 0, 10_000, "unknown"),
        golden(
            "v1-lapses-to-free-running",
            v1(),
            surroundings(5 * S),
            says(5 * S, (260_000, 260_000), "free_running", "daemon_silent"),
        ),
        golden(
            "v1-lapses-to-unknown",
            v1(),
            surroundings(1_000 * S),
            says(
                1_000 * S,
                (50_010_000, 50_010_000),
                "unknown",
                "holdover_expired",
            ),
        ),
        golden(
            "v1-clock-set",
            v1(),
            with(surroundings(0), "realtime_ns", json!(UTC + 3_600 * S)),
            says(3_600 * S, (10_000, 10_000), "synchronized", "untold"),
        ),
        // A client whose clocks are 5 s ahead of the initial ones, where daemons live.
        golden(
            "v1-time-namespace",
            v1(),
            with(
                with(surroundings(0), "namespace_offset_ns", json!(5 * S)),
                "monotonic_coarse_ns",
                json!(AS_OF + 5 * S),
            ),
            says(0, (10_000, 10_000), "synchronized", "untold"),
        ),
    ]
}

fn v1_bad_ones() -> Vec<Golden> {
    vec![
        golden(
            "v1-from-the-future",
            v1(),
            surroundings(-1_001),
            json!({ "error": "causality" }),
        ),
        bad("v1-never-written", v1().u16(14, 0), "not_initialized"),
        bad("v1-torn", v1().u16(14, 9), "not_initialized"),
        bad("v1-version-to-come", v1().u16(12, 9), "version"),
        bad("v1-empty", v1().cut(0), "malformed"),
        bad("v1-cut-in-the-header", v1().cut(15), "malformed"),
        bad("v1-cut-in-the-record", v1().cut(71), "malformed"),
        bad("v1-says-more-than-it-has", v1().u32(8, 4_096), "malformed"),
        bad("v1-says-too-little", v1().u32(8, 64), "malformed"),
        bad("v1-magic", v1().u32(4, 0), "malformed"),
        bad("v1-bound-negative", v1().i64(48, -1), "malformed"),
        bad(
            "v1-drift-out-of-range",
            v1().u32(56, 1_000_000_000),
            "malformed",
        ),
        bad("v1-as-of-no-instant", v1().i64(24, S), "malformed"),
        bad("v1-void-after-negative", v1().i64(32, -1), "malformed"),
        bad("v1-foreign-status", v1().u32(64, 7), "malformed"),
        bad("v1-disrupted", v1().u32(64, 3), "malformed"),
    ]
}

fn v2_ones() -> Vec<Golden> {
    let fine = |name, bytes, elapsed, half: i64, status, reason| {
        let expect = says(elapsed, (half, half), status, reason);
        golden(name, bytes, surroundings(elapsed), expect)
    };
    vec![
        fine("v2-synchronized", v2(), 0, 10_000, "synchronized", "untold"),
        fine("v2-aged", v2(), S, 60_000, "synchronized", "untold"),
        fine(
            "v2-lapses-to-free-running",
            v2(),
            5 * S,
            260_000,
            "free_running",
            "daemon_silent",
        ),
        fine(
            "v2-free-running",
            v2().u32(68, 2),
            0,
            10_000,
            "free_running",
            "untold",
        ),
        fine(
            "v2-disrupted",
            v2().u32(68, 3),
            0,
            10_000,
            "disrupted",
            "untold",
        ),
        // Whether the clock was disrupted only the virtual machine's device knows, which is not read.
        fine(
            "v2-disruptions-told-elsewhere",
            v2().put(72, [1]),
            0,
            10_000,
            "unknown",
            "disrupted",
        ),
        bad("v2-torn", v2().u16(14, 9), "not_initialized"),
        bad("v2-cut-in-the-record", v2().cut(79), "malformed"),
        bad("v2-says-too-little", v2().u32(8, 72), "malformed"),
        bad("v2-bound-negative", v2().i64(48, i64::MIN), "malformed"),
        bad("v2-drift-out-of-range", v2().u32(64, u32::MAX), "malformed"),
        bad("v2-foreign-status", v2().u32(68, 50_000), "malformed"),
    ]
}
