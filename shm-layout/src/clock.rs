//! The clocks that opening a segment for writing needs.

use nix::time::{ClockId, clock_gettime};

/// A clock in ns; 0, before every instant, if the kernel does not have it.
pub(crate) fn now_ns(clock: ClockId) -> i64 {
    clock_gettime(clock).map_or(0, |time| time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}
