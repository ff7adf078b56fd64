use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use shm_layout::{Disruption, HostNotice, STALE_AFTER_NS};

use super::*;

const S: i64 = 1_000_000_000;
const NOW_NS: i64 = 100_000 * S;
/// 2026-11-24 20:00:00 UTC.
const REALTIME_NS: i64 = 1_795_550_400 * S;

/// The record of a daemon in which no field is missing: each family has samples.
fn record() -> DiagnosticsRecord {
    let mut record = DiagnosticsRecord::no_claim(NOW_NS);
    record.realtime_ns = REALTIME_NS;
    record.started_ns = NOW_NS - 7_200 * S;
    record.version = [0, 3, 0];
    record.status = ClockStatus::Synchronized;
    record.reason = Reason::Tracking;
    record.status_since_ns = NOW_NS - 7_000 * S;
    record.failure = Reason::SourceUnreachable;
    record.leap = Leap::InsertSecond;
    record.earliest_ns = REALTIME_NS - 350_000;
    record.latest_ns = REALTIME_NS + 449_999;
    record.realtime_error_ns = 450_000;
    record.budget_ns = [310_000, 200, 4_000, 500, 300, 0, 150_000, -65_000, 0, 0, 0];
    record.validated_ns = NOW_NS - S / 2;
    record.free_running_after_ns = NOW_NS + 2 * S;
    record.void_after_ns = NOW_NS + 1_000 * S;
    record.slowest_ppt = -52_000_000;
    record.fastest_ppt = 48_000_000;
    record.settings.max_drift_ppb = 50_000;
    record.settings.max_wander_ppb_per_s = 20;
    record.settings.poll_interval_us = 100_000;
    record.settings.grace_ns = 2 * S;
    record.settings.holdover_ns = 1_000 * S;
    record.settings.max_bound_ns = 5_000_000;
    record.reference_id = u32::from_be_bytes([192, 0, 2, 1]);
    record.stratum = 2;
    record.root_delay_ns = 500_000;
    record.correction_ns = -1_200;
    record.protocol = 6;
    record.disruption = Disruption {
        marker: 7,
        supported: true,
    };
    record.host = HostNotice {
        soon: true,
        tai_offset_s: Some(37),
        ..HostNotice::default()
    };
    record.counters.reports = 72_000;
    record.counters.contradictions = 3;
    record.restarts[5] = 2;
    record.publications = [72_000, 72_001, 72_002, 0];
    record.source_count = 2;
    record.sources = vec![
        Source {
            address: SourceAddress::V4([192, 0, 2, 1]),
            state: SourceState::Selected,
            is_followed: true,
            poll: -2,
            stratum: 1,
            reachability: 0b1111_0111,
            measured_ns: NOW_NS - 3 * S,
            offset_ns: -1_200,
            offset_error_ns: 310_000,
            own_ns: Some((REALTIME_NS - 1_100_000, REALTIME_NS + 1_200_000)),
            measurements: 2_250,
            ..Source::default()
        },
        Source {
            address: SourceAddress::ReferenceClock(u32::from_be_bytes(*b"PHC0")),
            ..Source::default()
        },
    ];
    record
}

/// The diagnostics `age_ns` after the record was written.
fn diagnostics(record: DiagnosticsRecord, age_ns: i64) -> Diagnostics {
    Diagnostics::at(record, NOW_NS + age_ns, REALTIME_NS + age_ns)
}

fn lines(record: DiagnosticsRecord, age_ns: i64) -> Vec<String> {
    let text = text(Some(&diagnostics(record, age_ns)), Format::OpenMetrics);
    text.lines().map(str::to_owned).collect()
}

#[track_caller]
fn assert_has(lines: &[String], expected: &str) {
    let name = expected.split(['{', ' ']).next().unwrap();
    let similar: Vec<_> = lines.iter().filter(|line| line.starts_with(name)).collect();
    assert!(
        lines.iter().any(|line| line == expected),
        "no {expected}, but {similar:#?}"
    );
}

