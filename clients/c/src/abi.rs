//! The structs of the header, with the same bytes.

use std::ffi::{CStr, c_char, c_int};
use std::mem::{offset_of, size_of};
use std::ptr;

use clockbound_client::{Interval, Reason, Status};

/// An error.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct clockbound_err {
    /// A value of `clockbound_err_kind`.
    pub kind: c_int,
    /// The value of errno of a failed system call; otherwise 0.
    pub sys_errno: c_int,
    /// A constant string, or null.
    pub detail: *const c_char,
}

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
#[derive(Clone, Copy, Debug, Default)]
pub struct clockbound_interval {
    /// The earliest possible true time, ns of UTC since 1970.
    pub earliest_ns: i64,
    /// The latest possible true time, ns of UTC since 1970.
    pub latest_ns: i64,
    /// A value of `clockbound_clock_status`.
    pub status: c_int,
    /// A value of `clockbound_reason`.
    pub reason: c_int,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<clockbound_err>() == 16);
    assert!(offset_of!(clockbound_err, sys_errno) == 4 && offset_of!(clockbound_err, detail) == 8);
    assert!(size_of::<clockbound_now_result>() == 40);
    assert!(offset_of!(clockbound_now_result, latest) == 16);
    assert!(offset_of!(clockbound_now_result, clock_status) == 32);
    assert!(size_of::<clockbound_interval>() == 24);
    assert!(offset_of!(clockbound_interval, status) == 16);
    assert!(offset_of!(clockbound_interval, reason) == 20);
};

fn timespec((seconds, nanoseconds): (i64, u32)) -> libc::timespec {
    libc::timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds.into(),
    }
}

impl From<&Interval> for clockbound_now_result {
    fn from(interval: &Interval) -> Self {
        Self {
            earliest: timespec(interval.earliest_timespec()),
            latest: timespec(interval.latest_timespec()),
            clock_status: interval.status() as c_int,
        }
    }
}

impl From<&Interval> for clockbound_interval {
    fn from(interval: &Interval) -> Self {
        Self {
            earliest_ns: interval.earliest_ns(),
            latest_ns: interval.latest_ns(),
            status: interval.status() as c_int,
            reason: interval.reason() as c_int,
        }
    }
}

impl clockbound_interval {
    pub(crate) fn is_trusted(&self) -> bool {
        Status::try_from(self.status).is_ok_and(Status::is_trusted)
    }

    pub(crate) fn bound_ns(&self) -> i64 {
        let width = i128::from(self.latest_ns) - i128::from(self.earliest_ns);
        i64::try_from((width + 1) / 2).unwrap_or(i64::MAX)
    }
}

/// Returns the name of a reason as in the daemon's log.
pub(crate) fn reason_name(reason: Reason) -> &'static CStr {
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
}
