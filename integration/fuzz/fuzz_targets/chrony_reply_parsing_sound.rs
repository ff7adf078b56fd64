//! A reply of chronyd that is accepted is unchanged by encoding and parsing, and has values within
//! their limits.
#![no_main]

use clockbound_actors::chrony::{Reply, Request};
use libfuzzer_sys::fuzz_target;

const TRACKING: u16 = 33;
const SEQUENCE: u32 = 1;

fuzz_target!(|data: &[u8]| {
    let _ = Request::parse(data);
    let _ = Reply::parse(data, TRACKING, SEQUENCE);

    // With a valid header, the fuzzer reaches the reports from the first byte on.
    let Some((code, data)) = data.split_first() else {
        return;
    };
    let mut packet = Reply::Null.encode(TRACKING, SEQUENCE);
    packet[7] = *code;
    packet.extend(data);
    let Ok(reply) = Reply::parse(&packet, TRACKING, SEQUENCE) else {
        return;
    };
    let again = Reply::parse(&reply.encode(TRACKING, SEQUENCE), TRACKING, SEQUENCE);
    assert_eq!(again, Ok(reply));
    match reply {
        Reply::Null => {}
        Reply::Tracking(report) => {
            assert!(report.root_delay_s >= 0.0 && report.root_delay_s.is_finite());
            assert!(report.root_dispersion_s >= 0.0 && report.root_dispersion_s.is_finite());
            assert!(report.skew_ppm >= 0.0 && report.skew_ppm.is_finite());
            assert!(report.current_correction_s.abs() <= 1e9 && report.freq_ppm.abs() <= 1e6);
            assert!(report.resid_freq_ppm.abs() <= 1e6);
            assert!(report.stratum <= 16 && report.ref_time_ns >= 0);
        }
        Reply::SourceData(report) => {
            assert!(report.offset_s.is_finite() && report.original_offset_s.is_finite());
            assert!(report.offset_error_s >= 0.0 && report.offset_error_s.is_finite());
            assert!(report.stratum <= 16);
        }
    }
});