/// The name of each family with its type, in the order of the text.
fn families(lines: &[String]) -> Vec<(String, String)> {
    lines
        .iter()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect()
}

/// The value in units of the ninth digit.
fn nanos(value: &str) -> i64 {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let magnitude: i64 = format!("{}{fraction:0<9}", whole.trim_start_matches('-'))
        .parse()
        .unwrap();
    if whole.starts_with('-') {
        -magnitude
    } else {
        magnitude
    }
}

#[test]
fn every_value_of_the_record_is_stated() {
    let lines = lines(record(), 0);
    for expected in [
        r"clockbound_up 1",
        r#"clockbound_build_info{version="0.3.0"} 1"#,
        r#"clockbound_status{clockbound_status="synchronized"} 1"#,
        r#"clockbound_status{clockbound_status="free_running"} 0"#,
        r#"clockbound_reason{clockbound_reason="tracking"} 1"#,
        r#"clockbound_failure{clockbound_failure="source_unreachable"} 1"#,
        r#"clockbound_leap{clockbound_leap="insert_second"} 1"#,
        r"clockbound_bound_seconds 0.0004",
        r#"clockbound_bound_component_seconds{component="root_distance"} 0.00031"#,
        r#"clockbound_bound_component_seconds{component="excluded"} -0.000065"#,
        r"clockbound_realtime_error_bound_seconds 0.00045",
        r#"clockbound_interval_offset_seconds{edge="earliest"} -0.00035"#,
        r#"clockbound_interval_offset_seconds{edge="latest"} 0.000449999"#,
        r#"clockbound_frequency_offset_ratio{edge="slowest"} -0.000052"#,
        r"clockbound_record_timestamp_seconds 1795550400",
        r"clockbound_start_time_seconds 1795543200",
        r"clockbound_status_since_timestamp_seconds 1795543400",
        r"clockbound_last_report_timestamp_seconds 1795550399.5",
        r"clockbound_void_after_timestamp_seconds 1795551400",
        r"clockbound_max_drift_ratio 0.00005",
        r"clockbound_max_wander_ratio_per_second 0.00000002",
        r"clockbound_poll_interval_seconds 0.1",
        r"clockbound_max_bound_seconds 0.005",
        r#"clockbound_chrony_reference_info{reference_id="C0000201"} 1"#,
        r"clockbound_chrony_correction_seconds -0.0000012",
        r#"clockbound_host_notice{clockbound_host_notice="disruption_soon"} 1"#,
        r#"clockbound_host_notice{clockbound_host_notice="disruption_imminent"} 0"#,
        r"clockbound_tai_offset_seconds 37",
        r#"clockbound_reports_total{result="accepted"} 72000"#,
        r"clockbound_contradictions_total 3",
        r#"clockbound_actor_restarts_total{actor="clock_state"} 2"#,
        r#"clockbound_publications_total{layout="v2"} 72001"#,
        r"clockbound_sources 2",
        r#"clockbound_source_state{source="192.0.2.1",clockbound_source_state="selected"} 1"#,
        r#"clockbound_source_state{source="PHC0",clockbound_source_state="nonselectable"} 1"#,
        r#"clockbound_source_followed{source="192.0.2.1"} 1"#,
        r#"clockbound_source_poll_interval_seconds{source="192.0.2.1"} 0.25"#,
        r#"clockbound_source_reachability_ratio{source="192.0.2.1"} 0.875"#,
        r#"clockbound_source_offset_seconds{source="192.0.2.1"} -0.0000012"#,
        r#"clockbound_source_last_measurement_timestamp_seconds{source="192.0.2.1"} 1795550397"#,
        r#"clockbound_source_interval_offset_seconds{source="192.0.2.1",edge="latest"} 0.0012"#,
        r#"clockbound_source_measurements_total{source="192.0.2.1"} 2250"#,
    ] {
        assert_has(&lines, expected);
    }
    assert_eq!(lines.last().unwrap(), "# EOF");
    let never = r#"clockbound_source_last_measurement_timestamp_seconds{source="PHC0"}"#;
    assert!(!lines.iter().any(|line| line.starts_with(never)));
}

