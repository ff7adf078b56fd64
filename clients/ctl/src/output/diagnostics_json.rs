//! The diagnostics as JSON: a stable shape that the verbs share.
//!
//! Fields keep their names, types and units from version to version; a later version only adds
//! fields. Units are in the names. Each instant is there twice: as RFC 3339 text in UTC, and in ns
//! since 1970 with the suffix `_ns`. It is on `CLOCK_REALTIME`, except the ends of an interval,
//! which are UTC by the daemon.

use std::collections::BTreeMap;

pub use clockbound_client::diagnostics::half_width_ns as bound_ns;
use clockbound_client::diagnostics::{
    ACTORS, BUDGET_TERMS, Counters, Diagnostics, DiagnosticsRecord, SEGMENTS, Settings, Source,
    SourceAddress, SourceState,
};
use clockbound_client::{Leap, Reason};
use serde::Serialize;

use super::units::{ns_of, realtime_of, reference, reference_id, rfc3339, source_address};

/// The diagnostics.
#[derive(Debug, Serialize)]
pub struct DiagnosticsJson {
    /// The status at the present.
    pub status: &'static str,
    /// Its reason.
    pub reason: &'static str,
    /// Whether the interval contains true time.
    pub is_trusted: bool,
    /// Since when the published status is so.
    pub status_since: String,
    /// The same.
    pub status_since_ns: i64,
    /// Since when the published reason is so.
    pub reason_since: String,
    /// The same.
    pub reason_since_ns: i64,
    /// The status in the record. It differs from `status` if the record is old.
    pub published_status: &'static str,
    /// The reason in the record.
    pub published_reason: &'static str,
    /// Why the last reports are unusable.
    pub failure: Option<FailureJson>,
    /// The instant of the record, on `CLOCK_REALTIME`.
    pub as_of: String,
    /// The same.
    pub as_of_ns: i64,
    /// The age of the record.
    pub age_ns: i64,
    /// Whether the daemon renews the record.
    pub is_current: bool,
    /// The interval at `as_of`; `null` while `status` is not trusted.
    pub interval: Option<IntervalJson>,
    /// What each term of the error budget adds to half the width of the interval; all are 0 without
    /// one.
    pub budget_ns: BTreeMap<&'static str, i64>,
    /// When chronyd was last known to follow a source; `null` if never.
    pub validated: Option<String>,
    /// The same.
    pub validated_ns: Option<i64>,
    /// From when on nothing is claimed any more unless reports arrive; `null` while nothing is.
    pub void_after: Option<String>,
    /// The same.
    pub void_after_ns: Option<i64>,
    /// The least frequency offset of UTC relative to `CLOCK_MONOTONIC_RAW`, parts per trillion.
    pub slowest_ppt: i64,
    /// The greatest one.
    pub fastest_ppt: i64,
    /// Whether a drill is in progress.
    pub is_drill: bool,
    /// Whether a program wrote the record for a test.
    pub is_simulated: bool,
    /// The daemon.
    pub daemon: DaemonJson,
    /// chronyd.
    pub chronyd: ChronydJson,
    /// The host of a virtual machine.
    pub host: HostJson,
    /// What happened since the daemon's process started.
    pub counters: CountersJson,
    /// How often each actor was restarted after a crash.
    pub restarts: BTreeMap<&'static str, u32>,
    /// How often each segment was written; 0 if it is not published.
    pub publications: BTreeMap<&'static str, u64>,
    /// The number of chronyd's sources, which may be greater than that of `sources`.
    pub source_count: u32,
    /// The sources.
    pub sources: Vec<SourceJson>,
}

/// Why the last reports are unusable.
#[derive(Debug, Serialize)]
pub struct FailureJson {
    /// The reason that the status gets if this lasts.
    pub reason: &'static str,
    /// Since when.
    pub since: String,
    /// The same.
    pub since_ns: i64,
}

