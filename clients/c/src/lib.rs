//! The C library: implements `include/clockbound.h` with the Rust client library.
//!
//! The symbols and struct layouts are those of the 1.x and 2.x generations. Enumerations are passed
//! as integers, and a value from a C program is checked before it is converted to a Rust enum.

mod abi;
mod errors;

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::time::Duration;

use clockbound_client::{Client, DEFAULT_DIRECTORY, Interval, Reason, Status};

pub use abi::{clockbound_err, clockbound_interval, clockbound_now_result};
use errors::{convert, null_argument, store, write_to};

/// Returns the result of [`clockbound_now`] in `environment`, for the conformance tests.
///
/// # Errors
/// The value of `clockbound_err_kind`.
#[doc(hidden)]
pub fn now_in(
    path: &Path,
    environment: &clockbound_client::conformance::Environment,
) -> Result<clockbound_now_result, c_int> {
    clockbound_client::conformance::interval_in(path, environment)
        .map(|interval| clockbound_now_result::from(&interval))
        .map_err(|err| convert(&err).kind)
}

/// A handle to the daemon's segment. It is an incomplete type in C.
#[expect(non_camel_case_types, reason = "the name is that of the header")]
#[derive(Debug)]
pub struct clockbound_ctx(Client);

/// Opens the segment at `shm_path`, or in the default directory if it is null.
///
/// # Safety
/// `shm_path` is null or a C string. `err` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_open(
    shm_path: *const c_char,
    err: *mut clockbound_err,
) -> *mut clockbound_ctx {
    // SAFETY: `shm_path` is null or a C string by contract.
    let path = unsafe { path_from_c(shm_path) };
    // SAFETY: `err` is null or writable by contract.
    unsafe { into_handle(Client::open_at(path), err) }
}

/// Like [`clockbound_open`]. The VMClock device is not read.
///
/// # Safety
/// As for [`clockbound_open`]. `vmclock_path` is not used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_vmclock_open(
    shm_path: *const c_char,
    _vmclock_path: *const c_char,
    err: *mut clockbound_err,
) -> *mut clockbound_ctx {
    // SAFETY: the contract is that of `clockbound_open`.
    unsafe { clockbound_open(shm_path, err) }
}

/// Waits for a trusted interval with a clock error bound of at most `max_bound_ns`, 0 for any.
///
/// # Safety
/// As for [`clockbound_open`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_open_when_ready(
    shm_path: *const c_char,
    timeout_ns: u64,
    max_bound_ns: u64,
    err: *mut clockbound_err,
) -> *mut clockbound_ctx {
    // SAFETY: `shm_path` is null or a C string by contract.
    let path = unsafe { path_from_c(shm_path) };
    let max_bound = (max_bound_ns > 0).then(|| Duration::from_nanos(max_bound_ns));
    let timeout = Duration::from_nanos(timeout_ns);
    let opened = Client::open_when_ready_at(path, timeout, max_bound);
    // SAFETY: `err` is null or writable by contract.
    unsafe { into_handle(opened, err) }
}

/// Closes a handle.
///
/// # Safety
/// `ctx` is null, or a handle that is open and that no other thread uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_close(ctx: *mut clockbound_ctx) -> *const clockbound_err {
    if !ctx.is_null() {
        // SAFETY: the pointer is from Box::into_raw, and the caller guarantees that it is the last.
        drop(unsafe { Box::from_raw(ctx) });
    }
    ptr::null()
}

/// Reads the interval at the present.
///
/// # Safety
/// `ctx` is null or open. `result` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_now(
    ctx: *mut clockbound_ctx,
    result: *mut clockbound_now_result,
) -> *const clockbound_err {
    // SAFETY: the pointers are null or valid by contract.
    let (Some(ctx), Some(result)) = (unsafe { ctx.as_ref() }, unsafe { result.as_mut() }) else {
        return store(null_argument());
    };
    match ctx.0.now() {
        Ok(interval) => {
            *result = clockbound_now_result::from(&interval);
            ptr::null()
        }
        Err(err) => store(convert(&err)),
    }
}

/// Reads the interval at the present, in ns and with the reason of its status.
///
/// # Safety
/// As for [`clockbound_now`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_interval_now(
    ctx: *mut clockbound_ctx,
    interval: *mut clockbound_interval,
) -> *const clockbound_err {
    // SAFETY: `ctx` and `interval` are null or valid by contract.
    unsafe { read_into(ctx, interval, Client::now) }
}

/// Reads the interval at the instant `raw_ns` of `CLOCK_MONOTONIC_RAW`.
///
/// # Safety
/// As for [`clockbound_now`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_interval_at(
    ctx: *mut clockbound_ctx,
    raw_ns: i64,
    interval: *mut clockbound_interval,
) -> *const clockbound_err {
    // SAFETY: `ctx` and `interval` are null or valid by contract.
    unsafe { read_into(ctx, interval, |client| client.interval_at(raw_ns)) }
}

