//! What disrupted the clocks, for the log.

use std::fmt;

use crate::vmclock::Change;

/// What disrupted the clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The VMClock page.
    Page(Change),
    /// The uevent of VMGenID.
    Generation,
    /// The kernel reads the clocks from another source.
    Clocksource,
    /// SIGUSR1 without a value.
    Drill,
    /// An earlier life, or none, would have noticed it.
    BeforeThisLife,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Page(Change::Marker) => "disruption marker",
            Self::Page(Change::Generation) => "vm generation",
            Self::Page(Change::Unreadable) => "vmclock cannot be read",
            Self::Page(Change::Readable) => "vmclock can be read again",
            Self::Generation => "vm generation event",
            Self::Clocksource => "clocksource",
            Self::Drill => "SIGUSR1",
            Self::BeforeThisLife => "disruption marker of the last record",
        })
    }
}
