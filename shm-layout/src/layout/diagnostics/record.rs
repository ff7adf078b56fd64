//! The diagnostics record: its fields.

use crate::layout::native::status_at;
use crate::record::{ClockStatus, Disruption, HostNotice, Leap, NO_CLAIM_BOUND_NS, Reason};

/// The number of sources that a record has room for.
pub const MAX_SOURCES: usize = 32;

/// The names of the terms of the error budget, in the order of
/// [`DiagnosticsRecord::budget_ns`].
pub const BUDGET_TERMS: [&str; 11] = [
    "root_distance",
    "wire_rounding",
    "sample_age",
    "clock_moved",
    "clock_reading_gap",
    "phc",
    "growth",
    "excluded",
    "resumed",
    "contradiction",
    "leap_second",
];

/// The names of the actors, in the order of [`DiagnosticsRecord::restarts`].
pub const ACTORS: [&str; 8] = [
    "chrony_poller",
    "phc_reader",
    "clock_watch",
    "vmclock_watch",
    "generation_watch",
    "clock_state",
    "source_reset",
    "shm_publisher",
];

/// The names of the segments, in the order of [`DiagnosticsRecord::publications`].
pub const SEGMENTS: [&str; 4] = ["native", "v2", "v1", "v3"];

/// The diagnostics record. Instants are `CLOCK_MONOTONIC_RAW` in ns, UTC and `CLOCK_REALTIME` are
/// ns since 1970. Counters count from the start of the daemon's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiagnosticsRecord {
    /// The instant of the record: that of the interval below.
    pub as_of_ns: i64,
    /// `CLOCK_REALTIME` at `as_of_ns`.
    pub realtime_ns: i64,
    /// When the daemon's process started.
    pub started_ns: i64,
    /// The daemon's process id in its own namespace.
    pub pid: u32,
    /// The daemon's version: major, minor, patch.
    pub version: [u16; 3],
    /// The published status.
    pub status: ClockStatus,
    /// The published reason.
    pub reason: Reason,
    /// Since when the status is so.
    pub status_since_ns: i64,
    /// Since when the reason is so.
    pub reason_since_ns: i64,
    /// Why the last reports are unusable, also while the status is still synchronized;
    /// [`Reason::Tracking`] if they are usable.
    pub failure: Reason,
    /// Since when they are, or are not.
    pub failure_since_ns: i64,
    /// The leap second announcement of chronyd.
    pub leap: Leap,
    /// The earliest possible true time at `as_of_ns`.
    pub earliest_ns: i64,
    /// The latest possible true time at `as_of_ns`.
    pub latest_ns: i64,
    /// The largest error that `CLOCK_REALTIME` has at `as_of_ns`, ns.
    pub realtime_error_ns: i64,
    /// The error budget by [`BUDGET_TERMS`], ns: what each adds to half the width. The sum is half
    /// the width, rounded up. All are 0 while the status is not trusted.
    pub budget_ns: [i64; BUDGET_TERMS.len()],
    /// When chronyd was last known to follow a source; 0 for never.
    pub validated_ns: i64,
    /// From when on a synchronized status reads as free running, unless the record is renewed.
    pub free_running_after_ns: i64,
    /// From when on nothing is claimed any more unless reports arrive.
    pub void_after_ns: i64,
    /// The least frequency offset of UTC relative to `CLOCK_MONOTONIC_RAW`, parts per trillion.
    pub slowest_ppt: i64,
    /// The greatest one.
    pub fastest_ppt: i64,
    /// What the daemon was told on its command line.
    pub settings: Settings,
    /// chronyd's reference id; 0 for none.
    pub reference_id: u32,
    /// chronyd's stratum; 0 if it is not known.
    pub stratum: u16,
    /// chronyd's root delay, ns; 0 if it is not known.
    pub root_delay_ns: i64,
    /// chronyd's root dispersion, ns.
    pub root_dispersion_ns: i64,
    /// The correction that chronyd still has to make, ns.
    pub correction_ns: i64,
    /// chronyd's skew: the error bound of its frequency, parts per billion.
    pub skew_ppb: u32,
    /// chronyd's frequency offset that it corrects, parts per billion.
    pub frequency_ppb: i32,
    /// The version of chronyd's command protocol in its replies; 0 before the first. The protocol
    /// does not contain the version of chronyd.
    pub protocol: u8,
    /// The host's disruption marker.
    pub disruption: Disruption,
    /// What the host announces.
    pub host: HostNotice,
    /// A drill is in progress: the status is not that of the clock.
    pub is_drill: bool,
    /// A program wrote the record for a test: the interval is not that of the clock.
    pub is_simulated: bool,
    /// The counters.
    pub counters: Counters,
    /// How often each of [`ACTORS`] was restarted after a crash.
    pub restarts: [u32; ACTORS.len()],
    /// How often each of [`SEGMENTS`] was written; 0 if it is not published.
    pub publications: [u64; SEGMENTS.len()],
    /// The number of chronyd's sources, which may be greater than that of `sources`.
    pub source_count: u32,
    /// The sources, at most [`MAX_SOURCES`].
    pub sources: Vec<Source>,
}

