//! The structs of the header, with the same bytes.

use std::ffi::{CStr, c_char, c_int};
use std::mem::{offset_of, size_of};
use std::ptr;
use std::sync::atomic::{AtomicI64, Ordering};

use clockbound_client::{Interval, Layout, Reason, RecordDetails, Status};

/// An error.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct clockbound_err {
    /// A value of `clockbound_err_kind`.
    pub kind: c_int,
    /// The value of errno of a failed system call, also of the last attempt before a timeout;
    /// otherwise 0.
    pub sys_errno: c_int,
    /// A constant string, or null.
    pub detail: *const c_char,
}

// SAFETY: the string is constant, and nothing writes to an error that is shared.
unsafe impl Sync for clockbound_err {}

impl clockbound_err {
    /// Returns the value for no error.
    pub(crate) const fn none() -> Self {
        Self {
            kind: 0,
            sys_errno: 0,
            detail: ptr::null(),
        }
    }
}

/// The interval as in the headers of the 1.x and 2.x generations.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct clockbound_now_result {
    /// The earliest possible true time, UTC since 1970.
    pub earliest: libc::timespec,
    /// The latest possible true time, UTC since 1970.
    pub latest: libc::timespec,
    /// A value of `clockbound_clock_status`.
    pub clock_status: c_int,
}

/// The interval in ns, with the reason of its status.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct clockbound_interval {
    /// The earliest possible true time, ns of UTC since 1970. `i64::MIN` if it is not trusted.
    pub earliest_ns: i64,
    /// The latest possible true time, ns of UTC since 1970. `i64::MAX` if it is not trusted.
    pub latest_ns: i64,
    /// A value of `clockbound_clock_status`.
    pub status: c_int,
    /// A value of `clockbound_reason`.
    pub reason: c_int,
}

/// The details of a record.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct clockbound_record {
    /// The size of the struct of the calling program, in bytes.
    pub size: usize,
    /// A value of `clockbound_layout`.
    pub layout: c_int,
    /// A value of `clockbound_clock_status`.
    pub status: c_int,
    /// A value of `clockbound_reason`.
    pub reason: c_int,
    /// A value of `clockbound_leap`.
    pub leap: c_int,
    /// The instant of the record, on the clock of the layout, ns; UTC since 1970 in v3.
    pub as_of_ns: i64,
    /// The time since that instant, ns.
    pub age_ns: i64,
    /// The record gives no interval of an earlier instant, ns; 0 if not known.
    pub valid_since_ns: i64,
    /// The longest time between two publications, ns; 0 if not known.
    pub publication_interval_ns: u64,
    /// chronyd's reference id of the source; 0 if not known.
    pub source: u32,
    /// 0. The first version of the struct ends here.
    pub reserved: u32,
    /// The disruption marker, if `disruption_supported`; otherwise 0.
    pub disruption_marker: u64,
    /// Whether the record holds only while the VMClock page has the marker.
    pub disruption_supported: bool,
    /// Whether the host expects a disruption within about a day.
    pub disruption_soon: bool,
    /// Whether the host expects a disruption within about an hour.
    pub disruption_imminent: bool,
    /// Whether the host reports TAI - UTC.
    pub tai_offset_known: bool,
    /// TAI - UTC, s, if `tai_offset_known`; otherwise 0.
    pub tai_offset_s: i32,
    /// Whether a program wrote the record for a test.
    pub is_simulated: bool,
    /// 0.
    pub reserved_too: [u8; 7],
}

const _: () = {
    assert!(size_of::<clockbound_err>() == 16);
    assert!(offset_of!(clockbound_err, sys_errno) == 4 && offset_of!(clockbound_err, detail) == 8);
    assert!(size_of::<clockbound_now_result>() == 40);
    assert!(offset_of!(clockbound_now_result, latest) == 16);
    assert!(offset_of!(clockbound_now_result, clock_status) == 32);
    assert!(size_of::<clockbound_interval>() == 24);
    assert!(offset_of!(clockbound_interval, status) == 16);
    assert!(offset_of!(clockbound_interval, reason) == 20);
    assert!(size_of::<clockbound_record>() == 88);
    assert!(offset_of!(clockbound_record, disruption_marker) == clockbound_record::FIRST_SIZE);
    assert!(offset_of!(clockbound_record, tai_offset_s) == 76);
    assert!(offset_of!(clockbound_record, is_simulated) == 80);
    assert!(offset_of!(clockbound_record, as_of_ns) == 24);
    assert!(offset_of!(clockbound_record, source) == 56);
};

