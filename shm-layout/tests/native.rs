//! The native segment: opening its path for writing, and reading it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use shm_layout::native::{MIN_SIZE, NativeRecord, SIZE};
use shm_layout::reader::{NativeReader, ReadError, V1Reader};
use shm_layout::record::Identity;
use shm_layout::writer::{NativeSegment, Start, V1Segment};
use shm_layout::{ClockStatus, Disruption, HostNotice, Leap, Reason};
use tempfile::TempDir;

const RECORD: NativeRecord = NativeRecord {
    as_of_ns: 1,
    earliest_ns: 1_000,
    latest_ns: 2_000,
    rate: -5,
    growth: 7,
    free_running_after_ns: 3,
    void_after_ns: 4,
    status: ClockStatus::Synchronized,
    reason: Reason::Tracking,
    leap: Leap::Normal,
    source: 0x7f00_0001,
    suspended_ns: 0,
    realtime_ns: 1_800_000_000_000_000_009,
    valid_since_ns: 1,
    realtime_since_ns: 1,
    realtime_slowest: -3,
    realtime_fastest: 4,
    publication_interval_us: 100_000,
    realtime_error_ns: 40,
    disruption: Disruption {
        marker: 7,
        supported: true,
    },
    host: HostNotice {
        soon: false,
        imminent: true,
        leap: 1,
        tai_offset_s: Some(-37),
    },
    is_simulated: false,
};

/// `RECORD` as a segment of revision 0 has it.
const RECORD_OF_REVISION_0: NativeRecord = NativeRecord {
    realtime_ns: 0,
    ..RECORD_OF_REVISION_1
};

/// The same, revision 2.
const RECORD_OF_REVISION_2: NativeRecord = NativeRecord {
    disruption: Disruption {
        marker: 0,
        supported: false,
    },
    host: HostNotice {
        soon: false,
        imminent: false,
        leap: 0,
        tai_offset_s: None,
    },
    ..RECORD
};

/// The same, revision 1.
const RECORD_OF_REVISION_1: NativeRecord = NativeRecord {
    valid_since_ns: 0,
    realtime_since_ns: 0,
    realtime_slowest: 0,
    realtime_fastest: 0,
    publication_interval_us: 0,
    realtime_error_ns: 0,
    ..RECORD_OF_REVISION_2
};

/// A temporary directory, removed when dropped.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("native")
    }

    fn open(&self) -> (NativeSegment, Start) {
        NativeSegment::open(&self.path()).expect("the segment opens")
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).expect("a file")
    }

    fn inode(&self) -> u64 {
        fs::metadata(self.path()).expect("a file").ino()
    }

    /// Publishes `RECORD`, closes the segment, and overwrites the bytes at `at`.
    fn publish_and_overwrite(&self, at: usize, with: &[u8]) -> u64 {
        self.open().0.publish(&RECORD);
        let mut bytes = self.bytes();
        bytes[at..at + with.len()].copy_from_slice(with);
        fs::write(self.path(), bytes).expect("written");
        self.inode()
    }
}

#[test]
fn a_new_segment_has_this_identity_and_claims_nothing() {
    let bench = Bench::new();
    let (segment, start) = bench.open();
    assert_eq!((start, segment.generation()), (Start::Created, 2));
    let (bytes, own) = (bench.bytes(), Identity::own().expect("an identity"));
    assert_eq!(bytes.len(), SIZE);
    assert_eq!(&bytes[..8], b"clkbound");
    assert_eq!(bytes[8..12], 4096u32.to_ne_bytes());
    assert_eq!(
        bytes[12..16],
        [1u16.to_ne_bytes(), 3u16.to_ne_bytes()].concat()
    );
    assert_eq!(bytes[16..32], own.boot_id);
    assert_eq!(bytes[32..40], own.namespace_offset_ns.to_ne_bytes());
    assert_eq!(bytes[40..64], [0; 24]);
    assert_eq!(bytes[64..72], 2u64.to_ne_bytes());
    assert!(bytes[MIN_SIZE..].iter().all(|&byte| byte == 0));
    assert_eq!(segment.resume(), None);
    let reader = NativeReader::open(&bench.path()).expect("a reader");
    assert_eq!(reader.identity(), own);
    let record = reader.snapshot().expect("a record");
    assert_eq!(record.status, ClockStatus::Unknown);
}

