//! The native record: its fields, its ageing and its payload.

use crate::record::scale::scaled_floor;
use crate::record::{
    ClockStatus, Disruption, HostNotice, Leap, NO_CLAIM_BOUND_NS, Reason, RecordError,
};

/// The record's size in 8-byte words.
pub const WORDS: usize = 15;
/// The size in 8-byte words of its first part, which the interval needs.
pub const INTERVAL_WORDS: usize = 7;

/// The record of a native segment. Instants are `CLOCK_MONOTONIC_RAW` in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NativeRecord {
    /// The instant for which the interval holds.
    pub as_of_ns: i64,
    /// The earliest possible true time at `as_of_ns`, ns of UTC since 1970.
    pub earliest_ns: i64,
    /// The latest possible true time at `as_of_ns`, not before `earliest_ns`.
    pub latest_ns: i64,
    /// The frequency offset of UTC relative to the clock, in units of 2^-32 (0.23 parts per
    /// billion).
    pub rate: i32,
    /// The rate at which each end moves outward, in the same units.
    pub growth: u32,
    /// The instant from which `Synchronized` reads as `FreeRunning`.
    pub free_running_after_ns: i64,
    /// The instant from which the record claims nothing.
    pub void_after_ns: i64,
    /// The status at `as_of_ns`.
    pub status: ClockStatus,
    /// The reason for the status.
    pub reason: Reason,
    /// The leap second announcement.
    pub leap: Leap,
    /// The reference id of chronyd's selected source; 0 for none.
    pub source: u32,
    /// The total time since boot for which the machine was suspended, ns.
    pub suspended_ns: i64,
    /// `CLOCK_REALTIME` at `as_of_ns`, ns since 1970; 0 when it is not recorded.
    pub realtime_ns: i64,
    /// The record gives no interval of an earlier instant. 0 when it is not recorded: `as_of_ns`
    /// then takes its place.
    pub valid_since_ns: i64,
    /// Since this instant, `CLOCK_REALTIME` was not set, and its frequency offset was between
    /// `realtime_slowest` and `realtime_fastest`; 0 when it is not recorded.
    pub realtime_since_ns: i64,
    /// The least frequency offset of `CLOCK_REALTIME` relative to `CLOCK_MONOTONIC_RAW`, in units
    /// of 2^-32.
    pub realtime_slowest: i32,
    /// The greatest one.
    pub realtime_fastest: i32,
    /// The longest time between two publications of a daemon that works, us; 0 when it is not
    /// recorded.
    pub publication_interval_us: u32,
    /// By how much `realtime_ns` can differ from `CLOCK_REALTIME` at `as_of_ns`, ns.
    pub realtime_error_ns: u32,
    /// The disruption marker under which the record holds.
    pub disruption: Disruption,
    /// What the host announces.
    pub host: HostNotice,
    /// A program wrote the record for a test: the interval is not that of the clock.
    pub is_simulated: bool,
}

const SOON: u8 = 1 << 0;
const IMMINENT: u8 = 1 << 1;
const TAI_OFFSET_KNOWN: u8 = 1 << 2;

/// The limit of valid instants, 146 years: up to here, sums in [`NativeRecord::aged_to`] fit 64
/// bits. As UTC since 1970 the limits are in 1823 and 2116.
pub(in crate::layout) const FARTHEST_NS: i64 = 1 << 62;

/// The byte that marks a record of a program that simulates a daemon.
const SIMULATED: u8 = 1;

/// The number of the only time scale.
const UTC: u8 = 0;

impl NativeRecord {
    /// A record that claims nothing, as of `now_ns`.
    #[inline]
    #[must_use]
    pub fn no_claim(now_ns: i64) -> Self {
        Self {
            as_of_ns: now_ns,
            earliest_ns: -NO_CLAIM_BOUND_NS,
            latest_ns: NO_CLAIM_BOUND_NS,
            rate: 0,
            growth: 0,
            free_running_after_ns: now_ns,
            void_after_ns: now_ns,
            status: ClockStatus::Unknown,
            reason: Reason::NeverSynchronized,
            leap: Leap::Unsynchronized,
            source: 0,
            suspended_ns: 0,
            realtime_ns: 0,
            valid_since_ns: 0,
            realtime_since_ns: 0,
            realtime_slowest: 0,
            realtime_fastest: 0,
            publication_interval_us: 0,
            realtime_error_ns: 0,
            disruption: Disruption::default(),
            host: HostNotice::default(),
            is_simulated: false,
        }
    }

