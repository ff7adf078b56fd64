//! Segments for tests, published by the writer of `shm-layout`.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clockbound_client::{Reason, Status};
use nix::time::{ClockId, clock_gettime};
use shm_layout::native::NativeRecord;
use shm_layout::v1::V1Record;
use shm_layout::v3::{Fraction, V3Record};
use shm_layout::writer::{NativeSegment, V1Segment, V2Segment, V3Segment};
use shm_layout::{Disruption, Leap, counter};

pub const S: i64 = 1_000_000_000;
pub const HALF_NS: i64 = 200_000;
pub const DEADLINE: Duration = Duration::from_secs(20);

pub fn clock_ns(clock: ClockId) -> i64 {
    let time = clock_gettime(clock).expect("a clock");
    time.tv_sec() * S + time.tv_nsec()
}

pub fn now_ns() -> i64 {
    clock_ns(ClockId::CLOCK_REALTIME)
}

/// Returns readings of `CLOCK_MONOTONIC_RAW` and `CLOCK_REALTIME` between which the thread was not
/// interrupted.
fn readings() -> (i64, i64) {
    loop {
        let (raw_ns, now_ns) = (clock_ns(ClockId::CLOCK_MONOTONIC_RAW), now_ns());
        if clock_ns(ClockId::CLOCK_MONOTONIC_RAW) - raw_ns < 50_000 {
            return (raw_ns, now_ns);
        }
    }
}

/// Returns the record that a daemon with a clock error bound of `half_ns` writes now.
pub fn native(status: Status, half_ns: i64) -> NativeRecord {
    let (raw_ns, now_ns) = readings();
    NativeRecord {
        as_of_ns: raw_ns,
        earliest_ns: now_ns - half_ns,
        latest_ns: now_ns + half_ns,
        rate: 0,
        growth: 300_000,
        free_running_after_ns: raw_ns + 5 * S,
        void_after_ns: raw_ns + 1_000 * S,
        status,
        reason: Reason::Tracking,
        leap: Leap::Normal,
        source: 1,
        ..NativeRecord::no_claim(raw_ns)
    }
}

pub fn v1(bound_ns: i64) -> V1Record {
    let as_of_ns = clock_ns(ClockId::CLOCK_MONOTONIC_COARSE);
    V1Record {
        as_of_ns,
        void_after_ns: as_of_ns + 1_000 * S,
        bound_ns,
        max_drift_ppb: 50_000,
        status: Status::Synchronized,
        is_simulated: false,
    }
}

/// A directory for segments, removed when dropped.
pub struct SegmentDirectory(pub PathBuf);

impl SegmentDirectory {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "clockbound-client-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        Self(std::env::temp_dir().join(name))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn publish_native(&self, record: &NativeRecord) -> NativeSegment {
        let (segment, _) = NativeSegment::open(&self.path("native")).expect("a segment");
        segment.publish(record);
        segment
    }

    pub fn publish_v1(&self, bound_ns: i64) -> V1Segment {
        let (segment, _) = V1Segment::open(&self.path("shm")).expect("a segment");
        segment.publish(&v1(bound_ns));
        segment
    }

    pub fn publish_v2(&self, bound_ns: i64) -> V2Segment {
        let (segment, _) = V2Segment::open(&self.path("shm0")).expect("a segment");
        segment.publish(&v1(bound_ns).into());
        segment
    }

    pub fn publish_v3(&self, record: &V3Record) -> V3Segment {
        let (segment, _) = V3Segment::open(&self.path("shm1")).expect("a segment");
        segment.publish(record);
        segment
    }
}

impl Drop for SegmentDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the record that a daemon wrote that stopped ten seconds ago.
pub fn silent(record: NativeRecord) -> NativeRecord {
    NativeRecord {
        as_of_ns: record.as_of_ns - 10 * S,
        earliest_ns: record.earliest_ns - 10 * S,
        latest_ns: record.latest_ns - 10 * S,
        free_running_after_ns: record.free_running_after_ns - 10 * S,
        ..record
    }
}

/// Waits until `condition` returns true, at most for [`DEADLINE`].
pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < DEADLINE, "timed out: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Returns the v3 record that a daemon with a clock error bound of `bound_ns` writes now, or `None`
/// where a program cannot read the counter.
pub fn v3(bound_ns: i64) -> Option<V3Record> {
    /// The period of the counter. Wrong by less than 0.1 %, for which the bound grows.
    static PERIOD: OnceLock<Fraction> = OnceLock::new();
    let period = *PERIOD.get_or_init(|| {
        let reading = || (clock_ns(ClockId::CLOCK_MONOTONIC_RAW), counter::read());
        let (begun_ns, Some(begun)) = reading() else {
            return Fraction::default();
        };
        thread::sleep(Duration::from_millis(50));
        let (ended_ns, ended) = reading();
        let ticks = u128::from(ended.expect("as before") - begun);
        let ns = u128::from((ended_ns - begun_ns).unsigned_abs());
        let frac = (ns << 88) / (ticks * u128::from(S.unsigned_abs()));
        Fraction {
            frac: frac.try_into().expect("a counter of at least 17 MHz"),
            shift: 24,
        }
    });
    let as_of_counter = counter::read()?;
    let as_of_ns = now_ns();
    Some(V3Record {
        as_of_counter,
        as_of_ns,
        void_after_ns: as_of_ns + 1_000 * S,
        period,
        period_error: Fraction::default(),
        bound_ns,
        disruption: Disruption::default(),
        max_drift_ppb: 1_000_000,
        status: Status::Synchronized,
        is_simulated: false,
    })
}

/// A file in the place of the VMClock device, removed with the directory.
pub struct VmClockPage(pub PathBuf, File);

impl VmClockPage {
    pub fn new(path: PathBuf, marker: u64) -> Self {
        let mut bytes = [0; 4_096];
        bytes[..4].copy_from_slice(b"VCLK");
        bytes[4..8].copy_from_slice(&4_096_u32.to_le_bytes());
        bytes[8] = 1;
        fs::create_dir_all(path.parent().expect("a directory")).expect("created");
        fs::write(&path, bytes).expect("written");
        let file = File::options().write(true).open(&path).expect("a file");
        let page = Self(path, file);
        page.put(16, &marker.to_le_bytes());
        page
    }

    pub fn put(&self, offset: u64, bytes: &[u8]) {
        self.1.write_all_at(bytes, offset).expect("written");
    }

    pub fn set_marker(&self, marker: u64) {
        self.put(16, &marker.to_le_bytes());
    }
}
