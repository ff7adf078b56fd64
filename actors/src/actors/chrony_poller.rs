//! ChronyPoller: asks chronyd what it knows, round after round.
//!
//! ```text
//!   tick: read the replies that the last tick left queued, report them;
//!         read the clocks, send the requests of the next round, and
//!           a measurement is due: wait for the replies, report them
//!           otherwise:            leave the replies to the next tick
//! ```
//! A wake-up costs more than all that is done in it, and most rounds report nothing new: their replies need no wake-up of
//! their own.
//!
//! A chronyd that hangs blocks the thread for a millisecond, and after that this actor alone.

use std::convert::Infallible;
use std::io;
use std::mem::Discriminant;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use actix::prelude::*;
use slog::{Logger, debug, error, info, warn};
use tokio::time::sleep;

use super::clock_state::{ChronyPolled, ClockState};
use super::rate_limit::ChangeGate;
use crate::chrony::{
    Batch, ChronyPoll, ChronySocket, Progress, QueryError, QueryErrorKind, SourceTrouble,
    SourceWalk,
};
use crate::estimator::PollFailure;
use crate::fail_points::fail_point;
use crate::os::clocks;
use crate::os::ticker::Ticker;
use crate::time::{NS_PER_S, Readings};

/// How long chronyd may take to answer. A slow answer is as good as a fast one, since its
/// instant is the one before the question; only the socket's queue must not fill.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// How often all sources are asked about, ns. A source that is not selected tells of a measurement so much later.
const WALK_INTERVAL_NS: i64 = NS_PER_S;

/// Replies are left to the next tick only if that comes within this time.
const LONGEST_QUEUEING: Duration = Duration::from_millis(250);

/// How long to wait before asking again for a timer that was not to be had.
const TIMER_RETRY: Duration = Duration::from_secs(1);

/// What ChronyPoller is rebuilt from at the beginning of every life.
#[derive(Clone)]
pub struct Parts {
    /// chronyd's command socket.
    pub socket_path: PathBuf,
    /// The time between the beginnings of two polls.
    pub poll_interval: Duration,
    /// Where the reports go.
    pub clock_state: Addr<ClockState>,
    /// The actor's log.
    pub log: Logger,
}

/// The actor that polls chronyd.
pub struct ChronyPoller {
    parts: Parts,
}

impl ChronyPoller {
    /// A poller that has not asked yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }
}

/// What one life of the actor keeps from poll to poll.
struct Polling {
    parts: Parts,
    /// Missing when it could not be bound. Dropping it removes its file; the next poll binds a new one.
    socket: Option<ChronySocket>,
    walk: SourceWalk,
    /// The batch whose replies are left to the next tick, and the clocks before it was sent.
    queued: Option<(Readings, Batch)>,
    trouble: ChangeGate<Option<QueryErrorKind>>,
    source_trouble: ChangeGate<Option<Discriminant<SourceTrouble>>>,
}

impl Polling {
    fn new(parts: Parts) -> Self {
        Self {
            parts,
            socket: None,
            walk: SourceWalk::new(WALK_INTERVAL_NS),
            queued: None,
            trouble: ChangeGate::new(None),
            source_trouble: ChangeGate::new(None),
        }
    }

    /// Polls as long as the actor lives.
    async fn run(mut self) {
        loop {
            let Err(err) = self.poll_at_ticks().await;
            // Without a timer there is no tick to wait for; the descriptors may have run out for a moment.
            error!(self.parts.log, "no timer for polling, trying again"; "err" => %err);
            sleep(TIMER_RETRY).await;
        }
    }

    async fn poll_at_ticks(&mut self) -> io::Result<Infallible> {
        let mut ticker = Ticker::every(self.parts.poll_interval)?;
        loop {
            ticker.tick().await?;
            fail_point!("chrony_poller.handler");
            if let Some((at, batch)) = self.queued.take() {
                self.finish(at, batch).await;
            }
            self.begin().await;
        }
    }

    /// Begins a round, and ends it at once if a measurement is due.
    async fn begin(&mut self) {
        // Read before the first request: a late reply then only makes the interval wider.
        let at = clocks::read_without_adjtimex();
        self.walk.begin(at.raw.as_ns());
        match self.submit().await {
            Err(err) => self.report(at, Err(err)),
            Ok(batch) if self.may_queue(at.raw.as_ns()) => self.queued = Some((at, batch)),
            Ok(batch) => self.finish(at, batch).await,
        }
    }

    fn may_queue(&self, now_ns: i64) -> bool {
        self.parts.poll_interval <= LONGEST_QUEUEING && !self.walk.measurement_due(now_ns)
    }

    /// Ends the round that began with this batch. `at` is before it was sent.
    async fn finish(&mut self, mut at: Readings, batch: Batch) {
        let outcome = self.poll(&mut at, batch).await;
        self.report(at, outcome);
    }

    /// Completes the batch and those that must follow it. `at` is when the first request of the accepted attempt was sent,
    /// at the earliest.
    async fn poll(
        &mut self,
        at: &mut Readings,
        mut batch: Batch,
    ) -> Result<ChronyPoll, QueryError> {
        loop {
            let socket = bound(&mut self.socket, &self.parts.socket_path)?;
            let replies = socket.complete(batch, QUERY_TIMEOUT).await?;
            match self.walk.digest(replies) {
                Progress::More => {}
                Progress::Anew => *at = clocks::read_without_adjtimex(),
                Progress::Done(outcome) => return outcome,
            }
            batch = self.submit().await?;
        }
    }

    async fn submit(&mut self) -> Result<Batch, QueryError> {
        let socket = bound(&mut self.socket, &self.parts.socket_path)?;
        socket.submit(self.walk.requests(), QUERY_TIMEOUT).await
    }

    fn report(&mut self, at: Readings, outcome: Result<ChronyPoll, QueryError>) {
        let answered = clocks::read();
        self.say(outcome.as_ref().err());
        self.say_source_trouble();
        let outcome = outcome.map_err(|err| match err.kind() {
            QueryErrorKind::Protocol => PollFailure::Refused,
            QueryErrorKind::NotPermitted => PollFailure::NotPermitted,
            QueryErrorKind::Absent
            | QueryErrorKind::Refused
            | QueryErrorKind::Silent
            | QueryErrorKind::Io => PollFailure::Silent,
        });
        let socket = self.socket.as_mut();
        let polled = ChronyPolled {
            at,
            answered,
            restarted: socket.is_some_and(ChronySocket::take_restarted),
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

/// The socket, bound if it was not.
fn bound<'a>(
    socket: &'a mut Option<ChronySocket>,
    path: &Path,
) -> Result<&'a mut ChronySocket, QueryError> {
    match socket {
        Some(socket) => Ok(socket),
        None => Ok(socket.insert(ChronySocket::bind(path)?)),
    }
}

impl Actor for ChronyPoller {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        fail_point!("chrony_poller.started");
        ctx.spawn(Polling::new(self.parts.clone()).run().into_actor(self));
    }
}

impl Supervised for ChronyPoller {}
