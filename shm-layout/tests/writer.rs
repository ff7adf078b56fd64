//! Opening a path for writing, and recreating deleted files.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use shm_layout::ClockStatus;
use shm_layout::reader::V1Reader;
use shm_layout::v1::V1Record;
use shm_layout::writer::{OpenError, OpenErrorKind, Start, V1Segment};
use tempfile::TempDir;

const RECORD: V1Record = V1Record {
    as_of_ns: 1,
    void_after_ns: 1_000_000_000_000,
    bound_ns: 4_000,
    max_drift_ppb: 50_000,
    status: ClockStatus::Synchronized,
    is_simulated: false,
};

const FIRST_BOOT: &str = "00000000-0000-4000-8000-000000000001\n";
const SECOND_BOOT: &str = "00000000-0000-4000-8000-000000000002\n";

/// A temporary directory with a boot id file, removed when dropped.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().expect("a directory"));
        bench.reboot(FIRST_BOOT);
        bench
    }

    fn segment(&self) -> PathBuf {
        self.0.path().join("shm")
    }

    fn reboot(&self, boot_id: &str) {
        fs::write(self.0.path().join("boot_id"), boot_id).expect("a boot id");
    }

    fn try_open(&self) -> Result<(V1Segment, Start), OpenError> {
        V1Segment::open_in_boot(&self.segment(), &self.0.path().join("boot_id"))
    }

    fn open(&self) -> (V1Segment, Start) {
        self.try_open().expect("the segment opens")
    }

    /// Publishes `RECORD` and closes the segment; returns its inode.
    fn publish_and_close(&self) -> u64 {
        self.open().0.publish(&RECORD);
        inode(&self.segment())
    }
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("a file").ino()
}

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).expect("a file")
}

#[test]
fn a_new_segment_is_72_bytes_and_claims_nothing() {
    let bench = Bench::new();
    let (segment, start) = bench.open();
    assert_eq!(
        (start, segment.last_record().status),
        (Start::Created, ClockStatus::Unknown)
    );
    assert_eq!(bytes(&bench.segment()).len(), 72);
    assert_eq!(
        &bytes(&bench.segment())[..16],
        b"\x4e\x5a\x4d\x41\x00\x02\x42\x43\x48\0\0\0\x01\0\x02\0"
    );
}

#[test]
fn a_record_of_this_boot_is_resumed_in_place() {
    let bench = Bench::new();
    let before = bench.publish_and_close();
    let generation = V1Reader::open(&bench.segment())
        .expect("a segment")
        .generation();
    let (segment, start) = bench.open();
    assert_eq!((start, segment.last_record()), (Start::Warm, RECORD));
    assert_eq!(
        (inode(&bench.segment()), segment.generation()),
        (before, generation)
    );
}

#[test]
fn a_record_of_an_earlier_or_unknown_boot_is_not_resumed() {
    for boot_id in [SECOND_BOOT, ""] {
        let bench = Bench::new();
        let before = bench.publish_and_close();
        bench.reboot(boot_id);
        let (segment, start) = bench.open();
        assert!(matches!(start, Start::Cold { .. }), "{start}");
        assert_eq!(segment.last_record().status, ClockStatus::Unknown);
        let read = V1Reader::open(&bench.segment())
            .expect("a segment")
            .snapshot()
            .expect("a record");
        assert_eq!(
            (read.status, inode(&bench.segment())),
            (ClockStatus::Unknown, before)
        );
        drop(segment);
        // The next writer does not resume a record of an unknown boot either.
        assert!(boot_id == SECOND_BOOT || matches!(bench.open().1, Start::Cold { .. }));
    }
}

#[test]
fn a_record_from_the_future_is_not_resumed() {
    let bench = Bench::new();
    bench.open().0.publish(&V1Record {
        as_of_ns: i64::MAX / 2,
        ..RECORD
    });
    assert!(matches!(bench.open().1, Start::Cold { .. }));
}

