//! Amounts of time, instants and addresses as text, as the tools and [`explain`](super::explain())
//! show them. All functions are pure.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{DiagnosticsRecord, SourceAddress};

const NS_PER_S: i64 = 1_000_000_000;

/// Returns an amount of time in ns, us, ms or s, rounded away from zero to three digits: a bound is
/// not shown smaller than it is. From 1000 s on all digits of the seconds are shown.
#[must_use]
pub fn duration_ns(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let mut value = ns.unsigned_abs();
    if value > 999 * NS_PER_S.unsigned_abs() {
        return format!("{sign}{} s", value.div_ceil(NS_PER_S.unsigned_abs()));
    }
    // The value is `value` x 10^`exponent` ns.
    let mut exponent = 0_usize;
    while value > 999 {
        value = value.div_ceil(10);
        exponent += 1;
    }
    let unit = ["ns", "us", "ms", "s"][exponent.div_ceil(3).min(3)];
    match exponent % 3 {
        0 => format!("{sign}{value} {unit}"),
        1 => format!("{sign}{}.{:02} {unit}", value / 100, value % 100),
        _ => format!("{sign}{}.{} {unit}", value / 10, value % 10),
    }
}

/// Returns a span of time in at most two units: `0.4 s`, `37 s`, `5 min 10 s`, `3 h 20 min`, `2 d
/// 4 h`. It is rounded down; a negative one is `0.0 s`.
#[must_use]
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

/// Returns chronyd's polling interval, 2^`poll` s, as text.
#[must_use]
pub fn poll_interval(poll: i8) -> String {
    match poll_interval_ns(poll) {
        ns if ns < NS_PER_S => duration_ns(ns),
        ns => format!("{} s", ns / NS_PER_S),
    }
}

/// Returns chronyd's polling interval, 2^`poll` s, in ns. chronyd's range is -7 to 24.
#[must_use]
pub fn poll_interval_ns(poll: i8) -> i64 {
    let shift = u32::from(poll.unsigned_abs()).min(30);
    if poll < 0 {
        NS_PER_S >> shift
    } else {
        NS_PER_S << shift
    }
}

/// Returns chronyd's reference id as text: the name of a reference clock, or the address of a
/// server. The id of an IPv6 server is a hash, which is shown as an IPv4 address, as chronyc does.
#[must_use]
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
        Ipv4Addr::from(bytes).to_string()
    }
}

/// Returns chronyd's reference id as text: letters only if it can be that of a reference clock,
/// because the octets of an address can be letters, too.
#[must_use]
pub fn reference(record: &DiagnosticsRecord) -> String {
    let id = record.reference_id;
    let is_clock = |address| address == SourceAddress::ReferenceClock(id);
    // A server's stratum is at least 1, which makes that of its client at least 2.
    if record.stratum < 2 || record.sources.iter().any(|it| is_clock(it.address)) {
        reference_id(id)
    } else {
        Ipv4Addr::from(id).to_string()
    }
}

/// Returns the address of a source as chronyc shows it: an IP address, or the name of a reference
/// clock.
#[must_use]
pub fn source_address(address: SourceAddress) -> String {
    match address {
        SourceAddress::Unresolved => "unresolved".to_owned(),
        SourceAddress::V4(octets) => Ipv4Addr::from(octets).to_string(),
        SourceAddress::V6(octets) => Ipv6Addr::from(octets).to_string(),
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
            (5_000_000_000_001, "5001 s"),
            (-1_234, "-1.24 us"),
            (i64::MIN, "-9223372037 s"),
        ] {
            assert_eq!(duration_ns(ns), text, "{ns}");
        }
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
    fn polling_intervals_are_powers_of_two_also_out_of_chronyds_range() {
        assert_eq!(poll_interval(6), "64 s");
        assert_eq!(poll_interval(0), "1 s");
        assert_eq!(poll_interval(-4), "62.5 ms");
        assert!(poll_interval_ns(i8::MIN) == 0 && poll_interval_ns(i8::MAX) > 0);
    }

    #[test]
    fn reference_ids_are_names_or_addresses() {
        assert_eq!(reference_id(u32::from_be_bytes(*b"PHC0")), "PHC0");
        assert_eq!(reference_id(u32::from_be_bytes(*b"GPS\0")), "GPS");
        assert_eq!(reference_id(u32::from_be_bytes([10, 0, 0, 1])), "10.0.0.1");
        assert_eq!(reference_id(0), "0.0.0.0");
        let mut record = DiagnosticsRecord::no_claim(0);
        record.reference_id = u32::from_be_bytes([45, 79, 51, 42]);
        record.stratum = 2;
        assert_eq!(reference(&record), "45.79.51.42");
        record.reference_id = u32::from_be_bytes(*b"PPS\0");
        record.stratum = 1;
        assert_eq!(reference(&record), "PPS");
        let address = SourceAddress::V6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(source_address(address), "fd00::1");
    }
}