    /// The interval, ns of UTC since 1970, when `CLOCK_MONOTONIC_RAW` shows `raw_ns`, rounded
    /// outward. It widens with the distance from `as_of_ns` in both directions.
    #[inline]
    #[must_use]
    pub fn aged_to(&self, raw_ns: i64) -> (i64, i64) {
        let elapsed_ns = raw_ns.wrapping_sub(self.as_of_ns);
        if !(0..1 << 31).contains(&elapsed_ns) {
            return aged_far(
                (self.earliest_ns, self.latest_ns),
                raw_ns.saturating_sub(self.as_of_ns),
                self.rate,
                self.growth,
            );
        }
        let ends = (self.earliest_ns, self.latest_ns);
        aged_soon(ends, elapsed_ns, self.rate, self.growth)
    }

    /// The status at the instant `raw_ns`, with its reason: a record that the writer does not renew
    /// reads as free running, and then as unknown.
    #[inline]
    #[must_use]
    pub fn status_at(&self, raw_ns: i64) -> (ClockStatus, Reason) {
        status_at(
            (self.status, self.reason),
            self.free_running_after_ns,
            self.void_after_ns,
            raw_ns,
        )
    }

    /// The words after the sequence.
    #[must_use]
    pub(super) fn encode(&self) -> [u64; WORDS] {
        let [s, o, u, r] = self.source.to_ne_bytes();
        [
            self.as_of_ns.cast_unsigned(),
            self.earliest_ns.cast_unsigned(),
            self.latest_ns.cast_unsigned(),
            join(self.rate.to_ne_bytes(), self.growth.to_ne_bytes()),
            self.free_running_after_ns.cast_unsigned(),
            self.void_after_ns.cast_unsigned(),
            u64::from_ne_bytes([
                self.status as u8,
                self.reason as u8,
                self.leap as u8,
                UTC,
                s,
                o,
                u,
                r,
            ]),
            self.suspended_ns.cast_unsigned(),
            self.realtime_ns.cast_unsigned(),
            self.valid_since_ns.cast_unsigned(),
            self.realtime_since_ns.cast_unsigned(),
            join(
                self.realtime_slowest.to_ne_bytes(),
                self.realtime_fastest.to_ne_bytes(),
            ),
            join(
                self.publication_interval_us.to_ne_bytes(),
                self.realtime_error_ns.to_ne_bytes(),
            ),
            self.disruption.marker,
            self.encode_host(),
        ]
    }

    /// The word with the support flag and the notices.
    fn encode_host(&self) -> u64 {
        let notice = |is_given: bool, bit| if is_given { bit } else { 0 };
        let notices = notice(self.host.soon, SOON)
            | notice(self.host.imminent, IMMINENT)
            | notice(self.host.tai_offset_s.is_some(), TAI_OFFSET_KNOWN);
        let [t, a] = self.host.tai_offset_s.unwrap_or_default().to_ne_bytes();
        let supported = self.disruption.supported.into();
        let simulated = self.is_simulated.into();
        u64::from_ne_bytes([supported, notices, self.host.leap, simulated, t, a, 0, 0])
    }

