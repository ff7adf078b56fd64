//! The C library: implements `include/clockbound.h` with the Rust client library.
//!
//! The symbols and struct layouts are those of the 1.x and 2.x generations. Enumerations are passed
//! as integers, and a value from a C program is checked before it is converted to a Rust enum.

mod abi;
mod errors;

use std::ffi::{CStr, OsStr, c_char, c_int, c_uint};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use clockbound_client::diagnostics::{self, Diagnostics};
use clockbound_client::{Client, DEFAULT_DIRECTORY, Interval, OpenOptions, Reason, Status};

pub use abi::{
    clockbound_err, clockbound_interval, clockbound_now_result, clockbound_record,
    clockbound_timing,
};
use errors::{
    NULL_ARGUMENT, RECORD_SIZE, UNKNOWN_FLAG, constant, convert, convert_diagnostics, write_to,
};

#[cfg(not(target_pointer_width = "64"))]
compile_error!("libclockbound supports 64-bit processors only: elsewhere time_t has two sizes");

/// A handle to the daemon's segment. It is an incomplete type in C.
#[expect(non_camel_case_types, reason = "the name is that of the header")]
#[derive(Debug)]
pub struct clockbound_ctx {
    client: Client,
    /// The second of an interval that was read, UTC since 1970.
    second: AtomicI64,
}

/// Opens the segment at `shm_path`, or in the default directory if it is null.
///
/// # Safety
/// `shm_path` is null or a C string. `err` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_open(
    shm_path: *const c_char,
    err: *mut clockbound_err,
) -> *mut clockbound_ctx {
    // SAFETY: the contract is the same.
    unsafe { clockbound_open_with_vmclock(shm_path, ptr::null(), 0, err) }
}

/// `CLOCKBOUND_OPEN_NO_FOLLOW`
const OPEN_NO_FOLLOW: c_uint = 1;
/// `CLOCKBOUND_REFUSE_SIMULATED`
const REFUSE_SIMULATED: c_uint = 2;

/// Like [`clockbound_open`], with flags.
///
/// # Safety
/// As for [`clockbound_open`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_open_with(
    shm_path: *const c_char,
    flags: c_uint,
    err: *mut clockbound_err,
) -> *mut clockbound_ctx {
    // SAFETY: the contract is the same.
    unsafe { clockbound_open_with_vmclock(shm_path, ptr::null(), flags, err) }
}

/// Like [`clockbound_open_with`], with the path of the VMClock page; null for the default one.
///
/// # Safety
/// As for [`clockbound_open`]. `vmclock_path` is null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_open_with_vmclock(
    shm_path: *const c_char,
    vmclock_path: *const c_char,
    flags: c_uint,
    err: *mut clockbound_err,
) -> *mut clockbound_ctx {
    // SAFETY: the paths are null or C strings by contract.
    let options = unsafe { options_from_c(shm_path, vmclock_path, flags) };
    let Some(options) = options else {
        // SAFETY: `err` is null or writable by contract.
        unsafe { write_to(err, UNKNOWN_FLAG) };
        return ptr::null_mut();
    };
    // SAFETY: `err` is null or writable by contract.
    unsafe { into_handle(options.open(), err) }
}

/// Like [`clockbound_open_with_vmclock`], without flags.
///
/// # Safety
/// As for [`clockbound_open_with_vmclock`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_vmclock_open(
    shm_path: *const c_char,
    vmclock_path: *const c_char,
    err: *mut clockbound_err,
) -> *mut clockbound_ctx {
    // SAFETY: the contract is the same.
    unsafe { clockbound_open_with_vmclock(shm_path, vmclock_path, 0, err) }
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
    // SAFETY: the contract is the same.
    unsafe {
        clockbound_open_when_ready_with(shm_path, ptr::null(), 0, timeout_ns, max_bound_ns, err)
    }
}

