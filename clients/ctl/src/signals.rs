//! Signals that end a verb which waits: they are received like input.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Signals that are received where the program waits.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Receives these signals from now on, in every thread that is started later, too.
    ///
    /// # Errors
    /// Those of sigprocmask(2) and signalfd(2).
    pub fn block(signals: &[Signal]) -> io::Result<Signals> {
        let mask: SigSet = signals.iter().copied().collect();
        mask.thread_block()?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Signals(SignalFd::with_flags(&mask, flags)?))
    }

    /// The next signal, if one arrives within this time.
    ///
    /// # Errors
    /// Those of poll(2) and read(2).
    pub fn within(&self, time: Duration) -> io::Result<Option<Signal>> {
        wait(&mut [self.poll_fd()], time)?;
        self.next()
    }

    /// The signal that has arrived, if one has.
    ///
    /// # Errors
    /// Those of read(2).
    pub fn next(&self) -> io::Result<Option<Signal>> {
        let info = self.0.read_signal()?;
        Ok(info.and_then(|info| Signal::try_from(i32::try_from(info.ssi_signo).ok()?).ok()))
    }

    /// For poll(2).
    pub fn poll_fd(&self) -> PollFd<'_> {
        PollFd::new(self.0.as_fd(), PollFlags::POLLIN)
    }
}

/// Waits until one of the descriptors can be read, for at most this time.
///
/// # Errors
/// Those of poll(2).
pub fn wait(fds: &mut [PollFd<'_>], time: Duration) -> io::Result<()> {
    // Rounded up: a time below one millisecond would otherwise not be waited for.
    let milliseconds = time.as_micros().div_ceil(1000);
    let timeout =
        u16::try_from(milliseconds).map_or(PollTimeout::from(u16::MAX), PollTimeout::from);
    poll(fds, timeout)?;
    Ok(())
}
