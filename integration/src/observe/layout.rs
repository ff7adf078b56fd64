//! The layouts that the daemon publishes, and the client libraries that read them.

use std::path::Path;

use super::reading::{Reading, open_client};

/// Reads a layout once.
pub type Read = Box<dyn FnMut() -> Result<Reading, String>>;

/// A published layout, and how a program reads it.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// For the table.
    pub name: &'static str,
    /// Whether it is centred on CLOCK_REALTIME: then a step of that clock moves it before the daemon can know.
    pub on_realtime: bool,
    /// Opens it beside the v1 segment at this path, in the thread that will read it.
    pub open: fn(&Path) -> Result<Read, String>,
}

impl Layout {
    /// The v1 segment, read by our own client library.
    pub const V1: Layout = Layout {
        name: "v1",
        on_realtime: true,
        open: |path| Ok(Box::new(open_client(path)?)),
    };
    /// The v2 segment beside it, read likewise.
    pub const V2: Layout = Layout {
        name: "v2",
        on_realtime: true,
        open: |path| Ok(Box::new(open_client(&path.with_file_name("shm0"))?)),
    };
    /// The native segment beside it, read likewise: it stands on CLOCK_MONOTONIC_RAW.
    pub const NATIVE: Layout = Layout {
        name: "native",
        on_realtime: false,
        open: |path| Ok(Box::new(open_client(&path.with_file_name("native"))?)),
    };
}
