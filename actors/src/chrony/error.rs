//! The errors of packets and queries.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::protocol::{Status, VERSION};

/// The reason why a packet is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// The packet is too short.
    #[error("packet has {found} bytes, expected at least {wanted}")]
    TooShort {
        /// The required length in bytes.
        wanted: usize,
        /// The packet's length in bytes.
        found: usize,
    },
    /// The packet has another type.
    #[error("unexpected packet type {0}")]
    PacketType(u8),
    /// The packet has another version of the protocol.
    #[error(
        "BADPKTVERSION: chronyd uses protocol version {0}, clockbound supports version {VERSION}"
    )]
    Version(u8),
    /// The request has an unknown command.
    #[error("unknown command {0}")]
    Command(u16),
    /// The packet is not a reply, or is a late reply to another request.
    #[error("packet is not a reply to the request")]
    NotOurs,
    /// chronyd refused the request.
    #[error("chronyd returned {0}")]
    Status(Status),
    /// The reply has a type that does not match the request.
    #[error("reply type {0} does not match the request")]
    ReplyKind(u16),
    /// A field has an invalid value.
    #[error("{field} is {value}: {why}")]
    Field {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// Why the value is invalid.
        why: &'static str,
    },
}

impl ParseError {
    pub(super) fn field(field: &'static str, value: String, why: &'static str) -> Self {
        Self::Field { field, value, why }
    }
}

/// The reason why a query failed.
#[derive(Debug, Error)]
pub enum QueryError {
    /// chronyd's socket does not exist.
    #[error(
        "{} does not exist: chronyd is not running, or its bindcmdaddress is another path",
        .0.display()
    )]
    Absent(PathBuf),
    /// No process has the socket open.
    #[error("{} refused the connection: chronyd is not running", .0.display())]
    Refused(PathBuf),
    /// The user has no permission. Names the file, its owner and the user.
    #[error("{0}")]
    NotPermitted(String),
    /// chronyd did not reply in time.
    #[error("chronyd did not reply within {} ms", .0.as_millis())]
    Silent(Duration),
    /// chronyd refused the request, or its reply is invalid.
    #[error(transparent)]
    Protocol(#[from] ParseError),
    /// The reply has another type than requested.
    #[error("chronyd sent an unexpected {0}")]
    Unexpected(&'static str),
    /// Any other error of the operating system.
    #[error("socket error: {0}")]
    Io(#[source] io::Error),
}

/// The kind of a [`QueryError`], without its details, to detect a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryErrorKind {
    /// chronyd's socket does not exist.
    Absent,
    /// No process has the socket open.
    Refused,
    /// The user has no permission.
    NotPermitted,
    /// chronyd did not reply in time.
    Silent,
    /// chronyd refused the request, or its reply is invalid.
    Protocol,
    /// Any other error of the operating system.
    Io,
}

impl QueryError {
    /// The kind of the error.
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
