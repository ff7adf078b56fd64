//! The one internal estimate of true time, and its projection onto each published layout.
//!
//! It stands on `CLOCK_MONOTONIC_RAW`, which nobody sets, slews or steers: once a report has said where truth
//! lies, it goes on from there whatever becomes of `CLOCK_REALTIME`. Layouts that are centred on `CLOCK_REALTIME`
//! are projected anew each round, from where that clock has got to.

use shm_layout::ClockStatus;
use shm_layout::v1::{DRIFT_LIMIT_PPB, NO_CLAIM_BOUND_NS, V1Record};

use crate::bound::{NS_PER_S, growth_ns, read_margin_ns, scaled_ns};
use crate::clocks::Readings;
use crate::status::Reason;

/// What is known of true time, and how that knowledge ages.
///
/// While `status` is trusted: when `CLOCK_MONOTONIC_RAW` showed `raw_ns`, truth lay in
/// `[earliest_ns, latest_ns]`. Truth then advances by `1 + rate_ppb` against that clock, give or take
/// `growth_ppb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The status to publish.
    pub status: ClockStatus,
    /// Why the status is so.
    pub reason: Reason,
    /// The instant of the interval, `CLOCK_MONOTONIC_RAW` in ns.
    pub raw_ns: i64,
    /// The earliest that truth can have been then, ns of UTC since 1970.
    pub earliest_ns: i64,
    /// The latest, likewise.
    pub latest_ns: i64,
    /// The rate of truth against `CLOCK_MONOTONIC_RAW`, less one, parts per billion.
    pub rate_ppb: i64,
    /// How fast each end of the interval moves outward, parts per billion.
    pub growth_ppb: u32,
    /// What `CLOCK_REALTIME` would gain if the kernel did not adjust it, parts per billion: chrony's frequency.
    pub frequency_ppb: i64,
    /// When the last validated report arrived, `CLOCK_MONOTONIC_RAW` in ns: silence is counted from here.
    pub validated_raw_ns: i64,
    /// When nothing is claimed any more, `CLOCK_MONOTONIC_RAW` in ns.
    pub void_after_raw_ns: i64,
    /// The same as the v1 and v2 layouts have it: whole seconds of `CLOCK_MONOTONIC_COARSE`, in ns.
    pub void_after_coarse_ns: i64,
    /// chrony's reference id; 0 for none.
    pub reference_id: u32,
}

impl Estimate {
    /// An estimate that claims nothing.
    #[must_use]
    pub fn unknown(reason: Reason, now: &Readings) -> Self {
        Self {
            status: ClockStatus::Unknown,
            reason,
            raw_ns: now.raw_ns,
            earliest_ns: now.realtime_ns.saturating_sub(NO_CLAIM_BOUND_NS),
            latest_ns: now.realtime_ns.saturating_add(NO_CLAIM_BOUND_NS),
            rate_ppb: 0,
            growth_ppb: 0,
            frequency_ppb: 0,
            validated_raw_ns: now.raw_ns,
            void_after_raw_ns: now.raw_ns,
            void_after_coarse_ns: whole_seconds(now.coarse_ns),
            reference_id: 0,
        }
    }

    /// The estimate behind a v1 record that this daemon published earlier in this boot, as it stands `now`.
    ///
    /// What the record says about `CLOCK_REALTIME` is aged like a reader would. The growth is the larger of the
    /// record's and `max_drift_ppb`.
    #[must_use]
    pub fn resumed(record: &V1Record, max_drift_ppb: u32, now: &Readings) -> Self {
        let growth_ppb = record.max_drift_ppb.max(max_drift_ppb);
        let elapsed_ns = now.coarse_ns.saturating_sub(record.as_of_ns);
        let margin_ns = read_margin_ns(record.max_drift_ppb);
        let half_ns = record.bound_ns.saturating_sub(margin_ns).max(0);
        let half_ns = half_ns
            .saturating_add(growth_ns(elapsed_ns, growth_ppb))
            .saturating_add(now.gap_ns);
        Self {
            status: record.status,
            reason: Reason::Resumed,
            raw_ns: now.raw_ns,
            earliest_ns: now.realtime_ns.saturating_sub(half_ns),
            latest_ns: now.realtime_ns.saturating_add(half_ns),
            rate_ppb: 0,
            growth_ppb,
            frequency_ppb: 0,
            validated_raw_ns: now.raw_ns.saturating_sub(elapsed_ns),
            void_after_raw_ns: now
                .raw_ns
                .saturating_add(record.void_after_ns.saturating_sub(now.coarse_ns)),
            void_after_coarse_ns: record.void_after_ns,
            reference_id: 0,
        }
    }

