//! Reads the clocks of the system at one instant.

use nix::time::{ClockId, clock_gettime};

use super::adjtimex;
use crate::time::{CoarseInstant, NS_PER_S, RawInstant, Readings, RealtimeInstant};

/// The number of attempts to read two clocks in quick succession.
const ATTEMPTS: usize = 3;

/// The number of attempts to read the clocks that show a suspend in quick succession. It is large,
/// because a suspend voids the estimate.
const SUSPEND_ATTEMPTS: usize = 32;

/// The maximum time between two readings from which the suspended time is computed, ns.
const CLOSE_NS: i64 = 100_000;

/// Reads all clocks and the kernel's frequency adjustment.
#[must_use]
pub fn read() -> Readings {
    let mut now = read_without_adjtimex();
    now.kernel = adjtimex::frequency().ok();
    now
}

/// Reads all clocks, but not `kernel`, which is required only for a publication. This needs no
/// system call.
#[must_use]
pub fn read_without_adjtimex() -> Readings {
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
    Readings {
        coarse: CoarseInstant::from_ns(coarse_ns),
        raw: RawInstant::from_ns(raw_ns),
        realtime: RealtimeInstant::from_ns(realtime_ns),
        gap_ns,
        kernel: None,
        suspended_ns: suspended_ns(),
    }
}

/// `CLOCK_MONOTONIC_RAW`.
#[must_use]
pub fn monotonic_raw() -> RawInstant {
    RawInstant::from_ns(read_ns(ClockId::CLOCK_MONOTONIC_RAW))
}

/// How long the machine has been suspended since boot, ns.
///
/// If the process is interrupted between the readings of two clocks, their difference would look
/// like a suspend. The clocks are therefore read again until the readings are close together.
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
    // Fails only for unknown clocks; Linux has had these since 2.6.39. Zero is before every
    // instant, so a value based on it is never considered recent.
    clock_gettime(clock).map_or(0, |time| time.tv_sec() * NS_PER_S + time.tv_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupted_readings_are_not_reported_as_a_suspend() {
        // Threads that compete for the processors interrupt the readings.
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
