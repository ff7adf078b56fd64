//! The reader's side of a v1 segment: no lock, no allocation, `&self`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};

use nix::fcntl::OFlag;
use thiserror::Error;

use crate::header::{HEADER_BYTES, HeaderError};
use crate::map::{Access, Map};
use crate::sequence::{self, NoSnapshot};
use crate::v1::{self, PAYLOAD_WORDS, RecordError, V1Record};

/// Why a segment cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file cannot be opened or mapped.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The path is no regular file.
    #[error("not a regular file")]
    NotAFile,
    /// The file is shorter than its header says, or than a header.
    #[error("{found} bytes are too few for a segment of {expected}")]
    TooShort {
        /// The file's length.
        found: u64,
        /// The length that it should have at least.
        expected: u64,
    },
    /// Not a segment of this layout.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Nothing was written yet.
    #[error("the segment is not initialised yet")]
    NotInitialized,
    /// A write was cut short, and nothing was read before it.
    #[error("a write is in progress and does not end")]
    WriteInProgress,
    /// The writer wrote nonsense.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// A v1 segment, mapped for reading.
#[derive(Debug)]
pub struct V1Reader {
    map: Map,
    cache: LastGood,
}

impl V1Reader {
    /// Maps the segment at `path`, checked before it is mapped.
    ///
    /// # Errors
    /// [`ReadError`], all but `Record` and `WriteInProgress`.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        // Non-blocking, so that a FIFO does not hang; for a regular file it changes nothing.
        let flags = OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        Self::from_file(
            &OpenOptions::new()
                .read(true)
                .custom_flags(flags.bits())
                .open(path)?,
        )
    }

    /// As [`open`](Self::open), of a file that is open already.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_file(file: &File) -> Result<Self, ReadError> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(ReadError::NotAFile);
        }
        let found = metadata.len();
        if found < HEADER_BYTES as u64 {
            return Err(ReadError::TooShort {
                found,
                expected: HEADER_BYTES as u64,
            });
        }
        let header = Map::new(file, HEADER_BYTES, Access::Read)?.header();
        header.check(v1::VERSION, v1::SIZE as u32)?;
        if found < u64::from(header.size) {
            return Err(ReadError::TooShort {
                found,
                expected: header.size.into(),
            });
        }
        let map = Map::new(file, v1::SIZE, Access::Read)?;
        if map.generation().load(Ordering::Relaxed) == 0 {
            return Err(ReadError::NotInitialized);
        }
        Ok(Self {
            map,
            cache: LastGood::default(),
        })
    }

    /// The record that was written last. While a write is cut short, the last one that was read here.
    ///
    /// # Errors
    /// `WriteInProgress`, `NotInitialized` or `Record`.
    pub fn snapshot(&self) -> Result<V1Record, ReadError> {
        let mut payload = [0; PAYLOAD_WORDS];
        match sequence::read(self.map.generation(), self.map.payload(), &mut payload) {
            Ok(generation) => self.cache.keep(generation, &payload),
            Err(no_snapshot) => {
                payload = self.cache.last().ok_or(match no_snapshot {
                    NoSnapshot::NotInitialized => ReadError::NotInitialized,
                    NoSnapshot::WriteInProgress => ReadError::WriteInProgress,
                })?;
            }
        }
        Ok(V1Record::decode(&payload)?)
    }

    /// The generation as it stands, for tools and tests.
    #[must_use]
    pub fn generation(&self) -> u16 {
        self.map.generation().load(Ordering::Relaxed)
    }
}

/// The last payload that was read whole, for the time in which a dead writer's is half written.
///
/// A sequence lock of its own, whose writers step aside for each other: whoever finds it taken
/// has just read the same or a newer payload, and needs no cache.
#[derive(Debug, Default)]
struct LastGood {
    taken: AtomicBool,
    /// The segment's generation that is kept.
    of: AtomicU16,
    generation: AtomicU16,
    payload: [AtomicU64; PAYLOAD_WORDS],
}

impl LastGood {
    #[inline]
    fn keep(&self, generation: u16, payload: &[u64; PAYLOAD_WORDS]) {
        if self.of.load(Ordering::Relaxed) != generation {
            self.replace(generation, payload);
        }
    }

    #[cold]
    fn replace(&self, generation: u16, payload: &[u64; PAYLOAD_WORDS]) {
        if self.taken.swap(true, Ordering::Acquire) {
            return;
        }
        sequence::write(&self.generation, &self.payload, payload);
        self.of.store(generation, Ordering::Relaxed);
        self.taken.store(false, Ordering::Release);
    }

    fn last(&self) -> Option<[u64; PAYLOAD_WORDS]> {
        let mut payload = [0; PAYLOAD_WORDS];
        sequence::read(&self.generation, &self.payload, &mut payload).ok()?;
        Some(payload)
    }
}