/// The intervals before and after an operation.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct clockbound_timing {
    /// The interval before the operation.
    pub began: clockbound_interval,
    /// The interval after it.
    pub ended: clockbound_interval,
}

impl clockbound_now_result {
    /// Converts an interval. `second` is the second of an earlier one: a division at the end of a
    /// read would take longer than the rest of the arithmetic.
    #[inline(always)]
    pub(crate) fn new(interval: &Interval, second: &AtomicI64) -> Self {
        let known = second.load(Ordering::Relaxed);
        let begin_ns = known.wrapping_mul(NS_PER_S);
        let [earliest_ns, latest_ns] =
            [interval.earliest_ns(), interval.latest_ns()].map(|ns| ns.wrapping_sub(begin_ns));
        let is_within = |ns: i64| (0..NS_PER_S).contains(&ns);
        let (earliest, latest) = if is_within(earliest_ns) && is_within(latest_ns) {
            let at = |tv_nsec| libc::timespec {
                tv_sec: known,
                tv_nsec,
            };
            (at(earliest_ns), at(latest_ns))
        } else {
            let ends = (
                timespec(interval.earliest_ns()),
                timespec(interval.latest_ns()),
            );
            if ends.0.tv_sec != known {
                second.store(ends.0.tv_sec, Ordering::Relaxed);
            }
            ends
        };
        Self {
            earliest,
            latest,
            clock_status: interval.status() as c_int,
        }
    }
}

impl From<&Interval> for clockbound_interval {
    #[inline(always)]
    fn from(interval: &Interval) -> Self {
        let claims = interval.status().is_trusted();
        Self {
            earliest_ns: if claims {
                interval.earliest_ns()
            } else {
                i64::MIN
            },
            latest_ns: if claims {
                interval.latest_ns()
            } else {
                i64::MAX
            },
            status: interval.status() as c_int,
            reason: interval.reason() as c_int,
        }
    }
}

impl clockbound_record {
    /// The size of the first version of the struct, in bytes.
    pub(crate) const FIRST_SIZE: usize = 64;

    pub(crate) fn new(size: usize, details: &RecordDetails) -> Self {
        let publication_ns = details.publication_interval.map(|it| it.as_nanos());
        Self {
            size,
            layout: match details.layout {
                Layout::V1 => 1,
                Layout::V2 => 2,
                Layout::V3 => 3,
                _ => 0,
            },
            status: details.status as c_int,
            reason: details.reason as c_int,
            leap: details.leap.map_or(LEAP_UNTOLD, |leap| leap as c_int),
            as_of_ns: details.as_of_ns,
            age_ns: details.age_ns,
            valid_since_ns: details.valid_since_ns.unwrap_or(0),
            publication_interval_ns: publication_ns
                .map_or(0, |ns| u64::try_from(ns).unwrap_or(u64::MAX)),
            source: details.source.unwrap_or(0),
            reserved: 0,
            disruption_marker: details.disruption_marker.unwrap_or(0),
            disruption_supported: details.disruption_supported,
            disruption_soon: details.disruption_soon,
            disruption_imminent: details.disruption_imminent,
            tai_offset_known: details.tai_offset_s.is_some(),
            tai_offset_s: details.tai_offset_s.unwrap_or(0).into(),
            is_simulated: details.is_simulated,
            reserved_too: [0; 7],
        }
    }
}

/// `CLOCKBOUND_LEAP_UNTOLD`
const LEAP_UNTOLD: c_int = 255;

impl clockbound_interval {
    /// The interval that contains all times.
    pub(crate) const NO_CLAIM: Self = Self {
        earliest_ns: i64::MIN,
        latest_ns: i64::MAX,
        status: Status::Unknown as c_int,
        reason: Reason::Untold as c_int,
    };

    pub(crate) fn is_trusted(&self) -> bool {
        Status::try_from(self.status).is_ok_and(Status::is_trusted)
    }

    pub(crate) fn bound_ns(&self) -> i64 {
        let width = i128::from(self.latest_ns) - i128::from(self.earliest_ns);
        i64::try_from((width + 1) / 2).unwrap_or(i64::MAX)
    }

    /// Returns whether every time of this interval is before every time of `other`. Returns false
    /// unless both are trusted.
    pub(crate) fn is_before(&self, other: &Self) -> bool {
        self.is_trusted() && other.is_trusted() && self.latest_ns < other.earliest_ns
    }

