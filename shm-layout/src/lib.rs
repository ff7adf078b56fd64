//! Byte-exact layouts of the clockbound shared-memory segments, their writer and their reader.
//!
//! ```text
//!   writer ----+                                +---- reader
//!              +--> v1 (layout) --> sequence <--+         sequence: the lock, over atomic words
//!              +--> map (mmap)  <---------------+         map: the only unsafe room
//! ```
//! A layout is a room of its own; [`header`] is what the layouts in the field share. Shared memory
//! holds plain integers: what a foreign process wrote becomes an enum only through `TryFrom`.

#![deny(unsafe_code)]

#[cfg(not(loom))]
mod clock;
pub mod header;
#[cfg(not(loom))]
pub mod map;
#[cfg(not(loom))]
pub mod reader;
pub mod sequence;
mod status;
pub mod v1;
#[cfg(not(loom))]
pub mod writer;

pub use status::{ClockStatus, ForeignStatus};
