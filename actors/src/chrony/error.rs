//! What can go wrong with a packet, and with a query.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::protocol::{Status, VERSION};

/// Why bytes are not the packet that was expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// The packet ends too early.
    #[error("the packet has {found} bytes, {wanted} are needed")]
    TooShort {
        /// The length needed, in bytes.
        wanted: usize,
        /// The packet's length in bytes.
        found: usize,
    },
    /// A packet of another kind.
    #[error("packet type {0} is not the one expected")]
    PacketType(u8),
    /// Another version of the protocol.
    #[error("BADPKTVERSION: chronyd speaks version {0} of its protocol, this is version {VERSION}")]
    Version(u8),
    /// A request that is not known here.
    #[error("command {0} is not known")]
    Command(u16),
    /// No reply, or the reply to another question: late, or noise.
    #[error("the packet is no reply to this question")]
    NotOurs,
    /// chronyd refused the request.
    #[error("chronyd answered {0}")]
    Status(Status),
    /// A reply of a kind that this request does not have.
    #[error("reply {0} does not belong to the request")]
    ReplyKind(u16),
    /// A value that cannot be.
    #[error("{field} is {value}: {why}")]
    Field {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// Why it cannot be.
        why: &'static str,
    },
}

impl ParseError {
    pub(super) fn field(field: &'static str, value: String, why: &'static str) -> Self {
        Self::Field { field, value, why }
    }
}

/// Why a query has no reply.
#[derive(Debug, Error)]
pub enum QueryError {
    /// Nothing is at chronyd's path.
    #[error("{} does not exist: chronyd is not running, or has its bindcmdaddress elsewhere", .0.display())]
    Absent(PathBuf),
    /// A socket is there, and nobody behind it.
    #[error("{} has nobody behind it: chronyd has ended", .0.display())]
    Refused(PathBuf),
    /// The system does not let us.
    #[error("{0}")]
    NotPermitted(String),
    /// No answer.
    #[error("chronyd has not answered within {} ms", .0.as_millis())]
    Silent(Duration),
    /// An answer that cannot be relied on.
    #[error(transparent)]
    Protocol(#[from] ParseError),
    /// An answer to something else.
    #[error("chronyd answered with an unexpected {0}")]
    Unexpected(&'static str),
    /// Anything else that the system said.
    #[error("the socket failed: {0}")]
    Io(#[source] io::Error),
}

/// The kinds of [`QueryError`], to tell a change from more of the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryErrorKind {
    /// Nothing is at chronyd's path.
    Absent,
    /// Nobody is behind the socket.
    Refused,
    /// The system does not let us.
    NotPermitted,
    /// No answer in time.
    Silent,
    /// An answer that cannot be relied on.
    Protocol,
    /// Anything else.
    Io,
}

impl QueryError {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> QueryErrorKind {
        match self {
            Self::Absent(_) => QueryErrorKind::Absent,
            Self::Refused(_) => QueryErrorKind::Refused,
            Self::NotPermitted(_) => QueryErrorKind::NotPermitted,
            Self::Silent(_) => QueryErrorKind::Silent,
            Self::Protocol(_) | Self::Unexpected(_) => QueryErrorKind::Protocol,
            Self::Io(_) => QueryErrorKind::Io,
        }
    }
}
