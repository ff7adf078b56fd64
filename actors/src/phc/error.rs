//! The errors of reading the PHC's error bound.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The maximum length of the file's content in bytes. The driver prints up to 10 digits. Longer
/// content up to this limit is reported by its actual error, such as negative or too large.
pub(super) const MAX_BOUND_BYTES: usize = 32;

/// The reason why the PHC error bound is unavailable. An error is never treated as a bound of zero.
#[derive(Debug, Error)]
pub enum PhcError {
    /// The kernel does not allow this interface name, so it is not used in a path.
    #[error(
        "{name:?} is not an interface name: use 1 to 15 bytes without '/', ':' and white space"
    )]
    BadInterface {
        /// The name.
        name: String,
    },
    /// The interface does not exist.
    #[error("network interface {name:?} does not exist")]
    NoInterface {
        /// The name.
        name: String,
    },
    /// The interface is not a PCI device. It is a bridge, a VLAN, a veth or loopback, for example.
    #[error("network interface {name:?} is not a PCI device")]
    NoSlot {
        /// The interface.
        name: String,
    },
    /// The kernel reported an invalid PCI slot.
    #[error("invalid PCI slot {text:?}")]
    BadSlot {
        /// The invalid text.
        text: String,
    },
    /// The driver does not publish an error bound, or no longer does.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The missing file.
        path: PathBuf,
    },
    /// The file exists, but reading it failed.
    #[error("failed to read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the kernel.
        source: io::Error,
    },
    /// The file is empty.
    #[error("error bound is empty")]
    Empty,
    /// The file is longer than any number.
    #[error("error bound is longer than {} bytes", MAX_BOUND_BYTES)]
    TooLong,
    /// The content is not a decimal number.
    #[error("error bound {text:?} is not a decimal number")]
    NotANumber {
        /// The content.
        text: String,
    },
    /// The content is a negative number.
    #[error("error bound {text:?} is negative")]
    Negative {
        /// The content.
        text: String,
    },
    /// The content is zero. No clock has an error of zero, so the device has not set the value.
    #[error("error bound is zero: the device has not set it")]
    Zero,
    /// The content does not fit into the 32 bits of the driver's value.
    #[error("error bound {text:?} does not fit into 32 bits")]
    TooLarge {
        /// The content.
        text: String,
    },
    /// The content is [`MAX_PLAUSIBLE_NS`](super::MAX_PLAUSIBLE_NS) or more, up to the driver's
    /// value for an unknown bound.
    #[error("error bound {bound_ns} ns is implausible: it is one second or more")]
    Implausible {
        /// The content in nanoseconds.
        bound_ns: u32,
    },
}

/// The kind of a [`PhcError`], without its details, to detect a change.
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
    /// The kind of the error, without its details.
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
