//! ClockWatch: notices at once when `CLOCK_REALTIME` is set, or the machine resumes from suspend.
//!
//! A timer on `CLOCK_REALTIME` for an instant that never comes, armed with
//! `TFD_TIMER_CANCEL_ON_SET`: the kernel wakes its reader with ECANCELED when the clock is set, by
//! whomever. Source: timerfd_create(2).

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::time::Duration;

use actix::prelude::*;
use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use slog::{Logger, debug, error};
use tokio::io::unix::AsyncFd;

use super::clock_state::{ClockSet, ClockState};
use crate::fail_points::fail_point;
use crate::os::async_fd::readable;

/// An instant that never comes: the year 2262, where 64 bits of nanoseconds end.
const NEVER: Duration = Duration::from_nanos(i64::MAX as u64);

/// How long to wait before asking again for a timer that was not to be had.
const TIMER_RETRY: Duration = Duration::from_secs(1);

/// What ClockWatch is rebuilt from at the beginning of every life.
pub struct Parts {
    /// Who is to know.
    pub clock_state: Addr<ClockState>,
    /// The actor's log.
    pub log: Logger,
}

/// The actor that watches for steps of the clock.
pub struct ClockWatch {
    parts: Parts,
}

impl ClockWatch {
    /// A watch that has seen nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }

    fn begin(&mut self, ctx: &mut Context<Self>) {
        match watch() {
            Ok(timer) => self.wait(timer, ctx),
            Err(err) => self.begin_again(&err, ctx),
        }
    }

    /// ClockState notices steps by itself, a poll later.
    fn begin_again(&mut self, err: &io::Error, ctx: &mut Context<Self>) {
        error!(self.parts.log, "no timer to watch the clock with, trying again"; "err" => %err);
        ctx.run_later(TIMER_RETRY, |act, ctx| act.begin(ctx));
    }

    fn wait(&mut self, timer: AsyncFd<File>, ctx: &mut Context<Self>) {
        let set = async move { until_set(timer).await };
        ctx.spawn(set.into_actor(self).map(|set, act, ctx| {
            fail_point!("clock_watch.handler");
            match set {
                // Armed again before it is told: what happens from here on is another step.
                Ok(()) => act.begin(ctx),
                Err(err) => act.begin_again(&err, ctx),
            }
            act.tell();
        }));
    }

    fn tell(&self) {
        if self.parts.clock_state.try_send(ClockSet).is_err() {
            debug!(
                self.parts.log,
                "clock state is busy, it will notice by itself"
            );
        }
    }
}

fn watch() -> io::Result<AsyncFd<File>> {
    let timer = TimerFd::new(
        ClockId::CLOCK_REALTIME,
        TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC,
    )?;
    let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
    timer.set(Expiration::OneShot(TimeSpec::from_duration(NEVER)), flags)?;
    readable(File::from(OwnedFd::from(timer)))
}

async fn until_set(timer: AsyncFd<File>) -> io::Result<()> {
    loop {
        let mut ready = timer.readable().await?;
        match ready.try_io(|timer| timer.get_ref().read(&mut [0; 8])) {
            Ok(Err(err)) if err.raw_os_error() == Some(Errno::ECANCELED as i32) => return Ok(()),
            Ok(Err(err)) => return Err(err),
            // The end of time, or a wake-up without a reason.
            Ok(Ok(_)) | Err(_) => {}
        }
    }
}

impl Actor for ClockWatch {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        fail_point!("clock_watch.started");
        self.begin(ctx);
    }
}

impl Supervised for ClockWatch {}
