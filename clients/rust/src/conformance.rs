//! Reads a segment with given clock readings, for the conformance tests.

use std::io;
use std::path::Path;
use std::sync::Arc;

use nix::time::ClockId;
use shm_layout::record::Identity;
use shm_layout::vmclock::DEFAULT_PATH as DEFAULT_VMCLOCK;

use crate::client::Client;
use crate::diagnostics::{Diagnostics, DiagnosticsError, read_in};
use crate::error::Error;
use crate::interval::Interval;
use crate::location::Location;
use crate::segment::Wait;
use crate::snapshot::{RecordDetails, Snapshot};
use crate::surroundings::{Surroundings, no_counter};

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
    /// The disruption marker of the VMClock page; `None` without a page.
    pub vmclock_marker: Option<u64>,
    /// The counter of the processor; `None` if a program cannot read it.
    pub counter: Option<u64>,
    /// Whether the client refuses simulated records.
    pub refuse_simulated: bool,
}

impl Surroundings for Environment {
    fn clock_ns(&self, clock: ClockId) -> Result<i64, Error> {
        Ok(match clock {
            ClockId::CLOCK_REALTIME => self.realtime_ns,
            ClockId::CLOCK_MONOTONIC_COARSE => self.monotonic_coarse_ns,
            _ => self.monotonic_raw_ns,
        })
    }

    fn identity(&self) -> Result<Identity, Error> {
        Ok(Identity {
            boot_id: self.boot_id,
            namespace_offset_ns: self.namespace_offset_ns,
        })
    }

    fn counter(&self) -> Result<u64, Error> {
        self.counter.ok_or_else(no_counter)
    }

    fn disruption_marker(&self) -> Result<u64, Error> {
        self.vmclock_marker.ok_or_else(|| Error::VmClock {
            path: Path::new(DEFAULT_VMCLOCK).into(),
            source: Arc::new(io::Error::from(io::ErrorKind::NotFound).into()),
        })
    }
}

/// Returns the interval that a client in `environment` reads from the segment at `path`.
///
/// # Errors
/// The errors of opening and of reading the segment.
pub fn interval_in(path: &Path, environment: &Environment) -> Result<Interval, Error> {
    snapshot(path, environment)?.now(environment)
}

/// Returns what [`Client::interval_at`](crate::Client::interval_at) returns in `environment`.
///
/// # Errors
/// The errors of opening and of reading the segment.
pub fn interval_at_in(
    path: &Path,
    environment: &Environment,
    monotonic_raw_ns: i64,
) -> Result<Interval, Error> {
    snapshot(path, environment)?.interval_at(monotonic_raw_ns, environment)
}

/// Returns what [`Client::interval_at_realtime`](crate::Client::interval_at_realtime) returns in
/// `environment`.
///
/// # Errors
/// The errors of opening and of reading the segment.
pub fn interval_at_realtime_in(
    path: &Path,
    environment: &Environment,
    realtime_ns: i64,
) -> Result<Interval, Error> {
    snapshot(path, environment)?.interval_at_realtime(realtime_ns, environment)
}

/// Returns what [`Client::record`](crate::Client::record) returns in `environment`.
///
/// # Errors
/// The errors of opening and of reading the segment.
pub fn record_in(path: &Path, environment: &Environment) -> Result<RecordDetails, Error> {
    snapshot(path, environment)?.details(environment)
}

/// Returns what [`diagnostics::read`](crate::diagnostics::read) returns in `environment`.
///
/// # Errors
/// As [`diagnostics::read`](crate::diagnostics::read).
pub fn diagnostics_in(
    path: &Path,
    environment: &Environment,
) -> Result<Diagnostics, DiagnosticsError> {
    let own = Identity {
        boot_id: environment.boot_id,
        namespace_offset_ns: environment.namespace_offset_ns,
    };
    let clock_ns = |clock| {
        Ok(if clock == ClockId::CLOCK_REALTIME {
            environment.realtime_ns
        } else {
            environment.monotonic_raw_ns
        })
    };
    read_in(path, &own, clock_ns, || environment.vmclock_marker)
}

/// Checks the path of `client`, although that is not due. Returns whether it reads another file
/// from now on.
#[must_use]
pub fn follow_at_once(client: &Client) -> bool {
    client.follow_at_once()
}

fn snapshot(path: &Path, environment: &Environment) -> Result<Snapshot, Error> {
    let segment = Location::new(path, environment.refuse_simulated)?.open(environment)?;
    segment.snapshot(Wait::Briefly)
}
