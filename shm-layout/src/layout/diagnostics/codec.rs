//! The diagnostics record in the segment.
//!
//! The daemon passes on numbers of chronyd and the host. So that a number out of range does not
//! make the record invalid, encoding takes the nearest one in range; decoding refuses it.

use std::mem::offset_of;
use std::ops::RangeInclusive;

use super::{
    ACTORS, BUDGET_TERMS, Bytes, Counters, DiagnosticsRecord, MAX_SOURCES, RECORD_OFFSET, SEGMENTS,
    SIZE, SOURCE_SIZE, SOURCES_OFFSET, Settings, Source, SourceAddress, SourceBytes, SourceState,
    WORDS, Words,
};
use crate::layout::native::FARTHEST_NS;
use crate::record::{
    ClockStatus, DRIFT_LIMIT_PPB, Disruption, HostNotice, Leap, Reason, RecordError,
};

const DRILL: u8 = 1 << 0;
const SIMULATED: u8 = 1 << 1;

const SOON: u8 = 1 << 0;
const IMMINENT: u8 = 1 << 1;
const TAI_OFFSET_KNOWN: u8 = 1 << 2;

const PEER: u8 = 1 << 0;
const FOLLOWED: u8 = 1 << 1;
const DISJOINT: u8 = 1 << 2;
const HAS_OWN: u8 = 1 << 3;

const UNRESOLVED: u8 = 0;
const V4: u8 = 1;
const V6: u8 = 2;
const REFERENCE_CLOCK: u8 = 3;

/// Instants and differences: the sum of two fits 64 bits.
const NS: RangeInclusive<i64> = -FARTHEST_NS + 1..=FARTHEST_NS - 1;
/// Durations and errors.
const POSITIVE_NS: RangeInclusive<i64> = 0..=FARTHEST_NS - 1;
/// The terms of the budget: the sum of all fits 64 bits. `excluded` is negative.
const TERM_NS: RangeInclusive<i64> = -(1 << 58)..=1 << 58;
/// Frequency offsets, parts per trillion.
const PPT: RangeInclusive<i64> = -1_000_000_000_000..=1_000_000_000_000;
/// Logarithms of polling intervals: 2 to the power of each fits a float and, in ns, 64 bits.
const POLL: RangeInclusive<i8> = -32..=32;

