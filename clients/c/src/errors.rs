//! Converts errors of the Rust library to errors of the C interface.
//!
//! An error that a function returns by pointer is a constant. It needs no memory of its thread,
//! which would be allocated at the first access, so a signal handler can get one.

use std::ffi::{CStr, c_int};

use clockbound_client::diagnostics::DiagnosticsError;
use clockbound_client::read_error::{HeaderError, ReadError, VmClockError};
use clockbound_client::{Error, Reason, StampError};

use crate::abi::{clockbound_err, reason_name};

const SYSCALL: c_int = 1;
const NOT_INITIALIZED: c_int = 2;
const MALFORMED: c_int = 3;
const CAUSALITY: c_int = 4;
const VERSION: c_int = 5;
const NOT_READY: c_int = 6;
const UNTRUSTED: c_int = 7;
const NOT_KNOWN: c_int = 8;
const TIMED_OUT: c_int = 9;
const VMCLOCK: c_int = 10;
const SIMULATED: c_int = 11;

/// The number of values of errno on Linux, with 0.
const ERRNO_COUNT: usize = 134;

/// An error of `clock_gettime` with each errno.
static CLOCK_ERRORS: [clockbound_err; ERRNO_COUNT] = {
    let mut errors = [clockbound_err::none(); ERRNO_COUNT];
    let (mut n, mut errno) = (0, 0);
    while n < ERRNO_COUNT {
        errors[n] = system(errno, c"clock_gettime");
        n += 1;
        errno += 1;
    }
    errors
};

/// An error of opening the VMClock page with each errno.
static VMCLOCK_ERRORS: [clockbound_err; ERRNO_COUNT] = {
    let mut errors = [clockbound_err::none(); ERRNO_COUNT];
    let (mut n, mut errno) = (0, 0);
    while n < ERRNO_COUNT {
        errors[n] = vmclock(errno);
        n += 1;
        errno += 1;
    }
    errors
};

/// The errors for a status that is not trusted, in the order of [`Reason::ALL`].
static UNTRUSTED_ERRORS: [clockbound_err; Reason::ALL.len()] = {
    let mut errors = [clockbound_err::none(); Reason::ALL.len()];
    let mut n = 0;
    while n < errors.len() {
        errors[n] = error(UNTRUSTED, reason_name(Reason::ALL[n]));
        n += 1;
    }
    errors
};

/// The error for a null pointer in a required argument.
pub(crate) static NULL_ARGUMENT: clockbound_err = system(libc::EINVAL, c"null pointer argument");
/// The error for a flag that this version does not define.
pub(crate) static UNKNOWN_FLAG: clockbound_err = system(libc::EINVAL, c"unknown flag");
/// The error for a struct of another size.
pub(crate) static RECORD_SIZE: clockbound_err = system(libc::EINVAL, c"size of clockbound_record");

/// Writes `err` to `target`, unless that is null.
///
/// # Safety
/// `target` is null or writable.
pub(crate) unsafe fn write_to(target: *mut clockbound_err, err: clockbound_err) {
    if !target.is_null() {
        // SAFETY: the caller guarantees that a pointer that is not null is writable.
        unsafe { target.write(err) };
    }
}

/// Converts an error of reading a segment to a constant.
pub(crate) fn constant(err: &Error) -> &'static clockbound_err {
    match describe(err) {
        Description::Constant(err) => err,
        Description::System { errno, .. } => of_errno(&CLOCK_ERRORS, errno),
    }
}

fn of_errno(
    errors: &'static [clockbound_err; ERRNO_COUNT],
    errno: c_int,
) -> &'static clockbound_err {
    let errno = usize::try_from(errno).unwrap_or(0);
    errors.get(errno).unwrap_or(&errors[0])
}

/// Converts an error of opening a segment.
pub(crate) fn convert(err: &Error) -> clockbound_err {
    match err {
        // What the last attempt found out is what a program can act on.
        Error::NotReady { cause, .. } => clockbound_err {
            kind: NOT_READY,
            ..convert(cause)
        },
        _ => match describe(err) {
            Description::Constant(err) => *err,
            Description::System { errno, call } => system(errno, call),
        },
    }
}

/// Converts an error of reading the diagnostics.
pub(crate) fn convert_diagnostics(err: &DiagnosticsError) -> clockbound_err {
    let description = match err {
        DiagnosticsError::Read { source, .. } => describe_read(source),
        DiagnosticsError::EarlierBoot { .. } => Description::Constant(&EARLIER_BOOT),
        DiagnosticsError::TimeNamespace(_) => TIME_NAMESPACE,
        DiagnosticsError::Clock(source) => Description::System {
            errno: source.raw_os_error().unwrap_or(0),
            call: c"clock_gettime",
        },
        _ => Description::Constant(&UNREADABLE),
    };
    match description {
        Description::Constant(err) => *err,
        Description::System { errno, call } => system(errno, call),
    }
}

static EARLIER_BOOT: clockbound_err =
    error(NOT_INITIALIZED, c"the segment is from an earlier boot");

static UNREADABLE: clockbound_err = error(MALFORMED, c"failed to read the segment");

const TIME_NAMESPACE: Description = Description::System {
    errno: libc::ENOENT,
    call: c"failed to read /proc/self/timens_offsets",
};

