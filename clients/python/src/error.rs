//! Converts errors of the Rust client to exceptions.

use std::io::ErrorKind;

use clockbound_client::Error;
use clockbound_client::read_error::ReadError;
use pyo3::prelude::*;

use crate::enums;

/// Returns the exception for `err`, or the exception that occurred while it was created.
pub(crate) fn exception(py: Python<'_>, err: &Error) -> PyErr {
    create_exception(py, err).unwrap_or_else(|failure| failure)
}

fn create_exception(py: Python<'_>, err: &Error) -> PyResult<PyErr> {
    let (class, remedy) = class_and_remedy(err);
    let class = py.import("clockbound.errors")?.getattr(class)?;
    let message = format!("{err}{remedy}");
    let exception = match err {
        Error::Open { path, source } => {
            let (errno, cause) = errno_and_cause(py, source)?;
            let exception = class.call1((errno, cause, path.as_os_str()))?;
            exception.setattr("_message", message)?;
            exception
        }
        _ => class.call1((message,))?,
    };
    if let Error::Untrusted { status, reason } = err {
        exception.setattr("status", enums::status(py, *status)?)?;
        exception.setattr("reason", enums::reason(py, *reason)?)?;
    }
    let exception = PyErr::from_value(exception);
    if let Error::NotReady { cause, .. } = err {
        exception.set_cause(py, Some(create_exception(py, cause)?));
    }
    Ok(exception)
}

/// Returns the `errno` of an `OSError`, if the system returned an error, and its `strerror`.
fn errno_and_cause(py: Python<'_>, err: &ReadError) -> PyResult<(Option<i32>, String)> {
    let ReadError::Io(source) = err else {
        return Ok((None, err.to_string()));
    };
    let errno = match (source.raw_os_error(), source.kind()) {
        (None, ErrorKind::NotFound) => Some(py.import("errno")?.getattr("ENOENT")?.extract()?),
        (errno, _) => errno,
    };
    let cause = match errno {
        Some(errno) => py
            .import("os")?
            .call_method1("strerror", (errno,))?
            .extract()?,
        None => source.to_string(),
    };
    Ok((errno, cause))
}

/// Returns the class of the exception, and the remedy if the message of the error has none.
fn class_and_remedy(err: &Error) -> (&'static str, &'static str) {
    match err {
        Error::Open { .. } => ("OpenError", ""),
        Error::EarlierBoot { .. } => ("EarlierBootError", ""),
        Error::TimeNamespace(_) => ("TimeNamespaceError", ""),
        Error::VmClock { .. } => ("VMClockError", ""),
        Error::NotReady { .. } => ("NotReadyError", ""),
        Error::Untrusted { .. } => (
            "UntrustedError",
            "; see the daemon's log, or wait with open_when_ready",
        ),
        Error::TooWide { .. } => (
            "TooWideError",
            "; wait until it decreases, or request a larger maximum",
        ),
        Error::Simulated => (
            "SimulatedError",
            "; start the daemon, or pass the path at which it publishes",
        ),
        Error::Read(_) => ("ReadError", "; restart the daemon"),
        Error::Causality { .. } => (
            "CausalityError",
            "; restart the daemon in the boot and time namespace of this program",
        ),
        Error::NotNative => ("NotNativeError", "; configure the daemon to publish it"),
        Error::TooLongAgo { .. } => (
            "TooLongAgoError",
            "; request the interval sooner after the instant",
        ),
        Error::Stamp(_) => (
            "NotKnownError",
            "; request the interval sooner after the reading, or read CLOCK_MONOTONIC_RAW",
        ),
        Error::TimedOut => ("TimedOutError", ""),
        Error::Clock(_) => (
            "ClockError",
            "; check whether a sandbox forbids clock_gettime",
        ),
        _ => ("Error", ""),
    }
}
