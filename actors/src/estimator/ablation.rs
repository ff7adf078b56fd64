//! Ablation switches: the safeguards that keep true time in the interval. The daemon has all of
//! them. A test removes each one and checks that true time is lost without it.

/// A safeguard against a hazard; `docs/truth.md` has the table of hazards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(test), expect(dead_code, reason = "most are named by tests only"))]
pub enum Safeguard {
    /// The error that may have grown between a measurement and its first report is charged.
    SampleAge,
    /// What `CLOCK_REALTIME` moved while a measurement was under way is charged.
    ClockMoved,
    /// A measurement that was there before the first report is not used while an interval is held.
    SeenToArrive,
    /// The time between the readings of two clocks is charged.
    ReadingGap,
    /// Half the root delay and the dispersion of a measurement are charged.
    RootDistance,
    /// Without measured rates any oscillator's tolerance is assumed.
    FrequencyTolerance,
    /// Measured rates hold within the drift rate only.
    DriftRate,
    /// Rates that were proved long ago are dropped.
    BandExpiry,
    /// Intervals that contradict each other are both covered.
    Hull,
    /// A suspend voids everything.
    SuspendVoid,
    /// Measurements that can have begun before an interruption of the clocks are not used.
    ExchangesEnded,
    /// Around a leap second both counts are covered.
    LeapCover,
    /// A record that is not renewed expires before a leap second.
    LeapVoid,
    /// Measurements around a leap second are not used.
    LeapSettling,
    /// chronyd's local mode is no reference.
    NoLocalReference,
    /// The error bound of the PTP hardware clock is charged.
    PhcBound,
    /// A repeated report of one measurement is not taken for a new one.
    NewMeasurement,
}
