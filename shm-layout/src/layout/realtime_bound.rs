//! What the v1 and v2 layouts share: a bound around `CLOCK_REALTIME`, its fields and its ageing.
//!
//! True time is within `bound_ns` of `CLOCK_REALTIME` at `as_of`, an instant of
//! `CLOCK_MONOTONIC_COARSE`. A reader ages the bound by the maximum drift rate from `as_of` to the
//! instant of the read:
//!
//! ```text
//!   bound(t) = bound + ceil((t - as_of) * max_drift)
//!   interval = CLOCK_REALTIME - bound(t) .. CLOCK_REALTIME + bound(t)
//! ```
//! [`growth_ns`], [`RealtimeBound::aged_to`] and [`RealtimeBound::status_at`] are the only
//! implementation of it in this workspace.

use crate::record::scale::scaled_ceil;
use crate::record::{
    ClockStatus, DRIFT_LIMIT_PPB, NO_CLAIM_BOUND_NS, NS_PER_S, Reason, RecordError, STALE_AFTER_NS,
};

use super::header;

/// The magic number of v1 and v2, native endian.
pub(super) const MAGIC: [u32; 2] = [0x414D_5A4E, 0x4342_0200];

/// The offset of the generation, a u16, in v1 and v2: 0 not initialised, odd while a write is in
/// progress.
pub(super) const GENERATION_OFFSET: usize = header::END;

/// The offset of the payload in v1 and v2.
pub(super) const PAYLOAD_OFFSET: usize = GENERATION_OFFSET + 2;

const PPB_PER_ONE: u32 = 1_000_000_000;

/// The record of a v1 segment, and the part of a v2 record with the same meaning. Instants are
/// `CLOCK_MONOTONIC_COARSE` in ns, not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealtimeBound {
    /// The instant for which `bound_ns` holds.
    pub as_of_ns: i64,
    /// The instant from which the record claims nothing.
    pub void_after_ns: i64,
    /// Half the width of the interval around `CLOCK_REALTIME` at `as_of_ns`, not negative.
    pub bound_ns: i64,
    /// The rate at which the bound grows, below [`DRIFT_LIMIT_PPB`].
    pub max_drift_ppb: u32,
    /// The status at `as_of_ns`.
    pub status: ClockStatus,
    /// A program wrote the record for a test: the bound is not that of the clock.
    pub is_simulated: bool,
}

/// The byte that marks a record of a program that simulates a daemon.
pub(super) const SIMULATED: u8 = 1;

impl RealtimeBound {
    /// A record that claims nothing, as of `now_ns`.
    #[must_use]
    pub fn no_claim(now_ns: i64) -> Self {
        Self {
            as_of_ns: now_ns,
            void_after_ns: now_ns,
            bound_ns: NO_CLAIM_BOUND_NS,
            max_drift_ppb: 0,
            status: ClockStatus::Unknown,
            is_simulated: false,
        }
    }

    /// The interval, ns of UTC since 1970, when `CLOCK_REALTIME` shows `realtime_ns` and
    /// `CLOCK_MONOTONIC_COARSE` shows `coarse_ns`, rounded outward. Before `as_of_ns` the bound
    /// does not shrink. Read `CLOCK_REALTIME` first: an interruption between the readings then only
    /// widens the interval.
    #[inline(always)]
    #[must_use]
    pub fn aged_to(&self, realtime_ns: i64, coarse_ns: i64) -> (i64, i64) {
        let growth_ns = growth_ns(self.age_ns(coarse_ns).max(0), self.max_drift_ppb);
        let half_ns = self.bound_ns.saturating_add(growth_ns);
        (
            realtime_ns.saturating_sub(half_ns),
            realtime_ns.saturating_add(half_ns),
        )
    }

    /// The status at the instant `coarse_ns`, with its reason: a record that the writer does not
    /// renew reads as free running after [`STALE_AFTER_NS`], and as unknown from `void_after_ns`.
    #[inline(always)]
    #[must_use]
    pub fn status_at(&self, coarse_ns: i64) -> (ClockStatus, Reason) {
        match self.status {
            ClockStatus::Synchronized | ClockStatus::FreeRunning
                if coarse_ns >= self.void_after_ns =>
            {
                (ClockStatus::Unknown, Reason::HoldoverExpired)
            }
            ClockStatus::Synchronized if self.age_ns(coarse_ns) >= STALE_AFTER_NS => {
                (ClockStatus::FreeRunning, Reason::DaemonSilent)
            }
            status => (status, Reason::Untold),
        }
    }

    /// The age at the instant `coarse_ns`, ns; negative before `as_of_ns`.
    #[inline]
    #[must_use]
    pub fn age_ns(&self, coarse_ns: i64) -> i64 {
        coarse_ns.saturating_sub(self.as_of_ns)
    }
}

