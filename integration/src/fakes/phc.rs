//! A PTP hardware clock, as far as the daemon uses one: its error bound in sysfs.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::host::namespace::Private;
use crate::host::sandbox::Sandbox;

/// The address whose bytes are "PHC0": chrony shows the address of a server as its reference id, so
/// a server at this address represents the hardware clock.
pub const PHC0: Ipv4Addr = Ipv4Addr::new(80, 72, 67, 48);

/// The daemon's options that make it add the error bound while chronyd's reference id is "PHC0".
pub const PHC_OPTIONS: [&str; 4] = ["-r", "PHC0", "-i", INTERFACE];

const INTERFACE: &str = "eth0";
const SLOT: &str = "0000:00:05.0";

/// The error bound of a hardware clock, in a `/sys` of the calling thread's namespaces.
#[derive(Debug)]
pub struct Phc {
    error_bound: PathBuf,
}

impl Phc {
    /// Replaces `/sys` by a directory of `sandbox` in which `eth0` has a hardware clock without an
    /// error bound, and adds [`PHC0`] to the loopback device.
    pub fn new(host: &Private, sandbox: &Sandbox) -> Phc {
        host.loopback(&[PHC0]);
        let device = host.network_device(sandbox, INTERFACE, SLOT);
        Phc {
            error_bound: device.join("phc_error_bound"),
        }
    }

    /// Replaces the content of the error bound's file atomically; the unit is ns.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn set_error_bound(&self, content: &str) {
        let new = self.error_bound.with_extension("new");
        fs::write(&new, content).expect("write the error bound");
        fs::rename(new, &self.error_bound).expect("put it in place");
    }

    /// Removes the error bound's file.
    ///
    /// # Panics
    /// If there is none.
    pub fn remove_error_bound(&self) {
        fs::remove_file(&self.error_bound).expect("remove the error bound");
    }
}
