//! The 16 bytes that the v1 and v2 layouts begin with.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | u32 | magic 0 |
//! | 4 | u32 | magic 1 |
//! | 8 | u32 | segment size in bytes, header included |
//! | 12 | u16 | layout version |
//! | 14 | u16 | generation: 0 not initialised, odd while a write is in progress |

use std::sync::atomic::Ordering;

use thiserror::Error;

use crate::map::Map;

/// The magic number, native endian.
pub const MAGIC: [u32; 2] = [0x414D_5A4E, 0x4342_0200];

/// The size of the header in bytes.
pub const HEADER_BYTES: usize = 16;

/// Where the generation is.
pub const GENERATION_OFFSET: usize = 14;

/// Why a header is not that of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// Something else altogether.
    #[error("the magic number is {:08x} {:08x}, which is not this layout's", .0[0], .0[1])]
    Magic([u32; 2]),
    /// Another layout.
    #[error("layout version {found} is not version {expected}")]
    Version {
        /// The version in the header.
        found: u16,
        /// The version that is understood here.
        expected: u16,
    },
    /// A size that the layout does not have.
    #[error("a size of {found} bytes is not the layout's {expected}")]
    Size {
        /// The size in the header.
        found: u32,
        /// The layout's size.
        expected: u32,
    },
}

/// Whether `map` begins with this magic number, version and at least this size, all three at the places of the
/// table above; returns the size. Each field is read by itself: a foreign writer may be at it.
///
/// # Errors
/// The first field that is wrong.
pub(crate) fn check(
    map: &Map,
    magic: [u32; 2],
    version: u16,
    size: u32,
) -> Result<u32, HeaderError> {
    let found_magic = [0, 4].map(|offset| map.u32_at(offset).load(Ordering::Relaxed));
    if found_magic != magic {
        return Err(HeaderError::Magic(found_magic));
    }
    let found = map.u16_at(12).load(Ordering::Relaxed);
    if found != version {
        let expected = version;
        return Err(HeaderError::Version { found, expected });
    }
    let found = map.u32_at(8).load(Ordering::Relaxed);
    if found < size {
        let expected = size;
        return Err(HeaderError::Size { found, expected });
    }
    Ok(found)
}

/// Writes what [`check`] reads.
pub(crate) fn set(map: &Map, magic: [u32; 2], version: u16, size: u32) {
    map.u32_at(0).store(magic[0], Ordering::Relaxed);
    map.u32_at(4).store(magic[1], Ordering::Relaxed);
    map.u32_at(8).store(size, Ordering::Relaxed);
    map.u16_at(12).store(version, Ordering::Relaxed);
}
