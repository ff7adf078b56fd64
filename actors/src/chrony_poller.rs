//! ChronyPoller: asks chronyd what it knows, round after round.
//!
//! The socket is non-blocking and the wait is asynchronous: a chronyd that hangs costs this actor
//! its round and nobody else anything.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use actix::prelude::*;
use slog::{Logger, debug, error, info, warn};

use crate::change_gate::ChangeGate;
use crate::chrony::{
    ChronySocket, ParseError, QueryError, QueryErrorKind, Reply, Request, SourceState, Status,
    Tracking,
};
use crate::clock_state::{ChronyPolled, ClockState};
use crate::clocks::Readings;
use crate::facts::{PollFailure, Report, Selection};
use crate::fault::{Faults, Point};
use crate::supervision::ActorName;
use crate::ticker::Ticker;

/// How long chronyd may take to answer. A slow answer is as good as a fast one, since its
/// instant is the one before the question; only the socket's queue must not fill.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// How old the selected source's report may be while chronyd has not updated the clock since: its register
/// changes once a poll of the source.
const SOURCES_INTERVAL: Duration = Duration::from_secs(1);

/// How long chronyd may take to answer about a source, which is asked beside the tracking report.
const SOURCE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long one round looks for the selected source; the next one goes on.
const SEARCH_TIME: Duration = Duration::from_millis(50);

/// More sources than anybody has: the search ends somewhere whatever is answered.
const MAX_SOURCES: u32 = 1_024;

/// How long to wait before asking again for a timer that was not to be had.
const TIMER_RETRY: Duration = Duration::from_secs(1);

/// What ChronyPoller is rebuilt from at the beginning of every life.
pub struct Parts {
    /// chronyd's command socket.
    pub socket_path: PathBuf,
    /// The time between the beginnings of two polls.
    pub poll_interval: Duration,
    /// Where the reports go.
    pub clock_state: Addr<ClockState>,
    /// Switches for tests.
    pub faults: Faults,
    /// The actor's log.
    pub log: Logger,
}

/// The actor that polls chronyd.
pub struct ChronyPoller {
    parts: Parts,
    /// Away while a query is under way.
    socket: Option<ChronySocket>,
    sources: Sources,
    trouble: ChangeGate<Option<QueryErrorKind>>,
}

impl ChronyPoller {
    /// A poller that has not asked yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            socket: None,
            sources: Sources::default(),
            trouble: ChangeGate::new(None),
        }
    }

    /// Waits for the tick, asks, and begins again.
    fn poll(&mut self, mut ticker: Ticker, ctx: &mut Context<Self>) {
        let faults = self.parts.faults.clone();
        let path = self.parts.socket_path.clone();
        let (socket, sources) = (self.socket.take(), self.sources);
        let round = async move {
            ticker.tick().await?;
            faults.reach(ActorName::ChronyPoller, Point::Handler);
            Ok((ask(socket, &path, sources).await, ticker))
        };
        ctx.spawn(
            round
                .into_actor(self)
                .map(|round: io::Result<_>, act, ctx| match round {
                    Ok((asked, ticker)) => {
                        act.socket = asked.socket;
                        act.sources = asked.sources;
                        act.report(asked.outcome, asked.at);
                        act.poll(ticker, ctx);
                    }
                    Err(err) => act.begin_again(&err, ctx),
                }),
        );
    }

    /// Without a timer there is no tick to wait for; the descriptors may have run out for a moment.
    fn begin_again(&mut self, err: &io::Error, ctx: &mut Context<Self>) {
        error!(self.parts.log, "no timer for polling, trying again"; "err" => %err);
        ctx.run_later(TIMER_RETRY, |act, ctx| act.begin(ctx));
    }

    fn begin(&mut self, ctx: &mut Context<Self>) {
        match Ticker::every(self.parts.poll_interval) {
            Ok(ticker) => self.poll(ticker, ctx),
            Err(err) => self.begin_again(&err, ctx),
        }
    }

    fn report(&mut self, outcome: Result<Report, QueryError>, at: Readings) {
        self.say(outcome.as_ref().err());
        let outcome = outcome.map_err(|err| match err.kind() {
            QueryErrorKind::Protocol => PollFailure::Refused,
            _ => PollFailure::Silent,
        });
        if self
            .parts
            .clock_state
            .try_send(ChronyPolled { at, outcome })
            .is_err()
        {
            debug!(self.parts.log, "clock state is busy, report dropped");
        }
    }

    fn say(&mut self, err: Option<&QueryError>) {
        let Some(unsaid) = self.trouble.pass(err.map(QueryError::kind), Instant::now()) else {
            return;
        };
        let (log, source) = (&self.parts.log, self.parts.socket_path.display());
        match err {
            Some(err) => warn!(log, "chronyd cannot be asked";
                "err" => %err, "source" => %source, "unsaid_changes" => unsaid),
            None => {
                info!(log, "chronyd answers again"; "source" => %source, "unsaid_changes" => unsaid)
            }
        }
    }
}

