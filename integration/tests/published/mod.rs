//! The published client libraries 1.0.0 and 2.0.3.

#![expect(dead_code, reason = "each test uses a part of it")]

use std::path::Path;

use integration::observe::layout::Layout;
use integration::observe::reader::Reader;
use integration::observe::reading::{Reading, Status};
use integration::time::truth::Truth;

/// The v1 segment, read by 1.0.0.
pub const V1: Layout = Layout {
    name: "v1 1.0.0",
    on_realtime: true,
    open: |path| Ok(Box::new(open_v1(path)?)),
};

/// The v2 segment, read by 2.0.3.
pub const V2: Layout = Layout {
    name: "v2 2.0.3",
    on_realtime: true,
    open: |path| Ok(Box::new(open_v2(&path.with_file_name("shm0"))?)),
};

/// Every layout, read by the project's client library and the published ones.
pub const ALL: [Layout; 5] = [Layout::NATIVE, Layout::V1, V1, Layout::V2, V2];

/// Readers of the segments in the directory of the v1 segment at `path`, by the project's library
/// and the published ones.
pub fn readers(path: &Path, truth: &Truth) -> [Reader; 3] {
    [
        Reader::start(path, truth),
        Reader::of(V1, path, truth),
        Reader::of(V2, path, truth),
    ]
}

fn open_v1(path: &Path) -> Result<impl FnMut() -> Result<Reading, String> + use<>, String> {
    use clock_bound_client::{ClockBoundClient, ClockStatus};
    let mut client =
        ClockBoundClient::new_with_path(text(path)).map_err(|err| format!("{err:?}"))?;
    Ok(move || {
        let now = client.now().map_err(|err| format!("{err:?}"))?;
        Ok(Reading {
            earliest_ns: ns(now.earliest.tv_sec(), now.earliest.tv_nsec()),
            latest_ns: ns(now.latest.tv_sec(), now.latest.tv_nsec()),
            status: match now.clock_status {
                ClockStatus::Unknown => Status::Unknown,
                ClockStatus::Synchronized => Status::Synchronized,
                ClockStatus::FreeRunning => Status::FreeRunning,
            },
        })
    })
}

fn open_v2(path: &Path) -> Result<impl FnMut() -> Result<Reading, String> + use<>, String> {
    use clock_bound_client_2::{ClockBoundClient, ClockStatus};
    let mut client =
        ClockBoundClient::new_with_path(text(path)).map_err(|err| format!("{err:?}"))?;
    Ok(move || {
        let now = client.now().map_err(|err| format!("{err:?}"))?;
        Ok(Reading {
            earliest_ns: ns(now.earliest.tv_sec(), now.earliest.tv_nsec()),
            latest_ns: ns(now.latest.tv_sec(), now.latest.tv_nsec()),
            status: match now.clock_status {
                ClockStatus::Unknown => Status::Unknown,
                ClockStatus::Synchronized => Status::Synchronized,
                ClockStatus::FreeRunning => Status::FreeRunning,
                ClockStatus::Disrupted => Status::Disrupted,
            },
        })
    })
}

fn text(path: &Path) -> &str {
    path.to_str().expect("an UTF-8 path")
}

fn ns(s: i64, ns: i64) -> i64 {
    s * 1_000_000_000 + ns
}