#[test]
fn the_components_sum_to_the_bound() {
    let lines = lines(record(), S / 2);
    let value = |line: &String| nanos(line.rsplit(' ').next().unwrap());
    let of = |prefix: &str| -> Vec<i64> {
        let samples = lines.iter().filter(|line| line.starts_with(prefix));
        samples.map(value).collect()
    };
    let components = of("clockbound_bound_component_seconds{");
    assert_eq!(components.len(), BUDGET_TERMS.len());
    assert_eq!(
        of("clockbound_bound_seconds "),
        [components.iter().sum::<i64>()]
    );
}

#[test]
fn each_state_set_has_one_state() {
    let mut states: BTreeMap<String, i64> = BTreeMap::new();
    let lines = lines(record(), 0);
    let sets: BTreeSet<_> = families(&lines)
        .into_iter()
        .filter(|(_, kind)| kind == "stateset")
        .map(|(name, _)| name)
        .collect();
    for line in &lines {
        let name = line.split('{').next().unwrap();
        if sets.contains(name) {
            let source = line.split("source=").nth(1).map(|rest| &rest[..5]);
            let key = format!("{name} {source:?}");
            *states.entry(key).or_default() += nanos(line.rsplit(' ').next().unwrap()) / S;
        }
    }
    // The two notices are independent of each other; one is set in the record.
    assert_eq!(states.len(), sets.len() + 1);
    assert!(states.values().all(|count| *count == 1), "{states:?}");
}

#[test]
fn an_interval_that_claims_nothing_has_no_bound() {
    for status in [ClockStatus::Unknown, ClockStatus::Disrupted] {
        let mut record = record();
        record.status = status;
        let lines = lines(record, 0);
        assert_has(&lines, "clockbound_up 1");
        let of_interval = |line: &&String| {
            line.contains("clockbound_bound_")
                || line.contains("clockbound_interval_")
                || line.contains("clockbound_realtime_")
        };
        assert_eq!(lines.iter().find(of_interval), None);
    }
}

#[test]
fn a_record_that_is_not_renewed_gives_only_its_status_and_reason() {
    for (age_ns, status, reason) in [
        (STALE_AFTER_NS, "free_running", "daemon_silent"),
        (2_000 * S, "unknown", "holdover_expired"),
    ] {
        let lines = lines(record(), age_ns);
        let names: Vec<_> = families(&lines).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "clockbound_exporter_build",
                "clockbound_up",
                "clockbound_status",
                "clockbound_reason",
                "clockbound_record_timestamp_seconds",
            ]
        );
        assert_has(&lines, "clockbound_up 0");
        assert_has(
            &lines,
            &format!(r#"clockbound_status{{clockbound_status="{status}"}} 1"#),
        );
        assert_has(
            &lines,
            &format!(r#"clockbound_reason{{clockbound_reason="{reason}"}} 1"#),
        );
        assert_has(&lines, "clockbound_record_timestamp_seconds 1795550400");
    }
}

#[test]
fn the_last_values_of_a_chronyd_that_does_not_reply_are_not_served() {
    for failure in [Reason::ChronySilent, Reason::PermissionDenied] {
        let lines = lines(
            DiagnosticsRecord {
                failure,
                ..record()
            },
            0,
        );
        assert_has(&lines, "clockbound_up 1");
        let of_chronyd = |line: &&String| {
            let names = [
                "clockbound_chrony_r",
                "clockbound_chrony_s",
                "clockbound_sources",
                "clockbound_source_state",
                "clockbound_source_reachability",
            ];
            names.iter().any(|name| line.starts_with(name))
        };
        assert_eq!(lines.iter().find(of_chronyd), None);
    }
}

