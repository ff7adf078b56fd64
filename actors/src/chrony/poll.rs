//! One poll of chronyd: which requests to send, and what the replies amount to. Pure.
//!
//! ```text
//!   begin --> requests --(exchange)--> handle_replies --> More: the next requests of the same attempt
//!                ^                       |  \---> Anew: the next attempt, for which the clocks are read again
//!                \-----------------------/   \--> Done
//! ```
//! A round asks about the selected source and for a tracking report, or, once in a while, about all sources. chronyd
//! may update its clock between two replies, and the replies are then of different clocks. `ref_time` of the tracking
//! report changes with every update: every batch ends with a tracking request, and the replies before it count when
//! nothing has changed since the tracking report before them. Otherwise the round asks again.

use super::error::{ParseError, QueryError};
use super::protocol::Status;
use super::reply::Reply;
use super::report::{SourceData, SourceState, Tracking};
use super::request::Request;
use super::wire::Address;
use crate::time::NS_PER_S;

/// The most requests in one batch. The kernel queues `net.unix.max_dgram_qlen` datagrams on a socket, 10 by default.
pub const MAX_BATCH: usize = 8;

/// The most sources that are asked about: chronyd allocates one at a time, and nobody configures as many.
const MAX_SOURCES: u32 = 1_024;

/// How often a round asks again because the clock was updated between two replies.
const MAX_RETRIES: u32 = 2;

/// After so many rounds without an update of the clock, none is expected in the next one.
const QUIET_ROUNDS: u32 = 2;

/// A measurement is expected this much before the polling interval has passed, ns.
const EARLY_NS: i64 = 125_000_000;

/// chronyd randomises polling intervals by 2 percent (ntp_core.c).
const EARLY_SHARE: i64 = 32;

/// What one poll of chronyd gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ChronyPoll {
    /// What the system clock is known to be.
    pub tracking: Tracking,
    /// The sources that were asked about in this round, each once. Every reply is from the same state of chronyd's
    /// clock as `tracking`: there was no update of the clock between them.
    pub sources: Vec<SourceData>,
    /// Whether `sources` has every source that chronyd has.
    pub complete: bool,
}

/// Why a poll does not tell of all sources.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// chronyd does not report its sources.
    #[error("chronyd does not report its sources: {0}")]
    Refused(ParseError),
    /// The report on a source has a value that cannot be.
    #[error("the report on a source is of no use: {0}")]
    Unreadable(ParseError),
    /// Two sources have the same address and mode. For reference clocks this is the reference id.
    #[error("two sources have the address {0:?}")]
    SameAddress(Address),
}

/// What to do after a batch of replies.
#[derive(Debug)]
pub enum NextStep {
    /// Send the next requests.
    SendMore,
    /// Read the clocks, then send the next requests: the replies so far do not count.
    Restart,
    /// The round is over. The errors are [`QueryError::Protocol`] and [`QueryError::Unexpected`], of the tracking
    /// report.
    Done(Result<ChronyPoll, QueryError>),
}

/// Which sources an attempt asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// The one that was selected, by its index.
    Selected(u32),
    /// From index 0 until chronyd has no more.
    All,
    /// None, since chronyd refuses.
    None,
}

/// The state of the search for sources, from round to round.
#[derive(Debug)]
pub struct SourceWalk {
    walk_interval_ns: i64,
    /// The last tracking report.
    tracking: Option<Tracking>,
    /// How many rounds ago the clock was updated.
    quiet_rounds: u32,
    /// How many sources there were at the last walk.
    count: Option<u32>,
    /// Where the selected source was, and what was known of it.
    selected: Option<(u32, SourceData)>,
    /// The last measurement of the selected source and the round that first reported it, ns.
    newest: Option<(SourceData, i64)>,
    /// When all sources were asked last, `CLOCK_MONOTONIC_RAW` in ns.
    walked_ns: Option<i64>,
    error: Option<SourceError>,
    round: Round,
    requests: Vec<Request>,
}

