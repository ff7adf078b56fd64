//! A testbed of one's own for a test: mounts and network of this thread and of what it starts.
//!
//! The hard-coded paths of a real host (`/run/chrony`, `/run/clockbound`, `/sys`) become the test's.

use std::fs;
use std::net::Ipv4Addr;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::sandbox::Sandbox;

/// The namespaces of the thread that runs a test.
#[derive(Debug)]
pub struct Private(());

/// Runs `test` in a thread with namespaces of its own; they end with it.
///
/// # Panics
/// When not root, or when the test panics.
pub fn private<T: Send>(test: impl FnOnce(&Private) -> T + Send) -> T {
    let run = || {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)
            .expect("namespaces: this test needs root");
        // Nothing that is mounted here may show outside.
        mount_with(
            None,
            Path::new("/"),
            None,
            MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        );
        test(&Private(()))
    };
    thread::scope(|scope| scope.spawn(run).join())
        .unwrap_or_else(|payload| panic::resume_unwind(payload))
}

impl Private {
    /// Shows `source` at `target`, which must exist.
    ///
    /// # Panics
    /// If it cannot.
    pub fn bind(&self, source: &Path, target: &Path) {
        mount_with(Some(source), target, None, MsFlags::MS_BIND);
    }

    /// Replaces `/run` by an empty one.
    ///
    /// # Panics
    /// If it cannot.
    pub fn empty_run(&self) {
        mount_with(
            Some(Path::new("tmpfs")),
            Path::new("/run"),
            Some("tmpfs"),
            MsFlags::empty(),
        );
    }

    /// Gives the loopback device these addresses besides 127.0.0.1.
    ///
    /// # Panics
    /// If it cannot.
    pub fn loopback(&self, addresses: &[Ipv4Addr]) {
        ip(&["link", "set", "lo", "up"]);
        for address in addresses {
            ip(&["address", "add", &format!("{address}/32"), "dev", "lo"]);
        }
    }

    /// Makes this look like a boot with another id.
    ///
    /// # Panics
    /// If it cannot.
    pub fn boot_id(&self, sandbox: &Sandbox, id: &str) {
        let file = sandbox.write(&format!("boot_id-{id}"), format!("{id}\n"));
        self.bind(&file, Path::new("/proc/sys/kernel/random/boot_id"));
    }

    /// Replaces `/sys` by one in which `interface` is a network device in PCI slot `slot`; returns the
    /// directory of that slot.
    ///
    /// # Panics
    /// If it cannot.
    pub fn network_device(&self, sandbox: &Sandbox, interface: &str, slot: &str) -> PathBuf {
        let uevent = format!("DRIVER=ena\nPCI_CLASS=20000\nPCI_SLOT_NAME={slot}\n");
        sandbox.write(&format!("sys/class/net/{interface}/device/uevent"), uevent);
        let device = sandbox.path("sys").join("bus/pci/devices").join(slot);
        fs::create_dir_all(&device).expect("make the device's directory");
        self.bind(&sandbox.path("sys"), Path::new("/sys"));
        device
    }
}

fn mount_with(source: Option<&Path>, target: &Path, kind: Option<&str>, flags: MsFlags) {
    mount(source, target, kind, flags, None::<&str>)
        .unwrap_or_else(|err| panic!("mount {source:?} at {}: {err}", target.display()));
}

fn ip(arguments: &[&str]) {
    let status = Command::new("ip")
        .args(arguments)
        .status()
        .expect("iproute2 is installed");
    assert!(status.success(), "ip {arguments:?}");
}
