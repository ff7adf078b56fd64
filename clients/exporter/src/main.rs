//! clockbound-exporter: serves the diagnostics of clockbound as OpenMetrics text.

#![forbid(unsafe_code)]

fn main() {}
