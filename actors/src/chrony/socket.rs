//! The exchange: one long-lived unix datagram socket, bound beside chronyd's.
//!
//! chronyd answers to the address that a request came from, so ours needs a name that chronyd's user can
//! reach; its own directory is the one place that is certain. The socket is connected: datagrams of others are refused
//! by the kernel. A restarted chronyd is another socket under the same name, which is connected to when the
//! old one refuses.

use std::fs::{self, Metadata};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, lchown};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::AT_FDCWD;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, socket};
use nix::sys::stat::{FchmodatFlags, Mode, fchmod, fchmodat};
use nix::unistd::{Gid, Group, Uid, User};
use tokio::time::{sleep, timeout};

use super::error::{ParseError, QueryError};
use super::reply::Reply;
use super::request::Request;
use crate::os::async_fd::readable;

/// No reply is longer.
const MAX_REPLY_BYTES: usize = 1024;

/// How long the thread is blocked for replies before the runtime waits for them. chronyd replies within a tenth of this,
/// and a wake-up through the runtime costs more than one of a blocked thread.
const PROMPT_REPLY_MS: u8 = 1;
const PROMPT_REPLY: Duration = Duration::from_millis(PROMPT_REPLY_MS as u64);

/// Between two attempts to send while chronyd's queue is full.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(50);

/// How often the socket's file is looked for, and after every failure.
const FILE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Our sockets' names begin and end so, with a process id and a number between.
const NAME: (&str, &str) = ("clockbound.", ".sock");

/// A client of chronyd's command socket. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct ChronySocket {
    chronyd: PathBuf,
    bound: Bound,
    sequence: u32,
    /// When the socket's file was last found, if all replies since then were read.
    checked: Option<Instant>,
    /// Which file chronyd's socket was when it was last connected to.
    chronyd_inode: Option<u64>,
    /// chronyd is another process than before.
    restarted: bool,
}

impl ChronySocket {
    /// Binds a socket beside chronyd's at `chronyd`, and removes those of daemons that were killed.
    ///
    /// To be called in a tokio runtime with IO enabled.
    ///
    /// # Errors
    /// [`QueryError::Absent`] without chronyd's directory, [`QueryError::NotPermitted`] when this user may
    /// not write there, [`QueryError::Io`] otherwise.
    pub fn bind(chronyd: &Path) -> Result<Self, QueryError> {
        remove_stale(directory_of(chronyd));
        Ok(Self {
            chronyd: chronyd.to_owned(),
            bound: Bound::bind_beside(chronyd)?,
            // Replies to an earlier process of this id must not look like ours.
            sequence: random(),
            checked: None,
            chronyd_inode: None,
            restarted: false,
        })
    }

    /// Whether chronyd was restarted since this was last asked.
    pub fn take_restarted(&mut self) -> bool {
        std::mem::take(&mut self.restarted)
    }

    /// Connects to whatever socket chronyd has now.
    fn connect(&mut self) -> Result<(), QueryError> {
        let to_query_error = |err| query_error(err, &self.chronyd, &self.chronyd);
        let inode = fs::metadata(&self.chronyd).map_err(to_query_error)?.ino();
        let before = self.chronyd_inode.replace(inode);
        self.restarted |= before.is_some_and(|before| before != inode);
        self.bound.connect(&self.chronyd).map_err(to_query_error)
    }

