//! The diagnostics of the daemon, at `/var/run/clockbound/diagnostics`: what it knows beside the
//! interval, for tools and their users.

mod record;

pub use record::{
    ACTORS, BUDGET_TERMS, Counters, DiagnosticsRecord, MAX_SOURCES, SEGMENTS, Settings, Source,
    SourceAddress, SourceState,
};

/// The name of the file in the daemon's directory.
pub const FILE_NAME: &str = "diagnostics";
