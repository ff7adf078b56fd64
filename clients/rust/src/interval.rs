//! The interval and the arithmetic that ages it. All functions are pure.

use std::cmp::Ordering;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shm_layout::Disruption;
pub use shm_layout::native::NativeRecord;
use shm_layout::native::UsualCase;
pub use shm_layout::v1::V1Record as Record;
pub use shm_layout::v2::V2Record;
pub use shm_layout::v3::V3Record;
pub use shm_layout::{ClockStatus as Status, Reason};
use thiserror::Error;

use crate::error::Error;

/// The time by which a record can be ahead of the clock without an error, ns.
pub(crate) const BLUR_NS: i64 = 1_000;

const NS_PER_S: i64 = 1_000_000_000;

/// The interval that contains true time while its [`status`](Self::status) is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    earliest_ns: i64,
    latest_ns: i64,
    status: Status,
    reason: Reason,
}

/// The ends of an interval are in the wrong order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the earliest time, {earliest_ns} ns, is after the latest, {latest_ns} ns")]
pub struct InvertedInterval {
    /// The end that is after the other, ns of UTC since 1970.
    pub earliest_ns: i64,
    /// The end that is before the other, ns of UTC since 1970.
    pub latest_ns: i64,
}

impl Interval {
    /// Returns an interval with these ends, ns of UTC since 1970, for tests of a program and for
    /// intervals that were stored or received.
    ///
    /// # Errors
    /// [`InvertedInterval`] if `earliest_ns` is after `latest_ns`.
    pub const fn new(
        earliest_ns: i64,
        latest_ns: i64,
        status: Status,
        reason: Reason,
    ) -> Result<Self, InvertedInterval> {
        if earliest_ns > latest_ns {
            return Err(InvertedInterval {
                earliest_ns,
                latest_ns,
            });
        }
        Ok(Self {
            earliest_ns,
            latest_ns,
            status,
            reason,
        })
    }

    /// Returns the interval with other ends, which are in order.
    pub(crate) fn with_ends(self, earliest_ns: i64, latest_ns: i64) -> Self {
        Self {
            earliest_ns,
            latest_ns,
            ..self
        }
    }

    /// Returns the interval as it is after a disruption of the clock.
    #[inline(always)]
    pub(crate) fn disrupted(self) -> Self {
        Self {
            status: Status::Disrupted,
            reason: Reason::Disrupted,
            ..self
        }
    }

    /// Returns the interval, with status unknown if only the VMClock page shows whether it holds.
    fn without_page(self, disruption: Disruption) -> Self {
        if !disruption.supported {
            return self;
        }
        Self {
            status: Status::Unknown,
            reason: Reason::Disrupted,
            ..self
        }
    }

    /// Returns the interval of a native record at the instant `raw_ns`, before or after the record.
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

    /// Returns the interval of a native record `elapsed_ns` after it, if that is less than
    /// `limit_ns` and the case is the usual one.
    #[inline(always)]
    pub(crate) fn usual(usual: &UsualCase, elapsed_ns: i64, limit_ns: i64) -> Option<Self> {
        let (earliest_ns, latest_ns, reason) = usual.after(elapsed_ns, limit_ns)?;
        Some(Self {
            earliest_ns,
            latest_ns,
            status: Status::Synchronized,
            reason,
        })
    }

    /// Returns the earliest possible true time, ns of UTC since 1970.
    #[inline]
    #[must_use]
    pub fn earliest_ns(&self) -> i64 {
        self.earliest_ns
    }

    /// Returns the latest possible true time, ns of UTC since 1970.
    #[inline]
    #[must_use]
    pub fn latest_ns(&self) -> i64 {
        self.latest_ns
    }

