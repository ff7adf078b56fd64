//! Sends events to journald by its native protocol: one datagram per event, with a field for each
//! value.
//!
//! A journald that does not read blocks the writing thread, as a full pipe does, and no other
//! thread.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use slog::{Drain, KV, Key, Level, OwnedKVList, Record, Serializer};

use super::events::message_id;
use super::line::EventTime;

/// The path of journald's socket.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// Whether `stderr` leads to the journal, by `stream`, the `$JOURNAL_STREAM` of this process.
pub(super) fn is_connected_to(stderr: &File, stream: Option<&str>) -> bool {
    let Some((device, inode)) = stream.and_then(|stream| stream.split_once(':')) else {
        return false;
    };
    stderr
        .metadata()
        .is_ok_and(|file| device.parse() == Ok(file.dev()) && inode.parse() == Ok(file.ino()))
}

/// Sends events to journald.
pub(super) struct Journal {
    socket: UnixDatagram,
    journald: PathBuf,
    time: EventTime,
}

impl Journal {
    /// Creates a socket to send to the path `journald`.
    ///
    /// # Errors
    /// The kernel refused a socket.
    pub(super) fn new(journald: &Path, time: EventTime) -> io::Result<Self> {
        Ok(Self {
            socket: UnixDatagram::unbound()?,
            journald: journald.to_owned(),
            time,
        })
    }
}

impl Drain for Journal {
    type Ok = ();
    type Err = io::Error;

    fn log(&self, record: &Record, values: &OwnedKVList) -> io::Result<()> {
        let mut pairs = Pairs::default();
        record.kv().serialize(record, &mut pairs)?;
        values.serialize(record, &mut pairs)?;
        // slog passes the pairs in reverse order.
        pairs.0.reverse();
        let event = encode(record, &pairs.0, &self.time.rfc3339());
        // The path is resolved each time, because a restarted journald has a new socket there.
        self.socket.send_to(&event, &self.journald).map(drop)
    }
}

/// One event in journald's native format.
fn encode(record: &Record, pairs: &[(Key, String)], time: &str) -> Vec<u8> {
    let mut message = record.msg().to_string();
    let id = message_id(&message);
    for (key, value) in pairs {
        // Writing to a string cannot fail.
        let _ = write!(message, ", {key}: {value}");
    }
    let mut event = Vec::new();
    put(&mut event, "MESSAGE", &message);
    put(&mut event, "PRIORITY", priority(record.level()));
    put(&mut event, "SYSLOG_IDENTIFIER", "clockbound");
    if let Some(id) = id {
        put(&mut event, "MESSAGE_ID", id);
    }
    // journald's own timestamp is that of the arrival.
    put(&mut event, "EVENT_TIME", time);
    for (key, value) in pairs {
        put(&mut event, &field(key), value);
    }
    event
}

/// The journal field of a key.
fn field(key: &str) -> String {
    match key {
        "status" | "to" => "CLOCK_STATUS".to_owned(),
        "from" => "CLOCK_STATUS_BEFORE".to_owned(),
        "reason" => "CLOCK_REASON".to_owned(),
        "bound_ns" => "CLOCK_BOUND_NS".to_owned(),
        _ => key.to_ascii_uppercase(),
    }
}

/// The priority as syslog(3) defines it.
fn priority(level: Level) -> &'static str {
    match level {
        Level::Critical => "2",
        Level::Error => "3",
        Level::Warning => "4",
        Level::Info => "6",
        Level::Debug | Level::Trace => "7",
    }
}

/// Appends a field. A value of several lines is preceded by its length.
fn put(event: &mut Vec<u8>, field: &str, value: &str) {
    event.extend_from_slice(field.as_bytes());
    if value.contains('\n') {
        event.push(b'\n');
        event.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        event.push(b'=');
    }
    event.extend_from_slice(value.as_bytes());
    event.push(b'\n');
}

#[derive(Default)]
struct Pairs(Vec<(Key, String)>);

impl Serializer for Pairs {
    fn emit_arguments(&mut self, key: Key, value: &fmt::Arguments) -> slog::Result {
        self.0.push((key, value.to_string()));
        Ok(())
    }

