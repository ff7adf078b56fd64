//! The client: one long-lived unix datagram socket in the directory of chronyd's socket.
//!
//! chronyd replies to the address of the request, so the client's socket needs a path that
//! chronyd's user can access. chronyd's own directory always is such a path. The socket is
//! connected, so the kernel refuses datagrams from other sockets. A restarted chronyd has a new
//! socket with the same path; the client connects to it when the old one refuses.

use std::fs::{self, Metadata};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, lchown};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::AT_FDCWD;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, MultiHeaders, SockFlag, SockType, UnixAddr, bind, recvmmsg, sendmmsg,
    socket,
};
use nix::sys::stat::{FchmodatFlags, Mode, fchmod, fchmodat};
use nix::unistd::{Gid, Group, Uid, User};
use tokio::time::{sleep, timeout};

use super::error::{ParseError, QueryError};
use super::reply::Reply;
use super::request::Request;
use crate::os::async_fd::readable;

/// The size of the receive buffer in bytes. Every reply is shorter.
const MAX_REPLY_BYTES: usize = 1024;

/// The time for which the thread is blocked for replies before the runtime waits for them. chronyd
/// usually replies within a tenth of it, and a wake-up through the runtime costs more than one of a
/// blocked thread.
const PROMPT_REPLY: Duration = Duration::from_millis(1);

/// The time between two attempts to send while chronyd's queue is full.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(50);

/// The time between two checks that the socket's file exists. It is also checked after every
/// failure.
const FILE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The prefix and the suffix of the sockets' file names. A process id and a random number are
/// between them.
const NAME: (&str, &str) = ("clockbound.", ".sock");

/// A client of chronyd's command socket. Dropping it removes its file.
#[derive(Debug)]
pub struct ChronySocket {
    chronyd: PathBuf,
    bound: Bound,
    sequence: u32,
    /// When the socket's file was last checked; `None` if replies may still be queued.
    checked: Option<Instant>,
    /// The inode of chronyd's socket at the last connect.
    chronyd_file: Option<(u64, u64, i64, i64)>,
    /// chronyd was restarted.
    restarted: bool,
}

impl ChronySocket {
    /// Binds a socket in the directory of `chronyd`, which is the path of chronyd's socket. Removes
    /// the sockets of daemons that were killed.
    ///
    /// Call this in a tokio runtime with IO enabled.
    ///
    /// # Errors
    /// [`QueryError::Absent`] without chronyd's directory, [`QueryError::NotPermitted`] if this
    /// user has no permission to write there, [`QueryError::Io`] otherwise.
    pub fn bind(chronyd: &Path) -> Result<Self, QueryError> {
        remove_stale(directory_of(chronyd));
        Ok(Self {
            chronyd: chronyd.to_owned(),
            bound: Bound::bind_beside(chronyd)?,
            // Random, so that replies to an earlier process with this id are not accepted.
            sequence: random(),
            checked: None,
            chronyd_file: None,
            restarted: false,
        })
    }

    /// Whether chronyd was restarted since the last call.
    pub fn take_restarted(&mut self) -> bool {
        std::mem::take(&mut self.restarted)
    }

    /// Connects to chronyd's current socket.
    fn connect(&mut self) -> Result<(), QueryError> {
        let to_query_error = |err| query_error(err, &self.chronyd, &self.chronyd);
        let file = fs::metadata(&self.chronyd).map_err(to_query_error)?;
        // File systems use inode numbers again.
        let identity = (file.dev(), file.ino(), file.ctime(), file.ctime_nsec());
        let before = self.chronyd_file.replace(identity);
        self.restarted |= before.is_some_and(|before| before != identity);
        self.bound.connect(&self.chronyd).map_err(to_query_error)
    }

