//! The publication: what an estimate becomes in shared memory, and what the next life resumes from
//! it.
//!
//! ```text
//!   Estimate --projection--> a record of each layout --segments--> shared memory
//!                                                       rounds: acknowledged to the supervisor
//!   Estimate, what is known beside it --diagnostics--> a record for the operator's tools
//! ```

pub mod counter_clock;
pub mod counter_projection;
#[cfg(test)]
mod counter_properties;
pub mod diagnostics;
pub mod projection;
pub mod rounds;
pub mod segments;
#[cfg(test)]
mod stamp_properties;
