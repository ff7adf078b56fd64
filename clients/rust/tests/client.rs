//! A client on segments that are created, replaced and deleted.

mod segments;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clockbound_client::conformance::follow_at_once;
use clockbound_client::{Client, Error, Layout, OpenOptions, Reason, StampError, Status};
use nix::time::ClockId;
use shm_layout::layout::Layout as _;
use shm_layout::native::NativeRecord;
use shm_layout::v3::{V3, V3Record};

use segments::{
    DEADLINE, HALF_NS, S, SegmentDirectory, clock_ns, native, now_ns, silent, v1, v3, wait_until,
};

fn bound_of(path: &Path) -> i64 {
    let client = Client::open_at(path).expect("a client");
    client.now().expect("an interval").bound_ns()
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
fn a_v3_segment_is_read_with_the_counter() {
    let directory = SegmentDirectory::new();
    let Some(record) = v3(HALF_NS) else {
        let _ = writeln!(
            std::io::stdout(),
            "skipped: v3: a program cannot read the counter"
        );
        return;
    };
    let segment = directory.publish_v3(&record);
    for path in [directory.path("shm1"), directory.0.clone()] {
        let client = Client::open_at(path).expect("a client");
        for _ in 0..3 {
            let (before_ns, now, after_ns) = (now_ns(), client.now(), now_ns());
            let now = now.expect("an interval");
            assert!(
                now.earliest_ns() <= after_ns && before_ns <= now.latest_ns(),
                "{before_ns} {now} {after_ns}"
            );
            assert_eq!(
                (now.status(), now.reason()),
                (Status::Synchronized, Reason::Untold)
            );
        }
        let details = client.record().expect("a record");
        assert_eq!(details.layout.to_string(), "v3");
        assert_eq!(details.as_of_ns, record.as_of_ns);
        assert!((0..=now_ns() - record.as_of_ns + S).contains(&details.age_ns));
        assert_eq!((details.leap, details.source), (None, None));
        assert!(matches!(client.interval_at(0), Err(Error::NotNative)));
        let stamp = client.interval_at_realtime(0);
        assert!(matches!(stamp, Err(Error::NotNative)), "{stamp:?}");
        // A counter that started again has a value before that of the record.
        segment.publish(&V3Record {
            as_of_counter: u64::MAX,
            ..record
        });
        let ahead = client.now();
        assert!(
            matches!(ahead, Err(Error::Causality { ahead_ns: S.. })),
            "{ahead:?}"
        );
        segment.publish(&record);
        assert!(client.now().is_ok());
    }
    // Any other layout precedes it in a directory.
    directory.publish_v1(HALF_NS);
    let client = Client::open_at(&directory.0).expect("a client");
    assert_eq!(client.record().expect("a record").layout, Layout::V1);
}

#[test]
fn a_v3_record_without_a_claim_is_not_preferred_to_a_trusted_one_of_a_daemon_that_stopped() {
    let directory = SegmentDirectory::new();
    directory.publish_native(&silent(native(Status::Synchronized, HALF_NS)));
    directory.publish_v3(&V3::no_claim(now_ns()));
    let client = Client::open_at(&directory.0).expect("a client");
    assert_eq!(client.record().expect("a record").layout, Layout::Native);
    let now = client.now().expect("an interval");
    assert_eq!(now.status(), Status::FreeRunning);
}

#[test]
fn a_client_follows_a_v3_file_that_was_replaced() {
    let directory = SegmentDirectory::new();
    let Some(record) = v3(HALF_NS) else {
        let _ = writeln!(
            std::io::stdout(),
            "skipped: v3: a program cannot read the counter"
        );
        return;
    };
    let seconds = |ns: i64| {
        let seconds = u128::from((ns / S).unsigned_abs());
        let ticks = (seconds << 88) / u128::from(record.period.frac);
        u64::try_from(ticks).expect("64 bits")
    };
    // The daemon stopped ten seconds ago.
    let late = V3Record {
        as_of_counter: record.as_of_counter - seconds(10 * S),
        as_of_ns: record.as_of_ns - 10 * S,
        ..record
    };
    drop(directory.publish_v3(&late));
    let path = directory.path("shm1");
    let client = Client::open_at(&path).expect("a client");
    assert_eq!(client.record().expect("a record").age_ns / S, 10);
    fs::remove_file(&path).expect("removed");
    let segment = directory.publish_v3(&record);
    wait_until("the client reads the new file", || {
        client.record().expect("a record").age_ns < 9 * S
    });
    // The status of a record that is not renewed is as with the published clients.
    for (age_ns, expected) in [
        (59 * S, (Status::Synchronized, Reason::Untold)),
        (61 * S, (Status::FreeRunning, Reason::DaemonSilent)),
        (1_001 * S, (Status::Unknown, Reason::HoldoverExpired)),
    ] {
        let now = v3(HALF_NS).expect("a counter");
        segment.publish(&V3Record {
            as_of_counter: now.as_of_counter - seconds(age_ns),
            as_of_ns: now.as_of_ns - age_ns,
            void_after_ns: now.void_after_ns - age_ns,
            ..now
        });
        let now = client.now().expect("an interval");
        assert_eq!((now.status(), now.reason()), expected);
    }
}

#[test]
fn a_live_segment_is_preferred_to_a_dead_or_retired_native_one() {
    let directory = SegmentDirectory::new();
    let live = native(Status::Synchronized, 5_000_000);
    let segment = directory.publish_native(&silent(live));
    directory.publish_v2(1_000_000);
    let layout_of = |client: &Client| client.record().expect("a record").layout;
    let open = || Client::open_at(&directory.0).expect("a client");
    assert_eq!(layout_of(&open()), Layout::V2);
    // A client changes when the daemon stops to publish the native segment, or retires it.
    for stopped in [
        silent(live),
        NativeRecord {
            status: Status::Unknown,
            reason: Reason::Retired,
            ..native(Status::Synchronized, HALF_NS)
        },
    ] {
        segment.publish(&native(Status::Synchronized, 5_000_000));
        let client = open();
        assert_eq!(layout_of(&client), Layout::Native);
        segment.publish(&stopped);
        let begun = Instant::now();
        directory.publish_v2(1_000_000);
        wait_until("the client reads the v2 segment", || {
            directory.publish_v2(1_000_000);
            let bound_ns = client.now().expect("an interval").bound_ns();
            (1_000_000..2_000_000).contains(&bound_ns)
        });
        assert!(begun.elapsed() < DEADLINE);
        assert_eq!(layout_of(&client), Layout::V2);
    }
}

#[test]
fn a_file_whose_first_write_is_unfinished_is_not_followed() {
    let directory = SegmentDirectory::new();
    directory.publish_native(&native(Status::Synchronized, HALF_NS));
    let path = directory.path("native");
    let client = Client::open_at(&path).expect("a client");
    let mut bytes = fs::read(&path).expect("a segment");
    bytes[64..72].copy_from_slice(&1_u64.to_ne_bytes());
    fs::remove_file(&path).expect("removed");
    fs::write(&path, &bytes).expect("written");
    for _ in 0..3 {
        assert!(!follow_at_once(&client));
        let now = client.now().expect("the interval of the held record");
        assert!(
            now.status().is_trusted() && now.bound_ns() < 1_000_000,
            "{now}"
        );
    }
    bytes[64..72].copy_from_slice(&2_u64.to_ne_bytes());
    fs::remove_file(&path).expect("removed");
    fs::write(&path, &bytes).expect("written");
    assert!(follow_at_once(&client));
    assert!(!follow_at_once(&client));
}

#[test]
fn ten_thousand_replaced_files_keep_two_maps_under_reading_threads() {
    const WIDE_NS: i64 = 100_000_000;
    let directory = SegmentDirectory::new();
    directory.publish_native(&native(Status::Synchronized, WIDE_NS));
    directory.publish_v2(WIDE_NS);
    let templates = ["native", "shm0"].map(|name| fs::read(directory.path(name)).expect("a file"));
    let path = directory.path("current");
    // The ages differ by half a second, so that words of two files give a false interval.
    let replace = |n: usize| {
        let age_ns = i64::try_from(n % 7).expect("small") * S / 2;
        let mut bytes = templates[n % 2].clone();
        let mut put = |offset: usize, number: i64| {
            bytes[offset..offset + 8].copy_from_slice(&number.to_ne_bytes());
        };
        if n.is_multiple_of(2) {
            let record = native(Status::Synchronized, WIDE_NS);
            put(72, record.as_of_ns - age_ns);
            put(80, record.earliest_ns - age_ns);
            put(88, record.latest_ns - age_ns);
        } else {
            let as_of_ns = v1(WIDE_NS).as_of_ns - age_ns;
            put(16, as_of_ns / S);
            put(24, as_of_ns % S);
        }
        fs::write(directory.path("next"), bytes).expect("written");
        fs::rename(directory.path("next"), &path).expect("renamed");
    };
    replace(0);
    let client = Client::open_at(&path).expect("a client");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let (before, now, after) = (now_ns(), client.now(), now_ns());
                    let now = now.expect("an interval");
                    assert!(
                        now.earliest_ns() <= after && before <= now.latest_ns(),
                        "{before} .. {after}: {now}"
                    );
                    assert!(
                        now.status().is_trusted() && now.bound_ns() < 2 * WIDE_NS,
                        "{now}"
                    );
                }
            });
        }
        for n in 1..=10_000 {
            replace(n);
            assert!(follow_at_once(&client), "file {n}");
        }
        done.store(true, Ordering::Relaxed);
    });
    let maps = fs::read_to_string("/proc/self/maps").expect("the maps");
    let own = directory.0.to_str().expect("UTF-8");
    let own = maps.lines().filter(|line| line.contains(own));
    assert_eq!(own.count(), 2);
}

