//! The lock file: it allows one writer for each path, and records the boot of the segment's record.
//!
//! The file is beside the segment and has mode 0600. The segment itself cannot be the lock file:
//! any user may open it, and everyone who can open a file can lock it. The file remains when the
//! daemon exits, since a deleted lock file could be locked twice. Its text is `<pid> <boot id>`.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use super::error::Refusal;
use super::file_id::FileId;
use crate::record::parse_boot_id;

/// The length limit of the text, above that of a pid and a boot id.
const MAX_TEXT_BYTES: u64 = 128;

/// A lock. It is released when it is dropped, or when the process exits.
#[derive(Debug)]
pub(super) struct Lock {
    file: Flock<File>,
    id: FileId,
    path: PathBuf,
    boot_id: Option<[u8; 16]>,
}

impl Lock {
    /// Locks the lock file of `segment`, and creates it if it is missing.
    pub(super) fn take(segment: &Path) -> Result<Self, Refusal> {
        let path = path_of(segment);
        let file = open(&path, true).map_err(Refusal::LockFile)?;
        Self::of(file, path)
    }

    /// As [`take`](Self::take); `None` when the lock file is missing.
    pub(super) fn take_existing(segment: &Path) -> Result<Option<Self>, Refusal> {
        let path = path_of(segment);
        match open(&path, false) {
            Ok(file) => Self::of(file, path).map(Some),
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(err) => Err(Refusal::LockFile(err)),
        }
    }

    fn of(file: File, path: PathBuf) -> Result<Self, Refusal> {
        let metadata = file.metadata().map_err(Refusal::LockFile)?;
        if !metadata.is_file() {
            return Err(Refusal::LockFile(io::Error::other(
                "it is not a regular file",
            )));
        }
        let id = FileId::of(&file).map_err(Refusal::LockFile)?;
        let text = read(&file);
        let mut words = text.split_whitespace();
        let pid = words.next().map(str::to_owned);
        let boot_id = words.next().and_then(parse_boot_id);
        let file =
            Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(
                |(_, errno)| match errno {
                    Errno::EWOULDBLOCK => {
                        Refusal::Held(pid.unwrap_or_else(|| "unknown".to_owned()))
                    }
                    errno => Refusal::LockFile(errno.into()),
                },
            )?;
        Ok(Self {
            file,
            id,
            path,
            boot_id,
        })
    }

    /// The lock file's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the locked file is still at its path. If not, another daemon may have locked the
    /// file that is.
    pub(super) fn is_in_place(&self) -> bool {
        self.id.is_at(&self.path)
    }

    /// The boot in which the segment was last written, if it is known.
    pub(super) fn boot_id(&self) -> Option<[u8; 16]> {
        self.boot_id
    }

    /// Writes that this process holds the lock, and that the segment's record is of this boot.
    pub(super) fn sign(&self, boot_id: &[u8; 16]) -> Result<(), Refusal> {
        let boot_id = u128::from_be_bytes(*boot_id);
        let text = format!("{} {boot_id:032x}\n", std::process::id());
        let write = || -> io::Result<()> {
            let file: &File = &self.file;
            // Only the owner may change the mode, which was correct when the file was created.
            let _ = file.set_permissions(Permissions::from_mode(0o600));
            // A process that is killed in between leaves the rest of a longer text, which `of`
            // ignores. An empty file would leave the boot unknown, and the record unused.
            file.write_all_at(text.as_bytes(), 0)?;
            file.set_len(text.len() as u64)
        };
        write().map_err(Refusal::LockFile)
    }
}

fn path_of(segment: &Path) -> PathBuf {
    let mut path = OsString::from(segment);
    path.push(".lock");
    PathBuf::from(path)
}

fn open(path: &Path, create: bool) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(create)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags.bits())
        .open(path)
}

/// The file's text; empty when it is not readable, so that the boot is unknown.
fn read(file: &File) -> String {
    let mut text = String::new();
    match file.take(MAX_TEXT_BYTES).read_to_string(&mut text) {
        Ok(_) => text,
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    const BOOT: [u8; 16] = [0xb0; 16];

    #[test]
    fn the_boot_is_known_at_every_instant_of_a_new_signature() {
        let directory = tempfile::tempdir().expect("a directory");
        let segment = directory.path().join("shm");
        let lock = Lock::take(&segment).expect("locked");
        lock.sign(&BOOT).expect("signed");
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    lock.sign(&BOOT).expect("signed");
                }
                is_done.store(true, Ordering::Relaxed);
            });
            while !is_done.load(Ordering::Relaxed) {
                let text = read(&File::open(path_of(&segment)).expect("the lock file"));
                let boot_id = text.split_whitespace().nth(1).and_then(parse_boot_id);
                assert_eq!(boot_id, Some(BOOT), "{text:?}");
            }
        });
    }

    #[test]
    fn the_rest_of_a_longer_text_is_ignored() {
        let directory = tempfile::tempdir().expect("a directory");
        let segment = directory.path().join("shm");
        let boot_id = u128::from_be_bytes(BOOT);
        let text = format!("7 {boot_id:032x}\n0b0\n");
        std::fs::write(path_of(&segment), text).expect("written");
        let lock = Lock::take(&segment).expect("locked");
        assert_eq!(lock.boot_id(), Some(BOOT));
    }
}
