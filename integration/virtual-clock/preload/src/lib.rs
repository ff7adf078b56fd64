//! Replaces CLOCK_REALTIME by the virtual clock in the process that loads this library: see
//! `virtual_clock`.
//!
//! It defines functions under libc's names and calls libc's own through `dlsym(RTLD_NEXT)`, so the
//! machine's clocks are read through the vDSO.
#![expect(unsafe_code, reason = "C functions, whose callers pass pointers")]
#![expect(
    clippy::missing_safety_doc,
    reason = "each function is called as libc's of the same name"
)]

mod libc_own;
mod packets;
mod timers;

use std::env;
use std::path::Path;
use std::sync::OnceLock;

use libc::{c_int, clockid_t, time_t, timespec, timeval, timex};
use virtual_clock::{STATE_VARIABLE, SharedClock, State};

const NS_PER_S: i64 = 1_000_000_000;

/// The clock of this process, if it has one.
fn clock() -> Option<&'static SharedClock> {
    static CLOCK: OnceLock<Option<SharedClock>> = OnceLock::new();
    let open = || {
        let path = env::var_os(STATE_VARIABLE)?;
        match SharedClock::open(Path::new(&path)) {
            Ok(clock) => Some(clock),
            Err(err) => {
                // The program must not use the machine's clock in place of the virtual one.
                eprintln!("virtual clock: {}: {err}", path.display());
                std::process::abort();
            }
        }
    };
    CLOCK.get_or_init(open).as_ref()
}

/// CLOCK_MONOTONIC_RAW in ns, through the vDSO.
fn raw_ns() -> i64 {
    machine_ns(libc::CLOCK_MONOTONIC_RAW)
}

fn machine_ns(id: clockid_t) -> i64 {
    let mut time = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: libc's own function, and a pointer to a timespec that outlives the call.
    unsafe { libc_own::clock_gettime(id, &raw mut time) };
    ns_of(&time)
}

fn ns_of(time: &timespec) -> i64 {
    time.tv_sec * NS_PER_S + time.tv_nsec
}

fn timespec_of(ns: i64) -> timespec {
    timespec {
        tv_sec: ns.div_euclid(NS_PER_S),
        tv_nsec: ns.rem_euclid(NS_PER_S),
    }
}

fn timeval_of(ns: i64) -> timeval {
    timeval {
        tv_sec: ns.div_euclid(NS_PER_S),
        tv_usec: ns.rem_euclid(NS_PER_S) / 1_000,
    }
}

fn fail(errno: c_int) -> c_int {
    // SAFETY: errno's place is this thread's own.
    unsafe { *libc::__errno_location() = errno };
    -1
}

/// Changes the clock; returns -1 with errno when the file cannot be written to.
fn update(clock: &SharedClock, change: impl FnMut(&mut State, i64) -> c_int) -> c_int {
    match clock.update(change) {
        Ok(result) => result,
        Err(err) if err.kind() == std::io::ErrorKind::PermissionDenied => fail(libc::EPERM),
        Err(err) => fail(err.raw_os_error().unwrap_or(libc::EIO)),
    }
}

/// clock_gettime(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(id: clockid_t, time: *mut timespec) -> c_int {
    if let libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_TAI = id
        && let Some(clock) = clock()
    {
        let tai_ns = match id {
            libc::CLOCK_TAI => clock.state().tai_s * NS_PER_S,
            _ => 0,
        };
        let now = timespec_of(clock.at(raw_ns) + tai_ns);
        // SAFETY: the caller's pointer is to a timespec.
        unsafe { time.write(now) };
        return 0;
    }
    // SAFETY: the caller's arguments, as they are.
    unsafe { libc_own::clock_gettime(id, time) }
}

