//! The kernel's clock discipline, read and set. Its code is unsafe because there is no safe wrapper of adjtimex(2) that
//! knows `tick`.
#![allow(unsafe_code)]

use std::io;

/// How CLOCK_REALTIME is made to run off from the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Microseconds that a tick of 10 ms counts for.
    pub tick: i64,
    /// Parts per million with 16 fractional bits.
    pub freq: i64,
}

impl Rate {
    /// What that makes, parts per billion.
    pub fn ppb(self) -> i64 {
        (self.tick - 10_000) * 100_000 + self.freq * 1_000 / 65_536
    }

    /// This rate and `ppb` more, to the nearest 100 ppm: what a tick can do.
    #[must_use]
    pub fn faster_by(self, ppb: i64) -> Rate {
        Rate {
            tick: self.tick + ppb / 100_000,
            ..self
        }
    }
}

/// The rate that is set.
///
/// # Errors
/// When a sandbox forbids the call.
pub fn rate() -> io::Result<Rate> {
    let report = adjust(None)?;
    Ok(Rate {
        tick: report.tick,
        freq: report.freq,
    })
}

/// Sets the rate.
///
/// # Errors
/// Without the right to, or when the kernel finds it too fast.
pub fn set_rate(rate: Rate) -> io::Result<()> {
    adjust(Some(rate)).map(|_| ())
}

fn adjust(rate: Option<Rate>) -> io::Result<libc::timex> {
    // SAFETY: a struct of integers, for which all zeros is a value; modes 0 asks for a report only.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    if let Some(Rate { tick, freq }) = rate {
        timex.modes = libc::ADJ_TICK | libc::ADJ_FREQUENCY;
        (timex.tick, timex.freq) = (tick, freq);
    }
    // SAFETY: the pointer is to a struct of the right kind that outlives the call.
    if unsafe { libc::adjtimex(&raw mut timex) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(timex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_a_hundred_parts_per_million() {
        let rate = Rate {
            tick: 10_000,
            freq: 65_536,
        };
        assert_eq!(rate.ppb(), 1_000);
        assert_eq!(rate.faster_by(8_000_000).ppb(), 8_001_000);
        assert_eq!(rate.faster_by(-300_000).ppb(), -299_000);
    }
}