    /// Decodes a record. Any process may have written it.
    ///
    /// # Errors
    /// The first field that is not valid.
    pub(super) fn decode(words: &[u64; WORDS]) -> Result<Self, RecordError> {
        let [
            interval @ ..,
            suspended,
            realtime,
            valid_since,
            realtime_since,
            rates,
            limits,
            marker,
            host,
        ] = *words;
        let [supported, notices, host_leap, simulated, t, a, ..] = host.to_ne_bytes();
        let has = |bit| notices & bit != 0;
        let (slowest, fastest) = split(rates);
        let (publication_interval, realtime_error) = split(limits);
        let record = Self {
            suspended_ns: suspended.cast_signed(),
            realtime_ns: realtime.cast_signed(),
            valid_since_ns: valid_since.cast_signed(),
            realtime_since_ns: realtime_since.cast_signed(),
            realtime_slowest: i32::from_ne_bytes(slowest),
            realtime_fastest: i32::from_ne_bytes(fastest),
            publication_interval_us: u32::from_ne_bytes(publication_interval),
            realtime_error_ns: u32::from_ne_bytes(realtime_error),
            disruption: Disruption {
                marker,
                supported: supported != 0,
            },
            host: HostNotice {
                soon: has(SOON),
                imminent: has(IMMINENT),
                leap: host_leap,
                tai_offset_s: has(TAI_OFFSET_KNOWN).then_some(i16::from_ne_bytes([t, a])),
            },
            is_simulated: simulated == SIMULATED,
            ..Self::recall(&interval)
        };
        for (field, ns) in [
            ("as_of", record.as_of_ns),
            ("earliest", record.earliest_ns),
            ("latest", record.latest_ns),
        ] {
            if !(-FARTHEST_NS..FARTHEST_NS).contains(&ns) {
                return Err(RecordError::Range { field, ns });
            }
        }
        if record.earliest_ns > record.latest_ns {
            return Err(RecordError::Inverted {
                earliest_ns: record.earliest_ns,
                latest_ns: record.latest_ns,
            });
        }
        let [status, _reason, leap, time_scale, ..] = words[6].to_ne_bytes();
        if time_scale != UTC {
            return Err(RecordError::TimeScale(time_scale));
        }
        Leap::try_from(leap)?;
        ClockStatus::try_from(i32::from(status))?;
        Ok(record)
    }

    /// The fields that the interval needs, of words that [`decode`](Self::decode) has accepted
    /// before, without validation. All others are 0.
    #[inline]
    pub(super) fn recall(interval: &[u64; INTERVAL_WORDS]) -> Self {
        let [
            as_of,
            earliest,
            latest,
            rates,
            free_running_after,
            void_after,
            words,
        ] = *interval;
        let (rate, growth) = split(rates);
        let [status, reason, leap, _time_scale, s, o, u, r] = words.to_ne_bytes();
        Self {
            as_of_ns: as_of.cast_signed(),
            earliest_ns: earliest.cast_signed(),
            latest_ns: latest.cast_signed(),
            rate: i32::from_ne_bytes(rate),
            growth: u32::from_ne_bytes(growth),
            free_running_after_ns: free_running_after.cast_signed(),
            void_after_ns: void_after.cast_signed(),
            status: ClockStatus::or_unknown(status.into()),
            reason: Reason::from(reason),
            leap: Leap::try_from(leap).unwrap_or(Leap::Unsynchronized),
            source: u32::from_ne_bytes([s, o, u, r]),
            ..Self::no_claim(0)
        }
    }
}

/// The status and its reason at the instant `raw_ns`, of a record with `published` ones.
#[inline]
pub(in crate::layout) fn status_at(
    published: (ClockStatus, Reason),
    free_running_after_ns: i64,
    void_after_ns: i64,
    raw_ns: i64,
) -> (ClockStatus, Reason) {
    match published.0 {
        ClockStatus::Synchronized | ClockStatus::FreeRunning if raw_ns >= void_after_ns => {
            (ClockStatus::Unknown, Reason::HoldoverExpired)
        }
        ClockStatus::Synchronized if raw_ns >= free_running_after_ns => {
            (ClockStatus::FreeRunning, Reason::DaemonSilent)
        }
        _ => published,
    }
}

/// What is computed from a record before the clock is read, so that little remains to be computed
/// from its reading. It is for the usual case, in which a record is synchronized and not old.
#[derive(Clone, Copy, Debug)]
pub struct UsualCase {
    /// The instant of the record, `CLOCK_MONOTONIC_RAW`, ns.
    pub as_of_ns: i64,
    ends: (i64, i64),
    rate: i32,
    growth: u32,
    reason: u8,
    /// The age of the record from which the case is not the usual one, ns.
    until_ns: i64,
}

