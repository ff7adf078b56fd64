//! What keeps an interval true, one by one. The daemon has them all; tests take each away and see truth lost.

/// A remedy against intervals that do not contain true time; `docs/truth.md` tells the hazards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The dispersion that chronyd did not add, since it assumes less drift than the operator.
    DispersionShortfall,
    /// The growth is chronyd's own doubt about the frequency, where that is more than the operator's drift.
    ChronysOwnDoubt,
    /// The frequency tolerance of any oscillator, while chronyd has not found the frequency.
    FrequencyTolerance,
    /// Reports of measurements before a step of the clock are not believed.
    StepQuarantine,
    /// A clock that runs off without chronyd's knowledge is not followed.
    RunOff,
    /// A frequency that was measured while the clock was disturbed does not replace the one from before.
    SteadyFrequency,
    /// No report excludes where the last single measurement puts truth.
    SingleMeasurement,
    /// A suspend ends everything that is known.
    SuspendVoid,
    /// Around a leap second the interval covers both counts.
    LeapWidening,
    /// What was known before a leap second is void when it comes, in case that nobody is there to widen it.
    LeapVoid,
    /// A clock without a reference is not one.
    NoLocalReference,
    /// Where two reports contradict each other, both are covered.
    Union,
    /// The error bound of the PTP hardware clock is added.
    PhcBound,
    /// The time between the readings of two clocks is added.
    ReadingGap,
    /// What the clock was slewed by until chronyd answered is added: its correction is for then.
    LateAnswer,
}
