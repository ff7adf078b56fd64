//! Durations and instants as text. All functions are pure.

use std::time::Duration;

use clockbound_client::diagnostics::Diagnostics;
pub use clockbound_client::diagnostics::text::{
    duration_ns, poll_interval, reference, reference_id, source_address, span_ns,
};
use jiff::Timestamp;

const NS_PER_S: i64 = 1_000_000_000;

/// Like [`duration_ns`], with a sign also for positive values.
pub fn signed_ns(ns: i64) -> String {
    if ns > 0 {
        format!("+{}", duration_ns(ns))
    } else {
        duration_ns(ns)
    }
}

/// Like [`span_ns`].
pub fn span(duration: Duration) -> String {
    span_ns(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}

/// A duration in nanoseconds, at most [`i64::MAX`].
pub fn ns_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// An instant, ns of UTC since 1970, as RFC 3339 with all nine digits.
pub fn rfc3339(utc_ns: i64) -> String {
    // Every number of nanoseconds in 64 bits is within jiff's range.
    match Timestamp::from_nanosecond(i128::from(utc_ns)) {
        Ok(instant) => format!("{instant:.9}"),
        Err(_) => format!("{utc_ns} ns"),
    }
}

/// An instant, ns of UTC since 1970, as `2026-11-24 20:05:31 UTC`, for people. It is rounded down.
pub fn utc_second(utc_ns: i64) -> String {
    utc(utc_ns, "%Y-%m-%d %H:%M:%S UTC")
}

/// An instant, ns of UTC since 1970, as `2026-11-24 20:05:31`, for tables. It is rounded down.
pub fn utc_time(utc_ns: i64) -> String {
    utc(utc_ns, "%Y-%m-%d %H:%M:%S")
}

/// An instant, ns of UTC since 1970, in this format of strftime(3). It is rounded down.
pub fn utc(utc_ns: i64, format: &str) -> String {
    match Timestamp::from_second(utc_ns.div_euclid(NS_PER_S)) {
        Ok(instant) => instant.strftime(format).to_string(),
        Err(_) => format!("{utc_ns} ns"),
    }
}

/// An instant of `CLOCK_MONOTONIC_RAW` as `CLOCK_REALTIME` shows it, if that clock was not set
/// since; ns.
pub fn realtime_of(diagnostics: &Diagnostics, raw_ns: i64) -> i64 {
    let ago_ns = diagnostics.now_ns.saturating_sub(raw_ns);
    diagnostics.realtime_now_ns.saturating_sub(ago_ns)
}

/// Parts per trillion as parts per million, rounded to three decimals, without zeros at the end.
pub fn ppm(ppt: i128) -> String {
    let sign = if ppt < 0 { "-" } else { "" };
    let ppb = (ppt.unsigned_abs() + 500) / 1_000;
    let text = format!("{}.{:03}", ppb / 1_000, ppb % 1_000);
    format!(
        "{sign}{} ppm",
        text.trim_end_matches('0').trim_end_matches('.')
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_durations_show_the_sign_of_positive_values() {
        assert_eq!(signed_ns(1_500), "+1.50 us");
        assert_eq!(signed_ns(-1_500), "-1.50 us");
        assert_eq!(signed_ns(0), "0 ns");
    }

    #[test]
    fn rates_are_in_parts_per_million_without_zeros_at_the_end() {
        for (ppt, text) in [
            (0, "0 ppm"),
            (50_000_000, "50 ppm"),
            (-2_100_000, "-2.1 ppm"),
            (1_499, "0.001 ppm"),
            (10_000_000, "10 ppm"),
        ] {
            assert_eq!(ppm(ppt), text);
        }
    }

    #[test]
    fn instants_are_utc_with_all_digits_also_at_the_ends_of_the_range() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(
            rfc3339(1_795_550_400_000_000_120),
            "2026-11-24T20:00:00.000000120Z"
        );
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(rfc3339(i64::MAX), "2262-04-11T23:47:16.854775807Z");
        assert_eq!(rfc3339(i64::MIN), "1677-09-21T00:12:43.145224192Z");
        assert_eq!(
            utc_second(1_795_550_399_999_999_999),
            "2026-11-24 19:59:59 UTC"
        );
    }
}
