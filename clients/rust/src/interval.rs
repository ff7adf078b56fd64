//! The interval, and the arithmetic that ages it: pure.

use std::cmp::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::time::TimeSpec;
pub use shm_layout::native::NativeRecord;
pub use shm_layout::v1::V1Record as Record;
pub use shm_layout::v2::V2Record;
pub use shm_layout::{ClockStatus as Status, Reason};

use crate::error::Error;

/// How far ahead of the clock a record may seem without being from the future, ns.
const BLUR_NS: i64 = 1_000;

/// Where true time lies, while [`status`](Self::status) is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    earliest_ns: i64,
    latest_ns: i64,
    status: Status,
    reason: Reason,
}

impl Interval {
    /// What a native record says of the instant `raw_ns`, before or after it.
    #[inline]
    pub(crate) fn aged(record: &NativeRecord, raw_ns: i64) -> Self {
        let (earliest_ns, latest_ns) = record.aged_to(raw_ns);
        let (status, reason) = record.status_at(raw_ns);
        Self {
            earliest_ns,
            latest_ns,
            status,
            reason,
        }
    }

    /// The earliest that true time can be, in nanoseconds of UTC since 1970.
    #[inline]
    #[must_use]
    pub fn earliest_ns(&self) -> i64 {
        self.earliest_ns
    }

    /// The latest that true time can be, in nanoseconds of UTC since 1970.
    #[inline]
    #[must_use]
    pub fn latest_ns(&self) -> i64 {
        self.latest_ns
    }

    /// Whether the interval may be relied on.
    #[inline]
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Why the status is so; [`Reason::Untold`] from a layout that does not say.
    #[inline]
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Half the width in nanoseconds, rounded up: how wrong the midpoint can be.
    #[inline]
    #[must_use]
    pub fn bound_ns(&self) -> i64 {
        let width = i128::from(self.latest_ns) - i128::from(self.earliest_ns);
        i64::try_from((width + 1) / 2).unwrap_or(i64::MAX)
    }

    /// [`bound_ns`](Self::bound_ns) as the standard library has it.
    #[must_use]
    pub fn bound(&self) -> Duration {
        Duration::from_nanos(self.bound_ns().unsigned_abs())
    }

    /// The middle, in nanoseconds of UTC since 1970.
    #[inline]
    #[must_use]
    pub fn midpoint_ns(&self) -> i64 {
        self.earliest_ns.midpoint(self.latest_ns)
    }

    /// [`earliest_ns`](Self::earliest_ns) as the standard library has it.
    #[must_use]
    pub fn earliest(&self) -> SystemTime {
        system_time(self.earliest_ns)
    }

    /// [`latest_ns`](Self::latest_ns) as the standard library has it.
    #[must_use]
    pub fn latest(&self) -> SystemTime {
        system_time(self.latest_ns)
    }

    /// [`midpoint_ns`](Self::midpoint_ns) as the standard library has it.
    #[must_use]
    pub fn midpoint(&self) -> SystemTime {
        system_time(self.midpoint_ns())
    }

    /// [`earliest_ns`](Self::earliest_ns) as the C library has it.
    #[inline]
    #[must_use]
    pub fn earliest_timespec(&self) -> TimeSpec {
        timespec(self.earliest_ns)
    }

    /// [`latest_ns`](Self::latest_ns) as the C library has it.
    #[inline]
    #[must_use]
    pub fn latest_timespec(&self) -> TimeSpec {
        timespec(self.latest_ns)
    }

    /// Whether `t_ns` has certainly passed, ns of UTC since 1970. Never, while the status is not trusted.
    #[inline]
    #[must_use]
    pub fn is_after_ns(&self, t_ns: i64) -> bool {
        self.status.is_trusted() && t_ns < self.earliest_ns
    }

    /// Whether `t_ns` has certainly not come yet, ns of UTC since 1970. Never, while the status is not trusted.
    #[inline]
    #[must_use]
    pub fn is_before_ns(&self, t_ns: i64) -> bool {
        self.status.is_trusted() && self.latest_ns < t_ns
    }

