//! The reason for the clock status.

use std::fmt;

/// The reason for the clock status. The numbers are those of the native layout and never change
/// their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    /// chronyd's reports arrive and are valid.
    Tracking = 0,
    /// No valid report has arrived since boot.
    NeverSynchronized = 1,
    /// The record was published by an earlier process or an earlier run of the publishing actors.
    Resumed = 2,
    /// `CLOCK_REALTIME` is being slewed, or chronyd does not discipline it. Only daemons before 0.2
    /// write it.
    SlewInFlight = 3,
    /// chronyd does not answer.
    ChronySilent = 4,
    /// chronyd's reports are malformed or contain implausible values.
    ReportRefused = 5,
    /// chronyd reports that the clock is not synchronised.
    LeapUnsynchronized = 6,
    /// The selected source has not answered chronyd's last polls, or no source is selected.
    SourceUnreachable = 7,
    /// chronyd uses its local reference, or reports a root distance of zero: there is no reference.
    LocalReference = 8,
    /// The machine was suspended, and chronyd has not measured since. Daemons before 0.2 also wrote
    /// it after the clock was set.
    ClockStepped = 9,
    /// The PTP hardware clock's error bound is missing, unreadable or implausible.
    PhcUnreadable = 10,
    /// The last valid report is too old.
    HoldoverExpired = 11,
    /// The bound exceeds the operator's limit.
    BoundOverCap = 12,
    /// The clock was disrupted, and no later report has arrived.
    Disrupted = 13,
    /// The daemon has stopped writing. Readers derive it; the daemon never writes it.
    DaemonSilent = 14,
    /// Measurements are disjoint: the interval is the hull of both.
    Contradiction = 15,
    /// More than half of the reachable sources disagree with the selected one.
    SourcesDisagree = 16,
    /// Fewer sources are reachable than `--falsetickers` requires.
    TooFewSources = 17,
    /// The daemon is not permitted to query chronyd.
    PermissionDenied = 18,
    /// The daemon does not publish this segment any more.
    Retired = 19,
    /// The layout has no reason, or the number is one that only a newer daemon uses.
    Untold = 255,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 21] = [
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
        Self::PermissionDenied,
        Self::Retired,
        Self::Untold,
    ];

    /// The name used in logs and by tools.
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
            Self::PermissionDenied => "permission_denied",
            Self::Retired => "retired",
            Self::Untold => "untold",
        }
    }
}

impl From<u8> for Reason {
    /// An unknown number, which only a newer daemon writes, becomes [`Reason::Untold`].
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
            18 => Self::PermissionDenied,
            19 => Self::Retired,
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
    fn reason_converts_to_its_number_and_back_and_unknown_numbers_become_untold() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from(reason as u8), reason);
        }
        assert_eq!(Reason::from(20), Reason::Untold);
    }
}
