//! ChronyPoller: polls chronyd.
//!
//! ```text
//!   tick: read the replies that are still queued since the last tick, and report them;
//!         read the clocks, send the requests of the next round, and
//!           if a measurement is due: wait for the replies, and report them
//!           otherwise:               leave the replies in the queue until the next tick
//! ```
//! A wake-up costs more CPU time than the work that follows it, and most rounds report nothing new,
//! so their replies do not get a separate wake-up.
//!
//! If chronyd hangs, the thread is blocked for a millisecond, and afterwards only this actor waits.
//! At each tick until the replies arrive, it tells ClockState that there is no report.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::mem::Discriminant;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use actix::prelude::*;
use slog::{Logger, debug, error, info, warn};
use tokio::time::sleep;

use super::clock_state::{ChronyPolled, ClockState, NoReport};
use super::rate_limit::ChangeGate;
use crate::chrony::{
    Batch, ChronyPoll, ChronySocket, NextStep, QueryError, QueryErrorKind, SourceError, SourceWalk,
};
use crate::estimator::PollFailure;
use crate::fail_points::fail_point;
use crate::os::clocks;
use crate::os::ticker::Ticker;
use crate::time::{NS_PER_S, Readings};

/// The maximum time to wait for chronyd's replies. A late reply is valid, too, because its instant
/// is the one before the request. The limit prevents the socket's queue from filling up.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// The time between two walks over all sources, ns. A measurement of a source that is not selected
/// is reported with up to this delay.
const WALK_INTERVAL_NS: i64 = NS_PER_S;

/// Replies are left in the queue only if the next tick comes within this time.
const LONGEST_QUEUEING: Duration = Duration::from_millis(250);

/// Replies that were queued for longer are discarded, ns: the process did not run meanwhile.
const LONGEST_QUEUED_NS: i64 = 2 * NS_PER_S;

/// The time after which a timer that the kernel refused is requested again.
const TIMER_RETRY: Duration = Duration::from_secs(1);

/// The parts from which each life of ChronyPoller is built.
#[derive(Clone)]
pub struct Parts {
    /// chronyd's command socket.
    pub socket_path: PathBuf,
    /// The time between the starts of two polls.
    pub poll_interval: Duration,
    /// Receives the reports.
    pub clock_state: Addr<ClockState>,
    /// The actor's log.
    pub log: Logger,
}

/// The actor that polls chronyd.
pub struct ChronyPoller {
    parts: Parts,
}

impl ChronyPoller {
    /// A poller that has not polled yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }
}

/// The state that one life of the actor keeps between polls.
struct Polling {
    parts: Parts,
    /// `None` if it could not be bound; the next poll tries again.
    socket: Option<ChronySocket>,
    walk: SourceWalk,
    /// The batch whose replies are read at the next tick, and the clocks before it was sent.
    queued: Option<(Readings, Batch)>,
    query_error: ChangeGate<Option<QueryErrorKind>>,
    source_error: ChangeGate<Option<Discriminant<SourceError>>>,
}

impl Polling {
    fn new(parts: Parts) -> Self {
        Self {
            parts,
            socket: None,
            walk: SourceWalk::new(WALK_INTERVAL_NS),
            queued: None,
            query_error: ChangeGate::new(None),
            source_error: ChangeGate::new(None),
        }
    }

    /// Polls until the actor ends.
    async fn run(mut self) {
        loop {
            let Err(err) = self.poll_at_ticks().await;
            // The process can have reached its limit of descriptors for a moment.
            error!(self.parts.log, "failed to create the poll timer, retrying"; "err" => %err);
            report_nothing(&self.parts.clock_state);
            sleep(TIMER_RETRY).await;
        }
    }

