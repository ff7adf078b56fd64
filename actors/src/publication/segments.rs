//! The published segments, mapped above the actors until the process ends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use shm_layout::diagnostics::{DiagnosticsRecord, SEGMENTS};
use shm_layout::layout::Layout;
use shm_layout::layout::diagnostics::{self, Diagnostics};
use shm_layout::layout::native::{self, Native};
use shm_layout::layout::v1::{self, V1};
use shm_layout::layout::v2::{self, V2};
use shm_layout::layout::v3::{self, V3, V3Record};
use shm_layout::native::NativeRecord;
use shm_layout::v2::V2Record;
use shm_layout::writer::{
    self, DiagnosticsSegment, NativeSegment, OpenError, Segment, V1Segment, V2Segment, V3Segment,
};
use shm_layout::{ClockStatus, Disruption, STALE_AFTER_NS};

use super::counter_clock::CounterReading;
use super::counter_projection;
use super::projection::{self, Pace};
use crate::estimator::{Estimate, Resumed, State};
#[cfg(feature = "fault-injection")]
use crate::fail_points;
use crate::time::{RawInstant, Readings};

/// Every segment that estimates are projected onto, each unless it is switched off.
pub struct Segments {
    /// For programs of the 1.x generation.
    pub v1: Option<V1Segment>,
    /// For programs of the 2.x generation.
    pub v2: Option<V2Segment>,
    /// For programs of the 3.x generation; `None` also where the processor's counter cannot carry
    /// an interval.
    pub v3: Option<V3Segment>,
    /// For all others.
    pub native: Option<NativeSegment>,
    /// What is known beside the interval, for the operator's tools.
    pub diagnostics: Option<DiagnosticsSegment>,
    /// How long chronyd may be silent before the clock is free running.
    pub grace: Duration,
    /// The longest time between two publications of a daemon that works.
    pub publication_interval: Duration,
}

impl Segments {
    /// What was published last, by this or an earlier life, to resume from; `None` if that claims
    /// nothing.
    #[must_use]
    pub fn resume(&self, now: &Readings) -> Option<Resumed> {
        if let Some(native) = &self.native {
            let state = native.resume().and_then(|bytes| State::from_bytes(&bytes));
            return projection::from_native(&native.last_record(), state, self.stale_ns(), now);
        }
        let v2 = self.v2.as_ref().map(|v2| v2.last_record().bound);
        let v1 = self.v1.as_ref().map(Segment::last_record);
        [v2, v1]
            .into_iter()
            .flatten()
            .find_map(|record| projection::from_v1(&record, now))
    }

    /// Whether the clock was disrupted since the last publication of this boot, or is since before
    /// it, as far as the record shows, whatever it claims. The host's disruption marker is `now`.
    #[must_use]
    pub fn was_disrupted(&self, now: Disruption) -> bool {
        let is_of_another =
            |record: Disruption| now.supported && record.supported && record.marker != now.marker;
        if let Some(native) = &self.native {
            let NativeRecord {
                status, disruption, ..
            } = native.last_record();
            return status.is_trusted() && disruption != now
                || status == ClockStatus::Disrupted
                || is_of_another(disruption);
        }
        if let Some(v2) = &self.v2 {
            let V2Record { bound, disruption } = v2.last_record();
            return bound.status.is_trusted() && disruption.marker != now.marker
                || bound.status == ClockStatus::Disrupted
                || is_of_another(disruption);
        }
        // v1 has no marker.
        let v1 = self.v1.as_ref().map(Segment::last_record);
        now.supported && v1.is_some_and(|record| record.status.is_trusted())
    }

    /// Whether the published record is from before `raw`; true when it does not show that.
    #[must_use]
    pub fn is_published_before(&self, raw: RawInstant) -> bool {
        self.native
            .as_ref()
            .is_none_or(|native| native.last_record().as_of_ns < raw.as_ns())
    }

    /// How far `CLOCK_REALTIME` moved against `CLOCK_MONOTONIC_RAW` since the last publication of
    /// this boot, ns; 0 when that is not known.
    #[must_use]
    pub fn moved_since_published_ns(&self, now: &Readings) -> i64 {
        let record = self.native.as_ref().map(Segment::last_record);
        let record = record.filter(|record| record.realtime_ns != 0);
        record.map_or(0, |record| {
            let was_ahead_ns = record.realtime_ns.saturating_sub(record.as_of_ns);
            now.ahead_ns().saturating_sub(was_ahead_ns).saturating_abs()
        })
    }

