//! Why a segment cannot be opened for writing.

use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};
use thiserror::Error;

/// Why a segment cannot be opened for writing; one line, with what to do about it.
#[derive(Debug, Error)]
#[error("segment {}: {refusal}", path.display())]
pub struct OpenError {
    path: PathBuf,
    #[source]
    refusal: Refusal,
}

/// What is in the way.
#[derive(Debug, Error)]
pub(super) enum Refusal {
    #[error("this is a directory; give the path of a file")]
    Directory,
    #[error("this is a symbolic link, which is not followed; give the path of the file itself")]
    Symlink,
    #[error("this is no regular file; remove it or give another path")]
    Special,
    #[error("held by another clockbound daemon, process {0}; stop it or give another path")]
    Held(String),
    #[error("its lock file cannot be used by user {user}: {0}; {advice}", user = user(), advice = ADVICE)]
    LockFile(#[source] io::Error),
    #[error("its directory is missing and cannot be made by user {user}: {0}; make it, writable for the daemon's user", user = user())]
    Parent(#[source] io::Error),
    #[error("cannot be opened for writing by user {user}: {0}; {advice}", user = user(), advice = ADVICE)]
    Open(#[source] io::Error),
    #[error("cannot be made by user {user}: {0}; {advice}", user = user(), advice = ADVICE)]
    Create(#[source] io::Error),
}

const ADVICE: &str = "the file and its directory must be writable for the daemon's user";

/// The kinds of [`OpenError`] that callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenErrorKind {
    /// What stands at the path is no regular file.
    NotAFile,
    /// Another daemon writes there.
    Held,
    /// The user may not write there.
    NotPermitted,
    /// Anything else that the system said.
    Io,
}

impl OpenError {
    pub(super) fn new(path: &Path, refusal: Refusal) -> Self {
        Self {
            path: path.to_owned(),
            refusal,
        }
    }

    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> OpenErrorKind {
        match &self.refusal {
            Refusal::Directory | Refusal::Symlink | Refusal::Special => OpenErrorKind::NotAFile,
            Refusal::Held(_) => OpenErrorKind::Held,
            Refusal::LockFile(err)
            | Refusal::Parent(err)
            | Refusal::Open(err)
            | Refusal::Create(err) => match err.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    OpenErrorKind::NotPermitted
                }
                _ => OpenErrorKind::Io,
            },
        }
    }
}

/// Who we are, by name where there is one.
fn user() -> String {
    let uid = Uid::effective();
    User::from_uid(uid)
        .ok()
        .flatten()
        .map_or_else(|| uid.to_string(), |user| user.name)
}
