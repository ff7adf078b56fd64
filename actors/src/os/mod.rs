//! The operating system: its clocks, clocksource and clock discipline, uevents, timers and
//! descriptors.

pub(crate) mod adjtimex;
pub(crate) mod async_fd;
pub mod clocks;
pub mod clocksource;
pub mod clocksource_watch;
pub mod counter;
pub mod queued_signal;
pub(crate) mod ticker;
pub mod uevent;

pub use adjtimex::{Discipline, discipline};
