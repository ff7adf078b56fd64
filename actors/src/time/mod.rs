//! Arithmetic of intervals of true time, on whole nanoseconds. Every rounding is outward.
//!
//! ```text
//!   RawInstant, CoarseInstant, RealtimeInstant
//!              an instant of one clock; the difference of two is in ns
//!   Interval   [earliest, latest] of true time, instants of UTC
//!   Rate       a frequency offset, in parts per trillion
//!   RateBand   [slowest, fastest] of the frequency offset of UTC relative to
//!              CLOCK_MONOTONIC_RAW
//! ```
//! An interval that is true at one instant of `CLOCK_MONOTONIC_RAW` is carried to another by the
//! band: [`Interval::carried`]. Pure: no clock, no IO.

mod instant;
mod interval;
mod rate;
mod readings;
mod seconds;

pub use instant::{CoarseInstant, RawInstant, RealtimeInstant};
pub use interval::Interval;
pub use rate::{FREQUENCY_LIMIT, Rate, RateBand, mean_rate, scaled_ceil, scaled_floor};
pub use readings::{Readings, SUSPEND_NOISE_NS};
pub use seconds::{ceil_ns, nearest_ns};
pub(crate) use shm_layout::record::scale::saturated;

/// Nanoseconds in a second.
pub const NS_PER_S: i64 = 1_000_000_000;
