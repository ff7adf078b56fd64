//! PhcReader: reads the error bound of the PTP hardware clock.
//!
//! Reading sysfs runs driver code that can block, so this actor has its own arbiter.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use actix::prelude::*;
use slog::{Logger, debug, error, info};

use super::clock_state::{ClockState, PhcPolled};
use super::rate_limit::ChangeGate;
use crate::fail_points::fail_point;
use crate::os::clocks::monotonic_raw;
use crate::phc::{PhcError, PhcErrorKind, PhcWindow, SYS_ROOT, read_error_bound, resolve_slot};

/// The parts from which each life of PhcReader is built.
pub struct Parts {
    /// The network interface of the hardware clock.
    pub interface: String,
    /// The time between two reads.
    pub poll_interval: Duration,
    /// Receives the error bounds.
    pub clock_state: Addr<ClockState>,
    /// The actor's log.
    pub log: Logger,
}

/// The actor that reads the PHC's error bound.
pub struct PhcReader {
    parts: Parts,
    /// The file of the error bound. Resolved again after every failure, because a replaced device
    /// can have another slot.
    path: Option<PathBuf>,
    window: PhcWindow,
    logged_error: ChangeGate<Option<PhcErrorKind>>,
}

impl PhcReader {
    /// A reader that has not polled yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            path: None,
            window: PhcWindow::default(),
            logged_error: ChangeGate::new(None),
        }
    }

    fn poll(&mut self, ctx: &mut Context<Self>) {
        fail_point!("phc_reader.handler");
        ctx.run_later(self.parts.poll_interval, Self::poll);
        let raw = monotonic_raw();
        let read = self.read();
        self.log_error(read.as_ref().err());
        match read {
            Ok(bound_ns) => self.window.add(bound_ns),
            Err(_) => {
                self.window.add_failure();
                self.path = None;
                // A failure is a missing update, never a bound of zero. ClockState ignores a bound
                // that is too old.
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
            debug!(
                self.parts.log,
                "mailbox of ClockState is full, error bound dropped"
            );
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

    fn log_error(&mut self, err: Option<&PhcError>) {
        let Some(suppressed) = self
            .logged_error
            .pass(err.map(PhcError::kind), Instant::now())
        else {
            return;
        };
        let log = &self.parts.log;
        match err {
            Some(err) => error!(log, "failed to read the phc error bound";
                "err" => %err, "source" => &self.parts.interface, "unsaid_changes" => suppressed),
            None => info!(log, "phc error bound is available again";
                "source" => &self.parts.interface, "unsaid_changes" => suppressed),
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
