//! Reads a segment with given clock readings, for the conformance tests.

use std::path::PathBuf;

use clockbound_client::conformance::{
    Environment, interval_at_in, interval_at_realtime_in, interval_in, record_in,
};
use pyo3::prelude::*;

use crate::client::convert;
use crate::interval::Interval;
use crate::record;

/// The keyword arguments of an environment.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Surroundings {
    realtime_ns: i64,
    monotonic_coarse_ns: i64,
    monotonic_raw_ns: i64,
    boot_id: [u8; 16],
    namespace_offset_ns: i64,
    vmclock_marker: Option<u64>,
    counter: Option<u64>,
    refuse_simulated: bool,
}

impl From<Surroundings> for Environment {
    fn from(it: Surroundings) -> Self {
        Self {
            realtime_ns: it.realtime_ns,
            monotonic_coarse_ns: it.monotonic_coarse_ns,
            monotonic_raw_ns: it.monotonic_raw_ns,
            boot_id: it.boot_id,
            namespace_offset_ns: it.namespace_offset_ns,
            vmclock_marker: it.vmclock_marker,
            counter: it.counter,
            refuse_simulated: it.refuse_simulated,
        }
    }
}

#[pyfunction]
#[pyo3(
    name = "_interval_in",
    signature = (path, surroundings, at_monotonic_raw_ns = None, at_realtime_ns = None)
)]
pub(crate) fn interval_in_environment(
    py: Python<'_>,
    path: PathBuf,
    surroundings: Surroundings,
    at_monotonic_raw_ns: Option<i64>,
    at_realtime_ns: Option<i64>,
) -> PyResult<Interval> {
    let environment = surroundings.into();
    let result = match (at_monotonic_raw_ns, at_realtime_ns) {
        (Some(raw_ns), _) => interval_at_in(&path, &environment, raw_ns),
        (None, Some(realtime_ns)) => interval_at_realtime_in(&path, &environment, realtime_ns),
        (None, None) => interval_in(&path, &environment),
    };
    convert(py, &result)
}

#[pyfunction]
#[pyo3(name = "_record_in")]
pub(crate) fn record_in_environment<'py>(
    py: Python<'py>,
    path: PathBuf,
    surroundings: Surroundings,
) -> PyResult<Bound<'py, PyAny>> {
    record::convert(py, &record_in(&path, &surroundings.into()))
}
