//! The estimate and what is known beside it, as a record of the diagnostics. Pure.

use std::time::Duration;

use shm_layout::diagnostics::{
    BUDGET_TERMS, DiagnosticsRecord, MAX_SOURCES, Settings, Source, SourceAddress, SourceState,
};

use super::counters::EventCounters;
use super::pace::StateTimes;
use crate::chrony::{self, Address, SourceMode, Tracking};
use crate::estimator::{self, Estimate, ListedSource};
use crate::time::{Interval, Rate, RawInstant, Readings, ceil_ns, nearest_ns};

/// What does not change while the process runs.
#[derive(Clone, Debug)]
pub struct Process {
    /// When it started.
    pub started: RawInstant,
    /// Its process id.
    pub pid: u32,
    /// Its version: major, minor, patch.
    pub version: [u16; 3],
    /// What its command line says.
    pub settings: Settings,
    /// A record reads as free running this long after chronyd was last known to follow a source,
    /// ns.
    pub stale_ns: i64,
}

/// What is known beside the estimate.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The process.
    pub process: &'a Process,
    /// Since when the state is so.
    pub times: &'a StateTimes,
    /// When chronyd was last known to follow a source; `None` if it never was.
    pub validated: Option<RawInstant>,
    /// chronyd's last tracking report; `None` before the first one.
    pub tracking: Option<&'a Tracking>,
    /// The counters.
    pub counters: &'a EventCounters,
    /// A drill is in progress.
    pub is_drill: bool,
}

/// The settings of the estimator, as the diagnostics have them, with the time between two polls.
#[must_use]
pub fn settings_of(settings: &estimator::Settings, poll_interval: Duration) -> Settings {
    Settings {
        max_drift_ppb: settings.max_drift_ppb,
        max_wander_ppb_per_s: settings.max_wander_ppb_per_s.unwrap_or(0),
        falsetickers: u8::try_from(settings.falsetickers).unwrap_or(u8::MAX),
        allow_local_reference: settings.allow_local_reference,
        phc_reference_id: settings.phc_reference_id.unwrap_or(0),
        poll_interval_us: u32::try_from(poll_interval.as_micros()).unwrap_or(u32::MAX),
        grace_ns: settings.grace_ns,
        holdover_ns: settings.holdover_ns,
        max_bound_ns: settings.max_bound_ns.unwrap_or(0),
    }
}

/// The record for `estimate`, which is published at the instant of `at`, with the sources at that
/// instant.
///
/// The terms of the budget are the published ones: their sum is half the width.
#[must_use]
pub fn to_diagnostics(
    estimate: &Estimate,
    at: &Readings,
    situation: &Situation<'_>,
    sources: impl Iterator<Item = ListedSource>,
) -> DiagnosticsRecord {
    let Situation {
        process,
        times,
        validated,
        tracking,
        counters,
        is_drill,
    } = *situation;
    let is_trusted = estimate.status.is_trusted();
    let interval = estimate.at(at.raw);
    let published = is_trusted.then_some(interval);
    let seconds = |seconds: fn(&Tracking) -> f64| tracking.map_or(0.0, seconds);
    let mut record = DiagnosticsRecord {
        as_of_ns: at.raw.as_ns(),
        realtime_ns: at.realtime.as_ns(),
        started_ns: process.started.as_ns(),
        pid: process.pid,
        version: process.version,
        status: times.status.value,
        reason: times.reason.value,
        status_since_ns: times.status.since.as_ns(),
        reason_since_ns: times.reason.since.as_ns(),
        failure: times.failure.value,
        failure_since_ns: times.failure.since.as_ns(),
        leap: estimate.leap,
        earliest_ns: interval.earliest.as_ns(),
        latest_ns: interval.latest.as_ns(),
        realtime_error_ns: estimate.realtime_error_ns(at),
        budget_ns: [0; BUDGET_TERMS.len()],
        validated_ns: validated.map_or(0, RawInstant::as_ns),
        free_running_after_ns: (estimate.validated + process.stale_ns).as_ns(),
        void_after_ns: estimate.void_after.as_ns(),
        slowest_ppt: estimate.band.slowest.as_ppt(),
        fastest_ppt: estimate.band.fastest.as_ppt(),
        settings: process.settings,
        reference_id: tracking.map_or(estimate.reference_id, |tracking| tracking.ref_id),
        stratum: tracking.map_or(0, |tracking| tracking.stratum),
        root_delay_ns: ceil_ns(seconds(|tracking| tracking.root_delay_s)),
        root_dispersion_ns: ceil_ns(seconds(|tracking| tracking.root_dispersion_s)),
        correction_ns: nearest_ns(seconds(|tracking| tracking.current_correction_s)),
        skew_ppb: tracking.map_or(0, skew_ppb),
        frequency_ppb: tracking.map_or(0, frequency_ppb),
        protocol: tracking.map_or(0, |_| chrony::PROTOCOL_VERSION),
        disruption: estimate.disruption,
        host: estimate.notice,
        is_drill,
        is_simulated: estimate.is_simulated,
        counters: counters.events(),
        restarts: counters.restarts(),
        publications: counters.publications(),
        source_count: 0,
        sources: Vec::new(),
    };
    if is_trusted {
        record.budget_ns = estimate.budget.terms().map(|(_, ns)| ns);
    }
    let mut all: Vec<ListedSource> = sources.collect();
    record.source_count = u32::try_from(all.len()).unwrap_or(u32::MAX);
    if all.len() > MAX_SOURCES {
        // The others of those that fit are the ones that have been known for longest.
        all.sort_by_key(|source| !source.is_followed);
        all.truncate(MAX_SOURCES);
    }
    record.sources = all
        .iter()
        .map(|source| to_source(source, published))
        .collect();
    record
}

