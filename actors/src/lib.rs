//! The actors of the clockbound daemon, their supervision, and the pure rooms that they ask.
//!
//! ```text
//!        chronyd (unix datagram)         PHC error bound (sysfs)
//!                  |                               |
//!            ChronyPoller                      PhcReader          (an arbiter of its own: may block)
//!                  |  ChronyPolled                 |  PhcPolled
//!                  +---------------+---------------+
//!                                  v
//!                             ClockState        asks: assessment -> status, bound
//!                                  |  Publish(Estimate)
//!                                  v
//!                            ShmPublisher       asks: estimate -> the layouts
//!                                  |
//!                              segments         mapped above the actors, never unmapped
//! ```
//! Above them all stands [`supervision`], on the main thread. [`system::run`] wires it up.
//!
//! Pure rooms, with no actor, clock, IO or log in them: [`status`], [`bound`], [`estimate`],
//! [`assessment`], [`change_gate`], and most of [`chrony`] and [`phc`].

#![forbid(unsafe_code)]

pub mod assessment;
pub mod bound;
pub mod change_gate;
pub mod chrony;
pub mod chrony_poller;
pub mod clock_state;
mod clocks;
pub mod estimate;
pub mod fault;
pub mod phc;
pub mod phc_reader;
mod readable;
pub mod segments;
pub mod shm_publisher;
pub mod status;
pub mod supervision;
pub mod system;
mod ticker;
