//! Tests of the walk with a simulated chronyd.

use std::net::Ipv4Addr;

use super::super::{Leap, SourceMode};
use super::*;
use crate::time::NS_PER_S;

const ROUND_NS: i64 = NS_PER_S / 10;

/// A simulated chronyd.
struct Chronyd {
    sources: Vec<SourceData>,
    update: i64,
    refuses: Option<Status>,
    sent: Vec<Vec<Request>>,
    /// The number of attempts, which is how often the clocks were read.
    attempts: u32,
}

fn source(last: u8, state: SourceState) -> SourceData {
    SourceData {
        address: Address::V4(Ipv4Addr::new(192, 0, 2, last)),
        poll: 0,
        stratum: 1,
        state,
        mode: SourceMode::Client,
        flags: 0,
        reachability: 0xff,
        since_sample_s: 0,
        original_offset_s: 1e-6,
        offset_s: 1e-6,
        offset_error_s: 1e-4,
    }
}

fn tracking(update: i64) -> Tracking {
    Tracking {
        ref_id: 1,
        address: Address::Unspecified,
        stratum: 2,
        leap: Leap::Normal,
        ref_time_ns: update,
        current_correction_s: 0.0,
        last_offset_s: 0.0,
        rms_offset_s: 0.0,
        freq_ppm: 0.0,
        resid_freq_ppm: 0.0,
        skew_ppm: 0.0,
        root_delay_s: 0.0,
        root_dispersion_s: 0.0,
        last_update_interval_s: 1.0,
    }
}

impl Chronyd {
    /// A chronyd with `count` sources, of which the first is selected.
    fn new(count: u8) -> Self {
        let state = |n| match n {
            0 => SourceState::Selected,
            _ => SourceState::Selectable,
        };
        Self {
            sources: (0..count).map(|n| source(n, state(n))).collect(),
            update: 1,
            refuses: None,
            sent: Vec::new(),
            attempts: 0,
        }
    }

    /// A measurement of the selected source updates the clock.
    fn update(&mut self) {
        self.update += 1;
        for source in &mut self.sources {
            source.offset_s += 1e-6;
            if source.state == SourceState::Selected {
                source.original_offset_s += 1e-6;
            }
        }
    }

    fn answer(&self, request: &Request) -> Result<Reply, ParseError> {
        let index = match request {
            Request::SourceData { index } => usize::try_from(*index).expect("an index"),
            _ => return Ok(Reply::Tracking(tracking(self.update))),
        };
        if let Some(status) = self.refuses {
            return Err(ParseError::Status(status));
        }
        let source = self.sources.get(index).copied().map(Reply::SourceData);
        source.ok_or(ParseError::Status(Status::NO_SUCH_SOURCE))
    }

    fn round(&mut self, walk: &mut SourceWalk, now_ns: i64) -> ChronyPoll {
        self.round_with(walk, now_ns, |_, _| {})
    }

    /// Runs a round. `before` is called with the number of each reply before chronyd sends it, and
    /// can change chronyd.
    fn round_with(
        &mut self,
        walk: &mut SourceWalk,
        now_ns: i64,
        mut before: impl FnMut(&mut Self, usize),
    ) -> ChronyPoll {
        self.sent.clear();
        self.attempts = 1;
        let mut number = 0;
        walk.begin(now_ns);
        loop {
            let requests = walk.requests().to_vec();
            assert!((1..=MAX_BATCH).contains(&requests.len()), "{requests:?}");
            assert_eq!(requests.last(), Some(&Request::Tracking));
            self.sent.push(requests.clone());
            let mut replies = Vec::new();
            for request in &requests {
                before(self, number);
                number += 1;
                replies.push(self.answer(request));
            }
            match walk.handle_replies(replies) {
                NextStep::SendMore => {}
                NextStep::Restart => self.attempts += 1,
                NextStep::Done(poll) => {
                    let poll = poll.expect("a tracking report");
                    // The sources refer to the same clock as the tracking report.
                    let same = |source: &SourceData| {
                        self.sources
                            .iter()
                            .any(|now| now.offset_s == source.offset_s)
                    };
                    assert_eq!(poll.tracking.ref_time_ns, self.update);
                    assert!(poll.sources.iter().all(same), "{poll:?}");
                    return poll;
                }
            }
        }
    }

    fn indices(&self) -> Vec<u32> {
        let index = |request: &Request| match request {
            Request::SourceData { index } => Some(*index),
            _ => None,
        };
        self.sent.iter().flatten().filter_map(index).collect()
    }
}

