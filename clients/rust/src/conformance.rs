//! Reads a segment with given clock readings, for the conformance tests.

use std::path::Path;

use nix::time::ClockId;
use shm_layout::record::Identity;

use crate::error::Error;
use crate::interval::Interval;
use crate::segment::Segment;

/// The clock readings, boot and time namespace of a simulated client process.
#[derive(Clone, Copy, Debug)]
pub struct Environment {
    /// The reading of `CLOCK_REALTIME`, ns.
    pub realtime_ns: i64,
    /// The reading of `CLOCK_MONOTONIC_COARSE`, ns.
    pub monotonic_coarse_ns: i64,
    /// The reading of `CLOCK_MONOTONIC_RAW`, ns.
    pub monotonic_raw_ns: i64,
    /// The kernel's boot id.
    pub boot_id: [u8; 16],
    /// The offset of the process's monotonic clocks from those of the initial time namespace, ns.
    pub namespace_offset_ns: i64,
}

/// Returns the interval that a client in `environment` reads from the segment at `path`.
///
/// # Errors
/// The errors of opening and of reading the segment.
pub fn interval_in(path: &Path, environment: &Environment) -> Result<Interval, Error> {
    let own = Identity {
        boot_id: environment.boot_id,
        namespace_offset_ns: environment.namespace_offset_ns,
    };
    let segment = Segment::open_with_identity(path, || Ok(own))?;
    let reading = segment.now_with_clocks(|clock| match clock {
        ClockId::CLOCK_REALTIME => Ok(environment.realtime_ns),
        ClockId::CLOCK_MONOTONIC_COARSE => Ok(environment.monotonic_coarse_ns),
        _ => Ok(environment.monotonic_raw_ns),
    })?;
    Ok(reading.interval)
}
