//! A segment's bytes: the mapped file, and the lock that keeps a reader from using half a record.

pub mod known;
#[cfg(not(loom))]
pub mod map;
pub mod sequence_lock;
pub mod slot;
