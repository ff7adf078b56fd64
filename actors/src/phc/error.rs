//! Why there is no error bound.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Nothing longer is looked at. The driver prints up to 10 digits; what is longer but below this
/// is still named for what it is (negative, too large) rather than for its length.
pub(super) const MAX_BOUND_BYTES: usize = 32;

/// Why there is no PHC error bound. None of these ever stands for a bound of zero.
#[derive(Debug, Error)]
pub enum PhcError {
    /// The kernel allows no interface of this name, so no path is made of it.
    #[error(
        "{name:?} is no interface name: those have 1 to 15 bytes, no '/', no ':' and no white space"
    )]
    BadInterface {
        /// What was given.
        name: String,
    },
    /// There is no such interface now.
    #[error("no network interface {name:?}")]
    NoInterface {
        /// What was given.
        name: String,
    },
    /// The interface has no PCI device behind it: it is a bridge, a VLAN, a veth, loopback ...
    #[error("network interface {name:?} is not a PCI device")]
    NoSlot {
        /// The interface.
        name: String,
    },
    /// The kernel named a PCI slot that cannot be one.
    #[error("{text:?} is not a PCI slot")]
    BadSlot {
        /// What stood in its place.
        text: String,
    },
    /// The driver publishes no error bound, or no longer does.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The file that is not there.
        path: PathBuf,
    },
    /// The file is there and reading it failed.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The file has no content.
    #[error("the error bound is empty")]
    Empty,
    /// The file has more content than any number needs.
    #[error("the error bound is longer than {} bytes", MAX_BOUND_BYTES)]
    TooLong,
    /// The content is not a decimal number.
    #[error("the error bound {text:?} is not a decimal number")]
    NotANumber {
        /// The content.
        text: String,
    },
    /// The content is a number below zero.
    #[error("the error bound {text:?} is negative")]
    Negative {
        /// The content.
        text: String,
    },
    /// The content is zero: no clock is perfect, so the device did not fill the value in.
    #[error("the error bound is zero, so the device has not set it")]
    Zero,
    /// The content does not fit the 32 bits that the driver has for it.
    #[error("the error bound {text:?} does not fit 32 bits")]
    TooLarge {
        /// The content.
        text: String,
    },
    /// The content is [`MAX_PLAUSIBLE_NS`](super::MAX_PLAUSIBLE_NS) or more, up to the driver's own
    /// mark for "none".
    #[error("the error bound {bound_ns} ns is a second or more: the device is out of order")]
    Implausible {
        /// The content, in nanoseconds.
        bound_ns: u32,
    },
}

/// A [`PhcError`] without its details: two polls that fail alike compare equal, so that a change
/// can be logged once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the variant of PhcError of that name")]
pub enum PhcErrorKind {
    BadInterface,
    NoInterface,
    NoSlot,
    BadSlot,
    Missing,
    Unreadable,
    Empty,
    TooLong,
    NotANumber,
    Negative,
    Zero,
    TooLarge,
    Implausible,
}

impl PhcError {
    /// Which error this is, without its details.
    pub fn kind(&self) -> PhcErrorKind {
        match self {
            Self::BadInterface { .. } => PhcErrorKind::BadInterface,
            Self::NoInterface { .. } => PhcErrorKind::NoInterface,
            Self::NoSlot { .. } => PhcErrorKind::NoSlot,
            Self::BadSlot { .. } => PhcErrorKind::BadSlot,
            Self::Missing { .. } => PhcErrorKind::Missing,
            Self::Unreadable { .. } => PhcErrorKind::Unreadable,
            Self::Empty => PhcErrorKind::Empty,
            Self::TooLong => PhcErrorKind::TooLong,
            Self::NotANumber { .. } => PhcErrorKind::NotANumber,
            Self::Negative { .. } => PhcErrorKind::Negative,
            Self::Zero => PhcErrorKind::Zero,
            Self::TooLarge { .. } => PhcErrorKind::TooLarge,
            Self::Implausible { .. } => PhcErrorKind::Implausible,
        }
    }
}
