//! What a run gives: counts and widths, or how true time was lost.

use std::collections::VecDeque;

use super::breach::Breach;

/// What a run has seen.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub days: f64,
    pub measurements: u64,
    pub checks: u64,
    pub polls: u64,
    /// Share of the time since the first trusted interval.
    pub synchronized: f64,
    pub width_ns: f64,
    pub ideal_ns: f64,
    pub breach: Breach,
}

/// True time outside of what was published.
#[derive(Clone, Debug)]
pub struct Lost {
    pub text: String,
    pub log: VecDeque<String>,
}
