//! The handle.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clockbound_client::{DEFAULT_DIRECTORY, Error};
use pyo3::prelude::*;

use crate::error::raised;
use crate::interval::Interval;
use crate::time::{Span, Time};

/// How long Ctrl-C may have to wait while we do.
const SLICE: Duration = Duration::from_millis(100);

/// A handle on the daemon's segment: one is enough for all threads of a process.
#[pyclass(frozen, module = "clockbound")]
pub(crate) struct Client(clockbound_client::Client);

#[pymethods]
impl Client {
    /// Opens what is published at a path, a segment or a directory.
    #[staticmethod]
    #[pyo3(signature = (path = DEFAULT_DIRECTORY.into()), text_signature = "(path=DEFAULT_DIRECTORY)")]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        py.detach(|| clockbound_client::Client::open_at(path))
            .map(Self)
            .map_err(|err| raised(py, &err))
    }

    /// Waits until there is an interval that can be relied on, and is narrow enough.
    #[staticmethod]
    #[pyo3(
        signature = (timeout, max_bound = None, path = DEFAULT_DIRECTORY.into()),
        text_signature = "(timeout, max_bound=None, path=DEFAULT_DIRECTORY)"
    )]
    fn open_when_ready(
        py: Python<'_>,
        timeout: Span,
        max_bound: Option<Span>,
        path: PathBuf,
    ) -> PyResult<Self> {
        let begun = Instant::now();
        let max_bound = max_bound.map(|span| span.0);
        loop {
            let slice = SLICE.min(timeout.0.saturating_sub(begun.elapsed()));
            let opened = py
                .detach(|| clockbound_client::Client::open_when_ready_at(&path, slice, max_bound));
            let waited = begun.elapsed();
            match opened {
                Ok(client) => return Ok(Self(client)),
                Err(Error::NotReady { .. }) if waited < timeout.0 => py.check_signals()?,
                Err(Error::NotReady { cause, .. }) => {
                    return Err(raised(py, &Error::NotReady { waited, cause }));
                }
                Err(err) => return Err(raised(py, &err)),
            }
        }
    }

    /// The interval that contains true time now, if its status is trusted.
    // Not detached: that costs more than the reading itself.
    fn now(&self, py: Python<'_>) -> PyResult<Interval> {
        answer(py, self.0.now())
    }

    /// The interval that contained true time when CLOCK_MONOTONIC_RAW showed this, in ns.
    fn interval_at(&self, py: Python<'_>, monotonic_raw_ns: i64) -> PyResult<Interval> {
        answer(py, self.0.interval_at(monotonic_raw_ns))
    }

    /// Returns when `t` has certainly passed.
    fn commit_wait(&self, py: Python<'_>, t: Time) -> PyResult<Interval> {
        let slice_ns = SLICE.as_nanos() as i64;
        loop {
            let now = self.now(py)?;
            let t_ns = t.0.min(now.0.earliest_ns().saturating_add(slice_ns));
            let interval = answer(py, py.detach(|| self.0.commit_wait_ns(t_ns)))?;
            if interval.0.is_after_ns(t.0) {
                return Ok(interval);
            }
            py.check_signals()?;
        }
    }

    /// Calls `f`, and tells the time just before and just after.
    fn timing(&self, f: Bound<'_, PyAny>) -> PyResult<Timed> {
        let timed = self.0.timing(|| f.call0());
        Ok(Timed {
            value: timed.value?.unbind(),
            began: timed.began,
            ended: timed.ended,
        })
    }
}

/// A call, and the time before and after it.
#[pyclass(frozen, generic, module = "clockbound")]
pub(crate) struct Timed {
    /// What the call returned.
    #[pyo3(get)]
    value: Py<PyAny>,
    began: Result<clockbound_client::Interval, Error>,
    ended: Result<clockbound_client::Interval, Error>,
}

#[pymethods]
impl Timed {
    /// The interval just before the call; raises as `now` did then.
    #[getter]
    fn began(&self, py: Python<'_>) -> PyResult<Interval> {
        known(py, &self.began)
    }

    /// The interval just after it; raises as `now` did then.
    #[getter]
    fn ended(&self, py: Python<'_>) -> PyResult<Interval> {
        known(py, &self.ended)
    }
}

pub(crate) fn answer(
    py: Python<'_>,
    answer: Result<clockbound_client::Interval, Error>,
) -> PyResult<Interval> {
    known(py, &answer)
}

fn known(py: Python<'_>, known: &Result<clockbound_client::Interval, Error>) -> PyResult<Interval> {
    match known {
        Ok(interval) => Ok(Interval(*interval)),
        Err(err) => Err(raised(py, err)),
    }
}
