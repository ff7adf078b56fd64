//! Properties of all reports. This crate's tests have tables of real replies.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use proptest::prelude::*;

use super::*;

const SEQUENCE: u32 = 0x0102_0304;
const HEADER: usize = REPLY_HEADER_BYTES;

fn address() -> impl Strategy<Value = Address> {
    prop_oneof![
        Just(Address::Unspecified),
        any::<Ipv4Addr>().prop_map(Address::V4),
        any::<Ipv6Addr>().prop_map(Address::V6),
        any::<u32>().prop_map(Address::Id),
    ]
}

fn leap() -> impl Strategy<Value = Leap> {
    prop_oneof![
        Just(Leap::Normal),
        Just(Leap::InsertSecond),
        Just(Leap::DeleteSecond),
        Just(Leap::Unsynchronized),
    ]
}

/// Values of every magnitude from 0 to `limit`, inclusive.
fn size(limit: f64) -> impl Strategy<Value = f64> {
    let small = (-25..0i32, 0.0..1.0f64).prop_map(|(exponent, x)| x * 2f64.powi(exponent));
    prop_oneof![Just(0.0), Just(limit), 0.0..limit, small]
}

fn offset(limit: f64) -> impl Strategy<Value = f64> {
    (size(limit), any::<bool>()).prop_map(|(size, below)| if below { -size } else { size })
}

prop_compose! {
    fn tracking()(
        (ref_id, address, stratum, leap) in (any::<u32>(), address(), 0..=16u16, leap()),
        ref_time_ns in 0..=i64::MAX,
        offsets in (offset(1e9), offset(1e9), size(1e9)),
        frequency in (offset(1e6), offset(1e6), size(1e7)),
        root in (size(65_536.0), size(65_536.0)),
        last_update_interval_s in size(1e10),
    ) -> Tracking {
        Tracking {
            ref_id,
            address,
            stratum,
            leap,
            ref_time_ns,
            current_correction_s: offsets.0,
            last_offset_s: offsets.1,
            rms_offset_s: offsets.2,
            freq_ppm: frequency.0,
            resid_freq_ppm: frequency.1,
            skew_ppm: frequency.2,
            root_delay_s: root.0,
            root_dispersion_s: root.1,
            last_update_interval_s,
        }
    }
}

prop_compose! {
    fn source_data()(
        (address, poll, stratum) in (address(), any::<i16>(), 0..=16u16),
        state in prop_oneof![
            Just(SourceState::Selected),
            Just(SourceState::Nonselectable),
            Just(SourceState::Falseticker),
            Just(SourceState::Jittery),
            Just(SourceState::Unselected),
            Just(SourceState::Selectable),
        ],
        mode in prop_oneof![
            Just(SourceMode::Client),
            Just(SourceMode::Peer),
            Just(SourceMode::Reference),
        ],
        (flags, reachability, since_sample_s) in any::<(u16, u16, u32)>(),
        offsets in (offset(1e9), offset(1e9), size(1e9)),
    ) -> SourceData {
        SourceData {
            address,
            poll,
            stratum,
            state,
            mode,
            flags,
            reachability,
            since_sample_s,
            original_offset_s: offsets.0,
            offset_s: offsets.1,
            offset_error_s: offsets.2,
        }
    }
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        Just(Reply::Null),
        source_data().prop_map(Reply::SourceData),
        tracking().prop_map(Reply::Tracking),
    ]
}

fn floats(reply: &Reply) -> Vec<(f64, RangeInclusive<f64>)> {
    let (offset, size) = (-1e9..=1e9, 0.0..=1e9);
    let (ppm, root) = (-1e6..=1e6, 0.0..=65_536.0);
    match reply {
        Reply::Null => Vec::new(),
        Reply::Tracking(report) => vec![
            (report.current_correction_s, offset.clone()),
            (report.last_offset_s, offset),
            (report.rms_offset_s, size),
            (report.freq_ppm, ppm.clone()),
            (report.resid_freq_ppm, ppm),
            (report.skew_ppm, 0.0..=1e7),
            (report.root_delay_s, root.clone()),
            (report.root_dispersion_s, root),
            (report.last_update_interval_s, 0.0..=1e10),
        ],
        Reply::SourceData(report) => vec![
            (report.original_offset_s, offset.clone()),
            (report.offset_s, offset),
            (report.offset_error_s, size),
        ],
    }
}

