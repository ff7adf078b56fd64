//! The kernel's clock discipline, read. The one room of this crate with unsafe code: no safe
//! wrapper of adjtimex(2) reports the tick length, which is what a slew changes.
#![allow(unsafe_code)]

use std::io;

use crate::time::Rate;

/// How much faster than the hardware the kernel lets `CLOCK_REALTIME` run.
///
/// chronyd puts its frequency correction there, and during a slew up to 83333 ppm on top. Reading
/// needs no privilege. Source: adjtimex(2), `tick` and `freq`.
///
/// # Errors
/// When a sandbox forbids the call.
pub fn frequency() -> io::Result<Rate> {
    // SAFETY: a struct of integers, for which all zeros is a value; modes 0 asks for a report only.
    let mut report: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a struct of the right kind that outlives the call.
    if unsafe { libc::adjtimex(&raw mut report) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Rate::from_ppb(parts_per_billion(report.tick, report.freq)))
}

/// `tick` is the microseconds that a tick of 10 ms counts for, `freq` ppm with 16 fractional bits.
fn parts_per_billion(tick: i64, freq: i64) -> i64 {
    (tick - 10_000) * 100_000 + freq * 1_000 / 65_536
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tick_and_frequency_add_up() {
        for (tick, freq, ppb) in [
            (10_000, 0, 0),
            (10_000, 65_536, 1_000),
            (10_000, -32_768_000, -500_000),
            (10_001, 0, 100_000),
            (9_167, -21_845_333, -83_300_000 - 333_333),
        ] {
            assert_eq!(
                parts_per_billion(tick, freq),
                ppb,
                "tick {tick}, freq {freq}"
            );
        }
    }

    #[test]
    fn the_kernel_tells_anybody() {
        assert!(frequency().expect("readable").abs() < Rate::from_ppm(1_000_000));
    }
}
