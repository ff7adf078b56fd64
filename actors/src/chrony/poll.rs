//! One poll of chronyd: which requests to send, and the result of the replies. Pure.
//!
//! ```text
//!   begin --> requests --(exchange)--> handle_replies --> SendMore: more requests of this attempt
//!                ^                         |   |
//!                |                         |   +--------> Done
//!                +--- read the clocks <----+--- Restart: the next attempt
//! ```
//! A round requests the report on the selected source and the tracking report, or, at intervals,
//! the reports on all sources. chronyd can update its clock between two replies, which then refer
//! to different clocks. `ref_time` of the tracking report changes with every update. Therefore
//! every batch ends with a tracking request, and the replies before it are accepted if the tracking
//! report is unchanged since the one before them. Otherwise the round is repeated.

use super::error::{ParseError, QueryError};
use super::protocol::Status;
use super::reply::Reply;
use super::report::{SourceData, SourceState, Tracking};
use super::request::Request;
use super::wire::Address;

/// The maximum number of requests in one batch. The kernel queues `net.unix.max_dgram_qlen` + 1
/// datagrams on a socket, and the default is 10. A walk over eight sources fits into one batch.
pub const MAX_BATCH: usize = 11;

/// The maximum number of sources in a walk. It is a limit against a chronyd that never reports the
/// end; no configuration has as many sources.
const MAX_SOURCES: u32 = 1_024;

/// How often a round is repeated because the clock was updated between two replies.
const MAX_RETRIES: u32 = 2;

/// After this number of rounds without an update of the clock, no update is expected in the next
/// round.
const QUIET_ROUNDS: u32 = 2;

/// A measurement is expected this long before the end of the polling interval, ns.
const EARLY_NS: i64 = 125_000_000;

/// The measurement is expected earlier by this share of the polling interval, too: chronyd
/// randomises polling intervals by 2 percent (ntp_core.c).
const EARLY_SHARE: i64 = 32;

/// The result of one poll of chronyd.
#[derive(Clone, Debug, PartialEq)]
pub struct ChronyPoll {
    /// The tracking report.
    pub tracking: Tracking,
    /// The reports on the sources that were requested in this round, one per source. They refer to
    /// the same state of chronyd's clock as `tracking`: there was no update of the clock between
    /// them.
    pub sources: Vec<SourceData>,
    /// Whether `sources` contains all of chronyd's sources.
    pub complete: bool,
}

/// The reason why a poll does not report all sources.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// chronyd refuses to report its sources.
    #[error("chronyd refused to report its sources: {0}")]
    Refused(ParseError),
    /// The report on a source has an invalid value.
    #[error("invalid report on a source: {0}")]
    Invalid(ParseError),
    /// Two sources have the same address and mode. For reference clocks this is the reference id.
    #[error("two sources have the address {0:?}")]
    SameAddress(Address),
}

/// The next step after a batch of replies.
#[derive(Debug)]
pub enum NextStep {
    /// Send the next requests.
    SendMore,
    /// Read the clocks, then send the next requests. The replies so far are discarded.
    Restart,
    /// The round is complete. The errors are [`QueryError::Protocol`] and
    /// [`QueryError::Unexpected`], of the tracking report.
    Done(Result<ChronyPoll, QueryError>),
}

/// The sources whose reports an attempt requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// The selected source, by its index.
    Selected(u32),
    /// All sources, from index 0 on.
    All,
    /// None, because chronyd refuses.
    None,
}

/// The state of the search for sources, from round to round.
#[derive(Debug)]
pub struct SourceWalk {
    walk_interval_ns: i64,
    /// The last tracking report.
    tracking: Option<Tracking>,
    /// The number of rounds since the last update of the clock.
    quiet_rounds: u32,
    /// The number of sources at the last walk.
    count: Option<u32>,
    /// The index of the selected source and the last report on it.
    selected: Option<(u32, SourceData)>,
    /// The last measurement of the selected source, and the start of the round that first reported
    /// it, ns.
    newest: Option<(SourceData, i64)>,
    /// The start of the last walk over all sources, `CLOCK_MONOTONIC_RAW` in ns.
    walked_ns: Option<i64>,
    error: Option<SourceError>,
    round: Round,
    requests: Vec<Request>,
}

/// The state within a round.
#[derive(Debug)]
struct Round {
    started_ns: i64,
    extent: Extent,
    /// Whether the clock was updated since the previous round.
    updated: bool,
    retries: u32,
    /// The index of the next request.
    next: u32,
    /// The lowest index without a source.
    end: Option<u32>,
    /// A source was reported at an index above `end`.
    gap: bool,
    found: Vec<(u32, SourceData)>,
    /// The reason why chronyd refuses to report its sources.
    refusal: Option<ParseError>,
    /// The reason why a report on a source is invalid.
    invalid: Option<ParseError>,
}

impl Round {
    fn new(started_ns: i64, extent: Extent) -> Self {
        Self {
            started_ns,
            extent,
            updated: false,
            retries: 0,
            next: 0,
            end: None,
            gap: false,
            found: Vec::new(),
            refusal: None,
            invalid: None,
        }
    }

