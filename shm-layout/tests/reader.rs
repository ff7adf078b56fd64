//! Reading valid and invalid segments.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proptest::prelude::*;
use shm_layout::ClockStatus;
use shm_layout::layout::Layout;
use shm_layout::reader::{ReadError, V1Reader};
use shm_layout::v1::{self, V1, V1Record};
use shm_layout::writer::V1Segment;
use tempfile::TempDir;

/// The path of a segment in a temporary directory.
struct Path {
    file: PathBuf,
    _directory: TempDir,
}

impl Path {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self {
            file: directory.path().join("shm"),
            _directory: directory,
        }
    }

    fn open_bytes(&self, bytes: &[u8]) -> Result<V1Reader, ReadError> {
        fs::write(&self.file, bytes).expect("written");
        V1Reader::open(&self.file)
    }
}

/// A record whose fields are all derived from `n`, so that a torn record is detected.
fn record(n: i64) -> V1Record {
    V1Record {
        as_of_ns: n * 1_000_000_007,
        void_after_ns: n * 1_000_000_009,
        bound_ns: n,
        max_drift_ppb: u32::try_from(n).expect("a number below 2^32"),
        status: ClockStatus::Synchronized,
        is_simulated: false,
    }
}

fn segment_bytes(generation: u16, payload: &[u64; 7]) -> Vec<u8> {
    let mut bytes = b"\x4e\x5a\x4d\x41\x00\x02\x42\x43\x48\0\0\0\x01\0".to_vec();
    bytes.extend(generation.to_ne_bytes());
    bytes.extend(payload.iter().flat_map(|word| word.to_ne_bytes()));
    bytes
}

#[test]
fn readers_on_other_threads_never_see_a_torn_record() {
    let path = Path::new();
    let (segment, _) = V1Segment::open(&path.file).expect("a segment");
    segment.publish(&record(1));
    let reader = Arc::new(V1Reader::open(&path.file).expect("a reader"));
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (reader, done) = (Arc::clone(&reader), Arc::clone(&done));
            thread::spawn(move || {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let read = reader.snapshot().expect("a snapshot");
                    assert_eq!(read, record(read.bound_ns), "torn");
                    last = read.bound_ns;
                }
                last
            })
        })
        .collect();
    for n in 1..200_000 {
        segment.publish(&record(n));
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.join().expect("never torn") > 0);
    }
}

#[test]
fn an_unfinished_write_leaves_the_last_record_readable() {
    let path = Path::new();
    let reader = path
        .open_bytes(&segment_bytes(2, &V1::encode(&record(5))))
        .expect("a reader");
    assert_eq!(reader.snapshot().expect("a record"), record(5));
    // Written in place, so the reader's map shows it.
    let mut half = V1::encode(&record(6));
    half[3..].copy_from_slice(&V1::encode(&record(5))[3..]);
    fs::write(&path.file, segment_bytes(3, &half)).expect("written");
    assert_eq!(reader.snapshot().expect("the previous record"), record(5));
    fs::write(&path.file, segment_bytes(4, &V1::encode(&record(7)))).expect("written");
    assert_eq!(reader.snapshot().expect("the new record"), record(7));
}

#[test]
fn a_reader_that_opens_during_a_write_that_never_ends_gets_an_error_and_no_interval() {
    let path = Path::new();
    let reader = path
        .open_bytes(&segment_bytes(3, &V1::encode(&record(5))))
        .expect("a reader");
    assert!(matches!(reader.snapshot(), Err(ReadError::WriteInProgress)));
}

#[test]
fn an_invalid_segment_is_refused_when_it_is_opened() {
    let path = Path::new();
    assert!(matches!(V1Reader::open(&path.file), Err(ReadError::Io(_))));
    assert!(matches!(
        V1Reader::open(&std::env::temp_dir()),
        Err(ReadError::NotAFile)
    ));
    let valid = segment_bytes(2, &V1::encode(&record(1)));
    for length in [0, 15, 16, 71] {
        assert!(
            matches!(
                path.open_bytes(&valid[..length]),
                Err(ReadError::TooShort { .. })
            ),
            "{length} bytes"
        );
    }
    for (at, value) in [(0, 0u8), (7, 0), (8, 71), (12, 2), (12, 0)] {
        let mut bytes = valid.clone();
        bytes[at] = value;
        assert!(
            matches!(path.open_bytes(&bytes), Err(ReadError::Header(_))),
            "byte {at} = {value}"
        );
    }
    assert!(matches!(
        path.open_bytes(&segment_bytes(0, &V1::encode(&record(1)))),
        Err(ReadError::NotInitialized)
    ));
    // A size beyond the end of the file would cause a SIGBUS later.
    let mut huge = valid;
    huge[8..12].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert!(matches!(
        path.open_bytes(&huge),
        Err(ReadError::TooShort { .. })
    ));
}

proptest! {
    #[test]
    fn any_bytes_are_a_valid_record_or_an_error(
        bytes in proptest::collection::vec(any::<u8>(), 0..100), valid_header: bool,
    ) {
        let mut bytes = bytes;
        if valid_header && bytes.len() >= v1::SIZE {
            bytes[..16].copy_from_slice(&segment_bytes(2, &[0; 7])[..16]);
        }
        let path = Path::new();
        if let Ok(reader) = path.open_bytes(&bytes) && let Ok(read) = reader.snapshot() {
            prop_assert!(read.bound_ns >= 0 && read.status != ClockStatus::Disrupted);
        }
    }
}
