//! What the writer does so that programs of the 3.x generation, and those of the 2.x generation,
//! never fail for good: the disruption support flag, unfinished writes, files of other boots.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shm_layout::layout::Layout;
use shm_layout::layout::realtime_bound::RealtimeBound;
use shm_layout::reader::{ReadError, Reader, V2Reader, V3Reader};
use shm_layout::v2::{V2, V2Record};
use shm_layout::v3::{Fraction, SIZE, V3, V3Record};
use shm_layout::writer::{Segment, Start, V2Segment, V3Segment, retire};
use shm_layout::{ClockStatus, Disruption};
use tempfile::TempDir;

const FIRST_BOOT: &str = "00000000-0000-4000-8000-000000000001\n";
const SECOND_BOOT: &str = "00000000-0000-4000-8000-000000000002\n";

const SUPPORTED: Disruption = Disruption {
    marker: 7,
    supported: true,
};
const UNSUPPORTED: Disruption = Disruption {
    marker: 0,
    supported: false,
};

fn v3(disruption: Disruption) -> V3Record {
    V3Record {
        as_of_counter: 1,
        as_of_ns: 2,
        void_after_ns: i64::MAX / 2,
        period: Fraction {
            frac: 1 << 63,
            shift: 29,
        },
        period_error: Fraction::default(),
        bound_ns: 4_000,
        disruption,
        max_drift_ppb: 50_000,
        status: ClockStatus::Synchronized,
        is_simulated: false,
    }
}

fn v2(disruption: Disruption) -> V2Record {
    let bound = RealtimeBound {
        as_of_ns: 1,
        void_after_ns: i64::MAX / 2,
        bound_ns: 4_000,
        max_drift_ppb: 50_000,
        status: ClockStatus::Synchronized,
        is_simulated: false,
    };
    V2Record { bound, disruption }
}

/// A directory with a boot id.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().expect("a directory"));
        bench.reboot(FIRST_BOOT);
        bench
    }

    fn reboot(&self, boot_id: &str) {
        fs::write(self.0.path().join("boot_id"), boot_id).expect("a boot id");
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("segment")
    }

    fn inode(&self) -> u64 {
        fs::metadata(self.path()).expect("a file").ino()
    }

    /// Opens the segment for a daemon whose records have this marker.
    fn open<L: Layout>(&self, nothing: impl Fn(i64) -> L::Record) -> (Segment<L>, Start) {
        let boot_id = self.0.path().join("boot_id");
        Segment::open_in_boot_with(&self.path(), &boot_id, nothing).expect("the segment opens")
    }

    fn open_v3(&self, disruption: Disruption) -> (V3Segment, Start) {
        self.open(|now_ns| V3Record {
            disruption,
            ..V3Record::no_claim(now_ns)
        })
    }

    fn open_v2(&self, disruption: Disruption) -> (V2Segment, Start) {
        self.open(|now_ns| V2Record {
            disruption,
            ..V2::no_claim(now_ns)
        })
    }

    fn reader<L: Layout>(&self) -> Reader<L> {
        Reader::open(&self.path()).expect("a reader")
    }

    fn read_v3(&self) -> V3Record {
        self.reader::<V3>().snapshot_at_once().expect("a record")
    }
}

#[test]
fn a_new_file_has_the_header_of_the_3_generation_and_the_flag_from_its_first_record_on() {
    for disruption in [SUPPORTED, UNSUPPORTED] {
        let bench = Bench::new();
        let (segment, start) = bench.open_v3(disruption);
        assert_eq!(start, Start::Created);
        let bytes = fs::read(bench.path()).expect("a file");
        assert_eq!(bytes.len(), SIZE);
        assert_eq!(
            bytes[..16],
            *b"\x4e\x5a\x4d\x41\x00\x02\x42\x43\x68\0\0\0\x03\x03\x02\0"
        );
        let record = bench.read_v3();
        assert_eq!(record.disruption, disruption);
        assert_eq!(record.status, ClockStatus::Unknown);
        assert_eq!(segment.is_disruption_supported(), disruption.supported);
    }
}

#[test]
fn a_v2_file_has_the_flag_from_its_first_record_on() {
    let bench = Bench::new();
    let (segment, _) = bench.open_v2(SUPPORTED);
    let record = bench.reader::<V2>().snapshot_at_once().expect("a record");
    assert_eq!(record.disruption, SUPPORTED);
    assert!(segment.is_disruption_supported());
}

#[test]
fn a_v3_file_of_this_boot_is_reused_in_place_and_resumed() {
    let bench = Bench::new();
    bench.open_v3(SUPPORTED).0.publish(&v3(SUPPORTED));
    let before = bench.inode();
    let (segment, start) = bench.open_v3(SUPPORTED);
    assert_eq!((start, segment.last_record()), (Start::Warm, v3(SUPPORTED)));
    assert_eq!(bench.inode(), before);
    assert_eq!(bench.read_v3(), v3(SUPPORTED));
}

#[test]
fn a_v3_file_of_another_boot_is_removed_and_claims_nothing_where_it_is_mapped() {
    let bench = Bench::new();
    bench.open_v3(SUPPORTED).0.publish(&v3(SUPPORTED));
    let (before, mapped) = (bench.inode(), bench.reader::<V3>());
    // The new file gets another inode number, because the removed one is still mapped.
    bench.reboot(SECOND_BOOT);
    let (segment, start) = bench.open_v3(UNSUPPORTED);
    assert!(matches!(start, Start::Replaced { .. }), "{start}");
    assert_ne!(bench.inode(), before);
    assert_eq!(bench.read_v3().status, ClockStatus::Unknown);
    let old = mapped.snapshot().expect("a record");
    assert_eq!(old.status, ClockStatus::Unknown);
    assert!(
        old.disruption.supported,
        "the flag of a mapped file changed"
    );
    segment.publish(&v3(UNSUPPORTED));
    let old = mapped.snapshot().expect("a record");
    assert_eq!(old.status, ClockStatus::Unknown);
}

