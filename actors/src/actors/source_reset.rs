//! SourceReset: makes chronyd forget its measurements after an interruption of the clocks, and
//! measure again at once.
//!
//! It has a socket of its own, and no other actor waits for it. Without an acknowledgement it tries
//! again, for as long as the daemon runs; [`reset_schedule`](super::reset_schedule) has the pace.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use actix::prelude::*;
use slog::{Logger, info, warn};

use super::clock_state::{ClockState, SourcesReset};
use super::rate_limit::ChangeGate;
use super::reset_schedule::{RETRY, Schedule, Step};
use crate::chrony::{ChronySocket, ParseError, QueryError, QueryErrorKind, Reply, Request};
use crate::fail_points::fail_point;
use crate::os::clocks;

/// The burst that follows a reset: four good measurements of each NTP source, or eight requests.
const BURST: Request = Request::Burst { good: 4, total: 8 };

/// The maximum time to wait for chronyd's reply.
const TIMEOUT: Duration = RETRY;

/// The parts from which each life of SourceReset is built.
pub struct Parts {
    /// chronyd's command socket.
    pub socket_path: PathBuf,
    /// Receives the acknowledgements.
    pub clock_state: Addr<ClockState>,
    /// The actor's log.
    pub log: Logger,
}

/// The actor that resets chronyd's sources.
pub struct SourceReset {
    parts: Parts,
    schedule: Schedule,
    /// An attempt is under way.
    busy: bool,
    timer: Option<SpawnHandle>,
    failure: ChangeGate<Option<QueryErrorKind>>,
    resets: u64,
    reset_limit: ChangeGate<u64>,
    refusal: ChangeGate<bool>,
}

impl SourceReset {
    /// An actor that has nothing to do yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            schedule: Schedule::default(),
            busy: false,
            timer: None,
            failure: ChangeGate::new(None),
            resets: 0,
            reset_limit: ChangeGate::new(0),
            refusal: ChangeGate::new(false),
        }
    }

    /// Does what is due.
    fn proceed(&mut self, ctx: &mut Context<Self>) {
        if self.busy {
            return;
        }
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        match self.schedule.next(Instant::now()) {
            Step::Rest => {}
            Step::Wait(left) => {
                self.timer = Some(ctx.run_later(left, |act, ctx| act.proceed(ctx)));
            }
            Step::Reset(interruption) => self.attempt(interruption, ctx),
        }
    }

    fn attempt(&mut self, interruption: u64, ctx: &mut Context<Self>) {
        self.busy = true;
        let began = Instant::now();
        let (path, clock_state) = (
            self.parts.socket_path.clone(),
            self.parts.clock_state.clone(),
        );
        let attempt = async move {
            let mut socket = ChronySocket::bind(&path)?;
            let outcome = command(&mut socket, Request::ResetSources).await?;
            if outcome.is_ok() {
                // chronyd has forgotten outstanding requests before this instant.
                let raw = clocks::monotonic_raw();
                clock_state.do_send(SourcesReset { interruption, raw });
            }
            let burst = command(&mut socket, BURST).await;
            Ok((outcome, burst))
        };
        ctx.spawn(attempt.into_actor(self).map(move |outcome, act, ctx| {
            fail_point!("source_reset.handler");
            act.busy = false;
            act.finish(interruption, began, outcome);
            act.proceed(ctx);
        }));
    }

    fn finish(&mut self, interruption: u64, began: Instant, outcome: Outcome) {
        let (log, now) = (&self.parts.log, Instant::now());
        let kind = outcome.as_ref().err().map(QueryError::kind);
        let source = self.parts.socket_path.display();
        let (reset, burst) = match outcome {
            Err(err) => {
                self.schedule.failed(began);
                if let Some(suppressed) = self.failure.pass(kind, now) {
                    warn!(log, "failed to reset the sources of chronyd, retrying"; "err" => %err,
                        "source" => %source, "unsaid_changes" => suppressed);
                }
                return;
            }
            Ok(replies) => replies,
        };
        self.failure.pass(None, now);
        self.schedule.finished(interruption, now);
        match reset {
            Ok(()) => {
                self.resets += 1;
                if let Some(suppressed) = self.reset_limit.pass(self.resets, now) {
                    let burst = match burst {
                        Ok(Ok(())) => "accepted".to_owned(),
                        Ok(Err(err)) => err.to_string(),
                        Err(err) => err.to_string(),
                    };
                    info!(log, "sources of chronyd were reset"; "burst" => burst,
                        "unsaid_changes" => suppressed);
                }
            }
            Err(err) => {
                if self.refusal.pass(true, now).is_some() {
                    warn!(log, "chronyd refused to reset its sources"; "err" => %err,
                        "advice" => "use chronyd 4.0 or later: measurements are used 4 s later");
                }
            }
        }
    }
}

/// chronyd's answers to the reset and to the burst; the error of the reset if there is no answer.
type Outcome = Result<(Answer, Result<Answer, QueryError>), QueryError>;

/// Whether chronyd has done what was requested, or why it refuses.
type Answer = Result<(), ParseError>;

async fn command(socket: &mut ChronySocket, request: Request) -> Result<Answer, QueryError> {
    let batch = socket.submit(&[request], TIMEOUT).await?;
    let replies = socket.complete(batch, TIMEOUT).await?;
    match replies.into_iter().next() {
        Some(Ok(Reply::Null)) => Ok(Ok(())),
        Some(Ok(other)) => Err(QueryError::Unexpected(other.name())),
        Some(Err(refusal)) => Ok(Err(refusal)),
        None => Err(QueryError::Unexpected("number of replies")),
    }
}

impl Actor for SourceReset {
    type Context = Context<Self>;

    /// An attempt of an earlier life ended with it.
    fn started(&mut self, ctx: &mut Self::Context) {
        fail_point!("source_reset.started");
        (self.busy, self.timer) = (false, None);
        self.proceed(ctx);
    }
}

impl Supervised for SourceReset {}

/// The clocks were interrupted: chronyd has to measure again.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct ResetSources {
    /// The number of the interruption.
    pub interruption: u64,
}

impl Handler<ResetSources> for SourceReset {
    type Result = ();

    fn handle(&mut self, request: ResetSources, ctx: &mut Self::Context) {
        self.schedule.request(request.interruption);
        self.proceed(ctx);
    }
}
