//! The actors: each does the IO of one task and leaves the decisions to pure functions.
//!
//! A message is declared beside its handler, in the module of the actor that receives it.

pub mod chrony_poller;
pub mod clock_state;
pub mod clock_watch;
pub mod phc_reader;
mod rate_limit;
pub mod shm_publisher;
