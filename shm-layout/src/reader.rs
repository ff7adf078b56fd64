//! The reader's side of a segment of any layout: no lock, no allocation, `&self`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use nix::fcntl::OFlag;
use thiserror::Error;

use crate::cache::LastGood;
use crate::header::HeaderError;
use crate::identity::Identity;
use crate::layout::{Layout, MIN_BYTES, RecordError};
use crate::map::{Access, Map};
use crate::native::{self, Native};
use crate::sequence::{self, Generation, NoSnapshot};
use crate::v1::V1;
use crate::v2::V2;

/// How often, and how long each time, opening waits for a write in progress: longer than a scheduler's turn.
const OPENING_WAITS: u32 = 50;
const OPENING_WAIT: Duration = Duration::from_micros(200);

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

/// Opens a file that may be a segment, or anything else.
///
/// # Errors
/// What open(2) says.
pub fn open_file(path: &Path) -> io::Result<File> {
    // Non-blocking, so that a FIFO does not hang; for a regular file it changes nothing.
    let flags = OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
}

/// A segment, mapped for reading.
#[derive(Debug)]
pub struct Reader<L: Layout> {
    map: Map,
    cache: LastGood<L>,
    /// The odd generation that was waited for in vain; it is not waited for again.
    stuck: AtomicU64,
}

/// A reader of the v1 layout.
pub type V1Reader = Reader<V1>;
/// A reader of the v2 layout.
pub type V2Reader = Reader<V2>;
/// A reader of the native layout.
pub type NativeReader = Reader<Native>;

impl<L: Layout> Reader<L> {
    /// Maps the segment at `path`, checked before it is mapped.
    ///
    /// # Errors
    /// [`ReadError`], all but `Record` and `WriteInProgress`.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Self::from_file(&open_file(path)?)
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
        if found < MIN_BYTES as u64 {
            return Err(ReadError::TooShort {
                found,
                expected: MIN_BYTES as u64,
            });
        }
        let expected = L::check(&Map::new(file, MIN_BYTES, Access::Read)?)?.into();
        // Looked up again: a writer may have made it longer before it wrote the header.
        let found = file.metadata()?.len();
        if found < expected {
            return Err(ReadError::TooShort { found, expected });
        }
        let map = Map::new(file, L::MIN_SIZE, Access::Read)?;
        if L::generation(&map).load(Ordering::Relaxed) == 0 {
            return Err(ReadError::NotInitialized);
        }
        let reader = Self {
            map,
            cache: LastGood::default(),
            stuck: AtomicU64::new(0),
        };
        reader.wait_for_a_write();
        Ok(reader)
    }

    /// Gives a write that is in progress the time to end, so that there is a record to fall back on from
    /// the beginning: its writer may have been scheduled away for a moment.
    fn wait_for_a_write(&self) {
        for _ in 0..OPENING_WAITS {
            match self.snapshot() {
                Err(ReadError::WriteInProgress) => thread::sleep(OPENING_WAIT),
                _ => return,
            }
        }
    }

    /// The record that was written last. While a write is cut short, the last one that was read here.
    ///
    /// # Errors
    /// `WriteInProgress`, `NotInitialized` or `Record`.
    #[inline]
    pub fn snapshot(&self) -> Result<L::Record, ReadError> {
        self.glance().map_or_else(|| self.read_anew(), Ok)
    }

    /// The record that was written last, if it was read before and no write is in progress: nearly always.
    #[inline]
    #[must_use]
    pub fn glance(&self) -> Option<L::Record> {
        let mut payload = L::Payload::default();
        let (generation, cells) = (L::generation(&self.map), L::payload(&self.map).as_ref());
        let generation = sequence::read_once(generation, cells, payload.as_mut())?;
        self.cache.holds(generation).then(|| L::recall(&payload))
    }

    /// The record of a write that was not seen before or is in progress; if that one does not end, what was
    /// read before it.
    #[cold]
    fn read_anew(&self) -> Result<L::Record, ReadError> {
        let (generation, cells) = (L::generation(&self.map), L::payload(&self.map).as_ref());
        let recall = || self.cache.last().as_ref().map(L::recall);
        let stuck = self.stuck.load(Ordering::Relaxed);
        let known = stuck != 0 && generation.load(Ordering::Relaxed) == stuck;
        if known && let Some(record) = recall() {
            return Ok(record);
        }
        let mut payload = L::Payload::default();
        match sequence::read(generation, cells, payload.as_mut()) {
            Ok(generation) => {
                let record = L::decode(&payload)?;
                self.cache.keep(generation, &payload);
                Ok(record)
            }
            Err(no_snapshot) => {
                let odd = generation.load(Ordering::Relaxed) | 1;
                self.stuck.store(odd, Ordering::Relaxed);
                recall().ok_or(match no_snapshot {
                    NoSnapshot::NotInitialized => ReadError::NotInitialized,
                    NoSnapshot::WriteInProgress => ReadError::WriteInProgress,
                })
            }
        }
    }

    /// The generation as it stands, for tools and tests.
    #[must_use]
    pub fn generation(&self) -> u64 {
        L::generation(&self.map).load(Ordering::Relaxed)
    }
}

impl Reader<Native> {
    /// Whose instants the segment's are.
    #[must_use]
    pub fn identity(&self) -> Identity {
        native::identity_of(&self.map)
    }
}