/// An interval.
#[derive(Debug, Serialize)]
pub struct IntervalJson {
    /// The earliest possible true time, UTC.
    pub earliest: String,
    /// The same.
    pub earliest_ns: i64,
    /// The latest possible true time, UTC.
    pub latest: String,
    /// The same.
    pub latest_ns: i64,
    /// Half the width, rounded up.
    pub bound_ns: i64,
    /// The largest error that `CLOCK_REALTIME` has.
    pub realtime_error_ns: i64,
}

/// The daemon.
#[derive(Debug, Serialize)]
pub struct DaemonJson {
    /// Its version.
    pub version: String,
    /// Its process id in its own namespace.
    pub pid: u32,
    /// When its process started.
    pub started: String,
    /// The same.
    pub started_ns: i64,
    /// What it was told on its command line.
    pub settings: SettingsJson,
}

/// What the daemon was told on its command line.
#[derive(Debug, Serialize)]
pub struct SettingsJson {
    /// `--max-drift-rate`.
    pub max_drift_ppb: u32,
    /// `--max-wander`; `null` if it is not given.
    pub max_wander_ppb_per_s: Option<u32>,
    /// `--falsetickers`.
    pub falsetickers: u8,
    /// `--allow-local-reference`.
    pub allow_local_reference: bool,
    /// The reference id of the PTP hardware clock; `null` without one.
    pub phc_reference_id: Option<String>,
    /// `--poll-interval`.
    pub poll_interval_ns: i64,
    /// `--chrony-grace`.
    pub grace_ns: i64,
    /// `--holdover`.
    pub holdover_ns: i64,
    /// `--max-bound`; `null` if it is not given.
    pub max_bound_ns: Option<i64>,
}

/// What chronyd reports.
#[derive(Debug, Serialize)]
pub struct ChronydJson {
    /// The version of its command protocol; `null` before its first reply.
    pub protocol: Option<u8>,
    /// Its reference id: an IPv4 address or a name; `null` for none.
    pub reference: Option<String>,
    /// The same as a number; 0 for none.
    pub reference_id: u32,
    /// Its stratum; `null` if it is not known.
    pub stratum: Option<u16>,
    /// Its announcement of a leap second.
    pub leap: &'static str,
    /// Its root delay.
    pub root_delay_ns: i64,
    /// Its root dispersion.
    pub root_dispersion_ns: i64,
    /// The correction that it still has to make.
    pub correction_ns: i64,
    /// The error bound of its frequency.
    pub skew_ppb: u32,
    /// The frequency offset that it corrects.
    pub frequency_ppb: i32,
}

/// The host of a virtual machine.
#[derive(Debug, Serialize)]
pub struct HostJson {
    /// Whether disruptions are detected with the VMClock page.
    pub disruption_supported: bool,
    /// The disruption marker; `null` without support.
    pub disruption_marker: Option<u64>,
    /// The host expects a disruption within about a day.
    pub disruption_soon: bool,
    /// The host expects a disruption within about an hour.
    pub disruption_imminent: bool,
    /// TAI - UTC; `null` if the host does not know it.
    pub tai_offset_seconds: Option<i16>,
}

/// The counters, as in [`Counters`].
#[derive(Debug, Serialize)]
pub struct CountersJson {
    pub reports: u64,
    pub reports_refused: u64,
    pub polls_unanswered: u64,
    pub polls_not_permitted: u64,
    pub measurements: u64,
    pub contradictions: u64,
    pub disagreements: u64,
    pub drift_exceeded: u64,
    pub wander_exceeded: u64,
    pub clock_steps: u64,
    pub clock_slews: u64,
    pub disruptions: u64,
    pub suspends: u64,
    pub source_resets: u64,
    pub chronyd_restarts: u64,
    pub status_changes: u64,
    pub files_recreated: u64,
}

