//! One reading of the interval by a client library.

use std::path::Path;

use crate::host::sandbox::vmclock_path;

/// The clock status that a client library returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// The interval is not valid.
    Unknown,
    /// The interval contains true time, and chronyd is synchronised.
    Synchronized,
    /// Holdover: the interval contains true time, and grows.
    FreeRunning,
    /// The clock was disturbed.
    Disrupted,
}

/// An interval that a client library returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Lower end, nanoseconds since 1970.
    pub earliest_ns: i64,
    /// Upper end, nanoseconds since 1970.
    pub latest_ns: i64,
    /// The clock status.
    pub status: Status,
}

impl Reading {
    /// Half the width of the interval.
    pub fn bound_ns(&self) -> i64 {
        (self.latest_ns - self.earliest_ns) / 2
    }
}

/// Opens a segment with the project's client library and the VMClock page of the test; the
/// returned function reads the interval.
///
/// # Errors
/// If the library fails to open the segment.
pub fn open_client(path: &Path) -> Result<impl FnMut() -> Result<Reading, String> + use<>, String> {
    let client = clockbound_client::OpenOptions::new()
        .path(path)
        .vmclock(vmclock_path(path))
        .open()
        .map_err(|err| err.to_string())?;
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
