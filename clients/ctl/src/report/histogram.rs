//! Percentiles of many values in little memory.

use std::collections::BTreeMap;

/// Counts of values. A percentile is too large by at most 1.6 %, and never too small.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: BTreeMap<(u32, u64), u64>,
    total: u64,
    largest: u64,
}

/// The leading bits that tell two values apart.
const BITS: u32 = 7;

impl Histogram {
    /// Counts a value; a negative one as 0.
    pub fn add(&mut self, value: i64) {
        let value = u64::try_from(value).unwrap_or(0);
        let shift = (u64::BITS - value.leading_zeros()).saturating_sub(BITS);
        *self.counts.entry((shift, value >> shift)).or_default() += 1;
        self.total += 1;
        self.largest = self.largest.max(value);
    }

    /// The value that this many per mille of the values do not exceed; `None` without values.
    pub fn per_mille(&self, per_mille: u64) -> Option<i64> {
        let wanted = (u128::from(self.total) * u128::from(per_mille)).div_ceil(1000);
        let mut seen = 0;
        for ((shift, leading), count) in &self.counts {
            seen += u128::from(*count);
            if seen >= wanted {
                let end = (leading << shift) | ((1 << shift) - 1);
                return Some(i64::try_from(end.min(self.largest)).unwrap_or(i64::MAX));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_not_too_small_and_at_most_1_6_percent_too_large() {
        let mut histogram = Histogram::default();
        for value in 1..=100_000 {
            histogram.add(value);
        }
        for per_mille in [1, 10, 500, 900, 990, 999] {
            let exact = i64::try_from(per_mille).expect("small") * 100;
            let told = histogram.per_mille(per_mille).expect("has values");
            assert!(
                (exact..=exact + exact / 60).contains(&told),
                "{exact} {told}"
            );
        }
        assert_eq!(histogram.per_mille(1000), Some(100_000));
    }

    #[test]
    fn without_values_there_is_no_percentile() {
        assert_eq!(Histogram::default().per_mille(500), None);
    }

    #[test]
    fn extreme_values_are_counted() {
        let mut histogram = Histogram::default();
        histogram.add(-5);
        histogram.add(i64::MAX);
        assert_eq!(histogram.per_mille(500), Some(0));
        assert_eq!(histogram.per_mille(1000), Some(i64::MAX));
    }
}
