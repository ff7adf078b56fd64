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
    /// Computes the estimate from the measurements.
    ClockState,
    /// Writes the segments.
    ShmPublisher,
}

impl ActorName {
    /// Every actor, in the order of the flow.
    pub const ALL: [Self; 5] = [
        Self::ChronyPoller,
        Self::PhcReader,
        Self::ClockWatch,
        Self::ClockState,
        Self::ShmPublisher,
    ];

    /// The actor's name in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChronyPoller => "chrony_poller",
            Self::PhcReader => "phc_reader",
            Self::ClockWatch => "clock_watch",
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
