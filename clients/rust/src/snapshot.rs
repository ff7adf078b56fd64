//! One record that was read from a segment, and what it says. Everything here is computed from the
//! record and from readings of the clocks.

use std::fmt;
use std::time::Duration;

use nix::time::ClockId;
use shm_layout::native::ClockReading;
use shm_layout::{Disruption, HostNotice, Leap, Reason, native, v1, v2, v3};

use crate::error::Error;
use crate::interval::{
    Interval, NativeRecord, Status, V2Record, V3Record, native_at, v2_at, v3_at,
};
use crate::surroundings::Surroundings;

/// The age from which a record is not of a daemon that is running, ns.
const LIVE_AGE_NS: i64 = 5_000_000_000;

/// The longest time between two publications if the record does not contain it, ns.
const LONGEST_PUBLICATION_INTERVAL_NS: i64 = 2_000_000_000;

/// The time by which a publication of a daemon that works can be late, ns.
const LATENESS_NS: i64 = 50_000_000;

/// How often the clocks are read to find a short time between two readings.
const CLOCK_ATTEMPTS: usize = 4;

/// The layout of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layout {
    /// The interval is on `CLOCK_MONOTONIC_RAW`. The file is `native`.
    Native,
    /// The layout of the 2.x libraries: a bound around `CLOCK_REALTIME`. The file is `shm0`.
    V2,
    /// The layout of the 1.x libraries: a bound around `CLOCK_REALTIME`. The file is `shm`.
    V1,
    /// The layout of the 3.x libraries: the interval is on the counter of the processor. The file
    /// is `shm1`.
    V3,
}

impl Layout {
    /// All layouts, in order of preference.
    pub(crate) const ALL: [Self; 4] = [Self::Native, Self::V2, Self::V1, Self::V3];

    /// Returns the name of its file in the daemon's directory.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::Native => native::FILE_NAME,
            Self::V2 => v2::FILE_NAME,
            Self::V1 => v1::FILE_NAME,
            Self::V3 => v3::FILE_NAME,
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::V2 => "v2",
            Self::V1 => "v1",
            Self::V3 => "v3",
        })
    }
}

/// The details of a record. Instants are those of this process's clocks, also in a time namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordDetails {
    /// The layout of the segment.
    pub layout: Layout,
    /// The instant of the record, ns: of `CLOCK_MONOTONIC_RAW` in the native layout, of
    /// `CLOCK_MONOTONIC_COARSE` in v1 and v2, and of UTC since 1970 in v3.
    pub as_of_ns: i64,
    /// The time from that instant to the present, ns. It is the time for which the interval has
    /// grown.
    pub age_ns: i64,
    /// The clock status at the present.
    pub status: Status,
    /// The reason of the status: [`Reason::Untold`] from the other layouts than the native one.
    pub reason: Reason,
    /// The announcement of a leap second. Native layout only.
    pub leap: Option<Leap>,
    /// The reference id of chronyd's selected source, 0 if none is selected. Native layout only.
    pub source: Option<u32>,
    /// The instant of `CLOCK_MONOTONIC_RAW` before which the record gives no interval, ns. `None`
    /// if the record does not contain it: then that is the instant of the record. Native layout
    /// only, since the others give no interval except at the present.
    pub valid_since_ns: Option<i64>,
    /// The longest time between two records of a daemon that works. `None` if the record does not
    /// contain it.
    pub publication_interval: Option<Duration>,
    /// Whether the record holds only while the VMClock page has its disruption marker. `false` from
    /// v1.
    pub disruption_supported: bool,
    /// The disruption marker of the record, if that is supported.
    pub disruption_marker: Option<u64>,
    /// Whether the host of the virtual machine expects a disruption within about a day. Native
    /// layout only.
    pub disruption_soon: bool,
    /// Whether the host of the virtual machine expects a disruption within about an hour. Native
    /// layout only.
    pub disruption_imminent: bool,
    /// TAI - UTC, s, if the host of the virtual machine reports it. Native layout only.
    pub tai_offset_s: Option<i16>,
    /// Whether a program wrote the record for a test: the interval is not that of the clock.
    pub is_simulated: bool,
}

