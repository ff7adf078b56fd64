//! True time as a test defines it, and readings of clocks.

pub mod clock;
pub mod profile;
pub mod truth;
