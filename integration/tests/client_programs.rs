//! Programs of our client libraries survive whatever happens to the daemon. Those in other languages than
//! Rust and C are put through the same by `integration/test`.

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use integration::{Sandbox, survival};

const DAEMON: &str = env!("CARGO_BIN_EXE_clockbound");

fn survives(language: &str, words: &[String]) {
    let survived = survival::run(Path::new(DAEMON), words);
    let (readings, recovery) = (survived.readings, survived.recovery);
    assert!(readings > 100, "{readings} readings");
    // Said aloud, although the test passes.
    let _ = writeln!(
        io::stdout(),
        "{language}: {readings} readings contain true time, a new file is read after {} ms",
        recovery.as_millis()
    );
}

#[test]
fn a_rust_program_survives() {
    let watch = Path::new(DAEMON).with_file_name("watch");
    assert!(watch.exists(), "build it: cargo build -p integration");
    survives("Rust", &[watch.to_string_lossy().into_owned()]);
}

#[test]
fn a_c_program_survives() {
    let sandbox = Sandbox::new();
    let program = sandbox.path("watch");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/c");
    // The library was built beside this test.
    let own = env::current_exe().expect("this test has a path");
    let library = own.with_file_name("libclockbound.a");
    let output = Command::new("cc")
        .arg("-I")
        .arg(sources.join("include"))
        .arg(sources.join("tests/field/watch.c"))
        .arg(library)
        .args(["-lpthread", "-ldl", "-lm", "-lgcc_s", "-o"])
        .arg(&program)
        .output()
        .expect("a compiler is installed");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    survives("C", &[program.to_string_lossy().into_owned()]);
}