/// The words of `record`.
pub(super) fn encode(record: &DiagnosticsRecord) -> Words {
    let mut bytes = Encoder {
        bytes: &mut [0; SIZE],
    };
    macro_rules! put {
        ($($field:ident: $value:expr),* $(,)?) => {
            $(bytes.put(offset_of!(Bytes, $field), ($value).to_ne_bytes());)*
        };
    }
    let ns = |ns| clamp(ns, &NS);
    let positive_ns = |ns| clamp(ns, &POSITIVE_NS);
    let flag = |is_set: bool, bit| if is_set { bit } else { 0 };
    let DiagnosticsRecord { host, settings, .. } = record;
    put! {
        as_of: ns(record.as_of_ns),
        realtime: ns(record.realtime_ns),
        earliest: ns(record.earliest_ns),
        latest: ns(record.latest_ns),
        realtime_error: positive_ns(record.realtime_error_ns),
        free_running_after: ns(record.free_running_after_ns),
        void_after: ns(record.void_after_ns),
        clock_status: record.status as u8,
        reason: record.reason as u8,
        leap: record.leap as u8,
        failure: record.failure as u8,
        flags: flag(record.is_drill, DRILL) | flag(record.is_simulated, SIMULATED),
        protocol: record.protocol,
        stratum: record.stratum,
        status_since: ns(record.status_since_ns),
        reason_since: ns(record.reason_since_ns),
        failure_since: ns(record.failure_since_ns),
        validated: ns(record.validated_ns),
        started: ns(record.started_ns),
        pid: record.pid,
        reference_id: record.reference_id,
        root_delay: ns(record.root_delay_ns),
        root_dispersion: ns(record.root_dispersion_ns),
        correction: ns(record.correction_ns),
        skew: record.skew_ppb,
        frequency: record.frequency_ppb,
        slowest: clamp(record.slowest_ppt, &PPT),
        fastest: clamp(record.fastest_ppt, &PPT),
        disruption_marker: record.disruption.marker,
        disruption_support: u8::from(record.disruption.supported),
        notices: flag(host.soon, SOON)
            | flag(host.imminent, IMMINENT)
            | flag(host.tai_offset_s.is_some(), TAI_OFFSET_KNOWN),
        host_leap: host.leap,
        tai_offset: host.tai_offset_s.unwrap_or_default(),
        max_drift: settings.max_drift_ppb.min(DRIFT_LIMIT_PPB - 1),
        max_wander: settings.max_wander_ppb_per_s,
        phc_reference_id: settings.phc_reference_id,
        poll_interval_us: settings.poll_interval_us,
        grace: positive_ns(settings.grace_ns),
        holdover: positive_ns(settings.holdover_ns),
        max_bound: positive_ns(settings.max_bound_ns),
        falsetickers: settings.falsetickers,
        allow_local_reference: u8::from(settings.allow_local_reference),
        source_count: record.source_count,
    }
    let each = |at, size| (0usize..).map(move |index| at + index * size);
    for (at, number) in each(offset_of!(Bytes, daemon_version), 2).zip(record.version) {
        bytes.put(at, number.to_ne_bytes());
    }
    for (at, term_ns) in each(offset_of!(Bytes, budget), 8).zip(record.budget_ns) {
        bytes.put(at, clamp(term_ns, &TERM_NS).to_ne_bytes());
    }
    for (at, number) in each(offset_of!(Bytes, restarts), 4).zip(record.restarts) {
        bytes.put(at, number.to_ne_bytes());
    }
    for (at, number) in each(offset_of!(Bytes, publications), 8).zip(record.publications) {
        bytes.put(at, number.to_ne_bytes());
    }
    for (at, number) in each(offset_of!(Bytes, counters), 8).zip(in_order(&record.counters)) {
        bytes.put(at, number.to_ne_bytes());
    }
    let mut here = 0u16;
    let sources = record.sources.iter().take(MAX_SOURCES);
    for (at, source) in each(SOURCES_OFFSET, SOURCE_SIZE).zip(sources) {
        bytes.put_source(at, source);
        here += 1;
    }
    bytes.put(offset_of!(Bytes, sources_here), here.to_ne_bytes());
    bytes.words()
}

