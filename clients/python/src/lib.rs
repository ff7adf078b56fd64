//! The Python module `clockbound._native`: bindings of `clients/rust`.
//!
//! ```text
//!   clockbound (python/)  -->  Client, Interval, Timed (here)  -->  clients/rust
//!          ^ Status, Reason, exceptions: Python classes, which this module imports by name
//! ```
//! This module converts types. It computes no interval.

mod client;
mod conformance;
mod diagnostics;
mod enums;
mod error;
mod interval;
mod record;
mod time;

use pyo3::prelude::*;

/// The compiled module of the package `clockbound`.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::client::{Client, Timed};
    #[pymodule_export]
    use crate::conformance::{interval_in_environment, record_in_environment};
    #[pymodule_export]
    use crate::diagnostics::explain;
    #[pymodule_export]
    use crate::interval::Interval;
    #[pymodule_export]
    const DEFAULT_DIRECTORY: &str = clockbound_client::DEFAULT_DIRECTORY;
    #[pymodule_export]
    const DEFAULT_VMCLOCK: &str = clockbound_client::DEFAULT_VMCLOCK;
    #[expect(non_upper_case_globals, reason = "the name that Python packages use")]
    #[pymodule_export]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
