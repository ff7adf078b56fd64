//! The actors. Each does the IO of one task and calls pure functions for the decisions.
//!
//! A message is declared beside its handler, in the module of the actor that receives it.

pub mod chrony_poller;
pub mod clock_state;
pub mod clock_watch;
mod disruption_cause;
pub mod drill;
pub mod generation_watch;
pub mod phc_reader;
mod rate_limit;
mod reset_schedule;
pub mod shm_publisher;
pub mod source_reset;
pub mod vmclock_watch;
