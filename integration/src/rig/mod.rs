//! The truth rig: does the published interval contain true time, whatever happens to the clock?
//!
//! ```text
//!                 script: what goes wrong, and when
//!                    |          |          |
//!                    v          v          v
//!   Truth ---> NtpServer, ---> chronyd ---> daemon ---> each layout
//!     |        ReferenceClock                              |
//!     `-----------------> Checker: is it inside? <---------'
//!                            |
//!                          Report ---> table, SVG
//! ```
//!
//! Truth stands on CLOCK_MONOTONIC_RAW, so it stays what it is when CLOCK_REALTIME is set or runs off. Scenarios in which
//! that happens, or in which chronyd disciplines it, are played on a [`VirtualClock`](crate::VirtualClock), which servers,
//! chronyd, daemon and checker share in a process tree of their own; the machine's clock is not affected:
//!
//! ```text
//!   Rig::run ---> the same program under the library: scenario ---> transcript of the Report
//! ```

pub mod apart;
pub mod checker;
pub mod declared;
pub mod honesty;
pub mod report;
pub mod run;
pub mod scenario;
pub mod sources;
pub mod svg;
pub mod table;
pub mod transcript;

pub use checker::{Sample, Seen};
pub use report::Report;
pub use run::Rig;
pub use scenario::Scenario;
