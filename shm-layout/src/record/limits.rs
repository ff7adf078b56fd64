//! Numbers that hold for records of more than one layout.

/// Nanoseconds in a second.
pub(crate) const NS_PER_S: i64 = 1_000_000_000;

/// A synchronized v1 or v2 record of this age or older reads as free running, ns. The native layout
/// states the instant instead.
pub const STALE_AFTER_NS: i64 = 5 * NS_PER_S;

/// The exclusive upper limit of a maximum drift rate, parts per billion. A clock that drifts this
/// fast stops or runs backwards.
pub const DRIFT_LIMIT_PPB: u32 = 1_000_000_000;

/// The bound of a record that claims nothing, ns: about 31 years. It protects readers that ignore
/// the status, and is small enough that no reader's arithmetic overflows.
pub const NO_CLAIM_BOUND_NS: i64 = 1_000_000_000 * NS_PER_S;
