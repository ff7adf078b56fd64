//! The estimator: from single measurements of chronyd's sources to an interval that contains true
//! time.
//!
//! Pure: every instant is an argument, and nothing is read, written or logged. It uses [`time`] and
//! the report types of [`chrony`]; it has no part in a segment layout.
//!
//! Let r be `CLOCK_MONOTONIC_RAW`, T(r) UTC, and dT/dr = 1 + y(r). `docs/truth.md` has the
//! premises.
//!
//! ```text
//!   chronyd's report, PHC's error bound, clock readings
//!      | ingestion         the entry points; the status changes here
//!      |                   (clock_log, slew_detection, realtime_rates: how CLOCK_REALTIME moved)
//!      | interruption      a suspend, a disruption: what voids everything, and until when
//!      | new_measurements  which measurements of the report are new, and what is charged to them
//!      | sample            one measurement becomes an interval
//!      | source_selection  the selected source's, or what all but F sources have in common
//!      |                   (source_fusion)
//!      v
//!   observation            intersected with the held interval, or in contradiction to it
//!      | held              the held interval under one premise about the oscillator, carried on by
//!      | rate_band         the rates that pairs of earlier intervals (history) prove
//!      | contradiction     disjoint: both are kept until further measurements decide
//!      | leap_second       in which count of seconds an interval is
//!      v
//!   queries                Estimate: interval, growth, status, reason, error budget
//!   source_list            each source with its own interval, for the diagnostics
//!   resume                 State: what the next life resumes from
//! ```
//! [`Estimator`] is declared in `core`; each of the modules above has a part of its methods. No
//! interval is made from chronyd's regression of its measurements or from its frequency estimate:
//! those are statistics.
//!
//! [`time`]: crate::time
//! [`chrony`]: crate::chrony

mod ablation;
#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "test values are far from the limits of their types"
)]
mod ablation_tests;
mod clock_log;
mod contradiction;
mod core;
mod error_budget;
mod estimate;
mod finding;
mod forced_reason;
mod held;
mod history;
mod ingestion;
mod interruption;
mod leap_second;
mod new_measurements;
mod observation;
#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "test values are far from the limits of their types"
)]
mod properties;
mod queries;
mod rate_band;
pub(crate) mod realtime_rates;
mod resume;
mod sample;
mod saved_state;
mod settings;
#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "test values are far from the limits of their types"
)]
pub(crate) mod simulation;
mod slew_detection;
mod source_fusion;
mod source_list;
mod source_selection;
#[cfg(test)]
mod state_tests;
pub mod status;

pub use self::core::{Estimator, PollFailure};
pub use error_budget::ErrorBudget;
pub use estimate::{Estimate, NO_CLAIM_NS};
pub use finding::Finding;
pub use forced_reason::can_be_forced;
pub use realtime_rates::{RealtimeLog, RealtimeRates};
pub use sample::Key;
pub use saved_state::{Resumed, State};
pub use settings::Settings;
pub use source_list::ListedSource;
