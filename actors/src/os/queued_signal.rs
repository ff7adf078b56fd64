//! Sends a signal with a value, for which there is no safe wrapper of sigqueue(3).
#![expect(unsafe_code, reason = "sigqueue(3) is called through libc")]

use std::io;

/// Sends the signal with this number and a value to the process `pid`. Source: sigqueue(3).
///
/// # Errors
/// The process does not exist, or this user may not send it signals.
pub fn send(pid: i32, signal: i32, value: i32) -> io::Result<()> {
    let mut argument = libc::sigval {
        sival_ptr: std::ptr::null_mut(),
    };
    // SAFETY: in C it is a union of an int and a pointer, and the pointer is not smaller.
    unsafe { (&raw mut argument).cast::<i32>().write(value) };
    // SAFETY: all arguments are passed by value.
    if unsafe { libc::sigqueue(pid, signal, argument) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_does_not_exist_gets_no_signal() {
        let err = send(i32::MAX, libc::SIGUSR1, 1).expect_err("no such process");
        assert_eq!(err.raw_os_error(), Some(libc::ESRCH));
    }
}