    /// Sends all `requests` within `max_wait`. chronyd handles requests in the order in which they
    /// were sent, and the kernel queues the replies until [`complete`](Self::complete) reads them.
    ///
    /// Replies to earlier requests are discarded. The future can be dropped at any point; late
    /// replies are then discarded, too. The kernel queues about ten datagrams, so replies can be
    /// lost with more requests than [`MAX_BATCH`](super::MAX_BATCH).
    ///
    /// # Errors
    /// [`QueryError`] if a request was not sent. The next batch can succeed.
    pub async fn submit(
        &mut self,
        requests: &[Request],
        max_wait: Duration,
    ) -> Result<Batch, QueryError> {
        // After a failure, or if the batch is dropped, replies may still be queued.
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

    /// Receives the replies to a batch, in the order of its requests. Waits for missing replies for
    /// at most `max_wait`, and blocks the thread for at most two milliseconds.
    ///
    /// # Errors
    /// [`QueryError`] if a reply is missing. The next batch can succeed.
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

    /// Sends the batch. `checked`: the socket's file was checked recently. `drained`: no reply to
    /// an earlier batch is queued.
    async fn send(
        &mut self,
        batch: &mut Batch,
        checked: bool,
        drained: bool,
    ) -> Result<(), QueryError> {
        if !checked && !self.bound.file_exists() {
            // chronyd's directory was replaced, so replies cannot reach the socket.
            self.bound = Bound::bind_beside(&self.chronyd)?;
        } else if !drained {
            self.bound.drain();
        }
        if !checked {
            self.connect()?;
        }
        let packets = batch.packets();
        let mut left = packets.as_slice();
        while !left.is_empty() {
            match self.bound.send(left) {
                Ok(sent) => left = left.get(sent..).unwrap_or_default(),
                Err(err) => match err.kind() {
                    // chronyd's queue is full.
                    ErrorKind::WouldBlock => sleep(FULL_QUEUE_PAUSE).await,
                    // chronyd was restarted and has a new socket with the same path.
                    ErrorKind::ConnectionRefused | ErrorKind::NotConnected => {
                        self.restarted = true;
                        self.connect()?;
                    }
                    _ => return Err(query_error(err, &self.chronyd, &self.chronyd)),
                },
            }
        }
        Ok(())
    }
}

/// The requests of one batch and their replies.
#[derive(Debug)]
pub struct Batch {
    requests: Vec<Request>,
    replies: Vec<Option<Result<Reply, ParseError>>>,
    /// The sequence number of the first request.
    first: u32,
    missing: usize,
    /// When the socket's file was last checked.
    checked: Option<Instant>,
}

impl Batch {
    /// A batch whose sequence numbers follow `sequence`.
    fn new(requests: &[Request], sequence: u32) -> Self {
        Self {
            requests: requests.to_vec(),
            replies: vec![None; requests.len()],
            first: sequence.wrapping_add(1),
            missing: requests.len(),
            checked: None,
        }
    }

