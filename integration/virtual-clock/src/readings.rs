//! Two clocks read at one instant.

const ATTEMPTS: u32 = 32;

/// Readings this close are close enough, ns.
const CLOSE_NS: i64 = 500;

/// The readings of two clocks at one instant, ns: the closest of several.
///
/// A thread that is interrupted between the two would otherwise cause an error of half the
/// interruption, which no source declares.
pub fn close_readings(first_ns: impl Fn() -> i64, second_ns: impl Fn() -> i64) -> (i64, i64) {
    let (mut closest_ns, mut readings) = (i64::MAX, (0, 0));
    for _ in 0..ATTEMPTS {
        let before_ns = first_ns();
        let between_ns = second_ns();
        let after_ns = first_ns();
        let gap_ns = after_ns - before_ns;
        // Negative if a clock was set back in between.
        if (0..closest_ns).contains(&gap_ns) {
            closest_ns = gap_ns;
            readings = (before_ns.midpoint(after_ns), between_ns);
        }
        if closest_ns <= CLOSE_NS {
            break;
        }
    }
    readings
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn an_interrupted_reading_is_repeated() {
        // One clock, read twice; the first two attempts are interrupted.
        let (clock_ns, seconds) = (Cell::new(0), Cell::new(0));
        let first_ns = || clock_ns.replace(clock_ns.get() + 50);
        let second_ns = || {
            seconds.set(seconds.get() + 1);
            let interruption_ns = if seconds.get() <= 2 { 1_000_000 } else { 50 };
            clock_ns.replace(clock_ns.get() + interruption_ns)
        };
        let (first, second) = close_readings(first_ns, second_ns);
        assert_eq!(first, second);
        assert_eq!(seconds.get(), 3);
    }
}
