//! The shared memory of NTP's SHM reference clocks, as the clock's driver writes it.
//!
//! The layout is that of ntpd's driver 28, which chronyd attaches to.
#![expect(unsafe_code, reason = "System V shared memory that chronyd reads")]

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering, fence};

/// The System V key of unit 0.
const KEY: i32 = 0x4e54_5030;

/// The layout of the segment, which is the same for all programs of this machine's word size.
#[repr(C)]
struct Layout {
    mode: i32,
    count: i32,
    clock_s: libc::time_t,
    clock_us: i32,
    receive_s: libc::time_t,
    receive_us: i32,
    leap: i32,
    precision: i32,
    samples: i32,
    valid: i32,
    clock_ns: u32,
    receive_ns: u32,
    reserved: [i32; 8],
}

/// A segment that this process writes to; it is removed when dropped.
#[derive(Debug)]
pub struct NtpShm {
    unit: i32,
    id: i32,
    layout: *mut Layout,
}

// SAFETY: the mapping belongs to the process, and only this value's methods, which need `&mut`, use
// the pointer.
unsafe impl Send for NtpShm {}

impl NtpShm {
    /// Creates the segment of a unit that no other process of this machine uses, writable by every
    /// account.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new() -> io::Result<NtpShm> {
        static NEXT: AtomicI32 = AtomicI32::new(0);
        // Units below 256 may belong to real clocks. Process ids are unique, and a process creates
        // few.
        let pid = i32::try_from(std::process::id() & 0x000f_ffff).expect("20 bits");
        loop {
            let unit = 256 + pid * 64 + NEXT.fetch_add(1, Ordering::Relaxed) % 64;
            let flags = libc::IPC_CREAT | libc::IPC_EXCL | 0o666;
            // SAFETY: takes no pointers.
            let id = unsafe { libc::shmget(KEY + unit, size_of::<Layout>(), flags) };
            if id >= 0 {
                return NtpShm::attach(unit, id);
            }
            let err = io::Error::last_os_error();
            if err.kind() != io::ErrorKind::AlreadyExists {
                return Err(err);
            }
        }
    }

    fn attach(unit: i32, id: i32) -> io::Result<NtpShm> {
        // SAFETY: the kernel chooses where a new segment is mapped.
        let address = unsafe { libc::shmat(id, ptr::null(), 0) };
        if address.addr() == usize::MAX {
            let err = io::Error::last_os_error();
            // SAFETY: removes the segment that was just made; no other process uses it.
            unsafe { libc::shmctl(id, libc::IPC_RMID, ptr::null_mut()) };
            return Err(err);
        }
        let layout = address.cast();
        Ok(NtpShm { unit, id, layout })
    }

    /// The number of the unit for chronyd's configuration.
    pub fn unit(&self) -> i32 {
        self.unit
    }

    /// Writes a sample: at `receive_ns` on CLOCK_REALTIME the clock showed `clock_ns`, both since
    /// 1970.
    ///
    /// # Panics
    /// When they are before 1970.
    pub fn put(&mut self, clock_ns: i64, receive_ns: i64) {
        let (clock_s, clock_rest) = split(clock_ns);
        let (receive_s, receive_rest) = split(receive_ns);
        let shm = self.layout;
        // SAFETY: the segment is mapped as long as this value lives, as large as a Layout and
        // aligned to a page; other processes may write meanwhile, so every access is volatile, and
        // none makes a reference.
        unsafe {
            let count = (&raw const (*shm).count).read_volatile();
            (&raw mut (*shm).valid).write_volatile(0);
            (&raw mut (*shm).mode).write_volatile(1);
            (&raw mut (*shm).count).write_volatile(count.wrapping_add(1));
            fence(Ordering::SeqCst);
            (&raw mut (*shm).clock_s).write_volatile(clock_s);
            (&raw mut (*shm).clock_us).write_volatile(clock_rest / 1000);
            (&raw mut (*shm).clock_ns).write_volatile(clock_rest.unsigned_abs());
            (&raw mut (*shm).receive_s).write_volatile(receive_s);
            (&raw mut (*shm).receive_us).write_volatile(receive_rest / 1000);
            (&raw mut (*shm).receive_ns).write_volatile(receive_rest.unsigned_abs());
            (&raw mut (*shm).precision).write_volatile(-20);
            fence(Ordering::SeqCst);
            (&raw mut (*shm).count).write_volatile(count.wrapping_add(2));
            (&raw mut (*shm).valid).write_volatile(1);
        }
    }
}

impl Drop for NtpShm {
    fn drop(&mut self) {
        // SAFETY: nothing of this process uses the mapping afterwards; chronyd keeps its own.
        unsafe {
            libc::shmdt(self.layout.cast());
            libc::shmctl(self.id, libc::IPC_RMID, ptr::null_mut());
        }
    }
}

fn split(ns: i64) -> (libc::time_t, i32) {
    assert!(ns >= 0, "after 1970");
    let rest = i32::try_from(ns % 1_000_000_000).expect("below a second");
    (ns / 1_000_000_000, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_segment_has_its_own_unit_and_is_removed() {
        let first = NtpShm::new().expect("a segment");
        let second = NtpShm::new().expect("another");
        assert_ne!(first.unit(), second.unit());
        let key = KEY + first.unit();
        // SAFETY: takes no pointers.
        let find = || unsafe { libc::shmget(key, 0, 0) };
        assert!(find() >= 0);
        drop(first);
        assert!(find() < 0);
    }

    #[test]
    fn the_layout_has_the_size_that_chronyd_attaches() {
        assert_eq!(size_of::<Layout>(), 96);
        assert_eq!(std::mem::offset_of!(Layout, valid), 48);
    }
}
