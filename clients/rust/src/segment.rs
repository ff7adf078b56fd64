//! One opened segment of any layout, and the interval that it contains at the present.

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
    /// The offset of the monotonic clocks of the segment's writer from those of this process, ns.
    ahead_ns: i64,
}

#[derive(Debug)]
enum Layout {
    Native(NativeReader),
    V2(V2Reader),
    V1(V1Reader),
}

/// The identity of a file, independent of its name.
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

/// An interval and the instant at which it holds.
pub(crate) struct Reading {
    pub(crate) interval: Interval,
    /// The instant, on the monotonic clock of the layout, ns.
    pub(crate) at_ns: i64,
    /// The age of the record at that instant, ns.
    pub(crate) age_ns: i64,
}

impl Segment {
    /// Opens the segment of any layout at `path`.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::EarlierBoot`] and [`Error::TimeNamespace`].
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with_identity(path, || Ok(Identity::own()?))
    }

    /// Like [`open`](Self::open), for a process of the boot and time namespace that `own` returns.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::EarlierBoot`] and the errors of `own`.
    pub(crate) fn open_with_identity(
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
            // These layouts do not contain the time namespace of the writer. The daemon runs in the
            // initial one.
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

    /// Returns the interval at the present, or `None` after any error. [`now`](Self::now) returns
    /// the error. This is the fast path.
    #[inline(always)]
    pub(crate) fn try_now(&self) -> Option<Reading> {
        let (record, realtime_ns) = match &self.layout {
            Layout::Native(reader) => {
                let record = reader.glance()?;
                let at_ns = try_clock_ns(ClockId::CLOCK_MONOTONIC_RAW)?.wrapping_add(self.ahead_ns);
                return Some(Reading {
                    interval: native(&record, at_ns)?,
                    at_ns,
                    age_ns: at_ns.wrapping_sub(record.as_of_ns),
                });
            }
            // CLOCK_REALTIME is read first. The time between the two readings then widens the
            // interval.
            Layout::V2(reader) => (
                without_disruptions(reader.glance()?)?,
                try_clock_ns(ClockId::CLOCK_REALTIME)?,
            ),
            Layout::V1(reader) => (reader.glance()?, try_clock_ns(ClockId::CLOCK_REALTIME)?),
        };
        let at_ns = try_clock_ns(ClockId::CLOCK_MONOTONIC_COARSE)?.wrapping_add(self.ahead_ns);
        Some(Reading {
            interval: around(&record, realtime_ns, at_ns)?,
            at_ns,
            age_ns: at_ns.wrapping_sub(record.as_of_ns),
        })
    }

    /// Returns the interval at the present.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Causality`] and [`Error::Clock`].
    pub(crate) fn now(&self) -> Result<Reading, Error> {
        self.now_with_clocks(clock_ns)
    }

    /// Like [`now`](Self::now), with `clock` in place of `clock_gettime`. It returns ns.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Causality`] and the errors of `clock`.
    pub(crate) fn now_with_clocks(
        &self,
        clock: impl Fn(ClockId) -> Result<i64, Error>,
    ) -> Result<Reading, Error> {
        let (record, realtime_ns) = match &self.layout {
            Layout::Native(reader) => {
                let record = reader.snapshot().map_err(Error::Read)?;
                let raw_ns = clock(ClockId::CLOCK_MONOTONIC_RAW)?;
                let at_ns = raw_ns.wrapping_add(self.ahead_ns);
                return Ok(Reading {
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
        Ok(Reading {
            interval: v2_interval_at(&record, realtime_ns, at_ns)?,
            at_ns,
            age_ns: at_ns.wrapping_sub(record.bound.as_of_ns),
        })
    }

    /// Returns the interval at the instant `raw_ns` of `CLOCK_MONOTONIC_RAW` in this process.
    ///
    /// # Errors
    /// [`Error::NotNative`], [`Error::Read`] and [`Error::TooLongAgo`].
    pub(crate) fn interval_at(&self, raw_ns: i64) -> Result<Interval, Error> {
        let Layout::Native(reader) = &self.layout else {
            return Err(Error::NotNative);
        };
        let record = reader.snapshot().map_err(Error::Read)?;
        let raw_ns = raw_ns.saturating_add(self.ahead_ns);
        let before_ns = record.as_of_ns.saturating_sub(raw_ns);
        // The record is valid for the same time before its instant as after it.
        if before_ns > record.void_after_ns.saturating_sub(record.as_of_ns) {
            return Err(Error::TooLongAgo { before_ns });
        }
        Ok(Interval::aged(&record, raw_ns))
    }
}

/// Returns the bound, unless the segment requires the VMClock device to be read as well.
#[inline]
fn without_disruptions(record: V2Record) -> Option<V1Record> {
    (!record.disruption_supported).then_some(record.bound)
}

/// Opens the reader of the layout that the header declares. The magic number distinguishes the
/// native layout from v1 and v2; the version number distinguishes v1 from v2.
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

/// Reads `clock`, ns.
///
/// # Errors
/// [`Error::Clock`] if `clock_gettime` fails.
pub(crate) fn clock_ns(clock: ClockId) -> Result<i64, Error> {
    let time = clock_gettime(clock).map_err(|errno| Error::Clock(errno.into()))?;
    Ok(ns_of(time))
}

/// Like [`clock_ns`], with `None` for an error.
#[inline]
fn try_clock_ns(clock: ClockId) -> Option<i64> {
    clock_gettime(clock).ok().map(ns_of)
}

#[inline]
fn ns_of(time: TimeSpec) -> i64 {
    // No clock reads a time after 2262.
    time.tv_sec()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec())
}
