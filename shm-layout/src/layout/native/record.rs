//! The native record: its fields, its ageing and its payload.

use crate::record::{ClockStatus, Leap, Reason, RecordError};

/// The payload's size in 8-byte words.
pub const PAYLOAD_WORDS: usize = 8;

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
    /// `CLOCK_REALTIME` at `as_of_ns`, ns since 1970. It is 0 when the writer did not store it, and
    /// in records from a reader, which does not copy it.
    pub realtime_ns: i64,
}

/// The limit of valid instants, 146 years: up to here, sums in [`NativeRecord::aged_to`] fit 64
/// bits. As UTC since 1970 the limits are in 1823 and 2116.
const FARTHEST_NS: i64 = 1 << 62;

/// The number of the only time scale.
const UTC: u8 = 0;

impl NativeRecord {
    /// The interval, ns of UTC since 1970, when `CLOCK_MONOTONIC_RAW` shows `raw_ns`, rounded
    /// outward. It widens with the distance from `as_of_ns` in both directions.
    #[inline]
    #[must_use]
    pub fn aged_to(&self, raw_ns: i64) -> (i64, i64) {
        let elapsed_ns = raw_ns.wrapping_sub(self.as_of_ns);
        if !(0..1 << 31).contains(&elapsed_ns) {
            return self.aged_far(raw_ns);
        }
        // The usual case: all products fit 64 bits, and so do the sums, since `decode` limits the
        // terms.
        let growth_ns = (elapsed_ns * i64::from(self.growth)) >> 32;
        let shift_ns = elapsed_ns + ((elapsed_ns * i64::from(self.rate)) >> 32);
        // Both products are rounded down.
        (
            self.earliest_ns
                .wrapping_add(shift_ns)
                .wrapping_sub(growth_ns + 1),
            self.latest_ns
                .wrapping_add(shift_ns)
                .wrapping_add(growth_ns + 2),
        )
    }

    /// As [`aged_to`](Self::aged_to), for any distance from `as_of_ns`.
    #[cold]
    fn aged_far(&self, raw_ns: i64) -> (i64, i64) {
        let elapsed_ns = raw_ns.saturating_sub(self.as_of_ns);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "ns is at most 2^63 and the factor less than 2^32"
        )]
        let scaled = |ns: i128, factor: i64| ((ns * i128::from(factor)) >> 32) as i64;
        let growth_ns = scaled(elapsed_ns.unsigned_abs().into(), self.growth.into());
        let shift_ns = elapsed_ns.saturating_add(scaled(elapsed_ns.into(), self.rate.into()));
        (
            self.earliest_ns
                .saturating_add(shift_ns)
                .saturating_sub(growth_ns.saturating_add(1)),
            self.latest_ns
                .saturating_add(shift_ns)
                .saturating_add(growth_ns.saturating_add(2)),
        )
    }

    /// The status at the instant `raw_ns`, with its reason: a record that the writer does not renew
    /// reads as free running, and then as unknown.
    #[inline]
    #[must_use]
    pub fn status_at(&self, raw_ns: i64) -> (ClockStatus, Reason) {
        match self.status {
            ClockStatus::Synchronized | ClockStatus::FreeRunning
                if raw_ns >= self.void_after_ns =>
            {
                (ClockStatus::Unknown, Reason::HoldoverExpired)
            }
            ClockStatus::Synchronized if raw_ns >= self.free_running_after_ns => {
                (ClockStatus::FreeRunning, Reason::DaemonSilent)
            }
            status => (status, self.reason),
        }
    }

    /// The payload after the sequence.
    #[must_use]
    pub(super) fn encode(&self) -> [u64; PAYLOAD_WORDS] {
        let [a, b, c, d] = self.rate.to_ne_bytes();
        let [e, f, g, h] = self.growth.to_ne_bytes();
        let [s, o, u, r] = self.source.to_ne_bytes();
        [
            self.as_of_ns.cast_unsigned(),
            self.earliest_ns.cast_unsigned(),
            self.latest_ns.cast_unsigned(),
            u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
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
        ]
    }

    /// Decodes a record. Any process may have written it.
    ///
    /// # Errors
    /// The first field that is not valid.
    pub(super) fn decode(payload: &[u64; PAYLOAD_WORDS]) -> Result<Self, RecordError> {
        let record = Self::recall(payload);
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
        let [status, _reason, leap, time_scale, ..] = payload[6].to_ne_bytes();
        if time_scale != UTC {
            return Err(RecordError::TimeScale(time_scale));
        }
        Leap::try_from(leap)?;
        ClockStatus::try_from(i32::from(status))?;
        Ok(record)
    }

    /// Decodes a payload that [`decode`](Self::decode) has accepted before, without validation.
    #[inline]
    pub(super) fn recall(payload: &[u64; PAYLOAD_WORDS]) -> Self {
        let [
            as_of,
            earliest,
            latest,
            rates,
            free_running_after,
            void_after,
            words,
            suspended,
        ] = *payload;
        let [a, b, c, d, e, f, g, h] = rates.to_ne_bytes();
        let [status, reason, leap, _time_scale, s, o, u, r] = words.to_ne_bytes();
        Self {
            as_of_ns: as_of.cast_signed(),
            earliest_ns: earliest.cast_signed(),
            latest_ns: latest.cast_signed(),
            rate: i32::from_ne_bytes([a, b, c, d]),
            growth: u32::from_ne_bytes([e, f, g, h]),
            free_running_after_ns: free_running_after.cast_signed(),
            void_after_ns: void_after.cast_signed(),
            status: ClockStatus::or_unknown(status.into()),
            reason: Reason::from(reason),
            leap: Leap::try_from(leap).unwrap_or(Leap::Unsynchronized),
            source: u32::from_ne_bytes([s, o, u, r]),
            suspended_ns: suspended.cast_signed(),
            realtime_ns: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;
    use crate::layout::native::Native;
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
    };

    #[test]
    fn the_payload_has_the_documented_layout() {
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
        let encoded: Vec<u8> = RECORD
            .encode()
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        assert_eq!(encoded, expected);
        let without_realtime = NativeRecord {
            realtime_ns: 0,
            ..RECORD
        };
        assert_eq!(NativeRecord::decode(&RECORD.encode()), Ok(without_realtime));
    }

    #[test]
    fn realtime_is_written_for_the_next_writer_only() {
        let written = Native::encode(&RECORD);
        assert_eq!(written[..PAYLOAD_WORDS], RECORD.encode());
        assert_eq!(written[PAYLOAD_WORDS], RECORD.realtime_ns.cast_unsigned());
        assert_eq!(Native::decode_written(&written), Ok(RECORD));
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
            payload: [u64; PAYLOAD_WORDS], raw_ns: i64, plain: bool,
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
            prop_assert_eq!(record.aged_to(raw_ns), record.aged_far(raw_ns));
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
