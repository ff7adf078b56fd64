//! An opened segment, and the place in which all threads of a process read one after another.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use nix::time::ClockId;
use shm_layout::Disruption;
use shm_layout::clock::{try_clock_ns, try_clock_since_ns};
use shm_layout::counter;
use shm_layout::layout::IntervalLayout as _;
use shm_layout::layout::header::HeaderError;
use shm_layout::memory::map::MapPair;
use shm_layout::memory::slot::index_of;
use shm_layout::native::{INTERVAL_WORDS, Native, UsualCase};
use shm_layout::reader::{
    Kept, NativeReader, ReadError, Reader, V1Reader, V2Reader, V3Reader, open_file,
};
use shm_layout::v1::V1;
use shm_layout::v2::{V2, V2Record};
use shm_layout::v3::V3;

use crate::error::Error;
use crate::interval::{Interval, around, native, v3};
use crate::snapshot::{Layout, Record, Snapshot};
use crate::surroundings::Surroundings;
use crate::vmclock::VmClock;

/// The identity of a file, independent of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
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

/// Whether an unfinished write is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// When a program opens a segment.
    Briefly,
    /// While it has another segment.
    No,
}

/// A segment that was opened, and that one thread reads.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) file: FileId,
    reader: AnyReader,
    /// The offset of the monotonic clocks of the segment's writer from those of this process, ns.
    ahead_ns: i64,
}

#[derive(Debug)]
enum AnyReader {
    Native(NativeReader),
    V2(V2Reader),
    V1(V1Reader),
    V3(V3Reader),
}

impl Segment {
    /// Opens the segment of any layout at `path`, for a process in `surroundings`. With
    /// `refuse_simulated`, a record that a program simulates is an error when it is read.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::EarlierBoot`] and [`Error::TimeNamespace`].
    pub(crate) fn open(
        path: &Path,
        wait: Wait,
        refuse_simulated: bool,
        surroundings: &impl Surroundings,
    ) -> Result<Self, Error> {
        let opened = open_file(path).map_err(ReadError::Io);
        let opened = opened.and_then(|file| {
            Ok((
                open_reader(&file, wait, refuse_simulated)?,
                file.metadata()?,
            ))
        });
        let (reader, metadata) = opened.map_err(|source| {
            let path = path.to_owned();
            Error::Open { path, source }
        })?;
        let ahead_ns = match &reader {
            AnyReader::Native(reader) => {
                let (own, segments) = (surroundings.identity()?, reader.identity());
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
            AnyReader::V1(_) | AnyReader::V2(_) => surroundings
                .identity()
                .map_or(0, |own| own.namespace_offset_ns.saturating_neg()),
            // A time namespace has no effect on the counter.
            AnyReader::V3(_) => 0,
        };
        Ok(Self {
            file: FileId::of(&metadata),
            reader,
            ahead_ns,
        })
    }

    /// Returns the record that was written last.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Simulated`].
    pub(crate) fn snapshot(&self, wait: Wait) -> Result<Snapshot, Error> {
        fn read<L: shm_layout::layout::Layout>(
            reader: &Reader<L>,
            wait: Wait,
        ) -> Result<L::Record, Error> {
            match wait {
                Wait::Briefly => reader.snapshot(),
                Wait::No => reader.snapshot_at_once(),
            }
            .map_err(Error::from_read)
        }
        let (layout, record) = match &self.reader {
            AnyReader::Native(reader) => (Layout::Native, Record::Native(read(reader, wait)?)),
            AnyReader::V2(reader) => (Layout::V2, Record::Bound(read(reader, wait)?)),
            AnyReader::V1(reader) => (Layout::V1, Record::Bound(read(reader, wait)?.into())),
            AnyReader::V3(reader) => (Layout::V3, Record::V3(read(reader, wait)?)),
        };
        Ok(Snapshot {
            layout,
            record,
            ahead_ns: self.ahead_ns,
        })
    }
}

/// Opens the reader of the layout that the header declares. The magic number distinguishes the
/// native layout from the others, and the version number distinguishes these.
fn open_reader(file: &File, wait: Wait, refuse_simulated: bool) -> Result<AnyReader, ReadError> {
    fn open<L: shm_layout::layout::Layout>(
        file: &File,
        wait: Wait,
        refuse_simulated: bool,
    ) -> Result<Reader<L>, ReadError> {
        let reader = Reader::from_file_at_once(file)?.refusing_simulated(refuse_simulated);
        if wait == Wait::Briefly {
            reader.wait_for_unfinished_write();
        }
        Ok(reader)
    }
    match open(file, wait, refuse_simulated) {
        Err(ReadError::Header(HeaderError::Magic(_))) => {}
        native => return native.map(AnyReader::Native),
    }
    match open(file, wait, refuse_simulated) {
        Err(ReadError::Header(HeaderError::Version { .. })) => {}
        v2 => return v2.map(AnyReader::V2),
    }
    match open(file, wait, refuse_simulated) {
        Err(ReadError::Header(HeaderError::Version { .. })) => {
            open(file, wait, refuse_simulated).map(AnyReader::V3)
        }
        v1 => v1.map(AnyReader::V1),
    }
}

/// Two places for segments, which replace each other: see [`shm_layout::memory::slot`]. The methods
/// take its number of the current place. What they return is undefined, although safe to use, if
/// another segment was put there meanwhile.
#[derive(Debug)]
pub(crate) struct Places {
    maps: MapPair,
    of_maps: [Place; 2],
}

/// What belongs to a map. Its size is a power of two, so that its address is computed fast.
#[derive(Debug)]
#[repr(align(1024))]
struct Place {
    native: Kept<Native>,
    v2: Kept<V2>,
    v1: Kept<V1>,
    v3: Kept<V3>,
    /// The number of the segment's layout.
    layout: AtomicU8,
    /// As in [`Segment`].
    ahead_ns: AtomicI64,
    /// The age of the record from which the path is checked, ns.
    late_age_ns: AtomicI64,
}

/// An interval at the present, and whether the path is to be checked.
pub(crate) struct Reading {
    pub(crate) interval: Interval,
    /// The present, on the clock of the layout, ns.
    pub(crate) at_ns: i64,
    /// Whether a daemon that works has published since.
    pub(crate) is_late: bool,
}

const NATIVE: u8 = 0;
const V2_LAYOUT: u8 = 1;
const V1_LAYOUT: u8 = 2;
const V3_LAYOUT: u8 = 3;

impl Reading {
    /// Returns the reading as it is after a disruption of the clock, unless the VMClock page has
    /// the marker of `disruption` or that is not supported. The clocks must have been read before.
    #[inline(always)]
    fn unless_disrupted(self, disruption: Disruption, vmclock: &VmClock) -> Option<Self> {
        if !disruption.supported || vmclock.marker()? == disruption.marker {
            return Some(self);
        }
        let interval = self.interval.disrupted();
        Some(Self { interval, ..self })
    }
}

const _: () = assert!(size_of::<Place>() == 1024);

impl Place {
    fn new(refuse_simulated: bool) -> Self {
        Self {
            native: Kept::refusing_simulated(refuse_simulated),
            v2: Kept::refusing_simulated(refuse_simulated),
            v1: Kept::refusing_simulated(refuse_simulated),
            v3: Kept::refusing_simulated(refuse_simulated),
            layout: AtomicU8::new(NATIVE),
            ahead_ns: AtomicI64::new(0),
            late_age_ns: AtomicI64::new(i64::MAX),
        }
    }
}

impl Places {
    /// Returns places without segments. With `refuse_simulated`, a record that a program simulates
    /// is an error when it is read.
    ///
    /// # Errors
    /// Those of mmap(2).
    pub(crate) fn new(refuse_simulated: bool) -> io::Result<Self> {
        Ok(Self {
            maps: MapPair::new()?,
            of_maps: [refuse_simulated; 2].map(Place::new),
        })
    }

