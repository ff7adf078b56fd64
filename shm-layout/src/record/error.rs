//! Why a payload does not decode to a record.

use thiserror::Error;

use super::leap::InvalidLeap;
use super::status::InvalidStatus;

/// Why a payload is not a valid record. The message names the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// An instant is negative, or its nanoseconds are not within one second.
    #[error("{field} is {seconds} s and {nanoseconds} ns, which is not a valid instant")]
    Instant {
        /// The field.
        field: &'static str,
        /// Its seconds.
        seconds: i64,
        /// Its nanoseconds.
        nanoseconds: i64,
    },
    /// The bound is negative, or above [`NO_CLAIM_BOUND_NS`](super::NO_CLAIM_BOUND_NS).
    #[error("bound_nsec is {0}, not within 0 and 31 years")]
    Bound(i64),
    /// The maximum drift rate is not below [`DRIFT_LIMIT_PPB`](super::DRIFT_LIMIT_PPB).
    #[error("max_drift_ppb is {0}, not below 1000000000")]
    Drift(u32),
    /// An instant is so far away that sums with it could overflow.
    #[error("{field} is {ns} ns, more than 146 years from zero")]
    Range {
        /// The field.
        field: &'static str,
        /// Its value.
        ns: i64,
    },
    /// The interval ends before it begins.
    #[error("earliest is {earliest_ns}, after latest, {latest_ns}")]
    Inverted {
        /// The interval's beginning.
        earliest_ns: i64,
        /// The interval's end.
        latest_ns: i64,
    },
    /// A number is outside the range of its field.
    #[error("{field} is {value}, which is not valid")]
    Number {
        /// The field.
        field: &'static str,
        /// Its value.
        value: i64,
    },
    /// The leap announcement has an unknown number.
    #[error(transparent)]
    Leap(#[from] InvalidLeap),
    /// The time scale has an unknown number.
    #[error("the time scale is {0}, not 0 (UTC)")]
    TimeScale(u8),
    /// The status has an unknown number.
    #[error(transparent)]
    Status(#[from] InvalidStatus),
}
