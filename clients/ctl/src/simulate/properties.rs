//! Properties of scripts and of their states.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use clockbound_actors::time::{CoarseInstant, Rate, RawInstant, Readings, RealtimeInstant};
use shm_layout::Disruption;

use super::player::State;
use super::projection::{Now, estimate};
use super::script::Script;

const WORDS: [&str; 35] = [
    "at",
    "wait",
    "forever",
    "ramp",
    "gap",
    "restart",
    "disrupt",
    "unnoticed",
    "repeat",
    "end",
    "status",
    "reason",
    "bound",
    "drift",
    "offset",
    "lie",
    "midpoint",
    "holdover",
    "synchronized",
    "unknown",
    "free_running",
    "disrupted",
    "chrony_silent",
    "contradiction",
    "0",
    "1",
    "10",
    "5s",
    "500us",
    "-5ms",
    "50ppm",
    "1ms..2ms",
    "..5ms",
    "#",
    "\n",
];

/// A line that is valid wherever a statement is.
fn lines() -> impl Strategy<Value = String> {
    let ms = || 0..10_000_i64;
    prop_oneof![
        select(vec!["synchronized", "free_running", "unknown", "disrupted"])
            .prop_map(|status| format!("status {status}")),
        select(vec!["tracking", "chrony_silent", "contradiction"])
            .prop_map(|reason| format!("reason {reason}")),
        ms().prop_map(|ms| format!("bound {ms}us")),
        ms().prop_map(|ppm| format!("drift {ppm}ppm")),
        (-10_000..10_000_i64).prop_map(|us| format!("offset {us}us")),
        (-10_000..10_000_i64).prop_map(|us| format!("midpoint {us}us")),
        (-10_000..10_000_i64).prop_map(|us| format!("lie {us}us")),
        ms().prop_map(|ms| format!("holdover {ms}ms")),
        ms().prop_map(|ms| format!("wait {ms}ms")),
        ms().prop_map(|ms| format!("gap {ms}ms")),
        ms().prop_map(|ms| format!("restart {ms}ms")),
        Just("disrupt".to_owned()),
        ms().prop_map(|ms| format!("disrupt unnoticed {ms}ms")),
        (1_000..5_000_i64, ms(), -90..90_i64)
            .prop_map(|(ms, us, to)| format!("ramp {ms}ms bound ..{us}us offset 0..{to}ms")),
        (1..3_u32, ms()).prop_map(|(n, ms)| format!("repeat {n}\nwait {ms}ms\ndisrupt\nend")),
    ]
}

fn scripts() -> impl Strategy<Value = Script> {
    vec(lines(), 1..12)
        .prop_map(|lines| Script::parse(&lines.join("\n")).expect("every line is valid"))
}

