//! The function `explain`.

use std::path::PathBuf;

use clockbound_client::diagnostics::{self, DiagnosticsError};
use clockbound_client::{DEFAULT_DIRECTORY, Error};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::error::exception;

/// Explains the interval and its status in sentences, from the daemon's diagnostics.
#[pyfunction]
#[pyo3(
    signature = (path = DEFAULT_DIRECTORY.into()),
    text_signature = "(path=DEFAULT_DIRECTORY)"
)]
pub(crate) fn explain(py: Python<'_>, path: PathBuf) -> PyResult<Vec<String>> {
    let read = py.detach(|| diagnostics::read(&path));
    let statements = read.map(|read| diagnostics::explain(&read));
    match statements {
        Ok(statements) => Ok(statements.iter().map(ToString::to_string).collect()),
        Err(DiagnosticsError::Read { path, source }) => {
            Err(exception(py, &Error::Open { path, source }))
        }
        Err(DiagnosticsError::EarlierBoot { path }) => {
            Err(exception(py, &Error::EarlierBoot { path }))
        }
        Err(DiagnosticsError::TimeNamespace(source)) => {
            Err(exception(py, &Error::TimeNamespace(source)))
        }
        Err(DiagnosticsError::Clock(source)) => Err(exception(py, &Error::Clock(source))),
        Err(err) => Err(PyRuntimeError::new_err(err.to_string())),
    }
}