    /// Puts `segment` into the place `number`.
    ///
    /// # Errors
    /// Those of mremap(2).
    pub(crate) fn put(&self, segment: Segment, number: u64) -> io::Result<()> {
        let (maps, index) = (&self.maps, index_of(number));
        let place = &self.of_maps[index];
        let layout = match segment.reader {
            AnyReader::Native(reader) => {
                reader.move_to(maps, index, &place.native, number)?;
                NATIVE
            }
            AnyReader::V2(reader) => {
                reader.move_to(maps, index, &place.v2, number)?;
                V2_LAYOUT
            }
            AnyReader::V1(reader) => {
                reader.move_to(maps, index, &place.v1, number)?;
                V1_LAYOUT
            }
            AnyReader::V3(reader) => {
                reader.move_to(maps, index, &place.v3, number)?;
                V3_LAYOUT
            }
        };
        place.layout.store(layout, Ordering::Relaxed);
        place.ahead_ns.store(segment.ahead_ns, Ordering::Relaxed);
        Ok(())
    }

    /// Sets the age of the record from which the path is checked, ns.
    pub(crate) fn set_late_age_ns(&self, number: u64, age_ns: i64) {
        let late_age_ns = &self.of_maps[index_of(number)].late_age_ns;
        // A store would take the cache line from all other readers.
        if late_age_ns.load(Ordering::Relaxed) != age_ns {
            late_age_ns.store(age_ns, Ordering::Relaxed);
        }
    }

