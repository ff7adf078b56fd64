//! The C boundary: `include/clockbound.h`, over the Rust client library.
//!
//! Symbols and layouts are those that programs of the 1.x and 2.x generations were linked with. Numbers cross the
//! border as integers; what a C program hands over is never taken for an enum.

mod abi;
mod errors;

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::time::Duration;

use clockbound_client::{Client, DEFAULT_DIRECTORY, Interval, Reason, Status};

pub use abi::{clockbound_err, clockbound_interval, clockbound_now_result};
use errors::{fill, invalid, of, remember};

/// What [`clockbound_now`] says in given surroundings, for the conformance tests; an error's kind otherwise.
///
/// # Errors
/// The kind of the error.
#[doc(hidden)]
pub fn now_given(
    path: &Path,
    surroundings: &clockbound_client::conformance::Environment,
) -> Result<clockbound_now_result, c_int> {
    clockbound_client::conformance::interval_in(path, surroundings)
        .map(|interval| clockbound_now_result::from(&interval))
        .map_err(|err| of(&err).kind)
}

/// A handle on the daemon's segment. C sees an incomplete type.
#[allow(non_camel_case_types)]
#[derive(Debug)]
pub struct clockbound_ctx(Client);

/// Opens the segment at `shm_path`; the default directory for a null pointer.
///
/// # Safety
/// `shm_path` is null or a C string, `err` null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_open(
    shm_path: *const c_char,
    err: *mut clockbound_err,
) -> *mut clockbound_ctx {
    // SAFETY: the caller's word.
    let path = unsafe { path_of(shm_path) };
    // SAFETY: the caller's word.
    unsafe { handle(Client::open_at(path), err) }
}

/// As [`clockbound_open`]; the device is not read yet.
///
/// # Safety
/// As [`clockbound_open`]. `vmclock_path` is not looked at.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_vmclock_open(
    shm_path: *const c_char,
    _vmclock_path: *const c_char,
    err: *mut clockbound_err,
) -> *mut clockbound_ctx {
    // SAFETY: the caller's word.
    unsafe { clockbound_open(shm_path, err) }
}

/// Waits for an interval that can be relied on, and is narrow enough.
///
/// # Safety
/// As [`clockbound_open`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_open_when_ready(
    shm_path: *const c_char,
    timeout_ns: u64,
    max_bound_ns: u64,
    err: *mut clockbound_err,
) -> *mut clockbound_ctx {
    // SAFETY: the caller's word.
    let path = unsafe { path_of(shm_path) };
    let max_bound = (max_bound_ns > 0).then(|| Duration::from_nanos(max_bound_ns));
    let timeout = Duration::from_nanos(timeout_ns);
    let opened = Client::open_when_ready_at(path, timeout, max_bound);
    // SAFETY: the caller's word.
    unsafe { handle(opened, err) }
}

/// Closes what was opened.
///
/// # Safety
/// `ctx` is null or was opened here, is not closed yet, and no other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_close(ctx: *mut clockbound_ctx) -> *const clockbound_err {
    if !ctx.is_null() {
        // SAFETY: from Box::into_raw, the caller's word that it is the only one left.
        drop(unsafe { Box::from_raw(ctx) });
    }
    ptr::null()
}

/// The interval now.
///
/// # Safety
/// `ctx` is null or open, `result` null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_now(
    ctx: *mut clockbound_ctx,
    result: *mut clockbound_now_result,
) -> *const clockbound_err {
    // SAFETY: the caller's word.
    let (Some(ctx), Some(result)) = (unsafe { ctx.as_ref() }, unsafe { result.as_mut() }) else {
        return remember(invalid());
    };
    match ctx.0.now() {
        Ok(interval) => {
            *result = clockbound_now_result::from(&interval);
            ptr::null()
        }
        Err(err) => remember(of(&err)),
    }
}

/// The interval now, in nanoseconds and with its reason.
///
/// # Safety
/// As [`clockbound_now`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_interval_now(
    ctx: *mut clockbound_ctx,
    interval: *mut clockbound_interval,
) -> *const clockbound_err {
    // SAFETY: the caller's word.
    unsafe { answer(ctx, interval, Client::now) }
}