    /// The interval aged to the instant `raw_ns`, rounded outward.
    #[must_use]
    pub fn aged_to(&self, raw_ns: i64) -> (i64, i64) {
        let elapsed_ns = raw_ns.saturating_sub(self.raw_ns);
        // Backwards, too, the interval only widens: a report may be a little older than the one before.
        let growth_ns = growth_ns(elapsed_ns.saturating_abs(), self.growth_ppb);
        let shift_ns = elapsed_ns.saturating_add(scaled_ns(elapsed_ns, self.rate_ppb));
        let earliest_ns = self
            .earliest_ns
            .saturating_add(shift_ns)
            .saturating_sub(growth_ns);
        // The scaling was rounded down.
        let latest_ns = self
            .latest_ns
            .saturating_add(shift_ns)
            .saturating_add(growth_ns)
            .saturating_add(1);
        (earliest_ns, latest_ns)
    }

    /// The estimate as a v1 record at the instant `at`: centred on `CLOCK_REALTIME`, aged by coarse readers.
    #[must_use]
    pub fn to_v1(&self, at: &Readings) -> V1Record {
        let (earliest_ns, latest_ns) = if at.raw_ns == self.raw_ns {
            (self.earliest_ns, self.latest_ns)
        } else {
            self.aged_to(at.raw_ns)
        };
        let max_drift_ppb = self.realtime_growth_ppb(at.kernel_ppb);
        let below_ns = at.realtime_ns.saturating_sub(earliest_ns);
        let above_ns = latest_ns.saturating_sub(at.realtime_ns);
        let bound_ns = below_ns
            .max(above_ns)
            .saturating_add(read_margin_ns(max_drift_ppb));
        V1Record {
            as_of_ns: at.coarse_ns,
            void_after_ns: self.void_after_coarse_ns,
            bound_ns: bound_ns.clamp(0, NO_CLAIM_BOUND_NS),
            max_drift_ppb,
            status: self.status,
        }
    }

    /// How fast an interval centred on `CLOCK_REALTIME` must grow: while the kernel's adjustment is not what
    /// chrony's frequency asks for (a slew, `chronyd -x`, another time daemon), by the difference, too.
    fn realtime_growth_ppb(&self, kernel_ppb: Option<i64>) -> u32 {
        let mismatch_ppb = kernel_ppb.map_or(0, |kernel_ppb| {
            kernel_ppb.saturating_add(self.frequency_ppb)
        });
        let growth_ppb = i64::from(self.growth_ppb).saturating_add(mismatch_ppb.saturating_abs());
        u32::try_from(growth_ppb)
            .unwrap_or(u32::MAX)
            .min(DRIFT_LIMIT_PPB - 1)
    }
}

