//! The writer's side of a segment of any layout.
//!
//! Opening takes these steps; nothing at the path is touched before the lock is held:
//! 1. what stands at the path is looked at, not opened: only a regular file, or nothing, will do;
//! 2. the lock file beside it is locked: one writer a path;
//! 3. a file with a valid header is reused in place, its generation carried on. Its record is resumed when it
//!    is whole and of this boot; otherwise one that claims nothing takes its place at once. Only a write of this boot
//!    that was cut short stays as it is until the next: readers go by what they read before;
//! 4. anything else is replaced: a new segment is made in a temporary file and renamed over it, and
//!    readers of the old inode keep it;
//! 5. this boot's id goes into the lock file: from now on the segment holds a record of this boot.
//!
//! A segment of an earlier revision counts as valid: it is made longer, then its header is changed. Readers that have it
//! mapped do not notice; an earlier daemon that finds it replaces it.
//!
//! A file that is deleted afterwards, with or without its directory, is made again by
//! [`check_file`](Segment::check_file), in the steps 2, 4 and 5. Readers that have the deleted one mapped may not look for
//! another: it goes on being written.

mod error;
mod file_id;
mod lock;

use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::fcntl::OFlag;

pub use error::{OpenError, OpenErrorKind};

use crate::clock::now_ns;
use crate::identity::{BOOT_ID_PATH, Identity, boot_id_at};
use crate::layout::Layout;
use crate::map::{Access, Map};
use crate::native::{self, Native};
use crate::resume::{self, TooLong};
use crate::sequence::{self, Generation};
use crate::v1::V1;
use crate::v2::V2;
use error::Refusal;
use file_id::FileId;
use lock::Lock;

/// Readers are other users; writers are not.
const MODE: u32 = 0o644;

/// How many deleted files are written for the readers that have them mapped.
const MAX_DELETED: usize = 4;

/// What was found at the path, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A record of this boot: it goes on.
    Warm,
    /// A valid segment, reused in place, whose record could not be resumed: it claims nothing now, or is
    /// unreadable until the first write.
    Cold {
        /// Why its record could not be resumed.
        why: String,
    },
    /// A new segment; the path was free.
    Created,
    /// A new segment in place of something else.
    Replaced {
        /// What was wrong with the file.
        why: String,
    },
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warm => f.write_str("resumed"),
            Self::Cold { why } => write!(f, "reused, record dropped: {why}"),
            Self::Created => f.write_str("created"),
            Self::Replaced { why } => write!(f, "replaced: {why}"),
        }
    }
}

/// A segment, mapped for writing and locked against other writers, until it is dropped.
#[derive(Debug)]
pub struct Segment<L: Layout> {
    path: PathBuf,
    identity: Identity,
    /// Its lock keeps two threads from writing at once.
    state: Mutex<State<L>>,
}

#[derive(Debug)]
struct State<L: Layout> {
    map: Map,
    /// The file that is mapped.
    file: FileId,
    /// The record committed last.
    last: L::Record,
    lock: Lock,
    /// Files that were deleted, the oldest first.
    deleted: Vec<Map>,
    /// Whether another daemon has locked the path, so that nothing is written.
    is_displaced: bool,
}

/// A segment of the v1 layout.
pub type V1Segment = Segment<V1>;
/// A segment of the v2 layout.
pub type V2Segment = Segment<V2>;
/// A segment of the native layout.
pub type NativeSegment = Segment<Native>;

impl<L: Layout> Segment<L> {
    /// Opens the segment at `path`, making it if need be, as the module's documentation says.
    ///
    /// # Errors
    /// [`OpenError`]; nothing at the path has changed then.
    pub fn open(path: &Path) -> Result<(Self, Start), OpenError> {
        Self::open_in_boot(path, Path::new(BOOT_ID_PATH))
    }

