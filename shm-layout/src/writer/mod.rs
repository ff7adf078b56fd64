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

mod error;
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
use crate::native::Native;
use crate::sequence::{self, Generation};
use crate::v1::V1;
use crate::v2::V2;
use error::Refusal;
use lock::Lock;

/// Readers are other users; writers are not.
const MODE: u32 = 0o644;

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
    map: Map,
    /// The record committed last; its lock also keeps two threads from writing at once.
    last: Mutex<L::Record>,
    _lock: Lock,
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
        let made = |start| create::<L>(path, &identity, start).map_err(refused);
        let (map, last, start) = match existing::<L>(path, &identity).map_err(refused)? {
            Existing::Valid(map) => reuse::<L>(map, same_boot),
            Existing::None => made(Start::Created)?,
            Existing::Unusable(why) => made(Start::Replaced { why })?,
        };
        lock.sign(&identity.boot_id).map_err(refused)?;
        Ok((
            Self {
                map,
                last: Mutex::new(last),
                _lock: lock,
            },
            start,
        ))
    }

    /// Writes `record`. A generation that a crash left odd is healed.
    pub fn publish(&self, record: &L::Record) {
        let mut last = self.last();
        write::<L>(&self.map, record);
        *last = *record;
    }

    /// As [`publish`](Self::publish), with a call to `midway` when half of the record is written.
    #[cfg(feature = "fault-injection")]
    pub fn publish_interrupted(&self, record: &L::Record, midway: impl FnOnce()) {
        let mut last = self.last();
        let (generation, payload) = (L::generation(&self.map), L::payload(&self.map).as_ref());
        sequence::write_interrupted(generation, payload, L::encode(record).as_ref(), midway);
        *last = *record;
    }

    /// The record that stands in the segment: written last, or resumed. A write that was cut short
    /// does not count.
    #[must_use]
    pub fn last_record(&self) -> L::Record {
        *self.last()
    }

    /// The generation as it stands.
    #[must_use]
    pub fn generation(&self) -> u64 {
        L::generation(&self.map).load(Ordering::Relaxed)
    }

    /// A writer that panicked half-way leaves its lock poisoned and the last committed record in it.
    fn last(&self) -> MutexGuard<'_, L::Record> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Existing {
    None,
    Valid(Map),
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
    let map = match Map::new(&file, L::SIZE, Access::ReadWrite) {
        Ok(map) => map,
        Err(err) if err.kind() == io::ErrorKind::InvalidData => {
            return Ok(Existing::Unusable(err.to_string()));
        }
        Err(err) => return Err(Refusal::Open(err)),
    };
    let unusable = |why| Ok(Existing::Unusable(why));
    match L::check(&map) {
        Err(err) => return unusable(err.to_string()),
        Ok(size) if size as usize != L::SIZE => return unusable(format!("a size of {size} bytes")),
        Ok(_) => {}
    }
    if let Err(why) = L::check_identity(&map, identity) {
        return unusable(why);
    }
    if L::generation(&map).load(Ordering::Relaxed) == 0 {
        return unusable("it was never initialised".to_owned());
    }
    // Only the owner may; for anybody else who can write here it is as the owner wanted it.
    let _ = file.set_permissions(Permissions::from_mode(MODE));
    Ok(Existing::Valid(map))
}

/// Goes on with a valid segment in place.
fn reuse<L: Layout>(map: Map, same_boot: bool) -> (Map, L::Record, Start) {
    let now_ns = now_ns(L::CLOCK);
    let nothing = L::no_claim(now_ns);
    let mut payload = L::Payload::default();
    let read = sequence::read(
        L::generation(&map),
        L::payload(&map).as_ref(),
        payload.as_mut(),
    );
    let why = match read.map(|_| L::decode(&payload)) {
        _ if !same_boot => "it may be of an earlier boot".to_owned(),
        // Left as it is: readers have the record before, which is no less true for this.
        Err(_) => {
            let why = "its last write was cut short".to_owned();
            return (map, nothing, Start::Cold { why });
        }
        Ok(Err(err)) => err.to_string(),
        Ok(Ok(record)) if L::as_of_ns(&record) > now_ns => "it is from the future".to_owned(),
        Ok(Ok(record)) => return (map, record, Start::Warm),
    };
    write::<L>(&map, &nothing);
    (map, nothing, Start::Cold { why })
}

fn write<L: Layout>(map: &Map, record: &L::Record) {
    let payload = L::encode(record);
    sequence::write(
        L::generation(map),
        L::payload(map).as_ref(),
        payload.as_ref(),
    );
}

/// Makes a new segment beside the path and renames it into place.
fn create<L: Layout>(
    path: &Path,
    identity: &Identity,
    start: Start,
) -> Result<(Map, L::Record, Start), Refusal> {
    let temporary = Temporary::new(path).map_err(Refusal::Create)?;
    let record = L::no_claim(now_ns(L::CLOCK));
    let map = temporary
        .fill::<L>(identity, &record)
        .map_err(Refusal::Create)?;
    temporary.rename(path).map_err(Refusal::Create)?;
    Ok((map, record, start))
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