/// The state within a round.
#[derive(Debug)]
struct Round {
    begun_ns: i64,
    extent: Extent,
    /// Whether the clock was updated since the round before.
    updated: bool,
    retries: u32,
    /// The index to go on with.
    next: u32,
    /// The lowest index that has no source.
    end: Option<u32>,
    /// A source was found behind the end.
    gap: bool,
    found: Vec<(u32, SourceData)>,
    /// Why chronyd reports no source.
    refusal: Option<ParseError>,
    /// Why the report on one of them is of no use.
    unreadable: Option<ParseError>,
}

impl Round {
    fn new(begun_ns: i64, extent: Extent) -> Self {
        Self {
            begun_ns,
            extent,
            updated: false,
            retries: 0,
            next: 0,
            end: None,
            gap: false,
            found: Vec::new(),
            refusal: None,
            unreadable: None,
        }
    }

    /// Forgets the replies.
    fn clear(&mut self) {
        self.next = 0;
        self.end = None;
        self.gap = false;
        self.found.clear();
        self.unreadable = None;
    }
}

impl SourceWalk {
    /// A walk that knows nothing yet, and asks about all sources every `walk_interval_ns`.
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

    /// What is wrong with the sources, as far as the last walk has shown.
    #[must_use]
    pub fn error(&self) -> Option<&SourceError> {
        self.error.as_ref()
    }

    /// Whether the round that began at `now_ns` of `CLOCK_MONOTONIC_RAW` may report a new measurement of the selected
    /// source: about one polling interval after the last one, and always while none is known.
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

    /// Begins a round at `now_ns` of `CLOCK_MONOTONIC_RAW`. One that was not brought to its end is forgotten.
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
        // With a tracking report at both ends, an update before the round costs no second batch.
        self.prepare_batch(self.tracking.is_none() || self.quiet_rounds < QUIET_ROUNDS);
    }

    /// The requests of the next batch, at most [`MAX_BATCH`].
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// Takes the replies to [`SourceWalk::requests`], in the same order.
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
                    // The replies before it are of another clock, if there are any.
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
            self.walked_ns = Some(round.begun_ns);
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
                // What updated the clock, if it was not this source?
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

    /// All sources were sent.
    fn finish_walk(&mut self, tracking: Tracking) -> NextStep {
        let round = &mut self.round;
        let unchanged = !round.gap && self.count.is_none_or(|count| round.end == Some(count));
        self.count = round.end;
        // The next round asks again, when they were changing.
        self.walked_ns = unchanged.then_some(round.begun_ns);
        let found = std::mem::take(&mut round.found);
        let is_alone = |(_, source): &&(u32, SourceData)| {
            let same = |(_, other): &&(u32, SourceData)| is_same_source(source, other);
            found.iter().filter(same).count() == 1
        };
        let ambiguous = found.iter().find(|source| !is_alone(source));
        let ambiguous = ambiguous.map(|(_, source)| SourceError::SameAddress(source.address));
        let unreadable = round.unreadable.take().map(SourceError::Unreadable);
        self.error = unreadable.or(ambiguous);
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
            _ => (source, self.round.begun_ns),
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

    /// Makes the next requests; those of a round whose tracking report before it is of no use begin with another one.
    fn prepare_batch(&mut self, begin_with_tracking: bool) {
        self.requests.clear();
        if begin_with_tracking && self.round.extent != Extent::None {
            self.requests.push(Request::Tracking);
        }
        match self.round.extent {
            Extent::None => {}
            Extent::Selected(index) => self.requests.push(Request::SourceData { index }),
            Extent::All => {
                // One more than there were, to notice another one.
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
                self.unreadable = Some(err);
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
/// `ref_time` is also shifted by every slew and step. It stands still while the local reference is active, and is 0
/// without a reference; the last update's figures show an update that it does not (reference.c).
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
    (interval_s * NS_PER_S as f64) as i64
}

/// Whether nothing shows that the source was measured between two reports.
fn is_same_sample(a: &SourceData, b: &SourceData) -> bool {
    is_same_source(a, b)
        && (a.original_offset_s, a.reachability) == (b.original_offset_s, b.reachability)
        && b.since_sample_s >= a.since_sample_s
}

#[cfg(test)]
#[path = "poll_tests.rs"]
mod tests;
