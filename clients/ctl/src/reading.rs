//! The interval at the present, with what the diagnostics add to it.

use std::path::Path;

use clockbound_client::diagnostics::{self, Diagnostics};
use clockbound_client::{Client, Error, Interval, Reason, RecordDetails, Status};

/// The age from which a record is not of a daemon that is running, ns.
const SILENT_AFTER_NS: i64 = 5_000_000_000;

/// An interval and where it is from.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The interval.
    pub interval: Interval,
    /// The record that it is from.
    pub record: RecordDetails,
    /// The diagnostics, if they can be read: not beside a daemon before 0.3.
    pub diagnostics: Option<Diagnostics>,
}

impl Reading {
    /// Reads the interval from an open client, and the diagnostics in this directory.
    ///
    /// # Errors
    /// Those of [`Client::now`].
    pub fn of(client: &Client, directory: &Path) -> Result<Self, Error> {
        Ok(Self {
            interval: client.now()?,
            record: client.record()?,
            diagnostics: diagnostics::read(directory).ok(),
        })
    }

    /// The status.
    pub fn status(&self) -> Status {
        self.interval.status()
    }

    /// The reason of the status: that of the diagnostics if the layout has none, or if the daemon
    /// does not renew its records.
    pub fn reason(&self) -> Reason {
        let reason = self.interval.reason();
        match &self.diagnostics {
            Some(diagnostics)
                if diagnostics.status == self.status()
                    && (reason == Reason::Untold || self.is_silent()) =>
            {
                diagnostics.reason
            }
            _ if self.status() == Status::FreeRunning && self.is_silent() => Reason::DaemonSilent,
            _ => reason,
        }
    }

    /// Whether a program wrote the record for a test.
    pub fn is_simulated(&self) -> bool {
        let diagnostics = self.diagnostics.as_ref();
        self.record.is_simulated
            || diagnostics.is_some_and(|diagnostics| diagnostics.record.is_simulated)
    }

    /// Whether a drill is in progress.
    pub fn is_drill(&self) -> bool {
        let diagnostics = self.diagnostics.as_ref();
        diagnostics.is_some_and(|diagnostics| diagnostics.record.is_drill)
    }

    /// What the record is, if it is not that of the clock.
    pub fn marks(&self) -> String {
        marks(self.is_simulated(), self.is_drill())
    }

    /// Whether the daemon has stopped renewing its records, by their age.
    fn is_silent(&self) -> bool {
        let diagnostics = self.diagnostics.as_ref();
        self.record.age_ns >= SILENT_AFTER_NS && !diagnostics.is_some_and(Diagnostics::is_current)
    }
}

/// `, SIMULATED`, `, DRILL`, both or nothing.
pub fn marks(is_simulated: bool, is_drill: bool) -> String {
    let marks = [(is_simulated, ", SIMULATED"), (is_drill, ", DRILL")];
    let set = marks.into_iter().filter(|(is_set, _)| *is_set);
    set.map(|(_, mark)| mark).collect()
}

/// Opens the segments in this directory and reads them once.
///
/// # Errors
/// Those of [`Client::open_at`] and [`Client::now`].
pub fn read(directory: &Path) -> Result<Reading, Error> {
    Reading::of(&Client::open_at(directory)?, directory)
}
