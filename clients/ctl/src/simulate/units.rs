//! Times, rates and names, as they are written in a script.

use shm_layout::{ClockStatus, Reason};

/// The longest time in a script, ns: 366 days.
pub const MAX_TIME_NS: i64 = 366 * 86_400 * 1_000_000_000;

/// The greatest rate in a script, parts per billion: 10 %.
pub const MAX_RATE_PPB: u32 = 100_000_000;

/// The statuses that a script can set.
const STATUSES: [ClockStatus; 4] = [
    ClockStatus::Unknown,
    ClockStatus::Synchronized,
    ClockStatus::FreeRunning,
    ClockStatus::Disrupted,
];

/// The units of times, with their length in ns.
const TIME_UNITS: [(&str, i64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
];

/// The units of rates, in parts per billion.
const RATE_UNITS: [(&str, i64); 2] = [("ppb", 1), ("ppm", 1_000)];

/// The decimal places of a number.
const MAX_PLACES: usize = 9;

/// A time that is not negative, ns: a number with a unit, or `0`.
pub fn time(text: &str) -> Option<i64> {
    quantity(text, &TIME_UNITS).filter(|&ns| ns <= MAX_TIME_NS)
}

/// A time of either sign, ns.
pub fn signed_time(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(text) => time(text).map(|ns| -ns),
        None => time(text.strip_prefix('+').unwrap_or(text)),
    }
}

/// A rate that is not negative, parts per billion.
pub fn rate(text: &str) -> Option<u32> {
    let ppb = quantity(text, &RATE_UNITS)?;
    u32::try_from(ppb).ok().filter(|&ppb| ppb <= MAX_RATE_PPB)
}

/// A status by its name.
pub fn status(text: &str) -> Option<ClockStatus> {
    STATUSES.into_iter().find(|status| status.as_str() == text)
}

/// The names of the statuses, for messages.
pub fn status_names() -> String {
    STATUSES.map(ClockStatus::as_str).join(", ")
}

/// A reason by its name. A publisher never writes the other ones: readers derive them.
pub fn reason(text: &str) -> Option<Reason> {
    published_reasons().find(|reason| reason.as_str() == text)
}

/// The names of the reasons, for messages.
pub fn reason_names() -> String {
    let names: Vec<&str> = published_reasons().map(Reason::as_str).collect();
    names.join(", ")
}

fn published_reasons() -> impl Iterator<Item = Reason> {
    let derived = [Reason::DaemonSilent, Reason::Retired, Reason::Untold];
    let is_published = move |reason: &Reason| !derived.contains(reason);
    Reason::ALL.into_iter().filter(is_published)
}

/// A time in seconds, for messages.
pub fn seconds(ns: i64) -> String {
    let (whole, fraction) = (ns / 1_000_000_000, ns % 1_000_000_000);
    let text = format!("{whole}.{fraction:09}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}s")
}

/// A decimal number with one of the units, without fractions of the smallest one. Zero needs no
/// unit.
fn quantity(text: &str, units: &[(&str, i64)]) -> Option<i64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let per_unit = match units.iter().find(|(name, _)| *name == unit) {
        Some(&(_, per_unit)) => i128::from(per_unit),
        None if unit.is_empty() => 0,
        None => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > MAX_PLACES {
        return None;
    }
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let whole: i64 = whole.parse().ok()?;
    let fraction: i64 = fraction.parse().ok()?;
    if unit.is_empty() {
        return (whole == 0 && fraction == 0).then_some(0);
    }
    let scaled = (i128::from(whole) * scale + i128::from(fraction)) * per_unit;
    (scaled % scale == 0)
        .then(|| scaled / scale)
        .and_then(|units| i64::try_from(units).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_with_units() {
        for (text, ns) in [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("500us", Some(500_000)),
            ("1.5s", Some(1_500_000_000)),
            ("0.000000001s", Some(1)),
            ("2min", Some(120_000_000_000)),
            ("366h", Some(366 * 3_600_000_000_000)),
            ("8784h", Some(MAX_TIME_NS)),
            ("8785h", None),
            ("5", None),
            ("5 s", None),
            ("s", None),
            (".5s", None),
            ("5.s", None),
            ("1.2.3s", None),
            ("0.5ns", None),
            ("0.0000000001s", None),
            ("-5s", None),
            ("5S", None),
            ("5m", None),
            ("99999999999999999999h", None),
            ("", None),
        ] {
            assert_eq!(time(text), ns, "{text:?}");
        }
        assert_eq!(signed_time("-1.5ms"), Some(-1_500_000));
        assert_eq!(signed_time("+2us"), Some(2_000));
        assert_eq!(signed_time("--2us"), None);
        assert_eq!(
            (seconds(0), seconds(4_500_000_000)),
            ("0s".to_owned(), "4.5s".to_owned())
        );
    }

    #[test]
    fn rates_are_numbers_with_units() {
        for (text, ppb) in [
            ("0", Some(0)),
            ("50ppm", Some(50_000)),
            ("1.5ppm", Some(1_500)),
            ("7ppb", Some(7)),
            ("100000ppm", Some(MAX_RATE_PPB)),
            ("100001ppm", None),
            ("50", None),
            ("50us", None),
        ] {
            assert_eq!(rate(text), ppb, "{text:?}");
        }
    }

    #[test]
    fn every_reason_that_a_publisher_writes_has_a_name() {
        for reason_of_all in Reason::ALL {
            let found = reason(reason_of_all.as_str());
            let derived = [Reason::DaemonSilent, Reason::Retired, Reason::Untold];
            assert_eq!(found.is_none(), derived.contains(&reason_of_all));
        }
        assert!(status("free_running").is_some() && status("free running").is_none());
        assert!(reason_names().contains("chrony_silent") && status_names().contains("disrupted"));
    }
}