    /// Saves what the next life resumes from.
    pub fn save(&self, state: &State) {
        if let Some(native) = &self.native {
            // It fits: numbers of points and epochs are limited.
            let _ = native.store_resume(&state.to_bytes());
        }
    }

    /// How long after the last valid report a synchronized record reads as free running, ns.
    pub(crate) fn stale_ns(&self) -> i64 {
        STALE_AFTER_NS.max(ns(self.grace))
    }

    /// Projects `estimate` at the instant of `at` onto every layout, and writes it. `counter` is
    /// what the processor's counter allows. Returns which of [`SEGMENTS`] were written.
    pub fn publish(
        &self,
        estimate: &Estimate,
        at: &Readings,
        counter: &CounterReading,
    ) -> [bool; SEGMENTS.len()] {
        let pace = Pace {
            stale_ns: self.stale_ns(),
            interval_ns: ns(self.publication_interval),
        };
        let native = projection::to_native(estimate, pace, at);
        let (v2, v1) = (
            projection::to_v2(estimate, at),
            projection::to_v1(estimate, at),
        );
        // Without a record for it, the segment keeps the one that it has.
        let v3 = to_v3(estimate, at, counter);
        let v3_segment = self.v3.as_ref().filter(|_| v3.is_some());
        let write_v3 = || {
            if let (Some(segment), Some(record)) = (v3_segment, &v3) {
                write(Some(segment), record);
            }
        };
        let write_native = || write(self.native.as_ref(), &native);
        let write_v2 = || write(self.v2.as_ref(), &v2);
        let write_v1 = || write(self.v1.as_ref(), &v1);
        // If the daemon is killed between two writes, a client of the directory must not find that
        // the preferred layout claims nothing, and change to another that still claims the interval
        // from before; nor, when trust begins, that only another is trusted.
        let mut order: [&dyn Fn(); 4] = [&write_native, &write_v3, &write_v2, &write_v1];
        if !estimate.status.is_trusted() {
            order.reverse();
        }
        order.into_iter().for_each(|write| write());
        [
            self.native.is_some(),
            self.v2.is_some(),
            self.v1.is_some(),
            v3_segment.is_some(),
        ]
    }

    /// Writes the diagnostics, if they are published.
    pub fn publish_diagnostics(&self, record: &DiagnosticsRecord) {
        write(self.diagnostics.as_ref(), record);
    }

    /// Creates deleted files again, with the records that were published last. Each segment's
    /// result is the path of the created file, or why that failed.
    pub fn check_files(&self) -> [Result<Option<PathBuf>, OpenError>; 5] {
        // A client that finds the files meanwhile reads the preferred layout.
        [
            check_file(self.native.as_ref()),
            check_file(self.v2.as_ref()),
            check_file(self.v1.as_ref()),
            check_file(self.v3.as_ref()),
            check_file(self.diagnostics.as_ref()),
        ]
    }
}

/// Retires segments with the default names beside the `published` ones: a client that is given the
/// directory must not read what an earlier daemon has published there. Returns their paths. Those of
/// other daemons, and those that cannot be removed, are left.
#[must_use]
pub fn retire_unpublished(published: &[&Path]) -> Vec<PathBuf> {
    let directories: BTreeSet<&Path> = published.iter().filter_map(|path| path.parent()).collect();
    let mut retired = Vec::new();
    for directory in directories {
        for (name, retire) in [
            (
                native::FILE_NAME,
                writer::retire::<Native> as fn(&Path) -> _,
            ),
            (v2::FILE_NAME, writer::retire::<V2>),
            (v1::FILE_NAME, writer::retire::<V1>),
            (v3::FILE_NAME, writer::retire::<V3>),
            (diagnostics::FILE_NAME, writer::retire::<Diagnostics>),
        ] {
            let path = directory.join(name);
            if !published.contains(&path.as_path()) && retire(&path).unwrap_or(false) {
                retired.push(path);
            }
        }
    }
    retired
}

