//! Reads recordings line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::summary::Summary;
use crate::exit::{Exit, Failure};
use crate::record::row::Columns;

/// A line that is longer was not written by a recorder.
const LONGEST_LINE: usize = 16 * 1024;

/// Reads the files in the order of their first rows.
///
/// # Errors
/// A file cannot be read, or is no recording.
pub fn summarize(paths: &[PathBuf]) -> Result<Summary, Failure> {
    let mut by_time = Vec::new();
    for path in paths {
        by_time.push((first_time_ns(path)?, path));
    }
    by_time.sort();
    let mut summary = Summary::default();
    for (_, path) in by_time {
        read(path, |line| match line {
            Line::Row(row) => summary.add(row),
            Line::Malformed => summary.malformed_lines += 1,
        })?;
        summary.files += 1;
    }
    Ok(summary)
}

enum Line {
    Row(Box<crate::record::row::Row>),
    Malformed,
}

/// The time of the first row; `None` if there is none.
fn first_time_ns(path: &Path) -> Result<Option<i64>, Failure> {
    let mut lines = Lines::open(path)?;
    let columns = lines.columns()?;
    while let Some(line) = lines.next()? {
        if let Ok(row) = columns.parse(line) {
            return Ok(Some(row.unix_ns));
        }
    }
    Ok(None)
}

fn read(path: &Path, mut take: impl FnMut(Line)) -> Result<(), Failure> {
    let mut lines = Lines::open(path)?;
    let columns = lines.columns()?;
    while let Some(line) = lines.next()? {
        take(match columns.parse(line) {
            Ok(row) => Line::Row(Box::new(row)),
            Err(_) => Line::Malformed,
        });
    }
    Ok(())
}

/// The lines of a file, in a buffer that does not grow beyond one line.
struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    buffer: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn open(path: &'a Path) -> Result<Self, Failure> {
        let file = File::open(path).map_err(|source| file_failure(path, source))?;
        Ok(Self {
            path,
            reader: BufReader::with_capacity(1 << 16, file),
            buffer: Vec::new(),
        })
    }

    /// Reads the header.
    fn columns(&mut self) -> Result<Columns, Failure> {
        let path = self.path;
        let columns = self.next()?.and_then(Columns::of);
        columns.ok_or_else(|| {
            let text = format!(
                "{}: its first line is not the header of a recording",
                path.display()
            );
            Failure::Other(Exit::DataError, text)
        })
    }

    /// The next line. One that is too long or not UTF-8 reads as empty, which is no row.
    fn next(&mut self) -> Result<Option<&str>, Failure> {
        self.buffer.clear();
        let mut is_too_long = false;
        loop {
            let failed = |source| file_failure(self.path, source);
            let available = self.reader.fill_buf().map_err(failed)?;
            if available.is_empty() {
                if self.buffer.is_empty() && !is_too_long {
                    return Ok(None);
                }
                break;
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            if self.buffer.len() + part.len() <= LONGEST_LINE {
                self.buffer.extend_from_slice(part);
            } else {
                is_too_long = true;
            }
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        if is_too_long {
            return Ok(Some(""));
        }
        Ok(Some(std::str::from_utf8(&self.buffer).unwrap_or("")))
    }
}

fn file_failure(path: &Path, source: io::Error) -> Failure {
    Failure::File {
        path: path.to_owned(),
        source,
    }
}