    async fn poll_at_ticks(&mut self) -> io::Result<Infallible> {
        let clock_state = self.parts.clock_state.clone();
        let mut ticker = Ticker::every(self.parts.poll_interval)?;
        let mut is_late = false;
        loop {
            if !is_late {
                ticker.tick().await?;
            }
            fail_point!("chrony_poller.handler");
            let mut round = pin!(self.poll_once());
            is_late = false;
            poll_fn(|cx| {
                if round.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Ok(()));
                }
                while let Poll::Ready(tick) = ticker.poll_tick(cx) {
                    if let Err(err) = tick {
                        return Poll::Ready(Err(err));
                    }
                    is_late = true;
                    report_nothing(&clock_state);
                }
                Poll::Pending
            })
            .await?;
        }
    }

    /// Completes the round of the last tick, and starts one.
    async fn poll_once(&mut self) {
        // A process that was stopped meanwhile would report what is long over.
        let is_recent = |at: &Readings| clocks::monotonic_raw() - at.raw <= LONGEST_QUEUED_NS;
        if let Some((at, batch)) = self.queued.take().filter(|(at, _)| is_recent(at)) {
            self.finish(at, batch).await;
        }
        self.start_round().await;
    }

    /// Starts a round, and completes it at once if a measurement is due.
    async fn start_round(&mut self) {
        // The clocks are read before the first request, so a late reply only widens the interval.
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

    /// Completes the round that started with this batch, which was sent after `at`.
    async fn finish(&mut self, mut at: Readings, batch: Batch) {
        let outcome = self.poll(&mut at, batch).await;
        self.report(at, outcome);
    }

    /// Completes the batch and the batches that have to follow it. Afterwards `at` is before the
    /// first request of the accepted attempt.
    async fn poll(
        &mut self,
        at: &mut Readings,
        mut batch: Batch,
    ) -> Result<ChronyPoll, QueryError> {
        loop {
            let socket = bind_once(&mut self.socket, &self.parts.socket_path)?;
            let replies = socket.complete(batch, QUERY_TIMEOUT).await?;
            match self.walk.handle_replies(replies) {
                NextStep::SendMore => {}
                NextStep::Restart => *at = clocks::read_without_adjtimex(),
                NextStep::Done(outcome) => return outcome,
            }
            batch = self.submit().await?;
        }
    }

    async fn submit(&mut self) -> Result<Batch, QueryError> {
        let socket = bind_once(&mut self.socket, &self.parts.socket_path)?;
        socket.submit(self.walk.requests(), QUERY_TIMEOUT).await
    }

    fn report(&mut self, at: Readings, outcome: Result<ChronyPoll, QueryError>) {
        let answered = clocks::read();
        self.log_query_error(outcome.as_ref().err());
        self.log_source_error();
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
            debug!(
                self.parts.log,
                "mailbox of ClockState is full, report dropped"
            );
        }
    }

    fn log_query_error(&mut self, err: Option<&QueryError>) {
        let Some(suppressed) = self
            .query_error
            .pass(err.map(QueryError::kind), Instant::now())
        else {
            return;
        };
        let (log, source) = (&self.parts.log, self.parts.socket_path.display());
        match err {
            Some(err) => warn!(log, "failed to query chronyd";
                "err" => %err, "source" => %source, "unsaid_changes" => suppressed),
            None => {
                info!(log, "chronyd responds again";
                    "source" => %source, "unsaid_changes" => suppressed)
            }
        }
    }

    /// Logs the reason why sources are unusable, when it changes.
    fn log_source_error(&mut self) {
        let err = self.walk.error();
        let kind = err.map(std::mem::discriminant);
        let Some(suppressed) = self.source_error.pass(kind, Instant::now()) else {
            return;
        };
        let log = &self.parts.log;
        match err {
            Some(err) => {
                warn!(log, "some sources are unusable";
                    "err" => %err, "unsaid_changes" => suppressed);
            }
            None => info!(log, "all sources are usable again"; "unsaid_changes" => suppressed),
        }
    }
}

/// Tells ClockState that a tick gives no report. If its mailbox is full, another message is there.
fn report_nothing(clock_state: &Addr<ClockState>) {
    let _ = clock_state.try_send(NoReport);
}

/// The socket, which is bound if there is none yet.
fn bind_once<'a>(
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
