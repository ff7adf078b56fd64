//! The clock status, as the layouts in the field number it.

use std::fmt;

use thiserror::Error;

/// What may be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum ClockStatus {
    /// Nothing: the interval claims nothing.
    Unknown = 0,
    /// The clock follows a source; the interval contains true time.
    Synchronized = 1,
    /// The last bound is held over and grows; the interval contains true time.
    FreeRunning = 2,
    /// The clock was disrupted (live migration): the interval claims nothing.
    Disrupted = 3,
}

/// A number that no status has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "clock status {0} is none of 0 (unknown), 1 (synchronized), 2 (free running), 3 (disrupted)"
)]
pub struct ForeignStatus(pub i32);

impl ClockStatus {
    /// Whether the interval contains true time.
    #[must_use]
    pub fn is_trusted(self) -> bool {
        match self {
            Self::Synchronized | Self::FreeRunning => true,
            Self::Unknown | Self::Disrupted => false,
        }
    }

    /// The word for logs and tools.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Synchronized => "synchronized",
            Self::FreeRunning => "free_running",
            Self::Disrupted => "disrupted",
        }
    }
}

impl ClockStatus {
    /// The status of this number; a foreign one means that nothing is known.
    #[inline]
    pub(crate) fn or_unknown(number: i32) -> Self {
        Self::try_from(number).unwrap_or(Self::Unknown)
    }
}

impl TryFrom<i32> for ClockStatus {
    type Error = ForeignStatus;

    #[inline]
    fn try_from(number: i32) -> Result<Self, ForeignStatus> {
        match number {
            0 => Ok(Self::Unknown),
            1 => Ok(Self::Synchronized),
            2 => Ok(Self::FreeRunning),
            3 => Ok(Self::Disrupted),
            _ => Err(ForeignStatus(number)),
        }
    }
}

impl fmt::Display for ClockStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
