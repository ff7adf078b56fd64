//! The error bound of a PTP hardware clock (PHC), as its network driver publishes it in sysfs.
//!
//! ```text
//!  interface name --resolve_slot--> PCI slot --error_bound_path--> phc_error_bound
//!                                                                       |
//!                       PhcWindow <-- add, add_failure -- read_error_bound, once a poll
//! ```
//! [`parse_error_bound`], [`PciSlot`] and [`PhcWindow`] are pure. [`resolve_slot`] and
//! [`read_error_bound`] read one small file each. A read of sysfs runs driver code and can block,
//! so the caller must not share its thread with urgent work.

mod error;
mod file;
mod reading;
#[cfg(test)]
mod scratch;
mod slot;
mod window;

pub use error::{PhcError, PhcErrorKind};
pub use reading::{MAX_PLAUSIBLE_NS, parse_error_bound, read_error_bound};
pub use slot::{PciSlot, check_interface_name, resolve_slot};
pub use window::{PHC_WINDOW_POLLS, PhcWindow};

/// The mount point of sysfs.
pub const SYS_ROOT: &str = "/sys";
