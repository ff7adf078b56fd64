//! Reads the processor's counter together with `CLOCK_MONOTONIC_RAW`.

use nix::time::ClockId;
use shm_layout::clock::try_clock_ns;
use shm_layout::counter;

use crate::counter::Bracket;
use crate::time::RawInstant;

/// The number of attempts to read the clocks in quick succession.
const ATTEMPTS: usize = 5;

/// The shortest of a few brackets; `None` if this architecture has no counter that programs can
/// read. This needs no system call.
#[must_use]
pub fn read_bracket() -> Option<Bracket> {
    (0..ATTEMPTS)
        .filter_map(|_| {
            let before = counter::read()?;
            let raw_ns = try_clock_ns(ClockId::CLOCK_MONOTONIC_RAW)?;
            let after = counter::read()?;
            Some(Bracket {
                before,
                raw: RawInstant::from_ns(raw_ns),
                after,
            })
        })
        .min_by_key(Bracket::ticks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::Calibration;
    use crate::os::clocksource;
    use std::io::Write as _;
    use std::path::Path;

    #[test]
    fn the_counter_of_this_machine_predicts_the_raw_clock() {
        let current = clocksource::current(Path::new(clocksource::SYS_ROOT));
        if !current.is_ok_and(|current| current.is_readable_counter()) {
            let _ = writeln!(
                std::io::stdout(),
                "skipped: the_counter_of_this_machine_predicts_the_raw_clock: the kernel's \
                 clocksource is not the processor's counter"
            );
            return;
        }
        let mut calibration = Calibration::of(read_bracket().expect("a bracket"));
        while calibration.period().error_ppb() > 1_000 {
            let bracket = read_bracket().expect("a bracket");
            calibration.add(bracket).expect("no contradiction");
        }
        let bracket = read_bracket().expect("a bracket");
        calibration.add(bracket).expect("no contradiction");
    }
}
