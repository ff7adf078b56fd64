//! Client programs in Rust and C while daemons are killed and files deleted. `integration/test`
//! checks those in other languages.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use integration::host::sandbox::Sandbox;
use integration::setup::client_check;
use integration::setup::testbed::Testbed;
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
fn compile(sandbox: &Sandbox, source: &str, words: &[&str]) -> PathBuf {
    let program = sandbox.path(&source.replace('.', "-"));
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/c");
    // The library was built beside this test.
    let own = env::current_exe().expect("this test has a path");
    let library = own.with_file_name("libclockbound.a");
    let output = Command::new("cc")
        .args(words)
        .arg("-I")
        .arg(sources.join("include"))
        .arg(sources.join("tests/field").join(source))
        .arg(library)
        .args(["-lpthread", "-ldl", "-lm", "-lgcc_s", "-o"])
        .arg(&program)
        .output()
        .expect("a compiler is installed");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
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
