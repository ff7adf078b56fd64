//! Tests of [`explain`] with records as they are in the states that operators ask about.

use super::*;
use crate::diagnostics::Status;

const US: i64 = 1_000;
const MS: i64 = 1_000_000;
const S: i64 = 1_000_000_000;
const NOW_NS: i64 = 100_000 * S;
const REALTIME_NS: i64 = 1_795_550_400 * S;

fn at_present(record: DiagnosticsRecord) -> Diagnostics {
    Diagnostics::at(record, NOW_NS, REALTIME_NS)
}

/// A followed server with this bound of its measurements, polled every 2^`poll` s.
fn server(octet: u8, poll: i8, bound_ns: i64) -> Source {
    Source {
        address: SourceAddress::V4([192, 0, 2, octet]),
        state: SourceState::Selected,
        is_followed: true,
        poll,
        stratum: 1,
        reachability: 0o377,
        measured_ns: NOW_NS - S,
        offset_error_ns: bound_ns,
        own_ns: Some((REALTIME_NS - bound_ns, REALTIME_NS + bound_ns)),
        measurements: 100,
        ..Source::default()
    }
}

/// A synchronized record with this root distance and growth, at 50 ppm.
fn synchronized(root_distance_ns: i64, growth_ns: i64, sources: Vec<Source>) -> DiagnosticsRecord {
    let bound_ns = root_distance_ns + growth_ns;
    let mut record = DiagnosticsRecord::no_claim(NOW_NS);
    record.realtime_ns = REALTIME_NS;
    record.status = Status::Synchronized;
    record.reason = Reason::Tracking;
    record.failure = Reason::Tracking;
    record.reason_since_ns = NOW_NS - 3_600 * S;
    record.earliest_ns = REALTIME_NS - bound_ns;
    record.latest_ns = REALTIME_NS + bound_ns;
    record.realtime_error_ns = bound_ns;
    record.budget_ns[0] = root_distance_ns;
    record.budget_ns[6] = growth_ns;
    record.free_running_after_ns = NOW_NS + 5 * S;
    record.void_after_ns = NOW_NS + 1_000 * S;
    record.slowest_ppt = -50_000_000;
    record.fastest_ppt = 50_000_000;
    record.settings.max_drift_ppb = 50_000;
    record.settings.grace_ns = 2 * S;
    record.root_delay_ns = 500 * US;
    record.protocol = 6;
    record.source_count = u32::try_from(sources.len()).expect("few");
    record.sources = sources;
    record
}

#[track_caller]
fn of_kind(diagnostics: &Diagnostics, kind: StatementKind) -> Vec<Statement> {
    let all = explain(diagnostics).into_iter();
    all.filter(|statement| statement.kind == kind).collect()
}

/// The lines for chrony.conf of all statements of a kind.
fn lines(record: DiagnosticsRecord, kind: StatementKind) -> Vec<String> {
    let statements = of_kind(&at_present(record), kind).into_iter();
    statements.flat_map(|it| it.chrony_conf).collect()
}

