//! A client on segments that are created, replaced and deleted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clockbound_client::{Client, Error, Reason, Status};
use nix::time::{ClockId, clock_gettime};
use shm_layout::Leap;
use shm_layout::native::NativeRecord;
use shm_layout::v1::V1Record;
use shm_layout::v2::V2Record;
use shm_layout::writer::{NativeSegment, V1Segment, V2Segment};

const S: i64 = 1_000_000_000;
const HALF_NS: i64 = 200_000;
const DEADLINE: Duration = Duration::from_secs(20);

fn clock_ns(clock: ClockId) -> i64 {
    let time = clock_gettime(clock).expect("a clock");
    time.tv_sec() * S + time.tv_nsec()
}

fn now_ns() -> i64 {
    clock_ns(ClockId::CLOCK_REALTIME)
}

/// Returns the record that a daemon with a clock error bound of `half_ns` writes now.
fn native(status: Status, half_ns: i64) -> NativeRecord {
    let (raw_ns, now_ns) = (clock_ns(ClockId::CLOCK_MONOTONIC_RAW), now_ns());
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

fn v1(bound_ns: i64) -> V1Record {
    let as_of_ns = clock_ns(ClockId::CLOCK_MONOTONIC_COARSE);
    V1Record {
        as_of_ns,
        void_after_ns: as_of_ns + 1_000 * S,
        bound_ns,
        max_drift_ppb: 50_000,
        status: Status::Synchronized,
    }
}

/// A directory for segments, removed when dropped.
struct SegmentDirectory(PathBuf);

impl SegmentDirectory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "clockbound-client-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        Self(std::env::temp_dir().join(name))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn publish_native(&self, record: &NativeRecord) -> NativeSegment {
        let (segment, _) = NativeSegment::open(&self.path("native")).expect("a segment");
        segment.publish(record);
        segment
    }

    fn publish_v1(&self, bound_ns: i64) {
        let (segment, _) = V1Segment::open(&self.path("shm")).expect("a segment");
        segment.publish(&v1(bound_ns));
    }

    fn publish_v2(&self, bound_ns: i64) {
        let (segment, _) = V2Segment::open(&self.path("shm0")).expect("a segment");
        segment.publish(&v1(bound_ns).into());
    }
}

impl Drop for SegmentDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn bound_of(path: &Path) -> i64 {
    let client = Client::open_at(path).expect("a client");
    client.now().expect("an interval").bound_ns()
}

/// Waits until `condition` returns true, at most for [`DEADLINE`].
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < DEADLINE, "timed out: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn open_prefers_native_to_v2_and_v2_to_v1_in_a_directory() {
    let directory = SegmentDirectory::new();
    directory.publish_v1(1_000_000);
    assert!((1_000_000..2_000_000).contains(&bound_of(&directory.0)));
    directory.publish_v2(3_000_000);
    assert!((3_000_000..4_000_000).contains(&bound_of(&directory.0)));
    directory.publish_native(&native(Status::Synchronized, 5_000_000));
    assert!((5_000_000..6_000_000).contains(&bound_of(&directory.0)));
    // Each layout alone, independent of the file name.
    for (name, least) in [
        ("shm", 1_000_000),
        ("shm0", 3_000_000),
        ("native", 5_000_000),
    ] {
        fs::rename(directory.path(name), directory.path("x")).expect("renamed");
        let bound_ns = bound_of(&directory.path("x"));
        assert!((least..least + 1_000_000).contains(&bound_ns), "{name}");
        fs::rename(directory.path("x"), directory.path(name)).expect("renamed");
    }
    // A segment of an unsupported version is skipped, and so is a damaged one.
    let mut bytes = fs::read(directory.path("native")).expect("a file");
    bytes[12] = 9;
    fs::write(directory.path("native"), &bytes).expect("written");
    assert!((3_000_000..4_000_000).contains(&bound_of(&directory.0)));
    fs::write(directory.path("native"), "nonsense").expect("written");
    assert!((3_000_000..4_000_000).contains(&bound_of(&directory.0)));
    let damaged = Client::open_at(directory.path("native"));
    assert!(matches!(damaged, Err(Error::Open { .. })), "{damaged:?}");
}

