//! Why the clock status is what it is.

use std::fmt;

/// Why the status is what it is. The numbers are the native layout's and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    /// chronyd's reports arrive and are valid.
    Tracking = 0,
    /// No valid report has arrived since boot.
    NeverSynchronized = 1,
    /// An earlier life of the daemon had published this.
    Resumed = 2,
    /// `CLOCK_REALTIME` is being slewed, or chronyd does not discipline it. Written by daemons before 0.2 only.
    SlewInFlight = 3,
    /// chronyd does not answer.
    ChronySilent = 4,
    /// chronyd answers with reports that make no sense.
    ReportRefused = 5,
    /// chronyd says that the clock is not synchronised.
    LeapUnsynchronized = 6,
    /// The selected source has not answered chronyd's last polls, or none is selected.
    SourceUnreachable = 7,
    /// chronyd follows its own clock, or claims an impossible zero distance: no reference at all.
    LocalReference = 8,
    /// The machine was suspended, and chronyd has not measured since. Daemons before 0.2 wrote it after the clock was set, too.
    ClockStepped = 9,
    /// The PTP hardware clock's error bound is missing, unreadable or makes no sense.
    PhcUnreadable = 10,
    /// The last valid report is too old.
    HoldoverExpired = 11,
    /// The bound is wider than the operator's cap.
    BoundOverCap = 12,
    /// The clock was disrupted, and no later report has arrived.
    Disrupted = 13,
    /// The daemon has not written for a while; found out by readers.
    DaemonSilent = 14,
    /// Measurements contradict each other: the interval is the hull of both sides.
    Contradiction = 15,
    /// More than half of the reachable sources contradict the selected one.
    SourcesDisagree = 16,
    /// Fewer sources are reachable than `--falsetickers` needs.
    TooFewSources = 17,
    /// The layout does not tell, or a daemon newer than this library does.
    Untold = 255,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 19] = [
        Self::Tracking,
        Self::NeverSynchronized,
        Self::Resumed,
        Self::SlewInFlight,
        Self::ChronySilent,
        Self::ReportRefused,
        Self::LeapUnsynchronized,
        Self::SourceUnreachable,
        Self::LocalReference,
        Self::ClockStepped,
        Self::PhcUnreadable,
        Self::HoldoverExpired,
        Self::BoundOverCap,
        Self::Disrupted,
        Self::DaemonSilent,
        Self::Contradiction,
        Self::SourcesDisagree,
        Self::TooFewSources,
        Self::Untold,
    ];

    /// The word for logs and tools.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tracking => "tracking",
            Self::NeverSynchronized => "never_synchronized",
            Self::Resumed => "resumed",
            Self::SlewInFlight => "slew_in_flight",
            Self::ChronySilent => "chrony_silent",
            Self::ReportRefused => "report_refused",
            Self::LeapUnsynchronized => "leap_unsynchronized",
            Self::SourceUnreachable => "source_unreachable",
            Self::LocalReference => "local_reference",
            Self::ClockStepped => "clock_stepped",
            Self::PhcUnreadable => "phc_unreadable",
            Self::HoldoverExpired => "holdover_expired",
            Self::BoundOverCap => "bound_over_cap",
            Self::Disrupted => "disrupted",
            Self::DaemonSilent => "daemon_silent",
            Self::Contradiction => "contradiction",
            Self::SourcesDisagree => "sources_disagree",
            Self::TooFewSources => "too_few_sources",
            Self::Untold => "untold",
        }
    }
}

impl From<u8> for Reason {
    /// A number that is not known here is one of a newer daemon.
    #[inline]
    fn from(number: u8) -> Self {
        match number {
            0 => Self::Tracking,
            1 => Self::NeverSynchronized,
            2 => Self::Resumed,
            3 => Self::SlewInFlight,
            4 => Self::ChronySilent,
            5 => Self::ReportRefused,
            6 => Self::LeapUnsynchronized,
            7 => Self::SourceUnreachable,
            8 => Self::LocalReference,
            9 => Self::ClockStepped,
            10 => Self::PhcUnreadable,
            11 => Self::HoldoverExpired,
            12 => Self::BoundOverCap,
            13 => Self::Disrupted,
            14 => Self::DaemonSilent,
            15 => Self::Contradiction,
            16 => Self::SourcesDisagree,
            17 => Self::TooFewSources,
            _ => Self::Untold,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_comes_back_from_its_number_and_new_ones_are_untold() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from(reason as u8), reason);
        }
        assert_eq!(Reason::from(18), Reason::Untold);
    }
}
