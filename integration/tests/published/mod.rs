//! The client library that is published as 1.0.0, as programs in the field use it.

use std::path::Path;

use clock_bound_client::{ClockBoundClient, ClockStatus};
use integration::{Layout, Reading, Status};

/// The v1 segment, read by that library.
pub const V1: Layout = Layout {
    name: "v1 1.0.0",
    on_realtime: true,
    open: |path| Ok(Box::new(open(path)?)),
};

fn open(path: &Path) -> Result<impl FnMut() -> Result<Reading, String> + use<>, String> {
    let path = path.to_str().expect("an UTF-8 path");
    let mut client = ClockBoundClient::new_with_path(path).map_err(|err| format!("{err:?}"))?;
    Ok(move || {
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
    })
}
