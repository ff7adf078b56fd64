//! The estimate, projected onto each published layout, and taken back from it by the next life.
//!
//! The native layout has the estimate as it is. Layouts that are centred on `CLOCK_REALTIME` are projected anew each
//! round, from where that clock has got to.

use shm_layout::native::{Leap, NativeRecord};
use shm_layout::v1::{DRIFT_LIMIT_PPB, NO_CLAIM_BOUND_NS, V1Record};
use shm_layout::v2::V2Record;

use crate::bound::{growth_ns, read_margin_ns};
use crate::clocks::Readings;
use crate::estimate::Estimate;
use crate::status::Reason;

/// A synchronized record that was not renewed for this long reads as free running, ns, unless the operator's
/// grace is longer: what the readers of v1 and v2 go by.
pub const STALE_NS: i64 = 5_000_000_000;

/// How long a suspend has to be to be told from the reading of its clocks, ns.
const SUSPEND_NOISE_NS: i64 = 1_000_000;

impl Estimate {
    /// The estimate behind a v1 record of this boot, as it stands `now`, when there is no native one.
    ///
    /// Whether `CLOCK_REALTIME` was set or the machine suspended since, nobody can tell.
    /// What the record says about `CLOCK_REALTIME` is aged like a reader would. The growth is the larger of the
    /// record's and `max_drift_ppb`.
    #[must_use]
    pub fn from_v1(record: &V1Record, max_drift_ppb: u32, now: &Readings) -> Self {
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
            leap: Leap::None,
            reference_id: 0,
        }
    }

    /// The estimate behind a native record of this boot; `None` when the machine was suspended since it was published.
    ///
    /// The growth is the larger of the record's and `max_drift_ppb`.
    #[must_use]
    pub fn from_native(record: &NativeRecord, max_drift_ppb: u32, now: &Readings) -> Option<Self> {
        let suspended_ns = now.suspended_ns.saturating_sub(record.suspended_ns);
        if suspended_ns.saturating_abs() > SUSPEND_NOISE_NS {
            return None;
        }
        let rate_ppb = from_units(record.rate.into());
        let until_void_ns = record.void_after_ns.saturating_sub(now.raw_ns);
        Some(Self {
            status: record.status,
            reason: Reason::Resumed,
            raw_ns: record.as_of_ns,
            earliest_ns: record.earliest_ns,
            latest_ns: record.latest_ns,
            rate_ppb,
            // Both rates were rounded.
            growth_ppb: u32::try_from(from_units(record.growth.into()).saturating_add(2))
                .unwrap_or(u32::MAX)
                .max(max_drift_ppb),
            frequency_ppb: rate_ppb.saturating_neg(),
            validated_raw_ns: record.free_running_after_ns.saturating_sub(STALE_NS),
            void_after_raw_ns: record.void_after_ns,
            void_after_coarse_ns: now.coarse_ns.saturating_add(until_void_ns).max(0),
            leap: record.leap,
            reference_id: record.source,
        })
    }

    /// The estimate as a native record, to be read as free running `stale_ns` after the last report.
    #[must_use]
    pub fn to_native(&self, stale_ns: i64, suspended_ns: i64) -> NativeRecord {
        let growth = to_units(self.growth_ppb.into()).saturating_add(2);
        NativeRecord {
            as_of_ns: self.raw_ns,
            earliest_ns: self.earliest_ns,
            latest_ns: self.latest_ns.max(self.earliest_ns),
            rate: i32::try_from(to_units(self.rate_ppb)).unwrap_or_default(),
            growth: u32::try_from(growth).unwrap_or(u32::MAX),
            free_running_after_ns: self.validated_raw_ns.saturating_add(stale_ns),
            void_after_ns: self.void_after_raw_ns,
            status: self.status,
            reason: self.reason,
            leap: self.leap,
            source: self.reference_id,
            suspended_ns,
            realtime_ns: 0,
        }
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

    /// The estimate as a v2 record, likewise. Nobody watches for disruptions yet.
    #[must_use]
    pub fn to_v2(&self, at: &Readings) -> V2Record {
        self.to_v1(at).into()
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

/// Parts per billion in units of 2^-32, rounded down.
fn to_units(ppb: i64) -> i64 {
    ((i128::from(ppb) << 32).div_euclid(1_000_000_000)) as i64
}

/// Units of 2^-32 in parts per billion, rounded down.
fn from_units(units: i64) -> i64 {
    ((i128::from(units) * 1_000_000_000) >> 32) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bound::{NS_PER_S, signed_ns};
    use crate::status::ClockStatus;
    use proptest::prelude::*;

    const S: i64 = NS_PER_S;

    fn at(ms: i64) -> Readings {
        Readings {
            coarse_ns: 12 * S + ms * 1_000_000,
            raw_ns: 11 * S + ms * 1_000_000,
            realtime_ns: 1_800_000_000 * S + ms * 1_000_000,
            gap_ns: 20,
            kernel_ppb: Some(0),
            suspended_ns: 3 * S,
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
            leap: Leap::None,
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
        let resumed = Estimate::from_v1(&record, 50_000, &at(0)).to_v1(&at(0));
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
            let resumed = Estimate::from_v1(&record, drift, &at(3_000)).to_v1(&at(3_000));
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

    #[test]
    fn the_native_record_has_the_interval_as_it_is_and_is_never_wider_than_v1() {
        for correction in [5_004_000, -5_004_000] {
            let estimate = estimate(correction);
            let native = estimate.to_native(STALE_NS, 3 * S);
            assert_eq!(
                (native.earliest_ns, native.latest_ns, native.as_of_ns),
                (estimate.earliest_ns, estimate.latest_ns, estimate.raw_ns)
            );
            assert_eq!(native.free_running_after_ns, estimate.raw_ns + STALE_NS);
            for ms in [0, 100, 5_000] {
                let now = at(ms);
                let (earliest, latest) = native.aged_to(now.raw_ns);
                assert!(
                    latest - earliest <= 2 * estimate.to_v1(&now).bound_ns,
                    "after {ms} ms"
                );
            }
        }
    }

    #[test]
    fn the_next_life_goes_on_from_the_native_record() {
        let known = estimate(-7_000);
        let record = known.to_native(STALE_NS, 3 * S);
        let resumed = Estimate::from_native(&record, 50_000, &at(3_000)).expect("resumed");
        assert_eq!(
            Estimate {
                growth_ppb: known.growth_ppb,
                ..resumed
            },
            Estimate {
                reason: Reason::Resumed,
                ..known
            }
        );
        assert!((50_000..50_004).contains(&resumed.growth_ppb));
        let unsteady = Estimate::from_native(&record, 80_000, &at(3_000)).expect("resumed");
        assert_eq!(unsteady.growth_ppb, 80_000);
        let slept = Readings {
            suspended_ns: 4 * S,
            ..at(3_000)
        };
        assert_eq!(Estimate::from_native(&record, 50_000, &slept), None);
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
            let native = estimate.to_native(STALE_NS, 0);
            let (earliest, latest) = native.aged_to(now.raw_ns);
            prop_assert!((earliest..=latest).contains(&truth), "{truth} not in {earliest}..{latest} of {native:?}");
            let resumed = Estimate::from_native(&native, 1, &Readings { suspended_ns: 0, ..now }).expect("not suspended");
            let (earliest, latest) = resumed.aged_to(now.raw_ns);
            prop_assert!((earliest..=latest).contains(&truth), "{truth} not in {earliest}..{latest} of {resumed:?}");
        }
    }
}
