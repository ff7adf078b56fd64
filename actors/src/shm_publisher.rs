//! ShmPublisher: writes estimates to the segments.

use std::sync::Arc;

use actix::prelude::*;
use slog::{Logger, debug};

use crate::estimate::Estimate;
use crate::fault::{Faults, Point};
use crate::segments::Segments;
use crate::supervision::ActorName;

/// The actor that writes the segments. It keeps nothing between two messages, so a new life needs nothing.
pub struct ShmPublisher {
    segments: Arc<Segments>,
    faults: Faults,
    log: Logger,
}

impl ShmPublisher {
    /// A publisher to `segments`.
    #[must_use]
    pub fn new(segments: Arc<Segments>, faults: Faults, log: Logger) -> Self {
        Self {
            segments,
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
pub struct Publish(pub Estimate);

impl Handler<Publish> for ShmPublisher {
    type Result = ();

    fn handle(&mut self, Publish(estimate): Publish, _ctx: &mut Self::Context) {
        self.faults.reach(ActorName::ShmPublisher, Point::Handler);
        self.segments.publish(&estimate, &self.faults);
        debug!(self.log, "published";
            "status" => %estimate.status, "reason" => %estimate.reason, "as_of_ns" => estimate.as_of_ns,
            "correction_ns" => estimate.correction_ns, "root_distance_ns" => estimate.root_distance_ns);
    }
}
