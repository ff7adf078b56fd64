//! Errors, as C programs of the field know them.

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
    // A pointer into a shared context would be another thread's to overwrite.
    static LAST: Cell<clockbound_err> = const { Cell::new(clockbound_err::none()) };
}

/// Keeps `err` for this thread, until its next error.
pub(crate) fn remember(err: clockbound_err) -> *const clockbound_err {
    LAST.with(|last| {
        last.set(err);
        last.as_ptr().cast_const()
    })
}

/// # Safety
/// `target` is null or writable.
pub(crate) unsafe fn fill(target: *mut clockbound_err, err: clockbound_err) {
    if !target.is_null() {
        // SAFETY: the caller's word.
        unsafe { target.write(err) };
    }
}

/// A null pointer where there must be something.
pub(crate) fn invalid() -> clockbound_err {
    system(
        &io::Error::from_raw_os_error(libc::EINVAL),
        c"a null pointer",
    )
}

/// The error as C has it.
pub(crate) fn of(err: &Error) -> clockbound_err {
    match err {
        Error::Open { source, .. } => reading(source, c"open"),
        Error::Read(source) => reading(source, c"mmap"),
        Error::EarlierBoot { .. } => plain(NOT_INITIALIZED, c"the segment is of an earlier boot"),
        Error::TimeNamespace(_) => {
            let detail = c"the time namespace cannot be told: /proc/self/timens_offsets";
            system(&io::Error::from_raw_os_error(libc::ENOENT), detail)
        }
        Error::Causality { .. } => plain(CAUSALITY, c"the segment is from the future"),
        Error::Clock(source) => system(source, c"clock_gettime"),
        Error::NotReady { .. } => plain(NOT_READY, c"no interval to rely on came in time"),
        Error::Untrusted { reason, .. } => plain(UNTRUSTED, crate::abi::reason_name(*reason)),
        Error::TooWide { .. } => plain(NOT_READY, c"the bound is too wide"),
        Error::NotNative => plain(NOT_KNOWN, c"the segment is not of the native layout"),
        Error::TooLongAgo { .. } => plain(NOT_KNOWN, c"the instant is too long ago"),
        _ => plain(MALFORMED, c"the segment cannot be read"),
    }
}

fn reading(err: &ReadError, call: &'static CStr) -> clockbound_err {
    match err {
        ReadError::Io(source) => system(source, call),
        ReadError::NotAFile => plain(MALFORMED, c"not a regular file"),
        ReadError::TooShort { .. } => plain(MALFORMED, c"the file is too short"),
        ReadError::Header(HeaderError::Version { .. }) => plain(VERSION, c"a layout to come"),
        ReadError::Header(_) => plain(MALFORMED, c"not a segment"),
        ReadError::NotInitialized => plain(NOT_INITIALIZED, c"nothing was written yet"),
        ReadError::WriteInProgress => plain(NOT_INITIALIZED, c"a write was cut short"),
        ReadError::Record(_) => plain(MALFORMED, c"the record makes no sense"),
    }
}

fn plain(kind: c_int, detail: &'static CStr) -> clockbound_err {
    clockbound_err {
        kind,
        sys_errno: 0,
        detail: detail.as_ptr(),
    }
}

fn system(err: &io::Error, detail: &'static CStr) -> clockbound_err {
    clockbound_err {
        sys_errno: err.raw_os_error().unwrap_or(libc::ENOENT),
        ..plain(SYSCALL, detail)
    }
}

/// What went wrong, and what to do.
pub(crate) fn advice(kind: c_int) -> &'static CStr {
    match kind {
        0 => c"no error",
        SYSCALL => {
            c"a system call failed, see sys_errno; is clockbound running, and does it publish here?"
        }
        NOT_INITIALIZED => {
            c"the segment was not written yet; is clockbound running? try again later"
        }
        MALFORMED => c"this is no segment of clockbound, or holds nonsense; check the path",
        CAUSALITY => c"the segment is from the future: another boot, or time namespace",
        VERSION => c"the segment is of a layout to come; update this library",
        NOT_READY => {
            c"no interval that can be relied on came in time; see clockbound's log, or wait longer"
        }
        UNTRUSTED => {
            c"the clock status is not one to rely on; detail has the reason, clockbound's log more"
        }
        NOT_KNOWN => c"this segment cannot say what the time was then",
        _ => c"no error of clockbound's",
    }
}
