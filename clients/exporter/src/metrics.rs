//! The diagnostics as metrics. docs/metrics.md describes each family.

use std::fmt::Display;
use std::iter;
use std::net::{Ipv4Addr, Ipv6Addr};

use clockbound_client::diagnostics::{
    ACTORS, BUDGET_TERMS, Diagnostics, DiagnosticsRecord, SEGMENTS, Source, SourceAddress,
    SourceState, half_width_ns,
};
use shm_layout::{ClockStatus, Leap, Reason};

use crate::encoding::{Decimal, Encoder, Format, Kind, Sample};

const STATUSES: [ClockStatus; 4] = [
    ClockStatus::Unknown,
    ClockStatus::Synchronized,
    ClockStatus::FreeRunning,
    ClockStatus::Disrupted,
];

/// The diagnostics as text, or what remains to be told without them. A record that the daemon does
/// not renew gives only the status and the reason, which age, and its own instant. Every other
/// value would be out of date.
pub fn text(diagnostics: Option<&Diagnostics>, format: Format) -> String {
    let mut metrics = Metrics(Encoder::new(format));
    metrics.info(
        "clockbound_exporter_build",
        "The version of the exporter.",
        Sample::new(1).label("version", env!("CARGO_PKG_VERSION")),
    );
    let current = diagnostics.filter(|diagnostics| diagnostics.is_current());
    metrics.gauge(
        "clockbound_up",
        "Whether the diagnostics of the daemon can be read and the daemon renews them.",
        u8::from(current.is_some()),
    );
    if let Some(diagnostics) = diagnostics {
        metrics.state(diagnostics);
    }
    if let Some(diagnostics) = current {
        metrics.process(diagnostics);
        metrics.changes(diagnostics);
        metrics.interval(diagnostics);
        metrics.settings(&diagnostics.record);
        if diagnostics.is_chronyd_replying() {
            metrics.chronyd(&diagnostics.record);
        }
        metrics.host(&diagnostics.record);
        metrics.counters(&diagnostics.record);
        if diagnostics.is_chronyd_replying() {
            metrics.sources(diagnostics);
        }
    }
    metrics.0.finish()
}

struct Metrics(Encoder);

impl Metrics {
    fn gauge(&mut self, name: &'static str, help: &str, value: impl Display) {
        self.gauges(name, help, [Sample::new(value)]);
    }

    fn gauges(
        &mut self,
        name: &'static str,
        help: &str,
        samples: impl IntoIterator<Item = Sample>,
    ) {
        self.0.family(Kind::Gauge, name, help, samples);
    }

    fn counter(&mut self, name: &'static str, help: &str, value: u64) {
        self.counters_of(name, help, [Sample::new(value)]);
    }

    fn counters_of(
        &mut self,
        name: &'static str,
        help: &str,
        samples: impl IntoIterator<Item = Sample>,
    ) {
        self.0.family(Kind::Counter, name, help, samples);
    }

    fn info(&mut self, name: &'static str, help: &str, sample: Sample) {
        self.0.family(Kind::Info, name, help, [sample]);
    }

