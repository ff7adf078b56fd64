//! One opened segment of whichever layout, and the interval that it gives now.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use shm_layout::layout::header::HeaderError;
use shm_layout::reader::{NativeReader, ReadError, V1Reader, V2Reader, open_file};
use shm_layout::record::Identity;
use shm_layout::v1::V1Record;
use shm_layout::v2::V2Record;

use crate::error::Error;
use crate::interval::{Interval, around, native, native_interval_at, v2_interval_at};

/// A mapped segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) file: FileId,
    layout: Layout,
    /// How far the clocks of the segment's instants are ahead of this process's, ns.
    ahead_ns: i64,
}

#[derive(Debug)]
enum Layout {
    Native(NativeReader),
    V2(V2Reader),
    V1(V1Reader),
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&std::fs::metadata(path)?))
    }

    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// An interval, the instant on the layout's clock that it was made for, and how old the record was then, ns.
pub(crate) struct Aged {
    pub(crate) interval: Interval,
    pub(crate) at_ns: i64,
    pub(crate) age_ns: i64,
}

impl Segment {
    /// Opens the segment at `path`, of any layout.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        Self::open_as(path, || Ok(Identity::own()?))
    }

    /// As [`open`](Self::open), for a process of this boot and time namespace.
    pub(crate) fn open_as(
        path: &Path,
        own: impl Fn() -> Result<Identity, Error>,
    ) -> Result<Self, Error> {
        let opened = open_file(path).map_err(ReadError::Io);
        let opened = opened.and_then(|file| Ok((open_layout(&file)?, file.metadata()?)));
        let (layout, metadata) = opened.map_err(|source| {
            let path = path.to_owned();
            Error::Open { path, source }
        })?;
        let ahead_ns = match &layout {
            Layout::Native(reader) => {
                let (own, segments) = (own()?, reader.identity());
                if own.is_known() && own.boot_id != segments.boot_id {
                    let path = path.to_owned();
                    return Err(Error::EarlierBoot { path });
                }
                segments
                    .namespace_offset_ns
                    .saturating_sub(own.namespace_offset_ns)
            }
            // They do not say which time namespace their instants are of: the initial one, where daemons live.
            Layout::V1(_) | Layout::V2(_) => {
                own().map_or(0, |own| own.namespace_offset_ns.saturating_neg())
            }
        };
        let file = FileId::of(&metadata);
        Ok(Self {
            file,
            layout,
            ahead_ns,
        })
    }

    /// The interval now, if nothing is in the way: nearly always.
    #[inline(always)]
    pub(crate) fn glance(&self) -> Option<Aged> {
        let (record, realtime_ns) = match &self.layout {
            Layout::Native(reader) => {
                let record = reader.glance()?;
                let at_ns = read_ns(ClockId::CLOCK_MONOTONIC_RAW)?.wrapping_add(self.ahead_ns);
                return Some(Aged {
                    interval: native(&record, at_ns)?,
                    at_ns,
                    age_ns: at_ns.wrapping_sub(record.as_of_ns),
                });
            }
            // CLOCK_REALTIME is read first: time that passes between the two readings only widens the interval.
            Layout::V2(reader) => (
                without_disruptions(reader.glance()?)?,
                read_ns(ClockId::CLOCK_REALTIME)?,
            ),
            Layout::V1(reader) => (reader.glance()?, read_ns(ClockId::CLOCK_REALTIME)?),
        };
        let at_ns = read_ns(ClockId::CLOCK_MONOTONIC_COARSE)?.wrapping_add(self.ahead_ns);
        Some(Aged {
            interval: around(&record, realtime_ns, at_ns)?,
            at_ns,
            age_ns: at_ns.wrapping_sub(record.as_of_ns),
        })
    }

    /// The interval now.
    pub(crate) fn now(&self) -> Result<Aged, Error> {
        self.now_by(clock_ns)
    }

    /// The interval when this process's clocks show what `clock` tells, ns.
    pub(crate) fn now_by(
        &self,
        clock: impl Fn(ClockId) -> Result<i64, Error>,
    ) -> Result<Aged, Error> {
        let (record, realtime_ns) = match &self.layout {
            Layout::Native(reader) => {
                let record = reader.snapshot().map_err(Error::Read)?;
                let raw_ns = clock(ClockId::CLOCK_MONOTONIC_RAW)?;
                let at_ns = raw_ns.wrapping_add(self.ahead_ns);
                return Ok(Aged {
                    interval: native_interval_at(&record, at_ns)?,
                    at_ns,
                    age_ns: at_ns.wrapping_sub(record.as_of_ns),
                });
            }
            Layout::V2(reader) => (
                reader.snapshot().map_err(Error::Read)?,
                clock(ClockId::CLOCK_REALTIME)?,
            ),
            Layout::V1(reader) => (
                V2Record::from(reader.snapshot().map_err(Error::Read)?),
                clock(ClockId::CLOCK_REALTIME)?,
            ),
        };
        let at_ns = clock(ClockId::CLOCK_MONOTONIC_COARSE)?.wrapping_add(self.ahead_ns);
        Ok(Aged {
            interval: v2_interval_at(&record, realtime_ns, at_ns)?,
            at_ns,
            age_ns: at_ns.wrapping_sub(record.bound.as_of_ns),
        })
    }

    /// The interval at another instant, `CLOCK_MONOTONIC_RAW` of this process in ns.
    pub(crate) fn interval_at(&self, raw_ns: i64) -> Result<Interval, Error> {
        let Layout::Native(reader) = &self.layout else {
            return Err(Error::NotNative);
        };
        let record = reader.snapshot().map_err(Error::Read)?;
        let raw_ns = raw_ns.saturating_add(self.ahead_ns);
        let before_ns = record.as_of_ns.saturating_sub(raw_ns);
        // As long as the record lasts forwards, it lasts backwards.
        if before_ns > record.void_after_ns.saturating_sub(record.as_of_ns) {
            return Err(Error::TooLongAgo { before_ns });
        }
        Ok(Interval::aged(&record, raw_ns))
    }
}

/// The record, if it is all that has to be known.
#[inline]
fn without_disruptions(record: V2Record) -> Option<V1Record> {
    (!record.disruption_supported).then_some(record.bound)
}

/// The magic number tells native from the others, the version those from each other.
fn open_layout(file: &File) -> Result<Layout, ReadError> {
    match NativeReader::from_file(file) {
        Err(ReadError::Header(HeaderError::Magic(_))) => {}
        native => return native.map(Layout::Native),
    }
    match V2Reader::from_file(file) {
        Err(ReadError::Header(HeaderError::Version { .. })) => {
            V1Reader::from_file(file).map(Layout::V1)
        }
        v2 => v2.map(Layout::V2),
    }
}

pub(crate) fn clock_ns(clock: ClockId) -> Result<i64, Error> {
    let time = clock_gettime(clock).map_err(|errno| Error::Clock(errno.into()))?;
    Ok(ns_of(time))
}

/// As [`clock_ns`]; `None` when the kernel lacks that clock.
#[inline]
fn read_ns(clock: ClockId) -> Option<i64> {
    clock_gettime(clock).ok().map(ns_of)
}

#[inline]
fn ns_of(time: TimeSpec) -> i64 {
    // No clock shows a time beyond 2262.
    time.tv_sec()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec())
}
