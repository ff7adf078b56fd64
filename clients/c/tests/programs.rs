//! Compiles C and C++ programs, old and new, and runs them with the built library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::time::{ClockId, clock_gettime};
use shm_layout::native::NativeRecord;
use shm_layout::v1::V1Record;
use shm_layout::writer::{NativeSegment, V1Segment, V2Segment};
use shm_layout::{ClockStatus, Leap, Reason};

const S: i64 = 1_000_000_000;
const HALF_NS: i64 = 1_000_000;

const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

fn clock_ns(clock: ClockId) -> i64 {
    let time = clock_gettime(clock).expect("a clock");
    time.tv_sec() * S + time.tv_nsec()
}

fn now_ns() -> i64 {
    clock_ns(ClockId::CLOCK_REALTIME)
}

/// A directory for programs and segments, removed when dropped.
struct TestDirectory(PathBuf);

impl TestDirectory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "clockbound-c-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let directory = Self(std::env::temp_dir().join(name));
        fs::create_dir(&directory.0).expect("a directory");
        directory
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Publishes a synchronized record in every layout, as a daemon does.
    fn publish(&self) {
        let as_of_ns = clock_ns(ClockId::CLOCK_MONOTONIC_COARSE);
        let record = V1Record {
            as_of_ns,
            void_after_ns: as_of_ns + 1_000 * S,
            bound_ns: HALF_NS,
            max_drift_ppb: 50_000,
            status: ClockStatus::Synchronized,
        };
        let (v1, _) = V1Segment::open(&self.path("shm")).expect("a segment");
        v1.publish(&record);
        let (v2, _) = V2Segment::open(&self.path("shm0")).expect("a segment");
        v2.publish(&record.into());
        let (raw_ns, now_ns) = (clock_ns(ClockId::CLOCK_MONOTONIC_RAW), now_ns());
        let (native, _) = NativeSegment::open(&self.path("native")).expect("a segment");
        native.publish(&NativeRecord {
            as_of_ns: raw_ns,
            earliest_ns: now_ns - HALF_NS,
            latest_ns: now_ns + HALF_NS,
            rate: 0,
            growth: 300_000,
            free_running_after_ns: raw_ns + 500 * S,
            void_after_ns: raw_ns + 1_000 * S,
            status: ClockStatus::Synchronized,
            reason: Reason::Tracking,
            leap: Leap::Normal,
            source: 1,
            ..NativeRecord::no_claim(raw_ns)
        });
    }

    /// Compiles `source`, a path in this crate, with additional arguments.
    fn compile(&self, compiler: &str, source: &str, arguments: &[&str]) -> PathBuf {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = self.path(&source.replace('/', "-"));
        // The file name of the built library differs from its soname, which the programs load.
        let libraries = libraries();
        let _ = std::os::unix::fs::symlink(
            libraries.join("libclockbound.so"),
            self.path("libclockbound.so.1"),
        );
        let output = Command::new(compiler)
            .args(STRICT)
            .arg("-I")
            .arg(here.join("include"))
            .arg(here.join(source))
            .arg("-o")
            .arg(&program)
            .args(arguments)
            .arg(format!("-L{}", libraries.display()))
            .arg(format!("-Wl,-rpath,{}", self.0.display()))
            .args(["-lclockbound", "-lpthread", "-ldl", "-lm", "-lgcc_s"])
            .output()
            .expect("a compiler is installed");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        program
    }
}

impl Drop for TestDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the directory of the built libraries, which contains this test, too.
fn libraries() -> PathBuf {
    let own = std::env::current_exe().expect("this test has a path");
    own.parent().expect("a directory").to_owned()
}

fn run(program: &Path, arguments: &[&Path]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program:?}: {}, {text}{errors}",
        output.status
    );
    // The library does not write to standard error.
    assert_eq!(errors, "");
    text
}

#[test]
fn programs_for_the_1_x_and_2_x_headers_run_on_every_layout() {
    let directory = TestDirectory::new();
    directory.publish();
    for arguments in [&[][..], &["-DV2"]] {
        let program = directory.compile("cc", "tests/field/old_program.c", arguments);
        for name in ["shm", "shm0", "native"] {
            let before_ns = now_ns();
            let text = run(&program, &[&directory.path(name)]);
            let numbers: Vec<i64> = text
                .split_whitespace()
                .map(|number| number.parse().expect(&text))
                .collect();
            let [earliest_s, earliest_ns, latest_s, latest_ns, status] = numbers[..] else {
                panic!("{name}: {text}");
            };
            assert!(earliest_s * S + earliest_ns <= now_ns(), "{name}: {text}");
            assert!(before_ns <= latest_s * S + latest_ns, "{name}: {text}");
            assert_eq!(status, 1);
        }
    }
}

