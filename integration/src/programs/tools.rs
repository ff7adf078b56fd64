//! The operator's tools: clockboundctl and clockbound-exporter.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::host::user::UserAccount;

/// The environment variable with the directory of the tools, where they are built already.
const DIRECTORY: &str = "CLOCKBOUND_TOOLS";

/// How a tool ended, with what it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// The path of clockboundctl, built as the tests are.
pub fn clockboundctl() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| build("clockboundctl"))
}

/// The path of clockbound-exporter, built as the tests are.
pub fn clockbound_exporter() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| build("clockbound-exporter"))
}

/// Runs clockboundctl for the segments in `directory`.
pub fn ctl(directory: &Path, words: &[&str]) -> Ended {
    ctl_as(&UserAccount::current(), clockboundctl(), directory, words)
}

/// Like [`ctl`], with a copy of the program that this account can execute.
pub fn ctl_as(account: &UserAccount, program: &Path, directory: &Path, words: &[&str]) -> Ended {
    let mut command = account.command(&program.to_string_lossy());
    command.arg("--directory").arg(directory).args(words);
    run(command)
}

/// Runs a command to its end.
///
/// # Panics
/// If it cannot be started.
pub fn run(mut command: Command) -> Ended {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|err| panic!("{command:?}: {err}"));
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Builds the program of this package beside the tests, unless it is up to date. Cargo does not
/// build it for the tests, because they belong to another package.
///
/// # Panics
/// If cargo fails.
fn build(package: &str) -> PathBuf {
    if let Some(directory) = env::var_os(DIRECTORY) {
        return Path::new(&directory).join(package);
    }
    // This test is in TARGET/PROFILE/deps.
    let own = env::current_exe().expect("this test has a path");
    let profile = own.ancestors().nth(2).expect("a directory of the profile");
    let target = profile.parent().expect("a target directory");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--package", package])
        .arg("--target-dir")
        .arg(target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let ended = run(cargo);
    assert_eq!(ended.code, Some(0), "build {package}: {}", ended.stderr);
    profile.join(package)
}
