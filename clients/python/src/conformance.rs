//! What a client says elsewhere and at another time, for the conformance tests.

use std::path::PathBuf;

use clockbound_client::conformance::{Environment, interval_in};
use pyo3::prelude::*;

use crate::client::answer;
use crate::interval::Interval;

#[pyfunction]
#[pyo3(
    name = "_interval_given",
    signature = (path, *, realtime_ns, monotonic_coarse_ns, monotonic_raw_ns, boot_id, namespace_offset_ns)
)]
pub(crate) fn interval_given(
    py: Python<'_>,
    path: PathBuf,
    realtime_ns: i64,
    monotonic_coarse_ns: i64,
    monotonic_raw_ns: i64,
    boot_id: [u8; 16],
    namespace_offset_ns: i64,
) -> PyResult<Interval> {
    let surroundings = Environment {
        realtime_ns,
        monotonic_coarse_ns,
        monotonic_raw_ns,
        boot_id,
        namespace_offset_ns,
    };
    answer(py, interval_in(&path, &surroundings))
}
