//! Readings of the kernel's clocks.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Reads `clock` in nanoseconds; CLOCK_REALTIME counts from 1970.
///
/// # Panics
/// If the kernel does not have the clock.
pub fn clock_ns(clock: ClockId) -> i64 {
    let time = clock_gettime(clock).expect("the clock exists");
    i64::try_from(Duration::from(time).as_nanos()).expect("before 2262")
}
