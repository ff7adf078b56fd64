//! Packets that chronyc 4.3 and chronyd 4.3 exchanged, with another sequence number.
//!
//! Round trips alone do not detect a number that is wrong in both directions.

use super::*;

const SEQUENCE: u32 = 0x0102_0304;

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn request_bytes(command: &str, data: &str, length: usize) -> Vec<u8> {
    let mut packet = bytes(&format!(
        "06010000{command}0000010203040000000000000000{data}"
    ));
    packet.resize(length, 0);
    packet
}

#[test]
fn requests_are_encoded_as_by_chronyc() {
    let table = [
        (Request::Tracking, "0021", "", 104),
        (Request::SourceData { index: 0 }, "000f", "", 76),
        (Request::SourceData { index: 9 }, "000f", "00000009", 76),
    ];
    for (request, command, data, length) in table {
        let packet = request_bytes(command, data, length);
        assert_eq!(request.encode(SEQUENCE), packet, "{request:?}");
        assert_eq!(Request::parse(&packet), Ok((SEQUENCE, request)));
    }
}

#[test]
fn a_tracking_report_without_a_reference_is_parsed() {
    let mut packet = bytes("0602000000210005000000000000000001020304");
    packet.resize(104, 0);
    packet[55] = 3;
    packet[92..100].copy_from_slice(&bytes("0480000004800000"));
    let report = Tracking {
        ref_id: 0,
        address: Address::Unspecified,
        stratum: 0,
        leap: Leap::Unsynchronized,
        ref_time_ns: 0,
        current_correction_s: 0.0,
        last_offset_s: 0.0,
        rms_offset_s: 0.0,
        freq_ppm: 0.0,
        resid_freq_ppm: 0.0,
        skew_ppm: 0.0,
        root_delay_s: 1.0,
        root_dispersion_s: 1.0,
        last_update_interval_s: 0.0,
    };
    let reply = Reply::Tracking(report);
    assert_eq!(Reply::parse(&packet, 33, SEQUENCE), Ok(reply));
    assert_eq!(reply.encode(33, SEQUENCE), packet);
}

#[test]
fn unknown_commands_are_refused() {
    let packet = request_bytes("0016", "", 68);
    assert_eq!(Request::parse(&packet), Err(ParseError::Command(22)));
}
