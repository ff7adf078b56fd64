//! Converts the details of a record to the Python class `Record`.

use clockbound_client::{Error, Leap, RecordDetails};
use pyo3::prelude::*;

use crate::enums;
use crate::error::exception;

/// Converts a result of the Rust client.
///
/// # Errors
/// The exception for the error.
pub(crate) fn convert<'py>(
    py: Python<'py>,
    result: &Result<RecordDetails, Error>,
) -> PyResult<Bound<'py, PyAny>> {
    let it = result.as_ref().map_err(|err| exception(py, err))?;
    let leap = it
        .leap
        .map(|leap| enums::named(py, "Leap", leap_name(leap)));
    // The order is that of the fields of the class.
    let fields = (
        enums::named(py, "Layout", &it.layout.to_string())?,
        it.as_of_ns,
        it.age_ns,
        enums::status(py, it.status)?,
        enums::reason(py, it.reason)?,
        leap.transpose()?,
        it.source,
        it.valid_since_ns,
        it.publication_interval.map(|interval| interval.as_nanos()),
    );
    py.import("clockbound.record")?
        .getattr("Record")?
        .call1(fields)
}

fn leap_name(leap: Leap) -> &'static str {
    match leap {
        Leap::Normal => "normal",
        Leap::InsertSecond => "insert_second",
        Leap::DeleteSecond => "delete_second",
        Leap::Unsynchronized => "unsynchronized",
    }
}
