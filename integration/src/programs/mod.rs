//! The programs under test: the daemon, the chronyd that it polls, and the operator's tools.

pub mod chronyd;
pub mod daemon;
pub mod tools;