/// One source, compared with the published interval, if that claims anything.
fn to_source(source: &ListedSource, published: Option<Interval>) -> Source {
    let data = &source.data;
    let has_measurement = source.measured.is_some();
    let is_disjoint =
        |own: Interval| published.is_some_and(|published| own.intersect(published).is_none());
    Source {
        address: to_address(source),
        state: to_state(data.state),
        is_peer: data.mode == SourceMode::Peer,
        is_followed: source.is_followed && published.is_some(),
        is_disjoint: source.own.is_some_and(is_disjoint),
        poll: i8::try_from(data.poll).unwrap_or(if data.poll < 0 { i8::MIN } else { i8::MAX }),
        stratum: u8::try_from(data.stratum).unwrap_or(u8::MAX),
        // The register has eight bits.
        reachability: u8::try_from(data.reachability & 0xff).unwrap_or_default(),
        measured_ns: source.measured.map_or(0, RawInstant::as_ns),
        offset_ns: if has_measurement {
            nearest_ns(data.offset_s)
        } else {
            0
        },
        offset_error_ns: if has_measurement {
            ceil_ns(data.offset_error_s)
        } else {
            0
        },
        own_ns: source
            .own
            .map(|own| (own.earliest.as_ns(), own.latest.as_ns())),
        measurements: source.measurements,
    }
}

fn to_address(source: &ListedSource) -> SourceAddress {
    match (source.key.is_reference_clock, source.key.address) {
        (true, address) => {
            let id = address.as_reference_id();
            id.map_or(SourceAddress::Unresolved, SourceAddress::ReferenceClock)
        }
        (false, Address::V4(address)) => SourceAddress::V4(address.octets()),
        (false, Address::V6(address)) => SourceAddress::V6(address.octets()),
        (false, Address::Id(_) | Address::Unspecified) => SourceAddress::Unresolved,
    }
}

fn to_state(state: chrony::SourceState) -> SourceState {
    match state {
        chrony::SourceState::Selected => SourceState::Selected,
        chrony::SourceState::Nonselectable => SourceState::Nonselectable,
        chrony::SourceState::Falseticker => SourceState::Falseticker,
        chrony::SourceState::Jittery => SourceState::Jittery,
        chrony::SourceState::Unselected => SourceState::Unselected,
        chrony::SourceState::Selectable => SourceState::Selectable,
    }
}

/// Rounded up. It is not negative.
fn skew_ppb(tracking: &Tracking) -> u32 {
    let skew = Rate::nearest_ppm(tracking.skew_ppm) + Rate::from_ppt(999);
    u32::try_from(skew.as_ppb()).unwrap_or(u32::MAX)
}

