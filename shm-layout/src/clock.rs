//! The one clock that opening a segment for writing needs.

use nix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC_COARSE` in ns; 0, before every instant, if the kernel does not have it.
pub(crate) fn monotonic_coarse_ns() -> i64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE)
        .map_or(0, |time| time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}
