//! What one poll of chronyd gives.

use super::report::{SourceData, Tracking};

/// What one poll of chronyd gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ChronyPoll {
    /// What the system clock is known to be.
    pub tracking: Tracking,
    /// The sources that were asked in this round. Every answer is from the same state of chronyd's clock as `tracking`: chronyd
    /// did not update the clock between them.
    pub sources: Vec<SourceData>,
    /// Whether `sources` has every source that chronyd has.
    pub complete: bool,
}
