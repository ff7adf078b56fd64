//! The signals: those that request an orderly shutdown, as a channel, and those of the disruption
//! drill.

use std::thread;

use crossbeam_channel::{Receiver, unbounded};
use nix::sys::signal::{SigSet, Signal};

/// Blocks SIGTERM, SIGINT, SIGUSR1 and SIGUSR2, and starts a thread that waits for them. It sends
/// the names of the first two, and calls `drill` with true at SIGUSR1 and false at SIGUSR2.
///
/// Call this before any other thread exists: threads inherit the signal mask, and the kernel
/// delivers a signal to any thread that does not block it.
///
/// # Errors
/// The kernel refused the signal mask or the thread.
pub fn receive(drill: impl Fn(bool) + Send + 'static) -> std::io::Result<Receiver<&'static str>> {
    let mut wanted = SigSet::empty();
    wanted.add(Signal::SIGTERM);
    wanted.add(Signal::SIGINT);
    wanted.add(Signal::SIGUSR1);
    wanted.add(Signal::SIGUSR2);
    wanted.thread_block()?;
    let (sender, receiver) = unbounded();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            while let Ok(signal) = wanted.wait() {
                match signal {
                    Signal::SIGUSR1 => drill(true),
                    Signal::SIGUSR2 => drill(false),
                    _ if sender.send(signal.as_str()).is_err() => return,
                    _ => {}
                }
            }
        })?;
    Ok(receiver)
}
