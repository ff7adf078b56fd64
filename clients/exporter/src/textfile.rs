//! Writes the metrics to a file for the textfile collector of node_exporter.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;

/// The collector reads files with this suffix and no others.
const SUFFIX: &str = "prom";

/// Checks that the collector reads a file of this name.
///
/// # Errors
/// A text that states what the name must be.
pub fn check(path: PathBuf) -> Result<PathBuf, String> {
    if path.file_stem().is_some() && path.extension().is_some_and(|suffix| suffix == SUFFIX) {
        Ok(path)
    } else {
        Err("the collector reads only files whose names end in .prom".to_owned())
    }
}

/// Writes the file at `path`, readable by everyone. The collector sees the earlier file or the
/// complete new one: the text is written beside it and then renamed.
///
/// # Errors
/// What the file system reports.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    // Another process may write the same file. The collector does not read this name.
    name.push(format!(".{}", process::id()));
    let temporary = path.with_file_name(name);
    let written = write_new(&temporary, text).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The error is reported, whether or not this succeeds.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    // What a process with the same id has left is removed. Whatever it is, it is not written to:
    // others may be permitted to create files in the directory.
    match fs::remove_file(path) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
        _ => {}
    }
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)?;
    // The umask may have removed bits.
    file.set_permissions(fs::Permissions::from_mode(0o644))?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<OsString> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn only_names_that_the_collector_reads_are_accepted() {
        assert!(check("/run/clockbound.prom".into()).is_ok());
        for name in ["/run/clockbound", "/run/a.txt", "/run/.prom", "/", ""] {
            assert!(check(name.into()).is_err(), "{name}");
        }
    }

    #[test]
    fn a_file_is_replaced_by_a_complete_one_that_everyone_can_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clockbound.prom");
        write(&path, "a 1\na 2\n").unwrap();
        let earlier = File::open(&path).unwrap();
        write(&path, "b 1\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "b 1\n");
        assert_eq!(io::read_to_string(earlier).unwrap(), "a 1\na 2\n");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o644
        );
        assert_eq!(names(dir.path()), ["clockbound.prom"]);
    }

    #[test]
    fn a_file_that_cannot_be_replaced_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clockbound.prom");
        fs::create_dir_all(path.join("not empty")).unwrap();
        assert!(write(&path, "a 1\n").is_err());
        assert_eq!(names(dir.path()), ["clockbound.prom"]);
        assert!(write(&dir.path().join("missing/a.prom"), "a 1\n").is_err());
    }
}
