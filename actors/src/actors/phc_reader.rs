//! PhcReader: reads the error bound of the PTP hardware clock.
//!
//! Reading sysfs runs driver code that may block, so this actor has an arbiter of its own.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use actix::prelude::*;
use slog::{Logger, debug, error, info};

use super::clock_state::{ClockState, PhcPolled};
use super::rate_limit::ChangeGate;
use crate::fail_points::fail_point;
use crate::os::clocks::monotonic_raw;
use crate::phc::{PhcError, PhcErrorKind, PhcWindow, SYS_ROOT, read_error_bound, resolve_slot};

/// What PhcReader is rebuilt from at the beginning of every life.
pub struct Parts {
    /// The network interface whose hardware clock it is.
    pub interface: String,
    /// The time between two reads.
    pub poll_interval: Duration,
    /// Where the bounds go.
    pub clock_state: Addr<ClockState>,
    /// The actor's log.
    pub log: Logger,
}

/// The actor that reads the PHC's error bound.
pub struct PhcReader {
    parts: Parts,
    /// Resolved again after every failure: a device may come back in another slot.
    path: Option<PathBuf>,
    window: PhcWindow,
    trouble: ChangeGate<Option<PhcErrorKind>>,
}

impl PhcReader {
    /// A reader that has read nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            path: None,
            window: PhcWindow::default(),
            trouble: ChangeGate::new(None),
        }
    }

    fn poll(&mut self, ctx: &mut Context<Self>) {
        fail_point!("phc_reader.handler");
        ctx.run_later(self.parts.poll_interval, Self::poll);
        let raw = monotonic_raw();
        let read = self.read();
        self.say(read.as_ref().err());
        match read {
            Ok(bound_ns) => self.window.add(bound_ns),
            Err(_) => {
                self.window.add_failure();
                self.path = None;
                // A missing update, never a bound of zero: ClockState notices that none comes.
                return;
            }
        }
        let Some(bound_ns) = self.window.bound_ns() else {
            return;
        };
        if self
            .parts
            .clock_state
            .try_send(PhcPolled { raw, bound_ns })
            .is_err()
        {
            debug!(self.parts.log, "clock state is busy, error bound dropped");
        }
    }

    fn read(&mut self) -> Result<u32, PhcError> {
        let path = match self.path.take() {
            Some(path) => path,
            None => {
                let sys = Path::new(SYS_ROOT);
                resolve_slot(sys, &self.parts.interface)?.error_bound_path(sys)
            }
        };
        let read = read_error_bound(&path);
        self.path = Some(path);
        read
    }

    fn say(&mut self, err: Option<&PhcError>) {
        let Some(unsaid) = self.trouble.pass(err.map(PhcError::kind), Instant::now()) else {
            return;
        };
        let log = &self.parts.log;
        match err {
            Some(err) => error!(log, "phc error bound cannot be read";
                "err" => %err, "source" => &self.parts.interface, "unsaid_changes" => unsaid),
            None => info!(log, "phc error bound is read again";
                "source" => &self.parts.interface, "unsaid_changes" => unsaid),
        }
    }
}

impl Actor for PhcReader {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        fail_point!("phc_reader.started");
        ctx.run_later(Duration::ZERO, Self::poll);
    }
}

impl Supervised for PhcReader {
    fn restarting(&mut self, _ctx: &mut Self::Context) {
        self.path = None;
        self.window = PhcWindow::default();
    }
}
