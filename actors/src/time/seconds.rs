//! Conversions of floating-point values to whole numbers. Values beyond 64 bits saturate, and NaN
//! becomes 0.

const NS_PER_S: f64 = 1e9;

/// A duration in whole ns, rounded up.
#[must_use]
pub fn ceil_ns(seconds: f64) -> i64 {
    nearest((seconds * NS_PER_S).ceil())
}

/// A signed offset, as the nearest ns.
#[must_use]
pub fn nearest_ns(seconds: f64) -> i64 {
    nearest(seconds * NS_PER_S)
}

/// The nearest whole number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the one place that converts; `as` saturates"
)]
#[must_use]
pub(super) fn nearest(value: f64) -> i64 {
    value.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_round_and_saturate() {
        for (seconds, up_ns, near_ns) in [
            (0.0, 0, 0),
            (1.2e-9, 2, 1),
            (-1.7e-9, -1, -2),
            (1.5, 1_500_000_000, 1_500_000_000),
            (1e300, i64::MAX, i64::MAX),
            (f64::NAN, 0, 0),
        ] {
            assert_eq!(
                (ceil_ns(seconds), nearest_ns(seconds)),
                (up_ns, near_ns),
                "{seconds}"
            );
        }
    }
}
