//! The two text formats of metrics: OpenMetrics 1.0.0 and the Prometheus text format 0.0.4.

use std::fmt::{self, Display, Write};

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// The Prometheus text format 0.0.4. It has neither information nor state sets, which become
    /// gauges, and no units.
    Prometheus,
}

impl Format {
    /// The media type, as the header `Content-Type` states it.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The type of a metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value that can go up and down.
    Gauge,
    /// A value that only goes up, from the start of the daemon's process.
    Counter,
    /// Text in labels; the value is 1.
    Info,
    /// States of which each is 1 or 0; the label with the state has the name of the family.
    StateSet,
}

impl Kind {
    fn suffix(self) -> &'static str {
        match self {
            Self::Gauge | Self::StateSet => "",
            Self::Counter => "_total",
            Self::Info => "_info",
        }
    }

    fn name(self, format: Format) -> &'static str {
        match (self, format) {
            (Self::Counter, _) => "counter",
            (Self::Gauge, _) | (_, Format::Prometheus) => "gauge",
            (Self::Info, Format::OpenMetrics) => "info",
            (Self::StateSet, Format::OpenMetrics) => "stateset",
        }
    }
}

/// An exact decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// The number in units of the last digit.
    pub units: i64,
    /// How many digits follow the point.
    pub digits: u32,
}

impl Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = 10_u64.pow(self.digits);
        let (whole, fraction) = (
            self.units.unsigned_abs() / one,
            self.units.unsigned_abs() % one,
        );
        if self.units < 0 {
            f.write_char('-')?;
        }
        write!(f, "{whole}")?;
        if fraction == 0 {
            return Ok(());
        }
        let width = usize::try_from(self.digits).unwrap_or(usize::MAX);
        let digits = format!("{fraction:0width$}");
        write!(f, ".{}", digits.trim_end_matches('0'))
    }
}

/// One sample of a family: its labels in order, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    labels: Vec<(&'static str, String)>,
    value: String,
}

impl Sample {
    /// A sample without labels.
    pub fn new(value: impl Display) -> Self {
        Self {
            labels: Vec::new(),
            value: value.to_string(),
        }
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, name: &'static str, value: impl Display) -> Self {
        self.labels.push((name, value.to_string()));
        self
    }
}

/// Writes metric families as text.
#[derive(Debug)]
pub struct Encoder {
    format: Format,
    text: String,
}

impl Encoder {
    /// An empty text.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            text: String::new(),
        }
    }

    /// Writes a family, unless it has no samples. Its name is without the suffix of its samples
    /// (`_total`, `_info`), and the unit is what the name ends with.
    pub fn family(
        &mut self,
        kind: Kind,
        name: &'static str,
        help: &str,
        samples: impl IntoIterator<Item = Sample>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let suffix = kind.suffix();
        // In the Prometheus text format the name of a family is that of its samples.
        let described = match self.format {
            Format::OpenMetrics => name.to_owned(),
            Format::Prometheus => format!("{name}{suffix}"),
        };
        self.line(format_args!(
            "# TYPE {described} {}",
            kind.name(self.format)
        ));
        if let (Format::OpenMetrics, Some(unit)) = (self.format, unit(name)) {
            self.line(format_args!("# UNIT {described} {unit}"));
        }
        self.line(format_args!("# HELP {described} {}", escaped(help)));
        for Sample { labels, value } in samples {
            let mut list = String::new();
            for (label, text) in &labels {
                let comma = if list.is_empty() { "" } else { "," };
                // Writing to a string does not fail.
                let _ = write!(list, "{comma}{label}=\"{}\"", escaped(text));
            }
            if labels.is_empty() {
                self.line(format_args!("{name}{suffix} {value}"));
            } else {
                self.line(format_args!("{name}{suffix}{{{list}}} {value}"));
            }
        }
    }

    /// The complete text.
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.line(format_args!("# EOF"));
        }
        self.text
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// The base unit with which the name of a family ends.
fn unit(name: &str) -> Option<&'static str> {
    ["seconds", "ratio"]
        .into_iter()
        .find(|unit| name.ends_with(unit))
}

/// The value of a label, escaped as both formats require. The formats do not agree about quotes in
/// help texts, so these must not contain any.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(format: Format, write: impl FnOnce(&mut Encoder)) -> String {
        let mut encoder = Encoder::new(format);
        write(&mut encoder);
        encoder.finish()
    }

    #[test]
    fn decimals_are_exact() {
        let decimal = |units, digits| Decimal { units, digits }.to_string();
        assert_eq!(decimal(0, 9), "0");
        assert_eq!(decimal(1, 9), "0.000000001");
        assert_eq!(decimal(-1, 9), "-0.000000001");
        assert_eq!(decimal(1_500_000_000, 9), "1.5");
        assert_eq!(decimal(-12_000_000_000, 9), "-12");
        assert_eq!(decimal(7, 0), "7");
        assert_eq!(decimal(i64::MAX, 9), "9223372036.854775807");
        assert_eq!(decimal(i64::MIN, 9), "-9223372036.854775808");
        assert_eq!(decimal(-123, 12), "-0.000000000123");
    }

    #[test]
    fn each_kind_of_family_has_its_type_unit_and_suffix() {
        let write = |encoder: &mut Encoder| {
            encoder.family(Kind::Gauge, "a_seconds", "A.", [Sample::new(1)]);
            encoder.family(
                Kind::Counter,
                "b",
                "B.",
                [Sample::new(2).label("layout", "v1")],
            );
            let version = Sample::new(1).label("version", "0.3.0").label("x", "y");
            encoder.family(Kind::Info, "c", "C.", [version]);
            encoder.family(Kind::StateSet, "d", "D.", [Sample::new(0).label("d", "on")]);
            encoder.family(Kind::Gauge, "e", "E.", []);
        };
        assert_eq!(
            text(Format::OpenMetrics, write),
            "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# HELP a_seconds A.\na_seconds 1\n\
             # TYPE b counter\n# HELP b B.\nb_total{layout=\"v1\"} 2\n\
             # TYPE c info\n# HELP c C.\nc_info{version=\"0.3.0\",x=\"y\"} 1\n\
             # TYPE d stateset\n# HELP d D.\nd{d=\"on\"} 0\n# EOF\n"
        );
        assert_eq!(
            text(Format::Prometheus, write),
            "# TYPE a_seconds gauge\n# HELP a_seconds A.\na_seconds 1\n\
             # TYPE b_total counter\n# HELP b_total B.\nb_total{layout=\"v1\"} 2\n\
             # TYPE c_info gauge\n# HELP c_info C.\nc_info{version=\"0.3.0\",x=\"y\"} 1\n\
             # TYPE d gauge\n# HELP d D.\nd{d=\"on\"} 0\n"
        );
    }

    #[test]
    fn labels_are_escaped() {
        let sample = Sample::new(1).label("source", "a\\b\"c\nd");
        let text = text(Format::Prometheus, |encoder| {
            encoder.family(Kind::Gauge, "a", "A.", [sample]);
        });
        assert!(text.contains(r#"a{source="a\\b\"c\nd"} 1"#), "{text}");
    }
}
