//! The class `Client`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clockbound_client::{DEFAULT_DIRECTORY, DEFAULT_VMCLOCK, Error, OpenOptions};
use pyo3::prelude::*;

use crate::error::exception;
use crate::interval::Interval;
use crate::record;
use crate::time::{Time, TimeSpan};

/// The longest wait between two checks for signals, such as that of Ctrl-C.
const SIGNAL_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// A handle to the daemon's segment. One handle is enough for all threads of a process. By default
/// it follows the daemon: when the record is overdue, it looks at the path and opens the file that
/// is there, which takes system calls and memory. It is then neither async-signal-safe nor usable
/// under a seccomp filter that forbids them. With `follow=False` it reads the file that it opened,
/// and makes no system call after opening, except where clock_gettime is one.
#[pyclass(frozen, module = "clockbound")]
pub(crate) struct Client(clockbound_client::Client);

#[pymethods]
impl Client {
    #[new]
    #[pyo3(
        signature = (
            path = DEFAULT_DIRECTORY.into(), *, follow = true, vmclock = DEFAULT_VMCLOCK.into(),
            refuse_simulated = false
        ),
        text_signature = "(path=DEFAULT_DIRECTORY, *, follow=True, vmclock=DEFAULT_VMCLOCK, refuse_simulated=False)"
    )]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        follow: bool,
        vmclock: PathBuf,
        refuse_simulated: bool,
    ) -> PyResult<Self> {
        let options = OpenOptions::new().path(path).vmclock(vmclock);
        let options = options.follow(follow).refuse_simulated(refuse_simulated);
        py.detach(|| options.open())
            .map(Self)
            .map_err(|err| exception(py, &err))
    }

    /// The same as `Client`, with the same arguments.
    #[staticmethod]
    #[pyo3(
        signature = (
            path = DEFAULT_DIRECTORY.into(), *, follow = true, vmclock = DEFAULT_VMCLOCK.into(),
            refuse_simulated = false
        ),
        text_signature = "(path=DEFAULT_DIRECTORY, *, follow=True, vmclock=DEFAULT_VMCLOCK, refuse_simulated=False)"
    )]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        follow: bool,
        vmclock: PathBuf,
        refuse_simulated: bool,
    ) -> PyResult<Self> {
        Self::new(py, path, follow, vmclock, refuse_simulated)
    }

    /// Waits until a trusted interval is published whose clock error bound is at most `max_bound`.
    #[staticmethod]
    #[pyo3(
        signature = (
            timeout, max_bound = None, path = DEFAULT_DIRECTORY.into(), *,
            follow = true, vmclock = DEFAULT_VMCLOCK.into(), refuse_simulated = false
        ),
        text_signature = "(timeout, max_bound=None, path=DEFAULT_DIRECTORY, *, follow=True, vmclock=DEFAULT_VMCLOCK, refuse_simulated=False)"
    )]
    fn open_when_ready(
        py: Python<'_>,
        timeout: TimeSpan,
        max_bound: Option<TimeSpan>,
        path: PathBuf,
        follow: bool,
        vmclock: PathBuf,
        refuse_simulated: bool,
    ) -> PyResult<Self> {
        let begun = Instant::now();
        let options = OpenOptions::new().path(path).vmclock(vmclock);
        let options = options.follow(follow).refuse_simulated(refuse_simulated);
        let max_bound = max_bound.map(|span| span.0);
        loop {
            let wait = SIGNAL_CHECK_INTERVAL.min(timeout.0.saturating_sub(begun.elapsed()));
            let opened = py.detach(|| options.open_when_ready(wait, max_bound));
            let waited = begun.elapsed();
            match opened {
                Ok(client) => return Ok(Self(client)),
                Err(Error::NotReady { .. }) if waited < timeout.0 => py.check_signals()?,
                Err(Error::NotReady { cause, .. }) => {
                    return Err(exception(py, &Error::NotReady { waited, cause }));
                }
                Err(err) => return Err(exception(py, &err)),
            }
        }
    }

    /// Returns the interval at the present. It contains true time while its status is trusted.
    // Not detached from the interpreter, which takes longer than the read itself.
    fn now(&self, py: Python<'_>) -> PyResult<Interval> {
        convert(py, &self.0.now())
    }

    /// Returns the interval at the instant `monotonic_raw_ns` of CLOCK_MONOTONIC_RAW.
    fn interval_at(&self, py: Python<'_>, monotonic_raw_ns: i64) -> PyResult<Interval> {
        convert(py, &self.0.interval_at(monotonic_raw_ns))
    }

    /// Returns the interval at the instant at which CLOCK_REALTIME read `t`.
    fn interval_at_realtime(&self, py: Python<'_>, t: Time) -> PyResult<Interval> {
        convert(py, &self.0.interval_at_realtime(t.0))
    }

    /// Waits until `t` has certainly passed, and returns the interval that proves it.
    #[pyo3(signature = (t, timeout = None))]
    fn commit_wait(
        &self,
        py: Python<'_>,
        t: Time,
        timeout: Option<TimeSpan>,
    ) -> PyResult<Interval> {
        let begun = Instant::now();
        let timeout = timeout.map_or(Duration::MAX, |span| span.0);
        loop {
            let left = timeout.saturating_sub(begun.elapsed());
            let wait = left.min(SIGNAL_CHECK_INTERVAL);
            let waited = py.detach(|| self.0.commit_wait_timeout_ns(t.0, wait));
            match waited {
                Err(Error::TimedOut) if wait < left => py.check_signals()?,
                waited => return convert(py, &waited),
            }
        }
    }

    /// Like `commit_wait`, for a coroutine of asyncio.
    #[pyo3(signature = (t, timeout = None))]
    fn commit_wait_async<'py>(
        slf: &Bound<'py, Self>,
        t: Time,
        timeout: Option<TimeSpan>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let timeout_s = timeout.map_or(f64::INFINITY, |span| span.0.as_secs_f64());
        slf.py()
            .import("clockbound._waiting")?
            .call_method1("commit_wait", (slf, t.0, timeout_s))
    }

    /// Calls `f`, and reads the interval immediately before and immediately after it.
    fn timing(&self, f: Bound<'_, PyAny>) -> PyResult<Timed> {
        let timed = self.0.timing(|| f.call0());
        Ok(Timed {
            value: timed.value?.unbind(),
            began: timed.began,
            ended: timed.ended,
        })
    }

    /// Returns the details of the record: its layout, age and source, and others.
    fn record<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        record::convert(py, &self.0.record())
    }
}

/// The result of a call, with the intervals read before and after it.
#[pyclass(frozen, generic, module = "clockbound")]
pub(crate) struct Timed {
    /// The value that the call returned.
    #[pyo3(get)]
    value: Py<PyAny>,
    began: Result<clockbound_client::Interval, Error>,
    ended: Result<clockbound_client::Interval, Error>,
}

#[pymethods]
impl Timed {
    /// The interval read immediately before the call. Raises the error of that read.
    #[getter]
    fn began(&self, py: Python<'_>) -> PyResult<Interval> {
        convert(py, &self.began)
    }

    /// The interval read immediately after the call. Raises the error of that read.
    #[getter]
    fn ended(&self, py: Python<'_>) -> PyResult<Interval> {
        convert(py, &self.ended)
    }
}

/// Converts a result of the Rust client.
///
/// # Errors
/// The exception for the error.
pub(crate) fn convert(
    py: Python<'_>,
    result: &Result<clockbound_client::Interval, Error>,
) -> PyResult<Interval> {
    match result {
        Ok(interval) => Ok(Interval(*interval)),
        Err(err) => Err(exception(py, err)),
    }
}
