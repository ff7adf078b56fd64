//! The exchange: one long-lived unix datagram socket, bound beside chronyd's.
//!
//! chronyd answers to the address that a request came from, so ours needs a name that chronyd's user can
//! reach; its own directory is the one place that is certain. Each query names chronyd's path
//! anew: a restarted chronyd is another socket under the same name.

use std::fs::{self, Metadata, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::unistd::{Gid, Group, Uid, User};
use tokio::net::UnixDatagram;
use tokio::time::timeout;

use super::error::{ParseError, QueryError};
use super::reply::Reply;
use super::request::Request;

/// No reply is longer.
const MAX_REPLY_BYTES: usize = 1024;

/// Our sockets' names begin and end so, with a process id and a number between.
const NAME: (&str, &str) = ("clockbound.", ".sock");

/// A client of chronyd's command socket. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct ChronySocket {
    chronyd: PathBuf,
    bound: Bound,
    sequence: u32,
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
        let directory = chronyd.parent().unwrap_or(Path::new("/"));
        remove_stale(directory);
        let bound = Bound::new(directory).map_err(|err| explain(err, chronyd))?;
        // Replies to an earlier process of this id must not look like ours.
        let sequence = RandomState::new().hash_one(std::process::id()) as u32;
        Ok(Self {
            chronyd: chronyd.to_owned(),
            bound,
            sequence,
        })
    }

    /// Asks chronyd, and waits for the answer for at most `patience`. Never blocks the thread.
    ///
    /// Replies to earlier questions are read and ignored. Safe to drop at any point: a reply that then
    /// comes late is ignored like any other.
    ///
    /// # Errors
    /// [`QueryError`]; the next query may work all the same.
    pub async fn query(
        &mut self,
        request: &Request,
        patience: Duration,
    ) -> Result<Reply, QueryError> {
        match timeout(patience, self.ask(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(QueryError::Silent(patience)),
        }
    }

    async fn ask(&mut self, request: &Request) -> Result<Reply, QueryError> {
        if !self.bound.is_there() {
            // chronyd's directory was made anew, and a reply could not find us.
            let directory = self.chronyd.parent().unwrap_or(Path::new("/"));
            self.bound = Bound::new(directory).map_err(|err| explain(err, &self.chronyd))?;
        }
        let mut buffer = [0; MAX_REPLY_BYTES];
        while self.bound.socket.try_recv(&mut buffer).is_ok() {}

        self.sequence = self.sequence.wrapping_add(1);
        let packet = request.encode(self.sequence);
        // With chronyd's queue full this waits, until the patience is over.
        let sent = self.bound.socket.send_to(&packet, &self.chronyd).await;
        sent.map_err(|err| explain(err, &self.chronyd))?;
        loop {
            let length = self
                .bound
                .socket
                .recv(&mut buffer)
                .await
                .map_err(QueryError::Io)?;
            let packet = buffer.get(..length).unwrap_or_default();
            match Reply::parse(packet, request.command(), self.sequence) {
                Err(ParseError::NotOurs) => {}
                answer => return Ok(answer?),
            }
        }
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
    fn new(directory: &Path) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}{}.{number}{}", NAME.0, std::process::id(), NAME.1);
        let path = directory.join(name);
        // Left by a daemon of the same id: ours is not there yet.
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path)?;
        let opened = admit_owner(directory, &path);
        let inode = opened
            .and_then(|()| fs::symlink_metadata(&path))
            .map(|file| file.ino());
        let inode = inode.inspect_err(|_| {
            let _ = fs::remove_file(&path);
        })?;
        Ok(Self {
            socket,
            path,
            inode,
        })
    }

    fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode)
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // What is there under the name may be another's, if the directory was made anew.
        if self.is_there() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Lets chronyd, who owns the directory, send to the socket at `path`, and nobody else.
fn admit_owner(directory: &Path, path: &Path) -> io::Result<()> {
    let owner = fs::metadata(directory)?;
    if owner.uid() != Uid::effective().as_raw() {
        // Root, the only user who may do this, needs no permission on a file of its own.
        match chown(path, Some(owner.uid()), Some(owner.gid())) {
            Ok(()) => {}
            // Another user in chronyd's group: the group is how chronyd reaches us.
            Err(err) if err.kind() == ErrorKind::PermissionDenied => {
                chown(path, None, Some(owner.gid()))?;
                return fs::set_permissions(path, Permissions::from_mode(0o660));
            }
            Err(err) => return Err(err),
        }
    }
    fs::set_permissions(path, Permissions::from_mode(0o600))
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
        if ours && is_socket && nobody_is_behind(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn nobody_is_behind(path: &Path) -> bool {
    let Ok(probe) = std::os::unix::net::UnixDatagram::unbound() else {
        return false;
    };
    probe
        .connect(path)
        .is_err_and(|err| err.kind() == ErrorKind::ConnectionRefused)
}

/// What `err` means for somebody who wants to talk to `chronyd`.
fn explain(err: io::Error, chronyd: &Path) -> QueryError {
    match err.kind() {
        ErrorKind::NotFound => QueryError::Absent(chronyd.to_owned()),
        ErrorKind::ConnectionRefused => QueryError::Refused(chronyd.to_owned()),
        ErrorKind::PermissionDenied => QueryError::NotPermitted(who_may(chronyd)),
        _ => QueryError::Io(err),
    }
}

/// Who may talk to chronyd, who does not, and what to do about it.
fn who_may(chronyd: &Path) -> String {
    let us = user_name(Uid::effective());
    // The innermost that can be seen: without permission on the directory the socket cannot.
    let seen = chronyd
        .ancestors()
        .find_map(|path| Some((path, fs::metadata(path).ok()?)));
    let Some((path, metadata)) = seen else {
        return format!("{} cannot be reached by user {us}", chronyd.display());
    };
    describe(path, &metadata, &us)
}

fn describe(path: &Path, metadata: &Metadata, us: &str) -> String {
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
