//! Tests of chronyd's protocol with packets of chronyd 4.3, and properties for arbitrary packets.

use std::net::Ipv4Addr;

use clockbound_actors::chrony::{
    Address, Leap, ParseError, Reply, Request, SourceData, SourceMode, SourceState, Status,
    Tracking,
};
use proptest::prelude::*;

const SEQUENCE: u32 = 0x0102_0304;
const LOCALHOST: Address = Address::V4(Ipv4Addr::LOCALHOST);

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}

/// A reply with the given command, reply and status numbers in its header.
fn reply_bytes(numbers: &str, data: &str) -> Vec<u8> {
    bytes(&format!(
        "06020000{numbers}000000000000010203040000000000000000{data}"
    ))
}

#[test]
fn a_tracking_report_has_the_values_that_chronyc_prints() {
    let packet = reply_bytes(
        "002100050000",
        "7f0000017f000001000000000000000000000000000100000006000000000000\
         6b0414f729b0852add6a9482c52c770ad68e7920f962f763ee8f16a500a73648e0c17990dcad4dcb0080c150",
    );
    let Ok(Reply::Tracking(report)) = Reply::parse(&packet, 33, SEQUENCE) else {
        panic!("a tracking report")
    };
    assert_eq!(
        (report.ref_id, report.address, report.stratum),
        (0x7f00_0001, LOCALHOST, 6)
    );
    assert_eq!(
        (report.leap, report.ref_time_ns),
        (Leap::Normal, 1_795_429_623_699_434_282)
    );
    let close = |value: f64, expected: f64| {
        assert!((value - expected).abs() <= expected.abs() * 1e-3, "{value}")
    };
    close(report.root_delay_s, float(0xe0c1_7990));
    close(report.root_dispersion_s, float(0xdcad_4dcb));
    close(report.freq_ppm, float(0xf962_f763));
    close(report.current_correction_s, -1.113e-6);
    close(report.skew_ppm, 0.326_6);
    close(report.last_update_interval_s, 0.251_473_9);
    assert_eq!(Reply::Tracking(report).encode(33, SEQUENCE), packet);
}

#[test]
fn the_report_of_an_unsynchronised_chronyd_is_parsed() {
    let mut packet = reply_bytes("002100050000", &"00".repeat(76));
    packet[28 + 26..28 + 28].copy_from_slice(&3u16.to_be_bytes());
    let Ok(Reply::Tracking(report)) = Reply::parse(&packet, 33, SEQUENCE) else {
        panic!("a tracking report")
    };
    assert_eq!(
        (report.leap, report.ref_id, report.address),
        (Leap::Unsynchronized, 0, Address::Unspecified)
    );
}

#[test]
fn replies_of_chronyd_are_parsed_and_encoded() {
    let source = "7f00000100000000000000000000000000010000fffe000500000000000000ff00000000cd543389cd616d84ded464e7";
    let table = [
        (33, "002100010000", "", Reply::Null),
        (
            15,
            "000f00030000",
            source,
            Reply::SourceData(SourceData {
                address: LOCALHOST,
                poll: -2,
                stratum: 5,
                state: SourceState::Selected,
                mode: SourceMode::Client,
                flags: 0,
                reachability: 0xff,
                since_sample_s: 0,
                original_offset_s: float(0xcd54_3389),
                offset_s: float(0xcd61_6d84),
                offset_error_s: float(0xded4_64e7),
            }),
        ),
    ];
    for (command, numbers, data, reply) in table {
        let packet = reply_bytes(numbers, data);
        assert_eq!(Reply::parse(&packet, command, SEQUENCE), Ok(reply));
        assert_eq!(reply.encode(command, SEQUENCE), packet, "{reply:?}");
    }
}

/// The value of a float on the wire, computed independently of the code under test.
fn float(word: u32) -> f64 {
    let exponent = f64::from(word.cast_signed() >> 25);
    let coefficient = f64::from((word << 7).cast_signed() >> 7);
    coefficient * (exponent - 25.0).exp2()
}

#[test]
fn refusals_of_chronyd_are_reported_by_name() {
    for (numbers, command, text) in [
        ("000f00010004", 15, "chronyd returned NOSUCHSOURCE"),
        ("002100010013", 33, "chronyd returned BADPKTLENGTH"),
        ("00c800010003", 200, "chronyd returned INVALID"),
        (
            "002100010012",
            33,
            "BADPKTVERSION: chronyd uses protocol version 6",
        ),
        ("00210001002a", 33, "chronyd returned status 42"),
    ] {
        let err = Reply::parse(&reply_bytes(numbers, ""), command, SEQUENCE)
            .expect_err("a refusal")
            .to_string();
        assert!(err.contains(text), "{err}");
    }
    let unauthorised = Reply::encode_refusal(33, 7, Status(2));
    assert_eq!(
        Reply::parse(&unauthorised, 33, 7),
        Err(ParseError::Status(Status(2)))
    );
}

#[test]
fn a_chronyd_of_another_version_is_distinguished_from_noise() {
    let mut packet = Reply::Null.encode(33, SEQUENCE);
    packet[0] = 7;
    assert_eq!(
        Reply::parse(&packet, 33, SEQUENCE),
        Err(ParseError::Version(7))
    );
    assert_eq!(
        Reply::parse(&packet, 33, SEQUENCE + 1),
        Err(ParseError::NotOurs)
    );
    assert_eq!(
        Reply::parse(&packet, 34, SEQUENCE),
        Err(ParseError::NotOurs)
    );
    assert_eq!(
        Reply::parse(&packet[..27], 33, SEQUENCE),
        Err(ParseError::NotOurs)
    );
}