    /// Sends all `requests` within `max_wait`. chronyd handles requests in the order in which they were sent, and the kernel
    /// queues the replies until [`complete`](Self::complete) reads them.
    ///
    /// Replies to earlier requests are read and ignored. Safe to drop at any point: a reply that then
    /// comes late is ignored like any other. The kernel queues about ten datagrams; with more requests than
    /// [`MAX_BATCH`](super::MAX_BATCH) replies may be lost.
    ///
    /// # Errors
    /// [`QueryError`] when not every request was sent; the next batch may work all the same.
    pub async fn submit(
        &mut self,
        requests: &[Request],
        max_wait: Duration,
    ) -> Result<Batch, QueryError> {
        // Replies that come after a failure, or when the batch is dropped, are still to be read.
        let drained = self.checked.take();
        let checked = drained.filter(|checked| checked.elapsed() < FILE_CHECK_INTERVAL);
        let mut batch = Batch::new(requests, self.sequence);
        self.sequence = batch.last_sequence();
        let sent = self.send(&mut batch, checked.is_some(), drained.is_some());
        match timeout(max_wait, sent).await {
            Ok(result) => result?,
            Err(_) => return Err(QueryError::Silent(max_wait)),
        }
        batch.checked = checked.or_else(|| Some(Instant::now()));
        Ok(batch)
    }

    /// Receives the replies to a batch, in the order of its requests. Waits for those that have not come for at most
    /// `max_wait`, and blocks the thread for a millisecond or two at most.
    ///
    /// # Errors
    /// [`QueryError`] when not every request was answered; the next batch may work all the same.
    pub async fn complete(
        &mut self,
        mut batch: Batch,
        max_wait: Duration,
    ) -> Result<Vec<Result<Reply, ParseError>>, QueryError> {
        self.bound
            .receive_promptly(&mut batch)
            .map_err(QueryError::Io)?;
        if !batch.is_answered() {
            match timeout(max_wait, self.bound.receive(&mut batch)).await {
                Ok(result) => result.map_err(QueryError::Io)?,
                Err(_) => return Err(QueryError::Silent(max_wait)),
            }
        }
        self.checked = batch.checked;
        Ok(batch.into_replies())
    }

    /// Sends the batch. `checked`: our socket's file was found lately. `drained`: no reply to an earlier batch is queued.
    async fn send(
        &mut self,
        batch: &mut Batch,
        checked: bool,
        drained: bool,
    ) -> Result<(), QueryError> {
        if !checked && !self.bound.file_exists() {
            // chronyd's directory was made anew, and a reply could not find us.
            self.bound = Bound::bind_beside(&self.chronyd)?;
        } else if !drained {
            self.bound.drain();
        }
        if !checked {
            self.connect()?;
        }
        while let Some(packet) = batch.next_packet() {
            while let Err(err) = self.bound.send(&packet) {
                match err.kind() {
                    // chronyd's queue is full.
                    ErrorKind::WouldBlock => sleep(FULL_QUEUE_PAUSE).await,
                    // chronyd was restarted, and is another socket under the same name.
                    ErrorKind::ConnectionRefused | ErrorKind::NotConnected => {
                        self.restarted = true;
                        self.connect()?;
                    }
                    _ => return Err(query_error(err, &self.chronyd, &self.chronyd)),
                }
            }
        }
        Ok(())
    }
}

/// Requests that were sent and the replies that have come.
#[derive(Debug)]
pub struct Batch {
    requests: Vec<Request>,
    replies: Vec<Option<Result<Reply, ParseError>>>,
    /// The number of the first request.
    first: u32,
    sent: usize,
    missing: usize,
    /// When the socket's file was last found.
    checked: Option<Instant>,
}

impl Batch {
    /// The first request's number follows `sequence`.
    fn new(requests: &[Request], sequence: u32) -> Self {
        Self {
            requests: requests.to_vec(),
            replies: vec![None; requests.len()],
            first: sequence.wrapping_add(1),
            sent: 0,
            missing: requests.len(),
            checked: None,
        }
    }

    fn number(&self, index: usize) -> u32 {
        self.first.wrapping_add(index as u32)
    }

    /// The number of the last request.
    fn last_sequence(&self) -> u32 {
        self.number(self.requests.len()).wrapping_sub(1)
    }

    /// The next request to send; `None` when all were sent.
    fn next_packet(&mut self) -> Option<Vec<u8>> {
        let packet = self.requests.get(self.sent)?.encode(self.number(self.sent));
        self.sent += 1;
        Some(packet)
    }