    /// Returns a value of `clockbound_order`.
    pub(crate) fn order(&self, other: &Self) -> c_int {
        if self.is_before(other) {
            BEFORE
        } else if other.is_before(self) {
            AFTER
        } else if self.is_trusted()
            && other.is_trusted()
            && (self.earliest_ns, self.latest_ns) == (other.earliest_ns, other.latest_ns)
        {
            EQUAL
        } else {
            UNORDERED
        }
    }
}

const NS_PER_S: i64 = 1_000_000_000;

const BEFORE: c_int = -1;
const EQUAL: c_int = 0;
const AFTER: c_int = 1;
const UNORDERED: c_int = 2;

/// Converts ns of UTC since 1970.
pub(crate) fn timespec(ns: i64) -> libc::timespec {
    libc::timespec {
        tv_sec: ns.div_euclid(NS_PER_S),
        tv_nsec: ns.rem_euclid(NS_PER_S),
    }
}

/// Converts to ns of UTC since 1970. Saturates at the limits of 64 bits, in 1677 and 2262.
pub(crate) fn ns_of(time: &libc::timespec) -> i64 {
    let ns = i128::from(time.tv_sec) * i128::from(NS_PER_S) + i128::from(time.tv_nsec);
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}

/// Returns the name of a reason as in the daemon's log.
pub(crate) const fn reason_name(reason: Reason) -> &'static CStr {
    match reason {
        Reason::Tracking => c"tracking",
        Reason::NeverSynchronized => c"never_synchronized",
        Reason::Resumed => c"resumed",
        Reason::SlewInFlight => c"slew_in_flight",
        Reason::ChronySilent => c"chrony_silent",
        Reason::ReportRefused => c"report_refused",
        Reason::LeapUnsynchronized => c"leap_unsynchronized",
        Reason::SourceUnreachable => c"source_unreachable",
        Reason::LocalReference => c"local_reference",
        Reason::ClockStepped => c"clock_stepped",
        Reason::PhcUnreadable => c"phc_unreadable",
        Reason::HoldoverExpired => c"holdover_expired",
        Reason::BoundOverCap => c"bound_over_cap",
        Reason::Disrupted => c"disrupted",
        Reason::DaemonSilent => c"daemon_silent",
        Reason::Contradiction => c"contradiction",
        Reason::SourcesDisagree => c"sources_disagree",
        Reason::TooFewSources => c"too_few_sources",
        Reason::PermissionDenied => c"permission_denied",
        Reason::Retired => c"retired",
        Reason::Untold => c"untold",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_names_are_those_of_the_log() {
        for reason in Reason::ALL {
            assert_eq!(reason_name(reason).to_str(), Ok(reason.as_str()));
        }
    }

    #[test]
    fn an_interval_has_the_same_ends_whatever_second_was_read_before() {
        let (width_ns, begin) = (1_000_000, 1_800_000_000);
        for offset_ns in [0, 1, NS_PER_S - width_ns, NS_PER_S - 1, -1, -NS_PER_S] {
            let earliest_ns = begin * NS_PER_S + offset_ns;
            let latest_ns = earliest_ns + width_ns;
            let interval = Interval::new(
                earliest_ns,
                latest_ns,
                Status::Synchronized,
                Reason::Tracking,
            );
            let interval = interval.expect("an interval");
            for second in [0, begin - 1, begin, begin + 1, i64::MIN, i64::MAX] {
                let second = AtomicI64::new(second);
                for _ in 0..2 {
                    let now = clockbound_now_result::new(&interval, &second);
                    assert_eq!(ns_of(&now.earliest), earliest_ns);
                    assert_eq!(ns_of(&now.latest), latest_ns);
                    for end in [now.earliest, now.latest] {
                        assert!((0..NS_PER_S).contains(&end.tv_nsec));
                    }
                }
            }
        }
    }

    #[test]
    fn times_are_converted_to_timespec_and_back() {
        let limits = [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX];
        for ns in limits
            .into_iter()
            .chain(-2_000_000_001..-1_999_999_998)
            .chain(-1..2)
        {
            let time = timespec(ns);
            assert!((0..1_000_000_000).contains(&time.tv_nsec), "{ns}");
            assert_eq!(ns_of(&time), ns);
        }
        for (tv_sec, expected) in [(i64::MAX, i64::MAX), (i64::MIN, i64::MIN)] {
            assert_eq!(ns_of(&libc::timespec { tv_sec, tv_nsec: 0 }), expected);
        }
    }
}
