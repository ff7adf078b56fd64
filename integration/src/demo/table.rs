//! The table that the demonstration prints.

use std::time::{Duration, UNIX_EPOCH};

use crate::observe::reading::Reading;
use crate::time::NS_PER_S;

/// The heading above [`row`].
pub fn header() -> String {
    columns([
        "earliest (UTC)",
        "latest (UTC)",
        "bound",
        "status",
        "source",
    ])
}

/// One interval in a line.
pub fn row(reading: &Reading, source: &str) -> String {
    let status = format!("{:?}", reading.status);
    let bound = bound(reading.bound_ns());
    columns([
        &utc(reading.earliest_ns),
        &utc(reading.latest_ns),
        &bound,
        &status,
        source,
    ])
}

fn columns([earliest, latest, bound, status, source]: [&str; 5]) -> String {
    format!("{earliest:<30}  {latest:<30}  {bound:>12}  {status:<12}  {source}")
}

fn bound(ns: i64) -> String {
    match ns {
        0..10_000 => format!("{ns} ns"),
        10_000..10_000_000 => format!("{} us", ns / 1000),
        10_000_000..10_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{} s", ns / NS_PER_S),
    }
}

/// A time since 1970 as date and time of day.
pub fn utc(unix_ns: i64) -> String {
    u64::try_from(unix_ns).map_or_else(
        |_| "before 1970".to_owned(),
        |ns| {
            let time = UNIX_EPOCH + Duration::from_nanos(ns);
            humantime::format_rfc3339_nanos(time).to_string()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_formatted_with_nanoseconds() {
        let leap_day_ns = 951_782_400 * NS_PER_S + 5;
        assert_eq!(utc(leap_day_ns), "2000-02-29T00:00:00.000000005Z");
        assert_eq!(utc(-1), "before 1970");
    }

    #[test]
    fn bounds_have_a_fitting_unit() {
        for (ns, text) in [
            (999, "999 ns"),
            (152_300, "152 us"),
            (12_000_000, "12 ms"),
            (i64::MAX, "9223372036 s"),
        ] {
            assert_eq!(bound(ns), text);
        }
    }
}
