use super::*;

const S: i64 = NS_PER_S;
/// 31 December 2016, 23:59:30.
const BEFORE_LEAP_NS: i64 = 1_483_228_770 * S;

fn clock() -> State {
    State::new(1_000, 5 * S)
}

fn request(modes: u32) -> timex {
    #[expect(unsafe_code, reason = "libc has no other constructor of a timex")]
    // SAFETY: a struct of integers, for which all zeros is a value.
    let mut request: timex = unsafe { std::mem::zeroed() };
    request.modes = modes;
    request
}

fn adjusted(state: &mut State, raw_ns: i64, modes: u32, fill: fn(&mut timex)) -> (timex, c_int) {
    let mut request = request(modes);
    fill(&mut request);
    let time_state = state.adjust(raw_ns, &mut request).expect("accepted");
    (request, time_state)
}

fn errno(modes: u32, fill: fn(&mut timex)) -> c_int {
    let mut state = clock();
    let mut request = request(modes);
    fill(&mut request);
    let refused = state.adjust(2_000, &mut request).expect_err("refused");
    assert_eq!(
        state.at(S),
        clock().at(S),
        "a refused request does not change the clock"
    );
    refused
}

#[test]
fn an_unadjusted_clock_has_the_rate_of_the_raw_clock() {
    let state = clock();
    assert_eq!(state.at(1_000), 5 * S);
    assert_eq!(state.at(1_000 + 7 * S), 12 * S);
    assert_eq!(state.at(0), 5 * S - 1_000);
}

#[test]
fn tick_and_frequency_are_added_without_a_step() {
    for (tick, freq, gained_ns) in [
        (10_000, 65_536, 10_000),
        (10_001, 0, 1_000_000),
        (9_000, -32_768_000, -1_005_000_000),
        (11_000, 32_768_000, 1_005_000_000),
    ] {
        let mut state = clock();
        let mut request = request(libc::ADJ_TICK | libc::ADJ_FREQUENCY);
        (request.tick, request.freq) = (tick, freq);
        state.adjust(1_000 + S, &mut request).expect("accepted");
        assert_eq!(state.at(1_000 + S), 6 * S);
        let after_ns = state.at(1_000 + 11 * S);
        assert!((after_ns - 16 * S - gained_ns).abs() <= 1, "{tick} {freq}");
        assert_eq!((request.tick, request.freq), (tick, freq));
        assert_eq!(
            state.sets_at(i64::MAX - 1),
            0,
            "a change of the rate is not a step"
        );
    }
}

#[test]
fn a_frequency_beyond_its_limit_is_clamped_and_a_tick_is_refused() {
    let mut state = clock();
    let (report, _) = adjusted(&mut state, 2_000, libc::ADJ_FREQUENCY, |request| {
        request.freq = 1 << 40;
    });
    assert_eq!(report.freq, 32_768_000);
    assert_eq!(errno(libc::ADJ_TICK, |r| r.tick = 8_999), libc::EINVAL);
    assert_eq!(errno(libc::ADJ_TICK, |r| r.tick = 11_001), libc::EINVAL);
}

#[test]
fn an_offset_is_added_in_either_unit_and_counts_as_a_set() {
    let mut state = clock();
    let nano = libc::ADJ_SETOFFSET | libc::ADJ_NANO;
    let (report, time_state) = adjusted(&mut state, 1_000 + S, nano, |request| {
        (request.time.tv_sec, request.time.tv_usec) = (-1, 999_999_990);
    });
    assert_eq!(state.at(1_000 + S), 6 * S - 10);
    assert_eq!(report.time.tv_usec, 999_999_990);
    assert_eq!(
        (report.maxerror, time_state),
        (16_000_000, libc::TIME_ERROR)
    );
    adjusted(&mut state, 1_000 + S, libc::ADJ_SETOFFSET, |request| {
        request.time.tv_usec = 3;
    });
    assert_eq!(state.at(1_000 + S), 6 * S + 2_990);
    assert_eq!(state.sets_at(1_000 + S), 2);
    let beyond: fn(&mut timex) = |request| request.time.tv_usec = -1;
    assert_eq!(errno(libc::ADJ_SETOFFSET, beyond), libc::EINVAL);
}

#[test]
fn an_offset_for_the_pll_is_refused_unless_it_is_zero() {
    let offset: fn(&mut timex) = |request| request.offset = 1;
    for modes in [libc::ADJ_OFFSET, libc::ADJ_OFFSET_SINGLESHOT] {
        assert_eq!(errno(modes, offset), libc::EOPNOTSUPP);
        adjusted(&mut clock(), 2_000, modes, |_| {});
    }
}

