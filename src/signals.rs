//! The signals that ask for an orderly end, as a channel.

use std::thread;

use crossbeam_channel::{Receiver, unbounded};
use nix::sys::signal::{SigSet, Signal};

/// Blocks SIGTERM and SIGINT, and sends their names from a thread that waits for them.
///
/// To be called before any other thread exists: threads inherit the mask, and a signal goes to any
/// thread that does not block it.
///
/// # Errors
/// When the mask cannot be set or the thread not started.
pub fn listen() -> std::io::Result<Receiver<&'static str>> {
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
