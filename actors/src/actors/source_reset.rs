//! SourceReset: makes chronyd forget its measurements after an interruption of the clocks, and
//! measure again at once.
//!
//! It has a socket of its own, and no other actor waits for it. Without an acknowledgement it tries
//! again, for as long as the daemon runs, and it requests bursts until trust has returned;
//! the schedule has the pace.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use actix::prelude::*;
use slog::{Logger, info, warn};

use super::clock_state::{ClockState, SourcesReset};
use super::rate_limit::ChangeGate;
use super::reset_schedule::{Attempt, RETRY, Schedule, Step};
use crate::chrony::{ChronySocket, ParseError, QueryError, QueryErrorKind, Reply, Request};
use crate::fail_points::fail_point;
use crate::os::clocks;
use crate::time::RawInstant;

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
            Step::Send(attempt) => self.attempt(attempt, ctx),
        }
    }

    fn attempt(&mut self, attempt: Attempt, ctx: &mut Context<Self>) {
        self.busy = true;
        self.schedule.began(Instant::now());
        let (path, clock_state) = (
            self.parts.socket_path.clone(),
            self.parts.clock_state.clone(),
        );
        let requests = send(attempt, path, move |interruption, raw| {
            clock_state.do_send(SourcesReset { interruption, raw });
        });
        ctx.spawn(requests.into_actor(self).map(move |outcome, act, ctx| {
            fail_point!("source_reset.handler");
            act.busy = false;
            act.finish(attempt, outcome);
            act.proceed(ctx);
        }));
    }

    fn finish(&mut self, attempt: Attempt, outcome: Outcome) {
        let (log, now) = (&self.parts.log, Instant::now());
        let kind = outcome.as_ref().err().map(QueryError::kind);
        let source = self.parts.socket_path.display();
        let (reset, burst) = match outcome {
            Err(err) => {
                if let Some(suppressed) = self.failure.pass(kind, now) {
                    warn!(log, "failed to reset the sources of chronyd, retrying"; "err" => %err,
                        "source" => %source, "unsaid_changes" => suppressed);
                }
                return;
            }
            Ok(replies) => replies,
        };
        self.failure.pass(None, now);
        self.schedule.answered(attempt, now);
        match reset {
            None => {}
            Some(Ok(())) => {
                self.resets += 1;
                if let Some(suppressed) = self.reset_limit.pass(self.resets, now) {
                    let burst = match burst {
                        None => "later".to_owned(),
                        Some(Ok(Ok(()))) => "accepted".to_owned(),
                        Some(Ok(Err(err))) => err.to_string(),
                        Some(Err(err)) => err.to_string(),
                    };
                    info!(log, "sources of chronyd were reset"; "burst" => burst,
                        "unsaid_changes" => suppressed);
                }
            }
            Some(Err(err)) if self.refusal.pass(true, now).is_some() => {
                warn!(log, "chronyd refused to reset its sources"; "err" => %err,
                    "advice" => "use chronyd 4.0 or later: measurements are used 4 s later");
            }
            Some(Err(_)) => {}
        }
    }
}

/// chronyd's answers to the reset and to the burst, as far as they were requested; the error of the
/// reset if there is no answer.
type Outcome = Result<(Option<Answer>, Option<Result<Answer, QueryError>>), QueryError>;

/// Whether chronyd has done what was requested, or why it refuses.
type Answer = Result<(), ParseError>;

/// Resets the sources, calls `acknowledged` with the number of the interruption if chronyd has done
/// so, and requests a burst: what the attempt has of these.
async fn send(
    attempt: Attempt,
    path: PathBuf,
    acknowledged: impl FnOnce(u64, RawInstant),
) -> Outcome {
    let mut socket = ChronySocket::bind(&path)?;
    let mut reset = None;
    if let Some(interruption) = attempt.reset {
        let answer = command(&mut socket, Request::ResetSources).await?;
        if answer.is_ok() {
            // chronyd has forgotten outstanding requests before this instant.
            acknowledged(interruption, clocks::monotonic_raw());
        }
        reset = Some(answer);
    }
    let burst = match attempt.burst {
        true => Some(command(&mut socket, BURST).await),
        false => None,
    };
    Ok((reset, burst))
}

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
        self.schedule.interrupted(request.interruption);
        self.proceed(ctx);
    }
}

/// The clock is synchronized again: no more bursts are needed.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct TrustReturned {
    /// The number of the last interruption.
    pub interruption: u64,
}

impl Handler<TrustReturned> for SourceReset {
    type Result = ();

    fn handle(&mut self, trust: TrustReturned, ctx: &mut Self::Context) {
        self.schedule.trusted(trust.interruption);
        self.proceed(ctx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chrony::Status;
    use std::fs;
    use std::os::unix::net::UnixDatagram;
    use std::thread::{self, JoinHandle};

    struct Directory(PathBuf);

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn directory(test: &str) -> Directory {
        let name = format!("clockbound-reset-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a directory");
        Directory(path)
    }

    /// A chronyd that answers two requests, the first of them with `status`.
    fn chronyd(path: PathBuf, status: Status) -> JoinHandle<Vec<Request>> {
        let socket = UnixDatagram::bind(path).expect("a socket");
        thread::spawn(move || {
            let answer = |status| {
                let mut buffer = [0; 1024];
                let (length, client) = socket.recv_from(&mut buffer).expect("a request");
                let (sequence, request) = Request::parse(&buffer[..length]).expect("known");
                let reply = Reply::encode_refusal(request.command(), sequence, status);
                socket.send_to_addr(&reply, &client).expect("sent");
                request
            };
            vec![answer(status), answer(Status::SUCCESS)]
        })
    }

    fn run(path: PathBuf) -> (Outcome, bool) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mut acknowledged = false;
        let attempt = Attempt {
            reset: Some(1),
            burst: true,
        };
        let outcome = runtime.block_on(send(attempt, path, |_, _| acknowledged = true));
        (outcome, acknowledged)
    }

    #[test]
    fn a_reset_is_followed_by_a_burst_and_only_success_is_acknowledged() {
        let directory = directory("burst");
        for (name, status, succeeds) in [
            ("a.sock", Status::SUCCESS, true),
            ("b.sock", Status(3), false),
        ] {
            let path = directory.0.join(name);
            let chronyd = chronyd(path.clone(), status);
            let (outcome, acknowledged) = run(path);
            let (reset, burst) = outcome.expect("answers");
            let is_reset = reset.expect("an answer").is_ok();
            assert_eq!((is_reset, acknowledged), (succeeds, succeeds));
            assert_eq!(burst.expect("a burst").expect("an answer"), Ok(()));
            let requests = chronyd.join().expect("both requests");
            assert_eq!(requests, [Request::ResetSources, BURST]);
        }
    }

    #[test]
    fn without_a_chronyd_nothing_is_acknowledged() {
        let directory = directory("absent");
        let (outcome, acknowledged) = run(directory.0.join("chronyd.sock"));
        let kind = outcome.map_err(|err| err.kind());
        assert_eq!(kind.err(), Some(QueryErrorKind::Absent));
        assert!(!acknowledged);
    }
}
