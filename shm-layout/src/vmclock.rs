//! The VMClock page, through which a hypervisor tells a virtual machine that its clock was
//! disrupted: by a live migration, or by a restore from a snapshot. The device is
//! [`DEFAULT_PATH`]; tests use a file.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | u32 | magic 0x4b4c4356, `VCLK` |
//! | 4 | u32 | size of the region in bytes |
//! | 8 | u16 | version, 1 |
//! | 12 | u32 | sequence: odd while a write is in progress |
//! | 16 | u64 | disruption marker |
//! | 24 | u64 | flags: bit 0 TAI offset is valid, 1 disruption soon, 2 disruption imminent, 8 generation is valid, 9 the device notifies poll(2) |
//! | 36 | i16 | TAI - UTC, s |
//! | 38 | u8 | leap indicator, 0 to 5 |
//! | 104 | u64 | generation of the virtual machine: it changes when the same machine may run twice |
//!
//! All numbers are little endian. The first version of the interface ended at 104. The fields not
//! listed are a time of the host, which few hypervisors provide and which is not used here.
//!
//! A reader that has read its clock, and finds then that the marker is the one of its record, knows
//! that the clock was not disrupted before it was read. The reverse order would prove nothing.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use nix::fcntl::OFlag;
use thiserror::Error;

use crate::memory::map::{Access, Map};
use crate::record::{Disruption, HostNotice};

/// The first device.
pub const DEFAULT_PATH: &str = "/dev/vmclock0";

const MAGIC: u32 = 0x4b4c_4356;
const VERSION: u16 = 1;
/// The size in bytes of the first version of the interface.
const MIN_SIZE: usize = 104;
/// The size in bytes with the generation.
const SIZE: usize = 112;

const SIZE_OFFSET: usize = 4;
const VERSION_OFFSET: usize = 8;
const SEQUENCE_OFFSET: usize = 12;
const MARKER_OFFSET: usize = 16;
const FLAGS_OFFSET: usize = 24;
const LEAP_OFFSET: usize = 32;
const GENERATION_OFFSET: usize = 104;

const TAI_OFFSET_VALID: u64 = 1 << 0;
const DISRUPTION_SOON: u64 = 1 << 1;
const DISRUPTION_IMMINENT: u64 = 1 << 2;
const GENERATION_PRESENT: u64 = 1 << 8;
const NOTIFICATION_PRESENT: u64 = 1 << 9;

/// How many times a page is read before a reader gives up: longer than a write takes.
const ATTEMPTS: u32 = 1_000;

/// A VMClock page, mapped for reading.
#[derive(Debug)]
pub struct Page {
    map: Map,
}

/// The fields of a page that are used here, of one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The disruption marker: it changes with each disruption.
    pub marker: u64,
    /// The generation of the virtual machine, if the page has it: it changes when the machine was
    /// restored from a snapshot or copied.
    pub generation: Option<u64>,
    /// The leap indicator, as [`HostNotice::leap`].
    pub leap: u8,
    /// TAI - UTC, s, if it is valid.
    pub tai_offset_s: Option<i16>,
    /// The host expects a disruption within about a day.
    pub disruption_soon: bool,
    /// The host expects a disruption within about an hour.
    pub disruption_imminent: bool,
    /// Whether poll(2) reports changes of the page. If not, it returns `POLLHUP` at once.
    pub notifies: bool,
}

/// Why a VMClock page cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VmClockError {
    /// The file cannot be opened or mapped.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The path is neither a character device nor a regular file.
    #[error("it is neither a device nor a regular file")]
    NotADevice,
    /// The page is too short.
    #[error("{found} bytes are too few for a VMClock page of {MIN_SIZE}")]
    TooShort {
        /// The length of the file, or the size in the page.
        found: u64,
    },
    /// The magic number is wrong.
    #[error("the magic number is {0:08x}, which is not VMClock's")]
    Magic(u32),
    /// The version is not supported.
    #[error("version {0} is not version {VERSION}")]
    Version(u16),
}

impl VmClockError {
    /// Whether there is nothing at the path: the machine has no such device.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io(err) if err.kind() == io::ErrorKind::NotFound)
    }
}

/// Opens the device or the file at `path` for reading. It never blocks.
///
/// # Errors
/// Those of open(2).
pub fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
}