/// The growth of a bound in `elapsed_ns`, not negative, at `ppb` parts per billion, ns, rounded up.
#[inline(always)]
#[must_use]
pub fn growth_ns(elapsed_ns: i64, ppb: u32) -> i64 {
    // The usual case: a 64-bit division takes a third of the time of a 128-bit one.
    if elapsed_ns < 1 << 31 {
        let product = elapsed_ns.cast_unsigned() * u64::from(ppb);
        // As `div_ceil`, which computes the remainder, too. The sum fits: the product is below 2^63.
        let rounded = product + u64::from(PPB_PER_ONE - 1);
        return (rounded / u64::from(PPB_PER_ONE)).cast_signed();
    }
    scaled_ceil::<1_000_000_000>(elapsed_ns, ppb.into())
}

/// The associated items of [`Layout`](super::Layout) that v1, v2 and v3 have in common, with the
/// clock of their instants. The module has the constants `VERSION`, `SIZE` and `PAYLOAD_WORDS`.
macro_rules! items_of_a_realtime_layout {
    ($clock:ident) => {
        type Generation = AtomicU16;
        type Words = [u64; PAYLOAD_WORDS];
        type Cells = [AtomicU64; PAYLOAD_WORDS];

        const MAGIC: [u32; 2] = MAGIC;
        const VERSION: u16 = VERSION;
        const SIZE: usize = SIZE;
        const MIN_SIZE: usize = SIZE;
        const RECORD_END: usize = SIZE;
        const CLOCK: ClockId = ClockId::$clock;

        #[inline]
        fn generation(map: &Map) -> &AtomicU16 {
            map.u16_at(GENERATION_OFFSET)
        }

        #[inline]
        fn cells(map: &Map) -> &[AtomicU64] {
            map.words_at::<PAYLOAD_WORDS>(PAYLOAD_OFFSET)
        }
    };
}
pub(super) use items_of_a_realtime_layout;

/// The fields as they are in the payload, before validation. An instant is seconds and nanoseconds.
pub(super) struct Fields {
    pub(super) as_of: [u64; 2],
    pub(super) void_after: [u64; 2],
    pub(super) bound_ns: i64,
    pub(super) max_drift_ppb: u32,
    pub(super) status: i32,
    pub(super) mark: u8,
}

impl Fields {
    /// The record, if every field is valid.
    pub(super) fn decode(&self) -> Result<RealtimeBound, RecordError> {
        check_instant("as_of", self.as_of)?;
        check_instant("void_after", self.void_after)?;
        if !(0..=NO_CLAIM_BOUND_NS).contains(&self.bound_ns) {
            return Err(RecordError::Bound(self.bound_ns));
        }
        if self.max_drift_ppb >= DRIFT_LIMIT_PPB {
            return Err(RecordError::Drift(self.max_drift_ppb));
        }
        ClockStatus::try_from(self.status)?;
        Ok(self.recall())
    }

    /// The record of fields that [`decode`](Self::decode) has accepted before.
    #[inline]
    pub(super) fn recall(&self) -> RealtimeBound {
        RealtimeBound {
            as_of_ns: join(self.as_of),
            void_after_ns: join(self.void_after),
            bound_ns: self.bound_ns,
            max_drift_ppb: self.max_drift_ppb,
            status: ClockStatus::or_unknown(self.status),
            is_simulated: self.mark == SIMULATED,
        }
    }
}

/// The first five words of both payloads: `as_of`, `void_after` and the bound.
pub(super) fn encode_bound(record: &RealtimeBound) -> [u64; 5] {
    let [as_of_s, as_of_ns] = split(record.as_of_ns);
    let [void_s, void_ns] = split(record.void_after_ns);
    [
        as_of_s,
        as_of_ns,
        void_s,
        void_ns,
        record.bound_ns.cast_unsigned(),
    ]
}

fn split(ns: i64) -> [u64; 2] {
    [
        ns.div_euclid(NS_PER_S).cast_unsigned(),
        ns.rem_euclid(NS_PER_S).cast_unsigned(),
    ]
}

#[inline]
fn join([seconds, nanoseconds]: [u64; 2]) -> i64 {
    seconds
        .cast_signed()
        .wrapping_mul(NS_PER_S)
        .wrapping_add(nanoseconds.cast_signed())
}

fn check_instant(field: &'static str, instant: [u64; 2]) -> Result<(), RecordError> {
    let [seconds, nanoseconds] = instant.map(u64::cast_signed);
    let fits = (0..i64::MAX / NS_PER_S).contains(&seconds);
    if fits && (0..NS_PER_S).contains(&nanoseconds) {
        return Ok(());
    }
    Err(RecordError::Instant {
        field,
        seconds,
        nanoseconds,
    })
}

