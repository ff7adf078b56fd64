//! Notifications of the service manager by the protocol of sd_notify(3): datagrams of `NAME=value`
//! lines, sent to `$NOTIFY_SOCKET`.
//!
//! Without that variable nothing is sent.

mod notification;

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use clockbound_actors::publication::rounds::Round;
use clockbound_actors::supervision::RoundObserver;
use slog::{Logger, warn};

use notification::{Sent, Watchdog};

/// The time between two checks of the status, which limits how often the status is sent.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The service manager of this process, if there is one.
pub struct ServiceManager {
    channel: Option<Channel>,
    sent: Sent,
    interval: Duration,
    /// The failure to notify has been logged.
    warned: bool,
    log: Logger,
}

struct Channel {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl ServiceManager {
    /// Opens the socket that the environment names; `poll_interval` is the time between two polls
    /// of chronyd.
    ///
    /// # Errors
    /// `NOTIFY_SOCKET` is not a socket address, or the kernel refused a socket.
    pub fn from_environment(poll_interval: Duration, log: &Logger) -> io::Result<Self> {
        let channel = env::var_os("NOTIFY_SOCKET")
            .filter(|name| !name.is_empty())
            .map(|name| Channel::to(&name))
            .transpose()?;
        let requested = watchdog_timeout(
            env::var("WATCHDOG_USEC").ok().as_deref(),
            env::var("WATCHDOG_PID").ok().as_deref(),
            std::process::id(),
        );
        let watchdog = requested.map(|timeout| Watchdog::new(timeout, poll_interval));
        Ok(Self {
            channel,
            interval: watchdog.map_or(CHECK_INTERVAL, |dog| CHECK_INTERVAL.min(dog.timeout / 2)),
            sent: Sent::new(watchdog),
            warned: false,
            log: log.clone(),
        })
    }

    /// Sends `message`, and logs the first of several failures in a row.
    fn notify(&mut self, message: &str) -> bool {
        let Some(channel) = &self.channel else {
            return false;
        };
        match channel.send(message) {
            Ok(()) => {
                self.warned = false;
                true
            }
            Err(err) => {
                if !self.warned {
                    warn!(self.log, "failed to notify the service manager"; "err" => %err);
                }
                self.warned = true;
                false
            }
        }
    }
}

impl RoundObserver for ServiceManager {
    fn check_interval(&self) -> Option<Duration> {
        self.channel.as_ref().map(|_| self.interval)
    }

    fn observe(&mut self, round: &Round, now: Instant) {
        let Some((message, sent)) = self.sent.next(round, now) else {
            return;
        };
        // A failed notification is sent again at the next check.
        if self.notify(&message) {
            self.sent = sent;
        }
    }

    fn stopping(&mut self) {
        self.notify("STOPPING=1\nSTATUS=stopping, the segments remain for readers");
    }
}

impl Channel {
    fn to(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        // A service manager that hangs must not block the supervisor.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, address })
    }

    fn send(&self, message: &str) -> io::Result<()> {
        self.socket
            .send_to_addr(message.as_bytes(), &self.address)
            .map(drop)
    }
}

/// The watchdog timeout as sd_watchdog_enabled(3) defines it, if the watchdog applies to this
/// process.
fn watchdog_timeout(
    usec: Option<&str>,
    watched_pid: Option<&str>,
    own_pid: u32,
) -> Option<Duration> {
    if watched_pid.is_some_and(|pid| pid.parse() != Ok(own_pid)) {
        return None;
    }
    let usec: u64 = usec?.parse().ok()?;
    (usec > 0).then(|| Duration::from_micros(usec))
}

#[cfg(test)]
mod tests {
    use slog::{Discard, o};

    use super::*;

    #[test]
    fn the_watchdog_applies_only_to_the_process_that_it_names() {
        let second = Some(Duration::from_secs(1));
        for (usec, pid, want) in [
            (None, None, None),
            (Some("1000000"), None, second),
            (Some("1000000"), Some("7"), second),
            (Some("1000000"), Some("8"), None),
            (Some("1000000"), Some("x"), None),
            (Some("0"), Some("7"), None),
            (Some("-1"), None, None),
        ] {
            assert_eq!(watchdog_timeout(usec, pid, 7), want, "{usec:?} {pid:?}");
        }
    }

    fn managed_by(name: &OsStr) -> ServiceManager {
        ServiceManager {
            channel: Some(Channel::to(name).unwrap()),
            sent: Sent::new(None),
            interval: CHECK_INTERVAL,
            warned: false,
            log: Logger::root(Discard, o!()),
        }
    }

    #[test]
    fn an_abstract_socket_is_notified() {
        let name = format!("clockbound-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        managed_by(OsStr::new(&format!("@{name}"))).stopping();
        let mut buffer = [0; 128];
        let length = listener.recv(&mut buffer).unwrap();
        assert!(buffer[..length].starts_with(b"STOPPING=1\nSTATUS="));
    }

    #[test]
    fn a_missing_socket_neither_blocks_nor_panics() {
        let mut manager = managed_by(OsStr::new("/nonexistent/notify"));
        assert!(!manager.notify("READY=1"));
        assert!(manager.warned);
    }
}
