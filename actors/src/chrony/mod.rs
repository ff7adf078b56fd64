//! chronyd's command protocol, version 6: what may be asked, what is answered, and how to ask it.
//!
//! ```text
//!   request --encode--> socket <=====> chronyd
//!     reply <--parse--- socket
//!        \_ report: typed values, refused by name when they cannot be
//! ```
//! [`Request`] and [`Reply`] are pure and go both ways, so that tests can play chronyd. [`SourceWalk`] is pure, too, and
//! decides what a poll asks. Only [`ChronySocket`] does IO. All integers are big endian on the wire.
//!
//! Source: `candm.h` of chrony 4 for the numbers and layouts, checked against chronyd 4.3.

#[cfg(test)]
mod captured;
mod error;
mod poll;
#[cfg(test)]
mod properties;
mod protocol;
mod reply;
mod report;
mod request;
mod socket;
mod wire;

pub use error::{ParseError, QueryError, QueryErrorKind};
pub use poll::{ChronyPoll, MAX_BATCH, NextStep, SourceError, SourceWalk};
pub use protocol::Status;
pub use reply::{REPLY_HEADER_BYTES, Reply};
pub use report::{Leap, SourceData, SourceMode, SourceState, Tracking};
pub use request::{REQUEST_HEADER_BYTES, Request};
pub use socket::{Batch, ChronySocket};
pub use wire::Address;
