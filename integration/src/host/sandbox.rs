//! A directory of its own for every test, gone when the test is over.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use super::user::UserAccount;

const PREFIX: &str = "clockbound-test-";

/// A temporary directory, removed when dropped, also by a panic.
///
/// Declare it before what lives in it, so that it is dropped last.
#[derive(Debug)]
pub struct Sandbox {
    root: PathBuf,
}

impl Sandbox {
    /// Makes the directory, and removes what test processes that were killed have left behind.
    ///
    /// # Panics
    /// If the temporary directory cannot be written to.
    #[expect(
        clippy::new_without_default,
        reason = "a default should not create directories"
    )]
    pub fn new() -> Sandbox {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let parent = std::env::temp_dir();
        remove_orphans(&parent);
        let name = format!(
            "{PREFIX}{}-{}",
            process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let root = parent.join(name);
        make_dir(&root, 0o755);
        Sandbox { root }
    }

    /// A path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Makes a directory inside with exactly this mode.
    pub fn dir(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        make_dir(&path, mode);
        path
    }

    /// Makes a run directory as chronyd wants it: its own, and closed to others.
    ///
    /// # Panics
    /// If the directory cannot be given to chronyd's account.
    pub fn chrony_dir(&self, name: &str) -> PathBuf {
        let path = self.dir(name, 0o750);
        let account = UserAccount::chrony();
        chown(&path, Some(account.uid), Some(account.gid)).expect("chown the run directory");
        path
    }

    /// Writes a file inside, making the directories above it.
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

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
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
    // The umask may have taken bits away.
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
