//! The client library that is published as 1.0.0, as programs in the field use it.

use std::path::Path;

use clock_bound_client::{ClockBoundClient, ClockStatus};
use integration::{Reader, Reading, Status, Truth};

/// Starts a reader that uses the published library.
pub fn reader(path: &Path, truth: &Truth) -> Reader {
    let own = path.to_owned();
    Reader::with(path, truth, move || open(&own))
}

fn open(path: &Path) -> impl FnMut() -> Result<Reading, String> + use<> {
    let path = path.to_str().expect("an UTF-8 path");
    let mut client = ClockBoundClient::new_with_path(path).expect("open the segment");
    move || {
        let now = client.now().map_err(|err| format!("{err:?}"))?;
        let status = match now.clock_status {
            ClockStatus::Unknown => Status::Unknown,
            ClockStatus::Synchronized => Status::Synchronized,
            ClockStatus::FreeRunning => Status::FreeRunning,
        };
        let ns = |s: i64, ns: i64| s * 1_000_000_000 + ns;
        Ok(Reading {
            earliest_ns: ns(now.earliest.tv_sec(), now.earliest.tv_nsec()),
            latest_ns: ns(now.latest.tv_sec(), now.latest.tv_nsec()),
            status,
        })
    }
}
