//! Builds the C library and programs that use it. It is no dependency of the tests, because cargo
//! optimises a shared library less that Rust programs can link as well.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds `libclockbound.so` and `libclockbound.a` as the tests are built, without optimisation.
/// Returns their directory.
///
/// # Panics
/// If cargo fails.
#[must_use]
pub fn build() -> PathBuf {
    // This test is in TARGET/PROFILE/deps.
    let own = env::current_exe().expect("this test has a path");
    let target = own.ancestors().nth(3).expect("a target directory");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "clockbound-c"]);
    run(cargo.arg("--target-dir").arg(target).current_dir(sources()));
    target.join("debug")
}

/// Builds the optimised library and installs it below `prefix`, as `clients/c/install` does.
///
/// # Panics
/// If the script fails.
pub fn install(prefix: &Path) {
    let mut script = Command::new(sources().join("install"));
    run(script.env("PREFIX", prefix).env_remove("DESTDIR"));
}

/// Compiles `source`, a path in `clients/c`, to `program`, with these arguments after it.
///
/// # Panics
/// If the compiler fails.
pub fn compile(program: &Path, source: &str, arguments: &[impl AsRef<OsStr>]) {
    let mut compiler = Command::new("cc");
    compiler.arg("-O2").arg("-I").arg(sources().join("include"));
    compiler.arg(sources().join(source)).arg("-o").arg(program);
    run(compiler.args(arguments));
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/c")
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program is installed");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
}