/// What became of one round of questions.
struct Asked {
    socket: Option<ChronySocket>,
    at: Readings,
    outcome: Result<Report, QueryError>,
    sources: Sources,
}

/// What is known of the selected source, and how far the search for it has come.
#[derive(Clone, Copy, Debug, Default)]
struct Sources {
    selection: Selection,
    known: Option<Instant>,
    /// The update of the clock that was the last one then.
    ref_time_ns: Option<i64>,
    /// Where it was last.
    index: u32,
    /// Whom to ask about next, when it is no longer there.
    candidate: Option<u32>,
}

impl Sources {
    /// Whether to ask in this round, in which chronyd reports the update of `ref_time_ns`. Without a selected source
    /// each round asks: the first to be selected ends the wait.
    fn is_due(&self, ref_time_ns: i64) -> bool {
        let old = || {
            self.known
                .is_none_or(|known| known.elapsed() >= SOURCES_INTERVAL)
        };
        self.candidate.is_some()
            || self.selection == Selection::Nothing
            || self.selection_at(ref_time_ns) == Selection::Outdated
            || old()
    }

    /// Finds the selected source, first where it was last. A slow chronyd is asked one question a round.
    ///
    /// Returns whether the search is over. No answer, or none that makes sense, is no failure of the round.
    async fn look(&mut self, socket: &mut ChronySocket) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < SEARCH_TIME {
            let index = self.candidate.unwrap_or(self.index);
            let request = Request::SourceData { index };
            match socket.query(&request, SOURCE_TIMEOUT).await {
                Ok(Reply::SourceData(source)) if source.state == SourceState::Selected => {
                    self.index = index;
                    return self.settle(Selection::Source(source));
                }
                Err(QueryError::Protocol(ParseError::Status(Status::NO_SUCH_SOURCE)))
                    if self.candidate.is_some() =>
                {
                    return self.settle(Selection::Nothing);
                }
                Ok(Reply::SourceData(_))
                | Err(QueryError::Protocol(ParseError::Status(Status::NO_SUCH_SOURCE))) => {
                    self.candidate = Some(self.candidate.map_or(0, |candidate| candidate + 1));
                }
                Ok(_) | Err(QueryError::Protocol(_)) => return self.settle(Selection::Untold),
                Err(_) => return false,
            }
            if self.candidate > Some(MAX_SOURCES) {
                return self.settle(Selection::Nothing);
            }
        }
        false
    }

    fn settle(&mut self, selection: Selection) -> bool {
        *self = Self {
            selection,
            known: Some(Instant::now()),
            ref_time_ns: None,
            index: self.index,
            candidate: None,
        };
        true
    }

    /// What is known of the source that chronyd followed when it updated the clock at `ref_time_ns`.
    fn selection_at(&self, ref_time_ns: i64) -> Selection {
        match self.selection {
            Selection::Source(_) if self.ref_time_ns != Some(ref_time_ns) => Selection::Outdated,
            selection => selection,
        }
    }
}

async fn ask(socket: Option<ChronySocket>, path: &Path, mut sources: Sources) -> Asked {
    // Read before the question: a late answer then only makes the bound wider than needed.
    let at = Readings::now();
    let mut socket = match socket.map_or_else(|| ChronySocket::bind(path), Ok) {
        Ok(socket) => socket,
        Err(err) => {
            return Asked {
                socket: None,
                at,
                outcome: Err(err),
                sources,
            };
        }
    };
    let outcome = report(&mut socket, &mut sources).await;
    Asked {
        socket: Some(socket),
        at,
        outcome,
        sources,
    }
}

async fn report(socket: &mut ChronySocket, sources: &mut Sources) -> Result<Report, QueryError> {
    let mut report = tracking(socket).await?;
    if sources.is_due(report.ref_time_ns) {
        let before_ns = report.ref_time_ns;
        if sources.look(socket).await && matches!(sources.selection, Selection::Source(_)) {
            // chronyd may have updated the clock in between, and then the two reports are of different clocks.
            report = tracking(socket).await?;
            sources.ref_time_ns = (report.ref_time_ns == before_ns).then_some(before_ns);
        }
    }
    Ok(Report {
        tracking: report,
        selection: sources.selection_at(report.ref_time_ns),
    })
}

async fn tracking(socket: &mut ChronySocket) -> Result<Tracking, QueryError> {
    match socket.query(&Request::Tracking, QUERY_TIMEOUT).await? {
        Reply::Tracking(tracking) => Ok(tracking),
        other => Err(QueryError::unexpected(&other)),
    }
}

impl Actor for ChronyPoller {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.parts
            .faults
            .reach(ActorName::ChronyPoller, Point::Started);
        self.begin(ctx);
    }
}

impl Supervised for ChronyPoller {
    fn restarting(&mut self, _ctx: &mut Self::Context) {
        // Dropping it removes its file; the next poll binds a new one.
        self.socket = None;
        self.sources = Sources::default();
    }
}