    /// As [`open`](Self::open), with the boot's id read from `boot_id_path`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_in_boot(path: &Path, boot_id_path: &Path) -> Result<(Self, Start), OpenError> {
        let refused = |refusal: Refusal| OpenError::new(path, refusal);
        check_kind(path).map_err(refused)?;
        make_parent(path).map_err(|err| refused(Refusal::Parent(err)))?;
        let lock = Lock::take(path).map_err(refused)?;
        let identity = Identity {
            // Unreadable: no boot equals this one, so nothing is resumed.
            boot_id: boot_id_at(boot_id_path).unwrap_or_default(),
            // Unreadable: as in all but a few containers.
            namespace_offset_ns: Identity::own().map_or(0, |own| own.namespace_offset_ns),
        };
        let same_boot = identity.is_known() && lock.boot_id() == Some(identity.boot_id);
        let made = |start| {
            let record = L::no_claim(now_ns(L::CLOCK));
            let created = create::<L>(path, &identity, &record, None).map_err(refused)?;
            Ok((created, record, start))
        };
        let ((map, file), last, start) = match existing::<L>(path, &identity).map_err(refused)? {
            Existing::Valid(map, file) => {
                let (last, start) = reuse::<L>(&map, same_boot);
                ((map, file), last, start)
            }
            Existing::None => made(Start::Created)?,
            Existing::Unusable(why) => made(Start::Replaced { why })?,
        };
        lock.sign(&identity.boot_id).map_err(refused)?;
        let state = Mutex::new(State {
            map,
            file,
            last,
            lock,
            deleted: Vec::new(),
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

    /// Writes `record`. A generation that a crash left odd is healed.
    pub fn publish(&self, record: &L::Record) {
        let mut state = self.state();
        if !state.is_displaced {
            write::<L>(&state.map, record);
            state.write_deleted(record);
        }
        state.last = *record;
    }

    /// As [`publish`](Self::publish), with a call to `midway` when half of the record is written.
    #[cfg(feature = "fault-injection")]
    pub fn publish_interrupted(&self, record: &L::Record, midway: impl FnOnce()) {
        let mut state = self.state();
        if state.is_displaced {
            midway();
        } else {
            let (generation, cells) = (L::generation(&state.map), L::written(&state.map));
            sequence::write_interrupted(generation, cells, L::encode(record).as_ref(), midway);
            state.write_deleted(record);
        }
        state.last = *record;
    }

    /// Looks whether the segment and its lock file are still at their paths, and makes again what is not, with the record
    /// that stands in the segment; returns the path of what was made. It asks the system for the two files each time.
    ///
    /// Another daemon that has locked the path in the meantime is an error of the kind [`OpenErrorKind::Held`]; nothing is
    /// written then, until a later call finds the path free.
    ///
    /// # Errors
    /// As [`open`](Self::open). The segment can be written all the same.
    pub fn check_file(&self) -> Result<Option<PathBuf>, OpenError> {
        let mut state = self.state();
        state
            .restore(&self.path, &self.identity)
            .map_err(|refusal| OpenError::new(&self.path, refusal))
    }

    /// The record that stands in the segment: written last, or resumed. A write that was cut short
    /// does not count.
    #[must_use]
    pub fn last_record(&self) -> L::Record {
        self.state().last
    }

    /// The generation as it stands.
    #[must_use]
    pub fn generation(&self) -> u64 {
        L::generation(&self.state().map).load(Ordering::Relaxed)
    }

    /// A writer that panicked half-way leaves its lock poisoned and the last committed record in it.
    fn state(&self) -> MutexGuard<'_, State<L>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Segment<Native> {
    /// Keeps `content` for the next daemon of this boot. A process that is killed meanwhile leaves the content before.
    ///
    /// # Errors
    /// When it is longer than [`resume::CAPACITY`].
    pub fn store_resume(&self, content: &[u8]) -> Result<(), TooLong> {
        let state = self.state();
        if state.is_displaced {
            return Ok(());
        }
        resume::store(native::resume_area(&state.map), content)
    }

    /// The content that was kept last, by this daemon or by an earlier one of this boot, whether or not the record could be
    /// resumed; `None` when there is none that is whole.
    #[must_use]
    pub fn resume(&self) -> Option<Vec<u8>> {
        resume::load(native::resume_area(&self.state().map))
    }
}

impl<L: Layout> State<L> {
    /// Writes `record` for the readers of files that were deleted.
    fn write_deleted(&self, record: &L::Record) {
        for map in &self.deleted {
            write::<L>(map, record);
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
            // Nobody would correct it any more.
            write::<L>(&self.deleted.remove(0), &L::no_claim(now_ns(L::CLOCK)));
        }
        Ok(Some(path.to_owned()))
    }
}

enum Existing {
    None,
    Valid(Map, FileId),
    Unusable(String),
}

/// Refuses what is no regular file, without opening it: a FIFO would block, a symlink be followed.
fn check_kind(path: &Path) -> Result<(), Refusal> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(metadata) if metadata.is_dir() => Err(Refusal::Directory),
        Ok(metadata) if metadata.is_symlink() => Err(Refusal::Symlink),
        Ok(_) => Err(Refusal::Special),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(err) => Err(Refusal::Open(err)),
    }
}

/// Makes the last directory of the path, if it is missing; the ones above it are the system's.
fn make_parent(path: &Path) -> io::Result<()> {
    let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    else {
        return Ok(());
    };
    match fs::create_dir(parent) {
        // Set apart from the making, which the umask would have its say in.
        Ok(()) => fs::set_permissions(parent, Permissions::from_mode(0o755)),
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) if parent.is_dir() => Ok(()),
        Err(err) => Err(err),
    }
}

