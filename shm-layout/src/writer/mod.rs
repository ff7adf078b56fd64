//! The writer of a segment of any layout.
//!
//! [`Segment::open`] takes these steps. It changes nothing at the path before it holds the lock:
//! 1. check what is at the path, without opening it: only a regular file or a free path is
//!    accepted;
//! 2. lock the lock file beside it, so that each path has one writer;
//! 3. if the header is valid, reuse the file in place and continue its generation. A complete
//!    record of this boot that is not simulated is resumed; any other is replaced at once by one
//!    that claims nothing. Exception: after an unfinished write of this boot the record stays until
//!    the next write, since readers still use the previous one;
//! 4. otherwise, replace the file: create a segment in a temporary file and rename it. Readers of
//!    the old inode keep it;
//! 5. write this boot's id to the lock file: from now on the segment's record is of this boot.
//!
//! A segment of an earlier revision is valid. It is extended, then its header is changed. Readers
//! that have it mapped are not affected; an older daemon that finds it later replaces it.
//!
//! The v3 layout differs, because its readers cannot tell that a record is of an earlier boot, and
//! fail for ever if they open a file during a write or if the disruption support flag changes. A
//! file that may be of an earlier boot is removed before anything else, after step 2. An unfinished
//! write of this boot is replaced at once in step 3. A file with the other support flag is replaced
//! in step 4, and is still written, with its own flag, for programs that have it mapped.
//!
//! The support flag of a v2 file is never set again once it is not set, whoever opens the file:
//! [`Segment::is_disruption_supported`] tells the result.
//!
//! [`retire`] removes the segment of a path that is not published any more.
//!
//! [`Segment::check_file`] recreates a file that was deleted afterwards, with or without its
//! directory, in the steps 2, 4 and 5. Readers that have the deleted file mapped may not check the
//! path again, so it is still written.

mod clock;
mod error;
mod file_id;
mod lock;
mod segment_file;
mod start;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::layout::diagnostics::Diagnostics;
use crate::layout::native::resume_area::{self, TooLong};
use crate::layout::native::{self, Native};
use crate::layout::v1::V1;
use crate::layout::v2::V2;
use crate::layout::v3::V3;
use crate::layout::{Layout, SupportFlag};
use crate::memory::map::Map;
use crate::memory::sequence_lock::{self, Generation};
use crate::record::{BOOT_ID_PATH, Identity, boot_id_at};
use clock::now_ns;
use error::Refusal;
use file_id::FileId;
use lock::Lock;
use segment_file::{
    Existing, check_kind, create, existing, make_parent, map_record, support_of, write_record,
};

pub use error::{OpenError, OpenErrorKind};
pub use start::Start;

/// How many deleted files are still written for readers that have them mapped.
const MAX_DELETED: usize = 4;

/// A segment, mapped for writing, and locked against other writers until it is dropped.
#[derive(Debug)]
pub struct Segment<L: Layout> {
    path: PathBuf,
    identity: Identity,
    /// The mutex makes sure that there is one writer at a time.
    state: Mutex<State<L>>,
}

#[derive(Debug)]
struct State<L: Layout> {
    map: Map,
    /// The mapped file.
    file: FileId,
    /// The last record that was written completely, or resumed.
    last: L::Record,
    lock: Lock,
    /// The maps of deleted files, the oldest first.
    deleted: Vec<Map>,
    /// Whether another daemon has locked the path. Then nothing is written.
    is_displaced: bool,
}

/// A segment of the v1 layout.
pub type V1Segment = Segment<V1>;
/// A segment of the v2 layout.
pub type V2Segment = Segment<V2>;
/// A segment of the v3 layout.
pub type V3Segment = Segment<V3>;
/// A segment of the native layout.
pub type NativeSegment = Segment<Native>;
/// A segment of the diagnostics.
pub type DiagnosticsSegment = Segment<Diagnostics>;

impl<L: Layout> Segment<L> {
    /// Opens the segment at `path`, or creates it, in the steps of the [module](self).
    ///
    /// # Errors
    /// [`OpenError`]; the path is then unchanged.
    pub fn open(path: &Path) -> Result<(Self, Start), OpenError> {
        Self::open_with(path, L::no_claim)
    }

