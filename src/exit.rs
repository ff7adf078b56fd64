//! The exit codes of the daemon, those of `sysexits.h`.

use std::io::{self, Write};
use std::process::ExitCode;

use shm_layout::writer::{OpenError, OpenErrorKind};

/// Why the daemon ends without having done its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// `EX_USAGE`: the command line cannot be understood or asks for what makes no sense anywhere.
    Usage = 64,
    /// `EX_NOINPUT`: something that the command line names does not exist or cannot be read.
    NoInput = 66,
    /// `EX_SOFTWARE`: an actor keeps crashing, or stopped of itself.
    Software = 70,
    /// `EX_OSERR`: the kernel refused what every daemon needs: a thread, a signal mask.
    OsErr = 71,
    /// `EX_CANTCREAT`: what stands at the segment's path is no regular file.
    CantCreate = 73,
    /// `EX_IOERR`: the segment cannot be made or opened.
    IoErr = 74,
    /// `EX_TEMPFAIL`: another daemon holds the segment.
    TempFail = 75,
    /// `EX_NOPERM`: the user may not write the segment.
    NoPerm = 77,
    /// `EX_CONFIG`: what the command line names is there, but is not of the kind that is needed.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Says on standard error what the kernel refused before there was a log, in one line.
pub fn os_error(what: &str, err: &io::Error) -> ExitCode {
    // Nothing is left to do about a reader that has gone away.
    let _ = writeln!(io::stderr(), "clockbound: {what}: {err}");
    Exit::OsErr.into()
}

/// Says on standard error why the segment cannot be published to, in one line.
pub fn segment_error(err: &OpenError) -> ExitCode {
    // As above.
    let _ = writeln!(io::stderr(), "clockbound: {err}");
    match err.kind() {
        OpenErrorKind::NotAFile => Exit::CantCreate,
        OpenErrorKind::Held => Exit::TempFail,
        OpenErrorKind::NotPermitted => Exit::NoPerm,
        OpenErrorKind::Io => Exit::IoErr,
    }
    .into()
}