/// The interval at another instant of `CLOCK_MONOTONIC_RAW`, ns.
///
/// # Safety
/// As [`clockbound_now`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_interval_at(
    ctx: *mut clockbound_ctx,
    raw_ns: i64,
    interval: *mut clockbound_interval,
) -> *const clockbound_err {
    // SAFETY: the caller's word.
    unsafe { answer(ctx, interval, |client| client.interval_at(raw_ns)) }
}

/// Returns when `t_ns` has certainly passed.
///
/// # Safety
/// As [`clockbound_now`]; `interval` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_commit_wait(
    ctx: *mut clockbound_ctx,
    t_ns: i64,
    interval: *mut clockbound_interval,
) -> *const clockbound_err {
    let mut unwanted = clockbound_interval::default();
    let interval = if interval.is_null() {
        &raw mut unwanted
    } else {
        interval
    };
    // SAFETY: the caller's word, or our own variable.
    unsafe { answer(ctx, interval, |client| client.commit_wait_ns(t_ns)) }
}

/// Whether `t_ns` has certainly passed.
///
/// # Safety
/// `interval` is null or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_is_after(
    interval: *const clockbound_interval,
    t_ns: i64,
) -> bool {
    // SAFETY: the caller's word.
    unsafe { interval.as_ref() }.is_some_and(|it| it.is_trusted() && t_ns < it.earliest_ns)
}

/// Whether `t_ns` has certainly not come yet.
///
/// # Safety
/// As [`clockbound_is_after`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_is_before(
    interval: *const clockbound_interval,
    t_ns: i64,
) -> bool {
    // SAFETY: the caller's word.
    unsafe { interval.as_ref() }.is_some_and(|it| it.is_trusted() && it.latest_ns < t_ns)
}

/// Half the width, rounded up; the largest number for a null pointer.
///
/// # Safety
/// As [`clockbound_is_after`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_bound_ns(interval: *const clockbound_interval) -> i64 {
    // SAFETY: the caller's word.
    unsafe { interval.as_ref() }.map_or(i64::MAX, clockbound_interval::bound_ns)
}

/// What went wrong, and what to do.
///
/// # Safety
/// `err` is null or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_strerror(err: *const clockbound_err) -> *const c_char {
    // SAFETY: the caller's word.
    let err = unsafe { err.as_ref() };
    errors::advice(err.map_or(0, |err| err.kind)).as_ptr()
}

/// The daemon's word for a status.
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

/// The daemon's word for a reason.
#[unsafe(no_mangle)]
pub extern "C" fn clockbound_reason_name(reason: c_int) -> *const c_char {
    let reason = u8::try_from(reason).map_or(Reason::Untold, Reason::from);
    abi::reason_name(reason).as_ptr()
}

/// # Safety
/// `path` is null or a C string that outlives the result.
unsafe fn path_of<'a>(path: *const c_char) -> &'a Path {
    if path.is_null() {
        return Path::new(DEFAULT_DIRECTORY);
    }
    // SAFETY: the caller's word.
    let path = unsafe { CStr::from_ptr(path) };
    Path::new(OsStr::from_bytes(path.to_bytes()))
}

/// # Safety
/// `err` is null or writable.
unsafe fn handle(
    opened: Result<Client, clockbound_client::Error>,
    err: *mut clockbound_err,
) -> *mut clockbound_ctx {
    match opened {
        Ok(client) => {
            // SAFETY: the caller's word.
            unsafe { fill(err, clockbound_err::none()) };
            Box::into_raw(Box::new(clockbound_ctx(client)))
        }
        Err(cause) => {
            // SAFETY: the caller's word.
            unsafe { fill(err, of(&cause)) };
            ptr::null_mut()
        }
    }
}

/// # Safety
/// As [`clockbound_now`].
unsafe fn answer(
    ctx: *mut clockbound_ctx,
    interval: *mut clockbound_interval,
    ask: impl FnOnce(&Client) -> Result<Interval, clockbound_client::Error>,
) -> *const clockbound_err {
    // SAFETY: the caller's word.
    let (Some(ctx), Some(interval)) = (unsafe { ctx.as_ref() }, unsafe { interval.as_mut() })
    else {
        return remember(invalid());
    };
    match ask(&ctx.0) {
        Ok(answer) => {
            *interval = clockbound_interval::from(&answer);
            ptr::null()
        }
        Err(err) => remember(of(&err)),
    }
}
