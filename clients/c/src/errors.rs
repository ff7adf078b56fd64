//! Converts errors of the Rust library to errors of the C interface.

use std::cell::Cell;
use std::ffi::{CStr, c_int};
use std::io;

use clockbound_client::Error;
use clockbound_client::read_error::{HeaderError, ReadError};

use crate::abi::clockbound_err;

const SYSCALL: c_int = 1;
const NOT_INITIALIZED: c_int = 2;
const MALFORMED: c_int = 3;
const CAUSALITY: c_int = 4;
const VERSION: c_int = 5;
const NOT_READY: c_int = 6;
const UNTRUSTED: c_int = 7;
const NOT_KNOWN: c_int = 8;

thread_local! {
    // The error is not stored in the context, where another thread could overwrite it.
    static LAST: Cell<clockbound_err> = const { Cell::new(clockbound_err::none()) };
}

/// Stores `err` until the next error in this thread, and returns a pointer to it.
pub(crate) fn store(err: clockbound_err) -> *const clockbound_err {
    LAST.with(|last| {
        last.set(err);
        last.as_ptr().cast_const()
    })
}

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

/// Returns the error for a null pointer in a required argument.
pub(crate) fn null_argument() -> clockbound_err {
    with_errno(
        &io::Error::from_raw_os_error(libc::EINVAL),
        c"null pointer argument",
    )
}

/// Converts an error of the Rust library.
pub(crate) fn convert(err: &Error) -> clockbound_err {
    match err {
        Error::Open { source, .. } => convert_read_error(source, c"open"),
        Error::Read(source) => convert_read_error(source, c"mmap"),
        Error::EarlierBoot { .. } => {
            without_errno(NOT_INITIALIZED, c"the segment is from an earlier boot")
        }
        Error::TimeNamespace(_) => {
            let detail = c"failed to read /proc/self/timens_offsets";
            with_errno(&io::Error::from_raw_os_error(libc::ENOENT), detail)
        }
        Error::Causality { .. } => {
            without_errno(CAUSALITY, c"the record is ahead of the monotonic clock")
        }
        Error::Clock(source) => with_errno(source, c"clock_gettime"),
        Error::NotReady { .. } => {
            without_errno(NOT_READY, c"no trusted interval within the timeout")
        }
        Error::Untrusted { reason, .. } => {
            without_errno(UNTRUSTED, crate::abi::reason_name(*reason))
        }
        Error::TooWide { .. } => {
            without_errno(NOT_READY, c"the clock error bound exceeds the maximum")
        }
        Error::NotNative => without_errno(NOT_KNOWN, c"the segment is not of the native layout"),
        Error::TooLongAgo { .. } => {
            without_errno(NOT_KNOWN, c"the instant is too long before the record")
        }
        _ => without_errno(MALFORMED, c"failed to read the segment"),
    }
}

fn convert_read_error(err: &ReadError, call: &'static CStr) -> clockbound_err {
    match err {
        ReadError::Io(source) => with_errno(source, call),
        ReadError::NotAFile => without_errno(MALFORMED, c"not a regular file"),
        ReadError::TooShort { .. } => without_errno(MALFORMED, c"the file is too short"),
        ReadError::Header(HeaderError::Version { .. }) => {
            without_errno(VERSION, c"unsupported layout version")
        }
        ReadError::Header(_) => without_errno(MALFORMED, c"not a segment"),
        ReadError::NotInitialized => {
            without_errno(NOT_INITIALIZED, c"the segment is not initialized")
        }
        ReadError::WriteInProgress => without_errno(NOT_INITIALIZED, c"a write is incomplete"),
        ReadError::Record(_) => without_errno(MALFORMED, c"the record is invalid"),
    }
}

fn without_errno(kind: c_int, detail: &'static CStr) -> clockbound_err {
    clockbound_err {
        kind,
        sys_errno: 0,
        detail: detail.as_ptr(),
    }
}

fn with_errno(err: &io::Error, detail: &'static CStr) -> clockbound_err {
    clockbound_err {
        sys_errno: err.raw_os_error().unwrap_or(libc::ENOENT),
        ..without_errno(SYSCALL, detail)
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
            c"no trusted interval within the timeout; see the log of clockbound, or wait longer"
        }
        UNTRUSTED => c"the clock status is not trusted; see detail and the log of clockbound",
        NOT_KNOWN => c"the segment has no interval at this instant",
        _ => c"unknown error",
    }
}
