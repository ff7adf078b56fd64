//! A steady tick that costs one wake-up each: a timerfd, with `CLOCK_MONOTONIC`.
//!
//! tokio's own timers wake up twice for a delay of 100 ms, once to move the timer to a finer wheel
//! and once for the tick; at ten polls a second that was a quarter of the daemon's whole cost.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::unix::AsyncFd;

use super::async_fd::readable;

/// Ticks at a fixed interval. Ticks that were slept through are one tick.
#[derive(Debug)]
pub struct Ticker(AsyncFd<File>);

impl Ticker {
    /// A ticker whose first tick is now. To be called in a tokio runtime with IO enabled.
    ///
    /// # Errors
    /// When the kernel has no more descriptors.
    pub fn every(interval: Duration) -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        // Zero would disarm it.
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
    /// None is known; read(2) of a timerfd could have some.
    pub async fn tick(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            // How many ticks it were does not matter, only that there was one.
            if let Ok(ticks) = ready.try_io(|timer| timer.get_ref().read(&mut [0; 8])) {
                // The next tick makes it readable again: it need not be read in vain first.
                ready.clear_ready();
                return ticks.map(drop);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn ticks_come_at_their_interval_and_the_first_at_once() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let begun = Instant::now();
            let mut ticker = Ticker::every(Duration::from_millis(20)).expect("a timer");
            for _ in 0..4 {
                ticker.tick().await.expect("a tick");
            }
            // Never early; how late is the machine's affair.
            assert!(
                begun.elapsed() >= Duration::from_millis(60),
                "{:?}",
                begun.elapsed()
            );
        });
    }
}