#[test]
fn an_unfinished_write_is_repaired_by_the_next_one() {
    let bench = Bench::new();
    bench.publish_and_close();
    let mut odd = bytes(&bench.segment());
    odd[14..16].copy_from_slice(&7u16.to_ne_bytes());
    fs::write(bench.segment(), &odd).expect("written");
    let (segment, start) = bench.open();
    assert!(matches!(start, Start::Cold { .. }), "{start}");
    // Opening leaves the generation odd: readers use the previous record until the next write.
    assert_eq!(segment.generation(), 7);
    segment.publish(&RECORD);
    assert_eq!(segment.generation(), 8);
    assert_eq!(
        V1Reader::open(&bench.segment())
            .expect("a segment")
            .snapshot()
            .expect("a record"),
        RECORD
    );
}

#[test]
fn an_invalid_segment_is_replaced_and_its_readers_keep_the_old_file() {
    let valid = {
        let bench = Bench::new();
        bench.publish_and_close();
        bytes(&bench.segment())
    };
    let with = |at: usize, with: &[u8]| {
        let mut bytes = valid.clone();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    let mut longer = with(8, &80u32.to_ne_bytes());
    longer.resize(80, 0);
    for damaged in [
        Vec::new(),
        valid[..71].to_vec(),
        b"not a segment".to_vec(),
        with(0, b"oops"),
        with(8, &71u32.to_ne_bytes()),
        longer,
        with(12, &2u16.to_ne_bytes()),
        with(12, &0u16.to_ne_bytes()),
        with(14, &0u16.to_ne_bytes()),
    ] {
        let bench = Bench::new();
        fs::write(bench.segment(), &damaged).expect("written");
        let old = File::open(bench.segment()).expect("the old inode");
        let (segment, start) = bench.open();
        assert!(matches!(start, Start::Replaced { .. }), "{start}");
        segment.publish(&RECORD);
        assert_ne!(
            inode(&bench.segment()),
            old.metadata().expect("still there").ino()
        );
        assert_eq!(
            old.metadata().expect("still there").len(),
            damaged.len() as u64
        );
        assert_eq!(
            V1Reader::open(&bench.segment())
                .expect("a segment")
                .snapshot()
                .expect("a record"),
            RECORD
        );
        let names: Vec<_> = fs::read_dir(bench.0.path())
            .expect("a directory")
            .flatten()
            .map(|e| e.file_name())
            .collect();
        assert_eq!(names.len(), 3, "left over: {names:?}");
    }
}

#[test]
fn a_segment_with_an_invalid_record_is_reused_but_not_resumed() {
    let bench = Bench::new();
    let before = bench.publish_and_close();
    let mut negative = bytes(&bench.segment());
    negative[48..56].copy_from_slice(&(-4_914_767i64).to_ne_bytes());
    fs::write(bench.segment(), &negative).expect("written");
    let (_segment, start) = bench.open();
    assert!(start.to_string().contains("bound_nsec"), "{start}");
    assert_eq!(inode(&bench.segment()), before);
}

#[test]
fn a_path_that_is_not_a_regular_file_is_refused_and_unchanged() {
    let bench = Bench::new();
    let path = bench.segment();
    fs::create_dir(&path).expect("a directory");
    assert_eq!(
        bench.try_open().expect_err("a directory").kind(),
        OpenErrorKind::NotAFile
    );
    fs::remove_dir(&path).expect("removed");

    let target = bench.0.path().join("target");
    fs::write(&target, "precious").expect("written");
    symlink(&target, &path).expect("a link");
    assert_eq!(
        bench.try_open().expect_err("a link").kind(),
        OpenErrorKind::NotAFile
    );
    assert_eq!(bytes(&target), b"precious");
    fs::remove_file(&path).expect("removed");

    mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a fifo");
    assert_eq!(
        bench.try_open().expect_err("a fifo").kind(),
        OpenErrorKind::NotAFile
    );
    assert!(
        !bench.0.path().join("shm.lock").exists(),
        "a refusal leaves nothing behind"
    );
}

#[test]
fn a_second_writer_is_refused_while_the_first_holds_the_lock() {
    let bench = Bench::new();
    let (first, _) = bench.open();
    first.publish(&RECORD);
    let err = bench.try_open().expect_err("held");
    assert_eq!(err.kind(), OpenErrorKind::Held);
    assert!(
        err.to_string().contains(&std::process::id().to_string()),
        "{err}"
    );
    assert_eq!(first.last_record(), RECORD);
    drop(first);
    let (second, start) = bench.open();
    assert_eq!((start, second.last_record()), (Start::Warm, RECORD));
}

#[test]
fn an_invalid_lock_file_means_an_unknown_boot() {
    let bench = Bench::new();
    bench.publish_and_close();
    let mut lock = File::create(bench.0.path().join("shm.lock")).expect("a lock file");
    lock.write_all(&[0xff; 10_000]).expect("written");
    drop(lock);
    assert!(matches!(bench.open().1, Start::Cold { .. }));
}

#[test]
fn a_symlink_in_place_of_the_lock_file_is_not_followed() {
    let bench = Bench::new();
    let target = bench.0.path().join("target");
    fs::write(&target, "precious").expect("written");
    symlink(&target, bench.0.path().join("shm.lock")).expect("a link");
    bench.try_open().expect_err("a link");
    assert_eq!(bytes(&target), b"precious");
}

#[test]
fn a_reused_segment_can_be_read_by_others_again() {
    let bench = Bench::new();
    bench.publish_and_close();
    fs::set_permissions(bench.segment(), Permissions::from_mode(0o600)).expect("a mode");
    let _open = bench.open();
    assert_eq!(
        fs::metadata(bench.segment())
            .expect("a file")
            .permissions()
            .mode()
            & 0o777,
        0o644
    );
}

/// The record that a reader returns.
fn snapshot(reader: &V1Reader) -> V1Record {
    reader.snapshot().expect("a record")
}

fn reader(path: &Path) -> V1Reader {
    V1Reader::open(path).expect("a segment")
}

fn later(as_of_ns: i64) -> V1Record {
    V1Record { as_of_ns, ..RECORD }
}

#[test]
fn files_that_exist_are_not_recreated() {
    let bench = Bench::new();
    let (segment, _) = bench.open();
    segment.publish(&RECORD);
    let before = inode(&bench.segment());
    for _ in 0..3 {
        assert_eq!(segment.check_file().expect("in place"), None);
    }
    assert_eq!((inode(&bench.segment()), segment.generation()), (before, 4));
}

#[test]
fn a_deleted_segment_is_recreated_and_the_deleted_file_is_still_written() {
    let bench = Bench::new();
    let (segment, _) = bench.open();
    segment.publish(&RECORD);
    let mut readers = vec![reader(&bench.segment())];
    for n in 2..5 {
        fs::remove_file(bench.segment()).expect("removed");
        let made = segment.check_file().expect("recreated");
        assert_eq!(made, Some(bench.segment()));
        readers.push(reader(&bench.segment()));
        for reader in &readers {
            assert_eq!(snapshot(reader), segment.last_record());
        }
        segment.publish(&later(n));
        for reader in &readers {
            assert_eq!(snapshot(reader), later(n));
        }
        assert_eq!(segment.check_file().expect("in place"), None);
    }
    assert_eq!(
        fs::read_dir(bench.0.path()).expect("a directory").count(),
        3
    );
    let mode = fs::metadata(bench.segment()).expect("a file").permissions();
    assert_eq!(mode.mode() & 0o777, 0o644);
}

#[test]
fn a_deleted_file_that_is_no_longer_written_claims_nothing() {
    let bench = Bench::new();
    let (segment, _) = bench.open();
    segment.publish(&RECORD);
    let first = reader(&bench.segment());
    let mut statuses = Vec::new();
    for _ in 0..5 {
        fs::remove_file(bench.segment()).expect("removed");
        segment.check_file().expect("recreated");
        segment.publish(&RECORD);
        statuses.push(snapshot(&first).status);
    }
    let [kept @ .., dropped] = &statuses[..] else {
        panic!("five statuses")
    };
    assert_eq!(kept, [ClockStatus::Synchronized; 4]);
    assert_eq!(*dropped, ClockStatus::Unknown);
    assert_eq!(snapshot(&reader(&bench.segment())), RECORD);
}

#[test]
fn a_deleted_directory_is_recreated_with_segment_and_lock_file() {
    let bench = Bench::new();
    let path = bench.0.path().join("run").join("shm");
    let open = || V1Segment::open_in_boot(&path, &bench.0.path().join("boot_id"));
    let (segment, _) = open().expect("the segment opens");
    segment.publish(&RECORD);
    fs::remove_dir_all(bench.0.path().join("run")).expect("removed");
    assert_eq!(segment.check_file().expect("recreated"), Some(path.clone()));
    assert_eq!(snapshot(&reader(&path)), RECORD);
    // The path is still locked, and the record is still of this boot.
    assert_eq!(open().expect_err("held").kind(), OpenErrorKind::Held);
    drop(segment);
    let (segment, start) = open().expect("free");
    assert_eq!((start, segment.last_record()), (Start::Warm, RECORD));
}

#[test]
fn a_deleted_lock_file_is_recreated_and_locked() {
    let bench = Bench::new();
    let (segment, _) = bench.open();
    segment.publish(&RECORD);
    let before = inode(&bench.segment());
    let lock = bench.0.path().join("shm.lock");
    fs::remove_file(&lock).expect("removed");
    assert_eq!(segment.check_file().expect("recreated"), Some(lock));
    assert_eq!(
        bench.try_open().expect_err("held").kind(),
        OpenErrorKind::Held
    );
    assert_eq!(segment.check_file().expect("in place"), None);
    assert_eq!(inode(&bench.segment()), before);
}

#[test]
fn another_regular_file_at_the_path_is_replaced_and_a_symlink_is_refused() {
    let bench = Bench::new();
    let (segment, _) = bench.open();
    segment.publish(&RECORD);
    let old = reader(&bench.segment());
    let foreign = bench.0.path().join("foreign");
    fs::write(&foreign, "precious").expect("written");
    fs::hard_link(&foreign, bench.0.path().join("link")).expect("a link");
    fs::rename(bench.0.path().join("link"), bench.segment()).expect("in its place");
    segment.check_file().expect("replaced");
    assert_eq!(bytes(&foreign), b"precious");
    assert_eq!(snapshot(&reader(&bench.segment())), RECORD);

    fs::remove_file(bench.segment()).expect("removed");
    symlink(&foreign, bench.segment()).expect("a link");
    let refused = segment.check_file().expect_err("a link");
    assert_eq!(refused.kind(), OpenErrorKind::NotAFile);
    // Readers of the open file are not affected.
    segment.publish(&later(2));
    assert_eq!(snapshot(&old), later(2));
    fs::remove_file(bench.segment()).expect("removed");
    segment.check_file().expect("recreated");
    assert_eq!(snapshot(&reader(&bench.segment())), later(2));
}

#[test]
fn a_writer_whose_path_another_has_locked_writes_nothing_until_it_is_unlocked() {
    let bench = Bench::new();
    let (first, _) = bench.open();
    first.publish(&RECORD);
    fs::remove_file(bench.0.path().join("shm.lock")).expect("removed");
    let (second, _) = bench.open();
    second.publish(&later(2));
    let held = first.check_file().expect_err("held");
    assert_eq!(held.kind(), OpenErrorKind::Held);
    first.publish(&later(3));
    let reader = reader(&bench.segment());
    assert_eq!(snapshot(&reader), later(2));
    drop(second);
    first.check_file().expect("free");
    first.publish(&later(4));
    assert_eq!(snapshot(&reader), later(4));
}
