//! One reading of the interval by a client library.

use std::path::Path;

/// What a client library says about the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Nothing is known.
    Unknown,
    /// The interval contains true time, and the clock is being disciplined.
    Synchronized,
    /// The interval contains true time, and grows.
    FreeRunning,
    /// The clock was disturbed.
    Disrupted,
}

/// One answer of a client library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Lower end, nanoseconds since 1970.
    pub earliest_ns: i64,
    /// Upper end, nanoseconds since 1970.
    pub latest_ns: i64,
    /// What it is worth.
    pub status: Status,
}

impl Reading {
    /// Half the width of the interval.
    pub fn bound_ns(&self) -> i64 {
        (self.latest_ns - self.earliest_ns) / 2
    }
}

/// Our own client library, as a program uses it.
///
/// # Errors
/// What the library says when it does not open the segment.
pub fn open_client(path: &Path) -> Result<impl FnMut() -> Result<Reading, String> + use<>, String> {
    let client = clockbound_client::Client::open_at(path).map_err(|err| err.to_string())?;
    Ok(move || {
        let interval = client.now().map_err(|err| err.to_string())?;
        let status = match interval.status() {
            clockbound_client::Status::Unknown => Status::Unknown,
            clockbound_client::Status::Synchronized => Status::Synchronized,
            clockbound_client::Status::FreeRunning => Status::FreeRunning,
            clockbound_client::Status::Disrupted => Status::Disrupted,
        };
        Ok(Reading {
            earliest_ns: interval.earliest_ns(),
            latest_ns: interval.latest_ns(),
            status,
        })
    })
}