    /// Each state with whether it is the current one. The label has the name of the family.
    fn states(
        &mut self,
        name: &'static str,
        help: &str,
        states: impl IntoIterator<Item = (&'static str, bool)>,
    ) {
        let samples = states
            .into_iter()
            .map(|(state, is_so)| Sample::new(u8::from(is_so)).label(name, state));
        self.0.family(Kind::StateSet, name, help, samples);
    }

    fn reasons(&mut self, name: &'static str, help: &str, current: Reason) {
        let states = Reason::ALL.map(|reason| (reason.as_str(), reason == current));
        self.states(name, help, states);
    }

    fn state(&mut self, diagnostics: &Diagnostics) {
        self.states(
            "clockbound_status",
            "The status at the present.",
            STATUSES.map(|status| (status.as_str(), status == diagnostics.status)),
        );
        self.reasons(
            "clockbound_reason",
            "The reason of the status.",
            diagnostics.reason,
        );
        self.gauge(
            "clockbound_record_timestamp_seconds",
            "When the daemon wrote the diagnostics.",
            timestamp(diagnostics, diagnostics.record.as_of_ns),
        );
    }

    fn process(&mut self, diagnostics: &Diagnostics) {
        let record = &diagnostics.record;
        let [major, minor, patch] = record.version;
        self.info(
            "clockbound_build",
            "The version of the daemon.",
            Sample::new(1).label("version", format_args!("{major}.{minor}.{patch}")),
        );
        self.gauge(
            "clockbound_start_time_seconds",
            "When the process of the daemon started.",
            timestamp(diagnostics, record.started_ns),
        );
        self.gauge(
            "clockbound_drill",
            "Whether a drill is in progress: the status is not that of the clock.",
            u8::from(record.is_drill),
        );
        self.gauge(
            "clockbound_simulated",
            "Whether a program published the interval for a test.",
            u8::from(record.is_simulated),
        );
    }

    fn changes(&mut self, diagnostics: &Diagnostics) {
        let record = &diagnostics.record;
        self.gauge(
            "clockbound_status_since_timestamp_seconds",
            "Since when the published status is the same.",
            timestamp(diagnostics, record.status_since_ns),
        );
        self.gauge(
            "clockbound_reason_since_timestamp_seconds",
            "Since when the published reason is the same.",
            timestamp(diagnostics, record.reason_since_ns),
        );
        self.reasons(
            "clockbound_failure",
            "Why the last reports of chronyd are not usable, also while the clock is still \
             synchronized; tracking while they are usable.",
            record.failure,
        );
        self.gauge(
            "clockbound_failure_since_timestamp_seconds",
            "Since when the reports of chronyd are usable, or are not.",
            timestamp(diagnostics, record.failure_since_ns),
        );
        self.gauges(
            "clockbound_last_report_timestamp_seconds",
            "When chronyd was last known to follow a source.",
            at(diagnostics, record.validated_ns),
        );
        self.gauges(
            "clockbound_void_after_timestamp_seconds",
            "From when on nothing is claimed any more unless reports arrive.",
            at(diagnostics, record.void_after_ns),
        );
    }

    /// Nothing of it while the interval claims nothing.
    fn interval(&mut self, diagnostics: &Diagnostics) {
        let record = &diagnostics.record;
        if !diagnostics.status.is_trusted() || !record.status.is_trusted() {
            return;
        }
        self.gauge(
            "clockbound_bound_seconds",
            "The clock error bound: half the width of the interval that contains true time.",
            seconds(half_width_ns(record.earliest_ns, record.latest_ns)),
        );
        self.gauges(
            "clockbound_bound_component_seconds",
            "What each term of the error budget adds to the bound.",
            BUDGET_TERMS
                .into_iter()
                .zip(record.budget_ns)
                .map(|(term, ns)| Sample::new(seconds(ns)).label("component", term)),
        );
        self.gauge(
            "clockbound_realtime_error_bound_seconds",
            "The largest error that CLOCK_REALTIME has.",
            seconds(record.realtime_error_ns),
        );
        self.gauges(
            "clockbound_interval_offset_seconds",
            "The edges of the interval relative to CLOCK_REALTIME.",
            edges(
                Sample::new,
                record.earliest_ns,
                record.latest_ns,
                record.realtime_ns,
            ),
        );
        self.gauges(
            "clockbound_frequency_offset_ratio",
            "The least and the greatest frequency offset of UTC relative to CLOCK_MONOTONIC_RAW.",
            [
                ("slowest", record.slowest_ppt),
                ("fastest", record.fastest_ppt),
            ]
            .map(|(edge, ppt)| Sample::new(ratio(ppt, 12)).label("edge", edge)),
        );
    }

    fn settings(&mut self, record: &DiagnosticsRecord) {
        let settings = &record.settings;
        self.gauge(
            "clockbound_max_drift_ratio",
            "The option --max-drift-rate.",
            ratio(settings.max_drift_ppb.into(), 9),
        );
        if settings.max_wander_ppb_per_s != 0 {
            self.gauge(
                "clockbound_max_wander_ratio_per_second",
                "The option --max-wander.",
                ratio(settings.max_wander_ppb_per_s.into(), 9),
            );
        }
        self.gauge(
            "clockbound_falsetickers_allowed",
            "The option --falsetickers.",
            settings.falsetickers,
        );
        self.gauge(
            "clockbound_local_reference_allowed",
            "The option --allow-local-reference.",
            u8::from(settings.allow_local_reference),
        );
        self.gauge(
            "clockbound_poll_interval_seconds",
            "The option --poll-interval.",
            Decimal {
                units: settings.poll_interval_us.into(),
                digits: 6,
            },
        );
        self.gauge(
            "clockbound_chrony_grace_seconds",
            "The option --chrony-grace.",
            seconds(settings.grace_ns),
        );
        self.gauge(
            "clockbound_holdover_seconds",
            "The option --holdover.",
            seconds(settings.holdover_ns),
        );
        if settings.max_bound_ns != 0 {
            self.gauge(
                "clockbound_max_bound_seconds",
                "The option --max-bound.",
                seconds(settings.max_bound_ns),
            );
        }
    }

    /// Nothing of it before the first report.
    fn chronyd(&mut self, record: &DiagnosticsRecord) {
        if record.protocol == 0 {
            return;
        }
        self.gauge(
            "clockbound_chrony_protocol_version",
            "The version of the command protocol of chronyd.",
            record.protocol,
        );
        self.info(
            "clockbound_chrony_reference",
            "The reference id of chronyd, in hexadecimal as chronyc prints it.",
            Sample::new(1).label("reference_id", format_args!("{:08X}", record.reference_id)),
        );
        self.gauge(
            "clockbound_chrony_stratum",
            "The stratum of chronyd; 0 if it is not known.",
            record.stratum,
        );
        self.gauge(
            "clockbound_chrony_root_delay_seconds",
            "The root delay of chronyd.",
            seconds(record.root_delay_ns),
        );
        self.gauge(
            "clockbound_chrony_root_dispersion_seconds",
            "The root dispersion of chronyd.",
            seconds(record.root_dispersion_ns),
        );
        self.gauge(
            "clockbound_chrony_correction_seconds",
            "The correction of CLOCK_REALTIME that chronyd still has to make.",
            seconds(record.correction_ns),
        );
        self.gauge(
            "clockbound_chrony_frequency_offset_ratio",
            "The frequency offset that chronyd corrects.",
            ratio(record.frequency_ppb.into(), 9),
        );
        self.gauge(
            "clockbound_chrony_skew_ratio",
            "The skew of chronyd: its error bound of the frequency.",
            ratio(record.skew_ppb.into(), 9),
        );
        self.states(
            "clockbound_leap",
            "The leap second announcement of chronyd.",
            [
                ("normal", Leap::Normal),
                ("insert_second", Leap::InsertSecond),
                ("delete_second", Leap::DeleteSecond),
                ("unsynchronized", Leap::Unsynchronized),
            ]
            .map(|(name, leap)| (name, leap == record.leap)),
        );
    }

    fn host(&mut self, record: &DiagnosticsRecord) {
        self.gauge(
            "clockbound_disruption_detection",
            "Whether the machine has a VMClock page, by which readers detect disruptions.",
            u8::from(record.disruption.supported),
        );
        self.states(
            "clockbound_host_notice",
            "Disruptions that the host of the virtual machine announces: within about a day, and \
             within about an hour.",
            [
                ("disruption_soon", record.host.soon),
                ("disruption_imminent", record.host.imminent),
            ],
        );
        if let Some(offset_s) = record.host.tai_offset_s {
            self.gauge(
                "clockbound_tai_offset_seconds",
                "TAI - UTC, as the host of the virtual machine states it.",
                offset_s,
            );
        }
    }

    fn counters(&mut self, record: &DiagnosticsRecord) {
        let counters = &record.counters;
        self.counters_of(
            "clockbound_reports",
            "Polls of chronyd by their result.",
            [
                ("accepted", counters.reports),
                ("refused", counters.reports_refused),
                ("unanswered", counters.polls_unanswered),
                ("not_permitted", counters.polls_not_permitted),
            ]
            .map(|(result, count)| Sample::new(count).label("result", result)),
        );
        for (name, help, count) in [
            (
                "clockbound_measurements",
                "Measurements of sources that were used.",
                counters.measurements,
            ),
            (
                "clockbound_contradictions",
                "Measurements that were disjoint from the held interval.",
                counters.contradictions,
            ),
            (
                "clockbound_disagreements",
                "How often most sources began to disagree with the selected one.",
                counters.disagreements,
            ),
            (
                "clockbound_drift_exceeded",
                "How often measured rates contradicted --max-drift-rate.",
                counters.drift_exceeded,
            ),
            (
                "clockbound_wander_exceeded",
                "How often measured rates contradicted --max-wander.",
                counters.wander_exceeded,
            ),
            (
                "clockbound_clock_steps",
                "How often CLOCK_REALTIME was set.",
                counters.clock_steps,
            ),
            (
                "clockbound_clock_slews",
                "How often a program other than chronyd was found to slew CLOCK_REALTIME.",
                counters.clock_slews,
            ),
            (
                "clockbound_disruptions",
                "Disruptions of the clocks of a virtual machine.",
                counters.disruptions,
            ),
            (
                "clockbound_suspends",
                "How often the machine was suspended.",
                counters.suspends,
            ),
            (
                "clockbound_source_resets",
                "How often chronyd acknowledged a reset of its sources.",
                counters.source_resets,
            ),
            (
                "clockbound_chronyd_restarts",
                "How often chronyd was restarted.",
                counters.chronyd_restarts,
            ),
            (
                "clockbound_status_changes",
                "Changes of the published status.",
                counters.status_changes,
            ),
            (
                "clockbound_files_recreated",
                "Files of segments that were deleted and created again.",
                counters.files_recreated,
            ),
        ] {
            self.counter(name, help, count);
        }
        self.counters_of(
            "clockbound_actor_restarts",
            "How often each actor of the daemon was restarted after a crash.",
            ACTORS
                .into_iter()
                .zip(record.restarts)
                .map(|(actor, count)| Sample::new(count).label("actor", actor)),
        );
        self.counters_of(
            "clockbound_publications",
            "How often the segment of each layout was written.",
            SEGMENTS
                .into_iter()
                .zip(record.publications)
                .map(|(layout, count)| Sample::new(count).label("layout", layout)),
        );
    }

    fn sources(&mut self, diagnostics: &Diagnostics) {
        let record = &diagnostics.record;
        self.gauge(
            "clockbound_sources",
            "The number of sources of chronyd.",
            record.source_count,
        );
        let sources = named(&record.sources);
        let each = |value: fn(&Source) -> String| {
            sources
                .iter()
                .map(move |(name, source)| Sample::new(value(source)).label("source", name))
        };
        let state = "clockbound_source_state";
        self.0.family(
            Kind::StateSet,
            state,
            "The state of a source in the selection of chronyd.",
            sources.iter().flat_map(|(name, source)| {
                STATES.map(|(state_name, value)| {
                    Sample::new(u8::from(value == source.state))
                        .label("source", name)
                        .label(state, state_name)
                })
            }),
        );
        for (name, help, value) in SOURCE_GAUGES {
            self.gauges(name, help, each(value));
        }
        self.gauges(
            "clockbound_source_last_measurement_timestamp_seconds",
            "When a source was last measured, to within a second.",
            sources
                .iter()
                .filter(|(_, source)| source.measured_ns != 0)
                .map(|(name, source)| {
                    Sample::new(timestamp(diagnostics, source.measured_ns)).label("source", name)
                }),
        );
        self.gauges(
            "clockbound_source_interval_offset_seconds",
            "The edges of the interval of true time by the measurements of a source alone, \
             relative to CLOCK_REALTIME.",
            sources.iter().flat_map(|(name, source)| {
                source
                    .own_ns
                    .into_iter()
                    .flat_map(|(earliest_ns, latest_ns)| {
                        let sample =
                            |value: Decimal| Sample::new(value).label("source", name.as_str());
                        edges(sample, earliest_ns, latest_ns, record.realtime_ns)
                    })
            }),
        );
        self.counters_of(
            "clockbound_source_measurements",
            "Measurements of a source that were used since it was added.",
            each(|source| source.measurements.to_string()),
        );
    }
}

/// A family of gauges for each source: its name, its help text, and its value.
type SourceGauge = (&'static str, &'static str, fn(&Source) -> String);

const SOURCE_GAUGES: [SourceGauge; 7] = [
    (
        "clockbound_source_followed",
        "Whether the published interval is from the measurements of a source.",
        |source| u8::from(source.is_followed).to_string(),
    ),
    (
        "clockbound_source_disjoint",
        "Whether the interval of a source is disjoint from the published one.",
        |source| u8::from(source.is_disjoint).to_string(),
    ),
    (
        "clockbound_source_stratum",
        "The stratum of a source.",
        |source| source.stratum.to_string(),
    ),
    (
        "clockbound_source_poll_interval_seconds",
        "The polling interval of a source.",
        |source| poll_interval(source.poll),
    ),
    (
        "clockbound_source_reachability_ratio",
        "The part of the last eight polls of a source that was answered.",
        |source| {
            let eighths = i64::from(source.reachability.count_ones());
            ratio(eighths * 125, 3).to_string()
        },
    ),
    (
        "clockbound_source_offset_seconds",
        "The last measured offset of CLOCK_REALTIME from a source, positive when it is ahead.",
        |source| seconds(source.offset_ns).to_string(),
    ),
    (
        "clockbound_source_offset_error_bound_seconds",
        "The error bound of the last measured offset, as chronyd states it.",
        |source| seconds(source.offset_error_ns).to_string(),
    ),
];

const STATES: [(&str, SourceState); 6] = [
    ("selected", SourceState::Selected),
    ("nonselectable", SourceState::Nonselectable),
    ("falseticker", SourceState::Falseticker),
    ("jittery", SourceState::Jittery),
    ("unselected", SourceState::Unselected),
    ("selectable", SourceState::Selectable),
];

fn seconds(ns: i64) -> Decimal {
    Decimal {
        units: ns,
        digits: 9,
    }
}

fn ratio(units: i64, digits: u32) -> Decimal {
    Decimal { units, digits }
}

/// An instant of `CLOCK_MONOTONIC_RAW` in ns as seconds since 1970, by the present.
fn timestamp(diagnostics: &Diagnostics, instant_ns: i64) -> Decimal {
    let ago_ns = diagnostics.now_ns.saturating_sub(instant_ns);
    seconds(diagnostics.realtime_now_ns.saturating_sub(ago_ns))
}

/// The same as a sample, if there was such an instant.
fn at(diagnostics: &Diagnostics, instant_ns: i64) -> Option<Sample> {
    (instant_ns > 0).then(|| Sample::new(timestamp(diagnostics, instant_ns)))
}

/// The edges of an interval relative to the clock.
fn edges(
    sample: impl Fn(Decimal) -> Sample,
    earliest_ns: i64,
    latest_ns: i64,
    realtime_ns: i64,
) -> [Sample; 2] {
    [("earliest", earliest_ns), ("latest", latest_ns)]
        .map(|(edge, ns)| sample(seconds(ns.saturating_sub(realtime_ns))).label("edge", edge))
}

/// 2^`exponent` s. Exponents beyond those of chronyd are limited to its range, -7 to 24.
fn poll_interval(exponent: i8) -> String {
    let exponent = exponent.clamp(-7, 24);
    match u32::try_from(exponent) {
        Ok(exponent) => (1_u64 << exponent).to_string(),
        // 2^-n s is 5^n / 10^n s.
        Err(_) => {
            let digits = u32::from(exponent.unsigned_abs());
            ratio(5_i64.pow(digits), digits).to_string()
        }
    }
}

/// Each source with a name that no other source of the record has. Samples with the same labels
/// would make the whole text invalid.
fn named(sources: &[Source]) -> Vec<(String, &Source)> {
    let mut named: Vec<(String, &Source)> = Vec::with_capacity(sources.len());
    for source in sources {
        let name = name_of(source.address);
        let is_free = |candidate: &String| named.iter().all(|(taken, _)| taken != candidate);
        let numbered = (2..).map(|number| format!("{name}#{number}"));
        if let Some(unique) = iter::once(name.clone()).chain(numbered).find(is_free) {
            named.push((unique, source));
        }
    }
    named
}

/// The address, or the reference id of a reference clock: its characters, or in hexadecimal if they
/// are not printable.
fn name_of(address: SourceAddress) -> String {
    match address {
        SourceAddress::Unresolved => "unresolved".to_owned(),
        SourceAddress::V4(bytes) => Ipv4Addr::from(bytes).to_string(),
        SourceAddress::V6(bytes) => Ipv6Addr::from(bytes).to_string(),
        SourceAddress::ReferenceClock(id) => {
            let bytes = id.to_be_bytes();
            let end = bytes
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |last| last + 1);
            let used = &bytes[..end];
            if !used.is_empty() && used.iter().all(u8::is_ascii_graphic) {
                used.iter().copied().map(char::from).collect()
            } else {
                format!("{id:08X}")
            }
        }
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
