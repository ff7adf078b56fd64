//! ClockWatch: detects at once that `CLOCK_REALTIME` was set, or that the machine resumed from
//! suspend.
//!
//! The actor arms a timer on `CLOCK_REALTIME` with `TFD_TIMER_CANCEL_ON_SET` for an instant in the
//! far future. When any program sets the clock, the kernel wakes the timer's reader with ECANCELED.
//! Source: timerfd_create(2).

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

/// The expiry of the timer: the year 2262, the largest time in 64 bits of nanoseconds.
const NEVER: Duration = Duration::from_nanos(i64::MAX.cast_unsigned());

/// The time after which a timer that the kernel refused is requested again.
const TIMER_RETRY: Duration = Duration::from_secs(1);

/// The parts from which each life of ClockWatch is built.
pub struct Parts {
    /// Receives the steps.
    pub clock_state: Addr<ClockState>,
    /// The actor's log.
    pub log: Logger,
}

/// The actor that detects steps of the clock.
pub struct ClockWatch {
    parts: Parts,
}

impl ClockWatch {
    /// A watch that has detected no step yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }

    fn arm(&mut self, ctx: &mut Context<Self>) {
        match step_timer() {
            Ok(timer) => self.wait(timer, ctx),
            Err(err) => self.retry_later(&err, ctx),
        }
    }

    /// Without a timer, ClockState detects steps at the next poll.
    fn retry_later(&mut self, err: &io::Error, ctx: &mut Context<Self>) {
        error!(self.parts.log, "failed to create the clock step timer, retrying"; "err" => %err);
        ctx.run_later(TIMER_RETRY, |act, ctx| act.arm(ctx));
    }

    fn wait(&mut self, timer: AsyncFd<File>, ctx: &mut Context<Self>) {
        ctx.spawn(wait_until_set(timer).into_actor(self).map(|set, act, ctx| {
            fail_point!("clock_watch.handler");
            match set {
                // The timer is armed before the step is reported, so that no later step is missed.
                Ok(()) => act.arm(ctx),
                Err(err) => act.retry_later(&err, ctx),
            }
            act.report_step();
        }));
    }

    fn report_step(&self) {
        if self.parts.clock_state.try_send(ClockSet).is_err() {
            debug!(
                self.parts.log,
                "mailbox of ClockState is full, step dropped"
            );
        }
    }
}

fn step_timer() -> io::Result<AsyncFd<File>> {
    let timer = TimerFd::new(
        ClockId::CLOCK_REALTIME,
        TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC,
    )?;
    let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
    timer.set(Expiration::OneShot(TimeSpec::from_duration(NEVER)), flags)?;
    readable(File::from(OwnedFd::from(timer)))
}

async fn wait_until_set(timer: AsyncFd<File>) -> io::Result<()> {
    loop {
        let mut ready = timer.readable().await?;
        match ready.try_io(|timer| timer.get_ref().read(&mut [0; 8])) {
            Ok(Err(err)) if err.raw_os_error() == Some(Errno::ECANCELED as i32) => return Ok(()),
            Ok(Err(err)) => return Err(err),
            // The timer expired, or the wake-up was spurious.
            Ok(Ok(_)) | Err(_) => {}
        }
    }
}

impl Actor for ClockWatch {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        fail_point!("clock_watch.started");
        self.arm(ctx);
    }
}

impl Supervised for ClockWatch {}