    /// Discards the replies.
    fn clear(&mut self) {
        self.next = 0;
        self.end = None;
        self.gap = false;
        self.found.clear();
        self.invalid = None;
    }
}

impl SourceWalk {
    /// A walk without any reports, which requests the reports on all sources every
    /// `walk_interval_ns`.
    #[must_use]
    pub fn new(walk_interval_ns: i64) -> Self {
        Self {
            walk_interval_ns,
            tracking: None,
            quiet_rounds: 0,
            count: None,
            selected: None,
            newest: None,
            walked_ns: None,
            error: None,
            round: Round::new(0, Extent::All),
            requests: Vec::new(),
        }
    }

    /// The error that the last walk found; `None` if all sources are usable.
    #[must_use]
    pub fn error(&self) -> Option<&SourceError> {
        self.error.as_ref()
    }

    /// Whether the round that started at `now_ns` of `CLOCK_MONOTONIC_RAW` may report a new
    /// measurement of the selected source: about one polling interval after the last one, and
    /// always before the first one.
    #[must_use]
    pub fn measurement_due(&self, now_ns: i64) -> bool {
        let Some((source, seen_ns)) = &self.newest else {
            return true;
        };
        let interval_ns = poll_interval_ns(source);
        let early_ns = EARLY_NS + interval_ns / EARLY_SHARE;
        let elapsed_ns = now_ns.saturating_sub(*seen_ns);
        elapsed_ns >= (interval_ns - early_ns).max(EARLY_NS)
            && elapsed_ns <= interval_ns.saturating_mul(2)
    }

    /// Starts a round at `now_ns` of `CLOCK_MONOTONIC_RAW`. An incomplete round is discarded.
    pub fn begin(&mut self, now_ns: i64) {
        let due = self
            .walked_ns
            .is_none_or(|walked_ns| now_ns.saturating_sub(walked_ns) >= self.walk_interval_ns);
        let refused = matches!(self.error, Some(SourceError::Refused(_)));
        let extent = match self.selected {
            _ if due => Extent::All,
            _ if refused => Extent::None,
            Some((index, _)) => Extent::Selected(index),
            None => Extent::All,
        };
        self.round = Round::new(now_ns, extent);
        // With a tracking request at both ends, an update before the round requires no second
        // batch.
        self.prepare_batch(self.tracking.is_none() || self.quiet_rounds < QUIET_ROUNDS);
    }

    /// The requests of the next batch, at most [`MAX_BATCH`].
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// Handles the replies to [`SourceWalk::requests`], in the same order.
    pub fn handle_replies(&mut self, replies: Vec<Result<Reply, ParseError>>) -> NextStep {
        let requests = std::mem::take(&mut self.requests);
        let mut steady = true;
        for (at, (request, reply)) in requests.iter().zip(replies).enumerate() {
            match (request, reply) {
                (Request::SourceData { index }, reply) => self.round.record_reply(*index, reply),
                (_, Ok(Reply::Tracking(tracking))) => {
                    let same = self
                        .tracking
                        .replace(tracking)
                        .is_some_and(|before| has_no_update_between(&before, &tracking));
                    self.round.updated |= !same;
                    // Replies before this one refer to another state of the clock.
                    steady &= same || at == 0;
                }
                (_, Ok(other)) => return NextStep::Done(Err(QueryError::Unexpected(other.name()))),
                (_, Err(err)) => return NextStep::Done(Err(err.into())),
            }
        }
        self.requests = requests;
        let Some(tracking) = self.tracking else {
            // Every batch ends with a tracking request.
            return NextStep::Done(Err(QueryError::Unexpected("number of replies")));
        };
        self.evaluate(tracking, steady)
    }

    fn evaluate(&mut self, tracking: Tracking, steady: bool) -> NextStep {
        let round = &mut self.round;
        if let Some(refusal) = round.refusal.take() {
            self.error = Some(SourceError::Refused(refusal));
            self.selected = None;
            self.walked_ns = Some(round.started_ns);
            return self.finish(tracking, Vec::new(), false);
        }
        match round.extent {
            Extent::None => self.finish(tracking, Vec::new(), false),
            _ if !steady => {
                if round.retries == MAX_RETRIES {
                    return self.finish(tracking, Vec::new(), false);
                }
                round.retries += 1;
                let extent = round.extent;
                self.restart(extent)
            }
            Extent::Selected(index) => {
                let known = self.selected.take().map(|(_, known)| known);
                let found = round.found.first().map(|&(_, source)| source);
                let selected = found.filter(|source| source.state == SourceState::Selected);
                // Another source must have updated the clock if this one has no new measurement.
                let unexplained = |source: &SourceData| {
                    round.updated && known.is_some_and(|known| is_same_sample(&known, source))
                };
                let Some(source) = selected.filter(|source| !unexplained(source)) else {
                    return self.restart(Extent::All);
                };
                self.selected = Some((index, source));
                self.finish(tracking, vec![source], false)
            }
            Extent::All if round.end.is_none() && round.next < MAX_SOURCES => {
                self.prepare_batch(false);
                NextStep::SendMore
            }
            Extent::All => self.finish_walk(tracking),
        }
    }