/// A record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Record {
    Native(NativeRecord),
    /// A record of v1 is one of v2 without a disruption marker.
    Bound(V2Record),
    V3(V3Record),
}

/// A record, with what is needed to use it in this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot {
    pub(crate) layout: Layout,
    pub(crate) record: Record,
    /// The offset of the monotonic clocks of the segment's writer from those of this process, ns.
    pub(crate) ahead_ns: i64,
}

/// What determines which segment of a directory is preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    rank: Rank,
    marker: Marker,
}

/// Whether the disruption marker of a record is that of the VMClock page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    /// The record holds whatever the page contains.
    None,
    Holds,
    /// The markers differ, or there is no page.
    Fails,
}

/// The order in which the segments of a directory are preferred. The greatest is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    is_live: bool,
    is_trusted: bool,
}

impl Standing {
    /// Returns whether the record has a disruption marker that is not that of the VMClock page.
    pub(crate) fn is_disrupted(self) -> bool {
        self.marker == Marker::Fails
    }

    /// Returns the standing of the same segment if it is not live.
    pub(crate) fn not_live(self) -> Self {
        let rank = Rank {
            is_live: false,
            ..self.rank
        };
        Self { rank, ..self }
    }

    /// Returns the rank. If `is_disrupted` applies to any segment of the directory, a record that
    /// has no marker may be of the time before the disruption, too, and counts as not trusted.
    pub(crate) fn rank(self, is_any_disrupted: bool) -> Rank {
        let is_doubtful = is_any_disrupted && self.marker == Marker::None;
        Rank {
            is_trusted: self.rank.is_trusted && !is_doubtful,
            ..self.rank
        }
    }
}

impl Snapshot {
    /// Returns the interval at the present.
    ///
    /// # Errors
    /// [`Error::Causality`], [`Error::VmClock`] and the errors of the clock.
    pub(crate) fn now(&self, surroundings: &impl Surroundings) -> Result<Interval, Error> {
        let now = self.now_as_published(surroundings)?;
        self.unless_disrupted(now, surroundings)
    }

    /// Returns the interval at the present, if the clock was not disrupted since the record.
    ///
    /// # Errors
    /// [`Error::Causality`] and the errors of the clock.
    fn now_as_published(&self, surroundings: &impl Surroundings) -> Result<Interval, Error> {
        match &self.record {
            Record::Native(record) => native_at(record, self.at_ns(surroundings)?),
            // CLOCK_REALTIME is read first. The time between the two readings then widens the
            // interval.
            Record::Bound(record) => {
                let realtime_ns = surroundings.clock_ns(ClockId::CLOCK_REALTIME)?;
                v2_at(record, realtime_ns, self.at_ns(surroundings)?)
            }
            Record::V3(record) => v3_at(record, surroundings.counter()?),
        }
    }

    /// Returns `interval`, with the status of a disruption if the VMClock page has another marker
    /// than the record. The clocks must have been read before: if the markers are equal, they were
    /// read before any disruption.
    ///
    /// # Errors
    /// [`Error::VmClock`].
    fn unless_disrupted(
        &self,
        interval: Interval,
        surroundings: &impl Surroundings,
    ) -> Result<Interval, Error> {
        Ok(if self.is_disrupted(surroundings)? {
            interval.disrupted()
        } else {
            interval
        })
    }

    /// Returns whether the VMClock page has another disruption marker than the record.
    ///
    /// # Errors
    /// [`Error::VmClock`] if the record requires the page, and there is none.
    pub(crate) fn is_disrupted(&self, surroundings: &impl Surroundings) -> Result<bool, Error> {
        let Disruption { marker, supported } = self.disruption();
        Ok(supported && surroundings.disruption_marker()? != marker)
    }

