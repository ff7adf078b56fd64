//! ShmPublisher: writes estimates to the segments.

use std::sync::Arc;

use actix::prelude::*;
use slog::{Logger, debug};

use crate::clocks::Readings;
use crate::estimator::Estimate;
use crate::fault::{Faults, Point};
use crate::progress::{Progress, Said};
use crate::segments::Segments;
use crate::supervision::ActorName;

/// The actor that writes the segments. It keeps nothing between two messages, so a new life needs nothing.
pub struct ShmPublisher {
    segments: Arc<Segments>,
    progress: Arc<Progress>,
    faults: Faults,
    log: Logger,
}

impl ShmPublisher {
    /// A publisher to `segments`, which acknowledges each round to `progress`.
    #[must_use]
    pub fn new(
        segments: Arc<Segments>,
        progress: Arc<Progress>,
        faults: Faults,
        log: Logger,
    ) -> Self {
        Self {
            segments,
            progress,
            faults,
            log,
        }
    }
}

impl Actor for ShmPublisher {
    type Context = Context<Self>;

    fn started(&mut self, _ctx: &mut Self::Context) {
        self.faults.reach(ActorName::ShmPublisher, Point::Started);
    }
}

impl Supervised for ShmPublisher {}

/// An estimate to publish.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Publish {
    /// What is known.
    pub estimate: Estimate,
    /// The instant to publish it for.
    pub at: Readings,
}

impl Handler<Publish> for ShmPublisher {
    type Result = ();

    fn handle(&mut self, Publish { estimate, at }: Publish, _ctx: &mut Self::Context) {
        self.faults.reach(ActorName::ShmPublisher, Point::Handler);
        self.segments.publish(&estimate, &at, &self.faults);
        let said = Said {
            status: estimate.status,
            reason: estimate.reason,
            reference_id: estimate.reference_id,
        };
        self.progress
            .acknowledge(said, estimate.realtime_error_ns(&at));
        debug!(self.log, "published";
            "status" => %estimate.status, "reason" => %estimate.reason, "as_of_ns" => at.coarse_ns,
            "earliest_ns" => estimate.interval.earliest_ns, "latest_ns" => estimate.interval.latest_ns,
            "budget" => %estimate.budget, "slowest_ppt" => estimate.band.slowest_ppt, "fastest_ppt" => estimate.band.fastest_ppt);
    }
}
