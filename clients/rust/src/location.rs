//! Where a program looks for the daemon: one file, or a directory with a file for each layout.

use std::io;
use std::path::{Path, PathBuf};

use shm_layout::layout::header::HeaderError;
use shm_layout::reader::ReadError;
use shm_layout::{native, v1, v2};

use crate::error::Error;
use crate::segment::{FileId, Segment};

/// The path that the program gave. What it is, is looked at each time: a directory may be mounted later.
#[derive(Debug)]
pub(crate) struct Location(PathBuf);

impl Location {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The files to try, the best first.
    fn candidates(&self) -> Vec<PathBuf> {
        // Nothing there yet: only a daemon's own names tell a directory to come.
        if !self.0.is_dir() {
            return vec![self.0.clone()];
        }
        [native::FILE_NAME, v2::FILE_NAME, v1::FILE_NAME]
            .map(|name| self.0.join(name))
            .into()
    }

    /// Opens the best segment there is.
    pub(crate) fn open(&self) -> Result<Segment, Error> {
        let mut result = Err(Error::Open {
            path: self.0.clone(),
            source: ReadError::Io(io::ErrorKind::NotFound.into()),
        });
        for path in self.candidates() {
            result = Segment::open(&path);
            match &result {
                Err(Error::Open { source, .. }) if leaves_others(source) => {}
                _ => break,
            }
        }
        result
    }

    /// Opens the best segment there is, if that is another file than `known`.
    pub(crate) fn open_other(&self, known: FileId) -> Option<Segment> {
        for path in self.candidates() {
            match FileId::at(&path) {
                Ok(id) if id == known => return None,
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

/// A segment that is not there, or of a version to come, leaves the other layouts.
fn leaves_others(source: &ReadError) -> bool {
    match source {
        ReadError::Io(err) => err.kind() == io::ErrorKind::NotFound,
        ReadError::Header(HeaderError::Version { .. }) => true,
        _ => false,
    }
}