#[test]
fn an_unknown_file_without_a_lock_file_is_removed() {
    let bench = Bench::new();
    fs::write(bench.path(), "of another program").expect("written");
    let (_segment, start) = bench.open_v3(SUPPORTED);
    assert!(matches!(start, Start::Replaced { .. }), "{start}");
    assert_eq!(bench.read_v3().status, ClockStatus::Unknown);
}

#[test]
fn an_unfinished_v3_write_is_replaced_when_the_segment_is_opened() {
    let bench = Bench::new();
    bench.open_v3(SUPPORTED).0.publish(&v3(SUPPORTED));
    let file = fs::File::options().write(true).open(bench.path());
    let odd = 5u16.to_ne_bytes();
    file.expect("a file")
        .write_all_at(&odd, 14)
        .expect("written");
    let before = bench.inode();
    assert!(matches!(
        bench.reader::<V3>().snapshot_at_once(),
        Err(ReadError::WriteInProgress)
    ));
    let (segment, start) = bench.open_v3(SUPPORTED);
    assert!(matches!(start, Start::Cold { .. }), "{start}");
    assert_eq!((bench.inode(), segment.generation()), (before, 6));
    let record = bench.read_v3();
    assert_eq!(record.status, ClockStatus::Unknown);
    assert!(record.disruption.supported);
}

#[test]
fn a_v3_file_is_complete_whenever_it_has_its_name() {
    let bench = Bench::new();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..500 {
                drop(bench.open_v3(SUPPORTED));
                assert!(retire::<V3>(&bench.path()).expect("retired"));
            }
            is_done.store(true, Ordering::Relaxed);
        });
        let mut opened = 0;
        while !is_done.load(Ordering::Relaxed) || opened == 0 {
            let bytes = match fs::read(bench.path()) {
                Ok(bytes) => bytes,
                Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
                    if is_done.load(Ordering::Relaxed) {
                        break;
                    }
                    continue;
                }
                Err(err) => panic!("{err}"),
            };
            opened += 1;
            assert_eq!((bytes.len(), bytes[12..14].to_vec()), (SIZE, vec![3, 3]));
            assert_eq!(bytes[96], 1, "without its support flag");
        }
    });
}

#[test]
fn the_flag_of_a_v2_file_that_is_reused_is_never_set() {
    let bench = Bench::new();
    bench.open_v2(UNSUPPORTED).0.publish(&v2(UNSUPPORTED));
    for boot_id in [FIRST_BOOT, SECOND_BOOT] {
        bench.reboot(boot_id);
        let mapped = bench.reader::<V2>();
        let (segment, _) = bench.open_v2(SUPPORTED);
        let is_set = |reader: &V2Reader| {
            let record = reader.snapshot().expect("a record");
            record.disruption.supported
        };
        assert!(!is_set(&mapped) && !segment.is_disruption_supported());
        segment.publish(&v2(SUPPORTED));
        let record = mapped.snapshot().expect("a record");
        assert_eq!(record.bound, v2(SUPPORTED).bound);
        assert!(!record.disruption.supported && !segment.is_disruption_supported());
        // A file that is made anew has it.
        if boot_id == SECOND_BOOT {
            fs::remove_file(bench.path()).expect("removed");
            segment.check_file().expect("made again");
            segment.publish(&v2(SUPPORTED));
            assert!(is_set(&bench.reader::<V2>()) && segment.is_disruption_supported());
            assert!(!is_set(&mapped));
        }
    }
}

#[test]
fn the_flag_of_a_v2_file_that_is_reused_can_be_cleared() {
    let bench = Bench::new();
    bench.open_v2(SUPPORTED).0.publish(&v2(SUPPORTED));
    let before = bench.inode();
    let (segment, _) = bench.open_v2(UNSUPPORTED);
    segment.publish(&v2(UNSUPPORTED));
    assert_eq!(bench.inode(), before);
    let record = bench.reader::<V2>().snapshot().expect("a record");
    assert_eq!(record, v2(UNSUPPORTED));
}

#[test]
fn a_v3_file_with_the_other_flag_is_replaced_and_still_written_with_its_own() {
    for (old, new) in [(SUPPORTED, UNSUPPORTED), (UNSUPPORTED, SUPPORTED)] {
        let bench = Bench::new();
        bench.open_v3(old).0.publish(&v3(old));
        let mapped: V3Reader = bench.reader();
        let (segment, start) = bench.open_v3(new);
        assert!(matches!(start, Start::Replaced { .. }), "{start}");
        let record = mapped.snapshot().expect("a record");
        assert_eq!(record.status, ClockStatus::Unknown);
        assert_eq!(record.disruption.supported, old.supported);
        segment.publish(&v3(new));
        assert_eq!(bench.read_v3(), v3(new));
        let record = mapped.snapshot().expect("a record");
        assert_eq!(record.status, ClockStatus::Synchronized);
        assert_eq!(record.disruption.supported, old.supported);
        assert_eq!(record.disruption.marker, new.marker);
    }
}

#[test]
fn a_retired_v3_segment_claims_nothing_and_keeps_its_flag() {
    let bench = Bench::new();
    bench.open_v3(SUPPORTED).0.publish(&v3(SUPPORTED));
    let mapped = bench.reader::<V3>();
    assert!(retire::<V3>(&bench.path()).expect("retired"));
    assert!(!bench.path().exists());
    let record = mapped.snapshot().expect("a record");
    assert_eq!(record.status, ClockStatus::Unknown);
    assert!(record.disruption.supported);
}
