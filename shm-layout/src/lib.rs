//! Byte-exact layouts of the clockbound shared-memory segments, their writer and their reader.
//!
//! ```text
//!        writer                      reader
//!        one process per path,       any number of processes, no lock,
//!        create, reuse, replace      last good record as fallback
//!           |                           |
//!           +-------------+-------------+
//!                         v
//!        layout           Layout: what writer and reader need from any layout
//!          v1  v2         realtime_bound: a bound around CLOCK_REALTIME, its codec and ageing
//!          v3             an interval at a value of the processor's counter, likewise
//!          native         an interval on CLOCK_MONOTONIC_RAW, its codec and ageing; resume_area
//!          diagnostics    what the daemon knows beside the interval, and its codec
//!          identified     revision, boot and time namespace of native and the diagnostics
//!          header         magic, size, version
//!            |                          |
//!            v                          v
//!        record                      memory
//!          status, reason, leap        map: a mapped file as atomic words (unsafe code)
//!          identity: boot and          sequence_lock: one writer, readers that never block it
//!            time namespace            slot: maps that replace each other under their readers
//!          disruption                  known: what belongs to words that were validated before
//!          scale, limits, errors     clock, counter: read a clock and the counter (unsafe code)
//!                                    vmclock: the page on which a hypervisor reports disruptions
//! ```
//! Every import points downwards. Shared memory holds plain integers. A number that another process
//! wrote becomes an enum only through `TryFrom`, and an unknown number is an error; only an unknown
//! reason is accepted, as [`Reason::Untold`].
//!
//! | module | reads or writes | clock of its instants |
//! |---|---|---|
//! | [`v1`] | `/var/run/clockbound/shm`, 72 bytes | `CLOCK_MONOTONIC_COARSE` |
//! | [`v2`] | `/var/run/clockbound/shm0`, 80 bytes | `CLOCK_MONOTONIC_COARSE` |
//! | [`v3`] | `/var/run/clockbound/shm1`, 104 bytes | UTC, and the processor's counter |
//! | [`native`] | `/var/run/clockbound/native`, 4096 bytes | `CLOCK_MONOTONIC_RAW` |
//! | [`diagnostics`] | `/var/run/clockbound/diagnostics`, 8192 bytes | `CLOCK_MONOTONIC_RAW` |

#![deny(unsafe_code)]
// The loom model of the sequence lock replaces the atomic types, so it builds nothing that maps
// files.

#[cfg(not(loom))]
pub mod clock;
#[cfg(not(loom))]
pub mod counter;
#[cfg(not(loom))]
pub mod layout;
pub mod memory;
#[cfg(not(loom))]
pub mod reader;
#[cfg(not(loom))]
pub mod record;
#[cfg(not(loom))]
pub mod vmclock;
#[cfg(not(loom))]
pub mod writer;

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(not(loom))]
pub use layout::{diagnostics, native, v1, v2, v3};
#[cfg(not(loom))]
pub use record::{
    ClockStatus, DRIFT_LIMIT_PPB, Disruption, HostNotice, Leap, NO_CLAIM_BOUND_NS, Reason,
    STALE_AFTER_NS,
};
