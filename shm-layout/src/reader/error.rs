//! Why a segment cannot be read.

use std::io;

use thiserror::Error;

use crate::layout::header::HeaderError;
use crate::record::RecordError;

/// Why a segment cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file cannot be opened or mapped.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The path is not a regular file.
    #[error("not a regular file")]
    NotAFile,
    /// The file is shorter than a header, or than the size in its header.
    #[error("{found} bytes are too few for a segment of {expected}")]
    TooShort {
        /// The file's length.
        found: u64,
        /// The minimum length.
        expected: u64,
    },
    /// The header is not that of the layout.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Nothing has been written.
    #[error("the segment is not initialised yet")]
    NotInitialized,
    /// A write is unfinished, and no earlier record was read.
    #[error("a write is in progress and does not end")]
    WriteInProgress,
    /// A program wrote the record for a test, and the reader refuses such records.
    #[error("the record is simulated: a program wrote it for a test")]
    Simulated,
    /// The record has an invalid field.
    #[error(transparent)]
    Record(#[from] RecordError),
}