#[test]
fn open_without_a_segment_suggests_to_start_the_daemon() {
    let directory = SegmentDirectory::new();
    for path in [directory.0.clone(), directory.path("shm"), "/proc".into()] {
        let err = Client::open_at(&path).expect_err("no segment");
        assert!(err.to_string().contains("is clockbound running"), "{err}");
    }
}

#[test]
fn a_native_segment_of_an_earlier_boot_is_refused() {
    let directory = SegmentDirectory::new();
    drop(directory.publish_native(&native(Status::Synchronized, HALF_NS)));
    let mut bytes = fs::read(directory.path("native")).expect("a file");
    bytes[16] ^= 1;
    fs::write(directory.path("native"), bytes).expect("written");
    let refused = Client::open_at(&directory.0);
    assert!(
        matches!(refused, Err(Error::EarlierBoot { .. })),
        "{refused:?}"
    );
}

#[test]
fn open_when_ready_waits_for_a_trusted_and_narrow_interval() {
    let directory = SegmentDirectory::new();
    let max_bound = Some(Duration::from_millis(1));
    let wait = |timeout| Client::open_when_ready_at(&directory.0, timeout, max_bound);
    let short = Duration::from_millis(20);
    let missing = wait(short).expect_err("no segment").to_string();
    assert!(missing.contains("is clockbound running"), "{missing}");
    let segment = thread::scope(|scope| {
        let ready = scope.spawn(|| wait(DEADLINE));
        let segment = directory.publish_native(&native(Status::Unknown, HALF_NS));
        thread::sleep(short);
        segment.publish(&native(Status::Synchronized, 50_000_000));
        thread::sleep(short);
        assert!(!ready.is_finished());
        segment.publish(&native(Status::Synchronized, HALF_NS));
        let client = ready.join().expect("no panic").expect("ready");
        assert!(client.now().expect("an interval").bound() < Duration::from_millis(1));
        segment
    });
    segment.publish(&native(Status::Synchronized, 50_000_000));
    let too_wide = wait(short).expect_err("too wide").to_string();
    assert!(too_wide.contains("exceeds 1ms"), "{too_wide}");
}

