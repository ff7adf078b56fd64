//! Why a segment cannot be opened for writing.

use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};
use thiserror::Error;

/// Why a segment cannot be opened for writing. The message is one line and includes a remedy.
#[derive(Debug, Error)]
#[error("segment {}: {refusal}", path.display())]
pub struct OpenError {
    path: PathBuf,
    #[source]
    refusal: Refusal,
}

/// The reason for an [`OpenError`].
#[derive(Debug, Error)]
pub(super) enum Refusal {
    #[error("this is a directory; give the path of a file")]
    Directory,
    #[error("this is a symbolic link, which is not followed; give the path of the file itself")]
    Symlink,
    #[error("this is not a regular file; remove it or give another path")]
    Special,
    #[error("locked by another clockbound daemon, process {0}; stop it or give another path")]
    Held(String),
    #[error("user {user} cannot use its lock file: {0}; {ADVICE}", user = user())]
    LockFile(#[source] io::Error),
    #[error(
        "its directory is missing and user {user} cannot create it: {0}; \
         create it, writable for the daemon's user",
        user = user()
    )]
    Parent(#[source] io::Error),
    #[error("user {user} cannot open it for writing: {0}; {ADVICE}", user = user())]
    Open(#[source] io::Error),
    #[error("user {user} cannot create it: {0}; {ADVICE}", user = user())]
    Create(#[source] io::Error),
    #[error("user {user} cannot remove it: {0}; {ADVICE}", user = user())]
    Remove(#[source] io::Error),
}

const ADVICE: &str = "the file and its directory must be writable for the daemon's user";

/// The kind of an [`OpenError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenErrorKind {
    /// The path is not a regular file.
    NotAFile,
    /// Another daemon has locked the path.
    Held,
    /// The user has no write permission.
    NotPermitted,
    /// Any other error of the system.
    Io,
}

impl OpenError {
    pub(super) fn new(path: &Path, refusal: Refusal) -> Self {
        Self {
            path: path.to_owned(),
            refusal,
        }
    }

    /// The kind of this error.
    #[must_use]
    pub fn kind(&self) -> OpenErrorKind {
        match &self.refusal {
            Refusal::Directory | Refusal::Symlink | Refusal::Special => OpenErrorKind::NotAFile,
            Refusal::Held(_) => OpenErrorKind::Held,
            Refusal::LockFile(err)
            | Refusal::Parent(err)
            | Refusal::Open(err)
            | Refusal::Create(err)
            | Refusal::Remove(err) => match err.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    OpenErrorKind::NotPermitted
                }
                _ => OpenErrorKind::Io,
            },
        }
    }
}

/// The name of the effective user; the number if there is no name.
fn user() -> String {
    let uid = Uid::effective();
    User::from_uid(uid)
        .ok()
        .flatten()
        .map_or_else(|| uid.to_string(), |user| user.name)
}
