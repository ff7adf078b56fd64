//! The project's client library with invalid segments.

use std::path::Path;

use integration::fakes::candm::Report;
use integration::fakes::chronyd::FakeChronyd;
use integration::host::sandbox::Sandbox;
use integration::observe::reading::{Reading, Status, open_client};
use integration::observe::segment::Segment;
use integration::programs::daemon::Launch;
use integration::setup::testbed::shm_path;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");

/// The bytes of a valid segment after its daemon has stopped.
fn valid_segment() -> Vec<u8> {
    let sandbox = Sandbox::new();
    let fake = FakeChronyd::reporting(&sandbox.chrony_dir("chrony"), Report::healthy);
    let shm = shm_path(&sandbox);
    let mut daemon = Launch::new(BIN, fake.socket(), &shm).start();
    Segment::wait_for_status(&shm, Status::Synchronized);
    daemon.terminate();
    Segment::settled(&shm).bytes
}

/// Opens the segment and reads it once.
fn first_read(path: &Path) -> Result<Reading, String> {
    open_client(path)?()
}

#[test]
fn invalid_segments_give_errors() {
    let sandbox = Sandbox::new();
    let valid = valid_segment();
    let generation = u16::from_ne_bytes([valid[14], valid[15]]);
    let changes: [(&str, usize, Vec<u8>); 13] = [
        (
            "an unfinished write",
            14,
            (generation | 1).to_ne_bytes().to_vec(),
        ),
        ("not initialised", 14, vec![0; 2]),
        ("no magic", 0, vec![0; 8]),
        ("version 0", 12, vec![0; 2]),
        ("another layout", 12, 2_u16.to_ne_bytes().to_vec()),
        ("status 7", 64, 7_i32.to_ne_bytes().to_vec()),
        ("status 50000", 64, 50_000_i32.to_ne_bytes().to_vec()),
        ("status -1", 64, (-1_i32).to_ne_bytes().to_vec()),
        ("a negative bound", 48, (-1_i64).to_ne_bytes().to_vec()),
        (
            "a bound that overflows",
            48,
            i64::MAX.to_ne_bytes().to_vec(),
        ),
        (
            "a drift of one",
            56,
            1_000_000_000_u32.to_ne_bytes().to_vec(),
        ),
        (
            "invalid nanoseconds",
            24,
            2_000_000_000_i64.to_ne_bytes().to_vec(),
        ),
        (
            "a size above that of the file",
            8,
            4096_u32.to_ne_bytes().to_vec(),
        ),
    ];
    for (what, offset, bytes) in changes {
        let mut changed = valid.clone();
        changed[offset..offset + bytes.len()].copy_from_slice(&bytes);
        let result = first_read(&sandbox.write("shm", &changed));
        assert!(result.is_err(), "{what}: {result:?}");
    }
    let unchanged = first_read(&sandbox.write("shm", &valid)).expect("a valid one");
    assert!(unchanged.bound_ns() > 0);
}

#[test]
fn short_files_give_errors() {
    let sandbox = Sandbox::new();
    let valid = valid_segment();
    for length in [0, 8, 15, 16, 71] {
        let result = first_read(&sandbox.write("shm", &valid[..length]));
        assert!(result.is_err(), "{length} bytes: {result:?}");
    }
    assert!(first_read(&sandbox.path("nothing")).is_err());
}
