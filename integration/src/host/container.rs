//! A container of this machine's root file system, booted with its own systemd.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::namespace::Private;
use super::process::{Log, Process};
use super::sandbox::Sandbox;
use super::wait;

/// The directories of units that are not started in the container: they are irrelevant to the test.
const WANTS: [&str; 4] = [
    "multi-user.target.wants",
    "timers.target.wants",
    "getty.target.wants",
    "sysinit.target.wants",
];

/// A container's file system; writes to it do not reach the host.
#[derive(Debug)]
pub struct Root(PathBuf);

impl Root {
    /// An overlay of the host's root, kept in memory. It ends with the namespaces of `_host`.
    ///
    /// # Panics
    /// If it cannot be mounted.
    pub fn overlay(_host: &Private, sandbox: &Sandbox) -> Root {
        let base = sandbox.dir("container", 0o755);
        let memory = Some(Path::new("tmpfs"));
        mount(memory, &base, Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("mount a tmpfs");
        for name in ["upper", "work", "root"] {
            fs::create_dir(base.join(name)).expect("make a directory");
        }
        let at = base.display();
        let options = format!("lowerdir=/,upperdir={at}/upper,workdir={at}/work");
        let root = base.join("root");
        let overlay = Some(Path::new("overlay"));
        mount(
            overlay,
            &root,
            Some("overlay"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
        .expect("mount an overlay");
        let root = Root(root);
        root.remove("var/log/journal");
        // Container images forbid starting services by this file.
        root.remove("usr/sbin/policy-rc.d");
        for wants in WANTS {
            root.remove(&format!("etc/systemd/system/{wants}"));
        }
        root
    }

    /// Makes chronyd a service with this `server` line that never touches the clock.
    pub fn enable_chrony(&self, server_line: &str) {
        self.write(
            "etc/chrony/chrony.conf",
            format!("{server_line}\nmaxclockerror 50\n"),
        );
        self.write("etc/default/chrony", "DAEMON_OPTS=\"-F 1 -x\"\n");
        // chronyd -x runs without the capability to set the clock.
        self.write(
            "etc/systemd/system/chrony.service.d/test.conf",
            "[Unit]\nConditionCapability=\n",
        );
        let wants = self.path("etc/systemd/system/multi-user.target.wants");
        fs::create_dir_all(&wants).expect("make a directory");
        symlink(
            "/lib/systemd/system/chrony.service",
            wants.join("chrony.service"),
        )
        .expect("enable chrony");
    }

    /// The host's path of a file of the container.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, and creates the directories above it.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("make parent directories");
        fs::write(&path, content).expect("write a file of the container");
    }

    /// Runs a program in the file system before the boot.
    ///
    /// # Panics
    /// If it fails.
    pub fn run(&self, words: &[&str]) -> String {
        output(Command::new("chroot").arg(&self.0).args(words))
    }

    /// Boots the container, and waits until its systemd reports that it is running.
    ///
    /// # Panics
    /// If the boot does not finish.
    pub fn boot(&self) -> Container {
        let mut command = Command::new("systemd-nspawn");
        command
            .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
            .args([
                "--quiet",
                "--register=no",
                "--keep-unit",
                "--link-journal=no",
                "--console=pipe",
            ])
            // The test's namespace, with its NTP server. PrivateNetwork= of a unit sets up a
            // loopback device.
            .arg("--capability=CAP_NET_ADMIN")
            .arg("--network-namespace-path=/proc/self/ns/net")
            // For reading the kernel's clock frequency, and for the device controller of units, which
            // nspawn forbids by default.
            .arg("--system-call-filter=adjtimex clock_adjtime bpf")
            .args(["--machine=clockbound-test", "--boot", "--directory"])
            .arg(&self.0)
            .arg("systemd.unit=multi-user.target");
        let nspawn = Process::start("systemd-nspawn", command, Log::Kept);
        let init = wait::until_some(wait::PATIENCE, "the container has an init", || {
            init_of(nspawn.pid())
        });
        let container = Container { init, nspawn };
        let is_up = || {
            let state = container.try_run(&["systemctl", "is-system-running"]);
            matches!(state.1.trim(), "running" | "degraded").then_some(())
        };
        let up = wait::within(wait::PATIENCE, is_up);
        assert!(
            up.is_some(),
            "the container does not boot:\n{}",
            container.nspawn.log().join("\n")
        );
        // Units with a private /proc read the host's boot id, the others the one that nspawn
        // mounts. Without the mount, all read the same.
        container.run(&["umount", "/proc/sys/kernel/random/boot_id"]);
        container
    }

    fn remove(&self, name: &str) {
        let path = self.path(name);
        if path.is_dir() {
            fs::remove_dir_all(&path).expect("remove a directory of the container");
        } else {
            let _ = fs::remove_file(&path);
        }
    }
}

/// A booted container, killed when dropped.
#[derive(Debug)]
pub struct Container {
    init: i32,
    nspawn: Process,
}

impl Container {
    /// The host's path of a file of the running container, also below `/run`.
    pub fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.init)).join(name)
    }

    /// Runs a program in the container; returns its standard output.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> String {
        output(&mut self.command(words))
    }

    /// Runs a program that may fail in the container; returns whether it succeeded, and its output.
    pub fn try_run(&self, words: &[&str]) -> (bool, String) {
        let output = self.command(words).output().expect("run nsenter");
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// The value of a property of a unit.
    #[track_caller]
    pub fn property(&self, unit: &str, name: &str) -> String {
        let value = self.run(&["systemctl", "show", "--value", "--property", name, unit]);
        value.trim().to_owned()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--all", "--target", &self.init.to_string(), "--"]);
        command.args(words);
        command
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // The kernel then kills every process in the container, and nspawn exits.
        let _ = kill(Pid::from_raw(self.init), Signal::SIGKILL);
    }
}

/// The child of nspawn that is process 1 in the container.
fn init_of(nspawn: i32) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{nspawn}/task/{nspawn}/children")).ok()?;
    children.split_whitespace().find_map(|child| {
        let status = fs::read_to_string(format!("/proc/{child}/status")).ok()?;
        let ids = status.lines().find(|line| line.starts_with("NSpid:"))?;
        ids.ends_with("\t1").then(|| child.parse().ok())?
    })
}

#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|err| panic!("{command:?}: {err}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}
