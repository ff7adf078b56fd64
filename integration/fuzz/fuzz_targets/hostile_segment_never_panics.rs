//! No bytes in a segment's file, and no clock readings, make a reader panic, hang, or trust nonsense.
#![no_main]

use std::fs::File;
use std::io::Write;

use clockbound_client::{interval_at, native_interval_at};
use libfuzzer_sys::fuzz_target;
use shm_layout::reader::{NativeReader, V1Reader};

/// The header of a sound v1 segment, generation 2.
const HEADER: &[u8; 16] = b"\x4e\x5a\x4d\x41\x00\x02\x42\x43\x48\0\0\0\x01\0\x02\0";

/// The beginning of a sound native segment, sequence 2.
fn native_header() -> [u8; 72] {
    let mut header = [0; 72];
    header[..16].copy_from_slice(b"clkbound\x88\0\0\0\x01\0\0\0");
    header[64] = 2;
    header
}

fuzz_target!(|input: (Option<bool>, i64, i64, &[u8])| {
    let (sound_v1_header, realtime_ns, monotonic_ns, bytes) = input;
    let path = format!("/dev/shm/clockbound-fuzz-{}", std::process::id());
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .expect("a file");
    match sound_v1_header {
        Some(true) => file.write_all(HEADER).expect("written"),
        Some(false) => file.write_all(&native_header()).expect("written"),
        None => {}
    }
    file.write_all(bytes).expect("written");
    let (v1, native) = (V1Reader::from_file(&file), NativeReader::from_file(&file));
    let _ = std::fs::remove_file(&path);
    let interval = if let Ok(reader) = v1 {
        let Ok(record) = reader.snapshot() else {
            return;
        };
        assert!(record.bound_ns >= 0);
        interval_at(&record, realtime_ns, monotonic_ns)
    } else if let Ok(reader) = native {
        let Ok(record) = reader.snapshot() else {
            return;
        };
        native_interval_at(&record, monotonic_ns)
    } else {
        return;
    };
    if let Ok(interval) = interval {
        assert!(interval.earliest_ns() <= interval.latest_ns());
        let _ = (
            interval.bound_ns(),
            interval.midpoint_ns(),
            interval.earliest(),
            interval.latest(),
        );
    }
});
