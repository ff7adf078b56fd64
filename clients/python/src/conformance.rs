//! Reads a segment with given clock readings, for the conformance tests.

use std::path::PathBuf;

use clockbound_client::conformance::{Environment, interval_in};
use pyo3::prelude::*;

use crate::client::convert;
use crate::interval::Interval;

#[pyfunction]
#[pyo3(
    name = "_interval_in",
    signature = (
        path, *, realtime_ns, monotonic_coarse_ns, monotonic_raw_ns, boot_id, namespace_offset_ns
    )
)]
pub(crate) fn interval_in_environment(
    py: Python<'_>,
    path: PathBuf,
    realtime_ns: i64,
    monotonic_coarse_ns: i64,
    monotonic_raw_ns: i64,
    boot_id: [u8; 16],
    namespace_offset_ns: i64,
) -> PyResult<Interval> {
    let environment = Environment {
        realtime_ns,
        monotonic_coarse_ns,
        monotonic_raw_ns,
        boot_id,
        namespace_offset_ns,
    };
    convert(py, &interval_in(&path, &environment))
}
