//! The leap second announcement.

use thiserror::Error;

/// What is announced for the end of the UTC day, with NTP's numbers (RFC 5905, section 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Leap {
    /// No leap second.
    Normal = 0,
    /// A second will be inserted: the last minute of the day has 61 seconds.
    InsertSecond = 1,
    /// A second will be deleted: the last minute of the day has 59 seconds.
    DeleteSecond = 2,
    /// The clock is not synchronised, so no announcement is available.
    Unsynchronized = 3,
}

/// A number that no leap announcement has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("leap is {0}, none of 0 to 3")]
pub struct InvalidLeap(pub u8);

impl TryFrom<u8> for Leap {
    type Error = InvalidLeap;

    #[inline]
    fn try_from(number: u8) -> Result<Self, InvalidLeap> {
        match number {
            0 => Ok(Self::Normal),
            1 => Ok(Self::InsertSecond),
            2 => Ok(Self::DeleteSecond),
            3 => Ok(Self::Unsynchronized),
            _ => Err(InvalidLeap(number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_converts_to_its_number_and_back() {
        for number in 0..=u8::MAX {
            match Leap::try_from(number) {
                Ok(leap) => assert_eq!(leap as u8, number),
                Err(err) => assert!(number > 3 && err == InvalidLeap(number)),
            }
        }
    }
}
