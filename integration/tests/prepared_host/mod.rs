//! The root directory of a healthy host, for the examination of clockboundctl doctor.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clockbound_client::diagnostics::DiagnosticsRecord;
use clockbound_client::{Reason, Status};
use integration::host::sandbox::Sandbox;
use integration::programs::tools::{Ended, clockboundctl, run};
use integration::time::clock::clock_ns;
use nix::time::ClockId;
use shm_layout::STALE_AFTER_NS;
use shm_layout::v1::V1;
use shm_layout::v2::V2;
use shm_layout::writer::{DiagnosticsSegment, NativeSegment, Segment};

/// The user and group id of chronyd and the daemon.
const CHRONY: u32 = 101;
/// The process id of chronyd.
const CHRONYD: u32 = 500;
/// Every capability, and none.
const ALL: &str = "000001ffffffffff";
const NONE: &str = "0000000000000000";

const CHRONY_CONF: &str = "pool 2.debian.pool.ntp.org iburst minpoll 4 maxpoll 4
confdir /etc/chrony/conf.d
rtcsync
leapsectz right/UTC
";

/// A healthy host below a temporary directory.
pub struct Host {
    root: PathBuf,
    record: DiagnosticsRecord,
    diagnostics: DiagnosticsSegment,
    /// The sockets and segments of the host.
    _chronyd: UnixListener,
    _native: NativeSegment,
    _v2: Segment<V2>,
    _v1: Segment<V1>,
    _sandbox: Sandbox,
}

impl Host {
    /// Prepares it.
    ///
    /// # Panics
    /// When not root, or when a file cannot be written.
    pub fn new() -> Host {
        let sandbox = Sandbox::new();
        let root = sandbox.dir("root", 0o755);
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
        let packaged = |name: &str| fs::read_to_string(repository.join(name)).expect("packaged");
        let unit = "usr/lib/systemd/system/clockbound.service";
        for (path, text) in [
            (
                "etc/passwd",
                "root:x:0:0::/:/bin/sh\n_chrony:x:101:101::/:/bin/false\n".to_owned(),
            ),
            ("etc/chrony/chrony.conf", CHRONY_CONF.to_owned()),
            ("etc/default/clockbound", packaged("clockbound.default")),
            (unit, packaged("clockbound.service")),
            (
                "usr/lib/systemd/system/clockbound.service.d/10-debian.conf",
                packaged("debian/10-debian.conf"),
            ),
            (
                "usr/lib/systemd/system/chrony.service",
                "[Service]\n".to_owned(),
            ),
            (
                "etc/systemd/system/multi-user.target.wants/clockbound.service",
                String::new(),
            ),
            (
                "etc/systemd/system/multi-user.target.wants/chrony.service",
                String::new(),
            ),
            ("usr/share/zoneinfo/right/UTC", String::new()),
            (
                "proc/cpuinfo",
                "flags\t\t: fpu tsc constant_tsc\n".to_owned(),
            ),
            ("proc/self/status", String::new()),
            (
                "proc/self/mounts",
                "root / ext4 rw 0 0\nrun /run tmpfs rw 0 0\n".to_owned(),
            ),
            (
                "proc/self/timens_offsets",
                "monotonic 0 0\nboottime 0 0\n".to_owned(),
            ),
            (
                "sys/devices/system/clocksource/clocksource0/current_clocksource",
                "tsc\n".to_owned(),
            ),
            (
                "sys/devices/system/clocksource/clocksource0/available_clocksource",
                "tsc hpet\n".to_owned(),
            ),
        ] {
            write(&root, path, &text);
        }
        for (path, mode) in [("run/chrony", 0o750), ("run/clockbound", 0o755)] {
            let path = root.join(path);
            fs::create_dir_all(&path).expect("made");
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
        }
        let socket = root.join("run/chrony/chronyd.sock");
        let at = root.join("run/clockbound");
        let host = Host {
            record: record(),
            diagnostics: DiagnosticsSegment::open(&at.join("diagnostics"))
                .expect("opened")
                .0,
            _chronyd: UnixListener::bind(&socket).expect("bound"),
            _native: NativeSegment::open(&at.join("native")).expect("opened").0,
            _v2: Segment::open(&at.join("shm0")).expect("opened").0,
            _v1: Segment::open(&at.join("shm")).expect("opened").0,
            root,
            _sandbox: sandbox,
        };
        for directory in ["run/chrony", "run/clockbound"] {
            own(&host.path(directory));
            for entry in fs::read_dir(host.path(directory))
                .expect("listed")
                .flatten()
            {
                own(&entry.path());
            }
        }
        host.process(CHRONYD, "/usr/sbin/chronyd -F 1", CHRONY, NONE);
        let daemon = "/usr/bin/clockbound --max-drift-rate 50";
        host.process(std::process::id(), daemon, CHRONY, NONE);
        host
    }

