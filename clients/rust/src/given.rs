//! What a client would say elsewhere and at another time, for the conformance tests.

use std::path::Path;

use nix::time::ClockId;
use shm_layout::record::Identity;

use crate::error::Error;
use crate::interval::Interval;
use crate::segment::Segment;

/// What a process sees of its surroundings.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// What `CLOCK_REALTIME` shows, ns.
    pub realtime_ns: i64,
    /// What `CLOCK_MONOTONIC_COARSE` shows, ns.
    pub monotonic_coarse_ns: i64,
    /// What `CLOCK_MONOTONIC_RAW` shows, ns.
    pub monotonic_raw_ns: i64,
    /// The boot.
    pub boot_id: [u8; 16],
    /// How far its monotonic clocks are ahead of those of the initial time namespace, ns.
    pub namespace_offset_ns: i64,
}

/// The interval that a client says in these surroundings, from the segment at `path`.
///
/// # Errors
/// Those of opening the segment and of reading it.
pub fn interval(path: &Path, surroundings: &Surroundings) -> Result<Interval, Error> {
    let own = Identity {
        boot_id: surroundings.boot_id,
        namespace_offset_ns: surroundings.namespace_offset_ns,
    };
    let segment = Segment::open_as(path, || Ok(own))?;
    let aged = segment.now_by(|clock| match clock {
        ClockId::CLOCK_REALTIME => Ok(surroundings.realtime_ns),
        ClockId::CLOCK_MONOTONIC_COARSE => Ok(surroundings.monotonic_coarse_ns),
        _ => Ok(surroundings.monotonic_raw_ns),
    })?;
    Ok(aged.interval)
}