/// gettimeofday(2); there is no time zone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(time: *mut timeval, zone: *mut libc::timezone) -> c_int {
    let Some(clock) = clock() else {
        // SAFETY: the caller's arguments, as they are.
        return unsafe { libc_own::gettimeofday(time, zone) };
    };
    if !time.is_null() {
        // SAFETY: the caller's pointer is to a timeval.
        unsafe { time.write(timeval_of(clock.at(raw_ns))) };
    }
    if !zone.is_null() {
        // SAFETY: the caller's pointer is to a struct of two integers.
        unsafe { zone.write_bytes(0, 1) };
    }
    0
}

/// time(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn time(place: *mut time_t) -> time_t {
    let Some(clock) = clock() else {
        // SAFETY: the caller's argument, as it is.
        return unsafe { libc_own::time(place) };
    };
    let now = clock.at(raw_ns).div_euclid(NS_PER_S);
    if !place.is_null() {
        // SAFETY: the caller's pointer is to a time_t.
        unsafe { place.write(now) };
    }
    now
}

/// clock_settime(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_settime(id: clockid_t, time: *const timespec) -> c_int {
    match clock() {
        Some(clock) if id == libc::CLOCK_REALTIME => {
            // SAFETY: the caller's pointer is to a timespec.
            let time = unsafe { time.read() };
            set(clock, time.tv_sec, time.tv_nsec)
        }
        // SAFETY: the caller's arguments, as they are.
        _ => unsafe { libc_own::clock_settime(id, time) },
    }
}

/// settimeofday(2); a time zone is not kept.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn settimeofday(time: *const timeval, zone: *const libc::timezone) -> c_int {
    let Some(clock) = clock() else {
        // SAFETY: the caller's arguments, as they are.
        return unsafe { libc_own::settimeofday(time, zone) };
    };
    if time.is_null() {
        return 0;
    }
    // SAFETY: the caller's pointer is to a timeval.
    let time = unsafe { time.read() };
    set(clock, time.tv_sec, time.tv_usec.saturating_mul(1_000))
}

fn set(clock: &SharedClock, s: i64, ns: i64) -> c_int {
    if s < 0 || !(0..NS_PER_S).contains(&ns) {
        return fail(libc::EINVAL);
    }
    update(clock, |state, raw_ns| {
        state.set(raw_ns, s * NS_PER_S + ns);
        0
    })
}

/// adjtimex(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn adjtimex(request: *mut timex) -> c_int {
    let Some(clock) = clock() else {
        // SAFETY: the caller's argument, as it is.
        return unsafe { libc_own::adjtimex(request) };
    };
    // SAFETY: the caller's pointer is to a timex that is not used elsewhere during the call.
    let request = unsafe { &mut *request };
    if request.modes == 0 {
        // A report needs no lock.
        let mut state = clock.state();
        return state.adjust(raw_ns(), request).unwrap_or_else(fail);
    }
    // The report replaces the request.
    let asked = *request;
    update(clock, |state, raw_ns| {
        *request = asked;
        state.adjust(raw_ns, request).unwrap_or_else(fail)
    })
}

/// ntp_adjtime(3): adjtimex(2) by its other name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ntp_adjtime(request: *mut timex) -> c_int {
    // SAFETY: the caller's argument, as it is.
    unsafe { adjtimex(request) }
}

/// clock_adjtime(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_adjtime(id: clockid_t, request: *mut timex) -> c_int {
    if id == libc::CLOCK_REALTIME {
        // SAFETY: the caller's argument, as it is.
        return unsafe { adjtimex(request) };
    }
    // SAFETY: the caller's arguments, as they are.
    unsafe { libc_own::clock_adjtime(id, request) }
}

/// adjtime(3): refused, since libc's own would slew the machine's clock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn adjtime(delta: *const timeval, old: *mut timeval) -> c_int {
    match clock() {
        Some(_) => fail(libc::EOPNOTSUPP),
        // SAFETY: the caller's arguments, as they are.
        None => unsafe { libc_own::adjtime(delta, old) },
    }
}
