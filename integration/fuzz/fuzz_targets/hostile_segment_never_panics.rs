//! No bytes in a segment's file, and no clock readings, make a reader panic, hang, or trust nonsense.
#![no_main]

use std::fs::File;
use std::io::Write;

use clockbound_client::interval_at;
use libfuzzer_sys::fuzz_target;
use shm_layout::reader::V1Reader;

/// The header of a sound segment, generation 2.
const HEADER: &[u8; 16] = b"\x4e\x5a\x4d\x41\x00\x02\x42\x43\x48\0\0\0\x01\0\x02\0";

fuzz_target!(|input: (bool, i64, i64, &[u8])| {
    let (sound_header, realtime_ns, monotonic_ns, bytes) = input;
    let path = format!("/dev/shm/clockbound-fuzz-{}", std::process::id());
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .expect("a file");
    if sound_header {
        file.write_all(HEADER).expect("written");
    }
    file.write_all(bytes).expect("written");
    let opened = V1Reader::from_file(&file);
    let _ = std::fs::remove_file(&path);
    let Ok(reader) = opened else { return };
    let Ok(record) = reader.snapshot() else {
        return;
    };
    assert!(record.bound_ns >= 0);
    if let Ok(interval) = interval_at(&record, realtime_ns, monotonic_ns) {
        assert!(interval.earliest_ns() <= realtime_ns && realtime_ns <= interval.latest_ns());
        let _ = (
            interval.bound_ns(),
            interval.midpoint_ns(),
            interval.earliest(),
            interval.latest(),
        );
    }
});
