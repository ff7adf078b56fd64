//! The module `clockbound._native`: `clients/rust`, as Python sees it.
//!
//! ```text
//!   clockbound (python/)  -->  Client, Interval, Timed (here)  -->  clients/rust
//!          ^ Status, Reason, exceptions: Python's own classes, which raising and naming look up
//! ```
//! Nothing is computed here: every number and every decision is the Rust client's.

mod client;
mod error;
mod given;
mod interval;
mod time;
mod words;

use pyo3::prelude::*;

/// What `import clockbound` loads.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::client::{Client, Timed};
    #[pymodule_export]
    use crate::given::interval_given;
    #[pymodule_export]
    use crate::interval::Interval;
    #[pymodule_export]
    const DEFAULT_DIRECTORY: &str = clockbound_client::DEFAULT_DIRECTORY;
}
