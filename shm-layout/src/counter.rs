//! Reads the processor's counter, as the published 3.x clients do.
#![expect(unsafe_code, reason = "these instructions have no safe function")]

/// Whether [`read`] returns a value on this architecture.
pub const IS_SUPPORTED: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// The processor's counter: the time-stamp counter of x86-64, the virtual counter of AArch64;
/// `None` on any other architecture. The instructions before this call have completed before the
/// counter is read, and those after it begin later.
#[inline(always)]
#[must_use]
pub fn read() -> Option<u64> {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_lfence, _rdtsc};
        // SAFETY: every x86-64 processor has both instructions. A process that has disabled RDTSC
        // for itself (prctl(2), PR_SET_TSC) is killed, which is safe.
        Some(unsafe {
            _mm_lfence();
            let counter = _rdtsc();
            _mm_lfence();
            counter
        })
    }
    #[cfg(target_arch = "aarch64")]
    {
        let counter;
        // SAFETY: Linux lets programs read this register, and the instructions change no memory.
        unsafe {
            std::arch::asm!(
                "isb", "mrs {}, cntvct_el0", "isb", out(reg) counter, options(nostack)
            );
        }
        Some(counter)
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_grows_and_never_goes_back_in_a_thread() {
        let first = read();
        assert_eq!(first.is_some(), IS_SUPPORTED);
        let Some(first) = first else { return };
        let mut last = first;
        while last == first {
            let next = read().expect("supported");
            assert!(next >= last);
            last = next;
        }
    }
}
