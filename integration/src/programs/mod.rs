//! The programs under test: the daemon, and the chronyd that it polls.

pub mod chronyd;
pub mod daemon;
