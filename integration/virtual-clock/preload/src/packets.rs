//! The kernel's timestamps of packets, which are on the machine's clock.

use libc::{c_int, c_uint, cmsghdr, mmsghdr, msghdr, ssize_t, timespec, timeval};
use virtual_clock::SharedClock;
use virtual_clock::readings::close_readings;

use crate::{NS_PER_S, clock, libc_own, machine_ns, ns_of, raw_ns, timespec_of, timeval_of};

/// recvmsg(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
    // SAFETY: the caller's arguments, as they are.
    let result = unsafe { libc_own::recvmsg(fd, message, flags) };
    if result >= 0
        && let Some(clock) = clock()
    {
        // SAFETY: the kernel has just filled the message in.
        unsafe { translate(clock, message) };
    }
    result
}

/// recvmmsg(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn recvmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    limit: *mut timespec,
) -> c_int {
    // SAFETY: the caller's arguments, as they are.
    let result = unsafe { libc_own::recvmmsg(fd, messages, count, flags, limit) };
    if let Some(clock) = clock() {
        for index in 0..usize::try_from(result).unwrap_or(0) {
            // SAFETY: the kernel has just filled in so many messages.
            unsafe { translate(clock, &raw mut (*messages.add(index)).msg_hdr) };
        }
    }
    result
}

/// Puts the timestamps of a received message on the virtual clock.
///
/// # Safety
/// `message` is one that the kernel has filled in.
unsafe fn translate(clock: &SharedClock, message: *mut msghdr) {
    // SAFETY: the caller's promise; the macros stay inside the message's control data.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: as above.
        unsafe { translate_one(clock, header) };
        // SAFETY: as above.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
}

/// The same for one control message.
///
/// # Safety
/// `header` is one of a message that the kernel has filled in.
unsafe fn translate_one(clock: &SharedClock, header: *mut cmsghdr) {
    // SAFETY: the caller's promise, and the data follows the header.
    let (kind, data) = unsafe {
        if (*header).cmsg_level != libc::SOL_SOCKET {
            return;
        }
        ((*header).cmsg_type, libc::CMSG_DATA(header))
    };
    match kind {
        libc::SCM_TIMESTAMP => {
            let time = data.cast::<timeval>();
            // SAFETY: data of this type is a timeval, maybe not aligned.
            unsafe {
                let was = time.read_unaligned();
                let ns = was.tv_sec * NS_PER_S + was.tv_usec * 1_000;
                time.write_unaligned(timeval_of(virtual_ns(clock, ns)));
            }
        }
        // The latter has three timestamps: the kernel's, and two of the network device's own clock.
        libc::SCM_TIMESTAMPNS | libc::SCM_TIMESTAMPING => {
            let time = data.cast::<timespec>();
            // SAFETY: data of these types begins with a timespec, maybe not aligned.
            unsafe {
                let ns = ns_of(&time.read_unaligned());
                // Zero when only the device has a timestamp.
                if ns != 0 {
                    time.write_unaligned(timespec_of(virtual_ns(clock, ns)));
                }
            }
        }
        _ => {}
    }
}

/// The virtual clock's time at the recent instant at which the machine's CLOCK_REALTIME was
/// `machine_realtime_ns`.
fn virtual_ns(clock: &SharedClock, machine_realtime_ns: i64) -> i64 {
    let (raw_ns, realtime_ns) = close_readings(raw_ns, || machine_ns(libc::CLOCK_REALTIME));
    clock.at_past(machine_realtime_ns - realtime_ns + raw_ns)
}