    fn is_answered(&self) -> bool {
        self.missing == 0
    }

    /// Takes a reply to one of the requests; ignores anything else.
    fn take(&mut self, packet: &[u8]) {
        for (index, request) in self.requests.iter().enumerate() {
            let reply = Reply::parse(packet, request.command(), self.number(index));
            if reply == Err(ParseError::NotOurs) {
                continue;
            }
            if self.replies[index].replace(reply).is_none() {
                self.missing -= 1;
            }
            return;
        }
    }

    fn into_replies(self) -> Vec<Result<Reply, ParseError>> {
        self.replies.into_iter().flatten().collect()
    }
}

/// A bound socket and its file.
#[derive(Debug)]
struct Bound {
    socket: UnixDatagram,
    path: PathBuf,
    inode: u64,
}

impl Bound {
    fn bind_beside(chronyd: &Path) -> Result<Self, QueryError> {
        let directory = directory_of(chronyd);
        // The socket's own mode says nothing of who may bind another one beside it.
        Self::bind_in(directory).map_err(|err| query_error(err, chronyd, directory))
    }

    fn bind_in(directory: &Path) -> io::Result<Self> {
        // By chance: in another container a live daemon may have the same process id.
        let name = format!("{}{}.{}{}", NAME.0, std::process::id(), random(), NAME.1);
        let path = directory.join(name);
        let socket = bind_private(&path)?;
        let opened = grant_access_to_owner(directory, &path).and_then(|()| {
            Ok(Self {
                socket,
                inode: fs::symlink_metadata(&path)?.ino(),
                path: path.clone(),
            })
        });
        opened.inspect_err(|_| {
            let _ = fs::remove_file(&path);
        })
    }

    /// Connects to the socket that is at `chronyd` now: the kernel then looks its path up once, and not for every
    /// datagram.
    fn connect(&self, chronyd: &Path) -> io::Result<()> {
        self.socket.connect(chronyd)
    }

    /// Sends at once or not at all. Waiting until the socket is writable would be spinning: the kernel says
    /// so again right after it refused to send to a full queue.
    fn send(&self, packet: &[u8]) -> io::Result<()> {
        self.socket.send(packet).map(drop)
    }

    /// Receives replies, and blocks the thread for them: for [`PROMPT_REPLY_MS`] without any, for twice that at most.
    fn receive_promptly(&self, batch: &mut Batch) -> io::Result<()> {
        let begun = Instant::now();
        loop {
            self.receive_queued(batch)?;
            if batch.is_answered() || begun.elapsed() >= PROMPT_REPLY {
                return Ok(());
            }
            let mut readable = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            if poll(&mut readable, PROMPT_REPLY_MS) != Ok(1) {
                return Ok(());
            }
        }
    }

    /// Receives the replies that the kernel has queued, without waiting.
    fn receive_queued(&self, batch: &mut Batch) -> io::Result<()> {
        let mut buffer = [0; MAX_REPLY_BYTES];
        while !batch.is_answered() {
            match self.socket.recv(&mut buffer) {
                Ok(length) => batch.take(buffer.get(..length).unwrap_or_default()),
                Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                Err(err) => return Err(err),
            }
        }
        Ok(())
    }

