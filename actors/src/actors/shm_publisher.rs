//! ShmPublisher: writes the estimates to the segments.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;
use shm_layout::diagnostics::DiagnosticsRecord;
use slog::{Logger, debug, info, warn};

use super::rate_limit::ChangeGate;
use crate::estimator::Estimate;
use crate::fail_points::fail_point;
use crate::os::clocksource::Clocksource;
use crate::publication::counter_clock::{CounterClock, CounterReading};
use crate::publication::diagnostics::EventCounters;
use crate::publication::rounds::{PublishedState, Rounds};
use crate::publication::segments::Segments;
use crate::time::{RawInstant, Readings};

/// The time between two checks of the segments' files, ns. It is less than a second, so that every
/// round includes a check if rounds are a second apart.
const FILE_CHECK_INTERVAL_NS: i64 = 900_000_000;

/// The actor that writes the segments. Its fields are not critical: a restart can reset them.
pub struct ShmPublisher {
    segments: Arc<Segments>,
    rounds: Arc<Rounds>,
    counters: Arc<EventCounters>,
    log: Logger,
    /// When the files were last checked, `CLOCK_MONOTONIC_RAW`.
    files_checked: RawInstant,
    /// The errors of the files that could not be created again at the last check.
    files_refused: Vec<String>,
    /// The counter of the layout v3. A new life calibrates it again.
    counter: CounterClock,
    is_counter_invalid: ChangeGate<bool>,
}

impl ShmPublisher {
    /// A publisher that writes to `segments`, acknowledges each round to `rounds`, and counts what
    /// it writes.
    #[must_use]
    pub fn new(
        segments: Arc<Segments>,
        rounds: Arc<Rounds>,
        counters: Arc<EventCounters>,
        log: Logger,
    ) -> Self {
        Self {
            segments,
            rounds,
            counters,
            log,
            files_checked: RawInstant::MIN,
            files_refused: Vec::new(),
            counter: CounterClock::default(),
            is_counter_invalid: ChangeGate::new(false),
        }
    }

    /// Reads the counter, if it is needed, and logs when it becomes invalid and valid again.
    fn read_counter(&mut self, clocksource: Result<Clocksource, io::ErrorKind>) -> CounterReading {
        if self.segments.v3.is_none() {
            return CounterReading::Calibrating;
        }
        let (reading, found) = self.counter.read(clocksource);
        let is_invalid = reading == CounterReading::Invalid;
        if let Some(suppressed) = self.is_counter_invalid.pass(is_invalid, Instant::now()) {
            if is_invalid {
                let why = found.map_or_else(String::new, |err| err.to_string());
                warn!(self.log, "processor's counter is invalid, the 3.x segment claims nothing";
                    "err" => why, "unsaid_changes" => suppressed);
            } else {
                info!(self.log, "processor's counter is valid again";
                    "unsaid_changes" => suppressed);
            }
        }
        reading
    }

    /// Creates deleted files again, at most once a second. An error is logged when it is new.
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
            let number = u64::try_from(created.len()).unwrap_or_default();
            self.counters.files_recreated.add(number);
            warn!(self.log, "recreated a deleted segment file"; "path" => created.join(", "));
        }
        if !refused.is_empty() && refused != self.files_refused {
            warn!(self.log, "failed to recreate a deleted segment file";
                "err" => refused.join("; "));
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

impl Supervised for ShmPublisher {
    /// A panic can have left the calibration inconsistent.
    fn restarting(&mut self, _ctx: &mut Self::Context) {
        self.counter = CounterClock::default();
    }
}

/// An estimate to publish.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Publish {
    /// The estimate.
    pub estimate: Estimate,
    /// The clocks at the instant that it is published for.
    pub at: Readings,
    /// The kernel's clocksource, or why it cannot be read.
    pub clocksource: Result<Clocksource, io::ErrorKind>,
    /// The diagnostics, if they have to be written.
    pub diagnostics: Option<Box<DiagnosticsRecord>>,
}

impl Handler<Publish> for ShmPublisher {
    type Result = ();

    fn handle(&mut self, publish: Publish, _ctx: &mut Self::Context) {
        fail_point!("shm_publisher.handler");
        let Publish {
            estimate,
            at,
            clocksource,
            diagnostics,
        } = publish;
        let counter = self.read_counter(clocksource);
        let written = self.segments.publish(&estimate, &at, &counter);
        for (publications, written) in self.counters.publications.iter().zip(written) {
            publications.add(u64::from(written));
        }
        if let Some(mut diagnostics) = diagnostics {
            diagnostics.publications = self.counters.publications();
            self.segments.publish_diagnostics(&diagnostics);
        }
        let state = PublishedState {
            status: estimate.status,
            reason: estimate.reason,
            reference_id: estimate.reference_id,
        };
        self.rounds
            .acknowledge(state, estimate.realtime_error_ns(&at));
        debug!(self.log, "published";
            "status" => %estimate.status, "reason" => %estimate.reason,
            "as_of_ns" => at.coarse.as_ns(), "earliest_ns" => estimate.interval.earliest.as_ns(),
            "latest_ns" => estimate.interval.latest.as_ns(), "budget" => %estimate.budget,
            "slowest_ppt" => estimate.band.slowest.as_ppt(),
            "fastest_ppt" => estimate.band.fastest.as_ppt());
        self.check_files(at.raw);
    }
}
