//! Reads the kernel's clock discipline, with unsafe code, because no safe wrapper of adjtimex(2)
//! reports the tick length, which a slew changes.
#![expect(unsafe_code, reason = "adjtimex(2) is called through libc")]

use std::io;

use crate::time::Rate;

/// The frequency offset of `CLOCK_REALTIME` relative to the hardware clock.
///
/// It contains chronyd's frequency correction, and during a slew up to 83333 ppm in addition.
/// Reading requires no privilege. Source: adjtimex(2), `tick` and `freq`.
///
/// # Errors
/// A sandbox forbids the call.
pub fn frequency() -> io::Result<Rate> {
    let report = read()?;
    Ok(rate(report.tick, report.freq))
}

/// What programs have declared of `CLOCK_REALTIME`. chronyd declares it only with `rtcsync`.
/// Source: adjtimex(2), `status` and `maxerror`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discipline {
    /// `STA_UNSYNC`: the clock is not declared to be synchronised.
    pub is_unsynchronised: bool,
    /// The declared largest error, us; the kernel adds 500 ppm of the time since.
    pub max_error_us: i64,
}

/// Reads what programs have declared of `CLOCK_REALTIME`. Reading requires no privilege.
///
/// # Errors
/// A sandbox forbids the call.
pub fn discipline() -> io::Result<Discipline> {
    let report = read()?;
    Ok(Discipline {
        is_unsynchronised: report.status & libc::STA_UNSYNC != 0,
        max_error_us: report.maxerror,
    })
}

fn read() -> io::Result<libc::timex> {
    // SAFETY: all zeros is a valid value of this struct of integers. `modes` 0 requests a read
    // only.
    let mut report: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer refers to a valid `timex` that outlives the call.
    if unsafe { libc::adjtimex(&raw mut report) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(report)
}

/// The frequency offset for `tick`, in microseconds per tick of 10 ms, and `freq`, in ppm with 16
/// fractional bits.
fn rate(tick: i64, freq: i64) -> Rate {
    Rate::from_ppm((tick - 10_000) * 100) + Rate::from_ppt(freq * 1_000_000 / 65_536)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tick_and_frequency_are_added() {
        for (tick, freq, ppt) in [
            (10_000, 0, 0),
            (10_000, 1, 15),
            (10_000, 65_536, 1_000_000),
            (10_000, -32_768_000, -500_000_000),
            (10_001, 0, 100_000_000),
            (9_167, -21_845_333, -83_300_000_000 - 333_333_328),
        ] {
            let expected = Rate::from_ppt(ppt);
            assert_eq!(rate(tick, freq), expected, "tick {tick}, freq {freq}");
        }
    }

    #[test]
    fn reading_requires_no_privilege() {
        assert!(frequency().expect("readable").abs() < Rate::from_ppm(1_000_000));
        assert!(discipline().expect("readable").max_error_us >= 0);
    }
}
