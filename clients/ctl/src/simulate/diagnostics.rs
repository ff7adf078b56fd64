//! The state of a script as the daemon's diagnostics. Pure.

use clockbound_actors::estimator::Estimate;
use clockbound_actors::time::RawInstant;
use shm_layout::diagnostics::{
    Counters, DiagnosticsRecord, Settings, Source, SourceAddress, SourceState,
};
use shm_layout::{Reason, STALE_AFTER_NS};

use super::files::{GRACE, PUBLICATION_INTERVAL};
use super::player::State;
use super::projection::{Now, REFERENCE_ID};
use super::publisher::Done;

/// What the diagnostics say of the process that publishes.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// When it began to publish.
    pub started: RawInstant,
    /// How often it has published.
    pub publications: u64,
    /// Whether it publishes the 3.x layout.
    pub has_v3: bool,
}

/// The diagnostics of `state`, which is published as `estimate`.
pub fn diagnostics(
    state: &State,
    estimate: &Estimate,
    now: &Now,
    done: &Done,
    process: &Process,
) -> DiagnosticsRecord {
    let at = &now.at;
    let raw_ns = |t_ns| now.raw_at(t_ns).as_ns();
    let is_trusted = state.status.is_trusted();
    let interval_ns = (
        estimate.interval.earliest.as_ns(),
        estimate.interval.latest.as_ns(),
    );
    let publications = process.publications;
    DiagnosticsRecord {
        as_of_ns: at.raw.as_ns(),
        realtime_ns: at.realtime.as_ns(),
        started_ns: process.started.as_ns(),
        pid: std::process::id(),
        version: version(),
        status: state.status,
        reason: state.reason,
        status_since_ns: raw_ns(state.status_since_ns),
        reason_since_ns: raw_ns(state.reason_since_ns),
        failure: match state.reason {
            Reason::Contradiction => Reason::Tracking,
            reason => reason,
        },
        failure_since_ns: raw_ns(state.reason_since_ns),
        leap: estimate.leap,
        earliest_ns: interval_ns.0,
        latest_ns: interval_ns.1,
        realtime_error_ns: estimate.realtime_error_ns(at),
        budget_ns: estimate.budget.terms().map(|(_, ns)| ns),
        validated_ns: estimate.validated.as_ns(),
        free_running_after_ns: estimate.validated.as_ns().saturating_add(STALE_AFTER_NS),
        void_after_ns: estimate.void_after.as_ns(),
        slowest_ppt: estimate.band.slowest.as_ppt(),
        fastest_ppt: estimate.band.fastest.as_ppt(),
        settings: Settings {
            max_drift_ppb: state.drift_ppb,
            poll_interval_us: u32::try_from(PUBLICATION_INTERVAL.as_micros()).unwrap_or(u32::MAX),
            grace_ns: i64::try_from(GRACE.as_nanos()).unwrap_or(i64::MAX),
            holdover_ns: state.holdover_ns,
            ..Settings::default()
        },
        reference_id: estimate.reference_id,
        disruption: estimate.disruption,
        is_simulated: true,
        counters: Counters {
            reports: publications,
            measurements: publications,
            contradictions: done.contradictions,
            disruptions: done.disruptions,
            status_changes: done.status_changes,
            ..Counters::default()
        },
        publications: [
            publications,
            publications,
            publications,
            if process.has_v3 { publications } else { 0 },
        ],
        source_count: u32::from(is_trusted),
        sources: is_trusted
            .then_some(Source {
                address: SourceAddress::ReferenceClock(REFERENCE_ID),
                state: SourceState::Selected,
                is_followed: true,
                reachability: 0xff,
                measured_ns: raw_ns(state.validated_ns),
                own_ns: Some(interval_ns),
                measurements: publications,
                ..Source::default()
            })
            .into_iter()
            .collect(),
        ..DiagnosticsRecord::no_claim(at.raw.as_ns())
    }
}

/// The version of this program.
fn version() -> [u16; 3] {
    let number = |text: &str| text.parse().unwrap_or_default();
    [
        number(env!("CARGO_PKG_VERSION_MAJOR")),
        number(env!("CARGO_PKG_VERSION_MINOR")),
        number(env!("CARGO_PKG_VERSION_PATCH")),
    ]
}