/// At most 10^9 of either sign: a report with more is refused.
fn frequency_ppb(tracking: &Tracking) -> i32 {
    i32::try_from(Rate::nearest_ppm(tracking.freq_ppm).as_ppb()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use shm_layout::diagnostics::{ACTORS, Counters};

    use super::super::{Diagnostics, Pace};
    use super::*;
    use crate::chrony::{Leap, SourceData, SourceState as State};
    use crate::estimator::simulation::bench::{Bench, MS, settings};
    use crate::estimator::status::{ClockStatus, Reason};
    use crate::estimator::{ErrorBudget, Key, PollFailure};
    use crate::supervision::ActorName;
    use crate::time::NS_PER_S;

    fn diagnostics() -> Diagnostics {
        Diagnostics {
            process: Process {
                started: RawInstant::from_ns(7),
                pid: 9,
                version: [1, 2, 3],
                settings: settings_of(&settings(), Duration::from_millis(100)),
                stale_ns: 5 * NS_PER_S,
            },
            counters: Default::default(),
            times: StateTimes::new(ClockStatus::Unknown, RawInstant::from_ns(7), None, 0),
            validated: None,
            tracking: None,
            pace: Pace::default(),
        }
    }

    /// What is published now, and its record.
    fn record(diagnostics: &mut Diagnostics, bench: &mut Bench) -> DiagnosticsRecord {
        let at = bench.readings();
        bench.publish(&at);
        diagnostics.pace.failed();
        diagnostics.note(&bench.published, bench.estimator.failure(), &at);
        let record = diagnostics.record_if_due(&bench.published, &bench.estimator, &at, false);
        *record.expect("due")
    }

    fn half_width_ns(record: &DiagnosticsRecord) -> i64 {
        let width_ns = record.latest_ns - record.earliest_ns;
        width_ns / 2 + width_ns % 2
    }

    #[test]
    fn the_names_are_those_of_the_budget_and_of_the_actors() {
        let names = ErrorBudget::default().terms().map(|(name, _)| name);
        assert_eq!(names, BUDGET_TERMS);
        assert_eq!(ActorName::ALL.map(ActorName::as_str), ACTORS);
    }

    #[test]
    fn the_budget_is_half_the_width_of_the_published_interval_whatever_happens() {
        let mut bench = Bench::new(settings(), None).with_servers(3);
        let mut diagnostics = diagnostics();
        let mut trusted = 0;
        for step in 0..120 {
            // A measurement that contradicts the others, and later a resumed interval.
            let lie_ns = if step == 60 { 5 * MS } else { 0 };
            if step == 90 {
                bench.restart(|_| ());
            }
            if step < 100 {
                bench.measure(lie_ns + step % 10 * 100);
            }
            bench.poll();
            bench.pass(300 * MS + step);
            let record = record(&mut diagnostics, &mut bench);
            let total_ns: i64 = record.budget_ns.iter().sum();
            if record.status.is_trusted() {
                trusted += 1;
                assert_eq!(total_ns, half_width_ns(&record), "step {step}: {record:?}");
            } else {
                assert_eq!(total_ns, 0);
            }
        }
        assert!(trusted > 100, "{trusted}");
        bench.pass(settings().holdover_ns);
        let at = bench.readings();
        bench.estimator.pass_time(&at);
        let record = record(&mut diagnostics, &mut bench);
        assert_eq!(record.reason, Reason::HoldoverExpired);
        assert!(record.validated_ns < record.as_of_ns - settings().holdover_ns + NS_PER_S);
        assert_eq!(record.budget_ns, [0; BUDGET_TERMS.len()]);
    }

    #[test]
    fn the_own_intervals_of_honest_sources_contain_true_time_and_a_liar_is_disjoint() {
        let mut bench = Bench::new(settings(), None).with_servers(3);
        let mut diagnostics = diagnostics();
        for n in 0..10 {
            bench.measure(n * 1_000);
            bench.measure_server(1, n * 1_000);
            bench.measure_server(2, 20 * MS + n * 1_000);
            bench.poll();
            bench.pass(NS_PER_S);
        }
        let record = record(&mut diagnostics, &mut bench);
        let truth_ns = bench.host.true_time(record.as_of_ns).as_ns();
        let [followed, other, liar] = &record.sources[..] else {
            panic!("{:?}", record.sources);
        };
        for source in [followed, other] {
            let (earliest_ns, latest_ns) = source.own_ns.expect("measured");
            assert!((earliest_ns..=latest_ns).contains(&truth_ns), "{source:?}");
            assert!(!source.is_disjoint);
        }
        assert!((followed.is_followed, other.is_followed) == (true, false));
        assert!(liar.is_disjoint && !liar.is_followed);
        assert_eq!(record.source_count, 3);
        let age_ns = record.as_of_ns - followed.measured_ns;
        assert!((NS_PER_S..4 * NS_PER_S).contains(&age_ns), "{age_ns}");
        assert_eq!(followed.measurements, 10);
    }

    #[test]
    fn the_failure_is_told_while_the_status_is_still_synchronized() {
        let mut bench = Bench::new(settings(), None);
        let mut diagnostics = diagnostics();
        assert_eq!(
            record(&mut diagnostics, &mut bench).failure,
            Reason::ChronySilent
        );
        bench.measure_for(5, 0);
        let usable = record(&mut diagnostics, &mut bench);
        assert_eq!(usable.failure, Reason::Tracking);
        bench.pass(MS);
        let at = bench.readings();
        bench.estimator.polled(Err(PollFailure::Refused), &at, &at);
        let failed = record(&mut diagnostics, &mut bench);
        assert_eq!(
            (failed.status, failed.reason, failed.failure),
            (
                ClockStatus::Synchronized,
                Reason::Tracking,
                Reason::ReportRefused
            )
        );
        assert_eq!(failed.failure_since_ns, at.raw.as_ns());
        assert_eq!(failed.reason_since_ns, usable.reason_since_ns);
    }

    #[test]
    fn the_tracking_report_and_the_counters_are_in_the_record() {
        let mut bench = Bench::new(settings(), None);
        let mut diagnostics = diagnostics();
        let before = record(&mut diagnostics, &mut bench);
        assert_eq!((before.protocol, before.reference_id), (0, 0));
        assert_eq!(before.validated_ns, 0);
        diagnostics.tracking = Some(Tracking {
            ref_id: 5,
            stratum: 2,
            current_correction_s: -1e-6,
            freq_ppm: -12.5,
            skew_ppm: 0.25,
            root_delay_s: 2e-3,
            root_dispersion_s: 1e-3,
            ..bench.host.report(0, true).tracking
        });
        diagnostics.counters.contradictions.add(3);
        diagnostics.counters.restarts[5].increment();
        diagnostics.counters.publications[3].add(4);
        let record = record(&mut diagnostics, &mut bench);
        assert_eq!((record.reference_id, record.stratum), (5, 2));
        assert_eq!(
            (record.root_delay_ns, record.root_dispersion_ns),
            (2 * MS, MS)
        );
        assert_eq!(
            (record.correction_ns, record.frequency_ppb),
            (-1_000, -12_500)
        );
        assert_eq!((record.skew_ppb, record.protocol), (250, 6));
        let events = Counters {
            contradictions: 3,
            ..Counters::default()
        };
        assert_eq!(record.counters, events);
        assert_eq!(record.restarts, [0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(record.publications, [0, 0, 0, 4]);
    }

    #[test]
    fn of_more_sources_than_fit_the_followed_one_is_kept() {
        let mut bench = Bench::new(settings(), None);
        let at = bench.readings();
        let diagnostics = diagnostics();
        let listed = |n: u8| ListedSource {
            key: Key {
                address: Address::V4(Ipv4Addr::new(192, 0, 2, n)),
                is_reference_clock: false,
            },
            data: SourceData {
                address: Address::Unspecified,
                poll: 300,
                stratum: 1,
                state: State::Unselected,
                mode: SourceMode::Peer,
                flags: 0,
                reachability: 0x1ff,
                since_sample_s: u32::MAX,
                original_offset_s: 0.0,
                offset_s: 1.0,
                offset_error_s: 1.0,
            },
            measured: None,
            own: None,
            is_followed: n == 39,
            measurements: 0,
        };
        let estimate = Estimate {
            status: ClockStatus::Synchronized,
            leap: Leap::Normal,
            ..bench.published
        };
        let situation = Situation {
            process: &diagnostics.process,
            times: &diagnostics.times,
            validated: None,
            tracking: None,
            counters: &diagnostics.counters,
            is_drill: true,
        };
        let record = to_diagnostics(&estimate, &at, &situation, (0..40).map(listed));
        assert_eq!(record.source_count, 40);
        let last_octet = |source: &Source| match source.address {
            SourceAddress::V4([.., last]) => last,
            _ => panic!("{source:?}"),
        };
        let kept: Vec<u8> = record.sources.iter().map(last_octet).collect();
        let expected: Vec<u8> = [39].into_iter().chain(0..31).collect();
        assert_eq!(kept, expected);
        let first = record.sources[0];
        assert!(first.is_followed && first.is_peer && !first.is_disjoint);
        assert_eq!((first.poll, first.reachability), (i8::MAX, 0xff));
        assert_eq!(
            (first.measured_ns, first.offset_ns, first.own_ns),
            (0, 0, None)
        );
        assert!(record.is_drill && !record.is_simulated);
    }
}
