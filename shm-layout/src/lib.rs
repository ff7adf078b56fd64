//! Byte-exact layouts of the clockbound shared-memory segments, their writer and their reader.
//!
//! ```text
//!   writer --+                                            +-- reader (cache)
//!            +--> v1, v2, native (layout) --> sequence <--+       sequence: the lock, over atomic words
//!            +--> map (mmap)  <---------------------------+       map: the only unsafe room
//! ```
//! A layout is a room of its own; [`header`] is what the layouts in the field share, [`layout`] what reader and
//! writer need to know of any. Shared memory holds plain integers: what a foreign process wrote becomes an enum
//! only through `TryFrom`.

#![deny(unsafe_code)]

pub mod sequence;

#[cfg(not(loom))]
mod cache;
#[cfg(not(loom))]
mod clock;
#[cfg(not(loom))]
pub mod header;
#[cfg(not(loom))]
pub mod identity;
#[cfg(not(loom))]
pub mod layout;
#[cfg(not(loom))]
pub mod map;
#[cfg(not(loom))]
pub mod native;
#[cfg(not(loom))]
pub mod reader;
#[cfg(not(loom))]
mod reason;
#[cfg(not(loom))]
pub mod resume;
#[cfg(not(loom))]
mod status;
#[cfg(not(loom))]
pub mod v1;
#[cfg(not(loom))]
pub mod v2;
#[cfg(not(loom))]
pub mod writer;

#[cfg(not(loom))]
pub use reason::Reason;
#[cfg(not(loom))]
pub use status::{ClockStatus, ForeignStatus};
