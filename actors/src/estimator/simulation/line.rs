//! A clock, or UTC, against `CLOCK_MONOTONIC_RAW`.

/// A clock that gains on `CLOCK_MONOTONIC_RAW` at a rate that changes evenly.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line {
    pub raw_ns: i64,
    pub value_ns: i64,
    pub rate: f64,
    /// Change of the rate per ns.
    pub change: f64,
}

impl Line {
    pub fn at(&self, raw_ns: i64) -> i64 {
        let elapsed_ns = raw_ns - self.raw_ns;
        let elapsed = elapsed_ns as f64;
        let gained = elapsed * (self.rate + self.change * elapsed / 2.0);
        self.value_ns + elapsed_ns + gained.round() as i64
    }

    pub fn rate_at(&self, raw_ns: i64) -> f64 {
        self.rate + self.change * (raw_ns - self.raw_ns) as f64
    }

    pub fn turn(&mut self, raw_ns: i64, rate: f64, change: f64) {
        let value_ns = self.at(raw_ns);
        *self = Self {
            raw_ns,
            value_ns,
            rate,
            change,
        };
    }
}
