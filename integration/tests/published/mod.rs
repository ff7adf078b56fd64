//! The published client libraries 1.0.0, 2.0.3 and 3.0.0-rc.0, the last one in Rust and in C.

#![expect(dead_code, reason = "each test uses a part of it")]

use std::io::{self, Write as _};
use std::path::Path;

use integration::host::sandbox::vmclock_path;
use integration::observe::layout::{Layout, has_counter_clocksource};
use integration::observe::published_c::{self, V3_C};
use integration::observe::reader::Reader;
use integration::observe::reading::{Reading, Status};
use integration::time::truth::Truth;

/// The v1 segment, read by 1.0.0.
pub const V1: Layout = Layout {
    name: "v1 1.0.0",
    on_realtime: true,
    compares_marker: false,
    open: |path| Ok(Box::new(open_v1(path)?)),
};

/// The v2 segment, read by 2.0.3.
pub const V2: Layout = Layout {
    name: "v2 2.0.3",
    on_realtime: true,
    compares_marker: true,
    open: |path| Ok(Box::new(open_v2(path)?)),
};

/// The 3.x segment, read by 3.0.0-rc.0.
pub const V3: Layout = Layout {
    name: "v3 rc.0",
    on_realtime: false,
    compares_marker: true,
    open: |path| Ok(Box::new(open_v3(path)?)),
};

/// Every layout, read by the project's client library and the published ones. Those of the 3.x
/// segment are missing where the daemon does not publish it.
pub fn all() -> Vec<Layout> {
    let mut layouts = vec![Layout::NATIVE, Layout::V1, V1, Layout::V2, V2];
    if has_counter_clocksource() {
        layouts.extend(V3_LAYOUTS);
    }
    layouts
}

/// The readers of the 3.x segment.
pub const V3_LAYOUTS: [Layout; 3] = [Layout::V3, V3, V3_C];

/// Whether the daemon publishes a 3.x segment on this machine; then the published C library is
/// built. Otherwise the test `name` is reported as skipped.
pub fn has_v3(name: &str) -> bool {
    let has = has_counter_clocksource();
    if has {
        published_c::build();
    } else {
        // println! is captured in tests that pass.
        let _ = writeln!(
            io::stdout(),
            "skipped: {name}: the clocksource is no counter"
        );
    }
    has
}

/// Readers of the segments in the directory of the v1 segment at `path`, by the project's library
/// and the published ones.
pub fn readers(path: &Path, truth: &Truth) -> Vec<Reader> {
    let mut readers = vec![Reader::start(path, truth)];
    readers.extend([V1, V2].map(|layout| Reader::of(layout, path, truth)));
    readers
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
    let (segment, page) = (path.with_file_name("shm0"), vmclock_path(path));
    let mut client = ClockBoundClient::new_with_paths(text(&segment), text(&page))
        .map_err(|err| format!("{err:?}"))?;
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

fn open_v3(path: &Path) -> Result<impl FnMut() -> Result<Reading, String> + use<>, String> {
    use clock_bound_3::{Client, ClockStatus};
    let (segment, page) = (path.with_file_name("shm1"), vmclock_path(path));
    let mut client =
        Client::new_with_paths(text(&segment), text(&page)).map_err(|err| format!("{err:?}"))?;
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
