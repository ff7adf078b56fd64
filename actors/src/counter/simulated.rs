//! A counter and a `CLOCK_MONOTONIC_RAW` that is computed from it, as the kernel does.

use proptest::prelude::*;

use super::Bracket;
use crate::time::RawInstant;

/// The clock advances by `multiplier / 2^32` ns with each tick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimulatedCounter {
    pub(crate) multiplier: i128,
    /// What the clock shows at tick 0, in units of 2^-32 ns.
    pub(crate) offset: i128,
}

pub(crate) const NS: i128 = 1 << 32;

impl SimulatedCounter {
    /// The clock at this tick, without rounding, in units of 2^-32 ns.
    pub(crate) fn exact(&self, tick: u64) -> i128 {
        self.offset + self.multiplier * i128::from(tick)
    }

    /// What the clock shows, rounded down as in the kernel.
    pub(crate) fn shown(&self, tick: u64) -> RawInstant {
        RawInstant::from_ns(i64::try_from(self.exact(tick).div_euclid(NS)).expect("in range"))
    }

    pub(crate) fn bracket(&self, before: u64, until_read: u64, until_after: u64) -> Bracket {
        Bracket {
            before,
            raw: self.shown(before + until_read),
            after: before + until_read + until_after,
        }
    }

    /// So many ticks last so many ns, rounded down.
    pub(crate) fn ticks(&self, ns: u64) -> u64 {
        u64::try_from(i128::from(ns) * NS / self.multiplier).expect("in range")
    }
}

/// Counters from 1 MHz to 5 GHz.
pub(crate) fn counters() -> impl Strategy<Value = SimulatedCounter> {
    (1_000_000..5_000_000_000_i128, 0..NS * 1_000_000_000_000).prop_map(|(frequency, offset)| {
        SimulatedCounter {
            multiplier: NS * 1_000_000_000 / frequency,
            offset,
        }
    })
}

/// When a bracket is read after the one before, and how long its halves take, ns. Some are
/// preempted.
pub(crate) fn timings() -> impl Strategy<Value = (u64, u64, u64)> {
    let half = || prop_oneof![8 => 0..100_u64, 1 => 0..20_000_000_u64];
    (1_000..2_000_000_000_u64, half(), half())
}

/// Brackets of a counter, from the tick `first` on.
pub(crate) fn brackets(
    counter: &SimulatedCounter,
    first: u64,
    timings: &[(u64, u64, u64)],
) -> Vec<Bracket> {
    let mut tick = first;
    let read = |&(pause_ns, until_read_ns, until_after_ns): &(u64, u64, u64)| {
        tick += counter.ticks(pause_ns);
        let [until_read, until_after] = [until_read_ns, until_after_ns].map(|ns| counter.ticks(ns));
        let bracket = counter.bracket(tick, until_read, until_after);
        tick = bracket.after;
        bracket
    };
    timings.iter().map(read).collect()
}