    fn number(&self, index: usize) -> u32 {
        self.first
            .wrapping_add(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The sequence number of the last request.
    fn last_sequence(&self) -> u32 {
        self.number(self.requests.len()).wrapping_sub(1)
    }

    /// The requests as they are sent.
    fn packets(&self) -> Vec<Vec<u8>> {
        let numbered = self.requests.iter().enumerate();
        numbered
            .map(|(index, request)| request.encode(self.number(index)))
            .collect()
    }

    fn is_answered(&self) -> bool {
        self.missing == 0
    }

    /// Stores the packet if it is a reply to one of the requests.
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
        // An error names the directory, because its mode determines who can bind a socket in it.
        Self::bind_in(directory).map_err(|err| query_error(err, chronyd, directory))
    }

    fn bind_in(directory: &Path) -> io::Result<Self> {
        // The name has a random number because a daemon in another container can have the same
        // process id.
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

    /// Connects to the socket at `chronyd`, so that the kernel does not resolve the path for every
    /// datagram.
    fn connect(&self, chronyd: &Path) -> io::Result<()> {
        self.socket.connect(chronyd)
    }

    /// Sends without waiting, and returns how many of these packets were sent: at least one, or the
    /// error of the first. Waiting until the socket is writable would be a busy loop: the kernel
    /// reports a socket as writable even if the receiver's queue is full.
    ///
    /// One system call for all of them takes less time than chronyd takes to wake up, which is then
    /// woken once.
    fn send(&self, packets: &[Vec<u8>]) -> io::Result<usize> {
        let slices: Vec<_> = packets
            .iter()
            .map(|packet| [IoSlice::new(packet)])
            .collect();
        let mut headers = MultiHeaders::<()>::preallocate(packets.len(), None);
        let addresses = vec![None; packets.len()];
        let fd = self.socket.as_raw_fd();
        let flags = MsgFlags::MSG_NOSIGNAL;
        let sent = sendmmsg(fd, &mut headers, &slices, addresses, [], flags)?;
        Ok(sent.count())
    }

    /// Receives replies and blocks the thread for at most twice [`PROMPT_REPLY`].
    fn receive_promptly(&self, batch: &mut Batch) -> io::Result<()> {
        let started = Instant::now();
        loop {
            self.receive_queued(batch)?;
            if batch.is_answered() || started.elapsed() >= PROMPT_REPLY {
                return Ok(());
            }
            let mut readable = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            let timeout = PollTimeout::try_from(PROMPT_REPLY).unwrap_or(PollTimeout::ZERO);
            if poll(&mut readable, timeout) != Ok(1) {
                return Ok(());
            }
        }
    }

    /// Receives the queued replies, without waiting.
    fn receive_queued(&self, batch: &mut Batch) -> io::Result<()> {
        let mut buffers = vec![[0; MAX_REPLY_BYTES]; batch.missing];
        while !batch.is_answered() {
            let buffers = &mut buffers[..batch.missing];
            let lengths = match self.receive_some(buffers) {
                Ok(lengths) => lengths,
                Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                Err(err) => return Err(err),
            };
            for (buffer, &length) in buffers.iter().zip(&lengths) {
                batch.take(buffer.get(..length).unwrap_or_default());
            }
            if lengths.len() < buffers.len() {
                break;
            }
        }
        Ok(())
    }

    /// Receives a datagram into each of the buffers, as far as they are queued. Returns their
    /// lengths.
    fn receive_some(&self, buffers: &mut [[u8; MAX_REPLY_BYTES]]) -> io::Result<Vec<usize>> {
        let mut headers = MultiHeaders::<()>::preallocate(buffers.len(), None);
        let slices = buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let mut slices: Vec<_> = slices.collect();
        let fd = self.socket.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        let received = recvmmsg(fd, &mut headers, &mut slices, flags, None)?;
        Ok(received.map(|message| message.bytes).collect())
    }

    /// Receives all replies without blocking the thread. The socket is registered in the runtime
    /// only during this call, so prompt replies do not wake the runtime.
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

    /// Discards all queued replies.
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
        // If the directory was replaced, the file with this name can belong to another process.
        if self.file_exists() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn directory_of(chronyd: &Path) -> &Path {
    chronyd.parent().unwrap_or(Path::new("/"))
}

/// A random number, which differs between processes and between runs of an actor.
fn random() -> u32 {
    let [a, b, c, d, ..] = RandomState::new()
        .hash_one(std::process::id())
        .to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// A socket bound at `path`. Its file has mode 0600 from its creation on.
fn bind_private(path: &Path) -> io::Result<UnixDatagram> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
    // Linux creates the file with the mode of the socket, without the bits of the umask.
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(socket.into())
}

/// Grants the owner of the directory, which is chronyd's user, access to the socket at `path`, and
/// no other user.
///
/// Does not follow symbolic links. Otherwise the owner of the directory could replace the socket by
/// a link, and root would change the owner of any file.
fn grant_access_to_owner(directory: &Path, path: &Path) -> io::Result<()> {
    let owner = fs::metadata(directory)?;
    if owner.uid() == Uid::effective().as_raw() {
        return Ok(());
    }
    // Only root can change the owner, and root itself does not need permission.
    match lchown(path, Some(owner.uid()), Some(owner.gid())) {
        // For another user in chronyd's group, chronyd gets access through the group.
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

/// Removes the sockets of daemons that were killed: those that refuse connections. Files that
/// cannot be read or removed remain, which is harmless.
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

/// The [`QueryError`] for `err`, which occurred at `place`, for a client of `chronyd`.
fn query_error(err: io::Error, chronyd: &Path, place: &Path) -> QueryError {
    match err.kind() {
        ErrorKind::NotFound => QueryError::Absent(chronyd.to_owned()),
        ErrorKind::ConnectionRefused => QueryError::Refused(chronyd.to_owned()),
        ErrorKind::PermissionDenied => QueryError::NotPermitted(describe_permissions(place)),
        _ => QueryError::Io(err),
    }
}

/// Describes who has permission for `place`, and what to do.
fn describe_permissions(place: &Path) -> String {
    let us = user_name(Uid::effective());
    // The innermost path with readable metadata: without permission for the directory, the socket
    // has none.
    let seen = place
        .ancestors()
        .find_map(|path| Some((path, fs::metadata(path).ok()?)));
    let Some((path, metadata)) = seen else {
        return format!("{} is not accessible for user {us}", place.display());
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
        "{} is owned by {owner}:{group} with mode {mode:04o}, and this process runs as {us}: \
         run clockbound as {owner}",
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