#[test]
fn a_client_follows_replaced_files_in_all_threads() {
    let directory = SegmentDirectory::new();
    directory.publish_native(&native(Status::Synchronized, HALF_NS));
    let client = Client::open_at(&directory.0).expect("a client");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let (before, now, after) = (now_ns(), client.now(), now_ns());
                    let now = now.expect("an interval");
                    assert!(
                        now.earliest_ns() <= after && before <= now.latest_ns(),
                        "{now:?}"
                    );
                }
            });
        }
        for half_ns in [3_000_000, 4_000_000, 5_000_000] {
            fs::remove_dir_all(&directory.0).expect("removed");
            let _segment = directory.publish_native(&native(Status::Synchronized, half_ns));
            wait_until("the client reads the new file", || {
                let bound_ns = client.now().expect("an interval").bound_ns();
                (half_ns..half_ns + 1_000_000).contains(&bound_ns)
            });
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_client_changes_to_a_preferred_layout_created_later() {
    let directory = SegmentDirectory::new();
    directory.publish_v1(1_000_000);
    let client = Client::open_at(&directory.0).expect("a client");
    directory.publish_native(&native(Status::Synchronized, 5_000_000));
    wait_until("the client reads the native segment", || {
        client.now().expect("an interval").reason() == Reason::Tracking
    });
}

#[test]
fn a_client_does_not_follow_a_file_that_is_not_a_segment() {
    let directory = SegmentDirectory::new();
    directory.publish_native(&native(Status::Synchronized, HALF_NS));
    let client = Client::open_at(directory.path("native")).expect("a client");
    fs::remove_file(directory.path("native")).expect("removed");
    fs::write(directory.path("native"), "nonsense").expect("written");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(200) {
        assert!(client.now().expect("an interval").bound_ns() < 1_000_000);
    }
}

#[test]
fn commit_wait_returns_after_the_time_has_certainly_passed() {
    let directory = SegmentDirectory::new();
    let segment = directory.publish_native(&native(Status::Synchronized, HALF_NS));
    let client = Client::open_at(&directory.0).expect("a client");
    let t_ns = client.now().expect("an interval").latest_ns();
    let interval = client.commit_wait_ns(t_ns).expect("passed");
    assert!(interval.earliest_ns() > t_ns && now_ns() > t_ns);
    let past = client.commit_wait(UNIX_EPOCH).expect("passed long ago");
    assert!(past.is_after(UNIX_EPOCH) && !past.is_before(SystemTime::now()));
    segment.publish(&native(Status::Unknown, HALF_NS));
    let untrusted = client.commit_wait_ns(0).expect_err("an untrusted status");
    assert_eq!(
        untrusted.to_string(),
        "the clock status is unknown, tracking"
    );
}

#[test]
fn timing_reads_the_interval_before_and_after_the_call() {
    let directory = SegmentDirectory::new();
    directory.publish_native(&native(Status::Synchronized, 1_000));
    let client = Client::open_at(&directory.0).expect("a client");
    let timed = client.timing(|| {
        thread::sleep(Duration::from_millis(5));
        7
    });
    let (began, ended) = (timed.began.expect("before"), timed.ended.expect("after"));
    assert_eq!(timed.value, 7);
    assert!(began < ended, "{began:?} {ended:?}");
}

#[test]
fn interval_at_covers_the_time_since_which_the_record_is_valid() {
    let directory = SegmentDirectory::new();
    let record = native(Status::Synchronized, HALF_NS);
    let segment = directory.publish_native(&NativeRecord {
        valid_since_ns: record.as_of_ns - 20 * S,
        ..record
    });
    let client = Client::open_at(&directory.0).expect("a client");
    let (raw_ns, then_ns) = (clock_ns(ClockId::CLOCK_MONOTONIC_RAW), now_ns());
    let at = |ns: i64| client.interval_at(raw_ns + ns);
    let past = at(-10 * S).expect("known");
    assert!((past.earliest_ns()..=past.latest_ns()).contains(&(then_ns - 10 * S)));
    assert!(past.bound_ns() > at(0).expect("known").bound_ns());
    assert_eq!(at(6 * S).expect("known").status(), Status::FreeRunning);
    assert_eq!(at(1_001 * S).expect("known").status(), Status::Unknown);
    let before = at(-22 * S);
    assert!(
        matches!(before, Err(Error::TooLongAgo { before_ns: S.. })),
        "{before:?}"
    );
    // The machine was suspended: the daemon publishes a record that is valid since then.
    let resumed = native(Status::Synchronized, HALF_NS);
    segment.publish(&NativeRecord {
        valid_since_ns: resumed.as_of_ns,
        ..resumed
    });
    assert!(at(-10 * S).is_err_and(|err| err.is_not_known()));
    directory.publish_v1(1_000);
    let old = Client::open_at(directory.path("shm")).expect("a client");
    assert!(matches!(old.interval_at(raw_ns), Err(Error::NotNative)));
}

#[test]
fn a_v2_segment_with_disruption_support_reads_as_unknown() {
    let directory = SegmentDirectory::new();
    let (segment, _) = V2Segment::open(&directory.path("shm0")).expect("a segment");
    for (disruption_supported, expected) in [
        (false, (Status::Synchronized, Reason::Untold)),
        (true, (Status::Unknown, Reason::Disrupted)),
    ] {
        segment.publish(&V2Record {
            disruption_supported,
            ..v1(HALF_NS).into()
        });
        let client = Client::open_at(directory.path("shm0")).expect("a segment");
        for _ in 0..2 {
            let now = client.now().expect("an interval");
            assert_eq!((now.status(), now.reason()), expected);
        }
    }
}