    /// Returns the interval at the present, or `None` after any error, and unless `is_still_here`
    /// returns true after everything was loaded. This is the fast path.
    // The clocks are read last: the processor executes nothing before an instruction that reads its
    // counter has completed, so that all other instructions take their time from there. Only the
    // VMClock page has to be read after them.
    #[inline(always)]
    pub(crate) fn try_now(
        &self,
        number: u64,
        vmclock: &VmClock,
        is_still_here: impl Fn() -> bool,
    ) -> Option<Reading> {
        let index = index_of(number);
        let (map, place) = (self.maps.get(index), &self.of_maps[index]);
        let ahead_ns = place.ahead_ns.load(Ordering::Relaxed);
        let late_age_ns = place.late_age_ns.load(Ordering::Relaxed);
        let V2Record { bound, disruption } = match place.layout.load(Ordering::Relaxed) {
            NATIVE => {
                // Of a record without a disruption marker, which is not compared with anything.
                if let Some(words) = place.native.glance_at_words(&map, number) {
                    if !is_still_here() {
                        return None;
                    }
                    return native_reading(&words, ahead_ns, late_age_ns);
                }
                let (words, marker) = place.native.glance_with_marker(&map, number)?;
                if !is_still_here() {
                    return None;
                }
                let reading = native_reading(&words, ahead_ns, late_age_ns)?;
                let disruption = marker.map_or_else(Disruption::default, |marker| Disruption {
                    marker,
                    supported: true,
                });
                return reading.unless_disrupted(disruption, vmclock);
            }
            V2_LAYOUT => place.v2.glance(&map, number)?,
            V3_LAYOUT => {
                let record = place.v3.glance(&map, number)?;
                if !is_still_here() {
                    return None;
                }
                let counter = counter::read()?;
                let age_ns = record.age_ns(counter);
                let reading = Reading {
                    interval: v3(&record, counter)?,
                    at_ns: record.as_of_ns.saturating_add(age_ns),
                    is_late: age_ns >= late_age_ns,
                };
                return reading.unless_disrupted(record.disruption, vmclock);
            }
            _ => place.v1.glance(&map, number)?.into(),
        };
        if !is_still_here() {
            return None;
        }
        // CLOCK_REALTIME is read first. The time between the two readings then widens the interval.
        let realtime_ns = try_clock_ns(ClockId::CLOCK_REALTIME)?;
        let at_ns = try_clock_ns(ClockId::CLOCK_MONOTONIC_COARSE)?.wrapping_add(ahead_ns);
        let reading = Reading {
            interval: around(&bound, realtime_ns, at_ns)?,
            at_ns,
            is_late: at_ns.wrapping_sub(bound.as_of_ns) >= late_age_ns,
        };
        reading.unless_disrupted(disruption, vmclock)
    }

    /// Returns the record that was written last.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Simulated`].
    pub(crate) fn snapshot(&self, number: u64) -> Result<Snapshot, Error> {
        let index = index_of(number);
        let (map, place) = (&self.maps.get(index), &self.of_maps[index]);
        let ahead_ns = place.ahead_ns.load(Ordering::Relaxed);
        let (layout, record) = match place.layout.load(Ordering::Relaxed) {
            NATIVE => {
                let record = place
                    .native
                    .snapshot(map, number)
                    .map_err(Error::from_read)?;
                (Layout::Native, Record::Native(record))
            }
            V2_LAYOUT => {
                let record = place.v2.snapshot(map, number).map_err(Error::from_read)?;
                (Layout::V2, Record::Bound(record))
            }
            V3_LAYOUT => {
                let record = place.v3.snapshot(map, number).map_err(Error::from_read)?;
                (Layout::V3, Record::V3(record))
            }
            _ => {
                let record = place.v1.snapshot(map, number).map_err(Error::from_read)?;
                (Layout::V1, Record::Bound(record.into()))
            }
        };
        Ok(Snapshot {
            layout,
            record,
            ahead_ns,
        })
    }
}

/// Returns the interval at the present of a native record, or `None` after any error.
#[inline(always)]
fn native_reading(
    words: &[u64; INTERVAL_WORDS],
    ahead_ns: i64,
    late_age_ns: i64,
) -> Option<Reading> {
    let usual = UsualCase::of(words);
    let since_ns = usual.as_of_ns.wrapping_sub(ahead_ns);
    let elapsed_ns = try_clock_since_ns(ClockId::CLOCK_MONOTONIC_RAW, since_ns)?;
    let at_ns = usual.as_of_ns.wrapping_add(elapsed_ns);
    if let Some(interval) = Interval::usual(&usual, elapsed_ns, late_age_ns) {
        return Some(Reading {
            interval,
            at_ns,
            is_late: false,
        });
    }
    Some(Reading {
        interval: native(&Native::recall(words), at_ns)?,
        at_ns,
        is_late: elapsed_ns >= late_age_ns,
    })
}
