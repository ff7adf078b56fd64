//! The socket that scrapers connect to.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use nix::sys::stat::{Mode, umask};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::arguments::Address;

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// Of TCP.
    Tcp(TcpListener),
    /// A unix socket. The path is that of a file that this process has made, and that is removed at
    /// the end.
    Unix(UnixListener, Option<PathBuf>),
}

/// A connection.
#[derive(Debug)]
pub enum Connection {
    /// Of TCP.
    Tcp(TcpStream),
    /// Of a unix socket.
    Unix(UnixStream),
}

/// Why there is no socket.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Other hosts could connect.
    #[error("{0} is not a loopback address; give --allow-remote if other hosts may connect")]
    Remote(SocketAddr),
    /// The address cannot be used.
    #[error("failed to listen on {0}: {1}")]
    Address(SocketAddr, io::Error),
    /// The path cannot be used.
    #[error("failed to listen on {path}: {1}", path = .0.display())]
    Path(PathBuf, io::Error),
    /// The socket of systemd cannot be used.
    #[error("failed to use the socket that systemd passed: {0}")]
    Passed(io::Error),
}

impl Listener {
    /// The socket that systemd has passed, or else a new one at `address`. A unix socket is created
    /// with `mode`.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn open(address: &Address, allow_remote: bool, mode: u32) -> Result<Self, ListenError> {
        if let Some(passed) = Self::passed(allow_remote)? {
            return Ok(passed);
        }
        match address {
            Address::Tcp(address) => {
                check_loopback(*address, allow_remote)?;
                let bound = std::net::TcpListener::bind(address).and_then(tcp);
                bound.map_err(|err| ListenError::Address(*address, err))
            }
            Address::Unix(path) => {
                let bound = bind_unix(path, mode);
                let listener = bound.map_err(|err| ListenError::Path(path.clone(), err))?;
                Ok(Self::Unix(listener, Some(path.clone())))
            }
        }
    }

    fn passed(allow_remote: bool) -> Result<Option<Self>, ListenError> {
        let mut passed = ListenFd::from_env();
        if passed.len() == 0 {
            return Ok(None);
        }
        if let Ok(Some(listener)) = passed.take_tcp_listener(0) {
            let address = listener.local_addr().map_err(ListenError::Passed)?;
            check_loopback(address, allow_remote)?;
            return tcp(listener).map(Some).map_err(ListenError::Passed);
        }
        let listener = passed.take_unix_listener(0).map_err(ListenError::Passed)?;
        listener
            .map(|listener| Ok(Self::Unix(unix(listener)?, None)))
            .transpose()
            .map_err(ListenError::Passed)
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// What accept(2) reports.
    pub async fn accept(&self) -> io::Result<Connection> {
        match self {
            Self::Tcp(listener) => Ok(Connection::Tcp(listener.accept().await?.0)),
            Self::Unix(listener, _) => Ok(Connection::Unix(listener.accept().await?.0)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, Some(path)) = self {
            // The next process replaces it if it is left.
            let _ = fs::remove_file(path);
        }
    }
}

fn check_loopback(address: SocketAddr, allow_remote: bool) -> Result<(), ListenError> {
    if address.ip().to_canonical().is_loopback() || allow_remote {
        Ok(())
    } else {
        Err(ListenError::Remote(address))
    }
}

fn tcp(listener: std::net::TcpListener) -> io::Result<Listener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener).map(Listener::Tcp)
}

fn unix(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// A socket that nobody listens on is replaced. A file of another type is not.
fn bind_unix(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if is_socket
        && BlockingUnixStream::connect(path)
            .is_err_and(|err| err.kind() == io::ErrorKind::ConnectionRefused)
    {
        fs::remove_file(path)?;
    }
    // Thus the file never has another mode. No other file is created, and no other thread runs.
    let before = umask(Mode::from_bits_truncate(!mode & 0o777));
    let bound = UnixListener::bind(path);
    umask(before);
    bound
}
