//! The class `Interval`.

use std::hash::{Hash, Hasher};

use clockbound_client::{Reason, Status};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDelta, PyType};

use crate::enums::{self, Named};
use crate::time::{Time, datetime_ceil, datetime_floor, timedelta_ceil};

/// The interval that contains true time while its status is trusted.
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
    /// The fields, in the order of the constructor, for `match` statements.
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&str, &str, &str, &str) = ("earliest_ns", "latest_ns", "status", "reason");

    /// Makes an interval, for tests and for records of intervals.
    #[new]
    #[pyo3(
        signature = (earliest_ns, latest_ns, status, reason = Named(Reason::Untold)),
        text_signature = "(earliest_ns, latest_ns, status, reason=Reason.UNTOLD)"
    )]
    fn new(
        earliest_ns: i64,
        latest_ns: i64,
        status: Named<Status>,
        reason: Named<Reason>,
    ) -> PyResult<Self> {
        clockbound_client::Interval::new(earliest_ns, latest_ns, status.0, reason.0)
            .map(Self)
            .map_err(|err| PyValueError::new_err(err.to_string()))
    }

    /// The earliest possible true time, ns of UTC since 1970.
    #[getter]
    fn earliest_ns(&self) -> i64 {
        self.0.earliest_ns()
    }

    /// The latest possible true time, ns of UTC since 1970.
    #[getter]
    fn latest_ns(&self) -> i64 {
        self.0.latest_ns()
    }

    /// The middle of the interval, ns of UTC since 1970.
    #[getter]
    fn midpoint_ns(&self) -> i64 {
        self.0.midpoint_ns()
    }

    /// The clock error bound of the midpoint: half the width, ns, rounded up.
    #[getter]
    fn bound_ns(&self) -> i64 {
        self.0.bound_ns()
    }

    /// `earliest_ns` as a datetime in UTC, rounded down to microseconds.
    #[getter]
    fn earliest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime_floor(py, self.0.earliest_ns())
    }

    /// `latest_ns` as a datetime in UTC, rounded up to microseconds.
    #[getter]
    fn latest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime_ceil(py, self.0.latest_ns())
    }

    /// `midpoint_ns` as a datetime in UTC, rounded down to microseconds.
    #[getter]
    fn midpoint<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime_floor(py, self.0.midpoint_ns())
    }

    /// `bound_ns` as a timedelta, rounded up to microseconds.
    #[getter]
    fn bound<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDelta>> {
        timedelta_ceil(py, self.0.bound_ns())
    }

    /// The clock status.
    #[getter]
    fn status<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        enums::status(py, self.0.status())
    }

    /// The reason of the status.
    #[getter]
    fn reason<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        enums::reason(py, self.0.reason())
    }

    /// Returns whether `t` has certainly passed; false while the status is not trusted.
    fn is_after(&self, t: Time) -> bool {
        self.0.is_after_ns(t.0)
    }

    /// Returns whether `t` is certainly in the future; false while the status is not trusted.
    fn is_before(&self, t: Time) -> bool {
        self.0.is_before_ns(t.0)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!(
            "Interval(earliest_ns={}, latest_ns={}, status={}, reason={})",
            self.0.earliest_ns(),
            self.0.latest_ns(),
            self.status(py)?.repr()?,
            self.reason(py)?.repr()?
        ))
    }

    /// The constructor and its arguments, for `pickle` and `copy`.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Reduced<'py>> {
        let (py, it) = (slf.py(), slf.get());
        let fields = (
            it.earliest_ns(),
            it.latest_ns(),
            it.status(py)?.clone(),
            it.reason(py)?.clone(),
        );
        Ok((slf.get_type(), fields))
    }
}

/// The type and the arguments of its constructor.
type Reduced<'py> = (
    Bound<'py, PyType>,
    (i64, i64, Bound<'py, PyAny>, Bound<'py, PyAny>),
);
