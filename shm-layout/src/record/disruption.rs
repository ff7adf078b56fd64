//! What a record says about the host of a virtual machine: whether and how it reports disruptions
//! of the clock, and what it announces.

/// The disruption marker of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disruption {
    /// The disruption marker of the [VMClock page](crate::vmclock) under which the record holds; 0
    /// without support.
    pub marker: u64,
    /// Whether readers have to compare the marker with that of the page, after they have read the
    /// clock. If the markers differ, the clock was disrupted since, and the record claims nothing.
    pub supported: bool,
}

/// What the host announces through the [VMClock page](crate::vmclock). By default, nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostNotice {
    /// The host expects a disruption within about a day.
    pub soon: bool,
    /// The host expects a disruption within about an hour.
    pub imminent: bool,
    /// The page's leap indicator: 0 none; a second will be 1 inserted, 2 deleted; 3 it is being
    /// inserted; it was 4 inserted, 5 deleted.
    pub leap: u8,
    /// TAI - UTC, s, if the host knows it.
    pub tai_offset_s: Option<i16>,
}