    /// Returns the clock status. The interval contains true time only while it is trusted
    /// ([`Status::is_trusted`]).
    #[inline]
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Returns the reason of the status: [`Reason::Untold`] from v1 and v2, which have no field for
    /// it.
    #[inline]
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Returns the clock error bound of the midpoint: half the width, ns, rounded up.
    #[inline]
    #[must_use]
    pub fn bound_ns(&self) -> i64 {
        let width = i128::from(self.latest_ns) - i128::from(self.earliest_ns);
        i64::try_from((width + 1) / 2).unwrap_or(i64::MAX)
    }

    /// Returns [`bound_ns`](Self::bound_ns) as a [`Duration`].
    #[must_use]
    pub fn bound(&self) -> Duration {
        Duration::from_nanos(self.bound_ns().unsigned_abs())
    }

    /// Returns the middle of the interval, ns of UTC since 1970.
    #[inline]
    #[must_use]
    pub fn midpoint_ns(&self) -> i64 {
        self.earliest_ns.midpoint(self.latest_ns)
    }

    /// Returns [`earliest_ns`](Self::earliest_ns) as a [`SystemTime`].
    #[must_use]
    pub fn earliest(&self) -> SystemTime {
        system_time(self.earliest_ns)
    }

    /// Returns [`latest_ns`](Self::latest_ns) as a [`SystemTime`].
    #[must_use]
    pub fn latest(&self) -> SystemTime {
        system_time(self.latest_ns)
    }

    /// Returns [`midpoint_ns`](Self::midpoint_ns) as a [`SystemTime`].
    #[must_use]
    pub fn midpoint(&self) -> SystemTime {
        system_time(self.midpoint_ns())
    }

    /// Returns [`earliest_ns`](Self::earliest_ns) as seconds and nanoseconds since 1970, as in
    /// `struct timespec`. The nanoseconds are less than 1,000,000,000, also before 1970.
    #[inline]
    #[must_use]
    pub fn earliest_timespec(&self) -> (i64, u32) {
        timespec(self.earliest_ns)
    }

    /// Returns [`latest_ns`](Self::latest_ns) as seconds and nanoseconds since 1970, as
    /// [`earliest_timespec`](Self::earliest_timespec) does.
    #[inline]
    #[must_use]
    pub fn latest_timespec(&self) -> (i64, u32) {
        timespec(self.latest_ns)
    }

    /// Returns whether `t_ns` has certainly passed, ns of UTC since 1970. Returns `false` while the
    /// status is not trusted.
    #[inline]
    #[must_use]
    pub fn is_after_ns(&self, t_ns: i64) -> bool {
        self.status.is_trusted() && t_ns < self.earliest_ns
    }

    /// Returns whether `t_ns` is certainly in the future, ns of UTC since 1970. Returns `false`
    /// while the status is not trusted.
    #[inline]
    #[must_use]
    pub fn is_before_ns(&self, t_ns: i64) -> bool {
        self.status.is_trusted() && self.latest_ns < t_ns
    }

    /// Returns whether `t` has certainly passed (`after` of TrueTime). Returns `false` while the
    /// status is not trusted.
    #[must_use]
    pub fn is_after(&self, t: SystemTime) -> bool {
        self.is_after_ns(ns_since_1970(t))
    }

    /// Returns whether `t` is certainly in the future (`before` of TrueTime). Returns `false` while
    /// the status is not trusted.
    #[must_use]
    pub fn is_before(&self, t: SystemTime) -> bool {
        self.is_before_ns(ns_since_1970(t))
    }
}

/// One interval is less than another if it ends before the other begins and both are trusted.
/// Intervals that overlap are not ordered, because the order of events in them cannot be
/// determined.
///
/// Two identical intervals are `Equal`, whatever their status, because [`PartialOrd`] must agree
/// with [`PartialEq`]. The C and C++ libraries do not order identical intervals that are not
/// trusted.
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

/// The ends in seconds since 1970, the status, and the reason, as in
/// `1800000000.000001000 .. 1800000000.000003000 s, synchronized (tracking)`.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (earliest, latest) = (Decimal(self.earliest_ns), Decimal(self.latest_ns));
        let (status, reason) = (self.status, self.reason);
        write!(f, "{earliest} .. {latest} s, {status} ({reason})")
    }
}

