//! With any bytes in the file of a segment, of the diagnostics or of a VMClock page, and any readings of clocks and of
//! the counter, a reader does not panic or hang, and returns no inverted interval.
#![no_main]

use std::fs::File;
use std::io::Write;

use clockbound_client::{Client, interval_at, native_interval_at};
use libfuzzer_sys::fuzz_target;
use shm_layout::diagnostics::{Diagnostics, DiagnosticsRecord, MAX_SOURCES};
use shm_layout::layout::Layout;
use shm_layout::native::Native;
use shm_layout::reader::{ReadError, Reader};
use shm_layout::v1::V1;
use shm_layout::v2::V2;
use shm_layout::v3::V3;
use shm_layout::vmclock::Page;

/// The header of a valid v1 segment, generation 2.
const V1_HEADER: &[u8; 16] = b"\x4e\x5a\x4d\x41\x00\x02\x42\x43\x48\0\0\0\x01\0\x02\0";

/// The same, v2.
const V2_HEADER: &[u8; 16] = b"\x4e\x5a\x4d\x41\x00\x02\x42\x43\x50\0\0\0\x02\0\x02\0";

/// The same, v3.
const V3_HEADER: &[u8; 16] = b"\x4e\x5a\x4d\x41\x00\x02\x42\x43\x68\0\0\0\x03\x03\x02\0";

/// The beginning of the diagnostics, sequence 2. The bytes that are not there are 0.
fn diagnostics_header() -> [u8; 128] {
    let mut header = [0; 128];
    header[..16].copy_from_slice(b"clkbdiag\x00\x20\0\0\x01\0\0\0");
    header[64] = 2;
    header
}

/// The header of a valid VMClock page of 112 bytes.
const PAGE_HEADER: &[u8; 12] = b"VCLK\x70\0\0\0\x01\0\xff\0";

/// The beginning of a valid native segment, sequence 2.
fn native_header() -> [u8; 72] {
    let mut header = [0; 72];
    header[..16].copy_from_slice(b"clkbound\x88\0\0\0\x01\0\0\0");
    header[64] = 2;
    header
}

fn record<L: Layout>(file: &File) -> Result<L::Record, ReadError> {
    Reader::<L>::from_file(file)?.snapshot()
}

/// Every number has a range in which the sums of tools fit 64 bits.
fn check_diagnostics(record: &DiagnosticsRecord, raw_ns: i64) {
    assert!(record.earliest_ns <= record.latest_ns && record.slowest_ppt <= record.fastest_ppt);
    assert!(record.latest_ns - record.earliest_ns >= 0);
    assert!(record.budget_ns.iter().sum::<i64>() >= 0);
    assert!(record.as_of_ns.checked_sub(record.started_ns).is_some());
    assert!(
        record
            .void_after_ns
            .checked_sub(record.validated_ns)
            .is_some()
    );
    assert!(record.sources.len() <= MAX_SOURCES);
    for source in &record.sources {
        assert!(
            source
                .own_ns
                .is_none_or(|(earliest_ns, latest_ns)| earliest_ns <= latest_ns)
        );
        assert!(
            source
                .offset_ns
                .checked_sub(source.offset_error_ns)
                .is_some()
        );
    }
    let _ = record.status_at(raw_ns);
    assert_eq!(
        Diagnostics::decode(&Diagnostics::encode(record)).as_ref(),
        Ok(record)
    );
}

fuzz_target!(|input: (u8, i64, i64, &[u8])| {
    let (valid_header, realtime_ns, monotonic_ns, bytes) = input;
    let path = format!("/dev/shm/clockbound-fuzz-{}", std::process::id());
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .expect("a file");
    match valid_header % 7 {
        1 => file.write_all(V1_HEADER).expect("written"),
        2 => file.write_all(V2_HEADER).expect("written"),
        3 => file.write_all(&native_header()).expect("written"),
        4 => file.write_all(V3_HEADER).expect("written"),
        5 => file.write_all(PAGE_HEADER).expect("written"),
        6 => file.write_all(&diagnostics_header()).expect("written"),
        _ => {}
    }
    file.write_all(bytes).expect("written");
    if valid_header % 7 == 6 {
        // The record of a file that is too short is not decoded.
        let length = file.metadata().expect("a length").len();
        file.set_len(length.max(8192)).expect("extended");
    }
    let now = Client::open_at(&path).and_then(|client| client.now());
    let v1 = record::<V1>(&file).or_else(|_| record::<V2>(&file).map(|v2| v2.bound));
    let native = record::<Native>(&file);
    if let Ok(page) = Page::from_file(&file)
        && let Some(content) = page.read()
    {
        assert_eq!(content.marker, page.marker());
    }
    if let Ok(record) = record::<V3>(&file) {
        let (earliest_ns, latest_ns, _) = record.aged_to(monotonic_ns.cast_unsigned());
        assert!(earliest_ns <= latest_ns);
    }
    if let Ok(record) = record::<Diagnostics>(&file) {
        check_diagnostics(&record, monotonic_ns);
    }
    let _ = std::fs::remove_file(&path);
    let intervals = [
        now.ok(),
        v1.ok().and_then(|record| {
            assert!(record.bound_ns >= 0);
            interval_at(&record, realtime_ns, monotonic_ns).ok()
        }),
        native
            .ok()
            .and_then(|record| native_interval_at(&record, monotonic_ns).ok()),
    ];
    for interval in intervals.into_iter().flatten() {
        assert!(interval.earliest_ns() <= interval.latest_ns());
        assert!(interval.bound_ns() >= 0);
        assert!(interval.midpoint() <= interval.latest());
    }
});
