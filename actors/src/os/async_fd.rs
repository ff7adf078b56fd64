//! Waits until a descriptor is readable.
//!
//! tokio's own sockets also wait until they are writable, and a datagram socket becomes writable
//! whenever its peer receives a packet, which would cost another wake-up per request.

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a non-blocking `file`, which the result owns or borrows, in the tokio runtime of this
/// thread.
///
/// # Errors
/// Those of epoll_ctl(2).
pub(crate) fn readable<F: AsRawFd>(file: F) -> io::Result<AsyncFd<F>> {
    #[expect(
        deprecated,
        reason = "its successor is unsafe because a descriptor could be closed; here the result \
                  owns or borrows the file"
    )]
    AsyncFd::with_interest(file, Interest::READABLE)
}