    /// Whether `t` has certainly passed: TrueTime's `after`. Never, while the status is not trusted.
    #[must_use]
    pub fn is_after(&self, t: SystemTime) -> bool {
        self.is_after_ns(ns_since_1970(t))
    }

    /// Whether `t` has certainly not come yet: TrueTime's `before`. Never, while the status is not trusted.
    #[must_use]
    pub fn is_before(&self, t: SystemTime) -> bool {
        self.is_before_ns(ns_since_1970(t))
    }
}

/// One interval is before another when it ended before that one began, and both are trusted. Intervals that overlap have no
/// order: whether what happened in one came first, nobody can tell.
impl PartialOrd for Interval {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self == other {
            return Some(Ordering::Equal);
        }
        if !(self.status.is_trusted() && other.status.is_trusted()) {
            return None;
        }
        if self.latest_ns < other.earliest_ns {
            Some(Ordering::Less)
        } else if other.latest_ns < self.earliest_ns {
            Some(Ordering::Greater)
        } else {
            None
        }
    }
}

fn system_time(ns: i64) -> SystemTime {
    let distance = Duration::from_nanos(ns.unsigned_abs());
    if ns < 0 {
        UNIX_EPOCH - distance
    } else {
        UNIX_EPOCH + distance
    }
}

#[inline]
fn timespec(ns: i64) -> TimeSpec {
    TimeSpec::new(ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000))
}

/// Saturates where 64 bits end, in 1677 and 2262.
pub(crate) fn ns_since_1970(t: SystemTime) -> i64 {
    match t.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, i64::wrapping_neg)
        }
    }
}

/// The interval that follows from `record` when `CLOCK_REALTIME` shows `realtime_ns` and
/// `CLOCK_MONOTONIC_COARSE`, read after it, `monotonic_ns`.
///
/// # Errors
/// [`Error::Causality`] when the record is from the future.
pub fn interval_at(
    record: &Record,
    realtime_ns: i64,
    monotonic_ns: i64,
) -> Result<Interval, Error> {
    around(record, realtime_ns, monotonic_ns)
        .ok_or_else(|| from_the_future(record.as_of_ns, monotonic_ns))
}

/// As [`interval_at`], from a v2 record. One that tells of disruptions claims nothing: whether there was one only
/// the virtual machine's device knows, which is not read yet.
///
/// # Errors
/// As [`interval_at`].
pub fn v2_interval_at(
    record: &V2Record,
    realtime_ns: i64,
    monotonic_ns: i64,
) -> Result<Interval, Error> {
    let interval = interval_at(&record.bound, realtime_ns, monotonic_ns)?;
    Ok(if record.disruption_supported {
        Interval {
            status: Status::Unknown,
            reason: Reason::Disrupted,
            ..interval
        }
    } else {
        interval
    })
}

/// The interval that follows from a native `record` when `CLOCK_MONOTONIC_RAW` shows `raw_ns`.
///
/// # Errors
/// [`Error::Causality`] when the record is from the future.
pub fn native_interval_at(record: &NativeRecord, raw_ns: i64) -> Result<Interval, Error> {
    native(record, raw_ns).ok_or_else(|| from_the_future(record.as_of_ns, raw_ns))
}

fn from_the_future(as_of_ns: i64, now_ns: i64) -> Error {
    Error::Causality {
        ahead_ns: as_of_ns.saturating_sub(now_ns),
    }
}

/// As [`interval_at`]; `None` from the future. An error's size would slow down every read.
#[inline]
pub(crate) fn around(record: &Record, realtime_ns: i64, monotonic_ns: i64) -> Option<Interval> {
    if record.age_ns(monotonic_ns) < -BLUR_NS {
        return None;
    }
    let (earliest_ns, latest_ns) = record.aged_to(realtime_ns, monotonic_ns);
    let (status, reason) = record.status_at(monotonic_ns);
    Some(Interval {
        earliest_ns,
        latest_ns,
        status,
        reason,
    })
}

