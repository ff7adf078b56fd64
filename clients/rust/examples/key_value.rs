//! A tiny key-value store of several processes, which share a directory and the time:
//! `key_value STORE SEGMENTS [--vmclock PATH] [--bug midpoint|fallback]`.
//!
//! - Writes are ordered by their timestamps, on all hosts. A write gets the latest that the time can
//!   be, and is exposed when that is certainly in the past (commit wait).
//! - One process at a time holds the lease, and serves reads from its memory. It stops when the
//!   lease may have ended. Another one takes the lease when it has certainly ended.
//!
//! It reads commands from standard input, one a line, and answers each with one line:
//! `put KEY VALUE`, `lease MILLISECONDS`, `get KEY`.
//!
//! The bugs are for `docs/simulate.md`: a test with a simulated clock finds them.
//! - `midpoint`: a timestamp is the midpoint of the interval instead of its end.
//! - `fallback`: when the time is not known, the clock of the system is used instead.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clockbound_client::{Client, OpenOptions};

/// How long a process waits for the time to be known.
const READY: Duration = Duration::from_secs(30);

/// The longest commit wait.
const COMMIT: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bug {
    Midpoint,
    Fallback,
}

/// A process of the store.
struct Node {
    client: Client,
    store: PathBuf,
    bug: Option<Bug>,
    /// What this process has written or read.
    memory: HashMap<String, String>,
    /// When the lease of this process ends, ns since 1970.
    lease_end_ns: Option<i64>,
}

/// A lease in the store: the process that has it, and its end.
struct Lease {
    holder: u32,
    end_ns: i64,
}

type Answer = Result<String, Box<dyn Error>>;

impl Node {
    /// Where true time is: the earliest and the latest, ns since 1970.
    fn time_ns(&self) -> Result<(i64, i64), Box<dyn Error>> {
        let now = self.client.now()?;
        if now.status().is_trusted() {
            return Ok((now.earliest_ns(), now.latest_ns()));
        }
        if self.bug == Some(Bug::Fallback) {
            let system = SystemTime::now().duration_since(UNIX_EPOCH)?;
            let ns = i64::try_from(system.as_nanos())?;
            return Ok((ns, ns));
        }
        Err(format!("the time is not known: {}, {}", now.status(), now.reason()).into())
    }

    /// Writes a value; answers with its timestamp when the write is exposed.
    fn put(&mut self, key: &str, value: &str) -> Answer {
        let (earliest_ns, latest_ns) = self.time_ns()?;
        let timestamp_ns = match self.bug {
            Some(Bug::Midpoint) => earliest_ns.midpoint(latest_ns),
            _ => latest_ns,
        };
        let path = self.store.join(format!("key-{key}"));
        fs::write(path, format!("{timestamp_ns} {value}"))?;
        self.client.commit_wait_timeout_ns(timestamp_ns, COMMIT)?;
        self.memory.insert(key.to_owned(), value.to_owned());
        Ok(format!("committed {timestamp_ns}"))
    }

    /// Takes or renews the lease.
    fn lease(&mut self, lasts_ms: i64) -> Answer {
        let (earliest_ns, _) = self.time_ns()?;
        let own = std::process::id();
        let path = self.store.join("lease");
        let before = read_lease(&path)?;
        if let Some(lease) = before.filter(|lease| lease.holder != own)
            && earliest_ns <= lease.end_ns
        {
            return Err(format!("process {} may have the lease", lease.holder).into());
        }
        let end_ns = earliest_ns + lasts_ms * 1_000_000;
        // A real store replaces it in one step, with consensus.
        fs::write(&path, format!("{own} {end_ns}"))?;
        self.lease_end_ns = Some(end_ns);
        Ok(format!("leased until {end_ns}"))
    }

    /// The value of a key from memory, if this process certainly has the lease.
    fn get(&self, key: &str) -> Answer {
        let (_, latest_ns) = self.time_ns()?;
        if self.lease_end_ns.is_none_or(|end_ns| latest_ns >= end_ns) {
            return Err("the lease has ended, or may have".into());
        }
        let value = self.memory.get(key).map_or("nothing", String::as_str);
        Ok(format!("value {value}"))
    }

    fn answer(&mut self, line: &str) -> Answer {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["put", key, value] => self.put(key, value),
            ["lease", milliseconds] => self.lease(milliseconds.parse()?),
            ["get", key] => self.get(key),
            _ => Err("expected put KEY VALUE, lease MILLISECONDS or get KEY".into()),
        }
    }
}

fn read_lease(path: &Path) -> Result<Option<Lease>, Box<dyn Error>> {
    let text = match fs::read_to_string(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let (holder, end_ns) = text.split_once(' ').ok_or("a damaged lease")?;
    Ok(Some(Lease {
        holder: holder.parse()?,
        end_ns: end_ns.parse()?,
    }))
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [store, segments, options @ ..] = &arguments[..] else {
        return Err("expected STORE SEGMENTS [--vmclock PATH] [--bug midpoint|fallback]".into());
    };
    let mut open = OpenOptions::new().path(segments);
    let mut bug = None;
    for option in options.chunks(2) {
        match option {
            [name, path] if name == "--vmclock" => open = open.vmclock(path),
            [name, value] if name == "--bug" => {
                bug = Some(match value.as_str() {
                    "midpoint" => Bug::Midpoint,
                    "fallback" => Bug::Fallback,
                    _ => return Err(format!("no bug {value}").into()),
                });
            }
            _ => return Err(format!("no option {}", option.join(" ")).into()),
        }
    }
    // A database does not start before the time is known.
    let client = open.open_when_ready(READY, None)?;
    let mut node = Node {
        client,
        store: store.into(),
        bug,
        memory: HashMap::new(),
        lease_end_ns: None,
    };
    let mut out = io::stdout();
    for line in io::stdin().lock().lines() {
        match node.answer(&line?) {
            Ok(answer) => writeln!(out, "{answer}")?,
            Err(err) => writeln!(out, "refused: {err}")?,
        }
        out.flush()?;
    }
    Ok(())
}
