//! The actors of the clockbound daemon, their supervision, and the pure rooms that they ask.
//!
//! ```text
//!   chronyd (unix datagram)     PHC error bound (sysfs)     kernel: clock was set, resume
//!             |                           |                           |
//!       ChronyPoller                  PhcReader (an arbiter       ClockWatch
//!             |  ChronyPolled             |  of its own)              |  ClockSet
//!             +---------------------------+---------------------------+
//!                                         v
//!                             ClockState        asks: estimator -> interval, growth, status
//!                                  |  Publish(Estimate)
//!                                  v
//!                            ShmPublisher       asks: projection -> the layouts
//!                                  |
//!                              segments         mapped above the actors, never unmapped
//! ```
//! Above them all stands [`supervision`], on the main thread. [`system::run`] wires it up.
//!
//! Pure, with no actor, clock, IO or log: [`time`], [`estimator`], [`projection`], [`change_gate`], and most of
//! [`chrony`] and [`phc`].

#![deny(unsafe_code)]

pub mod actors;
pub mod chrony;
pub mod daemon;
pub mod estimator;
pub mod fault;
pub mod os;
pub mod phc;
pub mod publication;
pub mod supervision;
pub mod time;
