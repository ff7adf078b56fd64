//! A program's handle on segments that come, go and are replaced.

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
const PATIENCE: Duration = Duration::from_secs(20);

fn clock_ns(clock: ClockId) -> i64 {
    let time = clock_gettime(clock).expect("a clock");
    time.tv_sec() * S + time.tv_nsec()
}

fn now_ns() -> i64 {
    clock_ns(ClockId::CLOCK_REALTIME)
}

/// What a daemon would write now that knows the time to within `half_ns`.
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
        suspended_ns: 0,
        realtime_ns: 0,
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

/// A directory that a daemon might publish in; removed when dropped.
struct Bench(PathBuf);

impl Bench {
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

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn bound_of(path: &Path) -> i64 {
    let client = Client::open_at(path).expect("a client");
    client.now().expect("an interval").bound_ns()
}

/// Waits until `cond` holds.
fn until(what: &str, cond: impl Fn() -> bool) {
    let begun = Instant::now();
    while !cond() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn of_a_directory_the_best_layout_is_taken() {
    let bench = Bench::new();
    bench.publish_v1(1_000_000);
    assert!((1_000_000..2_000_000).contains(&bound_of(&bench.0)));
    bench.publish_v2(3_000_000);
    assert!((3_000_000..4_000_000).contains(&bound_of(&bench.0)));
    bench.publish_native(&native(Status::Synchronized, 5_000_000));
    assert!((5_000_000..6_000_000).contains(&bound_of(&bench.0)));
    // Each alone, too, whatever its name is.
    for (name, least) in [
        ("shm", 1_000_000),
        ("shm0", 3_000_000),
        ("native", 5_000_000),
    ] {
        fs::rename(bench.path(name), bench.path("x")).expect("renamed");
        let bound_ns = bound_of(&bench.path("x"));
        assert!((least..least + 1_000_000).contains(&bound_ns), "{name}");
        fs::rename(bench.path("x"), bench.path(name)).expect("renamed");
    }
    // One of a version to come leaves the others; one that is damaged does not hide behind them.
    let mut bytes = fs::read(bench.path("native")).expect("a file");
    bytes[12] = 9;
    fs::write(bench.path("native"), &bytes).expect("written");
    assert!((3_000_000..4_000_000).contains(&bound_of(&bench.0)));
    fs::write(bench.path("native"), "nonsense").expect("written");
    let damaged = Client::open_at(&bench.0);
    assert!(matches!(damaged, Err(Error::Open { .. })), "{damaged:?}");
}

#[test]
fn without_a_daemon_the_error_says_what_to_do() {
    let bench = Bench::new();
    for path in [bench.0.clone(), bench.path("shm"), "/proc".into()] {
        let err = Client::open_at(&path).expect_err("nothing there");
        assert!(err.to_string().contains("is clockbound running"), "{err}");
    }
}

#[test]
fn a_native_segment_of_an_earlier_boot_is_refused() {
    let bench = Bench::new();
    drop(bench.publish_native(&native(Status::Synchronized, HALF_NS)));
    let mut bytes = fs::read(bench.path("native")).expect("a file");
    bytes[16] ^= 1;
    fs::write(bench.path("native"), bytes).expect("written");
    let refused = Client::open_at(&bench.0);
    assert!(
        matches!(refused, Err(Error::EarlierBoot { .. })),
        "{refused:?}"
    );
}

#[test]
fn waiting_ends_with_an_interval_that_is_trusted_and_narrow_enough() {
    let bench = Bench::new();
    let max_bound = Some(Duration::from_millis(1));
    let wait = |patience| Client::open_when_ready_at(&bench.0, patience, max_bound);
    let short = Duration::from_millis(20);
    let nobody = wait(short).expect_err("nothing there").to_string();
    assert!(nobody.contains("is clockbound running"), "{nobody}");
    let segment = thread::scope(|scope| {
        let ready = scope.spawn(|| wait(PATIENCE));
        let segment = bench.publish_native(&native(Status::Unknown, HALF_NS));
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
    assert!(too_wide.contains("wider than 1ms"), "{too_wide}");
}

#[test]
fn a_file_that_is_replaced_is_followed_by_one_handle_in_all_threads() {
    let bench = Bench::new();
    bench.publish_native(&native(Status::Synchronized, HALF_NS));
    let client = Client::open_at(&bench.0).expect("a client");
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
            fs::remove_dir_all(&bench.0).expect("removed");
            let _segment = bench.publish_native(&native(Status::Synchronized, half_ns));
            until("the new file is followed", || {
                let bound_ns = client.now().expect("an interval").bound_ns();
                (half_ns..half_ns + 1_000_000).contains(&bound_ns)
            });
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_better_layout_that_comes_later_is_followed() {
    let bench = Bench::new();
    bench.publish_v1(1_000_000);
    let client = Client::open_at(&bench.0).expect("a client");
    bench.publish_native(&native(Status::Synchronized, 5_000_000));
    until("native is followed", || {
        client.now().expect("an interval").reason() == Reason::Tracking
    });
}

#[test]
fn what_is_no_segment_is_not_followed() {
    let bench = Bench::new();
    bench.publish_native(&native(Status::Synchronized, HALF_NS));
    let client = Client::open_at(bench.path("native")).expect("a client");
    fs::remove_file(bench.path("native")).expect("removed");
    fs::write(bench.path("native"), "nonsense").expect("written");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(200) {
        assert!(client.now().expect("an interval").bound_ns() < 1_000_000);
    }
}

#[test]
fn a_commit_wait_returns_when_the_time_has_certainly_passed() {
    let bench = Bench::new();
    let segment = bench.publish_native(&native(Status::Synchronized, HALF_NS));
    let client = Client::open_at(&bench.0).expect("a client");
    let t_ns = client.now().expect("an interval").latest_ns();
    let interval = client.commit_wait_ns(t_ns).expect("passed");
    assert!(interval.earliest_ns() > t_ns && now_ns() > t_ns);
    let past = client.commit_wait(UNIX_EPOCH).expect("passed long ago");
    assert!(past.is_after(UNIX_EPOCH) && !past.is_before(SystemTime::now()));
    segment.publish(&native(Status::Unknown, HALF_NS));
    let untrusted = client.commit_wait_ns(0).expect_err("nothing is claimed");
    assert_eq!(
        untrusted.to_string(),
        "the clock status is unknown, tracking"
    );
}

#[test]
fn a_call_is_timed_by_what_came_before_and_after() {
    let bench = Bench::new();
    bench.publish_native(&native(Status::Synchronized, 1_000));
    let client = Client::open_at(&bench.0).expect("a client");
    let timed = client.timing(|| {
        thread::sleep(Duration::from_millis(5));
        7
    });
    let (began, ended) = (timed.began.expect("before"), timed.ended.expect("after"));
    assert_eq!(timed.value, 7);
    assert!(began < ended, "{began:?} {ended:?}");
}

#[test]
fn another_instant_has_its_interval_within_the_records_life() {
    let bench = Bench::new();
    bench.publish_native(&native(Status::Synchronized, HALF_NS));
    let client = Client::open_at(&bench.0).expect("a client");
    let (raw_ns, then_ns) = (clock_ns(ClockId::CLOCK_MONOTONIC_RAW), now_ns());
    let at = |ns: i64| client.interval_at(raw_ns + ns);
    let past = at(-10 * S).expect("known");
    assert!((past.earliest_ns()..=past.latest_ns()).contains(&(then_ns - 10 * S)));
    assert!(past.bound_ns() > at(0).expect("known").bound_ns());
    assert_eq!(at(6 * S).expect("known").status(), Status::FreeRunning);
    assert_eq!(at(1_001 * S).expect("known").status(), Status::Unknown);
    assert!(matches!(at(-1_001 * S), Err(Error::TooLongAgo { .. })));
    bench.publish_v1(1_000);
    let old = Client::open_at(bench.path("shm")).expect("a client");
    assert!(matches!(old.interval_at(raw_ns), Err(Error::NotNative)));
}

#[test]
fn a_v2_segment_that_tells_of_disruptions_claims_nothing() {
    let bench = Bench::new();
    let (segment, _) = V2Segment::open(&bench.path("shm0")).expect("a segment");
    for (disruption_supported, expected) in [
        (false, (Status::Synchronized, Reason::Untold)),
        (true, (Status::Unknown, Reason::Disrupted)),
    ] {
        segment.publish(&V2Record {
            disruption_supported,
            ..v1(HALF_NS).into()
        });
        let client = Client::open_at(bench.path("shm0")).expect("a segment");
        for _ in 0..2 {
            let now = client.now().expect("an interval");
            assert_eq!((now.status(), now.reason()), expected);
        }
    }
}
