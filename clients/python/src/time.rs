//! Converts times and durations from and to Python types.

use std::time::Duration;

use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDateTime, PyDelta, PyDeltaAccess, PyTzInfo};

const DAY_US: i64 = 86_400_000_000;
const S_US: i64 = 1_000_000;
const US_NS: i64 = 1_000;

/// A time in ns of UTC since 1970: an `int`, or an aware `datetime`. A time outside the range of 64
/// bits is the limit of that range, in 1677 or 2262.
pub(crate) struct Time(pub(crate) i64);

impl FromPyObject<'_, '_> for Time {
    type Error = PyErr;

    fn extract(time: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if !time.is_instance_of::<PyDateTime>() {
            return ns_saturating(time).map(Self);
        }
        // Raises TypeError for a datetime without a time zone, which is ambiguous.
        let since = time.sub(epoch(time.py())?)?;
        let since = since.cast::<PyDelta>()?;
        let us = i64::from(since.get_days()) * DAY_US
            + i64::from(since.get_seconds()) * S_US
            + i64::from(since.get_microseconds());
        Ok(Self(us.saturating_mul(US_NS)))
    }
}

/// Returns an `int` of any size.
///
/// # Errors
/// `TypeError` if `ns` is not an integer.
fn ns_saturating(ns: Borrowed<'_, '_, PyAny>) -> PyResult<i64> {
    match ns.extract::<i64>() {
        Err(err) if err.is_instance_of::<PyOverflowError>(ns.py()) => {
            Ok(if ns.lt(0)? { i64::MIN } else { i64::MAX })
        }
        extracted => extracted,
    }
}

/// A duration that is not negative: a number of seconds, or a `timedelta`.
pub(crate) struct TimeSpan(pub(crate) Duration);

impl FromPyObject<'_, '_> for TimeSpan {
    type Error = PyErr;

    fn extract(span: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if span.is_instance_of::<PyDelta>() {
            return span.extract().map(Self);
        }
        match span.extract()? {
            f64::INFINITY => Ok(Self(Duration::MAX)),
            seconds => Duration::try_from_secs_f64(seconds)
                .map(Self)
                .map_err(|err| PyValueError::new_err(err.to_string())),
        }
    }
}

/// Returns `ns` of UTC since 1970 as a `datetime` in UTC, rounded down to microseconds.
pub(crate) fn datetime_floor(py: Python<'_>, ns: i64) -> PyResult<Bound<'_, PyAny>> {
    let us = ns.div_euclid(US_NS);
    epoch(py)?.add(timedelta(py, us)?)
}

/// Returns `ns` of UTC since 1970 as a `datetime` in UTC, rounded up to microseconds.
pub(crate) fn datetime_ceil(py: Python<'_>, ns: i64) -> PyResult<Bound<'_, PyAny>> {
    epoch(py)?.add(timedelta_ceil(py, ns)?)
}

/// Returns `ns` as a `timedelta`, rounded up to microseconds.
pub(crate) fn timedelta_ceil(py: Python<'_>, ns: i64) -> PyResult<Bound<'_, PyDelta>> {
    let us = ns.div_euclid(US_NS) + i64::from(ns.rem_euclid(US_NS) > 0);
    timedelta(py, us)
}

fn timedelta(py: Python<'_>, us: i64) -> PyResult<Bound<'_, PyDelta>> {
    let within_day = us.rem_euclid(DAY_US);
    PyDelta::new(
        py,
        i32::try_from(us.div_euclid(DAY_US))?,
        i32::try_from(within_day / S_US)?,
        i32::try_from(within_day % S_US)?,
        false,
    )
}

fn epoch(py: Python<'_>) -> PyResult<&Bound<'_, PyDateTime>> {
    static EPOCH: PyOnceLock<Py<PyDateTime>> = PyOnceLock::new();
    let epoch = EPOCH.get_or_try_init(py, || {
        let utc = PyTzInfo::utc(py)?;
        PyDateTime::new(py, 1970, 1, 1, 0, 0, 0, 0, Some(&utc)).map(Bound::unbind)
    })?;
    Ok(epoch.bind(py))
}
