//! Private mount and network namespaces for a test.
//!
//! In them, the fixed paths of a host (`/run/chrony`, `/run/clockbound`, `/sys`) are directories of
//! the test.

use std::fs;
use std::net::Ipv4Addr;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::sandbox::Sandbox;

/// The file of the kernel's clocksource, below the root directory.
const CLOCKSOURCE: &str = "sys/devices/system/clocksource/clocksource0/current_clocksource";

/// The namespaces of the thread that runs a test.
#[derive(Debug)]
pub struct Private(());

/// Runs `test` in a thread with private namespaces; they end with it and the processes that it
/// starts.
///
/// # Panics
/// When not root, or when the test panics.
pub fn private<T: Send>(test: impl FnOnce(&Private) -> T + Send) -> T {
    let run = || {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)
            .expect("namespaces: this test needs root");
        // No mount may propagate to the host.
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
    /// Mounts `source` at `target`, which must exist.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn bind(&self, source: &Path, target: &Path) {
        mount_with(Some(source), target, None, MsFlags::MS_BIND);
    }

    /// Mounts an empty `/run`.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn empty_run(&self) {
        mount_with(
            Some(Path::new("tmpfs")),
            Path::new("/run"),
            Some("tmpfs"),
            MsFlags::empty(),
        );
    }

    /// Adds these addresses to the loopback device.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn loopback(&self, addresses: &[Ipv4Addr]) {
        ip(&["link", "set", "lo", "up"]);
        for address in addresses {
            ip(&["address", "add", &format!("{address}/32"), "dev", "lo"]);
        }
    }

    /// Replaces the boot id.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn boot_id(&self, sandbox: &Sandbox, id: &str) {
        let file = sandbox.write(&format!("boot_id-{id}"), format!("{id}\n"));
        self.bind(&file, Path::new("/proc/sys/kernel/random/boot_id"));
    }

    /// Replaces `/sys` by a directory in which `interface` is a network device in PCI slot `slot`,
    /// and the clocksource is the kernel's; returns the directory of that slot.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn network_device(&self, sandbox: &Sandbox, interface: &str, slot: &str) -> PathBuf {
        let uevent = format!("DRIVER=ena\nPCI_CLASS=20000\nPCI_SLOT_NAME={slot}\n");
        sandbox.write(&format!("sys/class/net/{interface}/device/uevent"), uevent);
        let device = sandbox.path("sys").join("bus/pci/devices").join(slot);
        fs::create_dir_all(&device).expect("make the device's directory");
        if let Ok(clocksource) = fs::read(Path::new("/").join(CLOCKSOURCE)) {
            sandbox.write(CLOCKSOURCE, clocksource);
        }
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
