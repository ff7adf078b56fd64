//! Time stamps of a simulated `CLOCK_REALTIME`, converted with the records that the daemon
//! publishes about it.

use proptest::prelude::*;
use shm_layout::native::{ClockReading, NativeRecord, StampError};

use super::projection::{Pace, to_native};
use crate::estimator::Estimate;
use crate::estimator::realtime_rates::RealtimeLog;
use crate::estimator::simulation::random::Rng;
use crate::estimator::status::{ClockStatus, Reason};
use crate::time::{CoarseInstant, NS_PER_S, Rate, RawInstant, Readings, RealtimeInstant};

const S: i64 = NS_PER_S;
const MS: i64 = 1_000_000;
const BEGIN_NS: i64 = 1_000 * S;
const UTC_NS: i64 = 1_800_000_000 * S;
const PPM: i64 = 1_000_000;
const PPT: i128 = 1_000_000_000_000;

/// What happens to the clock.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// The kernel runs it at another rate, in parts per trillion.
    Rate(i64),
    /// A program sets it.
    Step(i64),
    /// It is slewed at this rate, in parts per trillion, and adjtimex does not show it.
    HiddenSlew(i64),
}

/// Changes, with the time before each in ns.
fn changes() -> impl Strategy<Value = Vec<(i64, Change)>> {
    let change = prop_oneof![
        (-400 * PPM..400 * PPM).prop_map(Change::Rate),
        (-80_000 * PPM..80_000 * PPM).prop_map(Change::Rate),
        (-2_000..2_000i64).prop_map(Change::Step),
        (-2 * S..2 * S).prop_map(Change::Step),
        (-500 * PPM..500 * PPM).prop_map(Change::HiddenSlew),
        (-5 * PPM..5 * PPM).prop_map(Change::HiddenSlew),
    ];
    proptest::collection::vec((300 * MS..5 * S, change), 0..6)
}

/// A time in which the clock is neither set nor changes its rate.
#[derive(Clone, Copy, Debug)]
struct Part {
    begins_ns: i64,
    realtime_ns: i64,
    kernel_ppt: i64,
    hidden_ppt: i64,
}

impl Part {
    fn at(&self, raw_ns: i64) -> i64 {
        let elapsed_ns = raw_ns - self.begins_ns;
        let rate = i128::from(self.kernel_ppt + self.hidden_ppt);
        let gained_ns = (i128::from(elapsed_ns) * rate).div_euclid(PPT);
        self.realtime_ns + elapsed_ns + i64::try_from(gained_ns).expect("small")
    }
}

/// The clock.
struct Realtime(Vec<Part>);

impl Realtime {
    fn new(rate_ppt: i64, changes: &[(i64, Change)]) -> Self {
        let mut last = Part {
            begins_ns: BEGIN_NS,
            realtime_ns: UTC_NS,
            kernel_ppt: rate_ppt,
            hidden_ppt: 0,
        };
        let mut parts = vec![last];
        for &(after_ns, change) in changes {
            let begins_ns = last.begins_ns + after_ns;
            last = Part {
                begins_ns,
                realtime_ns: last.at(begins_ns),
                ..last
            };
            match change {
                Change::Rate(ppt) => (last.kernel_ppt, last.hidden_ppt) = (ppt, 0),
                Change::Step(by_ns) => last.realtime_ns += by_ns,
                Change::HiddenSlew(ppt) => last.hidden_ppt = ppt,
            }
            parts.push(last);
        }
        Self(parts)
    }

    fn part(&self, raw_ns: i64) -> &Part {
        let mut parts = self.0.iter().rev();
        let part = parts.find(|part| part.begins_ns <= raw_ns);
        part.unwrap_or(&self.0[0])
    }

    fn at(&self, raw_ns: i64) -> i64 {
        self.part(raw_ns).at(raw_ns)
    }
}

/// The record that the daemon publishes at `raw_ns`.
fn publish(
    log: &mut RealtimeLog,
    realtime: &Realtime,
    raw_ns: i64,
    noise: &mut Rng,
) -> NativeRecord {
    let longest = if noise.chance(0.02) { 2 * MS } else { 200 };
    let gap_ns = noise.ns(20, longest);
    let read_ns = raw_ns + noise.ns(-gap_ns, gap_ns);
    let at = Readings {
        coarse: CoarseInstant::from_ns(raw_ns),
        raw: RawInstant::from_ns(raw_ns),
        realtime: RealtimeInstant::from_ns(realtime.at(read_ns)),
        gap_ns,
        kernel: Some(Rate::from_ppt(realtime.part(raw_ns).kernel_ppt)),
        suspended_ns: 0,
    };
    log.note(&at);
    let estimate = Estimate {
        void_after: at.raw + 1_000 * S,
        valid_since: RawInstant::from_ns(BEGIN_NS),
        realtime: log.rates_at(&at),
        ..Estimate::unknown(ClockStatus::Synchronized, Reason::Tracking, &at)
    };
    let pace = Pace {
        stale_ns: 5 * S,
        interval_ns: S / 10,
    };
    to_native(&estimate, pace, &at)
}

/// A program reads the clock at `raw_ns`.
fn reading(realtime: &Realtime, raw_ns: i64, noise: &mut Rng) -> ClockReading {
    ClockReading {
        before_raw_ns: raw_ns - noise.ns(10, 100),
        realtime_ns: realtime.at(raw_ns),
        after_raw_ns: raw_ns + noise.ns(10, 100),
    }
}