impl DiagnosticsRecord {
    /// A record that claims nothing, as of `now_ns`: all numbers that are not instants are 0.
    #[must_use]
    pub fn no_claim(now_ns: i64) -> Self {
        Self {
            as_of_ns: now_ns,
            realtime_ns: 0,
            started_ns: now_ns,
            pid: 0,
            version: [0; 3],
            status: ClockStatus::Unknown,
            reason: Reason::NeverSynchronized,
            status_since_ns: now_ns,
            reason_since_ns: now_ns,
            failure: Reason::NeverSynchronized,
            failure_since_ns: now_ns,
            leap: Leap::Unsynchronized,
            earliest_ns: -NO_CLAIM_BOUND_NS,
            latest_ns: NO_CLAIM_BOUND_NS,
            realtime_error_ns: 0,
            budget_ns: [0; BUDGET_TERMS.len()],
            validated_ns: 0,
            free_running_after_ns: now_ns,
            void_after_ns: now_ns,
            slowest_ppt: 0,
            fastest_ppt: 0,
            settings: Settings::default(),
            reference_id: 0,
            stratum: 0,
            root_delay_ns: 0,
            root_dispersion_ns: 0,
            correction_ns: 0,
            skew_ppb: 0,
            frequency_ppb: 0,
            protocol: 0,
            disruption: Disruption::default(),
            host: HostNotice::default(),
            is_drill: false,
            is_simulated: false,
            counters: Counters::default(),
            restarts: [0; ACTORS.len()],
            publications: [0; SEGMENTS.len()],
            source_count: 0,
            sources: Vec::new(),
        }
    }

    /// As [`no_claim`](Self::no_claim), for a segment that is not written any more.
    #[must_use]
    pub fn retired(now_ns: i64) -> Self {
        Self {
            reason: Reason::Retired,
            failure: Reason::Retired,
            ..Self::no_claim(now_ns)
        }
    }

    /// The status at the instant `raw_ns` of `CLOCK_MONOTONIC_RAW`, with its reason, as in
    /// [`NativeRecord::status_at`](crate::native::NativeRecord::status_at): a record that the
    /// daemon does not renew reads as free running, and then as unknown.
    #[must_use]
    pub fn status_at(&self, raw_ns: i64) -> (ClockStatus, Reason) {
        status_at(
            (self.status, self.reason),
            self.free_running_after_ns,
            self.void_after_ns,
            raw_ns,
        )
    }

    /// The record with every instant of `CLOCK_MONOTONIC_RAW` earlier by `ns`, as another time
    /// namespace shows them. The 0 that stands for none remains.
    #[must_use]
    pub fn moved_back(mut self, ns: i64) -> Self {
        let Self {
            as_of_ns,
            started_ns,
            status_since_ns,
            reason_since_ns,
            failure_since_ns,
            validated_ns,
            free_running_after_ns,
            void_after_ns,
            sources,
            ..
        } = &mut self;
        for instant_ns in [
            as_of_ns,
            started_ns,
            status_since_ns,
            reason_since_ns,
            failure_since_ns,
            free_running_after_ns,
            void_after_ns,
        ] {
            *instant_ns = instant_ns.saturating_sub(ns);
        }
        let measured = sources.iter_mut().map(|source| &mut source.measured_ns);
        for instant_ns in measured.chain([validated_ns]) {
            if *instant_ns != 0 {
                *instant_ns = instant_ns.saturating_sub(ns);
            }
        }
        self
    }
}

