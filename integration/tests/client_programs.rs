//! Client programs in Rust and C while daemons are killed and files deleted. `integration/test`
//! checks those in other languages.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use integration::host::sandbox::Sandbox;
use integration::setup::testbed::Testbed;
use integration::setup::{c_library, client_check};
use integration::time::clock::clock_ns;
use nix::time::ClockId;

const DAEMON: &str = env!("CARGO_BIN_EXE_clockbound");

fn check(language: &str, words: &[String]) {
    let result = client_check::run(Path::new(DAEMON), words, &[]);
    assert!(result.readings > 100, "{} readings", result.readings);
    // println! is captured in tests that pass.
    let _ = writeln!(io::stdout(), "{language}: {}", result.summary());
    assert!(result.system_calls.is_empty(), "{:?}", result.system_calls);
}

#[test]
fn a_rust_program_continues_after_kills_and_deletions() {
    let watch = Path::new(DAEMON).with_file_name("watch");
    assert!(watch.exists(), "build it: cargo build -p integration");
    check("Rust", &[watch.to_string_lossy().into_owned()]);
}

/// Compiles a program of the C library's tests with these options.
fn compile(sandbox: &Sandbox, source: &str, options: &[&str]) -> PathBuf {
    let program = sandbox.path(&source.replace('.', "-"));
    let library = c_library::build().join("libclockbound.a");
    let mut arguments: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
    arguments.push(library.as_ref());
    arguments.extend(["-lpthread", "-ldl", "-lm"].map(OsStr::new));
    c_library::compile(&program, &format!("tests/field/{source}"), &arguments);
    program
}

#[test]
fn a_c_program_continues_after_kills_and_deletions() {
    let sandbox = Sandbox::new();
    let program = compile(&sandbox, "watch.c", &[]);
    check("C", &[program.to_string_lossy().into_owned()]);
}

#[test]
fn programs_that_were_written_for_the_1_x_and_2_x_headers_run_beside_this_daemon() {
    let testbed = Testbed::new();
    let _daemon = testbed.start(DAEMON);
    for words in [&[][..], &["-DV2"]] {
        let program = compile(&testbed.sandbox, "old_program.c", words);
        for name in ["shm", "shm0", "native"] {
            let path = testbed.shm().with_file_name(name);
            let before_ns = clock_ns(ClockId::CLOCK_REALTIME);
            let output = Command::new(&program).arg(path).output().expect("runs");
            let after_ns = clock_ns(ClockId::CLOCK_REALTIME);
            let text = String::from_utf8_lossy(&output.stdout);
            let numbers: Vec<i64> = text
                .split_whitespace()
                .map(|word| word.parse().expect(&text))
                .collect();
            let [earliest_s, earliest_ns, latest_s, latest_ns, status] = numbers[..] else {
                panic!("{name}: {text}");
            };
            let ns = |s: i64, ns: i64| s * 1_000_000_000 + ns;
            assert!(ns(earliest_s, earliest_ns) <= after_ns, "{name}: {text}");
            assert!(before_ns <= ns(latest_s, latest_ns), "{name}: {text}");
            assert_eq!(status, 1, "synchronized, {name}: {text}");
        }
    }
}
