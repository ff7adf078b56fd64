//! The segment's file: check, open, extend, create, replace.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use nix::fcntl::OFlag;

use super::error::Refusal;
use super::file_id::FileId;
use crate::layout::{Layout, SupportFlag};
use crate::memory::map::{Access, Map};
use crate::memory::sequence_lock::{self, Generation};
use crate::record::Identity;

/// Readers are other users; writers are not.
const MODE: u32 = 0o644;

/// What is at the path.
pub(super) enum Existing {
    None,
    Valid(Map, FileId),
    /// A file that has to be replaced, and why.
    Unusable(String),
}

/// Refuses everything except a regular file or a free path. It opens nothing: a FIFO would block,
/// and a symbolic link would be followed.
pub(super) fn check_kind(path: &Path) -> Result<(), Refusal> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(metadata) if metadata.is_dir() => Err(Refusal::Directory),
        Ok(metadata) if metadata.is_symlink() => Err(Refusal::Symlink),
        Ok(_) => Err(Refusal::Special),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(err) => Err(Refusal::Open(err)),
    }
}

/// Creates the last directory of the path if it is missing, but none above it.
pub(super) fn make_parent(path: &Path) -> io::Result<()> {
    let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    else {
        return Ok(());
    };
    match fs::create_dir(parent) {
        // Set separately, since the umask affects mkdir(2).
        Ok(()) => fs::set_permissions(parent, Permissions::from_mode(0o755)),
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) if parent.is_dir() => Ok(()),
        Err(err) => Err(err),
    }
}

/// Opens a regular file for reading and writing; `None` when there is none.
fn open(path: &Path) -> Result<Option<File>, Refusal> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags.bits())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(Refusal::Open(err)),
    };
    // The file may have been replaced since `check_kind`.
    if !file.metadata().map_err(Refusal::Open)?.is_file() {
        return Err(Refusal::Special);
    }
    Ok(Some(file))
}

/// Maps the record of the segment at `path`, of any boot and revision; `None` when there is no
/// segment of this layout.
pub(super) fn map_record<L: Layout>(path: &Path) -> Result<Option<Map>, Refusal> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    let map = |length| match Map::new(&file, length, Access::ReadWrite) {
        Ok(map) => Ok(Some(map)),
        Err(err) if err.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(err) => Err(Refusal::Open(err)),
    };
    match map(L::MIN_SIZE)?.map(|first| L::check(&first)) {
        Some(Ok(size)) => map(L::record_end(size)),
        Some(Err(_)) | None => Ok(None),
    }
}

/// Opens and maps a valid segment. One of an earlier revision is upgraded.
pub(super) fn existing<L: Layout>(path: &Path, identity: &Identity) -> Result<Existing, Refusal> {
    let Some(file) = open(path)? else {
        return Ok(Existing::None);
    };
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
    // Only the owner may change the mode. For another user with write access it is left unchanged.
    let _ = file.set_permissions(Permissions::from_mode(MODE));
    let id = FileId::of(&file).map_err(Refusal::Open)?;
    Ok(Existing::Valid(map, id))
}

/// Maps all of a valid segment. One that `is_smaller` is extended first, and one of an earlier
/// revision is upgraded.
fn map_all<L: Layout>(file: &File, is_smaller: bool) -> io::Result<Map> {
    // Never truncated: readers may have it mapped.
    if is_smaller && file.metadata()?.len() < L::SIZE as u64 {
        file.set_len(L::SIZE as u64)?;
    }
    let map = Map::new(file, L::SIZE, Access::ReadWrite)?;
    L::upgrade(&map);
    Ok(map)
}

/// Writes `record` under the sequence lock.
pub(super) fn write_record<L: Layout>(map: &Map, record: &L::Record) {
    let words = words_for::<L>(map, record);
    sequence_lock::write(L::generation(map), L::cells(map), words.as_ref());
}

/// Encodes `record` for `map`, whose support flag changes only as the layout permits.
pub(super) fn words_for<L: Layout>(map: &Map, record: &L::Record) -> L::Words {
    let mut words = L::encode(record);
    let wanted = L::disruption(record).supported;
    let permitted = match (L::SUPPORT, support_of::<L>(map)) {
        (SupportFlag::Free, _) | (_, None) => return words,
        (SupportFlag::NeverSet, Some(present)) => present && wanted,
        (SupportFlag::Fixed, Some(present)) => present,
    };
    L::set_support(&mut words, permitted);
    words
}

/// The support flag in a file whose writer this process is; `None` before the first write.
pub(super) fn support_of<L: Layout>(map: &Map) -> Option<bool> {
    if L::generation(map).load(Ordering::Relaxed) == 0 {
        return None;
    }
    // Also of a write that was cut short: every write since the first has the flag, or clears it.
    let mut words = L::Words::default();
    for (word, cell) in words.as_mut().iter_mut().zip(L::cells(map)) {
        *word = cell.load(Ordering::Relaxed);
    }
    Some(L::support_in(&words))
}

/// Creates a new segment in a temporary file beside the path and renames it into place. It takes
/// over the resume area of `before`, if there is one.
pub(super) fn create<L: Layout>(
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
        // A daemon with the same process id may have been killed in this function.
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
        write_record::<L>(&map, record);
        // The umask may have removed bits.
        self.file.set_permissions(Permissions::from_mode(MODE))?;
        Ok(map)
    }

    fn rename(&self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After the rename, the file no longer exists under this name.
        let _ = fs::remove_file(&self.path);
    }
}
