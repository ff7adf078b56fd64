//! The signals: those that request an orderly shutdown, as a channel, and those of the drill.

use std::thread;

use crossbeam_channel::{Receiver, unbounded};
use nix::errno::Errno;
use nix::libc::SI_QUEUE;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};

/// A signal of the drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrillSignal {
    /// SIGUSR1, with the value that sigqueue(3) sent; 0 without one.
    Begin(i32),
    /// SIGUSR2.
    End,
}

/// Blocks SIGTERM, SIGINT, SIGUSR1 and SIGUSR2, and starts a thread that waits for them. It sends
/// the names of the first two, and calls `drill` with the others.
///
/// Call this before any other thread exists: threads inherit the signal mask, and the kernel
/// delivers a signal to any thread that does not block it.
///
/// # Errors
/// The kernel refused the signal mask, a descriptor or the thread.
pub fn receive(
    drill: impl Fn(DrillSignal) + Send + 'static,
) -> std::io::Result<Receiver<&'static str>> {
    let mut wanted = SigSet::empty();
    wanted.add(Signal::SIGTERM);
    wanted.add(Signal::SIGINT);
    wanted.add(Signal::SIGUSR1);
    wanted.add(Signal::SIGUSR2);
    wanted.thread_block()?;
    // sigwait(3) does not tell the value of a signal.
    let received = SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC)?;
    let (sender, receiver) = unbounded();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            loop {
                let info = match received.read_signal() {
                    Ok(Some(info)) => info,
                    Ok(None) | Err(Errno::EINTR) => continue,
                    Err(_) => return,
                };
                match signal_of(&info) {
                    Some(Signal::SIGUSR1) => drill(DrillSignal::Begin(value_of(&info))),
                    Some(Signal::SIGUSR2) => drill(DrillSignal::End),
                    Some(signal) if sender.send(signal.as_str()).is_err() => return,
                    _ => {}
                }
            }
        })?;
    Ok(receiver)
}

fn signal_of(info: &siginfo) -> Option<Signal> {
    let number = i32::try_from(info.ssi_signo).ok()?;
    Signal::try_from(number).ok()
}

/// kill(2) sends no value.
fn value_of(info: &siginfo) -> i32 {
    if info.ssi_code == SI_QUEUE {
        info.ssi_int
    } else {
        0
    }
}