/// What the daemon was told on its command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `--max-drift-rate`, parts per billion.
    pub max_drift_ppb: u32,
    /// `--max-wander`, parts per billion per second; 0 if it is not given.
    pub max_wander_ppb_per_s: u32,
    /// `--falsetickers`.
    pub falsetickers: u8,
    /// `--allow-local-reference`.
    pub allow_local_reference: bool,
    /// The reference id of the PTP hardware clock; 0 without one.
    pub phc_reference_id: u32,
    /// `--poll-interval`, us.
    pub poll_interval_us: u32,
    /// `--chrony-grace`, ns.
    pub grace_ns: i64,
    /// `--holdover`, ns.
    pub holdover_ns: i64,
    /// `--max-bound`, ns; 0 if it is not given.
    pub max_bound_ns: i64,
}

/// What happened since the daemon's process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Polls of chronyd that gave a report.
    pub reports: u64,
    /// Polls of chronyd that gave a report which was refused: malformed or implausible.
    pub reports_refused: u64,
    /// Polls of chronyd without a reply.
    pub polls_unanswered: u64,
    /// Polls that this user was not permitted to make.
    pub polls_not_permitted: u64,
    /// Measurements that were used.
    pub measurements: u64,
    /// Measurements that are disjoint from the held interval.
    pub contradictions: u64,
    /// How often most sources began to disagree with the selected one.
    pub disagreements: u64,
    /// How often measured rates contradicted `--max-drift-rate`.
    pub drift_exceeded: u64,
    /// How often measured rates contradicted `--max-wander`.
    pub wander_exceeded: u64,
    /// How often `CLOCK_REALTIME` was set.
    pub clock_steps: u64,
    /// How often another program was found to slew it.
    pub clock_slews: u64,
    /// Disruptions of the clocks.
    pub disruptions: u64,
    /// How often the machine was suspended.
    pub suspends: u64,
    /// How often chronyd acknowledged a reset of its sources.
    pub source_resets: u64,
    /// How often chronyd was restarted.
    pub chronyd_restarts: u64,
    /// Changes of the published status.
    pub status_changes: u64,
    /// Files of segments that were deleted and created again.
    pub files_recreated: u64,
}

/// The address of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceAddress {
    /// It is not resolved.
    #[default]
    Unresolved,
    /// IPv4.
    V4([u8; 4]),
    /// IPv6.
    V6([u8; 16]),
    /// A reference clock of this host, with its reference id.
    ReferenceClock(u32),
}

/// The state of a source in chronyd's selection (`candm.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum SourceState {
    /// The selected source.
    Selected = 0,
    /// Not selectable, for example because it is unreachable.
    #[default]
    Nonselectable = 1,
    /// A falseticker.
    Falseticker = 2,
    /// Its measurements vary too much.
    Jittery = 3,
    /// Selectable, but not selected and not combined.
    Unselected = 4,
    /// Combined with the selected source.
    Selectable = 5,
}

/// A source of chronyd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The address.
    pub address: SourceAddress,
    /// The state in chronyd's selection.
    pub state: SourceState,
    /// Whether it is a peer.
    pub is_peer: bool,
    /// The published interval is from its measurements.
    pub is_followed: bool,
    /// Its interval is disjoint from the published one.
    pub is_disjoint: bool,
    /// The base 2 logarithm of the polling interval in seconds.
    pub poll: i8,
    /// The number of hops to a reference clock.
    pub stratum: u8,
    /// The reachability register, the latest poll in the lowest bit.
    pub reachability: u8,
    /// The instant of the last measurement, `CLOCK_MONOTONIC_RAW`, to within a second; 0 without
    /// one.
    pub measured_ns: i64,
    /// The last measured offset, positive when the clock is ahead, ns.
    pub offset_ns: i64,
    /// chronyd's error bound of it, ns.
    pub offset_error_ns: i64,
    /// Where true time is at [`DiagnosticsRecord::as_of_ns`] by its measurements alone: earliest
    /// and latest, UTC. `None` without one.
    pub own_ns: Option<(i64, i64)>,
    /// Measurements of it that were used since it was added.
    pub measurements: u64,
}