/// A source.
#[derive(Debug, Serialize)]
pub struct SourceJson {
    /// The address, the name of a reference clock, or `unresolved`.
    pub address: String,
    /// `server`, `peer` or `reference_clock`.
    pub kind: &'static str,
    /// The state in chronyd's selection.
    pub state: &'static str,
    /// The published interval is from its measurements.
    pub is_followed: bool,
    /// Its interval is disjoint from the published one.
    pub is_disjoint: bool,
    /// The base 2 logarithm of the polling interval in seconds.
    pub poll_log2_seconds: i8,
    /// The number of hops to a reference clock.
    pub stratum: u8,
    /// The reachability register, the latest poll in the lowest bit.
    pub reachability: u8,
    /// The instant of the last measurement, `CLOCK_REALTIME`; `null` without one.
    pub measured: Option<String>,
    /// The same.
    pub measured_ns: Option<i64>,
    /// The last measured offset, positive when the clock is ahead; `null` without a measurement.
    pub offset_ns: Option<i64>,
    /// chronyd's error bound of it.
    pub offset_error_ns: Option<i64>,
    /// Where true time is at `as_of` by its measurements alone; `null` without one.
    pub interval: Option<SourceIntervalJson>,
    /// Measurements of it that were used.
    pub measurements: u64,
}

/// The interval of one source.
#[derive(Debug, Serialize)]
pub struct SourceIntervalJson {
    /// The earliest possible true time, UTC.
    pub earliest: String,
    /// The same.
    pub earliest_ns: i64,
    /// The latest possible true time, UTC.
    pub latest: String,
    /// The same.
    pub latest_ns: i64,
    /// Half the width, rounded up.
    pub bound_ns: i64,
}

impl From<&Diagnostics> for DiagnosticsJson {
    fn from(diagnostics: &Diagnostics) -> Self {
        let record = &diagnostics.record;
        let realtime = |raw_ns| realtime_of(diagnostics, raw_ns);
        let optional = |raw_ns: i64| (raw_ns > 0).then(|| realtime(raw_ns));
        let (validated_ns, void_after_ns) = (
            optional(record.validated_ns),
            optional(record.void_after_ns),
        );
        Self {
            status: diagnostics.status.as_str(),
            reason: diagnostics.reason.as_str(),
            is_trusted: diagnostics.status.is_trusted(),
            status_since: rfc3339(realtime(record.status_since_ns)),
            status_since_ns: realtime(record.status_since_ns),
            reason_since: rfc3339(realtime(record.reason_since_ns)),
            reason_since_ns: realtime(record.reason_since_ns),
            published_status: record.status.as_str(),
            published_reason: record.reason.as_str(),
            failure: (record.failure != Reason::Tracking).then(|| FailureJson {
                reason: record.failure.as_str(),
                since: rfc3339(realtime(record.failure_since_ns)),
                since_ns: realtime(record.failure_since_ns),
            }),
            as_of: rfc3339(record.realtime_ns),
            as_of_ns: record.realtime_ns,
            age_ns: ns_of(diagnostics.age),
            is_current: diagnostics.is_current(),
            interval: IntervalJson::of(diagnostics),
            budget_ns: match IntervalJson::of(diagnostics) {
                Some(_) => BUDGET_TERMS.into_iter().zip(record.budget_ns).collect(),
                None => BUDGET_TERMS.into_iter().map(|term| (term, 0)).collect(),
            },
            validated: validated_ns.map(rfc3339),
            validated_ns,
            void_after: void_after_ns.map(rfc3339),
            void_after_ns,
            slowest_ppt: record.slowest_ppt,
            fastest_ppt: record.fastest_ppt,
            is_drill: record.is_drill,
            is_simulated: record.is_simulated,
            daemon: DaemonJson {
                version: version(record),
                pid: record.pid,
                started: rfc3339(realtime(record.started_ns)),
                started_ns: realtime(record.started_ns),
                settings: SettingsJson::from(&record.settings),
            },
            chronyd: ChronydJson::from(record),
            host: HostJson::from(record),
            counters: CountersJson::from(&record.counters),
            restarts: ACTORS.into_iter().zip(record.restarts).collect(),
            publications: SEGMENTS.into_iter().zip(record.publications).collect(),
            source_count: record.source_count,
            sources: (record.sources.iter())
                .map(|source| SourceJson::new(source, diagnostics))
                .collect(),
        }
    }
}

