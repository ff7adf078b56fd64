//! The sources of a scenario: servers, reference clocks, and their configuration in chronyd.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::scenario::{Listed, Refclock, Scenario, Server};
use crate::fakes::ntp_server::NtpServer;
use crate::fakes::reference_clock::ReferenceClock;
use crate::host::namespace::Private;
use crate::host::sandbox::Sandbox;
use crate::time::truth::Truth;

/// The name of the pool, which only the scenario's hosts file resolves.
const POOL: &str = "pool.test";

/// The port of every server of a scenario with a pool, in a private network namespace.
pub(super) const POOL_PORT: u16 = 11_123;

/// The sources of a running scenario.
pub(super) struct Sources {
    pub servers: Vec<NtpServer>,
    pub refclocks: Vec<ReferenceClock>,
    lines: Vec<String>,
    dir: PathBuf,
    hosts: Option<PathBuf>,
}

impl Sources {
    /// Starts the servers at these addresses and the reference clocks.
    pub(super) fn start(
        sandbox: &Sandbox,
        scenario: &Scenario,
        addresses: &[SocketAddr],
        hosts: Option<PathBuf>,
        truth: &Truth,
        began: Instant,
    ) -> Sources {
        let start = |(address, server): (&SocketAddr, &Server)| {
            NtpServer::start_in(truth, *address, server.behaviour, began)
        };
        let servers: Vec<NtpServer> = addresses.iter().zip(&scenario.servers).map(start).collect();
        let line = |(server, listed): (&NtpServer, &Server)| {
            let (address, options) = (server.address(), listed.options.unwrap_or(scenario.polling));
            format!("{} port {} {options}", address.ip(), address.port())
        };
        let lines = servers.iter().zip(&scenario.servers).map(line).collect();
        // chronyd creates the sockets of its reference clocks.
        let sockets = sandbox.chrony_dir("refclocks");
        let refclock = |(number, refclock): (usize, &Refclock)| {
            let socket = sockets.join(number.to_string());
            ReferenceClock::start(refclock.driver, &socket, truth, refclock.feed, began)
        };
        let refclocks = scenario.refclocks.iter().enumerate().map(refclock);
        let sources = Sources {
            refclocks: refclocks.collect(),
            servers,
            lines,
            dir: sandbox.dir("sources", 0o755),
            hosts,
        };
        sources.list(&numbers_of(scenario, Listed::InDirectory));
        sources
    }

    /// The lines of chronyd's configuration.
    pub(super) fn configuration(&self, scenario: &Scenario) -> Vec<String> {
        let configured = numbers_of(scenario, Listed::Configured);
        let server = |number: usize| format!("server {}", self.lines[number]);
        let mut lines: Vec<String> = configured.into_iter().map(server).collect();
        for (clock, refclock) in self.refclocks.iter().zip(&scenario.refclocks) {
            let (parameter, options) = (clock.parameter(), refclock.options);
            lines.push(format!(
                "refclock {parameter} delay {} {options}",
                refclock.delay
            ));
        }
        if let Some(options) = scenario.pool {
            lines.push(format!("pool {POOL} port {POOL_PORT} {options}"));
        }
        if !numbers_of(scenario, Listed::InDirectory).is_empty() {
            lines.push(format!("sourcedir {}", self.dir.display()));
        }
        lines
    }

    /// Writes these servers to the source directory.
    pub(super) fn list(&self, numbers: &[usize]) {
        let line = |&number: &usize| format!("server {}\n", self.lines[number]);
        let text: String = numbers.iter().map(line).collect();
        fs::write(self.dir.join("rig.sources"), text).expect("write the source file");
    }

    /// Makes the pool's name resolve to these servers.
    pub(super) fn name_pool(&self, numbers: &[usize]) {
        let hosts = self.hosts.as_ref().expect("the scenario has a pool");
        fs::write(hosts, hosts_of(numbers)).expect("write the hosts file");
    }

    /// The command that adds a server.
    pub(super) fn add(&self, number: usize) -> String {
        format!("add server {}", self.lines[number])
    }

    /// The command that deletes a server.
    pub(super) fn delete(&self, number: usize) -> String {
        format!("delete {}", self.servers[number].address().ip())
    }
}

/// The numbers of the servers that are configured there.
pub(super) fn numbers_of(scenario: &Scenario, listed: Listed) -> Vec<usize> {
    let servers = scenario.servers.iter().enumerate();
    servers
        .filter(|(_, server)| server.listed == listed)
        .map(|(number, _)| number)
        .collect()
}

/// The address of a server.
pub(super) fn address(number: usize) -> Ipv4Addr {
    let last = u8::try_from(number + 1).expect("a few servers");
    Ipv4Addr::new(127, 0, 0, last)
}

/// Makes the pool's name resolve to its servers in these namespaces; returns the hosts file.
pub(super) fn make_pool(host: &Private, sandbox: &Sandbox, scenario: &Scenario) -> PathBuf {
    host.loopback(&[]);
    let hosts = sandbox.write("hosts", hosts_of(&numbers_of(scenario, Listed::InPool)));
    host.bind(&hosts, Path::new("/etc/hosts"));
    hosts
}

fn hosts_of(numbers: &[usize]) -> String {
    let line = |&number: &usize| format!("{} {POOL}\n", address(number));
    numbers.iter().map(line).collect()
}