    /// Returns the interval at the instant `raw_ns` of `CLOCK_MONOTONIC_RAW` in this process.
    ///
    /// # Errors
    /// [`Error::NotNative`], [`Error::TooLongAgo`] and [`Error::VmClock`].
    pub(crate) fn interval_at(
        &self,
        raw_ns: i64,
        surroundings: &impl Surroundings,
    ) -> Result<Interval, Error> {
        let record = self.native()?;
        let raw_ns = raw_ns.saturating_add(self.ahead_ns);
        let first_ns = record.first_instant_ns();
        if raw_ns < first_ns {
            let before_ns = first_ns.saturating_sub(raw_ns);
            return Err(Error::TooLongAgo { before_ns });
        }
        self.unless_disrupted(Interval::aged(record, raw_ns), surroundings)
    }

    /// Returns the interval at the instant at which `CLOCK_REALTIME` read `stamp_ns`, with the
    /// status at the present.
    ///
    /// # Errors
    /// [`Error::NotNative`], [`Error::Stamp`], [`Error::Causality`], [`Error::VmClock`] and the
    /// errors of the clock.
    pub(crate) fn interval_at_realtime(
        &self,
        stamp_ns: i64,
        surroundings: &impl Surroundings,
    ) -> Result<Interval, Error> {
        let record = self.native()?;
        let now = self.clock_reading(surroundings)?;
        let present = native_at(record, now.after_raw_ns)?;
        let (first_ns, last_ns) = record.instants_of_stamp(stamp_ns, &now)?;
        let first = Interval::aged(record, first_ns);
        let last = Interval::aged(record, last_ns);
        let then = present.with_ends(first.earliest_ns(), last.latest_ns());
        self.unless_disrupted(then, surroundings)
    }

    /// Returns the details at the present.
    ///
    /// # Errors
    /// The errors of [`now`](Self::now).
    pub(crate) fn details(&self, surroundings: &impl Surroundings) -> Result<RecordDetails, Error> {
        let now = self.now(surroundings)?;
        let own_ns = |ns: i64| ns.saturating_sub(self.ahead_ns);
        let native = self.native().ok();
        let recorded = native.filter(|record| record.valid_since_ns != 0);
        let published = native.filter(|record| record.publication_interval_us != 0);
        let disruption = self.disruption();
        let host = native.map_or_else(HostNotice::default, |record| record.host);
        Ok(RecordDetails {
            layout: self.layout,
            as_of_ns: own_ns(self.as_of_ns()),
            age_ns: self.age_ns(surroundings)?,
            status: now.status(),
            reason: now.reason(),
            leap: native.map(|record| record.leap),
            source: native.map(|record| record.source),
            valid_since_ns: recorded.map(|record| own_ns(record.valid_since_ns)),
            publication_interval: published
                .map(|record| Duration::from_micros(record.publication_interval_us.into())),
            disruption_supported: disruption.supported,
            disruption_marker: disruption.supported.then_some(disruption.marker),
            disruption_soon: host.soon,
            disruption_imminent: host.imminent,
            tai_offset_s: host.tai_offset_s,
            is_simulated: self.is_simulated(),
        })
    }

    /// Returns what determines whether this segment is preferred.
    ///
    /// # Errors
    /// [`Error::Causality`] and the errors of the clock: the segment has no interval.
    pub(crate) fn standing(&self, surroundings: &impl Surroundings) -> Result<Standing, Error> {
        let now = self.now_as_published(surroundings)?;
        let marker = match self.is_disrupted(surroundings) {
            _ if !self.disruption().supported => Marker::None,
            Ok(false) => Marker::Holds,
            _ => Marker::Fails,
        };
        let rank = Rank {
            is_live: self.has_age()
                && self.age_ns(surroundings)? < LIVE_AGE_NS
                && now.reason() != Reason::Retired,
            is_trusted: now.status().is_trusted() && marker != Marker::Fails,
        };
        Ok(Standing { rank, marker })
    }

