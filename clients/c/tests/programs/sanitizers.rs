//! The C programs with the sanitizers of the compiler. They check the programs, and the calls of
//! libc by the library: the memory that it allocates, and the threads that share it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use shm_layout::ClockStatus;

use crate::support::{TestDirectory, check_disruption, output_of};

/// Compiles and runs a program with a sanitizer, on each layout. Skipped if the compiler does not
/// have the sanitizer.
fn check(sanitizer: &str, source: &str, arguments: impl Fn(&str) -> Vec<PathBuf>) {
    let directory = TestDirectory::new();
    if let Some(program) = compile(&directory, sanitizer, source) {
        for name in ["native", "shm0", "shm"] {
            let mut command = in_fixed_addresses(&program);
            output_of(command.args(arguments(name)));
        }
    }
}

/// Returns the program, or `None` if the compiler does not have the sanitizer.
fn compile(directory: &TestDirectory, sanitizer: &str, source: &str) -> Option<PathBuf> {
    if !is_available(directory, sanitizer) {
        let _ = writeln!(
            io::stdout(),
            "skipped: {sanitizer} of {source}: cc does not have it"
        );
        return None;
    }
    let option = format!("-fsanitize={sanitizer}");
    let options = [&option, "-fno-sanitize-recover=all", "-g", "-O1"];
    Some(directory.compile("cc", source, &options))
}

/// Returns a command that runs `program` without random addresses: some versions of the thread
/// sanitizer do not start with those of a recent kernel.
fn in_fixed_addresses(program: &Path) -> Command {
    let mut command = Command::new("setarch");
    command.arg("--addr-no-randomize").arg(program);
    command
}

fn is_available(directory: &TestDirectory, sanitizer: &str) -> bool {
    let source = directory.path("empty.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").expect("written");
    let program = directory.path("empty");
    let mut compiler = Command::new("cc");
    compiler
        .arg(format!("-fsanitize={sanitizer}"))
        .arg(source)
        .arg("-o")
        .arg(&program);
    let compiled = compiler.output().expect("a compiler is installed");
    let started = in_fixed_addresses(&program).output();
    compiled.status.success() && started.is_ok_and(|output| output.status.success())
}

fn check_all(sanitizer: &str) {
    let trusted = TestDirectory::with_segments();
    let unknown = TestDirectory::new();
    unknown.publish(ClockStatus::Unknown, 0);
    let one = |name: &str| vec![trusted.path(name)];
    check(sanitizer, "tests/field/threads.c", one);
    check(sanitizer, "tests/field/order.c", |name| {
        vec![trusted.path(name), unknown.path(name)]
    });
    check(sanitizer, "tests/field/extensions.c", |_| {
        vec![trusted.path("")]
    });
    check(sanitizer, "tests/field/old_program.c", one);
    let directory = TestDirectory::new();
    if let Some(program) = compile(&directory, sanitizer, "tests/field/disruption.c") {
        for name in ["native", "shm0"] {
            check_disruption(|| in_fixed_addresses(&program), &directory, name);
        }
    }
}

#[test]
fn the_address_sanitizer_finds_nothing() {
    check_all("address");
}

#[test]
fn the_thread_sanitizer_finds_nothing() {
    check_all("thread");
}

#[test]
fn the_undefined_behaviour_sanitizer_finds_nothing() {
    check_all("undefined");
}