/// As [`native_interval_at`]; `None` from the future.
#[inline]
pub(crate) fn native(record: &NativeRecord, raw_ns: i64) -> Option<Interval> {
    let elapsed_ns = raw_ns.wrapping_sub(record.as_of_ns);
    (elapsed_ns >= -BLUR_NS).then(|| Interval::aged(record, raw_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: i64 = 1_000_000_000;
    const REALTIME: i64 = 1_800_000_000 * S;
    const RECORD: Record = Record {
        as_of_ns: 100 * S,
        void_after_ns: 1_100 * S,
        bound_ns: 10_000,
        max_drift_ppb: 50_000,
        status: Status::Synchronized,
    };

    fn between(earliest_ns: i64, latest_ns: i64, status: Status) -> Interval {
        Interval {
            earliest_ns,
            latest_ns,
            status,
            reason: Reason::Untold,
        }
    }

    #[test]
    fn after_and_before_are_certain_or_not_said() {
        let trusted = between(100, 200, Status::FreeRunning);
        let unknown = between(100, 200, Status::Unknown);
        for (t, after, before) in [
            (99, true, false),
            (100, false, false),
            (200, false, false),
            (201, false, true),
        ] {
            assert_eq!(
                (trusted.is_after_ns(t), trusted.is_before_ns(t)),
                (after, before)
            );
            assert!(!unknown.is_after_ns(t) && !unknown.is_before_ns(t));
            let time = UNIX_EPOCH + Duration::from_nanos(t as u64);
            assert_eq!(
                (trusted.is_after(time), trusted.is_before(time)),
                (after, before)
            );
        }
    }

    #[test]
    fn intervals_are_in_order_when_they_do_not_overlap_and_both_are_trusted() {
        let first = between(100, 200, Status::Synchronized);
        let second = between(201, 300, Status::FreeRunning);
        assert!(first < second);
        assert!(second > first);
        assert_eq!(
            first.partial_cmp(&between(200, 300, Status::Synchronized)),
            None
        );
        assert_eq!(first.partial_cmp(&first), Some(Ordering::Equal));
        assert_eq!(first.partial_cmp(&between(201, 300, Status::Unknown)), None);
    }

    #[test]
    fn an_interval_is_told_in_all_forms_alike() {
        let interval = between(-1_500_000_001, -1_499_999_998, Status::Synchronized);
        assert_eq!(
            (interval.bound_ns(), interval.bound()),
            (2, Duration::from_nanos(2))
        );
        let earliest = interval.earliest_timespec();
        assert_eq!((earliest.tv_sec(), earliest.tv_nsec()), (-2, 499_999_999));
        assert_eq!(ns_since_1970(interval.earliest()), interval.earliest_ns());
        assert_eq!(ns_since_1970(interval.midpoint()), interval.midpoint_ns());
        assert_eq!(interval.latest_timespec().tv_nsec(), 500_000_002);
    }

    #[test]
    fn a_record_from_the_future_is_an_error() {
        let blurred = interval_at(&RECORD, REALTIME, RECORD.as_of_ns - BLUR_NS);
        assert_eq!(blurred.map(|it| it.bound_ns()).ok(), Some(RECORD.bound_ns));
        let early = interval_at(&RECORD, REALTIME, RECORD.as_of_ns - BLUR_NS - 1);
        assert!(
            matches!(early, Err(Error::Causality { ahead_ns: 1_001 })),
            "{early:?}"
        );
    }

    proptest! {
        #[test]
        fn no_numbers_wrap_or_turn_the_interval_around(
            as_of_ns: i64, void_after_ns: i64, bound_ns in 0..i64::MAX, max_drift_ppb: u32,
            realtime_ns: i64, monotonic_ns: i64,
        ) {
            let record = Record { as_of_ns, void_after_ns, bound_ns, max_drift_ppb, status: Status::Synchronized };
            if let Ok(interval) = interval_at(&record, realtime_ns, monotonic_ns) {
                prop_assert!(interval.earliest_ns() <= realtime_ns && realtime_ns <= interval.latest_ns());
                prop_assert!(interval.bound_ns() >= 0);
                let _ = (interval.earliest(), interval.latest(), interval.midpoint_ns());
            }
        }
    }
}
