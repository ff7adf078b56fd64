//! One record that was read from a segment, and what it says. Everything here is computed from the
//! record and from readings of the clocks.

use std::fmt;
use std::time::Duration;

use nix::time::ClockId;
use shm_layout::native::ClockReading;
use shm_layout::{Leap, Reason, native, v1, v2};

use crate::error::Error;
use crate::interval::{
    Interval, NativeRecord, Status, V2Record, native_interval_at, v2_interval_at,
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
}

impl Layout {
    /// All layouts, in order of preference.
    pub(crate) const ALL: [Self; 3] = [Self::Native, Self::V2, Self::V1];

    /// Returns the name of its file in the daemon's directory.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::Native => native::FILE_NAME,
            Self::V2 => v2::FILE_NAME,
            Self::V1 => v1::FILE_NAME,
        }
    }

    /// Returns the clock of the record's instants.
    pub(crate) fn clock(self) -> ClockId {
        match self {
            Self::Native => ClockId::CLOCK_MONOTONIC_RAW,
            Self::V2 | Self::V1 => ClockId::CLOCK_MONOTONIC_COARSE,
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::V2 => "v2",
            Self::V1 => "v1",
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
    /// `CLOCK_MONOTONIC_COARSE` in the others.
    pub as_of_ns: i64,
    /// The time from that instant to the present, ns. It is the time for which the interval has
    /// grown.
    pub age_ns: i64,
    /// The clock status at the present.
    pub status: Status,
    /// The reason of the status: [`Reason::Untold`] from v1 and v2.
    pub reason: Reason,
    /// The announcement of a leap second. `None` from v1 and v2.
    pub leap: Option<Leap>,
    /// The reference id of chronyd's selected source, 0 if none is selected. `None` from v1 and v2.
    pub source: Option<u32>,
    /// The instant of `CLOCK_MONOTONIC_RAW` before which the record gives no interval, ns. `None`
    /// if the record does not contain it: then that is the instant of the record. `None` from v1
    /// and v2, which give no interval except at the present.
    pub valid_since_ns: Option<i64>,
    /// The longest time between two records of a daemon that works. `None` if the record does not
    /// contain it.
    pub publication_interval: Option<Duration>,
}

/// A record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Record {
    Native(NativeRecord),
    /// A record of v1 is one of v2 without a disruption marker.
    Bound(V2Record),
}

/// A record, with what is needed to use it in this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot {
    pub(crate) layout: Layout,
    pub(crate) record: Record,
    /// The offset of the monotonic clocks of the segment's writer from those of this process, ns.
    pub(crate) ahead_ns: i64,
}

/// The order in which the segments of a directory are preferred. The greatest is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    is_live: bool,
    is_trusted: bool,
}

impl Rank {
    /// Returns the rank of the same segment if it is not live.
    pub(crate) fn not_live(self) -> Self {
        Self {
            is_live: false,
            ..self
        }
    }
}

impl Snapshot {
    /// Returns the interval at the present.
    ///
    /// # Errors
    /// [`Error::Causality`] and the errors of the clock.
    pub(crate) fn now(&self, surroundings: &impl Surroundings) -> Result<Interval, Error> {
        match &self.record {
            Record::Native(record) => native_interval_at(record, self.at_ns(surroundings)?),
            // CLOCK_REALTIME is read first. The time between the two readings then widens the
            // interval.
            Record::Bound(record) => {
                let realtime_ns = surroundings.clock_ns(ClockId::CLOCK_REALTIME)?;
                v2_interval_at(record, realtime_ns, self.at_ns(surroundings)?)
            }
        }
    }

    /// Returns the interval at the instant `raw_ns` of `CLOCK_MONOTONIC_RAW` in this process.
    ///
    /// # Errors
    /// [`Error::NotNative`] and [`Error::TooLongAgo`].
    pub(crate) fn interval_at(&self, raw_ns: i64) -> Result<Interval, Error> {
        let record = self.native()?;
        let raw_ns = raw_ns.saturating_add(self.ahead_ns);
        let first_ns = record.first_instant_ns();
        if raw_ns < first_ns {
            let before_ns = first_ns.saturating_sub(raw_ns);
            return Err(Error::TooLongAgo { before_ns });
        }
        Ok(Interval::aged(record, raw_ns))
    }

    /// Returns the interval at the instant at which `CLOCK_REALTIME` read `stamp_ns`, with the
    /// status at the present.
    ///
    /// # Errors
    /// [`Error::NotNative`], [`Error::Stamp`], [`Error::Causality`] and the errors of the clock.
    pub(crate) fn interval_at_realtime(
        &self,
        stamp_ns: i64,
        surroundings: &impl Surroundings,
    ) -> Result<Interval, Error> {
        let record = self.native()?;
        let now = self.clock_reading(surroundings)?;
        let present = native_interval_at(record, now.after_raw_ns)?;
        let (first_ns, last_ns) = record.instants_of_stamp(stamp_ns, &now)?;
        let first = Interval::aged(record, first_ns);
        let last = Interval::aged(record, last_ns);
        Ok(present.with_ends(first.earliest_ns(), last.latest_ns()))
    }

    /// Returns the details at the present.
    ///
    /// # Errors
    /// [`Error::Causality`] and the errors of the clock.
    pub(crate) fn details(&self, surroundings: &impl Surroundings) -> Result<RecordDetails, Error> {
        let now = self.now(surroundings)?;
        let own_ns = |ns: i64| ns.saturating_sub(self.ahead_ns);
        let native = self.native().ok();
        let recorded = native.filter(|record| record.valid_since_ns != 0);
        let published = native.filter(|record| record.publication_interval_us != 0);
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
        })
    }

    /// Returns the preference for this segment.
    ///
    /// # Errors
    /// The errors of [`now`](Self::now): the segment has no interval.
    pub(crate) fn rank(&self, surroundings: &impl Surroundings) -> Result<Rank, Error> {
        let now = self.now(surroundings)?;
        Ok(Rank {
            is_live: self.age_ns(surroundings)? < LIVE_AGE_NS && now.reason() != Reason::Retired,
            is_trusted: now.status().is_trusted(),
        })
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

    /// Returns the age of the record, ns; negative if the record is ahead of the clock.
    ///
    /// # Errors
    /// The errors of the clock.
    pub(crate) fn age_ns(&self, surroundings: &impl Surroundings) -> Result<i64, Error> {
        Ok(self.at_ns(surroundings)?.saturating_sub(self.as_of_ns()))
    }

    /// Returns the instant of the present on the clock of the writer, ns.
    fn at_ns(&self, surroundings: &impl Surroundings) -> Result<i64, Error> {
        let own_ns = surroundings.clock_ns(self.layout.clock())?;
        Ok(own_ns.saturating_add(self.ahead_ns))
    }

    /// Returns the instant of the record, on the clock of the writer, ns.
    pub(crate) fn as_of_ns(&self) -> i64 {
        match &self.record {
            Record::Native(record) => record.as_of_ns,
            Record::Bound(record) => record.bound.as_of_ns,
        }
    }

    fn native(&self) -> Result<&NativeRecord, Error> {
        match &self.record {
            Record::Native(record) => Ok(record),
            Record::Bound(_) => Err(Error::NotNative),
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
