//! The time servers that this host is configured to use, and whether they reply.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::fakes::ntp_packet;

const NTP_PORT: u16 = 123;
const REPLY_TIMEOUT: Duration = Duration::from_secs(1);
// Resolving a name may take much longer without a network.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Names of the servers in the configuration of chronyd or systemd-timesyncd.
pub fn configured() -> Vec<String> {
    let files = [
        "/etc/chrony/chrony.conf",
        "/etc/chrony.conf",
        "/etc/systemd/timesyncd.conf",
    ];
    let dirs = [
        "/etc/chrony/conf.d",
        "/etc/chrony/sources.d",
        "/etc/chrony.d",
        "/run/chrony-dhcp",
        "/etc/systemd/timesyncd.conf.d",
        "/usr/lib/systemd/timesyncd.conf.d",
    ];
    let mut paths: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    for dir in dirs {
        paths.extend(
            fs::read_dir(dir)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path()),
        );
    }
    let names: BTreeSet<String> = paths.iter().flat_map(|path| servers_in(path)).collect();
    names.into_iter().collect()
}

/// Those of `names` that reply as a synchronised server does.
pub fn answering(names: &[String]) -> Vec<String> {
    let (sender, receiver) = mpsc::channel();
    for name in names {
        let (sender, name) = (sender.clone(), name.clone());
        // Not joined: the resolver may block for longer than the timeout.
        thread::spawn(move || {
            let answers = answers(&name);
            let _ = sender.send((name, answers));
        });
    }
    drop(sender);
    let end = Instant::now() + TIMEOUT;
    let left = || end.saturating_duration_since(Instant::now());
    let results = std::iter::from_fn(|| receiver.recv_timeout(left()).ok());
    results
        .filter_map(|(name, answers)| answers.then_some(name))
        .collect()
}

/// A free port of the loopback address.
///
/// # Panics
/// If there is none.
pub fn free_address() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.local_addr().expect("bound")
}

fn servers_in(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut names = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        let mut words = line.split_whitespace();
        if let Some("server" | "pool" | "peer") = words.next() {
            names.extend(words.next().map(str::to_owned));
        } else if let Some(list) = line
            .strip_prefix("NTP=")
            .or_else(|| line.strip_prefix("FallbackNTP="))
        {
            names.extend(list.split_whitespace().map(str::to_owned));
        }
    }
    names
}

fn answers(name: &str) -> bool {
    let Ok(addresses) = (name, NTP_PORT).to_socket_addrs() else {
        return false;
    };
    addresses
        .take(2)
        .any(|address| answers_at(address).unwrap_or(false))
}

fn answers_at(address: SocketAddr) -> std::io::Result<bool> {
    let any = if address.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(REPLY_TIMEOUT))?;
    socket.connect(address)?;
    socket.send(&ntp_packet::request())?;
    let mut packet = [0; 1024];
    let length = socket.recv(&mut packet)?;
    Ok(ntp_packet::is_good_reply(&packet[..length]))
}