#[test]
fn a_synchronised_clock_is_unsynchronised_once_its_maximum_error_is_reached() {
    let mut state = clock();
    let modes = libc::ADJ_STATUS | libc::ADJ_MAXERROR | libc::ADJ_ESTERROR;
    let (report, time_state) = adjusted(&mut state, 1_000, modes, |request| {
        (request.maxerror, request.esterror) = (15_000_000, 7);
    });
    assert_eq!(time_state, libc::TIME_OK);
    assert_eq!((report.maxerror, report.esterror), (15_000_000, 7));
    for raw_ns in (1_000..1_000 + 10 * S).step_by(300_000_000) {
        adjusted(&mut state, raw_ns, libc::ADJ_FREQUENCY, |_| {});
    }
    let (report, time_state) = adjusted(&mut state, 1_000 + 10 * S, 0, |_| {});
    assert_eq!((report.maxerror, time_state), (15_005_000, libc::TIME_OK));
    let (_, time_state) = adjusted(&mut state, 1_000 + 3_000 * S, 0, |_| {});
    assert_eq!(time_state, libc::TIME_ERROR);
}

#[test]
fn stored_values_are_returned() {
    let mut state = clock();
    let (report, _) = adjusted(&mut state, 2_000, libc::ADJ_TAI, |request| {
        request.constant = 37;
    });
    assert_eq!(report.tai, 37);
    let (report, _) = adjusted(
        &mut state,
        2_000,
        libc::ADJ_MICRO | libc::ADJ_TIMECONST,
        |r| {
            r.constant = 2;
        },
    );
    assert_eq!((report.constant, report.tolerance), (6, 32_768_000));
    assert_eq!(report.status & libc::STA_NANO, 0);
    assert_eq!(State::from_words(&state.to_words()), state);
}

#[test]
fn a_leap_second_is_inserted_once_at_the_end_of_the_day() {
    let mut state = State::new(0, BEFORE_LEAP_NS);
    let insert: fn(&mut timex) = |request| request.status = libc::STA_INS;
    let modes = libc::ADJ_STATUS | libc::ADJ_MAXERROR;
    assert_eq!(adjusted(&mut state, 0, modes, insert).1, libc::TIME_INS);
    let midnight_ns = BEFORE_LEAP_NS + 30 * S;
    assert_eq!(state.at(30 * S - 1), midnight_ns - 1);
    assert_eq!(state.at(30 * S), midnight_ns - S);
    assert_eq!((state.sets_at(30 * S - 1), state.sets_at(30 * S)), (0, 1));
    // A report during the leap second does not change the clock.
    let mut watched = state;
    let report: fn(&mut timex) = |_| {};
    let (during, time_state) = adjusted(&mut watched, 30 * S + S / 2, 0, report);
    assert_eq!((time_state, during.tai), (libc::TIME_OOP, 1));
    assert_eq!(adjusted(&mut watched, 32 * S, 0, report).1, libc::TIME_WAIT);
    for raw_ns in [33 * S, 100_000 * S, 200_000 * S] {
        assert_eq!(watched.at(raw_ns), BEFORE_LEAP_NS + raw_ns - S);
        assert_eq!(state.at(raw_ns), watched.at(raw_ns));
        assert_eq!(watched.sets_at(raw_ns), 1);
    }
    let (_, over) = adjusted(&mut watched, 33 * S, libc::ADJ_STATUS, report);
    assert_eq!(over, libc::TIME_OK);
}

#[test]
fn the_instant_of_a_leap_second_depends_on_the_rate_and_it_can_be_cancelled() {
    let mut state = State::new(0, BEFORE_LEAP_NS);
    adjusted(
        &mut state,
        0,
        libc::ADJ_STATUS | libc::ADJ_TICK,
        |request| {
            (request.status, request.tick) = (libc::STA_INS, 11_000);
        },
    );
    let expected_ns = 30 * S * 10 / 11;
    assert!((state.line.leap_raw_ns - expected_ns).abs() <= 1);
    let midnight_ns = BEFORE_LEAP_NS + 30 * S;
    assert!(state.at(state.line.leap_raw_ns - 10) < midnight_ns);
    assert!(state.at(state.line.leap_raw_ns + 10) < midnight_ns - S + 20);
    adjusted(&mut state, S, libc::ADJ_STATUS, |_| {});
    assert_eq!(state.line.leap_raw_ns, i64::MAX);
}

#[test]
fn a_second_is_deleted_at_the_end_of_the_day() {
    let mut state = State::new(0, BEFORE_LEAP_NS);
    adjusted(&mut state, 0, libc::ADJ_STATUS, |request| {
        request.status = libc::STA_DEL;
    });
    assert_eq!(state.at(29 * S - 1), BEFORE_LEAP_NS + 29 * S - 1);
    assert_eq!(state.at(29 * S), BEFORE_LEAP_NS + 30 * S);
}

#[test]
fn the_time_after_a_day_is_exact_to_a_nanosecond() {
    let mut state = clock();
    adjusted(&mut state, 1_000, libc::ADJ_FREQUENCY, |request| {
        request.freq = 65_536;
    });
    let day_ns = 86_400 * S;
    let gained_ns = state.at(1_000 + day_ns) - 5 * S - day_ns;
    assert!((gained_ns - 86_400_000).abs() <= 1, "{gained_ns}");
    assert_eq!(state.line.raw_of(state.at(1_000 + day_ns)), 1_000 + day_ns);
}
