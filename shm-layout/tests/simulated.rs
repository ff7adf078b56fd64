//! A record that a program wrote for a test: its mark in every layout, readers that refuse it, and
//! a writer that does not resume it.

use std::fs::{self, File};
use std::path::Path;

use shm_layout::ClockStatus;
use shm_layout::diagnostics::{Diagnostics, DiagnosticsRecord};
use shm_layout::layout::Layout;
use shm_layout::native::{Native, NativeRecord};
use shm_layout::reader::{ReadError, Reader};
use shm_layout::v1::{V1, V1Record};
use shm_layout::v2::{V2, V2Record};
use shm_layout::v3::{V3, V3Record};
use shm_layout::writer::{Segment, Start};

/// The record has its mark at the byte `mark_at`, and no other change, if `is_simulated`. The fast
/// path `glance` does not find a record that was refused.
fn check<L: Layout>(
    mark_at: usize,
    record: impl Fn(bool) -> L::Record,
    glance: fn(&Reader<L>) -> Option<L::Record>,
) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("segment");
    let read = |path: &Path, is_refused| {
        let file = File::open(path).expect("a file");
        let reader = Reader::<L>::from_file_at_once(&file).expect("a segment");
        let reader = reader.refusing_simulated(is_refused);
        let record = reader.snapshot();
        let is_refused = matches!(record, Err(ReadError::Simulated));
        assert!(!is_refused || glance(&reader).is_none(), "{}", L::NAME);
        record
    };
    let (segment, _) = Segment::<L>::open(&path).expect("the segment opens");
    segment.publish(&record(false));
    let plain = fs::read(&path).expect("a file");
    assert_eq!(read(&path, true).expect("a record"), record(false));
    segment.publish(&record(true));
    let marked = fs::read(&path).expect("a file");
    let differs = |&at: &usize| plain[at] != marked[at];
    let record_at = if L::SIZE > 4_000 { 72 } else { 16 };
    let changed: Vec<_> = (record_at..L::SIZE).filter(differs).collect();
    assert_eq!(changed, [mark_at], "{}", L::NAME);
    assert_eq!(read(&path, false).expect("a record"), record(true));
    let refused = read(&path, true);
    assert!(matches!(refused, Err(ReadError::Simulated)), "{refused:?}");
    drop(segment);
    let (segment, start) = Segment::<L>::open(&path).expect("the segment opens");
    assert!(matches!(start, Start::Cold { .. }), "{} {start}", L::NAME);
    assert!(!L::is_simulated(&segment.last_record()));
}

#[test]
fn the_mark_is_one_byte_and_a_marked_record_is_refused_on_request_and_never_resumed() {
    check::<Native>(
        187,
        |is_simulated| NativeRecord {
            status: ClockStatus::Synchronized,
            is_simulated,
            ..NativeRecord::no_claim(1)
        },
        Reader::glance,
    );
    let bound = |is_simulated| V1Record {
        status: ClockStatus::Synchronized,
        is_simulated,
        ..V1Record::no_claim(1)
    };
    check::<V1>(60, bound, Reader::glance);
    check::<V2>(
        73,
        |is_simulated| V2Record::from(bound(is_simulated)),
        Reader::glance,
    );
    check::<V3>(
        99,
        |is_simulated| V3Record {
            status: ClockStatus::Synchronized,
            is_simulated,
            ..V3Record::no_claim(1)
        },
        Reader::glance,
    );
    check::<Diagnostics>(
        188,
        |is_simulated| DiagnosticsRecord {
            status: ClockStatus::Synchronized,
            is_simulated,
            ..DiagnosticsRecord::no_claim(1)
        },
        |_| None,
    );
}

#[test]
fn a_reader_that_refuses_simulated_records_has_none_after_the_record_before() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("native");
    let (segment, _) = Segment::<Native>::open(&path).expect("the segment opens");
    let plain = NativeRecord::no_claim(1);
    segment.publish(&plain);
    let reader = Reader::<Native>::open(&path).expect("a reader");
    let reader = reader.refusing_simulated(true);
    assert_eq!(reader.snapshot().expect("a record"), plain);
    segment.publish(&NativeRecord {
        is_simulated: true,
        ..plain
    });
    assert_eq!(reader.glance(), None);
    let refused = reader.snapshot();
    assert!(matches!(refused, Err(ReadError::Simulated)), "{refused:?}");
    segment.publish(&plain);
    assert_eq!(reader.snapshot().expect("a record"), plain);
    assert_eq!(reader.glance(), Some(plain));
}