    /// Receives all replies, and never blocks the thread. The runtime knows of the socket only meanwhile: it is not
    /// woken for replies that come promptly.
    async fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        let socket = readable(self.socket.as_fd())?;
        let mut buffer = [0; MAX_REPLY_BYTES];
        while !batch.is_answered() {
            let mut ready = socket.readable().await?;
            if let Ok(received) = ready.try_io(|_| self.socket.recv(&mut buffer)) {
                batch.take(buffer.get(..received?).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Reads what is there, and ignores it.
    fn drain(&self) {
        let mut buffer = [0; MAX_REPLY_BYTES];
        while self.socket.recv(&mut buffer).is_ok() {}
    }

    fn file_exists(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode)
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // What is there under the name may be another's, if the directory was made anew.
        if self.file_exists() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn directory_of(chronyd: &Path) -> &Path {
    chronyd.parent().unwrap_or(Path::new("/"))
}

/// A number that another process, or another life of this one, is not likely to draw.
fn random() -> u32 {
    RandomState::new().hash_one(std::process::id()) as u32
}

/// A socket bound at `path`, whose file only its owner may write to, from its first instant on.
fn bind_private(path: &Path) -> io::Result<UnixDatagram> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
    // Linux gives the file the mode that the socket has, less the umask.
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(socket.into())
}

/// Lets chronyd, who owns the directory, send to the socket at `path`, and nobody else.
///
/// Follows no symbolic link: the directory's owner could put one there and be given any file by root.
fn grant_access_to_owner(directory: &Path, path: &Path) -> io::Result<()> {
    let owner = fs::metadata(directory)?;
    if owner.uid() == Uid::effective().as_raw() {
        return Ok(());
    }
    // Root, the only user who may do this, needs no permission on a file of its own.
    match lchown(path, Some(owner.uid()), Some(owner.gid())) {
        // Another user in chronyd's group: the group is how chronyd reaches us.
        Err(err) if err.kind() == ErrorKind::PermissionDenied => {
            lchown(path, None, Some(owner.gid()))?;
            let mode = Mode::from_bits_truncate(0o660);
            Ok(fchmodat(
                AT_FDCWD,
                path,
                mode,
                FchmodatFlags::NoFollowSymlink,
            )?)
        }
        result => result,
    }
}

/// Removes sockets that daemons before us left behind when they were killed: those that nobody answers at.
/// What cannot be read or removed stays, and harms nobody.
fn remove_stale(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(NAME.0) && name.ends_with(NAME.1));
        let is_socket = entry.file_type().is_ok_and(|kind| kind.is_socket());
        if ours && is_socket && refuses_connections(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn refuses_connections(path: &Path) -> bool {
    let Ok(probe) = UnixDatagram::unbound() else {
        return false;
    };
    probe
        .connect(path)
        .is_err_and(|err| err.kind() == ErrorKind::ConnectionRefused)
}

/// What `err`, met at `place`, means for somebody who wants to talk to `chronyd`.
fn query_error(err: io::Error, chronyd: &Path, place: &Path) -> QueryError {
    match err.kind() {
        ErrorKind::NotFound => QueryError::Absent(chronyd.to_owned()),
        ErrorKind::ConnectionRefused => QueryError::Refused(chronyd.to_owned()),
        ErrorKind::PermissionDenied => QueryError::NotPermitted(describe_permissions(place)),
        _ => QueryError::Io(err),
    }
}

/// Who may use `place`, who may not, and what to do about it.
fn describe_permissions(place: &Path) -> String {
    let us = user_name(Uid::effective());
    // The innermost that can be seen: without permission on the directory the socket cannot.
    let seen = place
        .ancestors()
        .find_map(|path| Some((path, fs::metadata(path).ok()?)));
    let Some((path, metadata)) = seen else {
        return format!("{} cannot be reached by user {us}", place.display());
    };
    describe_owner(path, &metadata, &us)
}

fn describe_owner(path: &Path, metadata: &Metadata, us: &str) -> String {
    let owner = user_name(Uid::from_raw(metadata.uid()));
    let gid = Gid::from_raw(metadata.gid());
    let group = Group::from_gid(gid)
        .ok()
        .flatten()
        .map_or_else(|| gid.to_string(), |group| group.name);
    let mode = metadata.mode() & 0o7777;
    format!(
        "{} belongs to {owner}:{group} with mode {mode:04o}, and this process is user {us}: run clockbound as {owner}",
        path.display()
    )
}

fn user_name(uid: Uid) -> String {
    User::from_uid(uid)
        .ok()
        .flatten()
        .map_or_else(|| uid.to_string(), |user| user.name)
}

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;
