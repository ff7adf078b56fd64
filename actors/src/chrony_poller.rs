//! ChronyPoller: asks chronyd what it knows, round after round.
//!
//! The socket is non-blocking and the wait is asynchronous: a chronyd that hangs costs this actor
//! its round and nobody else anything.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use actix::prelude::*;
use slog::{Logger, debug, info, warn};

use crate::assessment::PollFailure;
use crate::change_gate::ChangeGate;
use crate::chrony::{ChronySocket, QueryError, QueryErrorKind, Reply, Request, Tracking};
use crate::clock_state::{ChronyPolled, ClockState};
use crate::clocks::monotonic_coarse_ns;
use crate::fault::{Faults, Point};
use crate::supervision::ActorName;

/// How long chronyd may take to answer. A slow answer is as good as a fast one, since its
/// instant is the one before the question; only the socket's queue must not fill.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

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
    trouble: ChangeGate<Option<QueryErrorKind>>,
}

impl ChronyPoller {
    /// A poller that has not asked yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            socket: None,
            trouble: ChangeGate::new(None),
        }
    }

    fn poll(&mut self, ctx: &mut Context<Self>) {
        self.parts
            .faults
            .reach(ActorName::ChronyPoller, Point::Handler);
        let begun = Instant::now();
        let path = self.parts.socket_path.clone();
        let socket = self.socket.take();
        let query = async move {
            let mut socket = match socket {
                Some(socket) => socket,
                None => match ChronySocket::bind(&path) {
                    Ok(socket) => socket,
                    Err(err) => return (None, monotonic_coarse_ns(), Err(err)),
                },
            };
            // Read before the question: a late answer then only makes the bound wider than needed.
            let as_of_ns = monotonic_coarse_ns();
            let reply = socket.query(&Request::Tracking, QUERY_TIMEOUT).await;
            (Some(socket), as_of_ns, reply)
        };
        ctx.spawn(
            query
                .into_actor(self)
                .map(move |(socket, as_of_ns, reply), act, ctx| {
                    act.socket = socket;
                    let outcome = match reply {
                        Ok(Reply::Tracking(tracking)) => Ok(tracking),
                        Ok(other) => Err(QueryError::unexpected(&other)),
                        Err(err) => Err(err),
                    };
                    act.report(outcome, as_of_ns);
                    ctx.run_later(
                        act.parts.poll_interval.saturating_sub(begun.elapsed()),
                        Self::poll,
                    );
                }),
        );
    }

    fn report(&mut self, outcome: Result<Tracking, QueryError>, as_of_ns: i64) {
        self.say(outcome.as_ref().err());
        let outcome = outcome.map_err(|err| match err.kind() {
            QueryErrorKind::Protocol => PollFailure::Refused,
            _ => PollFailure::Silent,
        });
        if self
            .parts
            .clock_state
            .try_send(ChronyPolled { as_of_ns, outcome })
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

impl Actor for ChronyPoller {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.parts
            .faults
            .reach(ActorName::ChronyPoller, Point::Started);
        ctx.run_later(Duration::ZERO, Self::poll);
    }
}

impl Supervised for ChronyPoller {
    fn restarting(&mut self, _ctx: &mut Self::Context) {
        // Dropping it removes its file; the next poll binds a new one.
        self.socket = None;
    }
}
