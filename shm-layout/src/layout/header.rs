//! The first 14 bytes of every layout.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | u32 | magic 0 |
//! | 4 | u32 | magic 1 |
//! | 8 | u32 | segment size in bytes, header included |
//! | 12 | u16 | layout version |
//!
//! All numbers are native endian. Each layout defines the 2 bytes at [`END`] itself.

use std::sync::atomic::Ordering;

use thiserror::Error;

use crate::memory::map::Map;

/// The offset of the first byte after the header.
pub const END: usize = VERSION_OFFSET + 2;

pub(super) const SIZE_OFFSET: usize = 8;
pub(super) const VERSION_OFFSET: usize = 12;

/// Why a header is not valid for a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// The magic number is wrong: the file is of an unrelated format or layout.
    #[error("the magic number is {:08x} {:08x}, which is not this layout's", .0[0], .0[1])]
    Magic([u32; 2]),
    /// The layout version is wrong.
    #[error("layout version {found} is not version {expected}")]
    Version {
        /// The version in the header.
        found: u16,
        /// The supported version.
        expected: u16,
    },
    /// The segment is shorter than the layout.
    #[error("a size of {found} bytes is not the layout's {expected}")]
    Size {
        /// The size in the header.
        found: u32,
        /// The size of the layout.
        expected: u32,
    },
}

/// The size of a layout in bytes as the header stores it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the assertion excludes it when the layout is compiled"
)]
pub(super) const fn size_field(bytes: usize) -> u32 {
    assert!(bytes <= u32::MAX as usize, "the header has 32 bits for it");
    bytes as u32
}

/// Checks that `map` begins with this magic number, this version, and at least this size; returns
/// the size in the header. Each field is loaded separately, since another process may write it.
///
/// # Errors
/// The first field that is wrong.
pub(super) fn check(
    map: &Map,
    magic: [u32; 2],
    version: u16,
    size: u32,
) -> Result<u32, HeaderError> {
    let found_magic = [0, 4].map(|offset| map.u32_at(offset).load(Ordering::Relaxed));
    if found_magic != magic {
        return Err(HeaderError::Magic(found_magic));
    }
    let found = map.u16_at(VERSION_OFFSET).load(Ordering::Relaxed);
    if found != version {
        let expected = version;
        return Err(HeaderError::Version { found, expected });
    }
    let found = map.u32_at(SIZE_OFFSET).load(Ordering::Relaxed);
    if found < size {
        let expected = size;
        return Err(HeaderError::Size { found, expected });
    }
    Ok(found)
}

/// Writes the fields that [`check`] reads.
pub(super) fn write(map: &Map, magic: [u32; 2], version: u16, size: u32) {
    map.u32_at(0).store(magic[0], Ordering::Relaxed);
    map.u32_at(4).store(magic[1], Ordering::Relaxed);
    map.u32_at(SIZE_OFFSET).store(size, Ordering::Relaxed);
    map.u16_at(VERSION_OFFSET).store(version, Ordering::Relaxed);
}