    /// Returns the age of the record from which another file may be at the path, ns. A daemon that
    /// works has published by then.
    pub(crate) fn late_age_ns(&self) -> i64 {
        let interval_ns = match &self.record {
            // Another file is likely to be there already.
            Record::Native(record) if record.reason == Reason::Retired => return i64::MIN,
            Record::Native(record) if record.publication_interval_us != 0 => {
                i64::from(record.publication_interval_us) * 1_000
            }
            _ => LONGEST_PUBLICATION_INTERVAL_NS,
        };
        2 * interval_ns + LATENESS_NS
    }

    /// Returns whether the age of the record is known. Without a period of the counter, as in a v3
    /// record that claims nothing, it would be 0 forever.
    fn has_age(&self) -> bool {
        !matches!(&self.record, Record::V3(record) if record.period.frac == 0)
    }

    /// Returns the age of the record, ns; negative if the record is ahead of the clock.
    ///
    /// # Errors
    /// The errors of the clock.
    pub(crate) fn age_ns(&self, surroundings: &impl Surroundings) -> Result<i64, Error> {
        Ok(self.at_ns(surroundings)?.saturating_sub(self.as_of_ns()))
    }

    /// Returns the instant of the present on the clock of the record's instants, ns.
    fn at_ns(&self, surroundings: &impl Surroundings) -> Result<i64, Error> {
        let clock = match &self.record {
            Record::Native(_) => ClockId::CLOCK_MONOTONIC_RAW,
            Record::Bound(_) => ClockId::CLOCK_MONOTONIC_COARSE,
            Record::V3(record) => {
                let age_ns = record.age_ns(surroundings.counter()?);
                return Ok(record.as_of_ns.saturating_add(age_ns));
            }
        };
        let own_ns = surroundings.clock_ns(clock)?;
        Ok(own_ns.saturating_add(self.ahead_ns))
    }

    /// Returns the instant of the record, on the clock of the writer, ns.
    pub(crate) fn as_of_ns(&self) -> i64 {
        match &self.record {
            Record::Native(record) => record.as_of_ns,
            Record::Bound(record) => record.bound.as_of_ns,
            Record::V3(record) => record.as_of_ns,
        }
    }

    fn is_simulated(&self) -> bool {
        match &self.record {
            Record::Native(record) => record.is_simulated,
            Record::Bound(record) => record.bound.is_simulated,
            Record::V3(record) => record.is_simulated,
        }
    }

    fn disruption(&self) -> Disruption {
        match &self.record {
            Record::Native(record) => record.disruption,
            Record::Bound(record) => record.disruption,
            Record::V3(record) => record.disruption,
        }
    }

    fn native(&self) -> Result<&NativeRecord, Error> {
        match &self.record {
            Record::Native(record) => Ok(record),
            Record::Bound(_) | Record::V3(_) => Err(Error::NotNative),
        }
    }

    /// Reads `CLOCK_REALTIME` between two readings of `CLOCK_MONOTONIC_RAW`, several times, and
    /// returns the readings that took the least time.
    fn clock_reading(&self, surroundings: &impl Surroundings) -> Result<ClockReading, Error> {
        let read = || -> Result<ClockReading, Error> {
            Ok(ClockReading {
                before_raw_ns: self.at_ns(surroundings)?,
                realtime_ns: surroundings.clock_ns(ClockId::CLOCK_REALTIME)?,
                after_raw_ns: self.at_ns(surroundings)?,
            })
        };
        let span_ns = |it: &ClockReading| it.after_raw_ns.saturating_sub(it.before_raw_ns);
        let mut best = read()?;
        for _ in 1..CLOCK_ATTEMPTS {
            let other = read()?;
            if span_ns(&other) < span_ns(&best) {
                best = other;
            }
        }
        Ok(best)
    }
}
