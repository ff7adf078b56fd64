//! The files of a recording: FILE, and FILE.1 ... of which FILE.1 is the newest.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use thiserror::Error;

use super::row::header;

/// How large files become, and how many are kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A file that would become larger is renamed, bytes.
    pub max_bytes: u64,
    /// The number of renamed files.
    pub keep: u32,
}

/// Why a recording failed.
#[derive(Debug, Error)]
pub enum FileError {
    /// Another process records to the file.
    #[error("{}: another process records to it", .0.display())]
    InUse(PathBuf),
    /// A row was written in part, and removed again.
    #[error("{}: the file system took {taken} of {size} bytes; is it full?", path.display())]
    Short {
        /// The file.
        path: PathBuf,
        /// The bytes that were written.
        taken: usize,
        /// The bytes of the row.
        size: usize,
    },
    /// An operation failed.
    #[error("{}: failed to {action}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        action: &'static str,
        /// The cause.
        source: io::Error,
    },
}

/// The open file of a recording.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    limits: Limits,
    file: Flock<File>,
    size: u64,
    /// A row was cut by the end of an earlier recorder.
    is_cut: bool,
    rotations: u64,
}

impl Recording {
    /// Opens or creates the file. One with another header is renamed.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open(path: &Path, limits: Limits) -> Result<Recording, FileError> {
        let mut recording = Recording::open_locked(path, limits)?;
        match recording.first_line()? {
            None => recording.write(header().as_bytes())?,
            Some(line) if line == header() => {
                recording.is_cut = !recording.ends_with_line_feed()?
            }
            Some(_) => recording.rotate()?,
        }
        Ok(recording)
    }

    /// How often the file was renamed because of its size.
    pub fn rotations(&self) -> u64 {
        self.rotations
    }

    /// Appends a row with one write(2).
    ///
    /// # Errors
    /// [`FileError`].
    pub fn append(&mut self, line: &str) -> Result<(), FileError> {
        let size = self.size.saturating_add(bytes(line.len()));
        let header_size = bytes(header().len());
        if size > self.limits.max_bytes && self.size > header_size {
            self.rotate()?;
            self.rotations += 1;
        }
        if self.is_cut {
            // Ends the cut row, which readers then ignore.
            self.write(format!("\n{line}").as_bytes())?;
            self.is_cut = false;
            Ok(())
        } else {
            self.write(line.as_bytes())
        }
    }

    fn open_locked(path: &Path, limits: Limits) -> Result<Recording, FileError> {
        let failed = |action, source| FileError::Io {
            path: path.to_owned(),
            action,
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|err| failed("open", err))?;
        let is_regular = file.metadata().map_err(|err| failed("inspect", err))?;
        if !is_regular.is_file() {
            let err = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
            return Err(failed("record", err));
        }
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
            if errno == Errno::EWOULDBLOCK {
                FileError::InUse(path.to_owned())
            } else {
                failed("lock", errno.into())
            }
        })?;
        let size = file.metadata().map_err(|err| failed("inspect", err))?.len();
        Ok(Recording {
            path: path.to_owned(),
            limits,
            file,
            size,
            is_cut: false,
            rotations: 0,
        })
    }

    /// The beginning of the file up to its first line feed, or as long as a header; `None` if the
    /// file is empty.
    fn first_line(&mut self) -> Result<Option<String>, FileError> {
        let mut start = Vec::new();
        let limit = bytes(header().len());
        let read = self.file.seek(SeekFrom::Start(0)).and_then(|_| {
            Read::by_ref(&mut *self.file)
                .take(limit)
                .read_to_end(&mut start)
        });
        read.map_err(|err| self.failed("read", err))?;
        Ok((!start.is_empty()).then(|| String::from_utf8_lossy(&start).into_owned()))
    }

    fn ends_with_line_feed(&mut self) -> Result<bool, FileError> {
        let mut last = [0];
        let read = self
            .file
            .seek(SeekFrom::End(-1))
            .and_then(|_| self.file.read_exact(&mut last));
        read.map_err(|err| self.failed("read", err))?;
        Ok(last == [b'\n'])
    }

    /// Renames the files, and begins a new one.
    fn rotate(&mut self) -> Result<(), FileError> {
        if self.limits.keep == 0 {
            fs::remove_file(&self.path).map_err(|err| self.failed("remove", err))?;
        } else {
            for number in (1..self.limits.keep).rev() {
                self.rename(&numbered(&self.path, number), number + 1)?;
            }
            self.rename(&self.path, 1)?;
        }
        let rotations = self.rotations;
        *self = Recording::open_locked(&self.path, self.limits)?;
        self.rotations = rotations;
        self.write(header().as_bytes())
    }

    fn rename(&self, from: &Path, number: u32) -> Result<(), FileError> {
        match fs::rename(from, numbered(&self.path, number)) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => Err(self.failed("rename", err)),
            _ => Ok(()),
        }
    }

    /// Writes all bytes with one write(2), or none.
    fn write(&mut self, bytes_of_row: &[u8]) -> Result<(), FileError> {
        let taken = self
            .file
            .write(bytes_of_row)
            .map_err(|err| self.failed("write", err))?;
        if taken < bytes_of_row.len() {
            // If this fails too, the next recorder ends the cut row.
            let _ = self.file.set_len(self.size);
            return Err(FileError::Short {
                path: self.path.clone(),
                taken,
                size: bytes_of_row.len(),
            });
        }
        self.size = self.size.saturating_add(bytes(taken));
        Ok(())
    }

    fn failed(&self, action: &'static str, source: io::Error) -> FileError {
        FileError::Io {
            path: self.path.clone(),
            action,
            source,
        }
    }
}

/// FILE.NUMBER.
pub fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
