//! The error bound of a PTP hardware clock (PHC), as its network driver publishes it in sysfs.
//!
//! ```text
//!  interface name --resolve_slot--> PCI slot --error_bound_path--> phc_error_bound
//!                                                                       |
//!                       PhcWindow <-- good / failed -- read_error_bound, once a poll
//! ```
//! [`parse_error_bound`], [`PciSlot`] and [`PhcWindow`] are pure; [`resolve_slot`] and
//! [`read_error_bound`] read one small file each. A read of sysfs runs driver code and may block,
//! so whoever calls these does not share a thread with anything urgent.

mod reading;
mod slot;
mod window;

pub use reading::{MAX_PLAUSIBLE_NS, parse_error_bound, read_error_bound};
pub use slot::{PciSlot, check_interface_name, resolve_slot};
pub use window::{PHC_WINDOW_POLLS, PhcBound, PhcWindow};

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Where the kernel mounts sysfs.
pub const SYS_ROOT: &str = "/sys";

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
    #[error("the error bound is longer than {} bytes", reading::MAX_BYTES)]
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
    /// The content is [`MAX_PLAUSIBLE_NS`] or more, up to the driver's own mark for "none".
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

/// At most `limit` bytes from the start of a file.
fn read_start(path: &Path, limit: u64) -> Result<Vec<u8>, PhcError> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source: io::Error| match source.kind() {
        // A parent that is no directory, as on a device that is being replaced, is no file either.
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => PhcError::Missing {
            path: path.to_owned(),
        },
        _ => PhcError::Unreadable {
            path: path.to_owned(),
            source,
        },
    })
}

#[cfg(test)]
mod scratch {
    //! A directory that stands for `/sys`.
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    pub struct FakeSys(PathBuf);

    impl FakeSys {
        pub fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let own = format!(
                "clockbound-phc-{}-{}",
                std::process::id(),
                NEXT.fetch_add(1, Ordering::Relaxed)
            );
            let root = std::env::temp_dir().join(own);
            fs::create_dir_all(&root).unwrap();
            Self(root)
        }

        pub fn root(&self) -> &Path {
            &self.0
        }

        pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            path
        }
    }

    impl Drop for FakeSys {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