enum Description {
    Constant(&'static clockbound_err),
    /// A system call failed.
    System {
        errno: c_int,
        call: &'static CStr,
    },
}

macro_rules! constant {
    ($kind:expr, $detail:expr) => {{
        static ERROR: clockbound_err = error($kind, $detail);
        Description::Constant(&ERROR)
    }};
}

fn describe(err: &Error) -> Description {
    let source = match err {
        Error::Open { source, .. } | Error::Read(source) => source,
        Error::EarlierBoot { .. } => return Description::Constant(&EARLIER_BOOT),
        Error::TimeNamespace(_) => return TIME_NAMESPACE,
        Error::Causality { .. } => {
            return constant!(CAUSALITY, c"the record is ahead of the monotonic clock");
        }
        Error::VmClock { source, .. } => {
            return match &**source {
                VmClockError::Io(source) => {
                    let errno = source.raw_os_error().unwrap_or(0);
                    Description::Constant(of_errno(&VMCLOCK_ERRORS, errno))
                }
                VmClockError::TooShort { .. } => constant!(VMCLOCK, c"the page is too short"),
                VmClockError::Version(_) => constant!(VMCLOCK, c"unsupported version"),
                _ => constant!(VMCLOCK, c"not a VMClock page"),
            };
        }
        Error::Clock(source) => {
            return Description::System {
                errno: source.raw_os_error().unwrap_or(0),
                call: c"clock_gettime",
            };
        }
        Error::Untrusted { reason, .. } => {
            let at = Reason::ALL.iter().position(|it| it == reason);
            return Description::Constant(&UNTRUSTED_ERRORS[at.unwrap_or(Reason::ALL.len() - 1)]);
        }
        Error::TooWide { .. } => {
            return constant!(NOT_READY, c"the clock error bound exceeds the maximum");
        }
        Error::NotNative => {
            return constant!(NOT_KNOWN, c"the segment is not of the native layout");
        }
        Error::TooLongAgo { .. } => {
            return constant!(NOT_KNOWN, c"the instant is before those of the record");
        }
        Error::Stamp(err) => {
            return match err {
                StampError::NotRecorded => constant!(NOT_KNOWN, c"CLOCK_REALTIME is not recorded"),
                StampError::ClockChanged => {
                    constant!(NOT_KNOWN, c"CLOCK_REALTIME was set or slewed")
                }
                StampError::InFuture => constant!(NOT_KNOWN, c"the time stamp is in the future"),
                StampError::TooLongAgo => constant!(NOT_KNOWN, c"the time stamp is too old"),
            };
        }
        Error::Simulated => return constant!(SIMULATED, c"a program wrote the record for a test"),
        Error::TimedOut => return constant!(TIMED_OUT, c"commit wait"),
        _ => return Description::Constant(&UNREADABLE),
    };
    describe_read(source)
}

fn describe_read(err: &ReadError) -> Description {
    match err {
        ReadError::Io(source) => Description::System {
            errno: source.raw_os_error().unwrap_or(libc::ENOENT),
            call: c"open",
        },
        ReadError::NotAFile => constant!(MALFORMED, c"not a regular file"),
        ReadError::TooShort { .. } => constant!(MALFORMED, c"the file is too short"),
        ReadError::Header(HeaderError::Version { .. }) => {
            constant!(VERSION, c"unsupported layout version")
        }
        ReadError::Header(_) => constant!(MALFORMED, c"not a segment"),
        ReadError::NotInitialized => constant!(NOT_INITIALIZED, c"the segment is not initialized"),
        ReadError::WriteInProgress => constant!(NOT_INITIALIZED, c"a write is incomplete"),
        ReadError::Simulated => constant!(SIMULATED, c"a program wrote the record for a test"),
        ReadError::Record(_) => constant!(MALFORMED, c"the record is invalid"),
    }
}

const fn error(kind: c_int, detail: &'static CStr) -> clockbound_err {
    clockbound_err {
        kind,
        sys_errno: 0,
        detail: detail.as_ptr(),
    }
}

const fn system(errno: c_int, call: &'static CStr) -> clockbound_err {
    clockbound_err {
        sys_errno: errno,
        ..error(SYSCALL, call)
    }
}

const fn vmclock(errno: c_int) -> clockbound_err {
    clockbound_err {
        sys_errno: errno,
        ..error(VMCLOCK, c"open")
    }
}

/// Returns the message of an error kind, with its remedy.
pub(crate) fn message(kind: c_int) -> &'static CStr {
    match kind {
        0 => c"no error",
        SYSCALL => {
            c"a system call failed, see sys_errno; is clockbound running, and does it publish here?"
        }
        NOT_INITIALIZED => c"the segment is not initialized; is clockbound running?",
        MALFORMED => c"the file is not a segment of clockbound, or is invalid; check the path",
        CAUSALITY => {
            c"the record is ahead of the monotonic clock: it is from another boot or time namespace"
        }
        VERSION => c"the layout version of the segment is not supported; update this library",
        NOT_READY => {
            c"no trusted interval within the timeout; \
              see detail, sys_errno and the log of clockbound"
        }
        UNTRUSTED => c"the clock status is not trusted; see detail and the log of clockbound",
        TIMED_OUT => c"the time has not certainly passed within the timeout",
        VMCLOCK => {
            c"the segment requires the VMClock page, which cannot be read; \
              see detail and sys_errno; may this process read the device?"
        }
        SIMULATED => {
            c"the record is simulated; start clockbound, or pass the path where it publishes"
        }
        NOT_KNOWN => c"the segment has no interval at this instant; see detail",
        _ => c"unknown error",
    }
}
