//! Whether chronyd's frequency is the oscillator's.
//!
//! A frequency that was measured while the clock was set, or ran off, is no frequency of the oscillator, however sure
//! chronyd is of it. The oscillator has not changed: its frequency from before still counts, beside what chronyd
//! reports, until chronyd has come back to it for good.

use crate::interpretation::FREQUENCY_TOLERANCE_PPB;

/// chronyd has come back when so many measurements in a row agree: as many as its reachability register holds.
const AGREEING: u32 = 8;

/// The oscillator's frequency and the doubt about it, parts per billion.
pub type Frequency = (i64, u32);

/// The frequency that chronyd had when nothing disturbed the clock.
#[derive(Clone, Debug, Default)]
pub struct Steadiness {
    before: Option<Frequency>,
    disturbed: bool,
    /// The last measurement that was looked at, and how many in a row agreed.
    ref_time_ns: i64,
    agreeing: u32,
}

impl Steadiness {
    /// The clock was set, or runs off.
    pub fn disturb(&mut self) {
        self.disturbed = true;
        self.agreeing = 0;
    }

    /// What to believe when chronyd `reported` this of its measurement at `ref_time_ns`.
    pub fn believe(
        &mut self,
        reported: Frequency,
        ref_time_ns: i64,
        max_drift_ppb: u32,
    ) -> Frequency {
        let known = self
            .before
            .filter(|before| before.1 < FREQUENCY_TOLERANCE_PPB);
        let Some(before) = known.filter(|_| self.disturbed) else {
            // A chronyd that has only begun sets the clock itself, and knows what it did.
            self.disturbed = false;
            self.before = Some(reported);
            return reported;
        };
        let apart_ppb = u32::try_from(before.0.abs_diff(reported.0)).unwrap_or(u32::MAX);
        let near_ppb = before.1.saturating_add(max_drift_ppb);
        if ref_time_ns != self.ref_time_ns {
            let agrees = apart_ppb <= near_ppb && reported.1 <= near_ppb;
            self.agreeing = if agrees { self.agreeing + 1 } else { 0 };
            self.ref_time_ns = ref_time_ns;
        }
        if self.agreeing >= AGREEING {
            *self = Self::default();
            self.before = Some(reported);
            return reported;
        }
        (before.0, before.1.max(reported.1.saturating_add(apart_ppb)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_DRIFT_PPB: u32 = 50_000;
    const STEADY: Frequency = (-300, 60_000);
    const WILD: Frequency = (400_000, 51_000);

    fn disturbed() -> Steadiness {
        let mut steadiness = Steadiness::default();
        assert_eq!(steadiness.believe(STEADY, 0, MAX_DRIFT_PPB), STEADY);
        steadiness.disturb();
        steadiness
    }

    #[test]
    fn an_undisturbed_clock_has_the_frequency_that_chronyd_reports() {
        let mut steadiness = Steadiness::default();
        for (n, reported) in [STEADY, WILD, STEADY].into_iter().enumerate() {
            assert_eq!(
                steadiness.believe(reported, n as i64, MAX_DRIFT_PPB),
                reported
            );
        }
    }

    #[test]
    fn after_a_disturbance_both_count() {
        let mut steadiness = disturbed();
        assert_eq!(
            steadiness.believe(WILD, 1, MAX_DRIFT_PPB),
            (-300, 400_300 + 51_000)
        );
        assert_eq!(steadiness.believe(STEADY, 2, MAX_DRIFT_PPB), STEADY);
    }

    #[test]
    fn before_any_frequency_was_known_there_is_nothing_to_come_back_to() {
        let mut steadiness = Steadiness::default();
        steadiness.believe((0, 550_000), 0, MAX_DRIFT_PPB);
        steadiness.disturb();
        for (n, reported) in [STEADY, WILD].into_iter().enumerate() {
            assert_eq!(
                steadiness.believe(reported, n as i64, MAX_DRIFT_PPB),
                reported
            );
        }
    }

    #[test]
    fn it_takes_a_row_of_measurements_that_agree_to_come_back() {
        let mut steadiness = disturbed();
        let new = (1_000, 55_000);
        for n in 1..i64::from(AGREEING) {
            // The same measurement counts once, however often it is reported.
            for _ in 0..3 {
                assert_eq!(steadiness.believe(new, n, MAX_DRIFT_PPB), (-300, 60_000));
            }
        }
        assert_eq!(steadiness.believe(new, 100, MAX_DRIFT_PPB), new);
        assert_eq!(steadiness.believe(WILD, 101, MAX_DRIFT_PPB), WILD);
    }

    #[test]
    fn one_that_does_not_agree_or_doubts_begins_the_row_anew() {
        for interruption in [WILD, (-300, 500_000)] {
            let mut steadiness = disturbed();
            for n in 1..100 {
                let reported = if n % 7 == 0 { interruption } else { STEADY };
                let believed = steadiness.believe(reported, n, MAX_DRIFT_PPB);
                assert_eq!(believed.0, STEADY.0);
            }
        }
    }
}
