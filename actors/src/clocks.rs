//! The clocks, read together. Only actors that sample call this.

use nix::time::{ClockId, clock_gettime};

use crate::kernel_clock;
use crate::time::NS_PER_S;

/// All clocks at one instant, as nearly as they can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readings {
    /// `CLOCK_MONOTONIC_COARSE` in ns, read first: the clock of the v1 and v2 layouts.
    pub coarse_ns: i64,
    /// `CLOCK_MONOTONIC_RAW` in ns, which nothing steers.
    pub raw_ns: i64,
    /// `CLOCK_REALTIME` in ns since 1970.
    pub realtime_ns: i64,
    /// How far from `raw_ns` the reading of `realtime_ns` may have been, ns.
    pub gap_ns: i64,
    /// The kernel's frequency adjustment of `CLOCK_REALTIME`, parts per billion; `None` when it was not or cannot be read.
    pub kernel_ppb: Option<i64>,
    /// How long the machine has been suspended since it was booted, ns; the clocks above other than
    /// `CLOCK_REALTIME` stood still then.
    pub suspended_ns: i64,
}

/// Attempts at a tight pair; an interrupt seldom comes twice.
const ATTEMPTS: usize = 3;

/// Attempts at close readings of the clocks that tell a suspend, which is what voids everything.
const SUSPEND_ATTEMPTS: usize = 32;

/// Readings this close are close enough to tell a suspend, ns.
const CLOSE_NS: i64 = 100_000;

impl Readings {
    /// Reads them all.
    #[must_use]
    pub fn now() -> Self {
        let mut now = Self::of_clocks();
        now.kernel_ppb = kernel_clock::frequency_ppb().ok();
        now
    }

    /// Reads all but `kernel_ppb`, for instants at which nothing is published: this takes no system call.
    #[must_use]
    pub fn of_clocks() -> Self {
        let coarse_ns = read_ns(ClockId::CLOCK_MONOTONIC_COARSE);
        let (raw_ns, realtime_ns, gap_ns) = (0..ATTEMPTS)
            .map(|_| {
                let before = read_ns(ClockId::CLOCK_MONOTONIC_RAW);
                let realtime_ns = read_ns(ClockId::CLOCK_REALTIME);
                let after = read_ns(ClockId::CLOCK_MONOTONIC_RAW);
                let gap_ns = (after - before + 1) / 2;
                (before + gap_ns, realtime_ns, gap_ns)
            })
            .min_by_key(|&(_, _, gap_ns)| gap_ns)
            .unwrap_or_default();
        Self {
            coarse_ns,
            raw_ns,
            realtime_ns,
            gap_ns,
            kernel_ppb: None,
            suspended_ns: suspended_ns(),
        }
    }
}

/// `CLOCK_MONOTONIC_RAW` in ns.
#[must_use]
pub fn monotonic_raw_ns() -> i64 {
    read_ns(ClockId::CLOCK_MONOTONIC_RAW)
}

/// How long the machine has been suspended since it was booted, ns.
///
/// A process that does not run between the readings of two clocks would see a suspend of as long: they are read again until
/// they are close together.
#[must_use]
pub fn suspended_ns() -> i64 {
    let (mut closest_ns, mut suspended_ns) = (i64::MAX, 0);
    for _ in 0..SUSPEND_ATTEMPTS {
        let before = read_ns(ClockId::CLOCK_MONOTONIC);
        let boottime = read_ns(ClockId::CLOCK_BOOTTIME);
        let after = read_ns(ClockId::CLOCK_MONOTONIC);
        if after - before < closest_ns {
            closest_ns = after - before;
            suspended_ns = boottime - before.midpoint(after);
        }
        if closest_ns <= CLOSE_NS {
            break;
        }
    }
    suspended_ns
}

fn read_ns(clock: ClockId) -> i64 {
    // Fails only for a clock that the kernel does not have; these are in every Linux since 2.6.39.
    // Zero is before every instant, so nothing that relies on it can look fresh.
    clock_gettime(clock).map_or(0, |time| time.tv_sec() * NS_PER_S + time.tv_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupted_readings_are_no_suspend() {
        // Threads that want the processor interrupt the readings.
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            let readings: Vec<i64> = (0..200_000).map(|_| suspended_ns()).collect();
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            let (least, most) = (readings.iter().min(), readings.iter().max());
            let apart_ns = most.zip(least).map(|(most, least)| most - least);
            assert!(
                apart_ns.is_some_and(|apart_ns| apart_ns < 500_000),
                "{apart_ns:?}"
            );
        });
    }
}
