//! The operating system: its clocks, the kernel's clock discipline, timers and descriptors.

pub(crate) mod adjtimex;
pub(crate) mod async_fd;
pub mod clocks;
pub(crate) mod ticker;