/// Publishes about every `every_ns`, and converts stamps in between; returns the results of those
/// that were at most `age_ns` old.
fn convert(
    realtime: &Realtime,
    every_ns: i64,
    for_ns: i64,
    age_ns: i64,
    noise: &mut Rng,
) -> Result<Vec<Result<i64, StampError>>, TestCaseError> {
    let mut log = RealtimeLog::default();
    let mut results = Vec::new();
    let mut raw_ns = BEGIN_NS;
    while raw_ns < BEGIN_NS + for_ns {
        let record = publish(&mut log, realtime, raw_ns, noise);
        let next_ns = raw_ns + noise.ns(every_ns / 5 * 4, every_ns / 5 * 6);
        for _ in 0..4 {
            let now_ns = noise.ns(raw_ns, next_ns);
            let now = reading(realtime, now_ns, noise);
            let oldest_ns = BEGIN_NS.max(now_ns - age_ns);
            let stamped_ns = noise.ns(oldest_ns, now_ns);
            let converted = record.instants_of_stamp(realtime.at(stamped_ns), &now);
            if let Ok((first_ns, last_ns)) = converted {
                prop_assert!(
                    (first_ns..=last_ns).contains(&stamped_ns),
                    "stamped at {stamped_ns}, converted to {first_ns}..{last_ns} at {now_ns}: {record:?}"
                );
            }
            results.push(converted.map(|(first_ns, last_ns)| last_ns - first_ns));
        }
        raw_ns = next_ns;
    }
    Ok(results)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_converted_stamp_contains_the_instant_at_which_it_was_taken(
        rate_ppt in -400 * PPM..400 * PPM, changes in changes(), age_ns in 1..60 * S, seed: u64,
    ) {
        let realtime = Realtime::new(rate_ppt, &changes);
        convert(&realtime, S / 10, 30 * S, age_ns, &mut Rng::new(seed, 0))?;
    }

    #[test]
    fn a_stamp_after_the_record_contains_its_instant_although_the_clock_was_moved(
        rates_ppm in -400..400i64, after_ns in 4 * S..9 * S, by_ns in -300_000..300_000i64,
        kernel_ppm in -400..400i64, seed: u64,
    ) {
        // The change of the rate makes the band wide. It is long past when the clock is set: the
        // readings alone do not tell a step from a change of the rate at the same time.
        let changes = [
            (S / 2, Change::Rate(kernel_ppm * PPM)),
            (after_ns, Change::Step(by_ns)),
        ];
        let realtime = Realtime::new(rates_ppm * PPM, &changes);
        convert(&realtime, S, 12 * S, S, &mut Rng::new(seed, 0))?;
    }
}

#[test]
fn stamps_of_a_clock_that_only_chronyd_steers_are_converted() {
    // chronyd changes its rate by a few ppm every 2 s.
    let changes: Vec<_> = (0..20)
        .map(|n| (2 * S, Change::Rate(30 * PPM + n % 4 * PPM)))
        .collect();
    let realtime = Realtime::new(30 * PPM, &changes);
    let mut noise = Rng::new(1, 0);
    let results = convert(&realtime, S / 10, 40 * S, 10 * S, &mut noise).expect("true");
    let converted: Vec<i64> = results.iter().copied().filter_map(Result::ok).collect();
    assert!(
        10 * converted.len() > 9 * results.len(),
        "{} of {}",
        converted.len(),
        results.len()
    );
    // 10 s at a rate that is known to 3 ppm, and an interruption of 2 ms of a reading.
    let mut widths = converted;
    widths.sort_unstable();
    assert!(widths[widths.len() / 2] < 40_000, "{widths:?}");
}

#[test]
fn stamps_from_before_the_clock_was_set_are_not_converted() {
    for by_ns in [S, -S, 10_000, -10_000] {
        let realtime = Realtime::new(0, &[(5 * S + 50 * MS, Change::Step(by_ns))]);
        let (mut log, mut noise) = (RealtimeLog::default(), Rng::new(2, 0));
        let converted: Vec<bool> = (0..100)
            .map(|n| {
                let raw_ns = BEGIN_NS + n * 100 * MS;
                let record = publish(&mut log, &realtime, raw_ns, &mut noise);
                let stamp_ns = realtime.at(BEGIN_NS + 4 * S);
                let now = reading(&realtime, raw_ns + 10 * MS, &mut noise);
                record.instants_of_stamp(stamp_ns, &now).is_ok()
            })
            .collect();
        assert!(
            converted[41..=50].iter().any(|&is_known| is_known),
            "{by_ns}: before"
        );
        assert!(
            converted[51..].iter().all(|&is_known| !is_known),
            "{by_ns}: after"
        );
    }
}

#[test]
fn without_the_kernels_rate_no_stamp_is_converted() {
    let at = Readings {
        coarse: CoarseInstant::from_ns(S),
        raw: RawInstant::from_ns(S),
        realtime: RealtimeInstant::from_ns(UTC_NS),
        gap_ns: 20,
        kernel: None,
        suspended_ns: 0,
    };
    let mut log = RealtimeLog::default();
    log.note(&at);
    assert_eq!(log.rates_at(&at), None);
    let known = Readings {
        kernel: Some(Rate::default()),
        ..at
    };
    log.note(&known);
    assert!(log.rates_at(&known).is_some());
    let later = Readings {
        raw: at.raw + S,
        realtime: at.realtime + S,
        ..at
    };
    log.note(&later);
    assert_eq!(log.rates_at(&later), None);
}
