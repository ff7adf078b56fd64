//! Looks at the kernel's clocksource about once a second.

use std::io;
use std::path::Path;

use super::clocksource::{Clocksource, CurrentClocksource};
use crate::time::{NS_PER_S, RawInstant};

/// The least time between two looks, ns.
const INTERVAL_NS: i64 = NS_PER_S;

/// The kernel's clocksource as it was last seen.
#[derive(Debug)]
pub struct ClocksourceWatch {
    file: Option<CurrentClocksource>,
    current: Result<Clocksource, io::ErrorKind>,
    /// The last one that was read.
    seen: Option<Clocksource>,
    looked: Option<RawInstant>,
}

impl ClocksourceWatch {
    /// A watch that has looked once. `sys_root` is [`SYS_ROOT`](super::clocksource::SYS_ROOT),
    /// except in tests.
    #[must_use]
    pub fn new(sys_root: &Path) -> Self {
        let opened = CurrentClocksource::open(sys_root);
        let current = match &opened {
            Ok(file) => file.read().map_err(|err| err.kind()),
            Err(err) => Err(err.kind()),
        };
        Self {
            file: opened.ok(),
            current,
            seen: current.ok(),
            looked: None,
        }
    }

    /// The clocksource at the last look, or why it could not be read.
    ///
    /// # Errors
    /// As for [`CurrentClocksource::open`] and [`CurrentClocksource::read`].
    pub fn current(&self) -> Result<Clocksource, io::ErrorKind> {
        self.current
    }

    /// Looks at it, if that is due at `now`. Returns whether it is another one than the last that
    /// was read.
    pub fn has_changed(&mut self, now: RawInstant) -> bool {
        let is_due = |looked: RawInstant| now - looked >= INTERVAL_NS;
        let Some(file) = self
            .file
            .as_ref()
            .filter(|_| self.looked.is_none_or(is_due))
        else {
            return false;
        };
        self.looked = Some(now);
        self.current = file.read().map_err(|err| err.kind());
        let Ok(current) = self.current else {
            return false;
        };
        self.seen
            .replace(current)
            .is_some_and(|before| before != current)
    }
}