    fn emit_none(&mut self, _key: Key) -> slog::Result {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use slog::{Logger, o, warn};

    use super::*;
    use crate::logging::tests::{flood, within_deadline};
    use crate::logging::{queue, start_with};

    /// A socket in a private directory, in place of journald's.
    struct Journald {
        socket: UnixDatagram,
        dir: PathBuf,
    }

    impl Journald {
        fn new(name: &str) -> Self {
            let dir =
                std::env::temp_dir().join(format!("clockbound-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir(&dir).unwrap();
            let socket = UnixDatagram::bind(dir.join("socket")).unwrap();
            Self { socket, dir }
        }

        fn log(&self) -> (Logger, queue::Logging) {
            let time = EventTime::default();
            let journal = Journal::new(&self.dir.join("socket"), time.clone()).unwrap();
            start_with(Level::Info, Box::new(journal), time).unwrap()
        }

        fn receive(&self) -> String {
            let mut buffer = [0; 4096];
            let length = self.socket.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        }
    }

    impl Drop for Journald {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }

    #[test]
    fn an_event_is_one_datagram_of_fields() {
        let journald = Journald::new("fields");
        let (log, logging) = journald.log();
        let log = log.new(o!("actor" => "clock_state"));
        warn!(log, "clock status changed";
            "from" => "synchronized", "to" => "unknown", "reason" => "over\ncap", "bound_ns" => 7,
            "source" => Option::<u8>::None);
        let event = journald.receive();
        let (head, rest) = event.split_once("EVENT_TIME=").unwrap();
        assert_eq!(
            head,
            format!(
                "MESSAGE\n{}clock status changed, actor: clock_state, from: synchronized, to: unknown, \
                 reason: over\ncap, bound_ns: 7\nPRIORITY=4\nSYSLOG_IDENTIFIER=clockbound\nMESSAGE_ID={}\n",
                "\x68\0\0\0\0\0\0\0",
                message_id("clock status changed").unwrap()
            )
        );
        let (time, fields) = rest.split_once('\n').unwrap();
        assert!(humantime::parse_rfc3339(time).is_ok(), "{time}");
        assert_eq!(
            fields,
            "ACTOR=clock_state\nCLOCK_STATUS_BEFORE=synchronized\nCLOCK_STATUS=unknown\n\
             CLOCK_REASON\n\x08\0\0\0\0\0\0\0over\ncap\nCLOCK_BOUND_NS=7\n"
        );
        drop(logging);
    }

    #[test]
    fn a_stalled_journald_blocks_no_logger_and_later_receives_the_count_of_dropped_events() {
        let journald = Journald::new("stalled");
        let (log, logging) = journald.log();
        let (log, logged) = within_deadline(move || {
            let logged = flood(&log);
            (log, logged)
        });
        within_deadline(move || {
            let (mut seen, mut dropped) = (0, 0);
            while seen + dropped < logged {
                let event = journald.receive();
                match event.split_once("\nCOUNT=") {
                    Some((_, count)) => dropped += count.trim().parse::<u64>().unwrap(),
                    None => seen += 1,
                }
            }
            assert!(dropped > 0);
            assert_eq!(seen + dropped, logged);
        });
        drop((log, logging));
    }

    #[test]
    fn shutdown_does_not_wait_for_a_journald_that_does_not_read_or_is_missing() {
        let journald = Journald::new("hung");
        let (log, logging) = journald.log();
        within_deadline(move || {
            flood(&log);
            drop(logging);
        });
        let (log, logging) = journald.log();
        fs::remove_file(journald.dir.join("socket")).unwrap();
        within_deadline(move || {
            flood(&log);
            drop(logging);
        });
    }

    #[test]
    fn the_journal_is_recognised_by_device_and_inode() {
        let file = File::open("/dev/null").unwrap();
        let meta = file.metadata().unwrap();
        let (device, inode) = (meta.dev(), meta.ino());
        for (stream, want) in [
            (None, false),
            (Some(format!("{device}:{inode}")), true),
            (Some(format!("{device}:{}", inode + 1)), false),
            (Some(format!("{}:{inode}", device + 1)), false),
            (Some(String::new()), false),
            (Some("7".to_owned()), false),
        ] {
            assert_eq!(
                is_connected_to(&file, stream.as_deref()),
                want,
                "{stream:?}"
            );
        }
    }
}
