//! The packages that `integration/package` built.

use std::env;
use std::fs;
use std::path::PathBuf;

/// The .deb of the package `name` in the directory `dir` of `target/packages`.
///
/// # Panics
/// If it was not built.
#[must_use]
pub fn deb(dir: &str, name: &str) -> PathBuf {
    // This test is in TARGET/PROFILE/deps.
    let own = env::current_exe().expect("this test has a path");
    let target = own.ancestors().nth(3).expect("a target directory");
    let dir = target.join("packages").join(dir);
    let files = fs::read_dir(&dir).into_iter().flatten().flatten();
    files
        .map(|file| file.path())
        .find(|path| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            file.starts_with(&format!("{name}_")) && file.ends_with(".deb")
        })
        .unwrap_or_else(|| panic!("no {name} in {}: integration/package deb", dir.display()))
}