impl Page {
    /// Maps the page at `path`, and checks its header. The file is closed again. It never blocks.
    ///
    /// # Errors
    /// [`VmClockError`].
    pub fn open(path: &Path) -> Result<Self, VmClockError> {
        Self::from_file(&open_file(path)?)
    }

    /// As [`open`](Self::open), for an open file: the caller can keep it for poll(2).
    ///
    /// # Errors
    /// [`VmClockError`].
    pub fn from_file(file: &File) -> Result<Self, VmClockError> {
        let metadata = file.metadata()?;
        let kind = metadata.file_type();
        // The length of a device is 0. It has a page.
        let length = if kind.is_char_device() {
            None
        } else if kind.is_file() {
            Some(metadata.len())
        } else {
            return Err(VmClockError::NotADevice);
        };
        if let Some(found) = length.filter(|&length| length < MIN_SIZE as u64) {
            return Err(VmClockError::TooShort { found });
        }
        let map = Map::of_device(file, MIN_SIZE, Access::Read)?;
        let magic = u32::from_le(map.u32_at(0).load(Ordering::Relaxed));
        if magic != MAGIC {
            return Err(VmClockError::Magic(magic));
        }
        let version = u16::from_le(map.u16_at(VERSION_OFFSET).load(Ordering::Relaxed));
        if version != VERSION {
            return Err(VmClockError::Version(version));
        }
        let size = u32::from_le(map.u32_at(SIZE_OFFSET).load(Ordering::Relaxed));
        if (size as usize) < MIN_SIZE {
            let found = size.into();
            return Err(VmClockError::TooShort { found });
        }
        let has_generation =
            size as usize >= SIZE && length.is_none_or(|length| length >= SIZE as u64);
        if !has_generation {
            return Ok(Self { map });
        }
        let map = Map::of_device(file, SIZE, Access::Read)?;
        Ok(Self { map })
    }

    /// The disruption marker: one load. Loads after this call are not executed before it.
    #[inline(always)]
    #[must_use]
    pub fn marker(&self) -> u64 {
        u64::from_le(self.map.u64_at(MARKER_OFFSET).load(Ordering::Acquire))
    }

    /// The content, of one write; `None` if a write does not end within some microseconds.
    #[must_use]
    pub fn read(&self) -> Option<Content> {
        let sequence = self.map.u32_at(SEQUENCE_OFFSET);
        for _ in 0..ATTEMPTS {
            // As the reader in `memory::sequence_lock`; the page's sequence begins with any number.
            let before = u32::from_le(sequence.load(Ordering::Acquire));
            if before.is_multiple_of(2) {
                let content = self.load();
                fence(Ordering::Acquire);
                if u32::from_le(sequence.load(Ordering::Relaxed)) == before {
                    return Some(content);
                }
            }
            std::hint::spin_loop();
        }
        None
    }

    fn load(&self) -> Content {
        let word = |offset| -> &AtomicU64 { self.map.u64_at(offset) };
        let number = |offset| u64::from_le(word(offset).load(Ordering::Relaxed));
        let flags = number(FLAGS_OFFSET);
        let has = |flag| flags & flag != 0;
        let bytes = word(LEAP_OFFSET).load(Ordering::Relaxed).to_ne_bytes();
        let [_, _, _status, _smearing, low, high, leap, _shift] = bytes;
        let has_generation = self.map.length() >= SIZE && has(GENERATION_PRESENT);
        Content {
            marker: number(MARKER_OFFSET),
            generation: has_generation.then(|| number(GENERATION_OFFSET)),
            leap,
            tai_offset_s: has(TAI_OFFSET_VALID).then_some(i16::from_le_bytes([low, high])),
            disruption_soon: has(DISRUPTION_SOON),
            disruption_imminent: has(DISRUPTION_IMMINENT),
            notifies: has(NOTIFICATION_PRESENT),
        }
    }
}

impl From<&Content> for Disruption {
    fn from(content: &Content) -> Self {
        Self {
            marker: content.marker,
            supported: true,
        }
    }
}

impl From<&Content> for HostNotice {
    fn from(content: &Content) -> Self {
        Self {
            soon: content.disruption_soon,
            imminent: content.disruption_imminent,
            leap: content.leap,
            tai_offset_s: content.tai_offset_s,
        }
    }
}
