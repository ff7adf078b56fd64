//! Reads the diagnostics, and reports when that begins to fail.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use clockbound_client::diagnostics;

use crate::encoding::Format;
use crate::metrics;

/// The diagnostics of the daemon that publishes in one directory.
#[derive(Debug)]
pub struct Readings {
    directory: PathBuf,
    reported: Mutex<Option<String>>,
}

impl Readings {
    /// Reads nothing yet.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            reported: Mutex::new(None),
        }
    }

    /// The metrics at the present. An error is printed when it differs from that of the last
    /// reading, so that scrapes do not fill the journal.
    pub fn text(&self, format: Format) -> String {
        let (read, error) = match diagnostics::read(&self.directory) {
            Ok(read) => (Some(read), None),
            Err(err) => (None, Some(err.to_string())),
        };
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if *reported != error {
            match &error {
                Some(message) => eprintln!("clockbound-exporter: {message}"),
                None => eprintln!("clockbound-exporter: the diagnostics can be read again"),
            }
            *reported = error;
        }
        drop(reported);
        metrics::text(read.as_ref(), format)
    }
}
