//! What time it really is in a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// True time, as an offset from CLOCK_REALTIME that tests choose: positive when our clock is slow.
///
/// Clones share one truth, so the server that tells it and the reader that checks it agree.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    offset_ns: Arc<AtomicI64>,
}

impl Truth {
    /// The clock of this machine is this much behind true time (or ahead, when negative).
    pub fn offset_by_ns(offset_ns: i64) -> Truth {
        let truth = Truth::default();
        truth.set_offset_ns(offset_ns);
        truth
    }

    /// Moves true time.
    pub fn set_offset_ns(&self, offset_ns: i64) {
        self.offset_ns.store(offset_ns, Ordering::Relaxed);
    }

    /// True time now, in nanoseconds since 1970.
    pub fn now_ns(&self) -> i64 {
        clock_ns(ClockId::CLOCK_REALTIME) + self.offset_ns.load(Ordering::Relaxed)
    }
}

/// Reads a clock in nanoseconds.
///
/// # Panics
/// If the kernel does not have it.
pub fn clock_ns(clock: ClockId) -> i64 {
    let time = clock_gettime(clock).expect("the clock exists");
    i64::try_from(Duration::from(time).as_nanos()).expect("before 2262")
}
