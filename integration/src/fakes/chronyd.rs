//! A command socket with scripted replies, for those that a real chronyd never sends.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::candm::{Report, Request};
use crate::host::background::Background;

/// One datagram of a reply.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    /// How long after the request it is sent.
    pub after: Duration,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// Sent at once.
    pub fn at_once(bytes: Vec<u8>) -> Vec<Answer> {
        Answer::after(Duration::ZERO, bytes)
    }

    /// Sent later; other requests are answered in the meantime.
    pub fn after(after: Duration, bytes: Vec<u8>) -> Vec<Answer> {
        vec![Answer { after, bytes }]
    }
}

type Script = Box<dyn FnMut(&Request) -> Vec<Answer> + Send>;

/// A scripted command socket.
pub struct FakeChronyd {
    socket: PathBuf,
    script: Arc<Mutex<Script>>,
    received: Arc<AtomicU64>,
    _thread: Background<()>,
}

impl FakeChronyd {
    /// Replies to every tracking request with the report that `report` returns.
    pub fn reporting(dir: &Path, report: impl FnMut() -> Report + Send + 'static) -> FakeChronyd {
        FakeChronyd::start(dir, script(report))
    }

    /// Replies to every request with the datagrams that `script` returns: none, one or many.
    ///
    /// # Panics
    /// If the socket cannot be made.
    pub fn start(
        dir: &Path,
        script: impl FnMut(&Request) -> Vec<Answer> + Send + 'static,
    ) -> FakeChronyd {
        let path = dir.join("chronyd.sock");
        let socket = UnixDatagram::bind(&path).expect("bind the fake command socket");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777))
            .expect("open the socket to all");
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let received = Arc::<AtomicU64>::default();
        let thread = {
            let (script, received) = (Arc::clone(&script), Arc::clone(&received));
            Background::start(move |stop| serve(&socket, &script, &received, stop))
        };
        FakeChronyd {
            socket: path,
            script,
            received,
            _thread: thread,
        }
    }

    /// Replaces the script.
    ///
    /// # Panics
    /// If the script has panicked.
    pub fn set(&self, script: impl FnMut(&Request) -> Vec<Answer> + Send + 'static) {
        *self.script.lock().expect("script") = Box::new(script);
    }

    /// Replaces the report.
    pub fn report(&self, report: impl FnMut() -> Report + Send + 'static) {
        self.set(script(report));
    }

    /// Its command socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// How many requests it has received.
    pub fn requests(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

impl Drop for FakeChronyd {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
    }
}

/// A script that replies with this report and one source, and refuses other commands.
pub fn script(mut report: impl FnMut() -> Report) -> impl FnMut(&Request) -> Vec<Answer> {
    move |request| Answer::at_once(report().answer_to(request))
}

fn serve(socket: &UnixDatagram, script: &Mutex<Script>, received: &AtomicU64, stop: &AtomicBool) {
    // Datagrams to send, the earliest on top.
    let mut queue = BinaryHeap::new();
    let mut packet = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        let pause = match queue.peek() {
            Some(Reverse((due, _, _))) => Instant::saturating_duration_since(due, Instant::now()),
            None => Duration::from_millis(50),
        };
        // A timeout of zero means no timeout.
        let pause = pause.clamp(Duration::from_micros(100), Duration::from_millis(50));
        socket.set_read_timeout(Some(pause)).expect("set a timeout");
        if let Ok((length, client)) = socket.recv_from(&mut packet) {
            received.fetch_add(1, Ordering::Relaxed);
            let client = client.as_pathname().map(Path::to_owned);
            if let (Some(client), Some(request)) = (client, Request::parse(&packet[..length])) {
                for answer in script.lock().expect("script")(&request) {
                    queue.push(Reverse((
                        Instant::now() + answer.after,
                        answer.bytes,
                        client.clone(),
                    )));
                }
            }
        }
        while queue
            .peek()
            .is_some_and(|Reverse((due, _, _))| *due <= Instant::now())
        {
            let Some(Reverse((_, bytes, client))) = queue.pop() else {
                break;
            };
            // The client may have exited, or its queue is full: a real chronyd ignores this, too.
            let _: io::Result<usize> = socket.send_to(&bytes, client);
        }
    }
}