impl UsualCase {
    /// The case of words that `decode` has accepted.
    #[inline(always)]
    #[must_use]
    pub fn of(words: &[u64; INTERVAL_WORDS]) -> Self {
        let [
            as_of,
            earliest,
            latest,
            rates,
            free_running_after,
            void_after,
            numbers,
        ] = *words;
        let as_of_ns = as_of.cast_signed();
        let [status, reason, ..] = numbers.to_ne_bytes();
        let (rate, growth) = split(rates);
        let changes_ns = free_running_after
            .cast_signed()
            .min(void_after.cast_signed());
        let until_ns = if status == ClockStatus::Synchronized as u8 {
            changes_ns.saturating_sub(as_of_ns).min(1 << 31)
        } else {
            0
        };
        Self {
            as_of_ns,
            ends: (earliest.cast_signed(), latest.cast_signed()),
            rate: i32::from_ne_bytes(rate),
            growth: u32::from_ne_bytes(growth),
            reason,
            until_ns,
        }
    }

    /// What [`NativeRecord::aged_to`] and [`NativeRecord::status_at`] return `elapsed_ns` after the
    /// record, if that is less than `limit_ns` and the case is the usual one. The status is
    /// `Synchronized`.
    #[inline(always)]
    #[must_use]
    pub fn after(&self, elapsed_ns: i64, limit_ns: i64) -> Option<(i64, i64, Reason)> {
        if !(0..self.until_ns.min(limit_ns)).contains(&elapsed_ns) {
            return None;
        }
        let (earliest_ns, latest_ns) = aged_soon(self.ends, elapsed_ns, self.rate, self.growth);
        Some((earliest_ns, latest_ns, Reason::from(self.reason)))
    }
}

/// The ends of the interval up to 2^31 ns after the record: all products fit 64 bits, and so do the
/// sums, since `decode` limits the terms.
#[inline(always)]
fn aged_soon(
    (earliest_ns, latest_ns): (i64, i64),
    elapsed_ns: i64,
    rate: i32,
    growth: u32,
) -> (i64, i64) {
    // Both products are rounded down.
    let growth_ns = (elapsed_ns * i64::from(growth)) >> 32;
    let shift_ns = elapsed_ns + ((elapsed_ns * i64::from(rate)) >> 32);
    (
        earliest_ns
            .wrapping_add(shift_ns)
            .wrapping_sub(growth_ns + 1),
        latest_ns.wrapping_add(shift_ns).wrapping_add(growth_ns + 2),
    )
}

/// As [`NativeRecord::aged_to`], for any distance from the instant of the record.
// It takes the fields, because a reference would force the usual case to store the record.
#[cold]
fn aged_far(
    (earliest_ns, latest_ns): (i64, i64),
    elapsed_ns: i64,
    rate: i32,
    growth: u32,
) -> (i64, i64) {
    // Rounded down, as the usual case rounds.
    let scaled = scaled_floor::<{ 1 << 32 }>;
    let growth_ns = scaled(elapsed_ns.saturating_abs(), growth.into());
    let shift_ns = elapsed_ns.saturating_add(scaled(elapsed_ns, rate.into()));
    (
        earliest_ns
            .saturating_add(shift_ns)
            .saturating_sub(growth_ns.saturating_add(1)),
        latest_ns
            .saturating_add(shift_ns)
            .saturating_add(growth_ns.saturating_add(2)),
    )
}

