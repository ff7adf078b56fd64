//! Diagnostics for tests.

use clockbound_client::diagnostics::{
    Counters, Diagnostics, DiagnosticsRecord, Settings, Source, SourceAddress, SourceState,
};
use clockbound_client::{Leap, Reason, Status};

/// One second, ns.
pub const S: i64 = 1_000_000_000;
/// `CLOCK_MONOTONIC_RAW` of the fixtures, ns.
pub const NOW_NS: i64 = 100_000 * S;
/// `CLOCK_REALTIME` at [`NOW_NS`]: 2026-11-24 20:00:00 UTC.
pub const REALTIME_NS: i64 = 1_795_550_400 * S;

/// A daemon that follows the first of three servers and has published just now: a bound of
/// 400 us, mostly root distance, and an error of `CLOCK_REALTIME` of 450 us.
pub fn synchronized() -> Diagnostics {
    at_present(synchronized_record())
}

/// A daemon without any report: it claims nothing.
pub fn no_claim() -> Diagnostics {
    at_present(no_claim_record())
}

/// The diagnostics of this record at [`NOW_NS`].
pub fn at_present(record: DiagnosticsRecord) -> Diagnostics {
    Diagnostics::at(record, NOW_NS, REALTIME_NS)
}

/// The record of [`synchronized`].
pub fn synchronized_record() -> DiagnosticsRecord {
    let interval_ns = (REALTIME_NS - 350_000, REALTIME_NS + 450_000);
    DiagnosticsRecord {
        as_of_ns: NOW_NS,
        realtime_ns: REALTIME_NS,
        started_ns: NOW_NS - 7_200 * S,
        pid: 4_711,
        version: [0, 3, 0],
        status: Status::Synchronized,
        reason: Reason::Tracking,
        status_since_ns: NOW_NS - 7_100 * S,
        reason_since_ns: NOW_NS - 7_100 * S,
        failure: Reason::Tracking,
        failure_since_ns: NOW_NS - 7_100 * S,
        leap: Leap::Normal,
        earliest_ns: interval_ns.0,
        latest_ns: interval_ns.1,
        realtime_error_ns: 450_000,
        budget_ns: [310_000, 200, 4_000, 500, 300, 0, 150_000, -65_000, 0, 0, 0],
        validated_ns: NOW_NS - S / 10,
        free_running_after_ns: NOW_NS + 5 * S,
        void_after_ns: NOW_NS + 1_000 * S,
        slowest_ppt: -52_000_000,
        fastest_ppt: 48_000_000,
        settings: Settings {
            max_drift_ppb: 50_000,
            poll_interval_us: 100_000,
            grace_ns: 2 * S,
            holdover_ns: 1_000 * S,
            ..Settings::default()
        },
        reference_id: u32::from_be_bytes([192, 0, 2, 1]),
        stratum: 2,
        root_delay_ns: 500_000,
        root_dispersion_ns: 60_000,
        correction_ns: 1_200,
        skew_ppb: 20,
        frequency_ppb: -2_100,
        protocol: 6,
        counters: Counters {
            reports: 72_000,
            measurements: 2_250,
            status_changes: 1,
            ..Counters::default()
        },
        publications: [72_000, 72_000, 72_000, 0],
        source_count: 3,
        sources: vec![
            Source {
                state: SourceState::Selected,
                is_followed: true,
                measured_ns: NOW_NS - 3 * S,
                offset_ns: 1_200,
                offset_error_ns: 310_000,
                own_ns: Some(interval_ns),
                measurements: 2_250,
                ..server(1)
            },
            Source {
                state: SourceState::Selectable,
                measured_ns: NOW_NS - 5 * S,
                offset_ns: -40_000,
                offset_error_ns: 900_000,
                own_ns: Some((REALTIME_NS - 1_100_000, REALTIME_NS + 1_200_000)),
                measurements: 2_200,
                ..server(2)
            },
            Source {
                state: SourceState::Nonselectable,
                reachability: 0,
                ..server(3)
            },
        ],
        ..no_claim_record()
    }
}

/// The record of [`no_claim`].
pub fn no_claim_record() -> DiagnosticsRecord {
    DiagnosticsRecord {
        realtime_ns: REALTIME_NS,
        ..DiagnosticsRecord::no_claim(NOW_NS)
    }
}

/// A server with this last octet of its address, polled every 4 s, without a measurement.
pub fn server(octet: u8) -> Source {
    Source {
        address: SourceAddress::V4([192, 0, 2, octet]),
        poll: 2,
        stratum: 1,
        reachability: 0o377,
        ..Source::default()
    }
}
