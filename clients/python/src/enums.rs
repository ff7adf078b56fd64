//! Converts status and reason to and from members of the Python enumerations, by the names in the
//! daemon's log.

use clockbound_client::{Reason, Status};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
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

/// Returns the member of the enumeration `class` with a name of the log.
pub(crate) fn named<'py>(py: Python<'py>, class: &str, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("clockbound.enums")?
        .getattr(class)?
        .call1((name,))
}

/// Returns the member of the enumeration `class` at `index` in `values`. The members are imported
/// once.
fn member<'py, const N: usize>(
    py: Python<'py>,
    members: &'static PyOnceLock<Vec<Py<PyAny>>>,
    class: &str,
    values: [&str; N],
    index: Option<usize>,
) -> PyResult<&'py Bound<'py, PyAny>> {
    let members = members.get_or_try_init(py, || {
        values
            .iter()
            .map(|value| Ok::<_, PyErr>(named(py, class, value)?.unbind()))
            .collect()
    })?;
    Ok(members[index.expect("every value is listed")].bind(py))
}

/// A status or reason, from a member of the enumeration or its name.
pub(crate) struct Named<T>(pub(crate) T);

impl FromPyObject<'_, '_> for Named<Status> {
    type Error = PyErr;

    fn extract(name: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        find(name, "status", &STATUSES, Status::as_str)
    }
}

impl FromPyObject<'_, '_> for Named<Reason> {
    type Error = PyErr;

    fn extract(name: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        find(name, "reason", &Reason::ALL, Reason::as_str)
    }
}

fn find<T: Copy>(
    name: Borrowed<'_, '_, PyAny>,
    kind: &str,
    values: &[T],
    as_str: impl Fn(T) -> &'static str,
) -> PyResult<Named<T>> {
    let name = name.extract::<PyBackedStr>()?;
    values
        .iter()
        .find(|&&value| as_str(value) == &*name)
        .map(|&value| Named(value))
        .ok_or_else(|| PyValueError::new_err(format!("{name} is not a {kind}")))
}