#[test]
fn requests_have_the_length_that_chronyd_requires() {
    // chronyd refuses shorter requests with BADPKTLENGTH.
    for (request, length) in [
        (Request::Tracking, 104),
        (Request::SourceData { index: 0 }, 76),
        (Request::ResetSources, 28),
        (Request::Burst { good: 4, total: 8 }, 68),
    ] {
        assert_eq!(request.encode(0).len(), length, "{request:?}");
    }
}

/// The packets of chronyc 4.3 for `reset sources` and `burst 4/8`.
#[test]
fn commands_are_encoded_as_by_chronyc() {
    let packet = |command: &str, data: &str| {
        bytes(&format!(
            "06010000{command}0000010203040000000000000000{data}"
        ))
    };
    let reset = Request::ResetSources.encode(SEQUENCE);
    assert_eq!(reset, packet("0042", &"00".repeat(8)));
    let burst = Request::Burst { good: 4, total: 8 }.encode(SEQUENCE);
    let everywhere = "00".repeat(40);
    assert_eq!(
        burst,
        packet("0003", &format!("{everywhere}0000000400000008"))
    );
}

#[test]
fn errors_for_invalid_fields_name_the_field() {
    // Offsets into a tracking report, after its header.
    let float = |word: u32| word.to_be_bytes().to_vec();
    let minus_one = float(0x0580_0000);
    let huge = float(0x7eff_ffff);
    for (at, value, name) in [
        (24, 17u16.to_be_bytes().to_vec(), "stratum"),
        (26, 4u16.to_be_bytes().to_vec(), "leap status"),
        (28, float(0x7000_0000), "ref_time"),
        (36, float(1_000_000_000), "ref_time"),
        (40, huge.clone(), "current_correction"),
        (44, huge.clone(), "last_offset"),
        (48, minus_one.clone(), "rms_offset"),
        (52, huge.clone(), "freq_ppm"),
        (56, huge.clone(), "resid_freq_ppm"),
        (60, minus_one.clone(), "skew_ppm"),
        (64, minus_one.clone(), "root_delay"),
        (64, huge.clone(), "root_delay"),
        (68, minus_one.clone(), "root_dispersion"),
        (68, huge, "root_dispersion"),
        (72, minus_one, "last_update_interval"),
        (20, 9u16.to_be_bytes().to_vec(), "address family"),
    ] {
        let mut packet = reply_bytes("002100050000", &"00".repeat(76));
        packet[28 + at..28 + at + value.len()].copy_from_slice(&value);
        let err = Reply::parse(&packet, 33, SEQUENCE).expect_err(name);
        assert!(
            matches!(&err, ParseError::Field { field, .. } if *field == name),
            "{err}"
        );
    }
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        Just(Request::Tracking),
        any::<u32>().prop_map(|index| Request::SourceData { index }),
        Just(Request::ResetSources),
        any::<(i32, i32)>().prop_map(|(good, total)| Request::Burst { good, total }),
    ]
}

fn is_plausible(report: &Tracking) -> bool {
    let numbers = [
        report.current_correction_s,
        report.last_offset_s,
        report.freq_ppm,
        report.resid_freq_ppm,
        report.root_delay_s,
        report.root_dispersion_s,
        report.skew_ppm,
    ];
    numbers.iter().all(|number| number.is_finite())
        && report.root_delay_s >= 0.0
        && report.root_dispersion_s >= 0.0
        && report.skew_ppm >= 0.0
        && report.stratum <= 16
        && report.ref_time_ns >= 0
}

proptest! {
    #[test]
    fn every_request_survives_a_round_trip(request in request(), sequence: u32) {
        prop_assert_eq!(Request::parse(&request.encode(sequence)), Ok((sequence, request)));
    }

    #[test]
    fn accepted_packets_are_plausible_and_survive_a_round_trip(
        code in prop_oneof![Just(1u16), Just(3), Just(5), any::<u16>()],
        data in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut packet = Reply::Null.encode(33, SEQUENCE);
        packet[6..8].copy_from_slice(&code.to_be_bytes());
        packet.extend(data);
        if let Ok(reply) = Reply::parse(&packet, 33, SEQUENCE) {
            prop_assert_eq!(Reply::parse(&reply.encode(33, SEQUENCE), 33, SEQUENCE), Ok(reply));
            if let Reply::Tracking(report) = reply {
                prop_assert!(is_plausible(&report), "{:?}", report);
            }
        }
    }

    #[test]
    fn a_damaged_report_is_plausible_or_refused(at in 0..104usize, value: u8, length in 0..=104usize) {
        let mut packet = reply_bytes(
            "002100050000",
            "7f0000017f000001000000000000000000000000000100000006000000000000\
             6b0414f729b0852add6a9482c52c770ad68e7920f962f763ee8f16a500a73648e0c17990dcad4dcb0080c150",
        );
        packet[at] = value;
        packet.truncate(length);
        if let Ok(Reply::Tracking(report)) = Reply::parse(&packet, 33, SEQUENCE) {
            prop_assert!(is_plausible(&report), "{:?}", report);
        }
    }

    #[test]
    fn no_bytes_make_the_parsers_panic(packet in proptest::collection::vec(any::<u8>(), 0..200), command: u16, sequence: u32) {
        let _ = Reply::parse(&packet, command, sequence);
        let _ = Request::parse(&packet);
    }
}
