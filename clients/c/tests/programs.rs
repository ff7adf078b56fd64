//! C and C++ programs, old and new, compiled and run against the library as it was built.

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

/// A directory for programs and segments; removed when dropped.
struct Bench(PathBuf);

impl Bench {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "clockbound-c-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let bench = Self(std::env::temp_dir().join(name));
        fs::create_dir(&bench.0).expect("a directory");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What a daemon publishes, on every layout.
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
            suspended_ns: 0,
            realtime_ns: 0,
        });
    }

    /// Compiles `source` (below this crate) with these further words.
    fn compile(&self, compiler: &str, source: &str, words: &[&str]) -> PathBuf {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = self.path(&source.replace('/', "-"));
        // The shared library has its file's name here, and its own name for those that are linked to it.
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
            .args(words)
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

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where the libraries were built: beside this test.
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
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program:?}: {}, {text}{complaint}",
        output.status
    );
    // The library leaves the program's standard error alone.
    assert_eq!(complaint, "");
    text
}

#[test]
fn programs_of_the_field_run_unchanged_on_every_layout() {
    let bench = Bench::new();
    bench.publish();
    for words in [&[][..], &["-DV2"]] {
        let program = bench.compile("cc", "tests/field/old_program.c", words);
        for name in ["shm", "shm0", "native"] {
            let before_ns = now_ns();
            let text = run(&program, &[&bench.path(name)]);
            let words: Vec<i64> = text
                .split_whitespace()
                .map(|word| word.parse().expect(&text))
                .collect();
            let [earliest_s, earliest_ns, latest_s, latest_ns, status] = words[..] else {
                panic!("{name}: {text}");
            };
            assert!(earliest_s * S + earliest_ns <= now_ns(), "{name}: {text}");
            assert!(before_ns <= latest_s * S + latest_ns, "{name}: {text}");
            assert_eq!(status, 1);
        }
    }
}

#[test]
fn programs_of_the_field_get_the_errors_that_they_know() {
    let bench = Bench::new();
    bench.publish();
    let program = bench.compile("cc", "tests/field/old_program.c", &["-DV2"]);
    let with = |at: usize, bytes: &[u8]| {
        let mut segment = fs::read(bench.path("shm")).expect("a segment");
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
        fs::write(bench.path("bad"), segment).expect("written");
        assert_eq!(run(&program, &[&bench.path("bad")]), expected);
    }
    assert_eq!(run(&program, &[&bench.path("none")]), "error 1 2\n");
}

#[test]
fn one_context_serves_many_threads() {
    let bench = Bench::new();
    bench.publish();
    let program = bench.compile("cc", "tests/field/threads.c", &[]);
    for name in ["shm", "native"] {
        assert_eq!(run(&program, &[&bench.path(name)]), "0\n");
    }
}

#[test]
fn the_richer_calls_keep_their_promises() {
    let bench = Bench::new();
    bench.publish();
    let program = bench.compile("cc", "tests/field/richer.c", &["-std=gnu11"]);
    run(&program, &[&bench.0]);
}

#[test]
fn the_examples_compile_clean_and_run() {
    let bench = Bench::new();
    bench.publish();
    let interval = bench.compile("cc", "examples/interval.c", &["-std=gnu11"]);
    let text = run(&interval, &[&bench.0, Path::new("1")]);
    assert!(text.contains("synchronized, tracking"), "{text}");
    for standard in ["-std=c++14", "-std=c++20"] {
        let commit_wait = bench.compile("c++", "examples/commit_wait.cpp", &[standard]);
        let text = run(&commit_wait, &[&bench.0]);
        assert!(text.contains("has passed: true"), "{text}");
    }
}

#[test]
fn the_static_library_does_without_the_shared_one() {
    let bench = Bench::new();
    bench.publish();
    let archive = libraries().join("libclockbound.a");
    let archive = archive.to_str().expect("UTF-8");
    let program = bench.compile("cc", "examples/interval.c", &["-std=gnu11", archive]);
    fs::remove_file(bench.path("libclockbound.so.1")).expect("removed");
    let dynamic = Command::new("ldd").arg(&program).output().expect("ldd");
    let dynamic = String::from_utf8_lossy(&dynamic.stdout).into_owned();
    if dynamic.contains("libclockbound") {
        panic!("linked dynamically:\n{dynamic}");
    }
    run(&program, &[&bench.0, Path::new("1")]);
}

#[test]
fn the_shared_library_has_its_name_and_the_headers_symbols() {
    let library = libraries().join("libclockbound.so");
    let output = |program: &str, word: &str| {
        let output = Command::new(program).arg(word).arg(&library).output();
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