/// A word of two halves, in the order of their addresses.
fn join(first: [u8; 4], second: [u8; 4]) -> u64 {
    let ([a, b, c, d], [e, f, g, h]) = (first, second);
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

/// The halves of a word, in the order of their addresses.
#[inline]
fn split(word: u64) -> ([u8; 4], [u8; 4]) {
    let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
    ([a, b, c, d], [e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: i64 = 1_000_000_000;
    const RECORD: NativeRecord = NativeRecord {
        as_of_ns: 100 * S,
        earliest_ns: 1_800_000_000 * S,
        latest_ns: 1_800_000_000 * S + 1_000,
        rate: -(1 << 20),
        growth: 1 << 20,
        free_running_after_ns: 105 * S,
        void_after_ns: 1_100 * S,
        status: ClockStatus::Synchronized,
        reason: Reason::SlewInFlight,
        leap: Leap::InsertSecond,
        source: 0x5048_4330,
        suspended_ns: 7,
        realtime_ns: 1_800_000_000 * S + 9,
        valid_since_ns: 90 * S,
        realtime_since_ns: 95 * S,
        realtime_slowest: -(1 << 15),
        realtime_fastest: 1 << 16,
        publication_interval_us: 100_000,
        realtime_error_ns: 40,
        disruption: Disruption {
            marker: 77,
            supported: true,
        },
        host: HostNotice {
            soon: true,
            imminent: false,
            leap: 4,
            tai_offset_s: Some(37),
        },
        is_simulated: true,
    };

    #[test]
    fn the_words_have_the_documented_layout() {
        let mut expected = Vec::new();
        for number in [100 * S, 1_800_000_000 * S, 1_800_000_000 * S + 1_000] {
            expected.extend(number.to_ne_bytes());
        }
        expected.extend((-(1i32 << 20)).to_ne_bytes());
        expected.extend((1u32 << 20).to_ne_bytes());
        expected.extend((105 * S).to_ne_bytes());
        expected.extend((1_100 * S).to_ne_bytes());
        expected.extend([1, 3, 1, 0]);
        expected.extend(0x5048_4330u32.to_ne_bytes());
        expected.extend(7i64.to_ne_bytes());
        for number in [1_800_000_000 * S + 9, 90 * S, 95 * S] {
            expected.extend(number.to_ne_bytes());
        }
        for number in [-(1i32 << 15), 1 << 16, 100_000, 40] {
            expected.extend(number.to_ne_bytes());
        }
        expected.extend(77u64.to_ne_bytes());
        expected.extend([1, 0b101, 4, 1]);
        expected.extend(37i16.to_ne_bytes());
        expected.extend([0, 0]);
        let encoded: Vec<u8> = RECORD
            .encode()
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        assert_eq!(encoded, expected);
        assert_eq!(NativeRecord::decode(&RECORD.encode()), Ok(RECORD));
    }

    #[test]
    fn ageing_moves_both_ends_by_the_rate_and_outward_by_the_growth() {
        // 2^20 units of 2^-32 are 1/4096: after 4096 s one second.
        let (earliest, latest) = RECORD.aged_to(RECORD.as_of_ns + 4_096 * S);
        assert_eq!(earliest, RECORD.earliest_ns + 4_096 * S - S - S - 1);
        assert_eq!(latest, RECORD.latest_ns + 4_096 * S - S + S + 2);
        let (earliest, latest) = RECORD.aged_to(RECORD.as_of_ns - 4_096 * S);
        assert_eq!(earliest, RECORD.earliest_ns - 4_096 * S + S - S - 1);
        assert_eq!(latest, RECORD.latest_ns - 4_096 * S + S + S + 2);
    }

    #[test]
    fn the_status_of_a_record_that_is_not_renewed_expires() {
        use ClockStatus::{Disrupted, FreeRunning, Synchronized, Unknown};
        let free = NativeRecord {
            status: FreeRunning,
            ..RECORD
        };
        let unknown = NativeRecord {
            status: Unknown,
            ..RECORD
        };
        let disrupted = NativeRecord {
            status: Disrupted,
            ..RECORD
        };
        for (record, raw_ns, expected) in [
            (RECORD, 105 * S - 1, (Synchronized, Reason::SlewInFlight)),
            (RECORD, 105 * S, (FreeRunning, Reason::DaemonSilent)),
            (RECORD, 1_100 * S, (Unknown, Reason::HoldoverExpired)),
            (free, 1_100 * S - 1, (FreeRunning, Reason::SlewInFlight)),
            (free, 1_100 * S, (Unknown, Reason::HoldoverExpired)),
            (unknown, 2_000 * S, (Unknown, Reason::SlewInFlight)),
            (disrupted, 2_000 * S, (Disrupted, Reason::SlewInFlight)),
        ] {
            assert_eq!(record.status_at(raw_ns), expected, "{record:?} at {raw_ns}");
        }
    }

    #[test]
    fn an_invalid_field_is_refused_and_named() {
        let with = |index: usize, change: fn(&mut [u8; 8])| {
            let mut payload = RECORD.encode();
            let mut bytes = payload[index].to_ne_bytes();
            change(&mut bytes);
            payload[index] = u64::from_ne_bytes(bytes);
            NativeRecord::decode(&payload).map_err(|err| err.to_string())
        };
        let message = |result: Result<NativeRecord, String>| result.expect_err("an invalid field");
        assert!(message(with(1, |b| *b = i64::MAX.to_ne_bytes())).contains("earliest"));
        assert!(message(with(6, |b| b[0] = 4)).contains("status"));
        assert!(message(with(6, |b| b[2] = 4)).contains("leap"));
        assert!(message(with(6, |b| b[3] = 1)).contains("time scale"));
        let newer = with(6, |b| b[1] = 200).expect("a reason of a newer daemon");
        assert_eq!(newer.reason, Reason::Untold);
    }

    proptest! {
        #[test]
        fn ageing_never_inverts_the_interval_of_a_valid_payload(
            payload: [u64; WORDS], raw_ns: i64, plain: bool,
        ) {
            let mut payload = payload;
            if plain {
                // Within the range, and in order.
                for word in &mut payload[..3] {
                    *word = (word.cast_signed() / 2).cast_unsigned();
                }
                payload[1..3].sort_by_key(|word| word.cast_signed());
                payload[6] = RECORD.encode()[6];
            }
            if let Ok(record) = NativeRecord::decode(&payload) {
                let (earliest, latest) = record.aged_to(raw_ns);
                prop_assert!(earliest <= latest);
                let _ = record.status_at(raw_ns);
            }
        }

        #[test]
        fn the_64_bit_ageing_equals_the_128_bit_one(
            elapsed in 0..1_i64 << 31, as_of_ns in -FARTHEST_NS..FARTHEST_NS, rate: i32,
            growth: u32,
        ) {
            let record = NativeRecord { as_of_ns, rate, growth, ..RECORD };
            let raw_ns = as_of_ns + elapsed;
            let ends = (record.earliest_ns, record.latest_ns);
            prop_assert_eq!(record.aged_to(raw_ns), aged_far(ends, elapsed, rate, growth));
        }

        #[test]
        fn the_usual_case_equals_the_general_one(
            elapsed in -10 * S..10 * S, free in 0..10 * S, void in 0..10 * S, status in 0_i32..4,
            reason in 0_u8..30, rate: i32, growth: u32,
        ) {
            let record = NativeRecord {
                rate,
                growth,
                free_running_after_ns: RECORD.as_of_ns + free,
                void_after_ns: RECORD.as_of_ns + void,
                status: ClockStatus::try_from(status).expect("a status"),
                reason: Reason::from(reason),
                ..RECORD
            };
            let raw_ns = record.as_of_ns + elapsed;
            let words: [u64; INTERVAL_WORDS] =
                record.encode()[..INTERVAL_WORDS].try_into().expect("as many");
            let (earliest_ns, latest_ns) = record.aged_to(raw_ns);
            let (status, reason) = record.status_at(raw_ns);
            let is_soon = (0..1 << 31).contains(&elapsed);
            let expected = (is_soon && status == ClockStatus::Synchronized)
                .then_some((earliest_ns, latest_ns, reason));
            let usual = UsualCase::of(&words);
            prop_assert_eq!(usual.after(raw_ns - usual.as_of_ns, i64::MAX), expected);
            prop_assert_eq!(usual.after(raw_ns - usual.as_of_ns, elapsed), None);
        }

        #[test]
        fn the_interval_never_shrinks_with_time(
            elapsed in -100 * S..2_000 * S, more in 0..2_000 * S, rate: i32, growth: u32,
        ) {
            let record = NativeRecord { rate, growth, ..RECORD };
            let width = |elapsed: i64| {
                let (earliest, latest) = record.aged_to(record.as_of_ns + elapsed);
                latest - earliest
            };
            prop_assert!(elapsed < 0 || width(elapsed) <= width(elapsed + more));
        }
    }
}