#[test]
fn programs_for_the_2_x_headers_get_the_errors_of_those_headers() {
    let directory = TestDirectory::new();
    directory.publish();
    let program = directory.compile("cc", "tests/field/old_program.c", &["-DV2"]);
    let with = |at: usize, bytes: &[u8]| {
        let mut segment = fs::read(directory.path("shm")).expect("a segment");
        segment[at..at + bytes.len()].copy_from_slice(bytes);
        segment
    };
    let future = with(16, &(1i64 << 33).to_ne_bytes());
    for (segment, expected) in [
        (with(14, &[0, 0]), "error 2 0\n"),
        (with(12, &[9, 0]), "error 5 0\n"),
        (with(0, b"oops"), "error 3 0\n"),
        (with(56, &[0xff; 4]), "error 3 0\n"),
        (with(64, &[7, 0, 0, 0]), "error 3 0\n"),
        (with(14, &[3, 0]), "error 2 0\n"),
        (future, "error 4 0\n"),
        (with(0, b"")[..40].to_vec(), "error 3 0\n"),
    ] {
        fs::write(directory.path("bad"), segment).expect("written");
        assert_eq!(run(&program, &[&directory.path("bad")]), expected);
    }
    assert_eq!(run(&program, &[&directory.path("none")]), "error 1 2\n");
}

#[test]
fn threads_share_one_context() {
    let directory = TestDirectory::new();
    directory.publish();
    let program = directory.compile("cc", "tests/field/threads.c", &[]);
    for name in ["shm", "native"] {
        assert_eq!(run(&program, &[&directory.path(name)]), "0\n");
    }
}

#[test]
fn the_extensions_work() {
    let directory = TestDirectory::new();
    directory.publish();
    let program = directory.compile("cc", "tests/field/extensions.c", &["-std=gnu11"]);
    run(&program, &[&directory.0]);
}

#[test]
fn the_examples_compile_without_warnings_and_run() {
    let directory = TestDirectory::new();
    directory.publish();
    let interval = directory.compile("cc", "examples/interval.c", &["-std=gnu11"]);
    let text = run(&interval, &[&directory.0, Path::new("1")]);
    assert!(text.contains("synchronized, tracking"), "{text}");
    for standard in ["-std=c++14", "-std=c++20"] {
        let commit_wait = directory.compile("c++", "examples/commit_wait.cpp", &[standard]);
        let text = run(&commit_wait, &[&directory.0]);
        assert!(text.contains("has passed: true"), "{text}");
    }
}

#[test]
fn the_static_library_does_not_need_the_shared_one() {
    let directory = TestDirectory::new();
    directory.publish();
    let archive = libraries().join("libclockbound.a");
    let archive = archive.to_str().expect("UTF-8");
    let program = directory.compile("cc", "examples/interval.c", &["-std=gnu11", archive]);
    fs::remove_file(directory.path("libclockbound.so.1")).expect("removed");
    let dynamic = Command::new("ldd").arg(&program).output().expect("ldd");
    let dynamic = String::from_utf8_lossy(&dynamic.stdout).into_owned();
    if dynamic.contains("libclockbound") {
        panic!("linked dynamically:\n{dynamic}");
    }
    run(&program, &[&directory.0, Path::new("1")]);
}

#[test]
fn the_shared_library_has_its_soname_and_exports_the_symbols_of_the_header() {
    let library = libraries().join("libclockbound.so");
    let output = |program: &str, option: &str| {
        let output = Command::new(program).arg(option).arg(&library).output();
        String::from_utf8_lossy(&output.expect("binutils").stdout).into_owned()
    };
    assert!(output("readelf", "-d").contains("[libclockbound.so.1]"));
    let symbols = output("nm", "-D");
    let mut exported: Vec<&str> = symbols
        .lines()
        .filter_map(|line| line.split_once(" T ").map(|(_, name)| name))
        .collect();
    exported.sort_unstable();
    let header = include_str!("../include/clockbound.h");
    let mut declared: Vec<&str> = header
        .lines()
        .filter(|line| !line.starts_with([' ', '/', '#']))
        .filter_map(|line| line.split_once('('))
        .filter_map(|(before, _)| before.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("clockbound_"))
        .collect();
    declared.sort_unstable();
    assert_eq!(exported, declared);
}
