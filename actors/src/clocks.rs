//! The clocks, read. Only actors that sample call this.

use nix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC_COARSE` in ns: the clock of the v1 and v2 layouts.
#[must_use]
pub fn monotonic_coarse_ns() -> i64 {
    read_ns(ClockId::CLOCK_MONOTONIC_COARSE)
}

fn read_ns(clock: ClockId) -> i64 {
    // Fails only for a clock that the kernel does not have; this one is in every Linux since 2.6.32.
    // Zero is before every instant, so nothing that relies on it can look fresh.
    clock_gettime(clock).map_or(0, |time| {
        time.tv_sec() * crate::bound::NS_PER_S + time.tv_nsec()
    })
}