#[test]
fn a_record_of_this_boot_is_resumed_in_place() {
    let bench = Bench::new();
    let before = bench.publish_and_overwrite(0, b"c");
    let (segment, start) = bench.open();
    assert_eq!((start, segment.last_record()), (Start::Warm, RECORD));
    assert_eq!(bench.inode(), before);
}

#[test]
fn a_glance_has_the_interval_only_and_a_snapshot_the_whole_record() {
    let bench = Bench::new();
    let (segment, _) = bench.open();
    segment.publish(&RECORD);
    let bytes = bench.bytes();
    assert_eq!(bytes[136..144], RECORD.realtime_ns.to_ne_bytes());
    assert_eq!(bytes[168..172], 100_000u32.to_ne_bytes());
    assert_eq!(bytes[176..184], 7u64.to_ne_bytes());
    assert_eq!(bytes[184..188], [1, 0b110, 1, 0]);
    assert_eq!(bytes[188..190], (-37i16).to_ne_bytes());
    assert!(bytes[190..].iter().all(|&byte| byte == 0));
    let reader = NativeReader::open(&bench.path()).expect("a reader");
    let interval = NativeRecord {
        suspended_ns: 0,
        ..RECORD_OF_REVISION_0
    };
    assert_eq!(reader.snapshot().expect("a record"), RECORD);
    // A reader that does not compare the marker gets no record that requires it.
    assert_eq!(reader.glance(), None);
    segment.publish(&RECORD_OF_REVISION_2);
    let record = reader.snapshot().expect("a record");
    assert_eq!(record, RECORD_OF_REVISION_2);
    assert_eq!(reader.glance(), Some(interval));
}

#[test]
fn stored_content_is_resumed_within_the_same_boot_only() {
    let bench = Bench::new();
    let (segment, _) = bench.open();
    for content in [&b"first"[..], b"second", b"third"] {
        segment.store_resume(content).expect("it fits");
        segment.publish(&RECORD);
        assert_eq!(segment.resume().as_deref(), Some(content));
    }
    segment
        .store_resume(&[0; 2_000])
        .expect_err("it does not fit");
    drop(segment);
    let (segment, start) = bench.open();
    assert_eq!((start, segment.last_record()), (Start::Warm, RECORD));
    assert_eq!(segment.resume().as_deref(), Some(&b"third"[..]));
    drop(segment);
    let (segment, start) = {
        bench.publish_and_overwrite(16, &[7; 8]);
        bench.open()
    };
    assert!(matches!(start, Start::Replaced { .. }), "{start}");
    assert_eq!(segment.resume(), None);
}

#[test]
fn garbage_in_the_resume_area_is_not_resumed() {
    let bench = Bench::new();
    bench.publish_and_overwrite(192, &[0xff; 3_904]);
    let (segment, start) = bench.open();
    assert_eq!((start, segment.last_record()), (Start::Warm, RECORD));
    assert_eq!(segment.resume(), None);
    segment.store_resume(b"content").expect("it fits");
    assert_eq!(segment.resume().as_deref(), Some(&b"content"[..]));
}

