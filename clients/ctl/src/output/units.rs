//! Durations and instants as text. All functions are pure.

use std::time::Duration;

use clockbound_client::diagnostics::{Diagnostics, SourceAddress};
use jiff::Timestamp;

const NS_PER_S: i64 = 1_000_000_000;

/// An amount of time in ns, ms, us or s, rounded away from zero to three digits: a bound is not
/// shown smaller than it is. From 1000 s on all digits of the seconds are shown.
pub fn duration_ns(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let mut value = u128::from(ns.unsigned_abs());
    // How many digits after the decimal point the value has left in the unit of ns.
    let mut exponent = 0_u32;
    let seconds = value.div_ceil(1_000_000_000);
    if seconds > 999 {
        return format!("{sign}{seconds} s");
    }
    while value > 999 {
        value = value.div_ceil(10);
        exponent += 1;
    }
    // 1000 from 999.1 becomes 100 with one digit more.
    if value == 1_000 {
        value = 100;
        exponent += 1;
    }
    let unit = ["ns", "us", "ms", "s"][usize::try_from(exponent.div_ceil(3)).unwrap_or(3).min(3)];
    let decimals = (3 - exponent % 3) % 3;
    let divisor = 10_u128.pow(decimals);
    if decimals == 0 {
        format!("{sign}{value} {unit}")
    } else {
        let width = usize::try_from(decimals).unwrap_or(0);
        format!(
            "{sign}{}.{:0width$} {unit}",
            value / divisor,
            value % divisor
        )
    }
}

/// Like [`duration_ns`], with a sign also for positive values.
pub fn signed_ns(ns: i64) -> String {
    if ns > 0 {
        format!("+{}", duration_ns(ns))
    } else {
        duration_ns(ns)
    }
}

/// A span of time as people say it, in at most two units: `0.4 s`, `37 s`, `5 min 10 s`, `3 h
/// 20 min`, `2 d 4 h`. It is rounded down.
pub fn span_ns(ns: i64) -> String {
    let ns = ns.max(0);
    let seconds = ns / NS_PER_S;
    let pair = |large: i64, large_name: &str, small: i64, small_name: &str| match small {
        0 => format!("{large} {large_name}"),
        _ => format!("{large} {large_name} {small} {small_name}"),
    };
    match seconds {
        0..=9 => format!("{seconds}.{} s", ns % NS_PER_S / 100_000_000),
        10..=59 => format!("{seconds} s"),
        60..=3_599 => pair(seconds / 60, "min", seconds % 60, "s"),
        3_600..=86_399 => pair(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
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
    match Timestamp::from_second(utc_ns.div_euclid(NS_PER_S)) {
        Ok(instant) => instant.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => format!("{utc_ns} ns"),
    }
}

/// An instant of `CLOCK_MONOTONIC_RAW` as `CLOCK_REALTIME` shows it, if that clock was not set
/// since; ns.
pub fn realtime_of(diagnostics: &Diagnostics, raw_ns: i64) -> i64 {
    let ago_ns = diagnostics.now_ns.saturating_sub(raw_ns);
    diagnostics.realtime_now_ns.saturating_sub(ago_ns)
}

/// chronyd's reference id as text: an IPv4 address, or the name of a reference clock. The second
/// byte order has printable characters only; IPv6 sources have a hash, which looks like an address.
pub fn reference_id(id: u32) -> String {
    let bytes = id.to_be_bytes();
    let end = bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |at| at + 1);
    let name = &bytes[..end];
    if !name.is_empty() && name.iter().all(u8::is_ascii_graphic) {
        String::from_utf8_lossy(name).into_owned()
    } else {
        std::net::Ipv4Addr::from(bytes).to_string()
    }
}

/// The address of a source as chronyc shows it: an IP address, or the name of a reference clock.
pub fn source_address(address: SourceAddress) -> String {
    match address {
        SourceAddress::Unresolved => "unresolved".to_owned(),
        SourceAddress::V4(octets) => std::net::Ipv4Addr::from(octets).to_string(),
        SourceAddress::V6(octets) => std::net::Ipv6Addr::from(octets).to_string(),
        SourceAddress::ReferenceClock(id) => reference_id(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_rounded_away_from_zero() {
        for (ns, text) in [
            (0, "0 ns"),
            (1, "1 ns"),
            (999, "999 ns"),
            (1_000, "1.00 us"),
            (1_001, "1.01 us"),
            (12_340, "12.4 us"),
            (123_000, "123 us"),
            (123_001, "124 us"),
            (999_001, "1.00 ms"),
            (1_234_567, "1.24 ms"),
            (99_999_999, "100 ms"),
            (1_000_000_000, "1.00 s"),
            (12_345_678_901, "12.4 s"),
            (999_000_000_000, "999 s"),
            (999_000_000_001, "1000 s"),
            (1_000_000_000_000, "1000 s"),
            (5_000_000_000_001, "5001 s"),
            (-1_234, "-1.24 us"),
            (i64::MIN, "-9223372037 s"),
        ] {
            assert_eq!(duration_ns(ns), text, "{ns}");
        }
        assert_eq!(signed_ns(1_500), "+1.50 us");
        assert_eq!(signed_ns(-1_500), "-1.50 us");
        assert_eq!(signed_ns(0), "0 ns");
    }

    #[test]
    fn spans_have_at_most_two_units() {
        for (ns, text) in [
            (-1, "0.0 s"),
            (449_000_000, "0.4 s"),
            (9_999_999_999, "9.9 s"),
            (37 * NS_PER_S, "37 s"),
            (60 * NS_PER_S, "1 min"),
            (310 * NS_PER_S, "5 min 10 s"),
            (12_000 * NS_PER_S, "3 h 20 min"),
            (187_200 * NS_PER_S, "2 d 4 h"),
        ] {
            assert_eq!(span_ns(ns), text, "{ns}");
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

    #[test]
    fn reference_ids_are_names_or_addresses() {
        assert_eq!(reference_id(u32::from_be_bytes(*b"PHC0")), "PHC0");
        assert_eq!(reference_id(u32::from_be_bytes(*b"GPS\0")), "GPS");
        assert_eq!(reference_id(u32::from_be_bytes([10, 0, 0, 1])), "10.0.0.1");
        assert_eq!(reference_id(0), "0.0.0.0");
        let address = SourceAddress::V6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(source_address(address), "fd00::1");
    }
}
