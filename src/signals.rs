//! The signals that request an orderly shutdown, as a channel.

use std::thread;

use crossbeam_channel::{Receiver, unbounded};
use nix::sys::signal::{SigSet, Signal};

/// Blocks SIGTERM and SIGINT, and starts a thread that waits for them and sends their names.
///
/// Call this before any other thread exists: threads inherit the signal mask, and the kernel
/// delivers a signal to any thread that does not block it.
///
/// # Errors
/// The kernel refused the signal mask or the thread.
pub fn receive_termination() -> std::io::Result<Receiver<&'static str>> {
    let mut wanted = SigSet::empty();
    wanted.add(Signal::SIGTERM);
    wanted.add(Signal::SIGINT);
    wanted.thread_block()?;
    let (sender, receiver) = unbounded();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            while let Ok(signal) = wanted.wait() {
                if sender.send(signal.as_str()).is_err() {
                    return;
                }
            }
        })?;
    Ok(receiver)
}
