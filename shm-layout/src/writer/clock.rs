//! The clocks of the layouts, read when a segment is opened for writing.

use nix::time::{ClockId, clock_gettime};

use crate::record::NS_PER_S;

/// The time of `clock`, ns; 0, which is before every instant, if the kernel lacks the clock.
pub(super) fn now_ns(clock: ClockId) -> i64 {
    clock_gettime(clock).map_or(0, |time| time.tv_sec() * NS_PER_S + time.tv_nsec())
}
