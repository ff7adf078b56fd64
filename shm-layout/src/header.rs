//! The 16 bytes that the v1 and v2 layouts begin with.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | u32 | magic 0 |
//! | 4 | u32 | magic 1 |
//! | 8 | u32 | segment size in bytes, header included |
//! | 12 | u16 | layout version |
//! | 14 | u16 | generation: 0 not initialised, odd while a write is in progress |

use thiserror::Error;

/// The magic number, native endian.
pub const MAGIC: [u32; 2] = [0x414D_5A4E, 0x4342_0200];

/// The size of the header in bytes.
pub const HEADER_BYTES: usize = 16;

/// A header as it stands in memory, its generation apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Should be [`MAGIC`].
    pub magic: [u32; 2],
    /// The segment's size in bytes, header included.
    pub size: u32,
    /// The layout's version.
    pub version: u16,
}

/// Why a header is not that of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// Something else altogether.
    #[error("the magic number is {:08x} {:08x}, which is no clockbound segment's", .0[0], .0[1])]
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

impl Header {
    /// Whether this is the header of the layout `version` with at least `size` bytes.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self, version: u16, size: u32) -> Result<(), HeaderError> {
        if self.magic != MAGIC {
            return Err(HeaderError::Magic(self.magic));
        }
        if self.version != version {
            return Err(HeaderError::Version {
                found: self.version,
                expected: version,
            });
        }
        if self.size < size {
            return Err(HeaderError::Size {
                found: self.size,
                expected: size,
            });
        }
        Ok(())
    }
}
