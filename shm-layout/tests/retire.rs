//! Retiring a segment that is not published any more.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use shm_layout::layout::Layout;
use shm_layout::native::{Native, NativeRecord};
use shm_layout::reader::{NativeReader, Reader};
use shm_layout::v1::{V1, V1Record};
use shm_layout::v2::V2;
use shm_layout::writer::{NativeSegment, OpenErrorKind, Segment, V1Segment, retire};
use shm_layout::{ClockStatus, Reason};
use tempfile::TempDir;

const BOUND: V1Record = V1Record {
    as_of_ns: 1,
    void_after_ns: i64::MAX / 2,
    bound_ns: 4_000,
    max_drift_ppb: 50_000,
    status: ClockStatus::Synchronized,
    is_simulated: false,
};

/// A temporary directory, removed when dropped.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("segment")
    }

    fn lock_path(&self) -> PathBuf {
        self.0.path().join("segment.lock")
    }
}

/// The record of a synchronized daemon.
fn native() -> NativeRecord {
    NativeRecord {
        status: ClockStatus::Synchronized,
        void_after_ns: i64::MAX / 2,
        free_running_after_ns: i64::MAX / 2,
        ..NativeRecord::no_claim(1)
    }
}

/// Publishes a record at `path` and closes the segment.
fn publish<L: Layout>(path: &Path, record: &L::Record) {
    let (segment, _) = Segment::<L>::open(path).expect("a segment");
    segment.publish(record);
}

/// Publishes a record and retires the segment; returns what a reader that has it mapped reads then.
fn retired<L: Layout>(record: &L::Record) -> L::Record {
    let bench = Bench::new();
    publish::<L>(&bench.path(), record);
    let reader = Reader::<L>::open(&bench.path()).expect("a reader");
    assert_eq!(reader.snapshot().expect("a record"), *record);
    assert!(retire::<L>(&bench.path()).expect("retired"));
    assert!(!bench.path().exists() && bench.lock_path().exists());
    assert!(!retire::<L>(&bench.path()).expect("nothing is left"));
    reader.snapshot().expect("a record")
}

/// A process that holds the lock of a segment.
struct Holder(Child);

impl Holder {
    fn of(lock_path: &Path) -> Self {
        let mut child = Command::new("flock")
            .arg(lock_path)
            .args(["sh", "-c", "echo held; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("flock of util-linux");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert_eq!(line, "held\n");
        Self(child)
    }

    fn release(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("it ends");
    }
}

#[test]
fn readers_of_a_retired_segment_find_no_claim_and_no_file() {
    let record = retired::<Native>(&native());
    let status = (record.status, record.reason);
    assert_eq!(status, (ClockStatus::Unknown, Reason::Retired));
    assert_eq!(retired::<V1>(&BOUND).status, ClockStatus::Unknown);
    let record = retired::<V2>(&BOUND.into());
    assert_eq!(record.bound.status, ClockStatus::Unknown);
}

#[test]
fn a_segment_of_an_earlier_revision_or_boot_is_retired() {
    for length in [136, 4_096] {
        let bench = Bench::new();
        publish::<Native>(&bench.path(), &native());
        let mut bytes = fs::read(bench.path()).expect("a file");
        bytes[8..12].copy_from_slice(&u32::try_from(length).expect("small").to_ne_bytes());
        bytes[14..16].copy_from_slice(&0u16.to_ne_bytes());
        bytes[16..24].fill(7);
        bytes.truncate(length);
        fs::write(bench.path(), bytes).expect("written");
        let reader = NativeReader::open(&bench.path()).expect("a reader");
        assert!(retire::<Native>(&bench.path()).expect("retired"));
        let record = reader.snapshot().expect("a record");
        assert_eq!(record.reason, Reason::Retired, "{length} bytes");
    }
}

#[test]
fn a_segment_that_another_process_has_locked_is_left() {
    let bench = Bench::new();
    publish::<Native>(&bench.path(), &native());
    let reader = NativeReader::open(&bench.path()).expect("a reader");
    let holder = Holder::of(&bench.lock_path());
    let held = retire::<Native>(&bench.path()).expect_err("held");
    assert_eq!(held.kind(), OpenErrorKind::Held);
    assert_eq!(reader.snapshot().expect("a record"), native());
    assert!(bench.path().exists());
    holder.release();
    assert!(retire::<Native>(&bench.path()).expect("retired"));
}

#[test]
fn what_no_daemon_with_a_lock_file_has_written_is_left() {
    let bench = Bench::new();
    publish::<V1>(&bench.path(), &BOUND);
    let bytes = fs::read(bench.path()).expect("a file");
    // Another layout, a file that is too short, and a foreign one.
    assert!(!retire::<V2>(&bench.path()).expect("v1"));
    assert!(!retire::<Native>(&bench.path()).expect("v1"));
    for content in [&bytes[..71], b"precious", b""] {
        fs::write(bench.path(), content).expect("written");
        assert!(!retire::<V1>(&bench.path()).expect("no segment"));
        assert_eq!(fs::read(bench.path()).expect("a file"), content);
    }
    // A segment without a lock file can be that of a daemon that does not lock it.
    fs::write(bench.path(), &bytes).expect("written");
    fs::remove_file(bench.lock_path()).expect("removed");
    assert!(!retire::<V1>(&bench.path()).expect("no lock file"));
    assert_eq!(fs::read(bench.path()).expect("a file"), bytes);
    assert!(!bench.lock_path().exists());
    // A link is refused.
    let link = bench.0.path().join("link");
    symlink(bench.path(), &link).expect("a link");
    let refused = retire::<V1>(&link).expect_err("a link");
    assert_eq!(refused.kind(), OpenErrorKind::NotAFile);
}

#[test]
fn readers_of_the_oldest_deleted_file_find_that_it_is_retired() {
    let bench = Bench::new();
    let (segment, _) = NativeSegment::open(&bench.path()).expect("a segment");
    segment.publish(&native());
    let reader = NativeReader::open(&bench.path()).expect("a reader");
    for _ in 0..5 {
        fs::remove_file(bench.path()).expect("removed");
        segment.check_file().expect("recreated");
    }
    let record = reader.snapshot().expect("a record");
    assert_eq!(record.reason, Reason::Retired);
}

#[test]
fn the_path_of_a_retired_segment_is_not_locked() {
    let bench = Bench::new();
    publish::<V1>(&bench.path(), &BOUND);
    assert!(retire::<V1>(&bench.path()).expect("retired"));
    let (_segment, start) = V1Segment::open(&bench.path()).expect("a segment");
    assert_eq!(start.to_string(), "created");
}
