//! What the examination of a host finds.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::exit::Exit;

/// How grave a finding is, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The examined part is as it should be.
    Ok,
    /// Not a fault. The interval could be narrower, or there is something to know.
    Info,
    /// A fact that cannot be read, which is not a fault.
    Unknown,
    /// The interval, or a program that reads it, is affected under some condition.
    Warning,
    /// There is no interval, or it can miss true time.
    Error,
}

impl Severity {
    /// The exit code of an examination with this greatest severity.
    pub fn exit(self) -> Exit {
        match self {
            Self::Ok | Self::Info | Self::Unknown => Exit::Success,
            Self::Warning => Exit::Warning,
            Self::Error => Exit::Critical,
        }
    }
}

/// What to change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The file to change.
    pub file: Option<PathBuf>,
    /// The number of the line in the file, from 1 on; `None` for a line that is missing.
    pub line_number: Option<usize>,
    /// The line as it is; `None` for a line that is missing.
    pub present_line: Option<String>,
    /// The line as it should be; `None` for a line to delete. A line that is missing in a unit is
    /// preceded by a line with its section.
    pub wanted_line: Option<String>,
    /// A command to run, afterwards if there is a line to change.
    pub command: Option<String>,
}

impl Change {
    /// A command to run.
    pub fn command(command: impl Into<String>) -> Self {
        Self {
            command: Some(command.into()),
            ..Self::default()
        }
    }

    /// A line to add to a file.
    pub fn add(file: &Path, line: impl Into<String>) -> Self {
        Self {
            file: Some(file.to_owned()),
            wanted_line: Some(line.into()),
            ..Self::default()
        }
    }

    /// A line of a file to replace; with `None`, to delete.
    pub fn replace(file: &Path, number: usize, present: &str, wanted: Option<String>) -> Self {
        Self {
            file: Some(file.to_owned()),
            line_number: Some(number),
            present_line: Some(present.to_owned()),
            wanted_line: wanted,
            command: None,
        }
    }

    /// The same, with a command to run afterwards.
    #[must_use]
    pub fn then(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of what was found or examined, which stays the same from version to version.
    pub check: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// What is so.
    pub what: String,
    /// Why it matters; empty if it does not.
    pub why: String,
    /// What to change, if anything.
    pub change: Option<Change>,
}

impl Finding {
    fn new(check: &'static str, severity: Severity, what: String, why: String) -> Self {
        Self {
            check,
            severity,
            what,
            why,
            change: None,
        }
    }

    /// A part that is as it should be.
    pub fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Severity::Ok, what.into(), String::new())
    }

    /// A remark.
    pub fn info(check: &'static str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(check, Severity::Info, what.into(), why.into())
    }

    /// A fact that cannot be read. `why` is the cause, with what to do to read it.
    pub fn unknown(check: &'static str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(check, Severity::Unknown, what.into(), why.into())
    }

    /// A warning.
    pub fn warning(check: &'static str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(check, Severity::Warning, what.into(), why.into())
    }

    /// An error.
    pub fn error(check: &'static str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(check, Severity::Error, what.into(), why.into())
    }

    /// The same, with what to change.
    #[must_use]
    pub fn change(mut self, change: Change) -> Self {
        self.change = Some(change);
        self
    }
}
