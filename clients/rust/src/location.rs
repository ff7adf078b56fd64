//! The path of the segments: one file, or a directory with one file per layout.

use std::io;
use std::path::{Path, PathBuf, absolute};

use shm_layout::reader::ReadError;

use crate::error::Error;
use crate::segment::{FileId, Segment, Wait};
use crate::snapshot::{Layout, Standing};
use crate::surroundings::Surroundings;

/// The directory in which the daemon publishes by default.
pub const DEFAULT_DIRECTORY: &str = "/var/run/clockbound";

/// The path that the program gave, made absolute. Each use checks whether it is a directory,
/// because a directory can be mounted after the program started. With `refuse_simulated`, records
/// that a program simulates are errors.
#[derive(Debug)]
pub(crate) struct Location {
    path: PathBuf,
    refuse_simulated: bool,
}

impl Location {
    /// # Errors
    /// [`Error::Open`] if the path is relative, and the working directory cannot be determined.
    pub(crate) fn new(path: &Path, refuse_simulated: bool) -> Result<Self, Error> {
        let path = absolute(path).map_err(|err| Error::Open {
            path: path.to_owned(),
            source: ReadError::Io(err),
        })?;
        Ok(Self {
            path,
            refuse_simulated,
        })
    }

    pub(crate) fn refuse_simulated(&self) -> bool {
        self.refuse_simulated
    }

    /// Returns the path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the files to try, in order of preference.
    fn candidates(&self) -> Vec<PathBuf> {
        // A path that does not exist yet is taken for a file. Should it become a directory, the
        // next call lists the files in it.
        if !self.path.is_dir() {
            return vec![self.path.clone()];
        }
        Layout::ALL
            .map(|layout| self.path.join(layout.file_name()))
            .into()
    }

    /// Opens the preferred segment.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::EarlierBoot`] or [`Error::TimeNamespace`] of the first file that
    /// exists, if none can be opened.
    pub(crate) fn open(&self, surroundings: &impl Surroundings) -> Result<Segment, Error> {
        let mut opened = Vec::new();
        let mut first_err = None;
        for path in self.candidates() {
            match Segment::open(&path, Wait::Briefly, self.refuse_simulated, surroundings) {
                Ok(segment) => {
                    let snapshot = segment.snapshot(Wait::Briefly);
                    let standing = snapshot.and_then(|it| it.standing(surroundings)).ok();
                    opened.push((standing, segment));
                }
                Err(err) if is_not_found(&err) => {}
                Err(err) => {
                    first_err.get_or_insert(err);
                }
            }
        }
        preferred(opened).ok_or_else(|| {
            first_err.unwrap_or_else(|| Error::Open {
                path: self.path.clone(),
                source: ReadError::Io(io::ErrorKind::NotFound.into()),
            })
        })
    }

    /// Opens the preferred segment, unless that is the file `current`, whose standing is given, or
    /// its record cannot be read at once.
    pub(crate) fn open_other(
        &self,
        current: FileId,
        standing: Option<Standing>,
        surroundings: &impl Surroundings,
    ) -> Option<Segment> {
        let candidates = self.candidates().into_iter();
        let files: Vec<_> = candidates
            .filter_map(|path| Some((FileId::at(&path).ok()?, path)))
            .collect();
        let mut opened = Vec::new();
        // A deleted file that is not live is not left for another that is no better.
        if !files.iter().any(|&(file, _)| file == current) {
            opened.push((standing.map(Standing::not_live), None));
        }
        for (file, path) in files {
            if file == current {
                opened.push((standing, None));
            } else if let Ok(segment) =
                Segment::open(&path, Wait::No, self.refuse_simulated, surroundings)
                && let Ok(snapshot) = segment.snapshot(Wait::No)
                && let Ok(standing) = snapshot.standing(surroundings)
            {
                opened.push((Some(standing), Some(segment)));
            }
        }
        preferred(opened)?
    }
}

/// Returns the segment with the greatest rank, the first of several.
fn preferred<T>(opened: Vec<(Option<Standing>, T)>) -> Option<T> {
    let standings = opened.iter().filter_map(|&(standing, _)| standing);
    let is_any_disrupted = standings.into_iter().any(Standing::is_disrupted);
    let rank = |standing: Option<Standing>| standing.map(|it| it.rank(is_any_disrupted));
    opened
        .into_iter()
        .reduce(|best, other| {
            if rank(other.0) > rank(best.0) {
                other
            } else {
                best
            }
        })
        .map(|(_, segment)| segment)
}

fn is_not_found(err: &Error) -> bool {
    matches!(
        err,
        Error::Open { source: ReadError::Io(err), .. } if err.kind() == io::ErrorKind::NotFound
    )
}
