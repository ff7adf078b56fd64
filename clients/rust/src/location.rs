//! The path of the segments: one file, or a directory with one file per layout.

use std::io;
use std::path::{Path, PathBuf};

use shm_layout::layout::header::HeaderError;
use shm_layout::reader::ReadError;
use shm_layout::{native, v1, v2};

use crate::error::Error;
use crate::segment::{FileId, Segment};

/// The directory in which the daemon publishes by default.
pub const DEFAULT_DIRECTORY: &str = "/var/run/clockbound";

/// The path that the program gave. Each use checks whether it is a directory, because a directory
/// can be mounted after the program started.
#[derive(Debug)]
pub(crate) struct Location(PathBuf);

impl Location {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Returns the files to try, in order of preference.
    fn candidates(&self) -> Vec<PathBuf> {
        // A path that does not exist yet is taken for a file. Should it become a directory, the
        // next call lists the files in it.
        if !self.0.is_dir() {
            return vec![self.0.clone()];
        }
        [native::FILE_NAME, v2::FILE_NAME, v1::FILE_NAME]
            .map(|name| self.0.join(name))
            .into()
    }

    /// Opens the first segment that exists, in order of preference.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::EarlierBoot`] or [`Error::TimeNamespace`] of the last file tried.
    pub(crate) fn open(&self) -> Result<Segment, Error> {
        let mut result = Err(Error::Open {
            path: self.0.clone(),
            source: ReadError::Io(io::ErrorKind::NotFound.into()),
        });
        for path in self.candidates() {
            result = Segment::open(&path);
            match &result {
                Err(Error::Open { source, .. }) if is_next_layout_tried(source) => {}
                _ => break,
            }
        }
        result
    }

    /// Opens the first segment that exists, unless it is the file `current`.
    pub(crate) fn open_other(&self, current: FileId) -> Option<Segment> {
        for path in self.candidates() {
            match FileId::at(&path) {
                Ok(id) if id == current => return None,
                Ok(_) => {
                    if let Ok(segment) = Segment::open(&path) {
                        return Some(segment);
                    }
                }
                Err(_) => {}
            }
        }
        None
    }
}

/// Returns whether another layout is tried after this error: the file does not exist, or has a
/// version that this library does not support.
fn is_next_layout_tried(source: &ReadError) -> bool {
    match source {
        ReadError::Io(err) => err.kind() == io::ErrorKind::NotFound,
        ReadError::Header(HeaderError::Version { .. }) => true,
        _ => false,
    }
}
