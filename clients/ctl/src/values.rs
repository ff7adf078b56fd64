//! Parses the values of options. Each error states which values are valid.

use std::time::Duration;

/// The longest duration that an option accepts.
const LONGEST: Duration = Duration::from_secs(86_400 * 365);

/// Parses a duration above zero, with a unit: `500us`, `1ms`, `2min`.
///
/// # Errors
/// A sentence with the valid values.
pub fn duration(text: &str) -> Result<Duration, String> {
    let valid = "give a time above 0 and up to a year, with a unit, such as 500us, 1ms or 2min";
    match humantime::parse_duration(text) {
        Ok(time) if !time.is_zero() && time <= LONGEST => Ok(time),
        Ok(_) => Err(format!("out of range; {valid}")),
        Err(_) => Err(format!("not a time; {valid}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_are_above_zero() {
        assert_eq!(duration("500us"), Ok(Duration::from_micros(500)));
        assert_eq!(duration("0.5ms"), Ok(Duration::from_micros(500)));
        assert_eq!(duration("1min 30s"), Ok(Duration::from_secs(90)));
        for text in [
            "",
            "0",
            "0s",
            "5",
            "-1ms",
            "soon",
            "2years",
            "99999999999999999999s",
        ] {
            let err = duration(text).expect_err(text);
            assert!(err.contains("with a unit"), "{text}: {err}");
        }
    }
}
