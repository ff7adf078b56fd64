//! The clock status, with the numbers of the v1, v2 and native layouts.

use std::fmt;

use thiserror::Error;

/// Whether the published interval contains true time, and whether a source is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum ClockStatus {
    /// Nothing is known: the interval claims nothing.
    Unknown = 0,
    /// The clock follows a source; the interval contains true time.
    Synchronized = 1,
    /// The clock is in holdover: the bound grows with time; the interval contains true time.
    FreeRunning = 2,
    /// The clock was disrupted, for example by a live migration: the interval claims nothing.
    Disrupted = 3,
}

/// A number that no status has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "clock status {0} is none of 0 (unknown), 1 (synchronized), 2 (free running), 3 (disrupted)"
)]
pub struct InvalidStatus(pub i32);

impl ClockStatus {
    /// Whether the interval contains true time.
    #[must_use]
    pub fn is_trusted(self) -> bool {
        match self {
            Self::Synchronized | Self::FreeRunning => true,
            Self::Unknown | Self::Disrupted => false,
        }
    }

    /// The name used in logs and by tools.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Synchronized => "synchronized",
            Self::FreeRunning => "free_running",
            Self::Disrupted => "disrupted",
        }
    }

    /// The status of this number; `Unknown` for an invalid one.
    #[inline]
    pub(crate) fn or_unknown(number: i32) -> Self {
        Self::try_from(number).unwrap_or(Self::Unknown)
    }
}

impl TryFrom<i32> for ClockStatus {
    type Error = InvalidStatus;

    #[inline]
    fn try_from(number: i32) -> Result<Self, InvalidStatus> {
        match number {
            0 => Ok(Self::Unknown),
            1 => Ok(Self::Synchronized),
            2 => Ok(Self::FreeRunning),
            3 => Ok(Self::Disrupted),
            _ => Err(InvalidStatus(number)),
        }
    }
}

impl fmt::Display for ClockStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