    /// As [`open`](Self::open), with another record that claims nothing: `nothing` returns it, as of
    /// an instant of [`CLOCK`](Layout::CLOCK), ns.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        path: &Path,
        nothing: impl Fn(i64) -> L::Record,
    ) -> Result<(Self, Start), OpenError> {
        Self::open_in_boot_with(path, Path::new(BOOT_ID_PATH), nothing)
    }

    /// As [`open`](Self::open), with the boot id from the file `boot_id_path`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_in_boot(path: &Path, boot_id_path: &Path) -> Result<(Self, Start), OpenError> {
        Self::open_in_boot_with(path, boot_id_path, L::no_claim)
    }

    /// As [`open_with`](Self::open_with), with the boot id from the file `boot_id_path`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_in_boot_with(
        path: &Path,
        boot_id_path: &Path,
        nothing: impl Fn(i64) -> L::Record,
    ) -> Result<(Self, Start), OpenError> {
        let refused = |refusal: Refusal| OpenError::new(path, refusal);
        check_kind(path).map_err(refused)?;
        make_parent(path).map_err(|err| refused(Refusal::Parent(err)))?;
        let lock = Lock::take(path).map_err(refused)?;
        let identity = Identity {
            // If it is unreadable, no boot equals this one, so nothing is resumed.
            boot_id: boot_id_at(boot_id_path).unwrap_or_default(),
            // If it is unreadable, the initial time namespace is the likely one.
            namespace_offset_ns: Identity::own().map_or(0, |own| own.namespace_offset_ns),
        };
        let same_boot = identity.is_known() && lock.boot_id() == Some(identity.boot_id);
        let is_discarded = L::IS_REMOVED_AFTER_BOOT && !same_boot;
        let is_discarded = is_discarded && discard::<L>(path).map_err(refused)?;
        let made = |start| {
            let record = nothing(now_ns(L::CLOCK));
            let created = create::<L>(path, &identity, &record, None).map_err(refused)?;
            Ok((created, record, start))
        };
        let mut deleted = Vec::new();
        let nothing_supported = L::disruption(&nothing(0)).supported;
        let ((map, file), last, start) = match existing::<L>(path, &identity).map_err(refused)? {
            Existing::Valid(map, _)
                if L::SUPPORT == SupportFlag::Fixed
                    && support_of::<L>(&map) != Some(nothing_supported) =>
            {
                let why = "it has the other disruption support flag".to_owned();
                let made = made(Start::Replaced { why })?;
                write_record::<L>(&map, &made.1);
                deleted.push(map);
                made
            }
            Existing::Valid(map, file) => {
                let (last, start) = reuse::<L>(&map, same_boot, nothing(now_ns(L::CLOCK)));
                ((map, file), last, start)
            }
            Existing::None if is_discarded => made(Start::Replaced {
                why: OF_EARLIER_BOOT.to_owned(),
            })?,
            Existing::None => made(Start::Created)?,
            Existing::Unusable(why) => made(Start::Replaced { why })?,
        };
        lock.sign(&identity.boot_id).map_err(refused)?;
        let state = Mutex::new(State {
            map,
            file,
            last,
            lock,
            deleted,
            is_displaced: false,
        });
        let path = path.to_owned();
        Ok((
            Self {
                path,
                identity,
                state,
            },
            start,
        ))
    }

    /// Writes `record`. This also repairs a segment after an unfinished write.
    pub fn publish(&self, record: &L::Record) {
        let mut state = self.state();
        if !state.is_displaced {
            write_record::<L>(&state.map, record);
            state.write_deleted(record);
        }
        state.last.clone_from(record);
    }

    /// As [`publish`](Self::publish); calls `midway` after half of the record.
    #[cfg(feature = "fault-injection")]
    pub fn publish_interrupted(&self, record: &L::Record, midway: impl FnOnce()) {
        let mut state = self.state();
        if state.is_displaced {
            midway();
        } else {
            let (generation, cells) = (L::generation(&state.map), L::cells(&state.map));
            let words = segment_file::words_for::<L>(&state.map, record);
            sequence_lock::write_interrupted(generation, cells, words.as_ref(), midway);
            state.write_deleted(record);
        }
        state.last.clone_from(record);
    }

    /// Checks that the segment and its lock file are still at their paths, and recreates a missing
    /// one, with the current record; returns the path of the recreated file. Each call takes two
    /// system calls.
    ///
    /// If another daemon has locked the path in the meantime, the error's kind is
    /// [`OpenErrorKind::Held`], and [`publish`](Self::publish) writes nothing until a later call
    /// finds the path unlocked.
    ///
    /// # Errors
    /// As [`open`](Self::open). Except for the case above, the segment can still be written.
    pub fn check_file(&self) -> Result<Option<PathBuf>, OpenError> {
        let mut state = self.state();
        state
            .restore(&self.path, &self.identity)
            .map_err(|refusal| OpenError::new(&self.path, refusal))
    }

    /// The current record: the last one that was written completely, or the resumed one.
    #[must_use]
    pub fn last_record(&self) -> L::Record {
        self.state().last.clone()
    }

    /// Whether the records that readers find at the path have the disruption support flag. If it is
    /// not set in a file that is reused, it stays so.
    #[must_use]
    pub fn is_disruption_supported(&self) -> bool {
        let state = self.state();
        match L::SUPPORT {
            SupportFlag::Free => L::disruption(&state.last).supported,
            _ => support_of::<L>(&state.map) == Some(true),
        }
    }

    /// The current generation.
    #[must_use]
    pub fn generation(&self) -> u64 {
        L::generation(&self.state().map).load(Ordering::Relaxed)
    }

    /// A panic in the middle of a write poisons the mutex, but leaves the last complete record in
    /// the state.
    fn state(&self) -> MutexGuard<'_, State<L>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Segment<Native> {
    /// Stores `content` for the next daemon of this boot. If the process is killed in this
    /// function, the previous content remains.
    ///
    /// # Errors
    /// When `content` is longer than [`resume_area::CAPACITY`].
    pub fn store_resume(&self, content: &[u8]) -> Result<(), TooLong> {
        let state = self.state();
        if state.is_displaced {
            return Ok(());
        }
        resume_area::store(native::resume_words(&state.map), content)
    }

    /// The content that was stored last, by this daemon or an earlier one of this boot, even if the
    /// record could not be resumed; `None` when there is none, or it is damaged.
    #[must_use]
    pub fn resume(&self) -> Option<Vec<u8>> {
        resume_area::load(native::resume_words(&self.state().map))
    }
}

