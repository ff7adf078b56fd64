//! Diagnostics and rows for tests.

use clockbound_client::diagnostics::Diagnostics;
use shm_layout::{ClockStatus, Reason};

use super::row::Row;
use crate::fixture::synchronized_record;
pub use crate::fixture::{NOW_NS, REALTIME_NS, S};

/// What a healthy daemon publishes this long after the instant of the fixtures: a bound of 400 us,
/// whose midpoint is 50 us ahead of the clock.
pub fn diagnostics_at(after_ns: i64) -> Diagnostics {
    let mut record = synchronized_record();
    record.as_of_ns += after_ns;
    record.realtime_ns += after_ns;
    record.earliest_ns += after_ns;
    record.latest_ns += after_ns;
    record.validated_ns += after_ns;
    record.free_running_after_ns += after_ns;
    record.void_after_ns += after_ns;
    Diagnostics::at(record, NOW_NS + after_ns, REALTIME_NS + after_ns)
}

/// The row of [`diagnostics_at`], at an interval of a second.
pub fn row_at(after_ns: i64) -> Row {
    Row::of(&diagnostics_at(after_ns), S)
}

/// The same with another status; without an interval unless it is trusted.
pub fn row_with(after_ns: i64, status: ClockStatus, reason: Reason) -> Row {
    let mut diagnostics = diagnostics_at(after_ns);
    diagnostics.status = status;
    diagnostics.reason = reason;
    Row::of(&diagnostics, S)
}

/// The same with this change of what was published.
pub fn row_changed(after_ns: i64, change: impl FnOnce(&mut super::row::Published)) -> Row {
    let mut row = row_at(after_ns);
    change(row.published.as_mut().expect("has data"));
    row
}

/// A row without data.
pub fn unreadable_at(after_ns: i64) -> Row {
    Row::unreadable(REALTIME_NS + after_ns, NOW_NS + after_ns, S)
}
