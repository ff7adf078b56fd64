//! What the assessment of the clock goes by, and what it finds: plain values.

use crate::chrony::{ChronyPoll, SourceData, SourceState, Tracking};

/// What does not change while the daemon runs.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The fastest that the oscillator may drift, parts per billion.
    pub max_drift_ppb: u32,
    /// chrony's reference id of the PHC, if there is one.
    pub phc_reference_id: Option<u32>,
    /// How long a validated report may be the last one before the status is no longer `Synchronized`, ns.
    pub grace_ns: i64,
    /// How long the last validated report is held over, ns.
    pub holdover_ns: i64,
    /// A bound above this is not published as trusted, ns.
    pub max_bound_ns: Option<i64>,
    /// Whether chronyd's local mode counts as a reference.
    pub allow_local_reference: bool,
}

/// What a poll of chronyd gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// What the system clock is known to be.
    pub tracking: Tracking,
    /// The source that it follows.
    pub selection: Selection,
}

impl From<ChronyPoll> for Report {
    fn from(poll: ChronyPoll) -> Self {
        let selected = |source: &SourceData| source.state == SourceState::Selected;
        let selection = match poll.sources.into_iter().find(selected) {
            Some(source) => Selection::Source(source),
            None if poll.refused => Selection::Untold,
            None if poll.complete => Selection::Nothing,
            None => Selection::Outdated,
        };
        Self {
            tracking: poll.tracking,
            selection,
        }
    }
}

/// What chronyd says of the source that it follows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Selection {
    /// Nothing: it refuses to tell. The tracking report has to do.
    #[default]
    Untold,
    /// No source is selected.
    Nothing,
    /// This one is.
    Source(SourceData),
    /// The source was last asked about before chronyd updated the clock: nothing is to be concluded yet.
    Outdated,
}

impl Selection {
    /// Whether the clock is known to follow nobody, or somebody who has not answered the last eight polls.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Untold | Self::Outdated => false,
            Self::Nothing => true,
            Self::Source(source) => source.reachability == 0,
        }
    }
}

/// Why a poll of chronyd gave no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollFailure {
    /// No answer.
    Silent,
    /// An answer that cannot be relied on.
    Refused,
    /// The system does not let this user ask.
    NotPermitted,
}

/// Two intervals that should both have contained truth and have nothing in common: ns of UTC since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// What was known before, aged to the report.
    pub held: (i64, i64),
    /// What the report says.
    pub reported: (i64, i64),
}
