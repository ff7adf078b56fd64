//! A synchronised chronyd and its server, for a daemon.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::fakes::ntp_server::NtpServer;
use crate::host::sandbox::Sandbox;
use crate::observe::reading::Status;
use crate::observe::segment::Segment;
use crate::programs::chronyd::Chronyd;
use crate::programs::daemon::{Daemon, Launch};
use crate::time::truth::Truth;

/// A server with true time and a chronyd synchronised to it, in a sandbox.
#[derive(Debug)]
pub struct Testbed {
    /// chronyd, a client of `server`.
    pub chronyd: Chronyd,
    /// The server, whose time is `truth`.
    pub server: NtpServer,
    /// True time.
    pub truth: Truth,
    /// The directory of all files; the last field, so that it is dropped last.
    pub sandbox: Sandbox,
}

impl Testbed {
    /// On a machine whose clock has no offset.
    #[expect(
        clippy::new_without_default,
        reason = "a default should not start processes"
    )]
    pub fn new() -> Testbed {
        Testbed::with_offset_ns(0)
    }

    /// On a machine whose clock is behind by this much (ahead, when negative).
    pub fn with_offset_ns(offset_ns: i64) -> Testbed {
        Testbed::served_at(Ipv4Addr::LOCALHOST, offset_ns)
    }

    /// Like [`Testbed::with_offset_ns`], with the server at this address: chrony's reference id.
    pub fn served_at(address: Ipv4Addr, offset_ns: i64) -> Testbed {
        let sandbox = Sandbox::new();
        let truth = Truth::offset_by_ns(offset_ns);
        let server = NtpServer::start_at(&truth, address);
        let mut chronyd = Chronyd::following(&sandbox, "chrony", server.address());
        chronyd.start_synchronised();
        Testbed {
            chronyd,
            server,
            truth,
            sandbox,
        }
    }

    /// The path of the v1 segment.
    pub fn shm(&self) -> PathBuf {
        shm_path(&self.sandbox)
    }

    /// A launch of the daemon with this chronyd.
    pub fn launch(&self, program: impl AsRef<Path>) -> Launch {
        Launch::new(program, &self.chronyd.socket(), &self.shm())
    }

    /// Starts the daemon and waits until it has published Synchronized.
    pub fn start(&self, program: impl AsRef<Path>) -> Daemon {
        self.start_with(&self.launch(program))
    }

    /// Like [`Testbed::start`], with another launch.
    pub fn start_with(&self, launch: &Launch) -> Daemon {
        let daemon = launch.start();
        daemon.wait_until("synchronised", || is_synchronised(&self.shm()));
        daemon
    }
}

/// The path where tests let the daemon publish.
pub fn shm_path(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("clockbound").join("shm")
}

fn is_synchronised(shm: &Path) -> bool {
    Segment::read(shm)
        .is_ok_and(|segment| segment.is_valid() && segment.status() == Status::Synchronized)
}
