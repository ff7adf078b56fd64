//! The reader of a segment of any layout. It takes no lock, allocates nothing after opening, and is
//! shared by reference.
//!
//! 1. [`Reader::open`] checks the header, maps the file, and waits briefly for an unfinished write;
//! 2. [`Reader::glance`] copies what the interval needs, once. It returns that part of the record
//!    if the generation is the one in the cache, so that the record was validated before;
//! 3. [`Reader::snapshot`] copies the whole record. It also retries, validates the record, and
//!    stores a new one in the cache. While a write is unfinished, it returns the last record in the
//!    cache.

mod error;
mod kept;
mod last_good;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use nix::fcntl::OFlag;

use crate::layout::diagnostics::Diagnostics;
use crate::layout::identified::{self, Identified};
use crate::layout::native::Native;
use crate::layout::v1::V1;
use crate::layout::v2::V2;
use crate::layout::v3::V3;
use crate::layout::{IntervalLayout, Layout};
use crate::memory::map::{Access, MIN_BYTES, Map, MapPair};
use crate::memory::sequence_lock::Generation;
use crate::record::Identity;

pub use error::ReadError;
pub use kept::Kept;

/// The number of waits for an unfinished write when a segment is opened. Together they are longer
/// than a scheduler's time slice.
const OPENING_WAITS: u32 = 50;
const OPENING_WAIT: Duration = Duration::from_micros(200);

/// Opens a file of any kind for reading.
///
/// # Errors
/// Those of open(2).
pub fn open_file(path: &Path) -> io::Result<File> {
    // Opening a FIFO would block without O_NONBLOCK, which has no effect on regular files.
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
    kept: Kept<L>,
}

/// A reader of the v1 layout.
pub type V1Reader = Reader<V1>;
/// A reader of the v2 layout.
pub type V2Reader = Reader<V2>;
/// A reader of the v3 layout.
pub type V3Reader = Reader<V3>;
/// A reader of the native layout.
pub type NativeReader = Reader<Native>;
/// A reader of the diagnostics.
pub type DiagnosticsReader = Reader<Diagnostics>;

impl<L: Layout> Reader<L> {
    /// Checks the header of the segment at `path` and maps it.
    ///
    /// # Errors
    /// Every [`ReadError`] except `Record`, `Simulated` and `WriteInProgress`.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Self::from_file(&open_file(path)?)
    }

    /// As [`open`](Self::open), for an open file.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_file(file: &File) -> Result<Self, ReadError> {
        let reader = Self::from_file_at_once(file)?;
        reader.wait_for_unfinished_write();
        Ok(reader)
    }

    /// As [`from_file`](Self::from_file), without waiting for an unfinished write.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_file_at_once(file: &File) -> Result<Self, ReadError> {
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
        let size = L::check(&Map::new(file, MIN_BYTES, Access::Read)?)?;
        let expected = size.into();
        // Read again: a writer may have extended the file before it wrote the header.
        let found = file.metadata()?.len();
        if found < expected {
            return Err(ReadError::TooShort { found, expected });
        }
        let map = Map::new(file, L::record_end(size), Access::Read)?;
        if L::generation(&map).load(Ordering::Relaxed) == 0 {
            return Err(ReadError::NotInitialized);
        }
        Ok(Self {
            map,
            kept: Kept::default(),
        })
    }

    /// The same reader, which refuses simulated records from now on if `is_refused`.
    #[must_use]
    pub fn refusing_simulated(self, is_refused: bool) -> Self {
        let kept = Kept::refusing_simulated(is_refused);
        Self { kept, ..self }
    }

    /// Waits for an unfinished write, whose writer may have been preempted, so that a fallback
    /// record is available from the beginning.
    pub fn wait_for_unfinished_write(&self) {
        for _ in 0..OPENING_WAITS {
            match self.snapshot() {
                Err(ReadError::WriteInProgress) => thread::sleep(OPENING_WAIT),
                _ => return,
            }
        }
    }

    /// The whole record that was written last. While a write is unfinished, the last record that
    /// was read here.
    ///
    /// # Errors
    /// `WriteInProgress`, `NotInitialized`, `Simulated` or `Record`.
    pub fn snapshot(&self) -> Result<L::Record, ReadError> {
        self.kept.snapshot(&self.map, 0)
    }

    /// As [`snapshot`](Self::snapshot), with one attempt: an unfinished write is an error.
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot).
    pub fn snapshot_at_once(&self) -> Result<L::Record, ReadError> {
        self.kept.snapshot_at_once(&self.map, 0)
    }

    /// Moves the segment into the map `index` of `maps`, as the file `number`, with the last record
    /// that was read here.
    ///
    /// # Errors
    /// Those of [`MapPair::replace`].
    pub fn move_to(
        self,
        maps: &MapPair,
        index: usize,
        kept: &Kept<L>,
        number: u64,
    ) -> io::Result<()> {
        maps.replace(index, self.map)?;
        kept.take_over(&self.kept, number);
        Ok(())
    }

    /// The current generation, for tools and tests.
    #[must_use]
    pub fn generation(&self) -> u64 {
        L::generation(&self.map).load(Ordering::Relaxed)
    }
}

impl<L: IntervalLayout> Reader<L> {
    /// What the interval needs of the record that was written last, if that was read here before
    /// and no write is in progress. This is the usual case. All other fields of the record are 0.
    #[inline]
    #[must_use]
    pub fn glance(&self) -> Option<L::Record> {
        self.kept.glance(&self.map, 0)
    }
}

impl<L: Identified> Reader<L> {
    /// The boot and the time namespace of the segment's instants.
    #[must_use]
    pub fn identity(&self) -> Identity {
        identified::identity_of(&self.map)
    }
}
