//! timerfd on CLOCK_REALTIME: timers on CLOCK_MONOTONIC, which a thread rearms after each change of
//! the clock.
//!
//! When the clock is set, a timer with TFD_TIMER_CANCEL_ON_SET expires at once, so that poll(2) and
//! epoll(7) return; read(2) then fails with ECANCELED. The thread does not exist in a forked child.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use libc::{c_int, c_void, itimerspec, size_t, ssize_t, timespec};
use virtual_clock::{SharedClock, State};

use crate::{clock, fail, libc_own, ns_of, raw_ns, timespec_of};

/// The longest time between checks of the clock: a writer may be killed before it wakes the thread.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

struct Timer {
    fd: c_int,
    /// The instant of the virtual clock that it is armed for, ns.
    until_ns: Option<i64>,
    cancel_on_set: bool,
    /// The clock's number of sets when it was armed.
    sets: i64,
    /// The clock was set since, and the timer has not been read.
    cancelled: bool,
}

static TIMERS: Mutex<Vec<Timer>> = Mutex::new(Vec::new());
/// Their number: without any, read(2) and close(2) take no lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);

fn timers() -> MutexGuard<'static, Vec<Timer>> {
    TIMERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// timerfd_create(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerfd_create(id: c_int, flags: c_int) -> c_int {
    let clock = clock().filter(|_| id == libc::CLOCK_REALTIME);
    let Some(clock) = clock else {
        // SAFETY: the caller's arguments, as they are.
        return unsafe { libc_own::timerfd_create(id, flags) };
    };
    // SAFETY: no pointers.
    let fd = unsafe { libc_own::timerfd_create(libc::CLOCK_MONOTONIC, flags) };
    if fd >= 0 {
        timers().push(Timer {
            fd,
            until_ns: None,
            cancel_on_set: false,
            sets: 0,
            cancelled: false,
        });
        COUNT.fetch_add(1, Ordering::Release);
        static WATCHED: Once = Once::new();
        WATCHED.call_once(|| {
            thread::spawn(|| watch(clock));
        });
    }
    fd
}

/// timerfd_settime(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerfd_settime(
    fd: c_int,
    flags: c_int,
    new: *const itimerspec,
    old: *mut itimerspec,
) -> c_int {
    let mut timers = timers();
    let timer = timers.iter_mut().find(|timer| timer.fd == fd);
    let (Some(timer), Some(clock)) = (timer, clock()) else {
        drop(timers);
        // SAFETY: the caller's arguments, as they are.
        return unsafe { libc_own::timerfd_settime(fd, flags, new, old) };
    };
    // SAFETY: the caller's pointer is to an itimerspec.
    let wanted = unsafe { new.read() };
    let until_ns = ns_of(&wanted.it_value);
    let absolute = flags & libc::TFD_TIMER_ABSTIME != 0 && until_ns != 0;
    let raw_ns = raw_ns();
    let state = clock.state();
    *timer = Timer {
        fd,
        until_ns: absolute.then_some(until_ns),
        cancel_on_set: absolute && flags & libc::TFD_TIMER_CANCEL_ON_SET != 0,
        sets: state.sets_at(raw_ns),
        cancelled: false,
    };
    let value = match absolute {
        true => left(&state, raw_ns, until_ns),
        false => wanted.it_value,
    };
    let wanted = itimerspec {
        it_value: value,
        ..wanted
    };
    // SAFETY: the caller's descriptor, our itimerspec, and the caller's place for the old one.
    unsafe { libc_own::timerfd_settime(fd, 0, &raw const wanted, old) }
}

/// read(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(fd: c_int, buffer: *mut c_void, count: size_t) -> ssize_t {
    // SAFETY: the caller's arguments, as they are.
    let result = unsafe { libc_own::read(fd, buffer, count) };
    if result < 0 || COUNT.load(Ordering::Acquire) == 0 {
        return result;
    }
    let mut timers = timers();
    let timer = timers.iter_mut().find(|timer| timer.fd == fd);
    if timer.is_some_and(|timer| std::mem::take(&mut timer.cancelled)) {
        return fail(libc::ECANCELED) as ssize_t;
    }
    result
}

/// close(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(fd: c_int) -> c_int {
    if COUNT.load(Ordering::Acquire) > 0 {
        let mut timers = timers();
        if let Some(index) = timers.iter().position(|timer| timer.fd == fd) {
            timers.swap_remove(index);
            COUNT.fetch_sub(1, Ordering::Release);
        }
    }
    // SAFETY: the caller's argument, as it is.
    unsafe { libc_own::close(fd) }
}

/// Rearms the timers after each change of the clock and each leap second.
fn watch(clock: &SharedClock) {
    block_signals();
    loop {
        let turn = clock.turn();
        let (state, now_ns) = (clock.state(), raw_ns());
        for timer in timers().iter_mut() {
            adapt(timer, &state, now_ns);
        }
        let leap = state.line.leap_raw_ns.saturating_sub(now_ns);
        let leap = Duration::from_nanos(leap.try_into().unwrap_or(u64::MAX));
        clock.wait(turn, CHECK_INTERVAL.min(leap));
    }
}

fn adapt(timer: &mut Timer, state: &State, raw_ns: i64) {
    let Some(until_ns) = timer.until_ns else {
        return;
    };
    let sets = state.sets_at(raw_ns);
    if timer.cancel_on_set && sets != timer.sets {
        (timer.until_ns, timer.cancelled, timer.sets) = (None, true, sets);
        arm(timer.fd, NOW);
    } else if is_armed(timer.fd) {
        arm(timer.fd, left(state, raw_ns, until_ns));
    }
}

/// The shortest time that arms a timer.
const NOW: timespec = timespec {
    tv_sec: 0,
    tv_nsec: 1,
};

/// The time until the clock reaches `until_ns`.
fn left(state: &State, raw_ns: i64, until_ns: i64) -> timespec {
    let left_ns = state.line.raw_of(until_ns).saturating_sub(raw_ns);
    if left_ns <= 0 {
        return NOW;
    }
    timespec_of(left_ns)
}

/// Changes the first expiration of a timer, and keeps its interval.
fn arm(fd: c_int, value: timespec) {
    let mut wanted = current(fd);
    wanted.it_value = value;
    // SAFETY: an itimerspec that outlives the call.
    unsafe { libc_own::timerfd_settime(fd, 0, &raw const wanted, std::ptr::null_mut()) };
}

fn is_armed(fd: c_int) -> bool {
    ns_of(&current(fd).it_value) != 0
}

fn current(fd: c_int) -> itimerspec {
    const NONE: timespec = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut current = itimerspec {
        it_interval: NONE,
        it_value: NONE,
    };
    // SAFETY: an itimerspec that outlives the call.
    unsafe { libc_own::timerfd_gettime(fd, &raw mut current) };
    current
}

/// Blocks all signals in this thread, so that the program's own threads receive them.
fn block_signals() {
    // SAFETY: a set of signals is filled before it is used, and the mask is this thread's own.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
    }
}