/// Where true time is relative to the interval: before it (negative), inside (0), or after it, ns.
fn outside_ns(state: &State) -> i64 {
    let (earliest_ns, latest_ns) = state.interval_ns();
    match state.offset_ns {
        ns if ns < earliest_ns => earliest_ns - ns,
        ns if ns > latest_ns => latest_ns - ns,
        _ => 0,
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic_and_errors_name_a_line(text in "(?s).{0,200}") {
        if let Err(err) = Script::parse(&text) {
            prop_assert!((1..=text.lines().count().max(1)).contains(&err.line), "{}", err);
            prop_assert!(!err.problem.is_empty());
        }
    }

    #[test]
    fn no_sequence_of_words_makes_the_parser_panic(words in vec(select(&WORDS[..]), 0..60)) {
        let text = words.join(" ");
        match Script::parse(&text) {
            Ok(script) => {
                let _ = script.state_at(i64::MAX);
                let _ = script.state_at(0);
            }
            Err(err) => prop_assert!((1..=text.lines().count().max(1)).contains(&err.line)),
        }
    }

    #[test]
    fn steps_do_not_overlap_and_every_change_is_found(script in scripts()) {
        let mut now_ns = 0;
        for step in &script.steps {
            prop_assert!(now_ns <= step.start_ns && step.start_ns <= step.end_ns);
            now_ns = step.end_ns;
        }
        prop_assert_eq!(script.length_ns, Some(now_ns));
        let mut changes = vec![0];
        while let Some(next_ns) = script.next_change_after(*changes.last().expect("one")) {
            prop_assert!(changes.last() < Some(&next_ns));
            changes.push(next_ns);
        }
        for step in &script.steps {
            prop_assert!(changes.contains(&step.start_ns) && changes.contains(&step.end_ns));
        }
    }

    #[test]
    fn the_interval_contains_true_time_unless_the_script_lies(
        script in scripts(), at_ns in 0..100_000_000_000_i64,
    ) {
        let state = script.state_at(at_ns);
        let (earliest_ns, latest_ns) = state.interval_ns();
        prop_assert_eq!(latest_ns - earliest_ns, 2 * state.half_width_ns());
        prop_assert_eq!(outside_ns(&state), state.lie_ns);
        prop_assert!(state.status_since_ns <= at_ns && state.reason_since_ns <= at_ns);
        prop_assert!(state.valid_since_ns <= at_ns && state.validated_ns <= at_ns);
        prop_assert!(state.disruptions <= state.page_disruptions);
    }

    #[test]
    fn true_time_runs_at_the_rate_of_the_state_until_the_next_change(
        script in scripts(), at_ns in 0..20_000_000_000_i64,
    ) {
        let state = script.state_at(at_ns);
        let until_ns = script.next_change_after(at_ns).unwrap_or(at_ns + 1_000_000_000);
        // The next change begins at the next instant.
        let elapsed_ns = until_ns - 1 - at_ns;
        let later = script.state_at(until_ns - 1);
        let gained_ns = i128::from(later.offset_ns - state.offset_ns);
        let expected_ns = i128::from(elapsed_ns) * i128::from(state.offset_ppb) / 1_000_000_000;
        // Rounding of the rate in 5 s, and of both offsets.
        prop_assert!((gained_ns - expected_ns).abs() <= 7, "{gained_ns} for {expected_ns}");
    }

    #[test]
    fn the_estimate_contains_true_time_until_the_next_change_unless_the_script_lies(
        script in scripts(), t_ns in 0..20_000_000_000_i64, kernel_ppm in -500..500_i64,
        speed in select(vec!["1", "0.3", "7", "10"]), share in 0..100_i64,
    ) {
        let (now_ns, gap_ns) = (1_800_000_000_000_000_000, 20);
        let at = Readings {
            coarse: CoarseInstant::from_ns(0),
            raw: RawInstant::from_ns(100_000_000_000_000),
            realtime: RealtimeInstant::from_ns(now_ns),
            gap_ns,
            kernel: Some(Rate::from_ppm(kernel_ppm)),
            suspended_ns: 0,
        };
        let speed = speed.parse().expect("a speed");
        let realtime = None;
        let now = Now { t_ns, at, speed, realtime };
        let state = script.state_at(t_ns);
        let published = estimate(&state, Disruption::default(), &now);
        let until_ns = script.next_change_after(t_ns).unwrap_or(t_ns + 1_000_000_000);
        let elapsed_ns = speed.real_ns((until_ns - t_ns - 1) * share / 100);
        let later = script.state_at(t_ns + speed.script_ns(elapsed_ns));
        prop_assert!(published.is_simulated && published.status == state.status);
        if state.status.is_trusted() && later.valid_since_ns == state.valid_since_ns {
            let ran_ns = elapsed_ns + elapsed_ns * kernel_ppm / 1_000_000;
            let truth = at.realtime + (ran_ns + later.offset_ns);
            let interval = published.at(at.raw + elapsed_ns);
            if state.lie_ns == 0 {
                prop_assert!(interval.contains(truth), "{truth:?} not in {published:?}");
                prop_assert_eq!(published.budget.total_ns(), published.interval.half_width_ns());
            } else if elapsed_ns == 0 && state.lie_ns.abs() > gap_ns {
                prop_assert!(!interval.contains(truth), "{truth:?} in {published:?}");
            }
        }
    }

    #[test]
    fn rounds_of_a_block_are_as_if_it_was_written_as_often(
        body in vec(lines(), 1..4), rounds in 1..5_usize,
    ) {
        let body = body.join("\n");
        let block = Script::parse(&format!("repeat {rounds}\n{body}\nend")).expect("valid");
        let written = Script::parse(&vec![body; rounds].join("\n")).expect("valid");
        prop_assert_eq!(block.length_ns, written.length_ns);
        let places = |script: &Script| -> Vec<_> {
            let place = |step: &super::script::Step| (step.start_ns, step.action.clone());
            script.steps.iter().map(place).collect()
        };
        prop_assert_eq!(places(&block), places(&written));
    }
}
