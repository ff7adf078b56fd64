//! Which format a scraper is sent, by its header `Accept` (RFC 9110, section 12.5.1).

use crate::encoding::Format;

/// The format for a request with these values of the header `Accept`. OpenMetrics is only sent to a
/// scraper that names it and does not prefer the other format: `*/*` is also what web browsers
/// send.
pub fn format_for<'a>(accepted: impl IntoIterator<Item = &'a str>) -> Format {
    let mut open_metrics = 0.0_f32;
    let mut text = 0.0_f32;
    for range in accepted.into_iter().flat_map(|header| header.split(',')) {
        let mut words = range.split(';').map(str::trim);
        let media_type = words.next().unwrap_or_default().to_ascii_lowercase();
        let mut quality = 1.0;
        let mut version = None;
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                // A quality that is no number rules the range out.
                "q" => quality = value.trim().parse().unwrap_or(0.0),
                "version" => version = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        match media_type.as_str() {
            "application/openmetrics-text" if matches!(version, None | Some("1.0.0")) => {
                open_metrics = open_metrics.max(quality);
            }
            "text/plain" if matches!(version, None | Some("0.0.4")) => text = text.max(quality),
            _ => {}
        }
    }
    if open_metrics > 0.0 && open_metrics >= text {
        Format::OpenMetrics
    } else {
        Format::Prometheus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_the_scraper_prefers() {
        for (accept, format) in [
            // Prometheus 2.42 and 3.
            (
                "application/openmetrics-text;version=1.0.0,\
                 application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "Application/OpenMetrics-Text; Version=\"1.0.0\"",
                Format::OpenMetrics,
            ),
            (
                "text/plain;q=0.9, application/openmetrics-text;q=0.5",
                Format::Prometheus,
            ),
            (
                "application/openmetrics-text;version=0.0.1",
                Format::Prometheus,
            ),
            ("application/openmetrics-text;q=0", Format::Prometheus),
            ("application/openmetrics-text;q=much", Format::Prometheus),
            ("text/plain;version=0.0.4", Format::Prometheus),
            ("*/*", Format::Prometheus),
            ("", Format::Prometheus),
            (",;=,;;q", Format::Prometheus),
        ] {
            assert_eq!(format_for([accept]), format, "{accept}");
        }
        assert_eq!(format_for([]), Format::Prometheus);
        let two = ["text/plain;q=0.5", "application/openmetrics-text;q=0.6"];
        assert_eq!(format_for(two), Format::OpenMetrics);
    }
}