#[test]
fn a_daemon_without_a_report_has_counters_and_no_values_of_chronyd() {
    let lines = lines(DiagnosticsRecord::no_claim(NOW_NS), 0);
    assert_has(&lines, "clockbound_up 1");
    assert_has(&lines, r#"clockbound_reports_total{result="accepted"} 0"#);
    assert_has(&lines, "clockbound_sources 0");
    let absent = [
        "clockbound_chrony_r",
        "clockbound_source_state",
        "clockbound_last_report",
    ];
    for name in absent {
        assert!(!lines.iter().any(|line| line.starts_with(name)), "{name}");
    }
}

#[test]
fn numbers_at_the_limits_of_their_range_are_stated() {
    for limit in [i64::MIN, i64::MAX] {
        let mut record = record();
        record.earliest_ns = limit;
        record.latest_ns = i64::MAX;
        record.realtime_ns = limit;
        record.realtime_error_ns = limit;
        record.budget_ns = [limit; BUDGET_TERMS.len()];
        record.validated_ns = limit;
        record.started_ns = limit;
        record.slowest_ppt = limit;
        record.correction_ns = limit;
        record.counters.reports = u64::MAX;
        record.sources[0].own_ns = Some((limit, limit));
        record.sources[0].measured_ns = limit;
        let lines = lines(record, 0);
        assert_has(
            &lines,
            &format!(
                "clockbound_chrony_correction_seconds {}",
                Decimal {
                    units: limit,
                    digits: 9
                }
            ),
        );
        assert_eq!(lines.last().unwrap(), "# EOF");
    }
}

#[test]
fn the_document_describes_every_family_and_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    // The rows of its tables: | `name` | type | meaning |
    let documented: BTreeSet<(String, String)> = fs::read_to_string(path)
        .unwrap()
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `clockbound_")?.split('|');
            let name = cells.next()?.split(['`', '{']).next()?;
            let name = format!("clockbound_{name}");
            let kind = cells.next()?.trim().to_owned();
            let suffix = match kind.as_str() {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            Some((name.strip_suffix(suffix)?.to_owned(), kind))
        })
        .collect();
    let written: BTreeSet<_> = families(&lines(record(), 0)).into_iter().collect();
    let missing: Vec<_> = written.difference(&documented).collect();
    let unknown: Vec<_> = documented.difference(&written).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "docs/metrics.md lacks {missing:?} and has {unknown:?}"
    );
}

#[test]
fn without_diagnostics_only_the_exporter_and_that_the_daemon_is_down_are_stated() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        text(None, Format::OpenMetrics),
        format!(
            "# TYPE clockbound_exporter_build info\n\
             # HELP clockbound_exporter_build The version of the exporter.\n\
             clockbound_exporter_build_info{{version=\"{version}\"}} 1\n\
             # TYPE clockbound_up gauge\n\
             # HELP clockbound_up Whether the diagnostics of the daemon can be read and the daemon \
             renews them.\n\
             clockbound_up 0\n\
             # EOF\n"
        )
    );
}

#[test]
fn polling_intervals_are_powers_of_two() {
    for (exponent, seconds) in [
        (-7, "0.0078125"),
        (-4, "0.0625"),
        (0, "1"),
        (6, "64"),
        (24, "16777216"),
        (i8::MIN, "0.0078125"),
        (i8::MAX, "16777216"),
    ] {
        assert_eq!(poll_interval(exponent), seconds);
    }
}

#[test]
fn sources_have_names_that_no_other_source_has() {
    let clock = |name: &[u8; 4]| SourceAddress::ReferenceClock(u32::from_be_bytes(*name));
    let addresses = [
        SourceAddress::V4([192, 0, 2, 1]),
        SourceAddress::V4([192, 0, 2, 1]),
        SourceAddress::V6(Ipv6Addr::LOCALHOST.octets()),
        SourceAddress::Unresolved,
        SourceAddress::Unresolved,
        clock(b"G\0\0\0"),
        clock(b"G#2\0"),
        clock(b"G\0\0\0"),
        clock(b"a\"\n\0"),
        clock(&[0; 4]),
    ];
    let sources = addresses.map(|address| Source {
        address,
        ..Source::default()
    });
    let names: Vec<_> = named(&sources).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "192.0.2.1",
            "192.0.2.1#2",
            "::1",
            "unresolved",
            "unresolved#2",
            "G",
            "G#2",
            "G#3",
            "61220A00",
            "00000000",
        ]
    );
}