impl IntervalJson {
    /// The published interval, unless it claims nothing at the present.
    pub fn of(diagnostics: &Diagnostics) -> Option<Self> {
        let record = &diagnostics.record;
        let is_trusted = diagnostics.status.is_trusted() && record.status.is_trusted();
        is_trusted.then(|| Self {
            earliest: rfc3339(record.earliest_ns),
            earliest_ns: record.earliest_ns,
            latest: rfc3339(record.latest_ns),
            latest_ns: record.latest_ns,
            bound_ns: bound_ns(record.earliest_ns, record.latest_ns),
            realtime_error_ns: record.realtime_error_ns,
        })
    }
}

impl From<&Settings> for SettingsJson {
    fn from(settings: &Settings) -> Self {
        let Settings {
            max_drift_ppb,
            max_wander_ppb_per_s,
            falsetickers,
            allow_local_reference,
            phc_reference_id,
            poll_interval_us,
            grace_ns,
            holdover_ns,
            max_bound_ns,
        } = *settings;
        Self {
            max_drift_ppb,
            max_wander_ppb_per_s: (max_wander_ppb_per_s > 0).then_some(max_wander_ppb_per_s),
            falsetickers,
            allow_local_reference,
            phc_reference_id: (phc_reference_id > 0).then(|| reference_id(phc_reference_id)),
            poll_interval_ns: i64::from(poll_interval_us) * 1_000,
            grace_ns,
            holdover_ns,
            max_bound_ns: (max_bound_ns > 0).then_some(max_bound_ns),
        }
    }
}

impl From<&DiagnosticsRecord> for ChronydJson {
    fn from(record: &DiagnosticsRecord) -> Self {
        let id = record.reference_id;
        Self {
            protocol: (record.protocol > 0).then_some(record.protocol),
            reference: (id != 0).then(|| reference(record)),
            reference_id: id,
            stratum: (record.stratum > 0).then_some(record.stratum),
            leap: leap_name(record.leap),
            root_delay_ns: record.root_delay_ns,
            root_dispersion_ns: record.root_dispersion_ns,
            correction_ns: record.correction_ns,
            skew_ppb: record.skew_ppb,
            frequency_ppb: record.frequency_ppb,
        }
    }
}

impl From<&DiagnosticsRecord> for HostJson {
    fn from(record: &DiagnosticsRecord) -> Self {
        let (disruption, host) = (record.disruption, record.host);
        Self {
            disruption_supported: disruption.supported,
            disruption_marker: disruption.supported.then_some(disruption.marker),
            disruption_soon: host.soon,
            disruption_imminent: host.imminent,
            tai_offset_seconds: host.tai_offset_s,
        }
    }
}

impl From<&Counters> for CountersJson {
    fn from(counters: &Counters) -> Self {
        let Counters {
            reports,
            reports_refused,
            polls_unanswered,
            polls_not_permitted,
            measurements,
            contradictions,
            disagreements,
            drift_exceeded,
            wander_exceeded,
            clock_steps,
            clock_slews,
            disruptions,
            suspends,
            source_resets,
            chronyd_restarts,
            status_changes,
            files_recreated,
        } = *counters;
        Self {
            reports,
            reports_refused,
            polls_unanswered,
            polls_not_permitted,
            measurements,
            contradictions,
            disagreements,
            drift_exceeded,
            wander_exceeded,
            clock_steps,
            clock_slews,
            disruptions,
            suspends,
            source_resets,
            chronyd_restarts,
            status_changes,
            files_recreated,
        }
    }
}

