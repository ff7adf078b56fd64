use super::*;
use crate::record::test_rows::{
    NOW_NS, REALTIME_NS, S, diagnostics_at, row_at, row_with, unreadable_at,
};

fn columns() -> Columns {
    Columns::of(&header()).expect("the header is ours")
}

#[test]
fn rows_are_read_as_they_were_written() {
    for row in [
        row_at(0),
        row_with(S, ClockStatus::FreeRunning, Reason::ChronySilent),
        row_with(2 * S, ClockStatus::Unknown, Reason::HoldoverExpired),
        unreadable_at(3 * S),
    ] {
        let line = row.to_line();
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert_eq!(columns().parse(&line), Ok(row), "{line}");
    }
}

#[test]
fn no_beginning_of_a_line_is_a_row() {
    for row in [
        row_at(0),
        row_with(0, ClockStatus::Unknown, Reason::HoldoverExpired),
        unreadable_at(0),
    ] {
        let line = row.to_line();
        let complete = line.trim_end();
        // Without its line feed a row is complete.
        for end in 0..complete.len() {
            let cut = &complete[..end];
            assert!(columns().parse(cut).is_err(), "{cut}");
        }
        assert_eq!(columns().parse(complete), Ok(row));
    }
}

#[test]
fn the_columns_are_those_of_the_documentation() {
    assert_eq!(
        header(),
        "unix_time_ns,monotonic_raw_ns,interval_ns,earliest_ns,latest_ns,bound_ns,status,reason,\
         failure,root_distance_ns,wire_rounding_ns,sample_age_ns,clock_moved_ns,\
         clock_reading_gap_ns,phc_ns,growth_ns,excluded_ns,resumed_ns,contradiction_ns,\
         leap_second_ns,divergence_ns,realtime_error_ns,source,record_age_ns,validated_age_ns,\
         max_drift_ppb,falsetickers,daemon_pid,daemon_started_ns,daemon_version,reports,\
         reports_refused,polls_unanswered,measurements,contradictions,disagreements,\
         drift_exceeded,wander_exceeded,clock_steps,clock_slews,disruptions,suspends,\
         source_resets,chronyd_restarts,actor_restarts,is_drill,is_simulated\n"
    );
}

#[test]
fn columns_are_found_by_their_names() {
    let row = row_at(0);
    let header = format!("novel,{}", header());
    let columns = Columns::of(&header).expect("is a recording");
    assert_eq!(columns.parse(&format!("1,{}", row.to_line())), Ok(row));
    for other in ["", "time,status", "unix_time_ns,state", "\u{fffd}"] {
        assert!(Columns::of(other).is_none(), "{other}");
    }
}

#[test]
fn columns_that_an_earlier_version_did_not_write_read_as_empty() {
    let columns = Columns::of("unix_time_ns,status,earliest_ns,latest_ns").expect("has both");
    let row = columns
        .parse("1000,synchronized,900,1200\n")
        .expect("is a row");
    let published = row.published.expect("has data");
    assert_eq!(published.claim.map(|claim| claim.bound_ns()), Some(150));
    assert_eq!(published.reason, Reason::Untold);
}

#[test]
fn an_old_record_is_carried_on_to_the_instant_of_the_row() {
    let mut record = diagnostics_at(0).record;
    record.slowest_ppt = -50_000_001;
    record.fastest_ppt = 40_000_001;
    let later = Diagnostics::at(record, NOW_NS + 10 * S, REALTIME_NS + 10 * S);
    let row = Row::of(&later, S);
    let published = row.published.expect("has data");
    let claim = published.claim.expect("is trusted");
    // 10 s at -50 ppm and +40 ppm, rounded outward.
    assert_eq!(claim.earliest_ns, REALTIME_NS - 350_000 + 10 * S - 500_001);
    assert_eq!(claim.latest_ns, REALTIME_NS + 450_000 + 10 * S + 400_001);
    assert_eq!(published.record_age_ns, 10 * S);
}

#[test]
fn components_sum_to_the_bound_of_the_row() {
    for after_ns in [0, 1, S, 10 * S] {
        let record = diagnostics_at(0).record;
        let row = Row::of(
            &Diagnostics::at(record, NOW_NS + after_ns, REALTIME_NS + after_ns),
            S,
        );
        let claim = row.published.and_then(|published| published.claim);
        let claim = claim.expect("is trusted");
        assert_eq!(claim.components_ns.iter().sum::<i64>(), claim.bound_ns());
    }
}

#[test]
fn a_reference_id_with_separators_adds_no_field() {
    let mut record = diagnostics_at(0).record;
    record.sources.clear();
    record.stratum = 1;
    record.reference_id = u32::from_be_bytes(*b"G,\"1");
    let row = Row::of(&Diagnostics::at(record, NOW_NS, REALTIME_NS), S);
    let read = columns().parse(&row.to_line()).expect("is a row");
    assert_eq!(read.published.expect("has data").source, "G__1");
}

#[test]
fn divergence_and_error_are_those_of_the_clock() {
    let claim = row_at(0).published.and_then(|published| published.claim);
    let claim = claim.expect("is trusted");
    assert_eq!(claim.divergence_ns(REALTIME_NS), 50_000);
    assert_eq!(claim.realtime_error_ns(REALTIME_NS), 450_000);
    assert_eq!(claim.realtime_error_ns(REALTIME_NS + S), S + 350_000);
}

#[test]
fn malformed_fields_are_refused() {
    let line = row_at(0).to_line();
    for (from, to) in [
        (",synchronized,", ",perfect,"),
        (",0.3.0,", ",0.3,"),
        (",false,", ",perhaps,"),
        (",4711,", ",-1,"),
    ] {
        assert!(line.contains(from), "{from}");
        assert!(
            columns().parse(&line.replacen(from, to, 1)).is_err(),
            "{to}"
        );
    }
}