/// The record of words that any process may have written.
///
/// # Errors
/// The first field that is not valid.
pub(super) fn decode(words: &Words) -> Result<DiagnosticsRecord, RecordError> {
    let bytes = &Decoder::new(words);
    macro_rules! get {
        ($type:ident, $field:ident) => {
            $type::from_ne_bytes(bytes.get(offset_of!(Bytes, $field)))
        };
    }
    macro_rules! ns {
        ($range:expr, $field:ident) => {
            within(stringify!($field), get!(i64, $field), &$range)?
        };
    }
    let each = |at: usize, size: usize| move |index: usize| at + index * size;
    let u64s = |at: usize, index: usize| u64::from_ne_bytes(bytes.get(at + 8 * index));
    let version = each(offset_of!(Bytes, daemon_version), 2);
    let restarts = each(offset_of!(Bytes, restarts), 4);
    let mut budget_ns = [0; BUDGET_TERMS.len()];
    for (index, term_ns) in budget_ns.iter_mut().enumerate() {
        let at = each(offset_of!(Bytes, budget), 8)(index);
        *term_ns = within(
            BUDGET_TERMS[index],
            i64::from_ne_bytes(bytes.get(at)),
            &TERM_NS,
        )?;
    }
    let here = usize::from(get!(u16, sources_here));
    if here > MAX_SOURCES {
        return Err(invalid("sources_here", here));
    }
    let source_at = each(SOURCES_OFFSET, SOURCE_SIZE);
    let sources: Result<Vec<_>, _> = (0..here).map(|i| bytes.source(source_at(i))).collect();
    let has = |set: u8, bit| set & bit != 0;
    let (flags, notices) = (get!(u8, flags), get!(u8, notices));
    let max_drift_ppb = get!(u32, max_drift);
    if max_drift_ppb >= DRIFT_LIMIT_PPB {
        return Err(RecordError::Drift(max_drift_ppb));
    }
    let (earliest_ns, latest_ns) = ordered(ns!(NS, earliest), ns!(NS, latest))?;
    let slowest_ppt = ns!(PPT, slowest);
    Ok(DiagnosticsRecord {
        as_of_ns: ns!(NS, as_of),
        realtime_ns: ns!(NS, realtime),
        started_ns: ns!(NS, started),
        pid: get!(u32, pid),
        version: std::array::from_fn(|index| u16::from_ne_bytes(bytes.get(version(index)))),
        status: ClockStatus::try_from(i32::from(get!(u8, clock_status)))?,
        reason: Reason::from(get!(u8, reason)),
        status_since_ns: ns!(NS, status_since),
        reason_since_ns: ns!(NS, reason_since),
        failure: Reason::from(get!(u8, failure)),
        failure_since_ns: ns!(NS, failure_since),
        leap: Leap::try_from(get!(u8, leap))?,
        earliest_ns,
        latest_ns,
        realtime_error_ns: ns!(POSITIVE_NS, realtime_error),
        budget_ns,
        validated_ns: ns!(NS, validated),
        free_running_after_ns: ns!(NS, free_running_after),
        void_after_ns: ns!(NS, void_after),
        slowest_ppt,
        fastest_ppt: ns!(slowest_ppt..=*PPT.end(), fastest),
        settings: Settings {
            max_drift_ppb,
            max_wander_ppb_per_s: get!(u32, max_wander),
            falsetickers: get!(u8, falsetickers),
            allow_local_reference: get!(u8, allow_local_reference) != 0,
            phc_reference_id: get!(u32, phc_reference_id),
            poll_interval_us: get!(u32, poll_interval_us),
            grace_ns: ns!(POSITIVE_NS, grace),
            holdover_ns: ns!(POSITIVE_NS, holdover),
            max_bound_ns: ns!(POSITIVE_NS, max_bound),
        },
        reference_id: get!(u32, reference_id),
        stratum: get!(u16, stratum),
        root_delay_ns: ns!(NS, root_delay),
        root_dispersion_ns: ns!(NS, root_dispersion),
        correction_ns: ns!(NS, correction),
        skew_ppb: get!(u32, skew),
        frequency_ppb: get!(i32, frequency),
        protocol: get!(u8, protocol),
        disruption: Disruption {
            marker: get!(u64, disruption_marker),
            supported: get!(u8, disruption_support) != 0,
        },
        host: HostNotice {
            soon: has(notices, SOON),
            imminent: has(notices, IMMINENT),
            leap: get!(u8, host_leap),
            tai_offset_s: has(notices, TAI_OFFSET_KNOWN).then_some(get!(i16, tai_offset)),
        },
        is_drill: has(flags, DRILL),
        is_simulated: has(flags, SIMULATED),
        counters: from_order(std::array::from_fn(|index| {
            u64s(offset_of!(Bytes, counters), index)
        })),
        restarts: std::array::from_fn(|index| u32::from_ne_bytes(bytes.get(restarts(index)))),
        publications: std::array::from_fn(|index| u64s(offset_of!(Bytes, publications), index)),
        source_count: get!(u32, source_count),
        sources: sources?,
    })
}

const COUNTERS: usize = 17;
const _: () = assert!(
    COUNTERS <= 32 && BUDGET_TERMS.len() <= 16 && ACTORS.len() <= 16 && SEGMENTS.len() <= 8,
    "the arrays of the layout have room for them"
);

