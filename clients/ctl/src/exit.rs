//! How the program ends.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clockbound_client::diagnostics::DiagnosticsError;
use thiserror::Error;

/// The exit codes. Those from 64 on are of sysexits.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; or all is well.
    Success = 0,
    /// A warning, or the condition was not met in time.
    Warning = 1,
    /// Critical.
    Critical = 2,
    /// Not known.
    Unknown = 3,
    /// The command line is wrong.
    Usage = 64,
    /// Input is wrong.
    DataError = 65,
    /// The daemon's diagnostics cannot be read.
    Unavailable = 69,
    /// A file cannot be made.
    CannotCreate = 73,
    /// Reading or writing failed.
    IoError = 74,
    /// Not permitted.
    NotPermitted = 77,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a verb failed.
#[derive(Debug, Error)]
pub enum Failure {
    /// The diagnostics cannot be read.
    #[error(transparent)]
    Diagnostics(#[from] DiagnosticsError),
    /// No interval can be read.
    #[error(transparent)]
    Client(#[from] clockbound_client::Error),
    /// A file is wrong or cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Standard output or the terminal failed.
    #[error("failed to write: {0}")]
    Output(#[from] io::Error),
    /// Any other cause, with its exit code.
    #[error("{1}")]
    Other(Exit, String),
}

impl Failure {
    /// Whether the reader of standard output has closed it, as `head` does.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(err) if err.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Diagnostics(_) | Self::Client(_) => Exit::Unavailable,
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Exit::NotPermitted
            }
            Self::File { .. } | Self::Output(_) => Exit::IoError,
            Self::Other(exit, _) => *exit,
        }
    }
}

/// How a verb ends.
pub type Outcome = Result<Exit, Failure>;