/// Whether every value is in its range. No range contains a NaN.
fn is_in_range(reply: &Reply) -> bool {
    let stratum = match reply {
        Reply::Tracking(report) => report.stratum,
        Reply::SourceData(report) => report.stratum,
        _ => 0,
    };
    stratum <= 16
        && floats(reply)
            .iter()
            .all(|(value, range)| range.contains(value))
}

proptest! {
    #[test]
    fn every_reply_survives_a_round_trip_within_the_precision_of_floats(
        reply in reply(),
        command: u16,
    ) {
        let packet = reply.encode(command, SEQUENCE);
        let parsed = Reply::parse(&packet, command, SEQUENCE).expect("its own encoding");
        for ((sent, _), (got, _)) in floats(&reply).into_iter().zip(floats(&parsed)) {
            prop_assert!((sent - got).abs() <= sent.abs() / f64::from(1 << 24), "{sent} -> {got}");
        }
        prop_assert_eq!(parsed.encode(command, SEQUENCE), packet);
    }

    #[test]
    fn accepted_values_are_in_range(
        reply in reply(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut packet = reply.encode(33, SEQUENCE);
        for (at, value) in damage {
            // A damaged header would be rejected.
            if packet.len() > HEADER {
                let at = HEADER + at.index(packet.len() - HEADER);
                packet[at] = value;
            }
        }
        if let Ok(reply) = Reply::parse(&packet, 33, SEQUENCE) {
            prop_assert!(is_in_range(&reply), "{:?}", reply);
            prop_assert_eq!(Reply::parse(&reply.encode(33, SEQUENCE), 33, SEQUENCE), Ok(reply));
        }
    }

    #[test]
    fn truncated_packets_are_rejected(reply in reply(), cut in any::<prop::sample::Index>()) {
        let packet = reply.encode(33, SEQUENCE);
        let found = cut.index(packet.len());
        let result = Reply::parse(&packet[..found], 33, SEQUENCE);
        if found < HEADER {
            prop_assert_eq!(result, Err(ParseError::NotOurs));
        } else {
            let Err(ParseError::TooShort { found: reported, .. }) = result else {
                panic!("{result:?}")
            };
            prop_assert_eq!(reported, found);
        }
    }
}

#[test]
fn a_status_is_printed_by_its_name() {
    for (number, name) in [
        (0, "SUCCESS"),
        (1, "FAILED"),
        (6, "NOTENABLED"),
        (10, "NOHOSTACCESS"),
        (15, "INACTIVE"),
        (19, "BADPKTLENGTH"),
        (20, "status 20"),
        (21, "INVALIDNAME"),
        (22, "status 22"),
        (u16::MAX, "status 65535"),
    ] {
        assert_eq!(Status(number).to_string(), name);
    }
}

/// The reports of chronyd 4.3 on sources without a sample: a server that does not respond, a name
/// that does not resolve, and a reference clock without samples.
#[test]
fn reports_on_sources_without_samples_are_parsed() {
    let header = |command, code| {
        let mut packet = Reply::Null.encode(command, SEQUENCE);
        packet[7] = code;
        packet
    };
    let unresolved = Address::Id(1);
    let silent = Address::V4(Ipv4Addr::new(192, 0, 2, 1));
    let clock = Address::V4(Ipv4Addr::from(*b"TEST"));
    for (address, family, poll, mode) in [
        (*b"\xc0\0\x02\x01", 1, 7, SourceMode::Client),
        (*b"\0\0\0\x01", 3, 6, SourceMode::Client),
        (*b"TEST", 1, 4, SourceMode::Reference),
    ] {
        let mut packet = header(15, 3);
        packet.extend(address);
        packet.extend([0; 12]);
        packet.extend([0, family, 0, 0, 0, poll, 0, 0, 0, 1, 0, mode as u8, 0, 0]);
        packet.extend([0, 0, 0xff, 0xff, 0xff, 0xff]);
        packet.extend([0; 12]);
        let Ok(Reply::SourceData(report)) = Reply::parse(&packet, 15, SEQUENCE) else {
            panic!("a source report")
        };
        assert!([silent, unresolved, clock].contains(&report.address));
        assert_eq!((report.poll, report.mode), (i16::from(poll), mode));
        assert_eq!(report.state, SourceState::Nonselectable);
        assert_eq!((report.reachability, report.since_sample_s), (0, u32::MAX));
        assert_eq!(
            Reply::SourceData(report).encode(15, SEQUENCE),
            packet,
            "{report:?}"
        );
    }
}