/// Like [`clockbound_open_when_ready`], with the arguments of [`clockbound_open_with_vmclock`].
///
/// # Safety
/// As for [`clockbound_open_with_vmclock`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_open_when_ready_with(
    shm_path: *const c_char,
    vmclock_path: *const c_char,
    flags: c_uint,
    timeout_ns: u64,
    max_bound_ns: u64,
    err: *mut clockbound_err,
) -> *mut clockbound_ctx {
    // SAFETY: the paths are null or C strings by contract.
    let options = unsafe { options_from_c(shm_path, vmclock_path, flags) };
    let Some(options) = options else {
        // SAFETY: `err` is null or writable by contract.
        unsafe { write_to(err, UNKNOWN_FLAG) };
        return ptr::null_mut();
    };
    let max_bound = (max_bound_ns > 0).then(|| Duration::from_nanos(max_bound_ns));
    let opened = options.open_when_ready(Duration::from_nanos(timeout_ns), max_bound);
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
    // SAFETY: `ctx` is null or open by contract.
    let Some(ctx) = (unsafe { ctx.as_ref() }) else {
        return &raw const NULL_ARGUMENT;
    };
    if result.is_null() {
        return &raw const NULL_ARGUMENT;
    }
    match ctx.client.now() {
        Ok(interval) => {
            // SAFETY: `result` is writable by contract.
            unsafe { result.write(clockbound_now_result::new(&interval, &ctx.second)) };
            ptr::null()
        }
        Err(err) => constant(&err),
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

/// Reads the interval at the instant at which `CLOCK_REALTIME` read `stamp_ns`.
///
/// # Safety
/// As for [`clockbound_now`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_interval_at_realtime(
    ctx: *mut clockbound_ctx,
    stamp_ns: i64,
    interval: *mut clockbound_interval,
) -> *const clockbound_err {
    // SAFETY: `ctx` and `interval` are null or valid by contract.
    unsafe {
        read_into(ctx, interval, |client| {
            client.interval_at_realtime(stamp_ns)
        })
    }
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
    // SAFETY: the contract is the same.
    unsafe { wait_into(ctx, interval, |client| client.commit_wait_ns(t_ns)) }
}

/// Waits until `t_ns` has certainly passed, for at most `timeout_ns`.
///
/// # Safety
/// As for [`clockbound_commit_wait`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_commit_wait_timeout(
    ctx: *mut clockbound_ctx,
    t_ns: i64,
    timeout_ns: u64,
    interval: *mut clockbound_interval,
) -> *const clockbound_err {
    let timeout = Duration::from_nanos(timeout_ns);
    // SAFETY: the contract is the same.
    unsafe {
        wait_into(ctx, interval, |client| {
            client.commit_wait_timeout_ns(t_ns, timeout)
        })
    }
}

/// Reads the details of the record that was published last.
///
/// # Safety
/// `ctx` is null or open. `record` is null, or writable for the number of bytes in its `size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_record_now(
    ctx: *mut clockbound_ctx,
    record: *mut clockbound_record,
) -> *const clockbound_err {
    // SAFETY: `ctx` is null or open by contract.
    let Some(ctx) = (unsafe { ctx.as_ref() }) else {
        return &raw const NULL_ARGUMENT;
    };
    if record.is_null() {
        return &raw const NULL_ARGUMENT;
    }
    // SAFETY: `record` is not null, so it has a readable size by contract.
    let size = unsafe { (*record).size };
    if size < clockbound_record::FIRST_SIZE {
        return &raw const RECORD_SIZE;
    }
    match ctx.client.record() {
        Ok(details) => {
            let details = clockbound_record::new(size, &details);
            // The struct of a program for another version ends earlier or later.
            let known = size.min(size_of::<clockbound_record>());
            let bytes = (&raw const details).cast::<u8>();
            // SAFETY: `record` is writable for `size` bytes, and `details` has as many as `known`.
            unsafe { bytes.copy_to_nonoverlapping(record.cast(), known) };
            ptr::null()
        }
        Err(err) => constant(&err),
    }
}

