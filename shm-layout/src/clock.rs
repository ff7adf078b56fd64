//! Reads a clock as fast as the C library does.
#![expect(
    unsafe_code,
    reason = "the function of nix is not inlined, and returns its result through memory"
)]

use std::mem::MaybeUninit;

use nix::libc;
use nix::time::ClockId;

use crate::record::NS_PER_S;

/// The reading of `clock`, ns; `None` if clock_gettime(2) fails.
#[inline]
#[must_use]
pub fn try_clock_ns(clock: ClockId) -> Option<i64> {
    try_clock_since_ns(clock, 0)
}

/// The reading of `clock`, minus `since_ns`, ns; `None` if clock_gettime(2) fails.
#[inline]
#[must_use]
pub fn try_clock_since_ns(clock: ClockId, since_ns: i64) -> Option<i64> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is to memory of this type.
    let result = unsafe { libc::clock_gettime(clock.as_raw(), time.as_mut_ptr()) };
    if result != 0 {
        return None;
    }
    // SAFETY: clock_gettime(2) has succeeded, so that it has written all of it.
    let time = unsafe { time.assume_init() };
    #[expect(
        clippy::useless_conversion,
        reason = "the fields have 32 bits on some machines"
    )]
    let (seconds, nanoseconds) = (i64::from(time.tv_sec), i64::from(time.tv_nsec));
    // No clock reads a time after 2262. The subtraction takes no time beside the multiplication.
    let nanoseconds = nanoseconds.wrapping_sub(since_ns);
    Some(seconds.wrapping_mul(NS_PER_S).wrapping_add(nanoseconds))
}