/// A number of ns, printed as seconds with nine decimals.
struct Decimal(i64);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let distance = self.0.unsigned_abs();
        let per_s = NS_PER_S.unsigned_abs();
        write!(f, "{sign}{}.{:09}", distance / per_s, distance % per_s)
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
fn timespec(ns: i64) -> (i64, u32) {
    let nanoseconds = ns.rem_euclid(NS_PER_S);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is from 0 to 999,999,999"
    )]
    (ns.div_euclid(NS_PER_S), nanoseconds as u32)
}

/// Converts to ns of UTC since 1970. Saturates at the limits of 64 bits, in 1677 and 2262.
pub(crate) fn ns_since_1970(t: SystemTime) -> i64 {
    match t.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, i64::wrapping_neg)
        }
    }
}

/// Returns the interval of a v1 record at the instant at which `CLOCK_REALTIME` reads `realtime_ns`
/// and `CLOCK_MONOTONIC_COARSE`, read after it, `monotonic_ns`.
///
/// # Errors
/// [`Error::Causality`] if the record is ahead of `monotonic_ns`.
pub fn interval_at(
    record: &Record,
    realtime_ns: i64,
    monotonic_ns: i64,
) -> Result<Interval, Error> {
    around(record, realtime_ns, monotonic_ns)
        .ok_or_else(|| causality_error(record.as_of_ns, monotonic_ns))
}

/// Like [`interval_at`], for a v2 record. A record with disruption support reads as unknown,
/// because only the VMClock page shows whether the clock was disrupted since.
/// [`Client::now`](crate::Client::now) reads that page.
///
/// # Errors
/// [`Error::Causality`] if the record is ahead of `monotonic_ns`.
pub fn v2_interval_at(
    record: &V2Record,
    realtime_ns: i64,
    monotonic_ns: i64,
) -> Result<Interval, Error> {
    let interval = v2_at(record, realtime_ns, monotonic_ns)?;
    Ok(interval.without_page(record.disruption))
}

/// Returns the interval of a native record at the instant at which `CLOCK_MONOTONIC_RAW` reads
/// `raw_ns`. A record with disruption support reads as unknown, as in [`v2_interval_at`].
///
/// # Errors
/// [`Error::Causality`] if the record is ahead of `raw_ns`.
pub fn native_interval_at(record: &NativeRecord, raw_ns: i64) -> Result<Interval, Error> {
    Ok(native_at(record, raw_ns)?.without_page(record.disruption))
}

/// Returns the interval of a v3 record at the instant at which the counter of the processor reads
/// `counter`. A record with disruption support reads as unknown, as in [`v2_interval_at`].
///
/// # Errors
/// [`Error::Causality`] if the record is ahead of `counter`.
pub fn v3_interval_at(record: &V3Record, counter: u64) -> Result<Interval, Error> {
    Ok(v3_at(record, counter)?.without_page(record.disruption))
}

/// Like [`v2_interval_at`], for a record whose disruption marker the caller compares.
pub(crate) fn v2_at(
    record: &V2Record,
    realtime_ns: i64,
    monotonic_ns: i64,
) -> Result<Interval, Error> {
    interval_at(&record.bound, realtime_ns, monotonic_ns)
}

/// Like [`native_interval_at`], for a record whose disruption marker the caller compares.
pub(crate) fn native_at(record: &NativeRecord, raw_ns: i64) -> Result<Interval, Error> {
    native(record, raw_ns).ok_or_else(|| causality_error(record.as_of_ns, raw_ns))
}

/// Like [`v3_interval_at`], for a record whose disruption marker the caller compares.
pub(crate) fn v3_at(record: &V3Record, counter: u64) -> Result<Interval, Error> {
    v3(record, counter).ok_or_else(|| Error::Causality {
        ahead_ns: record.age_ns(counter).saturating_neg(),
    })
}

