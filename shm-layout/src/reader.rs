//! The reader's side of a v1 segment: no lock, no allocation, `&self`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use nix::fcntl::OFlag;
use thiserror::Error;

use crate::header::{HEADER_BYTES, HeaderError};
use crate::map::{Access, Map};
use crate::sequence::{self, NoSnapshot};
use crate::v1::{self, PAYLOAD_WORDS, RecordError, V1Record};

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
        let reader = Self {
            map,
            cache: LastGood::default(),
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
/// Two slots, each with a sequence lock: one is written while the other can be read, whoever is stopped
/// at whatever point. Writers step aside for each other: one that finds the cache taken has read much the same.
#[derive(Debug, Default)]
struct LastGood {
    taken: AtomicBool,
    /// The segment's generation that is kept.
    of: AtomicU16,
    /// Which slot is the newer one: 0 or 1.
    current: AtomicUsize,
    slots: [Slot; 2],
}

#[derive(Debug, Default)]
struct Slot {
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
        let older = 1 - self.current.load(Ordering::Relaxed);
        let slot = &self.slots[older];
        sequence::write(&slot.generation, &slot.payload, payload);
        self.current.store(older, Ordering::Release);
        self.of.store(generation, Ordering::Relaxed);
        self.taken.store(false, Ordering::Release);
    }

    fn last(&self) -> Option<[u64; PAYLOAD_WORDS]> {
        let slot = &self.slots[self.current.load(Ordering::Acquire)];
        let mut payload = [0; PAYLOAD_WORDS];
        sequence::read(&slot.generation, &slot.payload, &mut payload).ok()?;
        Some(payload)
    }
}
