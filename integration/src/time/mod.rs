//! True time as a test defines it, and readings of clocks.

pub mod clock;
pub mod profile;
pub mod truth;

/// Nanoseconds in a second.
pub const NS_PER_S: i64 = 1_000_000_000;
