//! The published segments, kept mapped above the actors for as long as the process lives.

use shm_layout::v1::V1Record;
use shm_layout::writer::V1Segment;

use crate::clocks::Readings;
use crate::estimate::Estimate;
use crate::fault::{Faults, Point};
use crate::supervision::ActorName;

/// Every segment that estimates are projected onto.
pub struct Segments {
    v1: V1Segment,
}

impl Segments {
    /// Takes over opened segments.
    #[must_use]
    pub fn new(v1: V1Segment) -> Self {
        Self { v1 }
    }

    /// The record that was published last, by this or an earlier life.
    #[must_use]
    pub fn last(&self) -> V1Record {
        self.v1.last_record()
    }

    /// Projects `estimate` onto every layout, as it stands `at` that instant, and writes it.
    pub fn publish(&self, estimate: &Estimate, at: &Readings, faults: &Faults) {
        let record = estimate.to_v1(at);
        #[cfg(feature = "fault-injection")]
        self.v1.publish_interrupted(&record, || {
            faults.reach(ActorName::ShmPublisher, Point::MidWrite)
        });
        #[cfg(not(feature = "fault-injection"))]
        {
            faults.reach(ActorName::ShmPublisher, Point::MidWrite);
            self.v1.publish(&record);
        }
    }
}