fn walk() -> SourceWalk {
    SourceWalk::new(NS_PER_S)
}

#[test]
fn the_first_round_finds_every_source_and_later_rounds_query_the_selected_one() {
    for count in [0, 1, 2, 5, 8, 9, 10, 18, 19, 30] {
        let (mut chronyd, mut walk) = (Chronyd::new(count), walk());
        let poll = chronyd.round(&mut walk, 0);
        assert!(poll.complete, "{count} sources");
        assert_eq!(poll.sources, chronyd.sources);
        assert_eq!(chronyd.attempts, 1);
        for round in 1..18 {
            chronyd.round(&mut walk, round * ROUND_NS);
        }
        let poll = chronyd.round(&mut walk, 18 * ROUND_NS);
        if count > 0 {
            assert_eq!(poll.sources, [chronyd.sources[0]]);
            assert!(!poll.complete);
            let (index, batches) = (0, 1);
            assert_eq!(chronyd.sent.len(), batches);
            let requests = [Request::SourceData { index }, Request::Tracking];
            assert_eq!(chronyd.sent[0], requests);
        } else {
            // Without a selected source, every round requests all.
            assert_eq!(chronyd.indices(), [0]);
            assert!(poll.complete);
        }
    }
}

#[test]
fn all_sources_and_one_more_index_are_queried_once_a_second() {
    let (mut chronyd, mut walk) = (Chronyd::new(8), walk());
    let mut complete = Vec::new();
    for round in 0..=20 {
        let poll = chronyd.round(&mut walk, round * ROUND_NS);
        if poll.complete {
            complete.push(round);
        }
        if round == 10 {
            assert_eq!(chronyd.indices(), (0..=8).collect::<Vec<_>>());
        }
    }
    assert_eq!(complete, [0, 10, 20]);
}

#[test]
fn another_selected_source_is_found_in_the_same_round() {
    let (mut chronyd, mut walk) = (Chronyd::new(4), walk());
    chronyd.round(&mut walk, 0);
    chronyd.sources[0].state = SourceState::Selectable;
    chronyd.sources[2].state = SourceState::Selected;
    let poll = chronyd.round(&mut walk, ROUND_NS);
    assert_eq!(poll.sources, chronyd.sources);
    assert_eq!(chronyd.attempts, 2);
    let poll = chronyd.round(&mut walk, 2 * ROUND_NS);
    assert_eq!(poll.sources, [chronyd.sources[2]]);
}

#[test]
fn a_removed_selected_source_is_searched_for_in_the_same_round() {
    let (mut chronyd, mut walk) = (Chronyd::new(2), walk());
    chronyd.sources.swap(0, 1);
    chronyd.round(&mut walk, 0);
    chronyd.sources.remove(0);
    chronyd.sources[0].state = SourceState::Selected;
    let poll = chronyd.round(&mut walk, ROUND_NS);
    assert_eq!(poll.sources, chronyd.sources);
    // The number of sources decreased, so the next round walks over them again.
    assert!(!poll.complete);
    assert!(chronyd.round(&mut walk, 2 * ROUND_NS).complete);
}

#[test]
fn without_a_selected_source_every_round_queries_all() {
    let (mut chronyd, mut walk) = (Chronyd::new(3), walk());
    chronyd.sources[0].state = SourceState::Selectable;
    for round in 0..5 {
        let poll = chronyd.round(&mut walk, round * ROUND_NS);
        assert!(poll.complete);
        assert_eq!(poll.sources, chronyd.sources);
    }
}

#[test]
fn after_an_update_between_two_rounds_the_next_round_reports_current_sources() {
    let (mut chronyd, mut walk) = (Chronyd::new(3), walk());
    for round in 0..15 {
        chronyd.round(&mut walk, round * ROUND_NS);
    }
    chronyd.update();
    let poll = chronyd.round(&mut walk, 15 * ROUND_NS);
    assert_eq!(poll.sources, [chronyd.sources[0]]);
    assert_eq!(chronyd.attempts, 2);
    // If the clock is updated often, a round requires one batch.
    for round in 16..19 {
        chronyd.update();
        let poll = chronyd.round(&mut walk, round * ROUND_NS);
        assert_eq!(poll.sources, [chronyd.sources[0]]);
        assert_eq!(chronyd.sent.len(), 1);
    }
}

