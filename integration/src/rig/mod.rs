//! The truth rig: compares the published interval with true time while scripted faults occur.
//!
//! ```text
//!                 Scenario: sources, faults and when they occur
//!                    |          |          |
//!                    v          v          v
//!   Truth ---> NtpServer, ---> chronyd ---> daemon ---> each layout
//!     |        ReferenceClock                              |
//!     `-----------------> Sampler: interval - true time <--'
//!                            |
//!                          Report ---> table, plot
//! ```
//!
//! Truth follows CLOCK_MONOTONIC_RAW, so it does not change when CLOCK_REALTIME is stepped or its
//! frequency is changed. Scenarios that do this, or in which chronyd disciplines CLOCK_REALTIME,
//! run on a [`VirtualClock`](crate::host::virtual_clock::VirtualClock) that servers, chronyd,
//! daemon and sampler share in a process tree of their own; the machine's clock is not affected:
//!
//! ```text
//!   Rig (runner) --+--> in_process
//!                  `--> subprocess ---> this program under the virtual clock: in_process
//!                           ^                                              |
//!                           `------------ transcript of the Report --------'
//! ```
//!
//! Imports go downwards in this list: `runner`, `subprocess`, `in_process`, `transcript` and
//! `plot`, `report`, `sources`, `declared_bound`, `falsetickers`, `scenarios`, `scenario`.

mod declared_bound;
mod falsetickers;
mod in_process;
pub mod plot;
pub mod report;
mod runner;
pub mod scenario;
pub mod scenarios;
mod sources;
pub mod subprocess;
mod transcript;

pub use report::Report;
pub use runner::Rig;
pub use scenario::Scenario;
