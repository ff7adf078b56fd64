//! How fast a script is played.

/// How much time of the script passes in a thousandth of the same real time: 1000 for a script that
/// is played as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed(u32);

/// Thousandths.
const PER_ONE: i128 = 1_000;

impl Speed {
    /// The real time in which `ns` of the script pass, rounded up.
    pub fn real_ns(self, ns: i64) -> i64 {
        let scaled = i128::from(ns) * PER_ONE;
        let speed = i128::from(self.0);
        saturated(-(-scaled).div_euclid(speed))
    }

    /// How much of the script passes in `ns` of real time, rounded down.
    pub fn script_ns(self, ns: i64) -> i64 {
        let scaled = i128::from(ns) * i128::from(self.0);
        saturated(scaled.div_euclid(PER_ONE))
    }
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("found \"{text}\", expected a number from 0.001 to 1000");
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_number = whole
            .bytes()
            .chain(fraction.bytes())
            .all(|c| c.is_ascii_digit());
        if !is_number || whole.is_empty() || whole.len() > 4 || fraction.len() > 3 {
            return Err(refused());
        }
        let thousandths = format!("{whole}{fraction:0<3}")
            .parse()
            .map_err(|_| refused())?;
        if !(1..=1_000_000).contains(&thousandths) {
            return Err(refused());
        }
        Ok(Self(thousandths))
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1_000, self.0 % 1_000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

fn saturated(number: i128) -> i64 {
    let limited = number.clamp(i64::MIN.into(), i64::MAX.into());
    i64::try_from(limited).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_has_at_most_three_places() {
        for (text, shown) in [
            ("1", "1"),
            ("0.5", "0.5"),
            ("1000", "1000"),
            ("2.250", "2.25"),
        ] {
            let speed: Speed = text.parse().expect("a speed");
            assert_eq!(speed.to_string(), shown);
        }
        for text in ["", "0", "1001", "0.0001", "-1", "1e3", ".5", "1.2.3"] {
            assert!(text.parse::<Speed>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn real_time_is_rounded_up_and_the_time_of_the_script_down() {
        let speed: Speed = "3".parse().expect("a speed");
        assert_eq!((speed.real_ns(10), speed.real_ns(-10)), (4, -3));
        assert_eq!((speed.script_ns(4), speed.script_ns(-4)), (12, -12));
        assert_eq!(speed.script_ns(i64::MAX), i64::MAX);
        // A change is not before the instant that was waited for.
        for ns in 0..1_000 {
            assert!(speed.script_ns(speed.real_ns(ns)) >= ns);
        }
    }
}
