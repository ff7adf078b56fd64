//! Reads a small file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::PhcError;

/// Reads at most `limit` bytes from the start of a file.
pub(super) fn read_start(path: &Path, limit: u64) -> Result<Vec<u8>, PhcError> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source: io::Error| match source.kind() {
        // A parent can be a file while a device is being replaced. The file is missing then, too.
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => PhcError::Missing {
            path: path.to_owned(),
        },
        _ => PhcError::Unreadable {
            path: path.to_owned(),
            source,
        },
    })
}
