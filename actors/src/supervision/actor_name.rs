//! The names of the actors.

use std::fmt;

/// The actors, by their names in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActorName {
    /// Polls chronyd.
    ChronyPoller,
    /// Reads the PHC's error bound.
    PhcReader,
    /// Detects steps of the clock.
    ClockWatch,
    /// Detects changes of the VMClock page.
    VmClockWatch,
    /// Detects a new generation of the virtual machine.
    GenerationWatch,
    /// Computes the estimate from the measurements.
    ClockState,
    /// Makes chronyd measure again after an interruption.
    SourceReset,
    /// Writes the segments.
    ShmPublisher,
}

impl ActorName {
    /// Every actor, in the order of the flow, which is that of their numbers.
    pub const ALL: [Self; 8] = [
        Self::ChronyPoller,
        Self::PhcReader,
        Self::ClockWatch,
        Self::VmClockWatch,
        Self::GenerationWatch,
        Self::ClockState,
        Self::SourceReset,
        Self::ShmPublisher,
    ];

    /// The actor's name in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChronyPoller => "chrony_poller",
            Self::PhcReader => "phc_reader",
            Self::ClockWatch => "clock_watch",
            Self::VmClockWatch => "vmclock_watch",
            Self::GenerationWatch => "generation_watch",
            Self::SourceReset => "source_reset",
            Self::ClockState => "clock_state",
            Self::ShmPublisher => "shm_publisher",
        }
    }
}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
