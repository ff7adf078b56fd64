//! ShmPublisher: writes estimates to the segments.

use std::sync::Arc;

use actix::prelude::*;
use slog::{Logger, debug, warn};

use crate::estimator::Estimate;
use crate::fail_points::fail_point;
use crate::publication::rounds::{Rounds, Said};
use crate::publication::segments::Segments;
use crate::time::{RawInstant, Readings};

/// The time from one look at the segments' files to the next, ns: each round looks if rounds are a
/// second apart.
const FILE_CHECK_INTERVAL_NS: i64 = 900_000_000;

/// The actor that writes the segments. What it keeps between two messages, a new life may lose.
pub struct ShmPublisher {
    segments: Arc<Segments>,
    rounds: Arc<Rounds>,
    log: Logger,
    /// When the files were looked at last, `CLOCK_MONOTONIC_RAW` in ns.
    files_checked: RawInstant,
    /// Which files could not be made again then, and why.
    files_refused: Vec<String>,
}

impl ShmPublisher {
    /// A publisher to `segments`, which acknowledges each round to `rounds`.
    #[must_use]
    pub fn new(segments: Arc<Segments>, rounds: Arc<Rounds>, log: Logger) -> Self {
        Self {
            segments,
            rounds,
            log,
            files_checked: RawInstant::MIN,
            files_refused: Vec::new(),
        }
    }

    /// Makes deleted files again, at most once a second. A failure is logged when it is new.
    fn check_files(&mut self, raw: RawInstant) {
        if raw - self.files_checked < FILE_CHECK_INTERVAL_NS {
            return;
        }
        self.files_checked = raw;
        let (mut created, mut refused) = (Vec::new(), Vec::new());
        for result in self.segments.check_files() {
            match result {
                Ok(None) => {}
                Ok(Some(path)) => created.push(path.display().to_string()),
                Err(err) => refused.push(err.to_string()),
            }
        }
        if !created.is_empty() {
            warn!(self.log, "segment file was deleted, created it again"; "path" => created.join(", "));
        }
        if !refused.is_empty() && refused != self.files_refused {
            warn!(self.log, "segment file was deleted and cannot be created again"; "err" => refused.join("; "));
        }
        self.files_refused = refused;
    }
}

impl Actor for ShmPublisher {
    type Context = Context<Self>;

    fn started(&mut self, _ctx: &mut Self::Context) {
        fail_point!("shm_publisher.started");
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
        fail_point!("shm_publisher.handler");
        self.segments.publish(&estimate, &at);
        let said = Said {
            status: estimate.status,
            reason: estimate.reason,
            reference_id: estimate.reference_id,
        };
        self.rounds
            .acknowledge(said, estimate.realtime_error_ns(&at));
        debug!(self.log, "published";
            "status" => %estimate.status, "reason" => %estimate.reason, "as_of_ns" => at.coarse.as_ns(),
            "earliest_ns" => estimate.interval.earliest.as_ns(), "latest_ns" => estimate.interval.latest.as_ns(),
            "budget" => %estimate.budget, "slowest_ppt" => estimate.band.slowest.as_ppt(), "fastest_ppt" => estimate.band.fastest.as_ppt());
        self.check_files(at.raw);
    }
}