/// Rounded down to whole seconds, as `void_after` is in the systems in the field.
#[must_use]
pub fn whole_seconds(ns: i64) -> i64 {
    ns - ns.rem_euclid(NS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bound::signed_ns;
    use proptest::prelude::*;

    const S: i64 = NS_PER_S;

    fn at(ms: i64) -> Readings {
        Readings {
            coarse_ns: 12 * S + ms * 1_000_000,
            raw_ns: 11 * S + ms * 1_000_000,
            realtime_ns: 1_800_000_000 * S + ms * 1_000_000,
            gap_ns: 20,
            kernel_ppb: Some(0),
        }
    }

    /// Truth is `correction_ns` ahead of `CLOCK_REALTIME`, known to 1 us.
    fn estimate(correction_ns: i64) -> Estimate {
        let now = at(0);
        Estimate {
            status: ClockStatus::Synchronized,
            reason: Reason::Tracking,
            raw_ns: now.raw_ns,
            earliest_ns: now.realtime_ns + correction_ns - 1_000,
            latest_ns: now.realtime_ns + correction_ns + 1_000,
            rate_ppb: 0,
            growth_ppb: 50_000,
            frequency_ppb: 0,
            validated_raw_ns: now.raw_ns,
            void_after_raw_ns: now.raw_ns + 1_000 * S,
            void_after_coarse_ns: 1_012 * S,
            reference_id: 0x7f00_0001,
        }
    }

    #[test]
    fn a_fast_and_a_slow_clock_widen_the_v1_bound_alike() {
        for correction in [5_004_000, -5_004_000] {
            assert_eq!(
                estimate(correction).to_v1(&at(0)).bound_ns,
                5_004_000 + 1_000 + 1_000
            );
        }
    }

    #[test]
    fn void_after_is_a_thousand_whole_seconds_on_and_stays_there() {
        for ms in [0, 500, 300_000] {
            assert_eq!(
                estimate(0).to_v1(&at(ms)).void_after_ns,
                1012 * S,
                "after {ms} ms"
            );
        }
    }

    #[test]
    fn a_clock_that_was_set_is_bounded_from_where_it_is_now() {
        let mut stepped = at(1_000);
        stepped.realtime_ns += 200_000_000;
        let bound_ns = estimate(0).to_v1(&stepped).bound_ns;
        assert!((200_051_000..200_054_000).contains(&bound_ns), "{bound_ns}");
    }

    #[test]
    fn a_kernel_that_runs_off_widens_the_growth_of_v1() {
        let slewing = Readings {
            kernel_ppb: Some(-83_333_000),
            ..at(0)
        };
        assert_eq!(estimate(0).to_v1(&slewing).max_drift_ppb, 83_383_000);
        let followed = Estimate {
            frequency_ppb: 20_000,
            ..estimate(0)
        };
        assert_eq!(
            followed
                .to_v1(&Readings {
                    kernel_ppb: Some(-20_000),
                    ..at(0)
                })
                .max_drift_ppb,
            50_000
        );
        assert_eq!(
            followed
                .to_v1(&Readings {
                    kernel_ppb: Some(0),
                    ..at(0)
                })
                .max_drift_ppb,
            70_000
        );
        assert_eq!(
            followed
                .to_v1(&Readings {
                    kernel_ppb: None,
                    ..at(0)
                })
                .max_drift_ppb,
            50_000
        );
        let wild = Readings {
            kernel_ppb: Some(i64::MAX),
            ..at(0)
        };
        assert_eq!(followed.to_v1(&wild).max_drift_ppb, DRIFT_LIMIT_PPB - 1);
    }

    #[test]
    fn resuming_at_once_keeps_status_and_bound() {
        let record = estimate(-7_000).to_v1(&at(0));
        let resumed = Estimate::resumed(&record, 50_000, &at(0)).to_v1(&at(0));
        assert_eq!(
            resumed,
            V1Record {
                bound_ns: record.bound_ns + at(0).gap_ns,
                ..record
            }
        );
    }

    #[test]
    fn resuming_later_is_no_narrower_than_a_reader_would_be() {
        let record = estimate(-7_000).to_v1(&at(0));
        for drift in [1, 50_000, 500_000] {
            let resumed = Estimate::resumed(&record, drift, &at(3_000)).to_v1(&at(3_000));
            assert!(resumed.bound_ns >= record.bound_ns + 150_000, "{drift}");
            assert!(resumed.max_drift_ppb >= record.max_drift_ppb);
            assert_eq!(resumed.void_after_ns, record.void_after_ns);
        }
    }

    #[test]
    fn an_estimate_that_claims_nothing_is_unknown_and_wide() {
        let record = Estimate::unknown(Reason::NeverSynchronized, &at(0)).to_v1(&at(0));
        assert_eq!(
            (record.status, record.bound_ns),
            (ClockStatus::Unknown, NO_CLAIM_BOUND_NS)
        );
    }

    proptest! {
        #[test]
        fn truth_that_keeps_to_the_growth_stays_inside(
            ms in -1_000..2_000_000i64, drift_ppb in -50_000..50_000i64, rate_ppb in -100_000..100_000i64,
            start_ns in -1_000..1_000i64, correction_s in -1.0..1.0f64, step_ns in -10 * S..10 * S,
        ) {
            let correction_ns = signed_ns(correction_s);
            let estimate = Estimate { rate_ppb, ..estimate(correction_ns) };
            let mut now = at(ms);
            now.realtime_ns += step_ns;
            let elapsed = now.raw_ns - estimate.raw_ns;
            let truth = at(0).realtime_ns + correction_ns + start_ns + elapsed
                + ((i128::from(elapsed) * i128::from(rate_ppb + drift_ppb)) / 1_000_000_000) as i64;
            let (earliest, latest) = estimate.aged_to(now.raw_ns);
            prop_assert!((earliest..=latest).contains(&truth), "{truth} not in {earliest}..{latest}");
            let record = estimate.to_v1(&now);
            prop_assert!((truth - now.realtime_ns).abs() <= record.bound_ns);
        }
    }
}
