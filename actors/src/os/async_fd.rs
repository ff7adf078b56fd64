//! A descriptor that is waited on for reading only.
//!
//! tokio's own sockets wait for writing, too, and a datagram socket becomes writable each time its
//! peer takes a packet: one more wake-up for each question asked.

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a non-blocking `file`, which the result owns or borrows, in the tokio runtime of this
/// thread.
///
/// # Errors
/// What epoll_ctl(2) says.
pub(crate) fn readable<F: AsRawFd>(file: F) -> io::Result<AsyncFd<F>> {
    #[expect(
        deprecated,
        reason = "its successor is unsafe for the sake of descriptors that get closed; callers hand over the owner or a borrow"
    )]
    AsyncFd::with_interest(file, Interest::READABLE)
}
