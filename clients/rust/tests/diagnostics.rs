//! Reading the diagnostics, in a file and in its directory, in this boot and after a restart.

mod segments;

use std::fs;
use std::path::Path;
use std::time::Duration;

use clockbound_client::diagnostics::{self, Diagnostics, DiagnosticsError, DiagnosticsRecord};
use clockbound_client::{Reason, Status};
use nix::time::ClockId;
use shm_layout::Disruption;
use shm_layout::writer::{DiagnosticsSegment, Start};

use segments::{S, SegmentDirectory, VmClockPage, clock_ns};

fn record(as_of_ns: i64) -> DiagnosticsRecord {
    DiagnosticsRecord {
        status: Status::Synchronized,
        reason: Reason::Tracking,
        free_running_after_ns: as_of_ns + 1_000 * S,
        void_after_ns: as_of_ns + 2_000 * S,
        ..DiagnosticsRecord::no_claim(as_of_ns)
    }
}

#[test]
fn the_file_or_its_directory_is_read_with_the_record_as_the_daemon_wrote_it() {
    let directory = SegmentDirectory::new();
    let path = directory.path(diagnostics::FILE_NAME);
    let (segment, _) = DiagnosticsSegment::open(&path).expect("the segment opens");
    let before_ns = clock_ns(ClockId::CLOCK_MONOTONIC_RAW);
    let realtime_ns = clock_ns(ClockId::CLOCK_REALTIME);
    let written = record(before_ns);
    segment.publish(&written);
    for path in [path.as_path(), directory.0.as_path()] {
        let read = diagnostics::read(path).expect("diagnostics");
        assert_eq!(read.record, written);
        assert_eq!(
            (read.status, read.reason),
            (Status::Synchronized, Reason::Tracking)
        );
        assert!(read.now_ns >= before_ns && read.realtime_now_ns >= realtime_ns);
        let age = Duration::from_nanos((read.now_ns - before_ns).unsigned_abs());
        assert_eq!(read.age, age);
    }
}

#[test]
fn a_record_that_is_not_renewed_becomes_free_running_and_then_unknown() {
    let record = record(7);
    for (now_ns, age_ns, expected) in [
        (0, 0, (Status::Synchronized, Reason::Tracking)),
        (
            1_000 * S + 6,
            1_000 * S - 1,
            (Status::Synchronized, Reason::Tracking),
        ),
        (
            1_000 * S + 7,
            1_000 * S,
            (Status::FreeRunning, Reason::DaemonSilent),
        ),
        (
            2_000 * S + 7,
            2_000 * S,
            (Status::Unknown, Reason::HoldoverExpired),
        ),
    ] {
        let read = Diagnostics::at(record.clone(), now_ns, 5);
        assert_eq!((read.status, read.reason), expected, "at {now_ns}");
        assert_eq!(read.age.as_nanos(), u128::from(i64::unsigned_abs(age_ns)));
    }
}

#[test]
fn the_reader_follows_a_file_that_was_created_again() {
    let directory = SegmentDirectory::new();
    let path = directory.path(diagnostics::FILE_NAME);
    let read = diagnostics::read(directory.0.as_path());
    assert!(
        matches!(read, Err(DiagnosticsError::Read { .. })),
        "{read:?}"
    );
    for pid in [1, 2] {
        let (segment, start) = DiagnosticsSegment::open(&path).expect("the segment opens");
        assert_eq!(start, Start::Created);
        segment.publish(&DiagnosticsRecord { pid, ..record(1) });
        assert_eq!(
            diagnostics::read(&path).expect("diagnostics").record.pid,
            pid
        );
        drop(segment);
        fs::remove_file(&path).expect("removed");
    }
}

#[test]
fn a_file_of_an_earlier_boot_and_one_that_is_no_segment_are_refused() {
    let directory = SegmentDirectory::new();
    let path = directory.path(diagnostics::FILE_NAME);
    let (segment, _) = DiagnosticsSegment::open(&path).expect("the segment opens");
    segment.publish(&record(1));
    let change = |at: usize| {
        let mut bytes = fs::read(&path).expect("a file");
        bytes[at] ^= 1;
        fs::write(&path, bytes).expect("written");
    };
    change(16);
    let read = diagnostics::read(&path);
    assert!(
        matches!(read, Err(DiagnosticsError::EarlierBoot { .. })),
        "{read:?}"
    );
    change(16);
    change(0);
    let error = diagnostics::read(&path)
        .expect_err("no segment")
        .to_string();
    assert!(error.contains("magic number"), "{error}");
    let error = diagnostics::read(Path::new("/dev/null")).expect_err("no segment");
    assert!(error.to_string().contains("not a regular file"), "{error}");
}

#[test]
fn a_record_that_is_ahead_of_the_clock_is_refused() {
    let directory = SegmentDirectory::new();
    let path = directory.path(diagnostics::FILE_NAME);
    let (segment, _) = DiagnosticsSegment::open(&path).expect("the segment opens");
    segment.publish(&record(clock_ns(ClockId::CLOCK_MONOTONIC_RAW) + 3_600 * S));
    match diagnostics::read(&path) {
        Err(DiagnosticsError::Ahead { ahead_ns, .. }) => assert!(ahead_ns > 0, "{ahead_ns}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_disruption_marker_is_compared_with_that_of_the_page() {
    let directory = SegmentDirectory::new();
    let path = directory.path(diagnostics::FILE_NAME);
    let (segment, _) = DiagnosticsSegment::open(&path).expect("the segment opens");
    let page = VmClockPage::new(directory.path("vmclock"), 7);
    for (marker, status) in [(7, Status::Synchronized), (8, Status::Disrupted)] {
        let mut written = record(clock_ns(ClockId::CLOCK_MONOTONIC_RAW));
        written.disruption = Disruption {
            marker,
            supported: true,
        };
        segment.publish(&written);
        let read = diagnostics::read_with(&path, &page.0).expect("diagnostics");
        assert_eq!(read.status, status, "marker {marker}");
    }
}

#[test]
fn the_instants_of_another_time_namespace_are_those_of_this_process() {
    let directory = SegmentDirectory::new();
    let path = directory.path(diagnostics::FILE_NAME);
    let (segment, _) = DiagnosticsSegment::open(&path).expect("the segment opens");
    let written = record(clock_ns(ClockId::CLOCK_MONOTONIC_RAW));
    segment.publish(&written);
    // As if the daemon's monotonic clocks were a second ahead of this process's.
    let mut bytes = fs::read(&path).expect("a file");
    let offset: [u8; 8] = bytes[32..40].try_into().expect("8 bytes");
    bytes[32..40].copy_from_slice(&(i64::from_ne_bytes(offset) + S).to_ne_bytes());
    fs::write(&path, bytes).expect("written");
    let read = diagnostics::read(&path).expect("diagnostics");
    assert_eq!(read.record, written.moved_back(S));
    assert!(read.age >= Duration::from_secs(1));
}