#[test]
fn an_update_without_a_measurement_of_the_selected_source_causes_a_query_of_all() {
    let (mut chronyd, mut walk) = (Chronyd::new(3), walk());
    chronyd.round(&mut walk, 0);
    chronyd.round(&mut walk, ROUND_NS);
    chronyd.update += 1;
    chronyd.sources[1].original_offset_s += 1e-6;
    let poll = chronyd.round(&mut walk, 2 * ROUND_NS);
    assert_eq!(poll.sources, chronyd.sources);
    assert!(poll.complete);
}

#[test]
fn an_update_at_any_reply_of_a_round_never_mixes_two_clocks() {
    for count in [1, 3, 8, 20] {
        for rounds_before in [0, 1, 10, 13, 20] {
            for at in 0..40 {
                let (mut chronyd, mut walk) = (Chronyd::new(count), walk());
                for round in 0..rounds_before {
                    chronyd.round(&mut walk, round * ROUND_NS);
                }
                let now_ns = rounds_before * ROUND_NS;
                // `round_with` checks the sources.
                let poll = chronyd.round_with(&mut walk, now_ns, |chronyd, number| {
                    if number == at {
                        chronyd.update();
                    }
                });
                assert!(!poll.sources.is_empty(), "a round tolerates one update");
            }
        }
    }
}

#[test]
fn with_an_update_between_all_replies_no_sources_are_reported() {
    let (mut chronyd, mut walk) = (Chronyd::new(3), walk());
    for round in 0..3 {
        let poll = chronyd.round_with(&mut walk, round * ROUND_NS, |chronyd, _| chronyd.update());
        assert_eq!(poll.sources, []);
        assert!(!poll.complete);
        assert_eq!(chronyd.attempts, 1 + MAX_RETRIES);
    }
    let poll = chronyd.round(&mut walk, 3 * ROUND_NS);
    assert_eq!(poll.sources, chronyd.sources);
}

#[test]
fn an_update_that_does_not_change_ref_time_is_detected() {
    let before = tracking(0);
    for change in [
        |t: &mut Tracking| t.freq_ppm = 1.0,
        |t: &mut Tracking| t.last_offset_s = 1.0,
        |t: &mut Tracking| t.last_update_interval_s = 2.0,
        |t: &mut Tracking| t.ref_time_ns = 1,
    ] {
        let mut after = before;
        change(&mut after);
        assert!(!has_no_update_between(&before, &after), "{after:?}");
    }
    let aged = Tracking {
        root_dispersion_s: 1.0,
        current_correction_s: 1e-6,
        ..before
    };
    assert!(has_no_update_between(&before, &aged));
}

#[test]
fn sources_with_the_same_address_are_excluded_and_reported() {
    let (mut chronyd, mut walk) = (Chronyd::new(4), walk());
    chronyd.sources[3].address = chronyd.sources[1].address;
    let poll = chronyd.round(&mut walk, 0);
    assert_eq!(poll.sources, [chronyd.sources[0], chronyd.sources[2]]);
    assert!(!poll.complete);
    let same = SourceError::SameAddress(chronyd.sources[1].address);
    assert_eq!(walk.error(), Some(&same));
    // A reference clock and a server with the same address are distinct.
    chronyd.sources[3].mode = SourceMode::Reference;
    assert!(chronyd.round(&mut walk, NS_PER_S).complete);
    assert_eq!(walk.error(), None);
    // This applies to the selected source, too.
    chronyd.sources[3] = chronyd.sources[0];
    chronyd.sources[3].state = SourceState::Selectable;
    for round in [20, 21, 22] {
        let poll = chronyd.round(&mut walk, round * ROUND_NS);
        assert_eq!(poll.sources, [chronyd.sources[1], chronyd.sources[2]]);
    }
}

#[test]
fn a_walk_during_which_the_number_of_sources_changes_is_not_complete() {
    let (mut chronyd, mut walk) = (Chronyd::new(9), walk());
    assert!(chronyd.round(&mut walk, 0).complete);
    chronyd.sources.push(source(100, SourceState::Selectable));
    let poll = chronyd.round(&mut walk, NS_PER_S);
    assert!(!poll.complete);
    assert_eq!(poll.sources.len(), 10);
    assert!(chronyd.round(&mut walk, NS_PER_S + ROUND_NS).complete);
    // A source appears above the end during a walk.
    let poll = chronyd.round_with(&mut walk, 3 * NS_PER_S, |chronyd, number| match number {
        2 => chronyd.sources.truncate(3),
        5 => chronyd.sources = Chronyd::new(10).sources,
        _ => {}
    });
    assert!(!poll.complete);
}

