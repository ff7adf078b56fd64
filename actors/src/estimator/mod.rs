//! The estimator: from single measurements of chronyd's sources to an interval that contains true time. Pure: every
//! instant is an argument, and nothing is read, written or logged.
//!
//! Let r be `CLOCK_MONOTONIC_RAW`, T(r) UTC, and dT/dr = 1 + y(r). The premises are those of `docs/truth.md`.
//!
//! ```text
//!   a report of chronyd
//!      | sample           which sources have a new measurement, where it puts true time, what it is wide of
//!      | source_fusion    the selected source's, or what all but F sources agree on
//!      | leap_second      in which count of seconds it is
//!      v
//!   held                  intersected with what is held, carried on by
//!      | rate_band        the rates that pairs of earlier intervals (history) prove
//!      | contradiction    disjoint: both are kept until further measurements decide
//!      v
//!   estimate              interval, growth, status, reason, error budget
//! ```
//! chronyd's own line through its measurements, and its frequency, are statistics about what the servers said. No
//! interval is made from them.

mod ablation;
#[cfg(test)]
mod ablation_tests;
mod clock_log;
mod contradiction;
mod core;
mod error_budget;
mod estimate;
mod finding;
mod held;
mod history;
mod ingestion;
mod leap_second;
mod new_measurements;
mod observation;
#[cfg(test)]
mod properties;
mod queries;
mod rate_band;
mod resume;
mod sample;
mod settings;
#[cfg(test)]
mod simulation;
mod source_fusion;
mod source_selection;
#[cfg(test)]
mod state_tests;
pub mod status;

pub use self::core::{Estimator, PollFailure};
pub use error_budget::ErrorBudget;
pub use estimate::{Estimate, NO_CLAIM_NS};
pub use finding::Finding;
pub use resume::{Resumed, State};
pub use sample::Key;
pub use settings::Settings;
