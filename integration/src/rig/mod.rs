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
//! Truth stands on CLOCK_MONOTONIC_RAW, so it stays what it is when CLOCK_REALTIME is set or runs off.

pub mod checker;
pub mod declared;
pub mod honesty;
pub mod report;
pub mod run;
pub mod scenario;
pub mod sources;
pub mod svg;
pub mod table;

pub use checker::{Sample, Seen};
pub use report::Report;
pub use run::Rig;
pub use scenario::Scenario;
