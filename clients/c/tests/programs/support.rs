//! Builds the C library, publishes segments, and compiles and runs programs.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::time::{ClockId, clock_gettime};
use shm_layout::diagnostics::DiagnosticsRecord;
use shm_layout::native::NativeRecord;
use shm_layout::v1::V1Record;
use shm_layout::v2::V2Record;
use shm_layout::writer::{DiagnosticsSegment, NativeSegment, V1Segment, V2Segment};
use shm_layout::{ClockStatus, Disruption, HostNotice, Leap, Reason};

pub const S: i64 = 1_000_000_000;
const HALF_NS: i64 = 1_000_000;

const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-pedantic", "-Werror"];

pub fn clock_ns(clock: ClockId) -> i64 {
    let time = clock_gettime(clock).expect("a clock");
    time.tv_sec() * S + time.tv_nsec()
}

pub fn now_ns() -> i64 {
    clock_ns(ClockId::CLOCK_REALTIME)
}

/// A directory for programs and segments, removed when dropped.
pub struct TestDirectory(PathBuf);

impl TestDirectory {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "clockbound-c-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let directory = Self(env::temp_dir().join(name));
        fs::create_dir(&directory.0).expect("a directory");
        // The file name of the built library differs from its soname, which the programs load.
        let library = libraries().join("libclockbound.so");
        std::os::unix::fs::symlink(library, directory.path("libclockbound.so.1")).expect("a link");
        directory
    }

    /// A directory with a synchronized record in every layout, as a daemon publishes them.
    pub fn with_segments() -> Self {
        let directory = Self::new();
        directory.publish(ClockStatus::Synchronized, 0);
        directory
    }

    /// As [`with_segments`](Self::with_segments), with records so old that a context that follows
    /// looks for another file at each read.
    pub fn with_overdue_segments() -> Self {
        let directory = Self::new();
        directory.publish(ClockStatus::Synchronized, 4_200_000_000);
        directory
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Publishes diagnostics, of a daemon that has had no report for ten days. Their text does not
    /// change within seconds.
    pub fn publish_diagnostics(&self) {
        let raw_ns = clock_ns(ClockId::CLOCK_MONOTONIC_RAW);
        let record = DiagnosticsRecord {
            as_of_ns: raw_ns,
            ..DiagnosticsRecord::no_claim(raw_ns - 864_000 * S)
        };
        let (segment, _) = DiagnosticsSegment::open(&self.path("diagnostics")).expect("a segment");
        segment.publish(&record);
    }

    /// Publishes a record of this status and age in every layout.
    pub fn publish(&self, status: ClockStatus, age_ns: i64) {
        self.publish_under(Disruption::default(), status, age_ns);
    }

    /// Like [`publish`](Self::publish), with a disruption marker in those that have one.
    pub fn publish_under(&self, disruption: Disruption, status: ClockStatus, age_ns: i64) {
        let as_of_ns = clock_ns(ClockId::CLOCK_MONOTONIC_COARSE) - age_ns;
        let record = V1Record {
            as_of_ns,
            void_after_ns: as_of_ns + 1_000 * S,
            bound_ns: HALF_NS,
            max_drift_ppb: 50_000,
            status,
            is_simulated: false,
        };
        let (v1, _) = V1Segment::open(&self.path("shm")).expect("a segment");
        v1.publish(&record);
        let v2_record = V2Record {
            disruption,
            ..record.into()
        };
        // A file that was written without disruption support keeps that.
        let opened = V2Segment::open_with(&self.path("shm0"), |_| v2_record);
        opened.expect("a segment").0.publish(&v2_record);
        let raw_ns = clock_ns(ClockId::CLOCK_MONOTONIC_RAW) - age_ns;
        let now_ns = now_ns() - age_ns;
        let (native, _) = NativeSegment::open(&self.path("native")).expect("a segment");
        native.publish(&NativeRecord {
            as_of_ns: raw_ns,
            earliest_ns: now_ns - HALF_NS,
            latest_ns: now_ns + HALF_NS,
            rate: 0,
            growth: 300_000,
            free_running_after_ns: raw_ns + 500 * S,
            void_after_ns: raw_ns + 1_000 * S,
            status,
            reason: Reason::Tracking,
            leap: Leap::Normal,
            source: 1,
            realtime_ns: now_ns,
            valid_since_ns: raw_ns - 100 * S,
            realtime_since_ns: raw_ns - 100 * S,
            realtime_slowest: -500_000,
            realtime_fastest: 500_000,
            realtime_error_ns: 100_000,
            publication_interval_us: 100_000,
            disruption,
            host: HostNotice {
                soon: disruption.supported,
                tai_offset_s: disruption.supported.then_some(-37),
                ..HostNotice::default()
            },
            ..NativeRecord::no_claim(raw_ns)
        });
    }

    /// Compiles `source`, a path in this crate, with additional arguments, and links it to the
    /// shared library.
    pub fn compile(&self, compiler: &str, source: &str, arguments: &[&str]) -> PathBuf {
        let directory = format!("-L{}", libraries().display());
        self.link(
            compiler,
            source,
            arguments,
            &[&directory, "-lclockbound", "-lpthread"],
        )
    }

    /// Like [`compile`](Self::compile), with these libraries.
    pub fn link(
        &self,
        compiler: &str,
        source: &str,
        arguments: &[&str],
        libraries: &[&str],
    ) -> PathBuf {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = self.path(&source.replace('/', "-"));
        let output = Command::new(compiler)
            .args(STRICT)
            .arg("-I")
            .arg(here.join("include"))
            .args(arguments)
            .arg(here.join(source))
            .arg("-o")
            .arg(&program)
            .arg(format!("-Wl,-rpath,{}", self.0.display()))
            .args(libraries)
            .output()
            .expect("a compiler is installed");
        assert!(
            output.status.success(),
            "{source} {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        program
    }
}

impl AsRef<OsStr> for TestDirectory {
    fn as_ref(&self) -> &OsStr {
        self.0.as_os_str()
    }
}

impl Drop for TestDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file in the place of the VMClock device.
pub struct VmClockPage(File);

impl VmClockPage {
    pub fn new(path: PathBuf, marker: u64) -> Self {
        let mut bytes = [0; 4_096];
        bytes[..4].copy_from_slice(b"VCLK");
        bytes[4..8].copy_from_slice(&4_096_u32.to_le_bytes());
        bytes[8] = 1;
        bytes[16..24].copy_from_slice(&marker.to_le_bytes());
        fs::write(&path, bytes).expect("written");
        Self(File::options().write(true).open(path).expect("a file"))
    }

    pub fn set_marker(&self, marker: u64) {
        let bytes = marker.to_le_bytes();
        self.0.write_all_at(&bytes, 16).expect("written");
    }
}

/// Runs `tests/field/disruption.c`, which `command` starts, in `directory`, on the segment `name`.
pub fn check_disruption(command: impl Fn() -> Command, directory: &TestDirectory, name: &str) {
    let disruption = Disruption {
        marker: 7,
        supported: true,
    };
    directory.publish_under(disruption, ClockStatus::Synchronized, 0);
    let path = directory.path("vmclock");
    let page = VmClockPage::new(path.clone(), 7);
    let mut child = command()
        .args([directory.path(name), path])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut line = String::new();
    let output = child.stdout.take().expect("a pipe");
    BufReader::new(output).read_line(&mut line).expect("read");
    page.set_marker(8);
    if line == "ready\n" {
        let input = child.stdin.as_mut().expect("a pipe");
        input.write_all(b"go\n").expect("written");
    }
    let status = child.wait().expect("a status");
    assert!(status.success(), "{name}: {status}, {line}");
}

/// Returns the directory of the libraries, after building them. They are no dependency of the
/// tests, because cargo optimises a shared library less that Rust programs can link as well.
pub fn libraries() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        // This test is in TARGET/PROFILE/deps.
        let own = env::current_exe().expect("this test has a path");
        let target = own.ancestors().nth(3).expect("a target directory");
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--quiet", "--package", "clockbound-c"])
            .arg("--target-dir")
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(status.expect("cargo").success(), "the library is not built");
        target.join("debug")
    })
}

/// Runs a program that must end successfully and write nothing to standard error, which the library
/// never does. Returns its output.
pub fn run(program: &Path, arguments: &[impl AsRef<OsStr>]) -> String {
    let mut command = Command::new(program);
    output_of(command.args(arguments))
}

/// Like [`run`], for a command.
pub fn output_of(command: &mut Command) -> String {
    let output = command.output().expect("runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}, {text}{errors}",
        output.status
    );
    assert_eq!(errors, "", "{command:?}");
    text
}
