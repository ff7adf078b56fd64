//! The clock error bound: arithmetic on whole nanoseconds, every rounding outward.
//!
//! chronyd says: truth lies in `R + c -+ (root_delay / 2 + root_dispersion)`, where R is
//! `CLOCK_REALTIME` and c the signed `current_correction` (c > 0: R is slow). Centred on R that is
//!
//! ```text
//! bound = |c| + root_delay / 2 + root_dispersion + PHC error bound
//! ```

/// Nanoseconds in a second.
pub const NS_PER_S: i64 = 1_000_000_000;

/// A chrony wire float may be less than what was meant by 1.5 x 2^-24 of its value: 25 bits, rounded, the last
/// of them cut off from 0.5 upwards. 2^-22 pays for that, and for the arithmetic below.
const WIRE_FLOAT_ERROR: f64 = 1.0 / (1 << 22) as f64;

/// How far a reader's `CLOCK_MONOTONIC_COARSE` may lag behind, ns: two ticks of the slowest kernel
/// (HZ=100). 7.6 ms were measured at HZ=250, a little under two ticks.
const READ_LAG_NS: i64 = 20_000_000;

/// A non-negative duration from the wire in seconds, as nanoseconds that are certainly not less.
///
/// Saturates at `i64::MAX`; the codec refuses anything near it. NaN and negative values give 0 and
/// are refused by the codec, too.
#[must_use]
pub fn ceil_ns(seconds: f64) -> i64 {
    // `as` saturates and maps NaN to 0.
    (seconds * NS_PER_S as f64 * (1.0 + WIRE_FLOAT_ERROR))
        .ceil()
        .max(0.0) as i64
}

/// A signed offset from the wire in seconds, as the nearest nanosecond; [`correction_slack_ns`] pays for the rounding.
#[must_use]
pub fn signed_ns(seconds: f64) -> i64 {
    (seconds * NS_PER_S as f64).round() as i64
}

/// What [`signed_ns`] may be off by, ns.
#[must_use]
pub fn correction_slack_ns(seconds: f64) -> i64 {
    (seconds.abs() * NS_PER_S as f64 * WIRE_FLOAT_ERROR).ceil() as i64 + 1
}

/// Half the width of the interval around `R + c`, ns: root delay / 2 + root dispersion + PHC error
/// bound, and what the rounding of c costs.
///
/// Source: RFC 5905 section 11.1 (root distance); chrony.conf(5), `maxdistance`.
#[must_use]
pub fn root_distance_ns(
    root_delay_s: f64,
    root_dispersion_s: f64,
    correction_s: f64,
    phc_ns: i64,
) -> i64 {
    ceil_ns(root_delay_s / 2.0)
        .saturating_add(ceil_ns(root_dispersion_s))
        .saturating_add(correction_slack_ns(correction_s))
        .saturating_add(phc_ns.max(0))
}

/// How much an error can grow in `elapsed_ns` at `ppb` parts per billion, ns, rounded up.
#[must_use]
pub fn growth_ns(elapsed_ns: i64, ppb: u32) -> i64 {
    let grown = (i128::from(elapsed_ns.max(0)) * i128::from(ppb) + 999_999_999) / 1_000_000_000;
    i64::try_from(grown).unwrap_or(i64::MAX)
}

/// `ns` scaled by `ppb` parts per billion, rounded down.
#[must_use]
pub fn scaled_ns(ns: i64, ppb: i64) -> i64 {
    let scaled = (i128::from(ns) * i128::from(ppb)).div_euclid(1_000_000_000);
    i64::try_from(scaled).unwrap_or(if scaled < 0 { i64::MIN } else { i64::MAX })
}

/// Parts per million from the wire as parts per billion that are certainly not less in size.
#[must_use]
pub fn ceil_ppb(ppm: f64) -> i64 {
    // `as` saturates and maps NaN to 0.
    (ppm.abs() * 1_000.0 * (1.0 + WIRE_FLOAT_ERROR)).ceil() as i64
}

/// The margin that a bound published for coarse readers carries, ns: their clock may lag by
/// `READ_LAG_NS`, and what the error grows by in that time they do not count.
#[must_use]
pub fn read_margin_ns(max_drift_ppb: u32) -> i64 {
    growth_ns(READ_LAG_NS, max_drift_ppb)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_round_outward() {
        for (seconds, at_least) in [
            (0.0, 0),
            (1e-10, 1),
            (1e-9, 1),
            (1.5e-9, 2),
            (1.0, NS_PER_S),
            (0.005004, 5_004_000),
        ] {
            let ns = ceil_ns(seconds);
            assert!(ns >= at_least, "{seconds} s -> {ns} ns");
            assert!(
                ns <= at_least + 2 + at_least / 1_000_000,
                "{seconds} s -> {ns} ns is needlessly wide"
            );
        }
    }

    #[test]
    fn impossible_durations_neither_panic_nor_go_negative() {
        for seconds in [f64::NAN, f64::NEG_INFINITY, -1.0] {
            assert_eq!(ceil_ns(seconds), 0);
        }
        assert_eq!(ceil_ns(f64::INFINITY), i64::MAX);
        assert_eq!(
            root_distance_ns(f64::MAX, f64::MAX, 0.0, i64::MAX),
            i64::MAX
        );
    }

    #[test]
    fn growth_is_the_drift_times_the_time_rounded_up() {
        for (elapsed, ppb, grown) in [
            (0, 50_000, 0),
            (-5, 50_000, 0),
            (1, 1, 1),
            (NS_PER_S, 50_000, 50_000),
            (1000 * NS_PER_S, 50_000, 50_000_000),
            (NS_PER_S + 1, 50_000, 50_001),
            (i64::MAX, u32::MAX, i64::MAX),
        ] {
            assert_eq!(growth_ns(elapsed, ppb), grown, "{elapsed} ns at {ppb} ppb");
        }
    }

    #[test]
    fn the_margin_pays_for_two_slow_ticks() {
        assert_eq!(read_margin_ns(50_000), 1_000);
    }

    proptest! {
        #[test]
        fn the_bound_is_never_less_than_the_sum_of_its_parts(
            delay in 0.0..10.0f64, dispersion in 0.0..10.0f64, correction in -10.0..10.0f64, phc in 0..1_000_000i64,
        ) {
            // Each part may come from the wire up to 1.5 x 2^-24 too small.
            let wire = 1.0 + 1.5 / f64::from(1 << 24);
            let d = root_distance_ns(delay, dispersion, correction, phc);
            let bound = signed_ns(correction).abs() + d;
            let exact = (correction.abs() + delay / 2.0 + dispersion) * wire * 1e9 + phc as f64;
            prop_assert!(bound as f64 >= exact, "{bound} < {exact}");
            prop_assert!(bound as f64 <= exact * (1.0 + 1e-6) + 8.0, "{bound} is needlessly wider than {exact}");
        }

        #[test]
        fn growth_is_monotonic(a in 0..i64::MAX, b in 0..i64::MAX, ppb in 0..1_000_000_000u32) {
            let (short, long) = (a.min(b), a.max(b));
            prop_assert!(growth_ns(short, ppb) <= growth_ns(long, ppb));
        }
    }
}