#[track_caller]
fn assert_says(statements: &[Statement], parts: &[&str]) {
    let text: Vec<String> = statements.iter().map(ToString::to_string).collect();
    let text = text.join("\n");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn a_near_source_with_short_polls_is_advised_to_use_hardware_time_stamps() {
    let record = synchronized(300 * US, 50 * US, vec![server(1, 0, 300 * US)]);
    assert_eq!(lines(record, StatementKind::Narrower), ["hwtimestamp *"]);
}

#[test]
fn a_far_source_is_advised_to_be_replaced_by_a_nearer_one() {
    let mut record = synchronized(51 * MS, 50 * US, vec![server(1, 0, 51 * MS)]);
    record.root_delay_ns = 100 * MS;
    let diagnostics = at_present(record);
    let bound = of_kind(&diagnostics, StatementKind::Bound);
    assert_says(
        &bound,
        &[
            "is 51.1 ms",
            "measurements of 192.0.2.1",
            "polled every 1 s",
        ],
    );
    let components = of_kind(&diagnostics, StatementKind::Component);
    assert_says(&components[..1], &["root_distance is 51.0 ms (99 %)"]);
    let narrower = of_kind(&diagnostics, StatementKind::Narrower);
    assert_says(
        &narrower,
        &["round trip to the reference is 100 ms", "nearer server"],
    );
    assert_says(&narrower, &["server NEARER-SERVER iburst"]);
}

#[test]
fn a_source_with_a_large_dispersion_is_not_called_far() {
    let mut record = synchronized(10 * MS, 0, vec![server(1, 0, 10 * MS)]);
    record.root_delay_ns = 5 * MS;
    let narrower = of_kind(&at_present(record), StatementKind::Narrower);
    assert_says(&narrower, &["root dispersion", "server BETTER-SERVER"]);
}

#[test]
fn a_source_that_would_give_a_narrower_interval_is_named() {
    let mut other = server(2, 0, 2 * MS);
    (other.is_followed, other.state) = (false, SourceState::Selectable);
    let record = synchronized(10 * MS, 0, vec![server(1, 0, 10 * MS), other]);
    let preferred = lines(record.clone(), StatementKind::Narrower);
    assert_eq!(preferred, ["server 192.0.2.2 iburst prefer"]);
    let mut unreachable = record;
    unreachable.sources[1].reachability = 0;
    let lines = lines(unreachable, StatementKind::Narrower);
    assert!(
        !lines.iter().any(|line| line.contains("prefer")),
        "{lines:?}"
    );
}

#[test]
fn slow_polls_are_advised_to_be_shorter_with_the_growth_that_remains() {
    // Just after a measurement nothing has grown yet.
    let mut record = synchronized(300 * US, 0, vec![server(1, 6, 300 * US)]);
    let narrower = of_kind(&at_present(record.clone()), StatementKind::Narrower);
    assert_says(
        &narrower,
        &[
            "192.0.2.1 is polled every 64 s, and the bound grows by 3.20 ms",
            "Poll it every 16 s: the growth is then at most 800 us",
            "\n    server 192.0.2.1 iburst minpoll 4 maxpoll 4",
            "--max-drift-rate, 50 ppm",
        ],
    );
    record.sources[0].address = SourceAddress::V6([0xfd; 16]);
    record.sources[0].is_peer = true;
    let lines = lines(record, StatementKind::Narrower);
    let line = "peer fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd iburst minpoll 4 maxpoll 4";
    assert_eq!(lines[0], line);
}

#[test]
fn servers_of_others_are_not_advised_to_be_polled_more_often_than_every_16_seconds() {
    let mut record = synchronized(300 * US, 800 * US, vec![server(1, 4, 300 * US)]);
    let near = lines(record.clone(), StatementKind::Narrower);
    assert_eq!(near[0], "server 192.0.2.1 iburst minpoll 0 maxpoll 0");
    record.root_delay_ns = 3 * MS;
    let far = lines(record, StatementKind::Narrower);
    assert!(
        !far.iter().any(|line| line.contains("minpoll 0")),
        "{far:?}"
    );
}

#[test]
fn a_rate_that_is_not_known_yet_is_not_blamed_on_the_drift_rate() {
    let mut record = synchronized(300 * US, 500 * US, vec![server(1, 0, 300 * US)]);
    (record.slowest_ppt, record.fastest_ppt) = (-500_000_000, 500_000_000);
    let narrower = of_kind(&at_present(record), StatementKind::Narrower);
    assert_says(
        &narrower,
        &["known only to within 500 ppm", "--max-drift-rate is 50 ppm"],
    );
}

#[test]
fn a_reference_clock_without_delay_puts_the_premise_at_risk() {
    let id = u32::from_be_bytes(*b"GPS\0");
    let mut source = server(0, 0, 2 * US);
    source.address = SourceAddress::ReferenceClock(id);
    let mut record = synchronized(2 * US, US, vec![source]);
    record.root_delay_ns = 1;
    let premise = of_kind(&at_present(record.clone()), StatementKind::Premise);
    assert_says(
        &premise,
        &["reference clock GPS has no delay", "may miss true time"],
    );
    assert_says(
        &premise,
        &["\n    refclock DRIVER PARAMETER refid GPS delay SECONDS"],
    );

    let mut with_delay = record.clone();
    with_delay.root_delay_ns = 100 * US;
    assert_eq!(of_kind(&at_present(with_delay), StatementKind::Premise), []);
    // The daemon adds the error bound of this one.
    record.settings.phc_reference_id = id;
    assert_eq!(of_kind(&at_present(record), StatementKind::Premise), []);
}

#[test]
fn holdover_is_explained_with_its_growth_and_its_end() {
    let mut source = server(1, 0, 300 * US);
    source.reachability = 0;
    let mut record = synchronized(300 * US, 5 * MS, vec![source]);
    record.status = Status::FreeRunning;
    record.reason = Reason::SourceUnreachable;
    record.failure = Reason::SourceUnreachable;
    record.reason_since_ns = NOW_NS - 100 * S;
    record.void_after_ns = NOW_NS + 900 * S;
    let diagnostics = at_present(record);
    let status = of_kind(&diagnostics, StatementKind::Status);
    assert_says(
        &status,
        &[
            "free_running for 1 min 40 s, source_unreachable",
            "grows by 50.0 us a second",
            "In 15 min nothing is claimed",
            "UDP port 123",
        ],
    );
    assert_eq!(of_kind(&diagnostics, StatementKind::Failure), []);
    assert_eq!(of_kind(&diagnostics, StatementKind::Narrower), []);
    let sources = of_kind(&diagnostics, StatementKind::Source);
    assert_says(&sources, &["192.0.2.1 does not answer chronyd's polls"]);
}

#[test]
fn a_failure_within_the_grace_is_announced() {
    let mut record = synchronized(300 * US, 0, vec![server(1, 0, 300 * US)]);
    record.failure = Reason::ChronySilent;
    record.failure_since_ns = NOW_NS - S;
    let failure = of_kind(&at_present(record), StatementKind::Failure);
    assert_says(
        &failure,
        &[
            "last 1.0 s are unusable, chrony_silent",
            "--chrony-grace, 2.0 s",
            "Start chronyd",
        ],
    );
}

#[test]
fn the_source_that_the_fewest_others_agree_with_is_named() {
    let at = |octet: u8, offset_ns: i64| {
        let mut source = server(octet, 0, 300 * US);
        let own_ns = source.own_ns.expect("an interval");
        source.own_ns = Some((own_ns.0 + offset_ns, own_ns.1 + offset_ns));
        source
    };
    let sources = vec![at(1, 30 * MS), at(2, 0), at(3, 100 * US)];
    let mut record = synchronized(300 * US, 0, sources);
    record.reason = Reason::SourcesDisagree;
    // The hull, from which no source is disjoint.
    record.latest_ns += 30 * MS;
    let status = of_kind(&at_present(record.clone()), StatementKind::Status);
    assert_says(
        &status,
        &["fewest others agree with 192.0.2.1.", "remove its line"],
    );
    record.sources.pop();
    let status = of_kind(&at_present(record), StatementKind::Status);
    assert!(
        !status[0].to_string().contains("fewest others"),
        "{status:?}"
    );
}

#[test]
fn a_source_that_is_disjoint_from_the_published_interval_is_named() {
    let mut wrong = server(2, 0, 300 * US);
    (wrong.is_followed, wrong.is_disjoint) = (false, true);
    let record = synchronized(300 * US, 0, vec![server(1, 0, 300 * US), wrong]);
    let sources = of_kind(&at_present(record), StatementKind::Source);
    assert_says(&sources, &["interval of 192.0.2.2 is disjoint"]);
}

#[test]
fn too_few_sources_are_counted_and_lines_for_the_missing_ones_given() {
    let mut record = synchronized(300 * US, 0, vec![server(1, 0, 300 * US)]);
    record.status = Status::FreeRunning;
    record.reason = Reason::TooFewSources;
    record.settings.falsetickers = 1;
    let diagnostics = at_present(record.clone());
    let status = of_kind(&diagnostics, StatementKind::Status);
    assert_says(
        &status,
        &["requires 3 reachable sources, and 1 are reachable"],
    );
    assert_eq!(lines(record, StatementKind::Status).len(), 2);
}

#[test]
fn a_disruption_claims_nothing_and_has_no_bound() {
    let mut record = synchronized(300 * US, 0, vec![server(1, 0, 300 * US)]);
    record.status = Status::Disrupted;
    record.reason = Reason::Disrupted;
    let diagnostics = at_present(record);
    let status = of_kind(&diagnostics, StatementKind::Status);
    assert_says(
        &status,
        &["disrupted", "do not use the interval", "next measurement"],
    );
    for kind in [
        StatementKind::Bound,
        StatementKind::Component,
        StatementKind::Narrower,
    ] {
        assert_eq!(of_kind(&diagnostics, kind), [], "{kind}");
    }
}

#[test]
fn a_record_that_is_not_renewed_is_explained_by_its_age() {
    let record = synchronized(300 * US, 0, vec![server(1, 0, 300 * US)]);
    let diagnostics = Diagnostics::at(record.clone(), NOW_NS + 60 * S, REALTIME_NS + 60 * S);
    let status = of_kind(&diagnostics, StatementKind::Status);
    assert_says(
        &status,
        &[
            "free_running for 1 min, daemon_silent",
            "systemctl status clockbound",
        ],
    );
    assert_says(
        &status,
        &["The last record is 1 min old and says synchronized (tracking)."],
    );
    let bound = of_kind(&diagnostics, StatementKind::Bound);
    assert_says(&bound, &["as of 1 min ago"]);

    let void = Diagnostics::at(record, NOW_NS + 2_000 * S, REALTIME_NS + 2_000 * S);
    assert_says(
        &of_kind(&void, StatementKind::Status),
        &["unknown", "Nothing is claimed"],
    );
    assert_eq!(of_kind(&void, StatementKind::Bound), []);
    assert_says(
        &of_kind(&void, StatementKind::Status),
        &["systemctl status clockbound"],
    );
}

#[test]
fn a_daemon_that_ended_without_an_interval_is_explained_by_its_end() {
    let mut record = DiagnosticsRecord::no_claim(NOW_NS);
    record.sources = vec![Source {
        reachability: 0,
        ..server(1, 0, 300 * US)
    }];
    let later_ns = 10_800 * S;
    let diagnostics = Diagnostics::at(record, NOW_NS + later_ns, REALTIME_NS + later_ns);
    let status = of_kind(&diagnostics, StatementKind::Status);
    assert_says(
        &status,
        &[
            "unknown for 3 h, daemon_silent",
            "The last record is 3 h old and says unknown (never_synchronized).",
            "systemctl status clockbound",
        ],
    );
    assert_eq!(of_kind(&diagnostics, StatementKind::Failure), []);
    assert_eq!(of_kind(&diagnostics, StatementKind::Source), []);
}

#[test]
fn drills_and_simulations_are_said_first() {
    let mut record = synchronized(300 * US, 0, Vec::new());
    (record.is_drill, record.is_simulated) = (true, true);
    let statements = explain(&at_present(record));
    let kinds = statements.iter().map(|statement| statement.kind);
    let marks = kinds.take_while(|kind| *kind == StatementKind::Mark);
    assert_eq!(marks.count(), 2);
}

#[test]
fn the_components_that_are_mentioned_and_the_rest_are_the_whole_budget() {
    let mut record = synchronized(300 * US, 100 * US, vec![server(1, 0, 300 * US)]);
    (record.budget_ns[1], record.budget_ns[4]) = (200, 300);
    record.latest_ns += 1_000;
    let components = of_kind(&at_present(record), StatementKind::Component);
    assert_says(
        &components,
        &["root_distance is 300 us (74 %)", "growth is 100 us (24 %)"],
    );
    assert_says(
        &components,
        &["The rest is 500 ns: clock_reading_gap, wire_rounding."],
    );
}

#[test]
fn every_reason_has_a_meaning_and_is_explained_with_every_status() {
    for reason in Reason::ALL {
        assert!(!meaning(reason).is_empty() && !meaning(reason).ends_with('.'));
        for status in [
            Status::Unknown,
            Status::Synchronized,
            Status::FreeRunning,
            Status::Disrupted,
        ] {
            let mut record = synchronized(300 * US, 0, vec![server(1, 6, 300 * US)]);
            (record.status, record.reason) = (status, reason);
            let statements = explain(&at_present(record));
            assert_says(&statements, &[reason.as_str(), meaning(reason)]);
        }
    }
}

#[test]
fn extreme_numbers_do_not_overflow() {
    for ns in [i64::MIN, i64::MAX] {
        let mut record = synchronized(300 * US, 0, vec![server(1, 127, 300 * US)]);
        record.budget_ns = [ns; BUDGET_TERMS.len()];
        record.as_of_ns = ns;
        record.void_after_ns = i64::MAX;
        record.reason_since_ns = ns;
        record.failure_since_ns = ns;
        (record.slowest_ppt, record.fastest_ppt) = (i64::MIN, i64::MAX);
        (record.earliest_ns, record.latest_ns) = (i64::MIN, i64::MAX);
        record.root_delay_ns = ns;
        record.settings.max_drift_ppb = u32::MAX;
        record.sources[0].measured_ns = ns;
        record.sources[0].own_ns = Some((i64::MIN, i64::MAX));
        assert!(!explain(&at_present(record)).is_empty());
    }
}
