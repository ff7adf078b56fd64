//! The actors of the clockbound daemon, their supervision, and the pure rooms that they ask.
//!
//! ```text
//!   chronyd (unix datagram)     PHC error bound (sysfs)     kernel: clock was set, resume
//!             |                           |                           |
//!       ChronyPoller                  PhcReader (an arbiter       ClockWatch
//!             |  ChronyPolled             |  of its own)              |  ClockSet
//!             +---------------------------+---------------------------+
//!                                         v
//!                             ClockState        asks: assessment -> status, bound, dispersion
//!                                  |  Publish(Estimate)
//!                                  v
//!                            ShmPublisher       asks: projection -> the layouts
//!                                  |
//!                              segments         mapped above the actors, never unmapped
//! ```
//! Above them all stands [`supervision`], on the main thread. [`system::run`] wires it up.
//!
//! Pure rooms, with no actor, clock, IO or log in them: [`facts`], [`assessment`] and what it asks ([`status`],
//! [`bound`], [`dispersion`], [`leap`]), [`estimate`], [`projection`], [`change_gate`], and most of [`chrony`] and [`phc`].

#![deny(unsafe_code)]

pub mod assessment;
pub mod bound;
pub mod change_gate;
pub mod chrony;
pub mod chrony_poller;
pub mod clock_state;
pub mod clock_watch;
pub mod clocks;
pub mod dispersion;
pub mod estimate;
pub mod estimator;
pub mod facts;
pub mod fault;
pub mod interpretation;
mod kernel_clock;
pub mod leap;
pub mod measurement;
pub mod phc;
pub mod phc_reader;
pub mod progress;
pub mod projection;
mod readable;
pub mod remedy;
pub mod run_off;
pub mod segments;
pub mod shm_publisher;
pub mod steadiness;
pub mod supervision;
pub mod system;
mod ticker;
pub mod time;