/// The counters in the order of the segment.
fn in_order(counters: &Counters) -> [u64; COUNTERS] {
    let Counters {
        reports,
        reports_refused,
        polls_unanswered,
        polls_not_permitted,
        measurements,
        contradictions,
        disagreements,
        drift_exceeded,
        wander_exceeded,
        clock_steps,
        clock_slews,
        disruptions,
        suspends,
        source_resets,
        chronyd_restarts,
        status_changes,
        files_recreated,
    } = *counters;
    [
        reports,
        reports_refused,
        polls_unanswered,
        polls_not_permitted,
        measurements,
        contradictions,
        disagreements,
        drift_exceeded,
        wander_exceeded,
        clock_steps,
        clock_slews,
        disruptions,
        suspends,
        source_resets,
        chronyd_restarts,
        status_changes,
        files_recreated,
    ]
}

/// The inverse of [`in_order`].
fn from_order(numbers: [u64; COUNTERS]) -> Counters {
    let [
        reports,
        reports_refused,
        polls_unanswered,
        polls_not_permitted,
        measurements,
        contradictions,
        disagreements,
        drift_exceeded,
        wander_exceeded,
        clock_steps,
        clock_slews,
        disruptions,
        suspends,
        source_resets,
        chronyd_restarts,
        status_changes,
        files_recreated,
    ] = numbers;
    Counters {
        reports,
        reports_refused,
        polls_unanswered,
        polls_not_permitted,
        measurements,
        contradictions,
        disagreements,
        drift_exceeded,
        wander_exceeded,
        clock_steps,
        clock_slews,
        disruptions,
        suspends,
        source_resets,
        chronyd_restarts,
        status_changes,
        files_recreated,
    }
}

/// The bytes of a segment that is written. The part before the record is not used.
struct Encoder<'a> {
    bytes: &'a mut [u8; SIZE],
}

impl Encoder<'_> {
    fn put<const N: usize>(&mut self, at: usize, value: [u8; N]) {
        self.bytes[at..at + N].copy_from_slice(&value);
    }

    fn put_source(&mut self, at: usize, source: &Source) {
        let mut address = [0; 16];
        let kind = match source.address {
            SourceAddress::Unresolved => UNRESOLVED,
            SourceAddress::V4(octets) => {
                address[..4].copy_from_slice(&octets);
                V4
            }
            SourceAddress::V6(octets) => {
                address = octets;
                V6
            }
            SourceAddress::ReferenceClock(id) => {
                address[..4].copy_from_slice(&id.to_ne_bytes());
                REFERENCE_CLOCK
            }
        };
        let mut flags = 0;
        for (is_set, bit) in [
            (source.is_peer, PEER),
            (source.is_followed, FOLLOWED),
            (source.is_disjoint, DISJOINT),
            (source.own_ns.is_some(), HAS_OWN),
        ] {
            if is_set {
                flags |= bit;
            }
        }
        let (own_earliest_ns, own_latest_ns) = source.own_ns.unwrap_or_default();
        macro_rules! put {
            ($($field:ident: $value:expr),* $(,)?) => {
                $(self.put(at + offset_of!(SourceBytes, $field), ($value).to_ne_bytes());)*
            };
        }
        self.put(at + offset_of!(SourceBytes, address), address);
        put! {
            kind: kind,
            state: source.state as u8,
            flags: flags,
            poll: source.poll.clamp(*POLL.start(), *POLL.end()),
            stratum: source.stratum,
            reachability: source.reachability,
            measured: clamp(source.measured_ns, &NS),
            offset: clamp(source.offset_ns, &NS),
            offset_error: clamp(source.offset_error_ns, &POSITIVE_NS),
            own_earliest: clamp(own_earliest_ns, &NS),
            own_latest: clamp(own_latest_ns, &NS),
            measurements: source.measurements,
        }
    }

    fn words(&self) -> Words {
        let mut words = [0; WORDS];
        let (chunks, _) = self.bytes[RECORD_OFFSET..].as_chunks::<8>();
        for (word, chunk) in words.iter_mut().zip(chunks) {
            *word = u64::from_ne_bytes(*chunk);
        }
        Words(words)
    }
}

