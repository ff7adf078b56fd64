//! Converts status and reason to members of the Python enumerations, by the names in the daemon's
//! log.

use clockbound_client::{Reason, Status};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

const STATUSES: [Status; 4] = [
    Status::Unknown,
    Status::Synchronized,
    Status::FreeRunning,
    Status::Disrupted,
];

/// Returns the member of `Status`.
pub(crate) fn status(py: Python<'_>, status: Status) -> PyResult<&Bound<'_, PyAny>> {
    static MEMBERS: PyOnceLock<Vec<Py<PyAny>>> = PyOnceLock::new();
    let index = STATUSES.iter().position(|&it| it == status);
    member(py, &MEMBERS, "Status", STATUSES.map(Status::as_str), index)
}

/// Returns the member of `Reason`.
pub(crate) fn reason(py: Python<'_>, reason: Reason) -> PyResult<&Bound<'_, PyAny>> {
    static MEMBERS: PyOnceLock<Vec<Py<PyAny>>> = PyOnceLock::new();
    let index = Reason::ALL.iter().position(|&it| it == reason);
    member(
        py,
        &MEMBERS,
        "Reason",
        Reason::ALL.map(Reason::as_str),
        index,
    )
}

/// Returns the member of the enumeration `name` at `index` in `values`. The members are imported
/// once.
fn member<'py, const N: usize>(
    py: Python<'py>,
    members: &'static PyOnceLock<Vec<Py<PyAny>>>,
    name: &str,
    values: [&str; N],
    index: Option<usize>,
) -> PyResult<&'py Bound<'py, PyAny>> {
    let members = members.get_or_try_init(py, || {
        let class = py.import("clockbound.enums")?.getattr(name)?;
        values
            .iter()
            .map(|value| Ok::<_, PyErr>(class.call1((value,))?.unbind()))
            .collect()
    })?;
    Ok(members[index.expect("every value is listed")].bind(py))
}