/// Writes what the daemon's diagnostics say, in sentences, to `buffer`: as much as fits, and a zero
/// byte. Returns the length of the whole text; 0 after an error.
///
/// # Safety
/// `path` is null or a C string. `buffer` is writable for `size` bytes, or null if `size` is 0.
/// `err` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_explain(
    path: *const c_char,
    buffer: *mut c_char,
    size: usize,
    err: *mut clockbound_err,
) -> usize {
    if buffer.is_null() && size > 0 {
        // SAFETY: `err` is null or writable by contract.
        unsafe { write_to(err, NULL_ARGUMENT) };
        return 0;
    }
    // SAFETY: `path` is null or a C string by contract.
    let read = diagnostics::read(unsafe { path_from_c(path) });
    let (text, outcome) = match &read {
        Ok(read) => (explained(read), clockbound_err::none()),
        Err(cause) => (String::new(), convert_diagnostics(cause)),
    };
    // SAFETY: `err` is null or writable by contract.
    unsafe { write_to(err, outcome) };
    if let Some(room) = size.checked_sub(1) {
        let fits = |&length: &usize| text.is_char_boundary(length);
        let length = (0..=room.min(text.len())).rev().find(fits).unwrap_or(0);
        // SAFETY: `buffer` is writable for `size` bytes by contract, which are more than `length`.
        unsafe {
            text.as_ptr().copy_to_nonoverlapping(buffer.cast(), length);
            buffer.add(length).write(0);
        }
    }
    text.len()
}

/// One statement a line, with its advice; lines for chrony.conf are indented.
fn explained(read: &Diagnostics) -> String {
    let statements = diagnostics::explain(read);
    statements.iter().map(|it| format!("{it}\n")).collect()
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

/// Returns the middle of the interval, rounded down; 0 for a null pointer.
///
/// # Safety
/// As for [`clockbound_is_after`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_midpoint_ns(interval: *const clockbound_interval) -> i64 {
    // SAFETY: `interval` is null or readable by contract.
    unsafe { interval.as_ref() }.map_or(0, |it| it.earliest_ns.midpoint(it.latest_ns))
}

/// Returns the order of two intervals, a value of `clockbound_order`.
///
/// # Safety
/// `a` and `b` are null or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_compare(
    a: *const clockbound_interval,
    b: *const clockbound_interval,
) -> c_int {
    let no_claim = clockbound_interval::NO_CLAIM;
    // SAFETY: the pointers are null or readable by contract.
    let (a, b) = unsafe { (a.as_ref(), b.as_ref()) };
    a.unwrap_or(&no_claim).order(b.unwrap_or(&no_claim))
}

/// Returns whether every time of `a` is before every time of `b`.
///
/// # Safety
/// As for [`clockbound_compare`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_interval_is_before(
    a: *const clockbound_interval,
    b: *const clockbound_interval,
) -> bool {
    // SAFETY: the pointers are null or readable by contract.
    let (a, b) = unsafe { (a.as_ref(), b.as_ref()) };
    a.zip(b).is_some_and(|(a, b)| a.is_before(b))
}

/// Returns whether every time of `a` is after every time of `b`.
///
/// # Safety
/// As for [`clockbound_compare`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_interval_is_after(
    a: *const clockbound_interval,
    b: *const clockbound_interval,
) -> bool {
    // SAFETY: the contract is that of `clockbound_interval_is_before`.
    unsafe { clockbound_interval_is_before(b, a) }
}

/// Converts ns of UTC since 1970 to a timespec.
#[unsafe(no_mangle)]
pub extern "C" fn clockbound_timespec_from_ns(ns: i64) -> libc::timespec {
    abi::timespec(ns)
}

/// Converts a timespec to ns of UTC since 1970. Saturates at the limits of 64 bits.
#[unsafe(no_mangle)]
pub extern "C" fn clockbound_ns_from_timespec(time: libc::timespec) -> i64 {
    abi::ns_of(&time)
}

/// Reads the interval before an operation.
///
/// # Safety
/// `ctx` is null or open. `timing` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_timing_begin(
    ctx: *mut clockbound_ctx,
    timing: *mut clockbound_timing,
) -> *const clockbound_err {
    if timing.is_null() {
        return &raw const NULL_ARGUMENT;
    }
    // SAFETY: `timing` is writable by contract, and it need not be initialized.
    unsafe { (&raw mut (*timing).ended).write(clockbound_interval::NO_CLAIM) };
    // SAFETY: `ctx` is null or open by contract, and `timing` is writable.
    unsafe { clockbound_interval_now(ctx, &raw mut (*timing).began) }
}

/// Reads the interval after an operation.
///
/// # Safety
/// As for [`clockbound_timing_begin`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clockbound_timing_end(
    ctx: *mut clockbound_ctx,
    timing: *mut clockbound_timing,
) -> *const clockbound_err {
    if timing.is_null() {
        return &raw const NULL_ARGUMENT;
    }
    // SAFETY: `ctx` is null or open by contract, and `timing` is writable.
    unsafe { clockbound_interval_now(ctx, &raw mut (*timing).ended) }
}

