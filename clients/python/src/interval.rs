//! The interval.

use std::hash::{Hash, Hasher};

use pyo3::prelude::*;
use pyo3::types::PyDelta;

use crate::time::{Time, datetime_after, datetime_before, span_over};
use crate::words;

/// Where true time lies, while its status is trusted.
#[pyclass(frozen, eq, ord, hash, module = "clockbound")]
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(crate) struct Interval(pub(crate) clockbound_client::Interval);

impl Hash for Interval {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let it = &self.0;
        (it.earliest_ns(), it.latest_ns(), it.status(), it.reason()).hash(state);
    }
}

#[pymethods]
impl Interval {
    /// The earliest that true time can be, ns of UTC since 1970.
    #[getter]
    fn earliest_ns(&self) -> i64 {
        self.0.earliest_ns()
    }

    /// The latest that true time can be, ns of UTC since 1970.
    #[getter]
    fn latest_ns(&self) -> i64 {
        self.0.latest_ns()
    }

    /// The middle, ns of UTC since 1970.
    #[getter]
    fn midpoint_ns(&self) -> i64 {
        self.0.midpoint_ns()
    }

    /// Half the width in ns, rounded up: how wrong the midpoint can be.
    #[getter]
    fn bound_ns(&self) -> i64 {
        self.0.bound_ns()
    }

    /// `earliest_ns` as a datetime in UTC, rounded down.
    #[getter]
    fn earliest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime_before(py, self.0.earliest_ns())
    }

    /// `latest_ns` as a datetime in UTC, rounded up.
    #[getter]
    fn latest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime_after(py, self.0.latest_ns())
    }

    /// `midpoint_ns` as a datetime in UTC, rounded down.
    #[getter]
    fn midpoint<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime_before(py, self.0.midpoint_ns())
    }

    /// `bound_ns` as a timedelta, rounded up.
    #[getter]
    fn bound<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDelta>> {
        span_over(py, self.0.bound_ns())
    }

    /// Whether the interval may be relied on.
    #[getter]
    fn status<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        words::status(py, self.0.status())
    }

    /// Why the status is so.
    #[getter]
    fn reason<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        words::reason(py, self.0.reason())
    }

    /// Whether `t` has certainly passed. Never, while the status is not trusted.
    fn is_after(&self, t: Time) -> bool {
        self.0.is_after_ns(t.0)
    }

    /// Whether `t` has certainly not come yet. Never, while the status is not trusted.
    fn is_before(&self, t: Time) -> bool {
        self.0.is_before_ns(t.0)
    }

    fn __repr__(&self) -> String {
        let it = &self.0;
        format!(
            "Interval(earliest_ns={}, latest_ns={}, status={}, reason={})",
            it.earliest_ns(),
            it.latest_ns(),
            it.status(),
            it.reason()
        )
    }
}
