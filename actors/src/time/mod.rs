//! Arithmetic of intervals of true time, on whole nanoseconds. Every rounding is outward.
//!
//! ```text
//!   Interval   [earliest, latest] of true time, ns of UTC since 1970
//!   RateBand   [slowest, fastest] of the frequency offset of UTC relative to CLOCK_MONOTONIC_RAW, parts per trillion
//! ```
//! An interval that is true at one instant of `CLOCK_MONOTONIC_RAW` is carried to another by the
//! band: [`Interval::carried`]. Pure: no clock, no IO.

mod instant;
mod interval;
mod rate;
mod readings;

pub use instant::{CoarseInstant, RawInstant, RealtimeInstant};
pub use interval::Interval;
pub use rate::{
    FREQUENCY_LIMIT_PPT, PPT_PER_PPB, PPT_PER_PPM, RateBand, mean_rate, scaled_ceil, scaled_floor,
};
pub use readings::{Readings, SUSPEND_NOISE_NS};

/// Nanoseconds in a second.
pub const NS_PER_S: i64 = 1_000_000_000;
