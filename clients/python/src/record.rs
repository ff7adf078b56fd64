//! Converts the details of a record to the Python class `Record`.

use clockbound_client::{Error, Leap, RecordDetails};
use pyo3::prelude::*;
use pyo3::types::PyDict;

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
    let record = (
        enums::named(py, "Layout", &it.layout.to_string())?,
        it.as_of_ns,
        it.age_ns,
        enums::status(py, it.status)?,
        enums::reason(py, it.reason)?,
        leap.transpose()?,
        it.source,
        it.valid_since_ns,
        it.publication_interval.map(|interval| interval.as_nanos()),
        it.disruption_supported,
        it.disruption_marker,
    );
    // A tuple has twelve members at most.
    let others = PyDict::new(py);
    others.set_item("disruption_soon", it.disruption_soon)?;
    others.set_item("disruption_imminent", it.disruption_imminent)?;
    others.set_item("tai_offset_s", it.tai_offset_s)?;
    others.set_item("is_simulated", it.is_simulated)?;
    let class = py.import("clockbound.record")?.getattr("Record")?;
    class.call(record, Some(&others))
}

fn leap_name(leap: Leap) -> &'static str {
    match leap {
        Leap::Normal => "normal",
        Leap::InsertSecond => "insert_second",
        Leap::DeleteSecond => "delete_second",
        Leap::Unsynchronized => "unsynchronized",
    }
}
