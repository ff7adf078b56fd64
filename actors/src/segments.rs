//! The published segments, kept mapped above the actors for as long as the process lives.

use shm_layout::writer::{NativeSegment, V1Segment};

use crate::clocks::Readings;
use crate::estimate::Estimate;
use crate::fault::{Faults, Point};
use crate::projection::STALE_NS;
use crate::status::Reason;
use crate::supervision::ActorName;

/// Every segment that estimates are projected onto.
pub struct Segments {
    v1: V1Segment,
    native: NativeSegment,
    stale_ns: i64,
}

impl Segments {
    /// Takes over opened segments. `grace_ns` is the operator's.
    #[must_use]
    pub fn new(v1: V1Segment, native: NativeSegment, grace_ns: i64) -> Self {
        Self {
            v1,
            native,
            stale_ns: STALE_NS.max(grace_ns),
        }
    }

    /// The estimate behind what was published last, by this or an earlier life; one that claims nothing if there
    /// is none. The growth is at least `max_drift_ppb`.
    #[must_use]
    pub fn resume(&self, max_drift_ppb: u32, now: &Readings) -> Estimate {
        let (native, v1) = (self.native.last_record(), self.v1.last_record());
        let estimate = if native.status.is_trusted() {
            Estimate::from_native(&native, max_drift_ppb, now)
        } else {
            v1.status
                .is_trusted()
                .then(|| Estimate::from_v1(&v1, max_drift_ppb, now))
        };
        match estimate {
            // The same instant, as its readers have seen it.
            Some(estimate) if v1.status.is_trusted() => Estimate {
                void_after_coarse_ns: v1.void_after_ns,
                ..estimate
            },
            Some(estimate) => estimate,
            None => Estimate::unknown(Reason::NeverSynchronized, now),
        }
    }

    /// Projects `estimate` onto every layout, as it stands `at` that instant, and writes it.
    pub fn publish(&self, estimate: &Estimate, at: &Readings, faults: &Faults) {
        let v1 = estimate.to_v1(at);
        let native = estimate.to_native(self.stale_ns, at.suspended_ns);
        #[cfg(feature = "fault-injection")]
        {
            // In the middle of both.
            let midway = || faults.reach(ActorName::ShmPublisher, Point::MidWrite);
            let v1 = || self.v1.publish_interrupted(&v1, midway);
            self.native.publish_interrupted(&native, v1);
        }
        #[cfg(not(feature = "fault-injection"))]
        {
            faults.reach(ActorName::ShmPublisher, Point::MidWrite);
            self.native.publish(&native);
            self.v1.publish(&v1);
        }
    }
}
