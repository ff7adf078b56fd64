//! Readings of the clocks, as data.

use super::instant::{CoarseInstant, RawInstant, RealtimeInstant};
use super::rate::Rate;

/// A shorter suspend cannot be distinguished from the time between the readings of two clocks, ns.
pub const SUSPEND_NOISE_NS: i64 = 1_000_000;

/// All clocks at one instant, as nearly as they can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readings {
    /// `CLOCK_MONOTONIC_COARSE`, read first: the clock of the v1 and v2 layouts.
    pub coarse: CoarseInstant,
    /// `CLOCK_MONOTONIC_RAW`, which no program steers.
    pub raw: RawInstant,
    /// `CLOCK_REALTIME`.
    pub realtime: RealtimeInstant,
    /// How far from `raw` the reading of `realtime` may have been, ns.
    pub gap_ns: i64,
    /// The kernel's frequency adjustment of `CLOCK_REALTIME`; `None` when it was not or cannot be
    /// read.
    pub kernel: Option<Rate>,
    /// How long the machine has been suspended since it was booted, ns; the clocks above other than
    /// `CLOCK_REALTIME` stood still then.
    pub suspended_ns: i64,
}

impl Readings {
    /// By how much `CLOCK_REALTIME` is ahead of `CLOCK_MONOTONIC_RAW`, ns.
    #[must_use]
    pub fn ahead_ns(&self) -> i64 {
        self.realtime.as_ns().saturating_sub(self.raw.as_ns())
    }
}