#[test]
fn a_segment_of_an_earlier_revision_is_upgraded_while_readers_have_it_mapped() {
    // Size, length and revision of the file. The last two are from a daemon that was killed while
    // it upgraded the file.
    for (size, length, revision) in [
        (MIN_SIZE, MIN_SIZE, 0u16),
        (MIN_SIZE, 200, 0),
        (MIN_SIZE, SIZE, 0),
        (MIN_SIZE, 10_000, 0),
        (SIZE, SIZE, 1),
        (SIZE, SIZE, 2),
        (MIN_SIZE, SIZE, 1),
        (MIN_SIZE, SIZE, 2),
        (MIN_SIZE, SIZE, 3),
    ] {
        let name = format!("revision {revision}, {size} of {length} bytes");
        let (end, older) = match (size, revision) {
            (SIZE, 1) => (144, RECORD_OF_REVISION_1),
            (SIZE, _) => (176, RECORD_OF_REVISION_2),
            _ => (MIN_SIZE, RECORD_OF_REVISION_0),
        };
        let bench = Bench::new();
        bench.open().0.publish(&RECORD);
        let mut bytes = bench.bytes();
        bytes[8..12].copy_from_slice(&u32::try_from(size).expect("small").to_ne_bytes());
        bytes[14..16].copy_from_slice(&revision.to_ne_bytes());
        bytes.resize(length, 0);
        // A reader does not use bytes after the size, and those of revisions 1 and 2 are
        // 0.
        bytes[end..].fill(if size == SIZE { 0 } else { 0xff });
        fs::write(bench.path(), &bytes).expect("written");
        let before = bench.inode();
        let reader = NativeReader::open(&bench.path()).expect("a reader");
        assert_eq!(reader.snapshot().expect("a record"), older, "{name}");

        let (segment, start) = bench.open();
        assert_eq!(
            (start, segment.last_record()),
            (Start::Warm, older),
            "{name}"
        );
        assert_eq!(bench.inode(), before);
        let grown = bench.bytes();
        assert_eq!(grown.len(), length.max(SIZE));
        assert_eq!(grown[8..12], 4096u32.to_ne_bytes());
        assert_eq!(grown[14..16], 3u16.to_ne_bytes());
        assert_eq!(grown[16..end], bytes[16..end]);
        assert!(grown[end..SIZE].iter().all(|&byte| byte == 0));
        assert_eq!(segment.resume(), None);

        segment.publish(&RECORD);
        let new = NativeReader::open(&bench.path()).expect("a reader");
        assert_eq!(new.snapshot().expect("a record"), RECORD);
        // A reader that has mapped a file of revision 0 has only its part of the record.
        let part = if size == SIZE { RECORD } else { older };
        assert_eq!(reader.snapshot().expect("a record"), part, "{name}");
    }
}

#[test]
fn content_that_a_daemon_of_revision_1_stored_is_resumed() {
    let bench = Bench::new();
    bench.open().0.store_resume(b"content").expect("it fits");
    bench.publish_and_overwrite(14, &1u16.to_ne_bytes());
    let (segment, start) = bench.open();
    assert_eq!(start, Start::Warm);
    assert_eq!(segment.resume().as_deref(), Some(&b"content"[..]));
}

#[test]
fn a_segment_of_a_later_revision_is_replaced() {
    let bench = Bench::new();
    bench.publish_and_overwrite(14, &4u16.to_ne_bytes());
    let (_segment, start) = bench.open();
    assert!(start.to_string().contains("revision 4"), "{start}");
}

#[test]
fn a_deleted_segment_is_recreated_with_its_whole_content() {
    let bench = Bench::new();
    let (segment, _) = bench.open();
    let record = NativeRecord {
        realtime_ns: 7,
        ..RECORD
    };
    segment.publish(&record);
    segment.store_resume(b"content").expect("it fits");
    let identity = bench.bytes()[16..64].to_vec();
    fs::remove_file(bench.path()).expect("removed");
    assert_eq!(segment.check_file().expect("recreated"), Some(bench.path()));
    assert_eq!(bench.bytes()[16..64], identity);
    drop(segment);
    let (segment, start) = bench.open();
    assert_eq!((start, segment.last_record()), (Start::Warm, record));
    assert_eq!(segment.resume().as_deref(), Some(&b"content"[..]));
}

