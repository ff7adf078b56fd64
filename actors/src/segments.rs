//! The published segments, kept mapped above the actors for as long as the process lives.

use std::path::PathBuf;
use std::time::Duration;

use shm_layout::layout::Layout;
use shm_layout::writer::{NativeSegment, OpenError, Segment, V1Segment, V2Segment};

use crate::clocks::Readings;
use crate::estimate::Estimate;
use crate::fault::{Faults, Point};
use crate::projection::STALE_NS;
use crate::status::Reason;
use crate::supervision::ActorName;

/// Every segment that estimates are projected onto, each unless it is switched off.
pub struct Segments {
    /// For programs of the 1.x generation.
    pub v1: Option<V1Segment>,
    /// For programs of the 2.x generation.
    pub v2: Option<V2Segment>,
    /// For all others.
    pub native: Option<NativeSegment>,
    /// How long chronyd may be silent before the clock is free running.
    pub grace: Duration,
}

impl Segments {
    /// The estimate behind what was published last, by this or an earlier life; one that claims nothing if there
    /// is none. The growth is at least `max_drift_ppb`.
    #[must_use]
    pub fn resume(&self, max_drift_ppb: u32, now: &Readings) -> Estimate {
        let native = self.native.as_ref().map(Segment::last_record);
        let v1 = self.v1.as_ref().map(Segment::last_record);
        let v2 = self.v2.as_ref().map(|v2| v2.last_record().bound);
        let native = native.filter(|record| record.status.is_trusted());
        // The same, but for whoever is switched off.
        let mut coarse = [v1, v2].into_iter().flatten();
        let coarse = coarse.rfind(|record| record.status.is_trusted());
        let estimate = match native {
            Some(native) => Estimate::from_native(&native, max_drift_ppb, now),
            None => coarse.map(|record| Estimate::from_v1(&record, max_drift_ppb, now)),
        };
        match (estimate, coarse) {
            // The same instant, as its readers have seen it.
            (Some(estimate), Some(coarse)) => Estimate {
                void_after_coarse_ns: coarse.void_after_ns,
                ..estimate
            },
            (Some(estimate), None) => estimate,
            (None, _) => Estimate::unknown(Reason::NeverSynchronized, now),
        }
    }

    /// Projects `estimate` onto every layout, as it stands `at` that instant, and writes it.
    pub fn publish(&self, estimate: &Estimate, at: &Readings, faults: &Faults) {
        let grace_ns = i64::try_from(self.grace.as_nanos()).unwrap_or(i64::MAX);
        let native = estimate.to_native(STALE_NS.max(grace_ns), at.suspended_ns);
        // In the middle of all, as far as tests are concerned.
        write(self.native.as_ref(), &native, || {
            write(self.v2.as_ref(), &estimate.to_v2(at), || {
                write(self.v1.as_ref(), &estimate.to_v1(at), || {
                    faults.reach(ActorName::ShmPublisher, Point::MidWrite);
                });
            });
        });
    }

    /// Makes the files again that somebody has deleted, with the records that were published last. Each segment's result
    /// is the path of what was made again, or why that failed.
    pub fn check_files(&self) -> [Result<Option<PathBuf>, OpenError>; 3] {
        [
            check_file(self.v1.as_ref()),
            check_file(self.v2.as_ref()),
            check_file(self.native.as_ref()),
        ]
    }
}

fn check_file<L: Layout>(segment: Option<&Segment<L>>) -> Result<Option<PathBuf>, OpenError> {
    segment.map_or(Ok(None), Segment::check_file)
}

/// Writes one layout, and does the rest `midway`.
#[cfg(feature = "fault-injection")]
fn write<L: Layout>(segment: Option<&Segment<L>>, record: &L::Record, midway: impl FnOnce()) {
    match segment {
        Some(segment) => segment.publish_interrupted(record, midway),
        None => midway(),
    }
}

/// Writes one layout, then does the rest.
#[cfg(not(feature = "fault-injection"))]
fn write<L: Layout>(segment: Option<&Segment<L>>, record: &L::Record, rest: impl FnOnce()) {
    if let Some(segment) = segment {
        segment.publish(record);
    }
    rest();
}