#[test]
fn a_client_that_does_not_follow_keeps_its_file() {
    let directory = SegmentDirectory::new();
    directory.publish_native(&silent(native(Status::Synchronized, HALF_NS)));
    let options = OpenOptions::new().path(&directory.0).follow(false);
    let client = options.open().expect("a client");
    fs::remove_dir_all(&directory.0).expect("removed");
    let _segment = directory.publish_native(&native(Status::Synchronized, HALF_NS));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(200) {
        let now = client.now().expect("an interval");
        assert_eq!(now.reason(), Reason::DaemonSilent);
    }
    assert!(!follow_at_once(&client));
}

#[test]
fn commit_wait_ends_when_the_status_becomes_unknown() {
    let directory = SegmentDirectory::new();
    let record = native(Status::Synchronized, HALF_NS);
    directory.publish_native(&NativeRecord {
        void_after_ns: record.as_of_ns + S / 2,
        ..record
    });
    let client = Client::open_at(&directory.0).expect("a client");
    let begun = Instant::now();
    let ended = client.commit_wait_ns(now_ns() + 60 * S);
    assert!(
        matches!(
            ended,
            Err(Error::Untrusted {
                status: Status::Unknown,
                reason: Reason::HoldoverExpired,
            })
        ),
        "{ended:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn commit_wait_ends_after_the_timeout_and_saturates_far_times() {
    let directory = SegmentDirectory::new();
    directory.publish_native(&native(Status::Synchronized, HALF_NS));
    let client = Client::open_at(&directory.0).expect("a client");
    let year_9999 = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    let year_1 = UNIX_EPOCH - Duration::from_secs(62_135_596_800);
    let timeout = Duration::from_millis(20);
    for never in [year_9999, SystemTime::now() + Duration::from_secs(3_600)] {
        let begun = Instant::now();
        let ended = client.commit_wait_timeout(never, timeout);
        assert!(matches!(ended, Err(Error::TimedOut)), "{ended:?}");
        assert!(begun.elapsed() >= timeout);
    }
    for past in [year_1, UNIX_EPOCH] {
        for timeout in [Duration::ZERO, Duration::MAX] {
            let passed = client.commit_wait_timeout(past, timeout);
            assert!(passed.expect("passed").is_after(past));
        }
    }
}

#[test]
fn a_reading_of_the_system_clock_is_converted() {
    let directory = SegmentDirectory::new();
    let record = native(Status::Synchronized, HALF_NS);
    let comparable = NativeRecord {
        valid_since_ns: record.as_of_ns - 100 * S,
        realtime_since_ns: record.as_of_ns - 50 * S,
        // The test may run on a clock that is slewed.
        realtime_slowest: -(1 << 22),
        realtime_fastest: 1 << 22,
        realtime_error_ns: 1_000_000,
        realtime_ns: record.earliest_ns + HALF_NS,
        ..record
    };
    let segment = directory.publish_native(&comparable);
    let client = Client::open_at(&directory.0).expect("a client");
    for stamp_ns in [now_ns(), now_ns() - 10 * S] {
        let then = client.interval_at_realtime(stamp_ns).expect("known");
        assert!(
            (then.earliest_ns()..=then.latest_ns()).contains(&stamp_ns),
            "{stamp_ns}: {then}"
        );
        assert_eq!(then.status(), Status::Synchronized);
    }
    let stamp_error = |stamp_ns| match client.interval_at_realtime(stamp_ns) {
        Err(Error::Stamp(err)) => err,
        other => panic!("{other:?}"),
    };
    assert_eq!(stamp_error(now_ns() + 10 * S), StampError::InFuture);
    assert_eq!(stamp_error(now_ns() - 60 * S), StampError::TooLongAgo);
    segment.publish(&NativeRecord {
        realtime_ns: comparable.realtime_ns - S,
        ..comparable
    });
    assert_eq!(stamp_error(now_ns()), StampError::ClockChanged);
    segment.publish(&record);
    assert_eq!(stamp_error(now_ns()), StampError::NotRecorded);
}

#[test]
fn the_details_of_a_record_are_those_that_were_published() {
    let directory = SegmentDirectory::new();
    let record = native(Status::FreeRunning, HALF_NS);
    directory.publish_native(&NativeRecord {
        valid_since_ns: record.as_of_ns - S,
        publication_interval_us: 100_000,
        ..record
    });
    let client = Client::open_at(&directory.0).expect("a client");
    let details = client.record().expect("a record");
    let raw_ns = clock_ns(ClockId::CLOCK_MONOTONIC_RAW);
    assert_eq!(details.layout.to_string(), "native");
    assert_eq!(details.as_of_ns, record.as_of_ns);
    assert!((0..=raw_ns - record.as_of_ns).contains(&details.age_ns));
    assert_eq!(
        (details.status, details.reason),
        (Status::FreeRunning, Reason::Tracking)
    );
    assert_eq!((details.leap, details.source), (Some(record.leap), Some(1)));
    assert_eq!(details.valid_since_ns, Some(record.as_of_ns - S));
    assert_eq!(
        details.publication_interval,
        Some(Duration::from_millis(100))
    );
}
