//! The processor's counter against `CLOCK_MONOTONIC_RAW`: how long one tick of it lasts.
//!
//! ```text
//!   Bracket      counter, CLOCK_MONOTONIC_RAW, counter: one pair of readings, and its error
//!   Calibration  all brackets so far: the tick periods that agree with every one of them
//!   TickPeriod   the shortest and the longest of these
//! ```
//! The kernel computes `CLOCK_MONOTONIC_RAW` from the counter by a fixed multiplication, and rounds
//! down to whole ns. A bracket states that it showed `raw` at some tick from `before` to `after`.
//! That is a pair of half-planes in the plane of the line's offset and slope: the line is not below
//! `raw` at the tick `after`, and it is below `raw + 1` at the tick `before`. Nothing is assumed
//! about how errors are distributed, so that the range of the period is proved, and two brackets
//! without a common line prove that the premise does not hold. Pure: no clock, no IO.

mod bracket;
mod calibration;
mod chain;
mod period;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod simulated;

pub use bracket::Bracket;
pub use calibration::{Calibration, Contradiction};
pub use period::{Growth, TickPeriod};
