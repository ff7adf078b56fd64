//! A temporary directory for each test.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process;

use tempfile::TempDir;

use super::user::UserAccount;

const PREFIX: &str = "clockbound-test-";

/// A temporary directory that every account may enter, removed when dropped, also by a panic.
///
/// Declare it before the values that use it, so that it is dropped last.
#[derive(Debug)]
pub struct Sandbox {
    root: TempDir,
}

impl Sandbox {
    /// Creates the directory, and removes those of test processes that were killed.
    ///
    /// # Panics
    /// If the temporary directory cannot be written to.
    #[expect(
        clippy::new_without_default,
        reason = "a default should not create directories"
    )]
    pub fn new() -> Sandbox {
        remove_orphans(&std::env::temp_dir());
        let root = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", process::id()))
            .tempdir()
            .expect("create a temporary directory");
        set_mode(root.path(), 0o755);
        Sandbox { root }
    }

    /// A path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Creates a directory inside with exactly this mode.
    pub fn dir(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        make_dir(&path, mode);
        path
    }

    /// Creates a run directory as chronyd requires it: owned by chronyd's account, and closed to
    /// others.
    ///
    /// # Panics
    /// If the directory's owner cannot be changed.
    pub fn chrony_dir(&self, name: &str) -> PathBuf {
        let path = self.dir(name, 0o750);
        let account = UserAccount::chrony();
        chown(&path, Some(account.uid), Some(account.gid)).expect("chown the run directory");
        path
    }

    /// Writes a file inside, and creates the directories above it.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("make parent directories");
        fs::write(&path, content).expect("write a file of the sandbox");
        path
    }
}

/// The VMClock page that the daemon and the readers of a test use, beside the directory of the v1
/// segment at `path`.
///
/// # Panics
/// If the segment is not in a directory below another one.
pub fn vmclock_path(path: &Path) -> PathBuf {
    let directory = path.parent().and_then(Path::parent);
    directory.expect("a directory").join("vmclock0")
}

/// The names in a directory, in order.
///
/// # Panics
/// If it cannot be read.
pub fn names_in(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).expect("list a directory").flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Permission bits of a file.
///
/// # Panics
/// If there is none.
pub fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).expect("the file is there").mode() & 0o7777
}

fn make_dir(path: &Path, mode: u32) {
    fs::DirBuilder::new()
        .mode(mode)
        .create(path)
        .unwrap_or_else(|err| panic!("make {}: {err}", path.display()));
    // The umask may have removed bits.
    set_mode(path, mode);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .expect("set the mode of a new directory");
}

fn remove_orphans(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| {
            name.strip_prefix(PREFIX)?
                .split('-')
                .next()?
                .parse::<u32>()
                .ok()
        });
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