/// A word of two halves, in the order of their addresses.
pub(super) fn word(low: [u8; 4], high: [u8; 4]) -> u64 {
    let [a, b, c, d] = low;
    let [e, f, g, h] = high;
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

pub(super) fn first_half(word: u64) -> [u8; 4] {
    let [a, b, c, d, ..] = word.to_ne_bytes();
    [a, b, c, d]
}

pub(super) fn second_half(word: u64) -> [u8; 4] {
    let [.., a, b, c, d] = word.to_ne_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: i64 = NS_PER_S;
    const REALTIME_NS: i64 = 1_800_000_000 * S;
    const RECORD: RealtimeBound = RealtimeBound {
        as_of_ns: 100 * S,
        void_after_ns: 1_100 * S,
        bound_ns: 10_000,
        max_drift_ppb: 50_000,
        status: ClockStatus::Synchronized,
        is_simulated: false,
    };

    /// Half the width at an instant; the interval is centred on `CLOCK_REALTIME`.
    fn half_ns(record: &RealtimeBound, coarse_ns: i64) -> i64 {
        let (earliest_ns, latest_ns) = record.aged_to(REALTIME_NS, coarse_ns);
        assert_eq!(REALTIME_NS - earliest_ns, latest_ns - REALTIME_NS);
        latest_ns - REALTIME_NS
    }

    #[test]
    fn the_bound_grows_by_the_drift_rate_and_the_status_expires() {
        use ClockStatus::{FreeRunning, Synchronized, Unknown};
        for (age_ns, bound_ns, expected) in [
            (-1, 10_000, (Synchronized, Reason::Untold)),
            (0, 10_000, (Synchronized, Reason::Untold)),
            (1, 10_001, (Synchronized, Reason::Untold)),
            (S, 60_000, (Synchronized, Reason::Untold)),
            (5 * S - 1, 260_000, (Synchronized, Reason::Untold)),
            (5 * S, 260_000, (FreeRunning, Reason::DaemonSilent)),
            (
                1_000 * S - 1,
                50_010_000,
                (FreeRunning, Reason::DaemonSilent),
            ),
            (1_000 * S, 50_010_000, (Unknown, Reason::HoldoverExpired)),
        ] {
            let coarse_ns = RECORD.as_of_ns + age_ns;
            let read = (half_ns(&RECORD, coarse_ns), RECORD.status_at(coarse_ns));
            assert_eq!(read, (bound_ns, expected), "after {age_ns} ns");
        }
    }

    #[test]
    fn a_status_that_is_not_synchronized_does_not_become_stale() {
        use ClockStatus::{Disrupted, FreeRunning, Unknown};
        for (status, coarse_ns, expected) in [
            (FreeRunning, 1_100 * S - 1, (FreeRunning, Reason::Untold)),
            (FreeRunning, 1_100 * S, (Unknown, Reason::HoldoverExpired)),
            (Unknown, 2_000 * S, (Unknown, Reason::Untold)),
            (Disrupted, 2_000 * S, (Disrupted, Reason::Untold)),
        ] {
            let record = RealtimeBound { status, ..RECORD };
            assert_eq!(record.status_at(coarse_ns), expected, "{status}");
        }
    }

    proptest! {
        #[test]
        fn ageing_saturates_and_keeps_the_interval_around_the_clock(
            as_of_ns: i64, void_after_ns: i64, bound_ns in 0..i64::MAX, max_drift_ppb: u32,
            realtime_ns: i64, coarse_ns: i64,
        ) {
            let status = ClockStatus::Synchronized;
            let record = RealtimeBound {
                as_of_ns, void_after_ns, bound_ns, max_drift_ppb, status, is_simulated: false,
            };
            let (earliest_ns, latest_ns) = record.aged_to(realtime_ns, coarse_ns);
            prop_assert!(earliest_ns <= realtime_ns && realtime_ns <= latest_ns);
            let _ = record.status_at(coarse_ns);
        }

        #[test]
        fn the_64_bit_growth_equals_the_128_bit_one(elapsed_ns in 0..1i64 << 31, ppb: u32) {
            let exact = (i128::from(elapsed_ns) * i128::from(ppb) + 999_999_999) / 1_000_000_000;
            prop_assert_eq!(i128::from(growth_ns(elapsed_ns, ppb)), exact);
        }

        #[test]
        fn the_interval_never_shrinks_with_time(
            elapsed_ns in 0..2_000 * S, more_ns in 0..2_000 * S,
        ) {
            let at = |age_ns| half_ns(&RECORD, RECORD.as_of_ns + age_ns);
            prop_assert!(at(elapsed_ns) <= at(elapsed_ns + more_ns));
        }
    }
}