fn causality_error(as_of_ns: i64, now_ns: i64) -> Error {
    Error::Causality {
        ahead_ns: as_of_ns.saturating_sub(now_ns),
    }
}

/// Like [`interval_at`], with `None` for an error, whose size would slow down every read.
#[inline(always)]
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

/// Like [`v3_at`], with `None` for an error.
#[inline]
pub(crate) fn v3(record: &V3Record, counter: u64) -> Option<Interval> {
    if record.age_ns(counter) < -BLUR_NS {
        return None;
    }
    let (earliest_ns, latest_ns, status) = record.aged_to(counter);
    let reason = match status {
        status if status == record.status => Reason::Untold,
        Status::FreeRunning => Reason::DaemonSilent,
        _ => Reason::HoldoverExpired,
    };
    Some(Interval {
        earliest_ns,
        latest_ns,
        status,
        reason,
    })
}

/// Like [`native_at`], with `None` for an error.
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
        is_simulated: false,
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
    fn is_after_and_is_before_are_false_unless_certain() {
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
            let time = UNIX_EPOCH + Duration::from_nanos(t.cast_unsigned());
            assert_eq!(
                (trusted.is_after(time), trusted.is_before(time)),
                (after, before)
            );
        }
    }

    #[test]
    fn intervals_are_ordered_if_they_are_disjoint_and_trusted() {
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
    fn all_types_of_an_interval_have_the_same_values() {
        let interval = between(-1_500_000_001, -1_499_999_998, Status::Synchronized);
        assert_eq!(
            (interval.bound_ns(), interval.bound()),
            (2, Duration::from_nanos(2))
        );
        assert_eq!(interval.earliest_timespec(), (-2, 499_999_999));
        assert_eq!(interval.latest_timespec(), (-2, 500_000_002));
        assert_eq!(ns_since_1970(interval.earliest()), interval.earliest_ns());
        assert_eq!(ns_since_1970(interval.midpoint()), interval.midpoint_ns());
    }

    #[test]
    fn an_inverted_interval_is_refused() {
        let (status, reason) = (Status::Synchronized, Reason::Tracking);
        let point = Interval::new(7, 7, status, reason).expect("in order");
        assert_eq!((point.bound_ns(), point.reason()), (0, reason));
        let inverted = Interval::new(8, 7, status, reason).expect_err("not in order");
        assert_eq!((inverted.earliest_ns, inverted.latest_ns), (8, 7));
    }

    #[test]
    fn an_interval_is_displayed_in_seconds_with_its_status() {
        let now = Interval::new(
            -1_500_000_000,
            1_800_000_000 * S + 3_000,
            Status::FreeRunning,
            Reason::ChronySilent,
        );
        assert_eq!(
            now.expect("in order").to_string(),
            "-1.500000000 .. 1800000000.000003000 s, free_running (chrony_silent)"
        );
    }

    #[test]
    fn a_record_ahead_of_the_clock_is_an_error() {
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
        fn no_record_overflows_or_inverts_the_interval(
            as_of_ns: i64, void_after_ns: i64, bound_ns in 0..i64::MAX, max_drift_ppb: u32,
            realtime_ns: i64, monotonic_ns: i64,
        ) {
            let status = Status::Synchronized;
            let record = Record {
                as_of_ns, void_after_ns, bound_ns, max_drift_ppb, status, is_simulated: false,
            };
            if let Ok(interval) = interval_at(&record, realtime_ns, monotonic_ns) {
                let (earliest_ns, latest_ns) = (interval.earliest_ns(), interval.latest_ns());
                prop_assert!(earliest_ns <= realtime_ns && realtime_ns <= latest_ns);
                prop_assert!(interval.bound_ns() >= 0);
                let _ = (interval.earliest(), interval.latest(), interval.midpoint_ns());
            }
        }
    }
}