/// Waits until `t_ns` has certainly passed.
///
/// # Safety
/// As for [`clockbound_now`]. `interval` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_commit_wait(
    ctx: *mut clockbound_ctx,
    t_ns: i64,
    interval: *mut clockbound_interval,
) -> *const clockbound_err {
    let mut discarded = clockbound_interval::default();
    let interval = if interval.is_null() {
        &raw mut discarded
    } else {
        interval
    };
    // SAFETY: `interval` is writable: the argument by contract, or the local variable.
    unsafe { read_into(ctx, interval, |client| client.commit_wait_ns(t_ns)) }
}

/// Returns whether `t_ns` has certainly passed; false while the status is not trusted.
///
/// # Safety
/// `interval` is null or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_is_after(
    interval: *const clockbound_interval,
    t_ns: i64,
) -> bool {
    // SAFETY: `interval` is null or readable by contract.
    unsafe { interval.as_ref() }.is_some_and(|it| it.is_trusted() && t_ns < it.earliest_ns)
}

/// Returns whether `t_ns` is certainly in the future; false while the status is not trusted.
///
/// # Safety
/// As for [`clockbound_is_after`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_is_before(
    interval: *const clockbound_interval,
    t_ns: i64,
) -> bool {
    // SAFETY: `interval` is null or readable by contract.
    unsafe { interval.as_ref() }.is_some_and(|it| it.is_trusted() && it.latest_ns < t_ns)
}

/// Returns half the width in ns, rounded up; `i64::MAX` for a null pointer.
///
/// # Safety
/// As for [`clockbound_is_after`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_bound_ns(interval: *const clockbound_interval) -> i64 {
    // SAFETY: `interval` is null or readable by contract.
    unsafe { interval.as_ref() }.map_or(i64::MAX, clockbound_interval::bound_ns)
}

/// Returns the message of an error.
///
/// # Safety
/// `err` is null or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_strerror(err: *const clockbound_err) -> *const c_char {
    // SAFETY: `err` is null or readable by contract.
    let err = unsafe { err.as_ref() };
    errors::message(err.map_or(0, |err| err.kind)).as_ptr()
}

/// Returns the name of a status as in the daemon's log.
#[unsafe(no_mangle)]
pub extern "C" fn clockbound_status_name(status: c_int) -> *const c_char {
    let name = Status::try_from(status).map_or(c"no status", |status| match status {
        Status::Unknown => c"unknown",
        Status::Synchronized => c"synchronized",
        Status::FreeRunning => c"free_running",
        Status::Disrupted => c"disrupted",
    });
    name.as_ptr()
}

/// Returns the name of a reason as in the daemon's log.
#[unsafe(no_mangle)]
pub extern "C" fn clockbound_reason_name(reason: c_int) -> *const c_char {
    let reason = u8::try_from(reason).map_or(Reason::Untold, Reason::from);
    abi::reason_name(reason).as_ptr()
}

/// Converts a path from C. Null is the default directory.
///
/// # Safety
/// `path` is null or a C string that outlives the result.
unsafe fn path_from_c<'a>(path: *const c_char) -> &'a Path {
    if path.is_null() {
        return Path::new(DEFAULT_DIRECTORY);
    }
    // SAFETY: `path` is a C string by contract.
    let path = unsafe { CStr::from_ptr(path) };
    Path::new(OsStr::from_bytes(path.to_bytes()))
}

/// Returns a handle, or null and the error in `err`.
///
/// # Safety
/// `err` is null or writable.
unsafe fn into_handle(
    opened: Result<Client, clockbound_client::Error>,
    err: *mut clockbound_err,
) -> *mut clockbound_ctx {
    match opened {
        Ok(client) => {
            // SAFETY: `err` is null or writable by contract.
            unsafe { write_to(err, clockbound_err::none()) };
            Box::into_raw(Box::new(clockbound_ctx(client)))
        }
        Err(cause) => {
            // SAFETY: `err` is null or writable by contract.
            unsafe { write_to(err, convert(&cause)) };
            ptr::null_mut()
        }
    }
}

/// Writes the interval that `read` returns to `interval`.
///
/// # Safety
/// As for [`clockbound_now`].
unsafe fn read_into(
    ctx: *mut clockbound_ctx,
    interval: *mut clockbound_interval,
    read: impl FnOnce(&Client) -> Result<Interval, clockbound_client::Error>,
) -> *const clockbound_err {
    // SAFETY: the pointers are null or valid by contract.
    let (Some(ctx), Some(interval)) = (unsafe { ctx.as_ref() }, unsafe { interval.as_mut() })
    else {
        return store(null_argument());
    };
    match read(&ctx.0) {
        Ok(value) => {
            *interval = clockbound_interval::from(&value);
            ptr::null()
        }
        Err(err) => store(convert(&err)),
    }
}