#[test]
fn a_chronyd_that_refuses_source_reports_is_queried_for_them_once_a_second() {
    let (mut chronyd, mut walk) = (Chronyd::new(3), walk());
    chronyd.refuses = Some(Status(2));
    let mut walks = 0;
    for round in 0..=20 {
        // Every reply refers to another clock, which has no effect without sources.
        chronyd.update();
        let poll = chronyd.round(&mut walk, round * ROUND_NS);
        assert!(!poll.complete && poll.sources.is_empty());
        walks += i32::from(!chronyd.indices().is_empty());
    }
    assert_eq!(walks, 3);
    let refused = SourceError::Refused(ParseError::Status(Status(2)));
    assert_eq!(walk.error(), Some(&refused));
    chronyd.refuses = None;
    let poll = chronyd.round(&mut walk, 4 * NS_PER_S);
    assert!(poll.complete);
    assert_eq!(walk.error(), None);
}

#[test]
fn an_invalid_report_on_one_source_does_not_exclude_the_others() {
    let mut walk = walk();
    walk.begin(0);
    let chronyd = Chronyd::new(3);
    let invalid = ParseError::field("offset", "1e30".to_owned(), "absurd");
    let replies = walk
        .requests()
        .iter()
        .map(|request| match request {
            Request::SourceData { index: 1 } => Err(invalid.clone()),
            request => chronyd.answer(request),
        })
        .collect();
    let NextStep::Done(Ok(poll)) = walk.handle_replies(replies) else {
        panic!("one batch is enough")
    };
    assert_eq!(poll.sources, [chronyd.sources[0], chronyd.sources[2]]);
    assert!(!poll.complete);
    let error = SourceError::Invalid(invalid);
    assert_eq!(walk.error(), Some(&error));
}

#[test]
fn without_a_tracking_report_the_poll_fails() {
    let mut walk = walk();
    walk.begin(0);
    let refuse = |status| {
        let refuse = |_| Err(ParseError::Status(Status(status)));
        walk.requests().iter().map(refuse).collect::<Vec<_>>()
    };
    let step = walk.handle_replies(refuse(2));
    assert!(
        matches!(step, NextStep::Done(Err(QueryError::Protocol(_)))),
        "{step:?}"
    );
    walk.begin(ROUND_NS);
    let strange = walk.requests().iter().map(|_| Ok(Reply::Null)).collect();
    let step = walk.handle_replies(strange);
    assert!(
        matches!(step, NextStep::Done(Err(QueryError::Unexpected(_)))),
        "{step:?}"
    );
}

#[test]
fn an_incomplete_round_does_not_affect_the_next_one() {
    let (mut chronyd, mut walk) = (Chronyd::new(20), walk());
    walk.begin(0);
    let replies = walk
        .requests()
        .iter()
        .map(|request| chronyd.answer(request))
        .collect();
    assert!(matches!(walk.handle_replies(replies), NextStep::SendMore));
    let poll = chronyd.round(&mut walk, ROUND_NS);
    assert_eq!(poll.sources, chronyd.sources);
    assert!(poll.complete);
}

#[test]
fn a_measurement_is_due_when_its_polling_interval_has_nearly_passed() {
    const MS: i64 = 1_000_000;
    for (poll, elapsed_ms, due) in [
        (-4, 100, false),
        (-4, 200, false),
        (0, 100, false),
        (0, 843, false),
        (0, 844, true),
        (0, 2_000, true),
        (0, 2_001, false),
        (6, 61_874, false),
        (6, 61_875, true),
        (6, 128_001, false),
        (i16::MAX, i64::MAX / MS, true),
    ] {
        let mut walk = SourceWalk::new(i64::MAX);
        assert!(walk.measurement_due(0), "before the first measurement");
        let mut chronyd = Chronyd::new(1);
        chronyd.sources[0].poll = poll;
        chronyd.round(&mut walk, 0);
        assert_eq!(
            walk.measurement_due(elapsed_ms * MS),
            due,
            "poll {poll}, {elapsed_ms} ms"
        );
        // The round that reports the next measurement restarts the interval.
        chronyd.update();
        chronyd.round(&mut walk, 500 * MS);
        assert!(!walk.measurement_due(600 * MS));
    }
}
