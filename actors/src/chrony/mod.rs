//! chronyd's command protocol, version 6: requests, replies and a client.
//!
//! ```text
//!   request --encode--> socket <=====> chronyd
//!     reply <--parse--- socket
//!        \_ report: typed values; an error names the field of an invalid value
//! ```
//! [`Request`] and [`Reply`] are pure, and both encode and parse, so that tests can act as chronyd.
//! [`SourceWalk`] is pure, too, and decides which requests a poll sends. Only [`ChronySocket`] does
//! IO. All integers are big endian on the wire.
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
pub use protocol::{Status, VERSION as PROTOCOL_VERSION};
pub use reply::{REPLY_HEADER_BYTES, Reply};
pub use report::{Leap, SourceData, SourceMode, SourceState, Tracking};
pub use request::{REQUEST_HEADER_BYTES, Request};
pub use socket::{Batch, ChronySocket};
pub use wire::Address;
