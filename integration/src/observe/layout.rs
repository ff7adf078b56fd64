//! The layouts that the daemon publishes, and the client libraries that read them.

use std::fs;
use std::path::Path;

use super::reading::{Reading, open_client};

/// Reads a layout once.
pub type Read = Box<dyn FnMut() -> Result<Reading, String>>;

/// A published layout and a client library that reads it.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Its name in tables.
    pub name: &'static str,
    /// Whether its interval is centred on CLOCK_REALTIME, so that a step of that clock moves the
    /// interval before the daemon can detect it.
    pub on_realtime: bool,
    /// Whether the reader compares the VMClock's disruption marker with the segment's after it has
    /// read its clock, so that it detects a disruption before the daemon does.
    pub compares_marker: bool,
    /// Opens it in the directory of the v1 segment at this path, in the thread that reads it.
    pub open: fn(&Path) -> Result<Read, String>,
}

impl Layout {
    /// The v1 segment, read by the project's client library.
    pub const V1: Layout = Layout {
        name: "v1",
        on_realtime: true,
        compares_marker: false,
        open: |path| Ok(Box::new(open_client(path)?)),
    };
    /// The v2 segment, read by the project's client library.
    pub const V2: Layout = Layout {
        name: "v2",
        on_realtime: true,
        compares_marker: true,
        open: |path| Ok(Box::new(open_client(&path.with_file_name("shm0"))?)),
    };
    /// The native segment, based on CLOCK_MONOTONIC_RAW, read by the project's client library.
    pub const NATIVE: Layout = Layout {
        name: "native",
        on_realtime: false,
        compares_marker: true,
        open: |path| Ok(Box::new(open_client(&path.with_file_name("native"))?)),
    };
    /// The 3.x segment, based on the processor's counter, read by the project's client library.
    pub const V3: Layout = Layout {
        name: "v3",
        on_realtime: false,
        compares_marker: true,
        open: |path| Ok(Box::new(open_client(&path.with_file_name("shm1"))?)),
    };
}

/// Whether the kernel's clocksource is the processor's counter. The daemon publishes the 3.x
/// segment only then.
pub fn has_counter_clocksource() -> bool {
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let name = fs::read_to_string(path).unwrap_or_default();
    ["tsc", "arch_sys_counter"].contains(&name.trim())
}
