//! The service manager, by the protocol of sd_notify(3): a datagram of `NAME=value` lines to `$NOTIFY_SOCKET`.
//!
//! Without that variable there is nobody to tell, and nothing is done.

mod report;

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use clockbound_actors::publication::rounds::Round;
use clockbound_actors::supervision::Overseer;
use slog::{Logger, warn};

use report::Report;

/// How often the status is looked at: it is not said more often than that.
const LOOK: Duration = Duration::from_secs(1);

/// The service manager, if one listens.
pub struct ServiceManager {
    channel: Option<Channel>,
    report: Report,
    interval: Duration,
    /// That it cannot be told anything was said.
    warned: bool,
    log: Logger,
}

struct Channel {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl ServiceManager {
    /// The service manager of this process's environment; `poll_interval` is that of chronyd.
    ///
    /// # Errors
    /// One is named, but not as a socket can be, or the kernel grants no socket.
    pub fn from_environment(poll_interval: Duration, log: &Logger) -> io::Result<Self> {
        let channel = env::var_os("NOTIFY_SOCKET")
            .filter(|name| !name.is_empty())
            .map(|name| Channel::to(&name))
            .transpose()?;
        let asked = watchdog(
            env::var("WATCHDOG_USEC").ok().as_deref(),
            env::var("WATCHDOG_PID").ok().as_deref(),
            std::process::id(),
        );
        let watchdog = asked.map(|asked| report::watchdog(asked, poll_interval));
        Ok(Self {
            channel,
            interval: watchdog.map_or(LOOK, |dog| LOOK.min(dog.patience / 2)),
            report: Report::new(watchdog),
            warned: false,
            log: log.clone(),
        })
    }

    fn tell(&mut self, message: &str) -> bool {
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
                    warn!(self.log, "service manager cannot be told"; "err" => %err);
                }
                self.warned = true;
                false
            }
        }
    }
}

impl Overseer for ServiceManager {
    fn interval(&self) -> Option<Duration> {
        self.channel.as_ref().map(|_| self.interval)
    }

    fn look(&mut self, round: &Round, now: Instant) {
        let Some((message, report)) = self.report.of(round, now) else {
            return;
        };
        // What could not be said is said at the next look.
        if self.tell(&message) {
            self.report = report;
        }
    }

    fn stopping(&mut self) {
        self.tell("STOPPING=1\nSTATUS=stopping, the last interval stays for readers to age");
    }
}

impl Channel {
    fn to(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        // A service manager that hangs must not keep the supervisor from its work.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, address })
    }

    fn send(&self, message: &str) -> io::Result<()> {
        self.socket
            .send_to_addr(message.as_bytes(), &self.address)
            .map(drop)
    }
}

/// The patience of the watchdog as sd_watchdog_enabled(3) reads it, if it watches this process.
fn watchdog(usec: Option<&str>, watched_pid: Option<&str>, own_pid: u32) -> Option<Duration> {
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
    fn the_watchdog_watches_only_whom_it_names() {
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
            assert_eq!(watchdog(usec, pid, 7), want, "{usec:?} {pid:?}");
        }
    }

    fn managed_by(name: &OsStr) -> ServiceManager {
        ServiceManager {
            channel: Some(Channel::to(name).unwrap()),
            report: Report::new(None),
            interval: LOOK,
            warned: false,
            log: Logger::root(Discard, o!()),
        }
    }

    #[test]
    fn it_is_told_at_a_name_without_a_file() {
        let name = format!("clockbound-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        managed_by(OsStr::new(&format!("@{name}"))).stopping();
        let mut buffer = [0; 128];
        let length = listener.recv(&mut buffer).unwrap();
        assert!(buffer[..length].starts_with(b"STOPPING=1\nSTATUS="));
    }

    #[test]
    fn one_that_is_not_there_stalls_nothing() {
        let mut manager = managed_by(OsStr::new("/nonexistent/notify"));
        assert!(!manager.tell("READY=1"));
        assert!(manager.warned);
    }
}
