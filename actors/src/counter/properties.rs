//! Properties of the calibration, with simulated counters and exact arithmetic.

use proptest::collection::vec;
use proptest::prelude::*;

use super::simulated::{NS, SimulatedCounter, brackets, counters, timings};
use super::{Calibration, Contradiction};

fn calibrated(
    counter: &SimulatedCounter,
    timings: &[(u64, u64, u64)],
) -> Result<Calibration, Contradiction> {
    let brackets = brackets(counter, 1_000, timings);
    let mut calibration = Calibration::of(brackets[0]);
    for bracket in &brackets[1..] {
        calibration.add(*bracket)?;
    }
    Ok(calibration)
}

proptest! {
    #[test]
    fn the_period_of_a_steady_counter_is_in_the_range_and_never_contradicted(
        counter in counters(), timings in vec(timings(), 2..200),
    ) {
        let calibration = calibrated(&counter, &timings);
        let period = calibration.expect("no contradiction").period();
        // In units of 2^-64 ns.
        let multiplier = counter.multiplier.cast_unsigned() << 32;
        prop_assert!(period.contains(multiplier), "{:?}", period);
    }

    #[test]
    fn the_range_becomes_as_narrow_as_the_brackets_allow(
        counter in counters(), rounds in 10..100_usize,
    ) {
        let calibration = calibrated(&counter, &vec![(100_000_000, 20, 20); rounds]);
        let period = calibration.expect("no contradiction").period();
        // Two brackets of 40 ns at most, of a ns and of two ticks, at the ends of the time.
        let tick_ns = u64::try_from(counter.multiplier / NS).expect("small") + 1;
        let slack_ns = 2 * (40 + 1 + 2 * tick_ns);
        let elapsed_ns = 100_000_000 * (rounds as u64 - 1);
        let limit_ppb = slack_ns * 1_000_000_000 / elapsed_ns + 2;
        prop_assert!(period.error_ppb() <= limit_ppb, "{} > {limit_ppb}", period.error_ppb());
    }

    #[test]
    fn a_jump_is_found_by_the_first_bracket_after_it(
        counter in counters(), rounds in 10..100_usize,
        jump_ns in 1_000..1_000_000_000_000_u64, forward: bool,
    ) {
        let mut calibration = calibrated(&counter, &vec![(100_000_000, 20, 20); rounds])
            .expect("no contradiction");
        // The error of the period over one more round, two brackets, and some ticks.
        let ticks_ns = 8 * (counter.multiplier / NS + 1);
        prop_assume!(i128::from(jump_ns) > 1_000 + ticks_ns);
        let moved = i128::from(jump_ns) * NS;
        let jumped = SimulatedCounter {
            offset: counter.offset + if forward { moved } else { -moved },
            ..counter
        };
        let tick = calibration.last().after + counter.ticks(100_000_000);
        let bracket = jumped.bracket(tick, counter.ticks(20), counter.ticks(20));
        prop_assert_eq!(calibration.add(bracket), Err(Contradiction::OffPrediction));
    }

    #[test]
    fn a_frequency_step_of_a_part_per_million_is_found_within_two_seconds(
        counter in counters(), rounds in 20..100_usize, faster: bool,
    ) {
        // Slow counters have long ticks, which hide a step for longer.
        prop_assume!(counter.multiplier < 50 * NS);
        let mut calibration = calibrated(&counter, &vec![(100_000_000, 20, 20); rounds])
            .expect("no contradiction");
        let step = counter.multiplier / 1_000_000 + 1;
        let multiplier = counter.multiplier + if faster { step } else { -step };
        let from = calibration.last().after;
        let offset = counter.exact(from) - multiplier * i128::from(from);
        let stepped = SimulatedCounter { multiplier, offset };
        let later = brackets(&stepped, from, &[(100_000_000, 20, 20); 20]);
        let found = later.into_iter().any(|bracket| calibration.add(bracket).is_err());
        prop_assert!(found);
    }

    #[test]
    fn a_counter_that_goes_back_is_found(counter in counters(), back_ns in 100..1_000_000_000_u64) {
        let mut calibration = calibrated(&counter, &[(1_000_000_000, 20, 20); 10])
            .expect("no contradiction");
        let back = counter.ticks(back_ns).max(1);
        let bracket = counter.bracket(calibration.last().after - back, 0, 1);
        prop_assert_eq!(calibration.add(bracket), Err(Contradiction::CounterWentBack));
    }
}
