//! The Rust client's errors, raised as Python's: which class, and what to do.

use clockbound_client::Error;
use pyo3::prelude::*;

use crate::words;

/// The exception for `err`; another one, if it cannot even be made.
pub(crate) fn raised(py: Python<'_>, err: &Error) -> PyErr {
    exception(py, err).unwrap_or_else(|failure| failure)
}

fn exception(py: Python<'_>, err: &Error) -> PyResult<PyErr> {
    let (class, advice) = class_and_advice(err);
    let class = py.import("clockbound.errors")?.getattr(class)?;
    let made = class.call1((format!("{err}{advice}"),))?;
    if let Error::Untrusted { status, reason } = err {
        made.setattr("status", words::status(py, *status)?)?;
        made.setattr("reason", words::reason(py, *reason)?)?;
    }
    let made = PyErr::from_value(made);
    if let Error::NotReady { cause, .. } = err {
        made.set_cause(py, Some(exception(py, cause)?));
    }
    Ok(made)
}

/// The class, and what to do where the error itself does not say.
fn class_and_advice(err: &Error) -> (&'static str, &'static str) {
    match err {
        Error::Open { .. } => ("OpenError", ""),
        Error::EarlierBoot { .. } => ("EarlierBootError", ""),
        Error::TimeNamespace(_) => ("TimeNamespaceError", ""),
        Error::NotReady { .. } => ("NotReadyError", ""),
        Error::Untrusted { .. } => (
            "UntrustedError",
            "; wait with open_when_ready, and see the daemon's log",
        ),
        Error::TooWide { .. } => ("TooWideError", "; wait for chronyd, or ask for less"),
        Error::Read(_) => ("ReadError", "; start the daemon again"),
        Error::Causality { .. } => (
            "CausalityError",
            "; start the daemon again, where this program runs",
        ),
        Error::NotNative => ("NotNativeError", "; let the daemon publish it"),
        Error::TooLongAgo { .. } => ("TooLongAgoError", "; ask sooner"),
        Error::Clock(_) => ("ClockError", "; does a sandbox forbid clock_gettime?"),
        _ => ("Error", ""),
    }
}
