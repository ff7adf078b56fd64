//! Intervals as people read them.

use crate::observe::reading::Reading;

const NS_PER_S: i64 = 1_000_000_000;
const S_PER_DAY: i64 = 86_400;

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
    format!("{earliest:<29}  {latest:<29}  {bound:>12}  {status:<12}  {source}")
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
    let (seconds, ns) = (unix_ns.div_euclid(NS_PER_S), unix_ns.rem_euclid(NS_PER_S));
    let (year, month, day) = date(seconds.div_euclid(S_PER_DAY));
    let of_day = seconds.rem_euclid(S_PER_DAY);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{ns:09}")
}

/// The date of a day since 1970, counted in eras of 400 years that begin on the 1st of March.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let calendar_month = if month < 10 { month + 3 } else { month - 9 };
    (
        era * 400 + year + i64::from(calendar_month <= 2),
        calendar_month,
        of_month,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_704_067_199, "2023-12-31 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(utc(seconds * NS_PER_S), format!("{text}.000000000"));
        }
    }

    #[test]
    fn bounds_have_the_unit_that_fits() {
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