#[test]
fn a_segment_of_another_boot_or_time_namespace_is_replaced_and_its_readers_keep_the_old_file() {
    for (at, with) in [
        (16, [7; 8]),
        (16, [0; 8]),
        (24, [7; 8]),
        (32, 5i64.to_ne_bytes()),
    ] {
        let bench = Bench::new();
        let before = bench.publish_and_overwrite(at, &with);
        let old = NativeReader::open(&bench.path()).expect("a reader");
        let (_segment, start) = bench.open();
        assert!(matches!(start, Start::Replaced { .. }), "{start}");
        assert_ne!(bench.inode(), before);
        assert_eq!(old.snapshot().expect("a record"), RECORD);
    }
}

#[test]
fn an_invalid_native_segment_is_refused_by_readers_and_replaced_by_writers() {
    for (at, with) in [(0, &[0][..]), (8, &[135, 0, 0, 0]), (12, &[2]), (64, &[0])] {
        let bench = Bench::new();
        bench.publish_and_overwrite(at, with);
        let refused = NativeReader::open(&bench.path()).expect_err("refused");
        assert!(
            matches!(refused, ReadError::Header(_) | ReadError::NotInitialized),
            "{refused}"
        );
        let (_segment, start) = bench.open();
        assert!(matches!(start, Start::Replaced { .. }), "{start}");
    }
    let bench = Bench::new();
    bench.open().0.publish(&RECORD);
    for length in [0, 15, 16, 135, 136, 4_095] {
        fs::write(bench.0.path().join("short"), &bench.bytes()[..length]).expect("written");
        let refused = NativeReader::open(&bench.0.path().join("short")).expect_err("refused");
        assert!(
            matches!(refused, ReadError::TooShort { .. }),
            "{length} bytes: {refused}"
        );
    }
    drop(V1Segment::open(&bench.0.path().join("shm")).expect("a v1 segment"));
    NativeReader::open(&bench.0.path().join("shm")).expect_err("v1 is not native");
    V1Reader::open(&bench.path()).expect_err("native is not v1");
}

#[test]
fn a_segment_of_any_size_and_of_a_later_revision_is_read() {
    let bench = Bench::new();
    bench.open().0.publish(&RECORD);
    let record = bench.bytes();
    for (size, expected) in [
        (136_u32, RECORD_OF_REVISION_0),
        (191, RECORD_OF_REVISION_0),
        (192, RECORD),
        (200, RECORD),
        (4_096, RECORD),
        (8_192, RECORD),
    ] {
        let mut bytes = record[..192].to_vec();
        bytes.resize(size as usize, 0xff);
        bytes[8..12].copy_from_slice(&size.to_ne_bytes());
        bytes[14..16].copy_from_slice(&4u16.to_ne_bytes());
        fs::write(bench.path(), bytes).expect("written");
        let reader = NativeReader::open(&bench.path()).expect("a reader");
        assert_eq!(
            reader.snapshot().expect("a record"),
            expected,
            "{size} bytes"
        );
    }
}

#[test]
fn an_unfinished_write_leaves_the_last_record_readable_and_the_next_write_repairs_it() {
    let bench = Bench::new();
    let (segment, _) = bench.open();
    segment.publish(&RECORD);
    let reader = NativeReader::open(&bench.path()).expect("a reader");
    let generation = segment.generation();
    drop(segment);
    bench.leave_unfinished_write(generation | 1);
    for _ in 0..3 {
        assert_eq!(reader.snapshot().expect("the previous record"), RECORD);
    }
    let (segment, start) = bench.open();
    assert!(matches!(start, Start::Cold { .. }), "{start}");
    let later = NativeRecord {
        as_of_ns: 9,
        ..RECORD
    };
    segment.publish(&later);
    assert_eq!(segment.generation() % 2, 0);
    assert_eq!(reader.snapshot().expect("the new record"), later);
}

impl Bench {
    /// Publishes `RECORD` and closes the segment with an unfinished write.
    fn leave_unfinished_write(&self, sequence: u64) {
        let mut bytes = self.bytes();
        bytes[64..72].copy_from_slice(&sequence.to_ne_bytes());
        bytes[72..80].copy_from_slice(&77i64.to_ne_bytes());
        fs::write(self.path(), bytes).expect("written");
    }
}
