//! What the published interval is wide of: named terms, ns, whose sum is half the width.

use std::fmt;

/// The error budget of a published interval, ns. Each term is what it adds to half the width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorBudget {
    /// Half the root delay and the root dispersion that chronyd has for the last measurement (RFC
    /// 5905, root distance).
    pub root_distance_ns: i64,
    /// What chrony's floats on the wire may have lost.
    pub wire_rounding_ns: i64,
    /// The error that may have grown between the measurement and its first report.
    pub sample_age_ns: i64,
    /// What `CLOCK_REALTIME` moved against `CLOCK_MONOTONIC_RAW` meanwhile.
    pub clock_moved_ns: i64,
    /// The time between the readings of the two clocks.
    pub clock_reading_gap_ns: i64,
    /// The error bound of the PTP hardware clock.
    pub phc_ns: i64,
    /// The error that may have grown since the measurement was first reported.
    pub growth_ns: i64,
    /// What earlier measurements and other sources exclude: never positive.
    pub excluded_ns: i64,
    /// Half the width of an interval that an earlier life of the daemon left, while nothing has
    /// been measured since.
    pub resumed_ns: i64,
    /// What is added while measurements or sources contradict each other.
    pub contradiction_ns: i64,
    /// What is added around a leap second.
    pub leap_second_ns: i64,
}

impl ErrorBudget {
    /// The terms with their names.
    #[must_use]
    pub fn terms(&self) -> [(&'static str, i64); 11] {
        [
            ("root_distance", self.root_distance_ns),
            ("wire_rounding", self.wire_rounding_ns),
            ("sample_age", self.sample_age_ns),
            ("clock_moved", self.clock_moved_ns),
            ("clock_reading_gap", self.clock_reading_gap_ns),
            ("phc", self.phc_ns),
            ("growth", self.growth_ns),
            ("excluded", self.excluded_ns),
            ("resumed", self.resumed_ns),
            ("contradiction", self.contradiction_ns),
            ("leap_second", self.leap_second_ns),
        ]
    }

    /// The sum of all terms: half the width.
    #[must_use]
    pub fn total_ns(&self) -> i64 {
        let sum = |sum: i64, (_, ns): (_, i64)| sum.saturating_add(ns);
        self.terms().into_iter().fold(0, sum)
    }
}

impl fmt::Display for ErrorBudget {
    /// The terms that are not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, ns) in self.terms() {
            if ns != 0 {
                write!(f, "{separator}{name} {ns}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_the_terms_that_are_not_zero() {
        let budget = ErrorBudget {
            root_distance_ns: 400,
            growth_ns: 50,
            excluded_ns: -20,
            ..ErrorBudget::default()
        };
        assert_eq!(budget.total_ns(), 430);
        assert_eq!(
            budget.to_string(),
            "root_distance 400, growth 50, excluded -20"
        );
    }
}