    /// A path of the host.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        write(&self.root, name, text);
    }

    /// Replaces a part of a file.
    ///
    /// # Panics
    /// If the file does not contain it.
    pub fn replace(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).expect("a file");
        assert!(text.contains(from), "{name}: {text}");
        self.write(name, &text.replace(from, to));
    }

    /// Adds a line to chronyd's configuration.
    pub fn configure(&self, line: &str) {
        self.write(
            "etc/chrony/conf.d/fault.conf",
            &format!("# a fault\n{line}\n"),
        );
    }

    /// Adds a drop-in of the daemon's unit.
    pub fn drop_in(&self, text: &str) {
        let path = "etc/systemd/system/clockbound.service.d/fault.conf";
        self.write(path, text);
    }

    /// Changes what the daemon publishes about itself.
    pub fn change(&mut self, change: impl FnOnce(&mut DiagnosticsRecord)) {
        change(&mut self.record);
    }

    /// Sets the mode of a file.
    ///
    /// # Panics
    /// If there is none.
    pub fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).expect("set");
    }

    /// Adds a process of root, which may set the clock.
    pub fn root_process(&self, line: &str) {
        self.process(900, line, 0, ALL);
    }

    /// Changes the command line of chronyd.
    pub fn chronyd(&self, line: &str) {
        self.process(CHRONYD, line, CHRONY, NONE);
    }

    /// Changes the command line of the daemon.
    pub fn daemon(&self, line: &str) {
        self.process(std::process::id(), line, CHRONY, NONE);
    }

    /// Removes the process of chronyd.
    ///
    /// # Panics
    /// If it is removed already.
    pub fn stop_chronyd(&self) {
        fs::remove_dir_all(self.path(&format!("proc/{CHRONYD}"))).expect("removed");
    }

    /// Removes the process of the daemon.
    ///
    /// # Panics
    /// If it is removed already.
    pub fn stop_daemon(&self) {
        let path = format!("proc/{}", std::process::id());
        fs::remove_dir_all(self.path(&path)).expect("removed");
    }

    /// Runs the examination while the daemon publishes.
    pub fn examine(&self) -> Ended {
        let diagnostics = &self.diagnostics;
        std::thread::scope(|scope| {
            let (done, stop) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || {
                loop {
                    diagnostics.publish(&at_present(&self.record));
                    let pause = Duration::from_millis(50);
                    if stop.recv_timeout(pause)
                        == Err(std::sync::mpsc::RecvTimeoutError::Disconnected)
                    {
                        return;
                    }
                }
            });
            diagnostics_are_fresh(&self.path("run/clockbound"));
            let ended = self.examine_as_it_is();
            drop(done);
            ended
        })
    }

    /// Runs the examination with the record that was published last.
    pub fn examine_as_it_is(&self) -> Ended {
        let mut command = std::process::Command::new(clockboundctl());
        command.args(["doctor", "--json", "--root"]).arg(&self.root);
        run(command)
    }

    fn process(&self, pid: u32, line: &str, user: u32, capabilities: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let name = Path::new(words[0]).file_name().expect("a name");
        let name: String = name.to_string_lossy().chars().take(15).collect();
        let status = format!(
            "Name:\t{name}\nPPid:\t1\nUid:\t{user}\t{user}\t{user}\t{user}\n\
             Gid:\t{user}\t{user}\t{user}\t{user}\nGroups:\t{user}\nNSpid:\t{pid}\n\
             CapEff:\t{capabilities}\n"
        );
        self.write(&format!("proc/{pid}/status"), &status);
        let arguments = format!("{}\0", words.join("\0"));
        self.write(&format!("proc/{pid}/cmdline"), &arguments);
        let root = self.path(&format!("proc/{pid}/root"));
        if !root.is_symlink() {
            symlink(&self.root, root).expect("linked");
        }
        self.write(
            &format!("proc/{pid}/cgroup"),
            "0::/system.slice/clockbound.service\n",
        );
    }
}

fn diagnostics_are_fresh(directory: &Path) {
    integration::host::wait::until(integration::host::wait::PATIENCE, "published", || {
        clockbound_client::diagnostics::read(directory)
            .is_ok_and(|read| read.record.counters.reports > 0)
    });
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    fs::write(path, text).expect("written");
}

fn own(path: &Path) {
    chown(path, Some(CHRONY), Some(CHRONY)).expect("chown: this test needs root");
}

/// What a daemon with three sources publishes, apart from its instants.
fn record() -> DiagnosticsRecord {
    let mut record = DiagnosticsRecord::no_claim(0);
    record.pid = std::process::id();
    record.version = [0, 3, 0];
    record.status = Status::Synchronized;
    record.reason = Reason::Tracking;
    record.failure = Reason::Tracking;
    record.settings.max_drift_ppb = 50_000;
    record.counters.reports = 1;
    record.publications = [1, 1, 1, 0];
    record.source_count = 4;
    record
}

/// The record as of now.
fn at_present(record: &DiagnosticsRecord) -> DiagnosticsRecord {
    let now_ns = clock_ns(ClockId::CLOCK_MONOTONIC_RAW);
    let realtime_ns = clock_ns(ClockId::CLOCK_REALTIME);
    DiagnosticsRecord {
        as_of_ns: now_ns,
        realtime_ns,
        started_ns: now_ns,
        status_since_ns: now_ns,
        reason_since_ns: now_ns,
        failure_since_ns: now_ns,
        earliest_ns: realtime_ns - 1_000_000,
        latest_ns: realtime_ns + 1_000_000,
        validated_ns: now_ns,
        free_running_after_ns: now_ns + STALE_AFTER_NS,
        void_after_ns: now_ns + 1_000_000_000_000,
        ..record.clone()
    }
}
