//! Files of the examined host: their kind, owner and mode.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use super::Fact;

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A socket.
    Socket,
    /// A regular file, a device or another kind.
    Other,
}

/// A file of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// The path on the host.
    pub path: PathBuf,
    /// Its kind.
    pub kind: Kind,
    /// The user id of its owner.
    pub owner: u32,
    /// The id of its group.
    pub group: u32,
    /// The permission bits.
    pub mode: u32,
}

/// The device and the inode of a file.
pub type FileId = (u64, u64);

/// Which file is at this path of this host; `None` if that cannot be read.
pub fn file_id(path: &Path) -> Option<FileId> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// The path below `root` of a path of the examined host. `/var/run` is `/run`, because a link to it
/// is absolute.
pub fn below(root: &Path, path: &Path) -> PathBuf {
    let path = path
        .strip_prefix("/var/run")
        .map_or_else(|_| path.to_owned(), |rest| Path::new("/run").join(rest));
    if root == Path::new("/") {
        return path;
    }
    let parts = path
        .components()
        .filter(|part| matches!(part, Component::Normal(_)));
    root.join(parts.collect::<PathBuf>())
}

/// The file at this path of the host, or the one that a link at it leads to; `None` if there is
/// none.
pub fn file(root: &Path, path: &Path) -> Fact<Option<FileFacts>> {
    match fs::metadata(below(root, path)) {
        Ok(metadata) => Fact::Known(Some(FileFacts {
            path: path.to_owned(),
            kind: if metadata.is_dir() {
                Kind::Directory
            } else if metadata.file_type().is_socket() {
                Kind::Socket
            } else {
                Kind::Other
            },
            owner: metadata.uid(),
            group: metadata.gid(),
            mode: metadata.mode() & 0o7777,
        })),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Fact::Known(None),
        Err(err) => Fact::Unknown(why_unreadable(path, &err)),
    }
}

/// The text of a regular file of the host that is not larger than `limit`, bytes.
///
/// # Errors
/// The file cannot be read, is larger, or is a device, a pipe or of another kind.
pub fn limited_text(root: &Path, path: &Path, limit: u64) -> io::Result<String> {
    let path = below(root, path);
    // Before it is opened: the opening of a pipe waits for its other end.
    if !fs::metadata(&path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    let read = fs::File::open(&path)?
        .take(limit + 1)
        .read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read <= limit) {
        Ok(text)
    } else {
        Err(io::Error::other(format!("it is larger than {limit} bytes")))
    }
}

/// The text of a file of the host.
pub fn text(root: &Path, path: impl AsRef<Path>) -> Fact<String> {
    let path = path.as_ref();
    match fs::read(below(root, path)) {
        Ok(bytes) => Fact::Known(String::from_utf8_lossy(&bytes).into_owned()),
        Err(err) => Fact::Unknown(why_unreadable(path, &err)),
    }
}

/// Why a file cannot be read, with what to do if it is a matter of permissions.
pub fn why_unreadable(path: &Path, err: &io::Error) -> String {
    let remedy = match err.kind() {
        io::ErrorKind::PermissionDenied => "; run clockboundctl doctor as root",
        _ => "",
    };
    format!("{}: {err}{remedy}", path.display())
}

/// The type of the file system that contains `path`, by the lines of /proc/self/mounts.
pub fn filesystem(mounts: &str, path: &Path) -> Option<String> {
    let path = below(Path::new("/"), path);
    let mut found: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut words = line.split(' ').skip(1);
        let (Some(at), Some(kind)) = (words.next(), words.next()) else {
            continue;
        };
        // Of two mounts at one place the later one is visible.
        if path.starts_with(at) && found.is_none_or(|(length, _)| at.len() >= length) {
            found = Some((at.len(), kind));
        }
    }
    found.map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_another_root_are_below_it() {
        for (root, path, expected) in [
            ("/", "/etc/a", "/etc/a"),
            ("/", "/var/run/clockbound", "/run/clockbound"),
            ("/mnt", "/var/run/clockbound/shm", "/mnt/run/clockbound/shm"),
            ("/mnt", "/etc/../etc/a", "/mnt/etc/etc/a"),
        ] {
            assert_eq!(below(Path::new(root), Path::new(path)), Path::new(expected));
        }
    }

    #[test]
    fn the_file_system_is_that_of_the_longest_and_latest_mount() {
        let mounts = "root / ext4 rw 0 0\nnone /run tmpfs rw 0 0\nnone /run/user ext4 rw 0 0\n\
                      none /run/clockbound ext4 rw 0 0\nnone /run/clockbound tmpfs rw 0 0\n";
        for (path, expected) in [
            ("/run/chrony", "tmpfs"),
            ("/var/run/clockbound", "tmpfs"),
            ("/run/user/1", "ext4"),
            ("/runaway", "ext4"),
        ] {
            let kind = filesystem(mounts, Path::new(path));
            assert_eq!(kind.as_deref(), Some(expected), "{path}");
        }
    }
}
