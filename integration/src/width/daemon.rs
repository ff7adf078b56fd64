//! One daemon of the comparison: runs in its own namespace, and its layouts are sampled.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::host::namespace::private;
use crate::host::wait;
use crate::observe::layout::{Layout, Read};
use crate::observe::samples::LayoutSamples;
use crate::programs::daemon::Launch;
use crate::time::truth::Truth;

/// Where each daemon publishes by default, in its own mount namespace.
pub const RUN_DIR: &str = "/run/clockbound";

const BETWEEN_SAMPLES: Duration = Duration::from_millis(5);
const LAST_LINES: Duration = Duration::from_secs(1);

/// A daemon of the comparison.
#[derive(Clone, Debug)]
pub struct Contender {
    /// Its name in the table.
    pub name: String,
    /// Its program.
    pub program: PathBuf,
    /// Its arguments. chronyd's socket and the segments are at the default paths.
    pub arguments: Vec<String>,
    /// The layouts that it publishes.
    pub layouts: Vec<Layout>,
}

/// The result of a daemon.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It ran until the end of the comparison.
    Ran {
        /// When it was started. Instants are since the beginning of the comparison.
        started: Duration,
        /// The samples of each layout. A layout that was never published has none.
        seen: Vec<LayoutSamples>,
    },
    /// It exited early, and logged these lines.
    Ended(Vec<String>),
}

impl Contender {
    /// Runs it with `dir` as its [`RUN_DIR`] until `end` after `began`, and samples each layout
    /// every 5 ms.
    ///
    /// # Panics
    /// When not root.
    pub fn run(&self, dir: &Path, truth: &Truth, began: Instant, end: Duration) -> Outcome {
        private(|host| {
            host.bind(dir, Path::new(RUN_DIR));
            self.watch(truth, began, end)
        })
    }

    fn watch(&self, truth: &Truth, began: Instant, end: Duration) -> Outcome {
        let started = began.elapsed();
        let arguments = self.arguments.iter().map(String::as_str);
        let mut daemon = Launch::bare(&self.program).args(arguments).start();
        let mut seen: Vec<LayoutSamples> = self.layouts.iter().map(LayoutSamples::of).collect();
        let mut opened: Vec<Option<Read>> = self.layouts.iter().map(|_| None).collect();
        let v1 = Path::new(RUN_DIR).join("shm");
        while began.elapsed() < end {
            if !daemon.is_running() {
                // The last lines may still be in the pipe.
                let log = || Some(daemon.log()).filter(|log| !log.is_empty());
                return Outcome::Ended(wait::within(LAST_LINES, log).unwrap_or_default());
            }
            for (read, seen) in opened.iter_mut().zip(&mut seen) {
                if read.is_none() {
                    *read = (seen.layout.open)(&v1).ok();
                }
                if let Some(read) = read {
                    seen.take(read, truth, began);
                }
            }
            thread::sleep(BETWEEN_SAMPLES);
        }
        Outcome::Ran { started, seen }
    }
}
