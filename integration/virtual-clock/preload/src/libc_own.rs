//! libc's own functions, found by their names in the libraries after this one.

use std::ffi::CStr;
use std::mem::transmute;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{
    c_int, c_uint, c_void, clockid_t, itimerspec, mmsghdr, msghdr, size_t, ssize_t, time_t,
    timespec, timeval, timex, timezone,
};

/// The address of the next definition of `name`, looked up once.
fn next(place: &AtomicPtr<c_void>, name: &CStr) -> *mut c_void {
    let address = place.load(Ordering::Relaxed);
    if !address.is_null() {
        return address;
    }
    // SAFETY: the name ends with a zero byte.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    if found.is_null() {
        eprintln!("virtual clock: libc has no {}", name.to_string_lossy());
        std::process::abort();
    }
    place.store(found, Ordering::Relaxed);
    found
}

macro_rules! libc_own {
    ($(fn $function:ident($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {$(
        pub(crate) unsafe fn $function($($argument: $kind),*) -> $result {
            static PLACE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
            let name = concat!(stringify!($function), "\0");
            let name = CStr::from_bytes_with_nul(name.as_bytes()).unwrap_or_default();
            let address = next(&PLACE, name);
            // SAFETY: libc's function of this name has this type; the caller vouches for the
            // arguments.
            unsafe {
                transmute::<*mut c_void, unsafe extern "C" fn($($kind),*) -> $result>(address)(
                    $($argument),*
                )
            }
        }
    )*};
}

libc_own! {
    fn clock_gettime(id: clockid_t, time: *mut timespec) -> c_int;
    fn clock_settime(id: clockid_t, time: *const timespec) -> c_int;
    fn gettimeofday(time: *mut timeval, zone: *mut timezone) -> c_int;
    fn settimeofday(time: *const timeval, zone: *const timezone) -> c_int;
    fn time(place: *mut time_t) -> time_t;
    fn adjtimex(request: *mut timex) -> c_int;
    fn clock_adjtime(id: clockid_t, request: *mut timex) -> c_int;
    fn adjtime(delta: *const timeval, old: *mut timeval) -> c_int;
    fn timerfd_create(id: c_int, flags: c_int) -> c_int;
    fn timerfd_settime(
        fd: c_int, flags: c_int, new: *const itimerspec, old: *mut itimerspec
    ) -> c_int;
    fn timerfd_gettime(fd: c_int, current: *mut itimerspec) -> c_int;
    fn read(fd: c_int, buffer: *mut c_void, count: size_t) -> ssize_t;
    fn close(fd: c_int) -> c_int;
    fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t;
    fn recvmmsg(
        fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int, limit: *mut timespec
    ) -> c_int;
}
