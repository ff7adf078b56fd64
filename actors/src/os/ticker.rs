//! A periodic timer with one wake-up per tick: a timerfd with `CLOCK_MONOTONIC`.
//!
//! tokio's own timers wake up twice for a delay of 100 ms, once to move the timer to a finer wheel
//! and once for the tick. At ten polls a second the additional wake-up was a quarter of the
//! daemon's CPU time.

use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::unix::AsyncFd;

use super::async_fd::readable;

/// A timer with a fixed interval. Missed ticks are combined into one.
#[derive(Debug)]
pub struct Ticker(AsyncFd<File>);

impl Ticker {
    /// A ticker whose first tick is immediate. Call this in a tokio runtime with IO enabled.
    ///
    /// # Errors
    /// The process or the system has no more descriptors.
    pub fn every(interval: Duration) -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        // Zero would disarm the timer.
        let first = TimeSpec::from_duration(Duration::from_nanos(1));
        let interval = TimeSpec::from_duration(interval.max(Duration::from_nanos(1)));
        timer.set(
            Expiration::IntervalDelayed(first, interval),
            TimerSetTimeFlags::empty(),
        )?;
        Ok(Self(readable(File::from(OwnedFd::from(timer)))?))
    }

    /// Waits for the next tick.
    ///
    /// # Errors
    /// Those of read(2) of a timerfd.
    pub async fn tick(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// Polls for the next tick. The task of the last call is woken.
    ///
    /// # Errors
    /// Those of read(2) of a timerfd.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
            // The number of ticks is ignored.
            if let Ok(ticks) = ready.try_io(|timer| timer.get_ref().read(&mut [0; 8])) {
                // The next tick makes the timer readable again, so another read can be omitted.
                ready.clear_ready();
                return Poll::Ready(ticks.map(drop));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn the_first_tick_is_immediate_and_no_tick_is_early() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let started = Instant::now();
            let mut ticker = Ticker::every(Duration::from_millis(20)).expect("a timer");
            for _ in 0..4 {
                ticker.tick().await.expect("a tick");
            }
            // Ticks are never early. How late they are depends on the load of the machine.
            assert!(
                started.elapsed() >= Duration::from_millis(60),
                "{:?}",
                started.elapsed()
            );
        });
    }
}