/// The bytes of a segment that was read.
struct Decoder {
    bytes: [u8; SIZE],
}

impl Decoder {
    fn new(words: &Words) -> Self {
        let mut bytes = [0; SIZE];
        let (chunks, _) = bytes[RECORD_OFFSET..].as_chunks_mut::<8>();
        for (chunk, word) in chunks.iter_mut().zip(words.0) {
            *chunk = word.to_ne_bytes();
        }
        Self { bytes }
    }

    fn get<const N: usize>(&self, at: usize) -> [u8; N] {
        std::array::from_fn(|index| self.bytes[at + index])
    }

    fn source(&self, at: usize) -> Result<Source, RecordError> {
        macro_rules! get {
            ($type:ident, $field:ident) => {
                $type::from_ne_bytes(self.get(at + offset_of!(SourceBytes, $field)))
            };
        }
        macro_rules! ns {
            ($range:expr, $field:ident) => {
                within(stringify!($field), get!(i64, $field), &$range)?
            };
        }
        let address_at = at + offset_of!(SourceBytes, address);
        let address = match get!(u8, kind) {
            UNRESOLVED => SourceAddress::Unresolved,
            V4 => SourceAddress::V4(self.get(address_at)),
            V6 => SourceAddress::V6(self.get(address_at)),
            REFERENCE_CLOCK => {
                SourceAddress::ReferenceClock(u32::from_ne_bytes(self.get(address_at)))
            }
            kind => return Err(invalid("kind", kind)),
        };
        let flags = get!(u8, flags);
        let has = |bit| flags & bit != 0;
        let own_ns = (ns!(NS, own_earliest), ns!(NS, own_latest));
        let poll = get!(i8, poll);
        if !POLL.contains(&poll) {
            return Err(invalid("poll", poll));
        }
        Ok(Source {
            address,
            state: SourceState::try_from(get!(u8, state))?,
            is_peer: has(PEER),
            is_followed: has(FOLLOWED),
            is_disjoint: has(DISJOINT),
            poll,
            stratum: get!(u8, stratum),
            reachability: get!(u8, reachability),
            measured_ns: ns!(NS, measured),
            offset_ns: ns!(NS, offset),
            offset_error_ns: ns!(POSITIVE_NS, offset_error),
            own_ns: has(HAS_OWN)
                .then(|| ordered(own_ns.0, own_ns.1))
                .transpose()?,
            measurements: get!(u64, measurements),
        })
    }
}

impl TryFrom<u8> for SourceState {
    type Error = RecordError;

    fn try_from(number: u8) -> Result<Self, RecordError> {
        match number {
            0 => Ok(Self::Selected),
            1 => Ok(Self::Nonselectable),
            2 => Ok(Self::Falseticker),
            3 => Ok(Self::Jittery),
            4 => Ok(Self::Unselected),
            5 => Ok(Self::Selectable),
            _ => Err(invalid("state", number)),
        }
    }
}

fn clamp(value: i64, range: &RangeInclusive<i64>) -> i64 {
    value.clamp(*range.start(), *range.end())
}

fn within(
    field: &'static str,
    value: i64,
    range: &RangeInclusive<i64>,
) -> Result<i64, RecordError> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(RecordError::Number { field, value })
}

fn invalid(field: &'static str, value: impl TryInto<i64>) -> RecordError {
    let value = value.try_into().unwrap_or(i64::MAX);
    RecordError::Number { field, value }
}

fn ordered(earliest_ns: i64, latest_ns: i64) -> Result<(i64, i64), RecordError> {
    if earliest_ns <= latest_ns {
        return Ok((earliest_ns, latest_ns));
    }
    Err(RecordError::Inverted {
        earliest_ns,
        latest_ns,
    })
}
