//! The arithmetic with which intervals age: a time multiplied by a rate, rounded outward. The layouts
//! and the daemon's estimator have rates in different units, and share it.

/// Returns `ns` times `rate` units of 1 / `UNIT`, rounded down and saturated.
#[must_use]
pub fn scaled_floor<const UNIT: i128>(ns: i64, rate: i64) -> i64 {
    saturated((i128::from(ns) * i128::from(rate)).div_euclid(UNIT))
}

/// Returns `ns` times `rate` units of 1 / `UNIT`, rounded up and saturated.
#[must_use]
pub fn scaled_ceil<const UNIT: i128>(ns: i64, rate: i64) -> i64 {
    saturated(-(-i128::from(ns) * i128::from(rate)).div_euclid(UNIT))
}

/// Returns the nearest number of 64 bits.
#[must_use]
pub fn saturated(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn products_round_outward_and_saturate() {
        const MILLI: i128 = 1_000;
        for (ns, rate, floor, ceil) in [
            (1, 1, 0, 1),
            (1, -1, -1, 0),
            (-1, 1, -1, 0),
            (-1, -1, 0, 1),
            (3_000, 2, 6, 6),
            (0, i64::MAX, 0, 0),
            (i64::MAX, i64::MAX, i64::MAX, i64::MAX),
            (i64::MIN, i64::MAX, i64::MIN, i64::MIN),
        ] {
            let scaled = (
                scaled_floor::<MILLI>(ns, rate),
                scaled_ceil::<MILLI>(ns, rate),
            );
            assert_eq!(scaled, (floor, ceil), "{ns} * {rate}");
        }
    }

    proptest! {
        #[test]
        fn the_product_is_between_its_roundings(ns: i32, rate: i32) {
            const UNIT: i128 = 1 << 32;
            let (floor, ceil) = (
                scaled_floor::<UNIT>(ns.into(), rate.into()),
                scaled_ceil::<UNIT>(ns.into(), rate.into()),
            );
            let product = i128::from(ns) * i128::from(rate);
            prop_assert!(i128::from(floor) * UNIT <= product);
            prop_assert!(product <= i128::from(ceil) * UNIT);
            prop_assert!(ceil - floor <= 1);
        }
    }
}