impl<L: Layout> State<L> {
    /// Writes `record` for the readers of deleted files.
    fn write_deleted(&self, record: &L::Record) {
        for map in &self.deleted {
            write_record::<L>(map, record);
        }
    }

    /// As [`Segment::check_file`].
    fn restore(&mut self, path: &Path, identity: &Identity) -> Result<Option<PathBuf>, Refusal> {
        let (is_locked, is_in_place) = (self.lock.is_in_place(), self.file.is_at(path));
        if is_locked && is_in_place {
            return Ok(None);
        }
        check_kind(path)?;
        make_parent(path).map_err(Refusal::Parent)?;
        if !is_locked {
            let taken = Lock::take(path);
            self.is_displaced |= matches!(taken, Err(Refusal::Held(_)));
            self.lock = taken?;
            self.is_displaced = false;
            self.lock.sign(&identity.boot_id)?;
        }
        if is_in_place {
            return Ok(Some(self.lock.path().to_owned()));
        }
        let (map, file) = create::<L>(path, identity, &self.last, Some(&self.map))?;
        self.file = file;
        self.deleted.push(std::mem::replace(&mut self.map, map));
        if self.deleted.len() > MAX_DELETED {
            // It is not written again, so it must not keep a claim.
            write_record::<L>(&self.deleted.remove(0), &L::retired(now_ns(L::CLOCK)));
        }
        Ok(Some(path.to_owned()))
    }
}

/// Retires the segment at `path`, which is not published any more: readers that have it mapped find
/// that it claims nothing, and others do not find it. Returns whether there was one: a segment of
/// this layout, with the lock file of an earlier writer beside it.
///
/// # Errors
/// [`OpenError`], of kind [`Held`](OpenErrorKind::Held) when another daemon publishes the segment.
/// The path is then unchanged.
pub fn retire<L: Layout>(path: &Path) -> Result<bool, OpenError> {
    let refused = |refusal: Refusal| OpenError::new(path, refusal);
    check_kind(path).map_err(refused)?;
    // Without a lock file, a daemon that does not lock its segments may still publish it.
    let Some(_lock) = Lock::take_existing(path).map_err(refused)? else {
        return Ok(false);
    };
    let Some(map) = map_record::<L>(path).map_err(refused)? else {
        return Ok(false);
    };
    write_record::<L>(&map, &L::retired(now_ns(L::CLOCK)));
    fs::remove_file(path).map_err(|err| refused(Refusal::Remove(err)))?;
    Ok(true)
}

/// Removes the file at `path`, which may be of an earlier boot; returns whether there was one. If a
/// program has it mapped after all, it claims nothing any more.
fn discard<L: Layout>(path: &Path) -> Result<bool, Refusal> {
    // A file that cannot be mapped is removed all the same.
    let map = map_record::<L>(path).ok().flatten();
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(err) => return Err(Refusal::Remove(err)),
    }
    if let Some(map) = map {
        write_record::<L>(&map, &L::retired(now_ns(L::CLOCK)));
    }
    Ok(true)
}

const OF_EARLIER_BOOT: &str = "it may be of an earlier boot";
const CUT_SHORT: &str = "its last write was cut short";

/// Resumes the record of a valid segment, or replaces it by one that claims nothing.
fn reuse<L: Layout>(map: &Map, same_boot: bool, nothing: L::Record) -> (L::Record, Start) {
    let mut words = L::Words::default();
    let read = sequence_lock::read(L::generation(map), L::cells(map), words.as_mut());
    let why = match read.map(|_| L::decode(&words)) {
        _ if !same_boot => OF_EARLIER_BOOT.to_owned(),
        Err(_) if L::IS_REMOVED_AFTER_BOOT => CUT_SHORT.to_owned(),
        // Left unchanged: readers still have the previous record, which is still valid.
        Err(_) => {
            let why = CUT_SHORT.to_owned();
            return (nothing, Start::Cold { why });
        }
        Ok(Err(err)) => err.to_string(),
        Ok(Ok(record)) if L::is_from_future(&record, &nothing) => {
            "it is from the future".to_owned()
        }
        // A daemon must not take over what is not true.
        Ok(Ok(record)) if L::is_simulated(&record) => "a program simulated it".to_owned(),
        Ok(Ok(record)) => return (record, Start::Warm),
    };
    write_record::<L>(map, &nothing);
    (nothing, Start::Cold { why })
}