fn existing<L: Layout>(path: &Path, identity: &Identity) -> Result<Existing, Refusal> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags.bits())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Existing::None),
        Err(err) => return Err(Refusal::Open(err)),
    };
    // It may have been changed since it was looked at.
    if !file.metadata().map_err(Refusal::Open)?.is_file() {
        return Err(Refusal::Special);
    }
    let map = match Map::new(&file, L::MIN_SIZE, Access::ReadWrite) {
        Ok(map) => map,
        Err(err) if err.kind() == io::ErrorKind::InvalidData => {
            return Ok(Existing::Unusable(err.to_string()));
        }
        Err(err) => return Err(Refusal::Open(err)),
    };
    let unusable = |why| Ok(Existing::Unusable(why));
    let is_smaller = match L::check(&map) {
        Err(err) => return unusable(err.to_string()),
        Ok(size) if size as usize == L::SIZE => false,
        Ok(size) if size as usize == L::MIN_SIZE => true,
        Ok(size) => return unusable(format!("a size of {size} bytes")),
    };
    if let Err(why) = L::check_identity(&map, identity) {
        return unusable(why);
    }
    if L::generation(&map).load(Ordering::Relaxed) == 0 {
        return unusable("it was never initialised".to_owned());
    }
    let map = match map_all::<L>(&file, is_smaller) {
        Ok(map) => map,
        Err(err) => return unusable(err.to_string()),
    };
    // Only the owner may; for anybody else who can write here it is as the owner wanted it.
    let _ = file.set_permissions(Permissions::from_mode(MODE));
    let id = FileId::of(&file).map_err(Refusal::Open)?;
    Ok(Existing::Valid(map, id))
}

/// The whole of a valid segment, which is made longer first if it `is_smaller`.
fn map_all<L: Layout>(file: &File, is_smaller: bool) -> io::Result<Map> {
    // Never shorter: readers may have it mapped.
    if is_smaller && file.metadata()?.len() < L::SIZE as u64 {
        file.set_len(L::SIZE as u64)?;
    }
    let map = Map::new(file, L::SIZE, Access::ReadWrite)?;
    if is_smaller {
        L::grow(&map);
    }
    Ok(map)
}

/// Goes on with a valid segment in place.
fn reuse<L: Layout>(map: &Map, same_boot: bool) -> (L::Record, Start) {
    let now_ns = now_ns(L::CLOCK);
    let nothing = L::no_claim(now_ns);
    let mut written = L::Written::default();
    let read = sequence::read(L::generation(map), L::written(map), written.as_mut());
    let why = match read.map(|_| L::decode_written(&written)) {
        _ if !same_boot => "it may be of an earlier boot".to_owned(),
        // Left as it is: readers have the record before, which is no less true for this.
        Err(_) => {
            let why = "its last write was cut short".to_owned();
            return (nothing, Start::Cold { why });
        }
        Ok(Err(err)) => err.to_string(),
        Ok(Ok(record)) if L::as_of_ns(&record) > now_ns => "it is from the future".to_owned(),
        Ok(Ok(record)) => return (record, Start::Warm),
    };
    write::<L>(map, &nothing);
    (nothing, Start::Cold { why })
}

fn write<L: Layout>(map: &Map, record: &L::Record) {
    let words = L::encode(record);
    sequence::write(L::generation(map), L::written(map), words.as_ref());
}

/// Makes a new segment beside the path and renames it into place, in succession to `before` if there is one.
fn create<L: Layout>(
    path: &Path,
    identity: &Identity,
    record: &L::Record,
    before: Option<&Map>,
) -> Result<(Map, FileId), Refusal> {
    let make = || {
        let temporary = Temporary::new(path)?;
        let map = temporary.fill::<L>(identity, record)?;
        if let Some(before) = before {
            L::carry_over(before, &map);
        }
        let id = FileId::of(&temporary.file)?;
        temporary.rename(path)?;
        Ok((map, id))
    };
    make().map_err(Refusal::Create)
}

/// A file that is removed unless it was renamed.
struct Temporary {
    file: File,
    path: PathBuf,
}

impl Temporary {
    fn new(target: &Path) -> io::Result<Self> {
        let mut name = target.as_os_str().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let path = PathBuf::from(name);
        // Left by a daemon of the same id that was killed at this very step.
        let _ = fs::remove_file(&path);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(&path)?;
        Ok(Self { file, path })
    }

    fn fill<L: Layout>(&self, identity: &Identity, record: &L::Record) -> io::Result<Map> {
        self.file.set_len(L::SIZE as u64)?;
        let map = Map::new(&self.file, L::SIZE, Access::ReadWrite)?;
        L::set_header(&map, identity);
        write::<L>(&map, record);
        // Whatever the umask took away.
        self.file.set_permissions(Permissions::from_mode(MODE))?;
        Ok(map)
    }

    fn rename(&self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already when it was renamed.
        let _ = fs::remove_file(&self.path);
    }
}
