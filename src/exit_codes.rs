//! The exit codes of the daemon, which are those of `sysexits.h`.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use shm_layout::vmclock::VmClockError;
use shm_layout::writer::{OpenError, OpenErrorKind};

/// The reason for an unsuccessful exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// `EX_USAGE`: the command line is invalid, on any machine.
    Usage = 64,
    /// `EX_NOINPUT`: the network interface does not exist, sysfs cannot be read, or the VMClock
    /// device that is required cannot be used.
    NoInput = 66,
    /// `EX_SOFTWARE`: an actor exceeded its crash budget or exited unexpectedly.
    Software = 70,
    /// `EX_OSERR`: the kernel refused a thread, a descriptor, a signal mask or the socket of
    /// `NOTIFY_SOCKET`.
    OsErr = 71,
    /// `EX_CANTCREAT`: the path of a segment is not a regular file.
    CantCreate = 73,
    /// `EX_IOERR`: a segment cannot be created or opened, for any other reason.
    IoErr = 74,
    /// `EX_TEMPFAIL`: another daemon holds the lock of a segment.
    TempFail = 75,
    /// `EX_NOPERM`: the user has no permission to write a segment.
    NoPerm = 77,
    /// `EX_CONFIG`: the network interface exists, but is not a PCI device.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Reports an operating system error that precedes logging, in one line on standard error.
pub fn os_error(what: &str, err: &io::Error) -> ExitCode {
    // A write error is ignored: there is no other place to report it.
    let _ = writeln!(io::stderr(), "clockbound: {what}: {err}");
    Exit::OsErr.into()
}

/// Reports that the VMClock device that is required cannot be used, in one line on standard error.
pub fn vmclock_error(path: &Path, err: &VmClockError) -> ExitCode {
    // A write error is ignored, as above.
    let _ = writeln!(
        io::stderr(),
        "clockbound: --require-vmclock: {}: {err}; give the device with --vmclock, or omit \
         --require-vmclock",
        path.display()
    );
    Exit::NoInput.into()
}

/// Reports why a segment cannot be opened, in one line on standard error.
pub fn segment_error(err: &OpenError) -> ExitCode {
    // A write error is ignored, as above.
    let _ = writeln!(io::stderr(), "clockbound: {err}");
    match err.kind() {
        OpenErrorKind::NotAFile => Exit::CantCreate,
        OpenErrorKind::Held => Exit::TempFail,
        OpenErrorKind::NotPermitted => Exit::NoPerm,
        OpenErrorKind::Io => Exit::IoErr,
    }
    .into()
}
