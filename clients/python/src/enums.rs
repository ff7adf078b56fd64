//! Status and reason: members of Python's enumerations, found by the words that the daemon logs.

use clockbound_client::{Reason, Status};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

const STATUSES: [Status; 4] = [
    Status::Unknown,
    Status::Synchronized,
    Status::FreeRunning,
    Status::Disrupted,
];

pub(crate) fn status(py: Python<'_>, status: Status) -> PyResult<&Bound<'_, PyAny>> {
    static MEMBERS: PyOnceLock<Vec<Py<PyAny>>> = PyOnceLock::new();
    let index = STATUSES.iter().position(|&it| it == status);
    member(py, &MEMBERS, "Status", STATUSES.map(Status::as_str), index)
}

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

fn member<'py, const N: usize>(
    py: Python<'py>,
    members: &'static PyOnceLock<Vec<Py<PyAny>>>,
    name: &str,
    words: [&str; N],
    index: Option<usize>,
) -> PyResult<&'py Bound<'py, PyAny>> {
    let members = members.get_or_try_init(py, || {
        let class = py.import("clockbound.words")?.getattr(name)?;
        words
            .iter()
            .map(|word| Ok::<_, PyErr>(class.call1((word,))?.unbind()))
            .collect()
    })?;
    Ok(members[index.expect("every one is listed")].bind(py))
}
