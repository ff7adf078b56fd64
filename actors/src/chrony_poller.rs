//! ChronyPoller: asks chronyd what it knows, round after round.
//!
//! The socket is non-blocking and the wait is asynchronous: a chronyd that hangs costs this actor
//! its round and nobody else anything.

use std::io;
use std::mem::Discriminant;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use actix::prelude::*;
use slog::{Logger, debug, error, info, warn};

use crate::change_gate::ChangeGate;
use crate::chrony::{
    ChronyPoll, ChronySocket, Progress, QueryError, QueryErrorKind, SourceTrouble, SourceWalk,
};
use crate::clock_state::{ChronyPolled, ClockState};
use crate::clocks::Readings;
use crate::estimator::PollFailure;
use crate::fault::{Faults, Point};
use crate::supervision::ActorName;
use crate::ticker::Ticker;
use crate::time::NS_PER_S;

/// How long chronyd may take to answer. A slow answer is as good as a fast one, since its
/// instant is the one before the question; only the socket's queue must not fill.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// How often all sources are asked about, ns. A source that is not selected tells of a measurement so much later.
const WALK_INTERVAL_NS: i64 = NS_PER_S;

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
    /// Away while a round is under way, and missing when it could not be bound.
    socket: Option<ChronySocket>,
    walk: SourceWalk,
    trouble: ChangeGate<Option<QueryErrorKind>>,
    source_trouble: ChangeGate<Option<Discriminant<SourceTrouble>>>,
}

impl ChronyPoller {
    /// A poller that has not asked yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            socket: None,
            walk: SourceWalk::new(WALK_INTERVAL_NS),
            trouble: ChangeGate::new(None),
            source_trouble: ChangeGate::new(None),
        }
    }

    /// Waits for the tick, asks, and begins again.
    fn poll(&mut self, mut ticker: Ticker, ctx: &mut Context<Self>) {
        let faults = self.parts.faults.clone();
        let path = self.parts.socket_path.clone();
        let socket = self.socket.take();
        let fresh = SourceWalk::new(WALK_INTERVAL_NS);
        let walk = std::mem::replace(&mut self.walk, fresh);
        let round = async move {
            ticker.tick().await?;
            faults.reach(ActorName::ChronyPoller, Point::Handler);
            Ok((Round::run(socket, &path, walk).await, ticker))
        };
        ctx.spawn(
            round
                .into_actor(self)
                .map(|round: io::Result<_>, act, ctx| match round {
                    Ok((round, ticker)) => {
                        act.report(round);
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

    fn report(&mut self, round: Round) {
        self.socket = round.socket;
        self.walk = round.walk;
        self.say(round.outcome.as_ref().err());
        self.say_source_trouble();
        let outcome = round.outcome.map_err(|err| match err.kind() {
            QueryErrorKind::Protocol => PollFailure::Refused,
            QueryErrorKind::NotPermitted => PollFailure::NotPermitted,
            QueryErrorKind::Absent
            | QueryErrorKind::Refused
            | QueryErrorKind::Silent
            | QueryErrorKind::Io => PollFailure::Silent,
        });
        let polled = ChronyPolled {
            at: round.at,
            answered: round.answered,
            outcome,
        };
        if self.parts.clock_state.try_send(polled).is_err() {
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

    /// Says what keeps sources from being used, when it changes.
    fn say_source_trouble(&mut self) {
        let trouble = self.walk.trouble();
        let kind = trouble.map(std::mem::discriminant);
        let Some(unsaid) = self.source_trouble.pass(kind, Instant::now()) else {
            return;
        };
        let log = &self.parts.log;
        match trouble {
            Some(trouble) => {
                warn!(log, "sources cannot be used"; "err" => %trouble, "unsaid_changes" => unsaid);
            }
            None => info!(log, "all sources can be used"; "unsaid_changes" => unsaid),
        }
    }
}

/// What became of one round.
struct Round {
    socket: Option<ChronySocket>,
    walk: SourceWalk,
    at: Readings,
    answered: Readings,
    outcome: Result<ChronyPoll, QueryError>,
}

impl Round {
    async fn run(socket: Option<ChronySocket>, path: &Path, mut walk: SourceWalk) -> Self {
        // Read before the first request: a late reply then only makes the interval wider.
        let mut at = Readings::now();
        let mut socket = match socket.map_or_else(|| ChronySocket::bind(path), Ok) {
            Ok(socket) => socket,
            Err(err) => {
                return Self {
                    socket: None,
                    walk,
                    at,
                    answered: at,
                    outcome: Err(err),
                };
            }
        };
        walk.begin(at.raw_ns);
        let outcome = loop {
            let replies = match socket.query_batch(walk.requests(), QUERY_TIMEOUT).await {
                Ok(replies) => replies,
                Err(err) => break Err(err),
            };
            match walk.digest(replies) {
                Progress::More => {}
                Progress::Anew => at = Readings::now(),
                Progress::Done(outcome) => break outcome,
            }
        };
        Self {
            socket: Some(socket),
            walk,
            at,
            answered: Readings::now(),
            outcome,
        }
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
        self.walk = SourceWalk::new(WALK_INTERVAL_NS);
    }
}
