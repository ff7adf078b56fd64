//! GenerationWatch: detects that the virtual machine was restored from a snapshot, by the uevent
//! of VMGenID.
//!
//! It is independent of the VMClock page. The kernel sends the uevent from Linux 6.8 on, and only
//! to network namespaces of the initial user namespace.

use std::io;
use std::time::Instant;

use actix::prelude::*;
use nix::errno::Errno;
use slog::{Logger, warn};
use tokio::io::unix::AsyncFd;

use super::clock_state::{ClockState, GenerationChanged};
use super::rate_limit::ChangeGate;
use crate::fail_points::fail_point;
use crate::os::async_fd::readable;
use crate::os::uevent::UeventSocket;

/// The parts from which each life of GenerationWatch is built.
pub struct Parts {
    /// Receives the changes.
    pub clock_state: Addr<ClockState>,
    /// The actor's log.
    pub log: Logger,
}

/// The actor that detects a new generation.
pub struct GenerationWatch {
    parts: Parts,
    /// How often messages were lost.
    losses: u64,
    loss_limit: ChangeGate<u64>,
    has_failed: bool,
}

/// What a wait for a message ended with.
enum Received {
    NewGeneration,
    Lost,
    Failed(io::Error),
}

impl GenerationWatch {
    /// A watch that has detected nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            losses: 0,
            loss_limit: ChangeGate::new(0),
            has_failed: false,
        }
    }

    fn listen(&mut self, socket: AsyncFd<UeventSocket>, ctx: &mut Context<Self>) {
        let received = receive(socket).into_actor(self);
        ctx.spawn(received.map(|(received, socket), act, ctx| {
            fail_point!("generation_watch.handler");
            match received {
                Received::NewGeneration => act.parts.clock_state.do_send(GenerationChanged),
                Received::Lost => act.log_loss(),
                Received::Failed(err) => return act.log_failure(&err),
            }
            act.listen(socket, ctx);
        }));
    }

    /// Without the socket, the VMClock page is the only detector.
    fn log_failure(&mut self, err: &io::Error) {
        if !std::mem::replace(&mut self.has_failed, true) {
            warn!(self.parts.log, "failed to listen for vm generation changes"; "err" => %err,
                "advice" => "allow AF_NETLINK, or rely on the vmclock device alone");
        }
    }

    fn log_loss(&mut self) {
        self.losses += 1;
        if self.loss_limit.pass(self.losses, Instant::now()).is_some() {
            warn!(self.parts.log, "kernel events lost, a vm generation change can be among them";
                "alarms" => self.losses);
        }
    }
}

/// Waits for a message that matters.
async fn receive(socket: AsyncFd<UeventSocket>) -> (Received, AsyncFd<UeventSocket>) {
    let received = loop {
        match receive_one(&socket).await {
            Ok(true) => break Received::NewGeneration,
            Ok(false) => {}
            Err(err) if err.raw_os_error() == Some(Errno::ENOBUFS as i32) => break Received::Lost,
            Err(err) => break Received::Failed(err),
        }
    };
    (received, socket)
}

async fn receive_one(socket: &AsyncFd<UeventSocket>) -> io::Result<bool> {
    loop {
        let mut ready = socket.readable().await?;
        if let Ok(received) = ready.try_io(|socket| socket.get_ref().receive()) {
            return received;
        }
    }
}

impl Actor for GenerationWatch {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        fail_point!("generation_watch.started");
        match UeventSocket::open().and_then(readable) {
            Ok(socket) => self.listen(socket, ctx),
            Err(err) => self.log_failure(&err),
        }
    }
}

impl Supervised for GenerationWatch {}