    /// Handles the reports on all sources.
    fn finish_walk(&mut self, tracking: Tracking) -> NextStep {
        let round = &mut self.round;
        let unchanged = !round.gap && self.count.is_none_or(|count| round.end == Some(count));
        self.count = round.end;
        // If the sources changed, the next round walks over them again.
        self.walked_ns = unchanged.then_some(round.started_ns);
        let found = std::mem::take(&mut round.found);
        let is_alone = |(_, source): &&(u32, SourceData)| {
            let same = |(_, other): &&(u32, SourceData)| is_same_source(source, other);
            found.iter().filter(same).count() == 1
        };
        let ambiguous = found.iter().find(|source| !is_alone(source));
        let ambiguous = ambiguous.map(|(_, source)| SourceError::SameAddress(source.address));
        let invalid = round.invalid.take().map(SourceError::Invalid);
        self.error = invalid.or(ambiguous);
        let known = found.iter().filter(is_alone);
        self.selected = known
            .clone()
            .find(|(_, source)| source.state == SourceState::Selected)
            .copied();
        let sources = known.map(|&(_, source)| source).collect();
        let complete = unchanged && self.count.is_some() && self.error.is_none();
        self.finish(tracking, sources, complete)
    }

    fn restart(&mut self, extent: Extent) -> NextStep {
        self.round.clear();
        self.round.extent = extent;
        self.prepare_batch(false);
        NextStep::Restart
    }

    fn finish(&mut self, tracking: Tracking, sources: Vec<SourceData>, complete: bool) -> NextStep {
        self.newest = self.selected.map(|(_, source)| match self.newest {
            Some((before, seen_ns)) if is_same_sample(&before, &source) => (source, seen_ns),
            _ => (source, self.round.started_ns),
        });
        self.quiet_rounds = match self.round.updated {
            true => 0,
            false => self.quiet_rounds.saturating_add(1),
        };
        NextStep::Done(Ok(ChronyPoll {
            tracking,
            sources,
            complete,
        }))
    }

    /// Prepares the next requests, which begin with a tracking request if an update of the clock is
    /// expected.
    fn prepare_batch(&mut self, begin_with_tracking: bool) {
        self.requests.clear();
        if begin_with_tracking && self.round.extent != Extent::None {
            self.requests.push(Request::Tracking);
        }
        match self.round.extent {
            Extent::None => {}
            Extent::Selected(index) => self.requests.push(Request::SourceData { index }),
            Extent::All => {
                // One index more than at the last walk, to detect an added source.
                let known = self.count.map_or(u32::MAX, |count| count.saturating_add(1));
                let known = if self.round.next < known {
                    known
                } else {
                    u32::MAX
                };
                while self.requests.len() < MAX_BATCH - 1 && self.round.next < known {
                    let index = self.round.next;
                    self.requests.push(Request::SourceData { index });
                    self.round.next += 1;
                }
            }
        }
        self.requests.push(Request::Tracking);
    }
}

impl Round {
    fn record_reply(&mut self, index: u32, reply: Result<Reply, ParseError>) {
        match reply {
            Ok(Reply::SourceData(source)) => {
                self.gap |= self.end.is_some();
                self.found.push((index, source));
            }
            Err(err @ (ParseError::Field { .. } | ParseError::TooShort { .. })) => {
                self.invalid = Some(err);
            }
            Err(ParseError::Status(Status::NO_SUCH_SOURCE)) => {
                self.end = Some(self.end.map_or(index, |end| end.min(index)));
            }
            Ok(other) => self.refusal = Some(ParseError::ReplyKind(other.code())),
            Err(err) => self.refusal = Some(err),
        }
    }
}

/// Whether chronyd has not updated the clock between two tracking reports.
///
/// `ref_time` is also shifted by every slew and step. It is constant while the local reference is
/// active, and 0 without a reference; the values of the last update then show an update
/// (reference.c).
fn has_no_update_between(a: &Tracking, b: &Tracking) -> bool {
    let update = |tracking: &Tracking| {
        (
            tracking.ref_time_ns,
            tracking.freq_ppm,
            tracking.last_offset_s,
            tracking.last_update_interval_s,
        )
    };
    update(a) == update(b)
}

fn is_same_source(a: &SourceData, b: &SourceData) -> bool {
    (a.address, a.mode) == (b.address, b.mode)
}

/// The polling interval of a source, ns.
fn poll_interval_ns(source: &SourceData) -> i64 {
    let interval_s = 2f64.powi(i32::from(source.poll));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float out of range becomes the nearest i64"
    )]
    let interval_ns = (interval_s * 1e9) as i64;
    interval_ns
}

/// Whether two reports on a source show no measurement between them.
fn is_same_sample(a: &SourceData, b: &SourceData) -> bool {
    is_same_source(a, b)
        && (a.original_offset_s, a.reachability) == (b.original_offset_s, b.reachability)
        && b.since_sample_s >= a.since_sample_s
}

#[cfg(test)]
#[path = "poll_tests.rs"]
mod tests;