/// Returns the version of this library.
#[unsafe(no_mangle)]
pub extern "C" fn clockbound_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
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

/// The path of the 2.x header.
const SHM_DEFAULT_PATH: &str = "/var/run/clockbound/shm0";

/// Converts a path from C. Null is the default directory, and so is the default path: a daemon of
/// the 1.x generation publishes another file beside it, and a file that an earlier daemon left may
/// be there.
///
/// # Safety
/// `path` is null or a C string that outlives the result.
unsafe fn path_from_c<'a>(path: *const c_char) -> &'a Path {
    if path.is_null() {
        return Path::new(DEFAULT_DIRECTORY);
    }
    // SAFETY: `path` is a C string by contract.
    let path = unsafe { CStr::from_ptr(path) };
    let path = Path::new(OsStr::from_bytes(path.to_bytes()));
    if path == Path::new(SHM_DEFAULT_PATH) {
        return Path::new(DEFAULT_DIRECTORY);
    }
    path
}

/// Converts the arguments of a function that opens. Returns `None` for an unknown flag.
///
/// # Safety
/// The paths are null or C strings.
unsafe fn options_from_c(
    shm_path: *const c_char,
    vmclock_path: *const c_char,
    flags: c_uint,
) -> Option<OpenOptions> {
    if flags & !(OPEN_NO_FOLLOW | REFUSE_SIMULATED) != 0 {
        return None;
    }
    // SAFETY: `shm_path` is null or a C string by contract.
    let options = OpenOptions::new().path(unsafe { path_from_c(shm_path) });
    let options = options
        .follow(flags & OPEN_NO_FOLLOW == 0)
        .refuse_simulated(flags & REFUSE_SIMULATED != 0);
    if vmclock_path.is_null() {
        return Some(options);
    }
    // SAFETY: `vmclock_path` is a C string by contract.
    let vmclock = unsafe { CStr::from_ptr(vmclock_path) };
    Some(options.vmclock(OsStr::from_bytes(vmclock.to_bytes())))
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
            let second = AtomicI64::new(0);
            Box::into_raw(Box::new(clockbound_ctx { client, second }))
        }
        Err(cause) => {
            // SAFETY: `err` is null or writable by contract.
            unsafe { write_to(err, convert(&cause)) };
            ptr::null_mut()
        }
    }
}

/// Like [`read_into`], for an `interval` that may be null.
///
/// # Safety
/// As for [`clockbound_commit_wait`].
unsafe fn wait_into(
    ctx: *mut clockbound_ctx,
    interval: *mut clockbound_interval,
    wait: impl FnOnce(&Client) -> Result<Interval, clockbound_client::Error>,
) -> *const clockbound_err {
    let mut discarded = clockbound_interval::NO_CLAIM;
    let interval = if interval.is_null() {
        &raw mut discarded
    } else {
        interval
    };
    // SAFETY: `interval` is writable: the argument by contract, or the local variable.
    unsafe { read_into(ctx, interval, wait) }
}

/// Writes the interval that `read` returns to `interval`; after an error, one that claims nothing.
///
/// # Safety
/// As for [`clockbound_now`].
#[inline(always)]
unsafe fn read_into(
    ctx: *mut clockbound_ctx,
    interval: *mut clockbound_interval,
    read: impl FnOnce(&Client) -> Result<Interval, clockbound_client::Error>,
) -> *const clockbound_err {
    if interval.is_null() {
        return &raw const NULL_ARGUMENT;
    }
    // SAFETY: `ctx` is null or open by contract.
    let (value, err) = match unsafe { ctx.as_ref() }.map(|ctx| read(&ctx.client)) {
        Some(Ok(value)) => (clockbound_interval::from(&value), ptr::null()),
        Some(Err(err)) => (clockbound_interval::NO_CLAIM, ptr::from_ref(constant(&err))),
        None => (clockbound_interval::NO_CLAIM, &raw const NULL_ARGUMENT),
    };
    // SAFETY: `interval` is writable by contract.
    unsafe { interval.write(value) };
    err
}