impl SourceJson {
    /// The source of these diagnostics.
    pub fn new(source: &Source, diagnostics: &Diagnostics) -> Self {
        let measured_ns =
            (source.measured_ns > 0).then(|| realtime_of(diagnostics, source.measured_ns));
        Self {
            address: source_address(source.address),
            kind: source_kind(source),
            state: state_name(source.state),
            is_followed: source.is_followed,
            is_disjoint: source.is_disjoint,
            poll_log2_seconds: source.poll,
            stratum: source.stratum,
            reachability: source.reachability,
            measured: measured_ns.map(rfc3339),
            measured_ns,
            offset_ns: measured_ns.map(|_| source.offset_ns),
            offset_error_ns: measured_ns.map(|_| source.offset_error_ns),
            interval: source
                .own_ns
                .map(|(earliest_ns, latest_ns)| SourceIntervalJson {
                    earliest: rfc3339(earliest_ns),
                    earliest_ns,
                    latest: rfc3339(latest_ns),
                    latest_ns,
                    bound_ns: bound_ns(earliest_ns, latest_ns),
                }),
            measurements: source.measurements,
        }
    }
}

/// The daemon's version as text.
pub fn version(record: &DiagnosticsRecord) -> String {
    let [major, minor, patch] = record.version;
    format!("{major}.{minor}.{patch}")
}

/// The name of a leap second announcement.
pub fn leap_name(leap: Leap) -> &'static str {
    match leap {
        Leap::Normal => "normal",
        Leap::InsertSecond => "insert_second",
        Leap::DeleteSecond => "delete_second",
        Leap::Unsynchronized => "unsynchronized",
    }
}

/// The name of a state in chronyd's selection.
pub fn state_name(state: SourceState) -> &'static str {
    match state {
        SourceState::Selected => "selected",
        SourceState::Nonselectable => "nonselectable",
        SourceState::Falseticker => "falseticker",
        SourceState::Jittery => "jittery",
        SourceState::Unselected => "unselected",
        SourceState::Selectable => "selectable",
    }
}

/// The kind of a source.
pub fn source_kind(source: &Source) -> &'static str {
    match source.address {
        SourceAddress::ReferenceClock(_) => "reference_clock",
        _ if source.is_peer => "peer",
        _ => "server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn the_terms_of_the_budget_add_up_to_the_bound() {
        let json = DiagnosticsJson::from(&fixture::synchronized());
        let bound_ns = json.interval.expect("trusted").bound_ns;
        assert_eq!(json.budget_ns.values().sum::<i64>(), bound_ns);
        assert_eq!(json.budget_ns.len(), BUDGET_TERMS.len());
    }

    #[test]
    fn an_interval_that_has_expired_is_null() {
        let (record, after_ns) = (fixture::synchronized_record(), 2_000 * fixture::S);
        let (now_ns, realtime_ns) = (fixture::NOW_NS + after_ns, fixture::REALTIME_NS + after_ns);
        let json = DiagnosticsJson::from(&Diagnostics::at(record, now_ns, realtime_ns));
        assert!(json.interval.is_none() && !json.is_trusted && !json.is_current);
        assert!(json.budget_ns.values().all(|ns| *ns == 0));
    }

    #[test]
    fn what_is_not_known_is_null() {
        let json = DiagnosticsJson::from(&fixture::no_claim());
        let value = serde_json::to_value(json).expect("JSON");
        for path in [
            "/interval",
            "/validated",
            "/validated_ns",
            "/chronyd/reference",
            "/chronyd/protocol",
            "/daemon/settings/max_bound_ns",
            "/host/disruption_marker",
        ] {
            assert_eq!(
                value.pointer(path),
                Some(&serde_json::Value::Null),
                "{path}"
            );
        }
    }
}