/// The v3 record; `None` while the published one, which may be that of an earlier life, is better
/// than none.
fn to_v3(estimate: &Estimate, at: &Readings, counter: &CounterReading) -> Option<V3Record> {
    match counter {
        CounterReading::Calibrated(counter) => {
            Some(counter_projection::to_v3(estimate, counter, at))
        }
        CounterReading::Calibrating if estimate.status.is_trusted() => None,
        CounterReading::Calibrating => Some(counter_projection::without_claim(
            estimate,
            estimate.status,
            at,
        )),
        CounterReading::Invalid => {
            let status = match estimate.status {
                ClockStatus::Disrupted => ClockStatus::Disrupted,
                _ => ClockStatus::Unknown,
            };
            Some(counter_projection::without_claim(estimate, status, at))
        }
    }
}

fn ns(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn check_file<L: Layout>(segment: Option<&Segment<L>>) -> Result<Option<PathBuf>, OpenError> {
    segment.map_or(Ok(None), Segment::check_file)
}

/// Writes the record of a layout, if it is published.
fn write<L: Layout>(segment: Option<&Segment<L>>, record: &L::Record) {
    let Some(segment) = segment else {
        return;
    };
    #[cfg(feature = "fault-injection")]
    segment.publish_interrupted(record, || fail_points::mid_write(L::NAME));
    #[cfg(not(feature = "fault-injection"))]
    segment.publish(record);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn segments_with_default_names_that_are_not_published_are_retired() {
        let directory =
            std::env::temp_dir().join(format!("clockbound-retire-{}", std::process::id()));
        fs::create_dir(&directory).expect("a directory");
        let path = |name: &str| directory.join(name);
        let open = |name: &str| NativeSegment::open(&path(name)).expect("a segment").0;
        open("native").publish(&NativeRecord::no_claim(1));
        open("other").publish(&NativeRecord::no_claim(1));
        drop(V2Segment::open(&path("shm0")).expect("a segment"));
        drop(V3Segment::open(&path("shm1")).expect("a segment"));
        let (_v1, _) = V1Segment::open(&path("shm")).expect("a segment");

        let (v1, native) = (path("shm"), path("native"));
        assert_eq!(
            retire_unpublished(&[&v1, &native]),
            [path("shm0"), path("shm1")]
        );
        assert_eq!(retire_unpublished(&[&v1]), [path("native")]);
        // The segment is locked, although it is not given.
        assert!(retire_unpublished(&[&path("other")]).is_empty());
        assert!(v1.exists() && path("other").exists() && !native.exists());
        let _ = fs::remove_dir_all(&directory);
    }

    #[test]
    fn a_record_of_another_marker_shows_a_disruption_whatever_it_claims() {
        let directory =
            std::env::temp_dir().join(format!("clockbound-marker-{}", std::process::id()));
        fs::create_dir(&directory).expect("a directory");
        let (native, _) = NativeSegment::open(&directory.join("native")).expect("a segment");
        let (v2, _) = V2Segment::open_with(&directory.join("shm0"), |now_ns| V2Record {
            disruption: support(7),
            ..V2::no_claim(now_ns)
        })
        .expect("a segment");
        native.publish(&NativeRecord {
            disruption: support(7),
            ..NativeRecord::no_claim(1)
        });
        let mut segments = Segments {
            v1: None,
            v2: Some(v2),
            v3: None,
            native: Some(native),
            diagnostics: None,
            grace: Duration::from_secs(5),
            publication_interval: Duration::from_secs(1),
        };
        for _ in 0..2 {
            assert!(segments.was_disrupted(support(8)));
            assert!(!segments.was_disrupted(support(7)));
            assert!(!segments.was_disrupted(Disruption::default()));
            let as_of = |ns| segments.is_published_before(RawInstant::from_ns(ns));
            // v2 does not have the clock that disruptions are noticed at.
            assert_eq!((as_of(1), as_of(2)), (segments.native.is_none(), true));
            segments.native = None;
        }
        let _ = fs::remove_dir_all(&directory);
    }

    fn support(marker: u64) -> Disruption {
        Disruption {
            marker,
            supported: true,
        }
    }
}
