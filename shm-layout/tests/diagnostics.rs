//! The diagnostics segment: what is written is read again, byte for byte, and nothing that is not
//! valid is.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use shm_layout::diagnostics::{
    Counters, Diagnostics, DiagnosticsRecord, MAX_SOURCES, SIZE, Settings, Source, SourceAddress,
    SourceState,
};
use shm_layout::layout::Layout;
use shm_layout::reader::{DiagnosticsReader, ReadError};
use shm_layout::record::{Identity, RecordError};
use shm_layout::writer::{DiagnosticsSegment, Start, retire};
use shm_layout::{ClockStatus, Disruption, HostNotice, Leap, Reason};
use tempfile::TempDir;

const S: i64 = 1_000_000_000;
/// The instants must not be in the future, or the record is not resumed.
const AS_OF_NS: i64 = 9;
const REALTIME_NS: i64 = 1_795_550_400 * S;

/// A record in which no two fields have the same value.
fn record() -> DiagnosticsRecord {
    DiagnosticsRecord {
        as_of_ns: AS_OF_NS,
        realtime_ns: REALTIME_NS,
        started_ns: 1,
        pid: 4_711,
        version: [1, 22, 333],
        status: ClockStatus::FreeRunning,
        reason: Reason::ChronySilent,
        status_since_ns: 2,
        reason_since_ns: 3,
        failure: Reason::SourceUnreachable,
        failure_since_ns: 4,
        leap: Leap::InsertSecond,
        earliest_ns: REALTIME_NS - 66,
        latest_ns: REALTIME_NS + 67,
        realtime_error_ns: 68,
        budget_ns: [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1],
        validated_ns: 5,
        free_running_after_ns: 5 * S,
        void_after_ns: 6 * S,
        slowest_ppt: -1_000_001,
        fastest_ppt: 2_000_002,
        settings: Settings {
            max_drift_ppb: 1_001,
            max_wander_ppb_per_s: 1_002,
            falsetickers: 3,
            allow_local_reference: true,
            phc_reference_id: 0x5048_4330,
            poll_interval_us: 100_000,
            grace_ns: 1_004,
            holdover_ns: 1_005,
            max_bound_ns: 1_006,
        },
        reference_id: 0x7f7f_0101,
        stratum: 12,
        root_delay_ns: -1_007,
        root_dispersion_ns: 1_008,
        correction_ns: -1_009,
        skew_ppb: 1_010,
        frequency_ppb: -1_011,
        protocol: 6,
        disruption: Disruption {
            marker: 0x0102_0304_0506_0708,
            supported: true,
        },
        host: HostNotice {
            soon: true,
            imminent: false,
            leap: 2,
            tai_offset_s: Some(37),
        },
        is_drill: true,
        is_simulated: false,
        counters: Counters {
            reports: 101,
            reports_refused: 102,
            polls_unanswered: 103,
            polls_not_permitted: 104,
            measurements: 105,
            contradictions: 106,
            disagreements: 107,
            drift_exceeded: 108,
            wander_exceeded: 109,
            clock_steps: 110,
            clock_slews: 111,
            disruptions: 112,
            suspends: 113,
            source_resets: 114,
            chronyd_restarts: 115,
            status_changes: 116,
            files_recreated: 117,
        },
        restarts: [201, 202, 203, 204, 205, 206, 207, 208],
        publications: [301, 302, 303, 304],
        source_count: 40,
        sources: vec![
            Source {
                address: SourceAddress::V4([192, 0, 2, 1]),
                state: SourceState::Selected,
                is_peer: false,
                is_followed: true,
                is_disjoint: false,
                poll: -4,
                stratum: 1,
                reachability: 0o377,
                measured_ns: 7,
                offset_ns: -401,
                offset_error_ns: 402,
                own_ns: Some((REALTIME_NS - 403, REALTIME_NS + 404)),
                measurements: 405,
            },
            Source {
                address: SourceAddress::V6([
                    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
                ]),
                state: SourceState::Falseticker,
                is_peer: true,
                is_disjoint: true,
                ..Source::default()
            },
            Source {
                address: SourceAddress::ReferenceClock(0x5048_4330),
                state: SourceState::Selectable,
                ..Source::default()
            },
            Source::default(),
        ],
    }
}

/// A temporary directory, removed when dropped.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("diagnostics")
    }

    fn open(&self) -> (DiagnosticsSegment, Start) {
        DiagnosticsSegment::open(&self.path()).expect("the segment opens")
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).expect("a file")
    }

    fn read(&self) -> Result<DiagnosticsRecord, ReadError> {
        DiagnosticsReader::open(&self.path())?.snapshot()
    }

    /// Overwrites the bytes at `at`.
    fn overwrite(&self, at: usize, with: &[u8]) {
        let mut bytes = self.bytes();
        bytes[at..at + with.len()].copy_from_slice(with);
        fs::write(self.path(), bytes).expect("written");
    }
}

#[test]
fn a_new_segment_has_this_identity_and_claims_nothing() {
    let bench = Bench::new();
    let (_segment, start) = bench.open();
    assert_eq!(start, Start::Created);
    let (bytes, own) = (bench.bytes(), Identity::own().expect("an identity"));
    assert_eq!((bytes.len(), &bytes[..8]), (SIZE, &b"clkbdiag"[..]));
    assert_eq!(bytes[8..12], 8192u32.to_ne_bytes());
    assert_eq!(
        bytes[12..16],
        [1u16.to_ne_bytes(), 0u16.to_ne_bytes()].concat()
    );
    assert_eq!(bytes[16..32], own.boot_id);
    assert_eq!(bytes[32..40], own.namespace_offset_ns.to_ne_bytes());
    assert_eq!(bytes[64..72], 2u64.to_ne_bytes());
    let reader = DiagnosticsReader::open(&bench.path()).expect("a reader");
    assert_eq!(reader.identity(), own);
    let record = reader.snapshot().expect("a record");
    assert_eq!(record, DiagnosticsRecord::no_claim(record.as_of_ns));
}

#[test]
fn a_record_is_read_as_it_was_written_and_resumed() {
    let bench = Bench::new();
    let (segment, _) = bench.open();
    segment.publish(&record());
    assert_eq!(bench.read().expect("a record"), record());
    assert_eq!(segment.last_record(), record());
    drop(segment);
    let (segment, start) = bench.open();
    assert_eq!((start, segment.last_record()), (Start::Warm, record()));
}

#[test]
fn each_field_is_at_its_offset() {
    let bench = Bench::new();
    bench.open().0.publish(&record());
    let bytes = bench.bytes();
    let mut expected: Vec<(usize, Vec<u8>)> = vec![
        (184, vec![2, 4, 1, 7, 0b01, 6]),
        (190, 12u16.to_ne_bytes().into()),
        (232, 4_711u32.to_ne_bytes().into()),
        (236, 1u16.to_ne_bytes().into()),
        (238, 22u16.to_ne_bytes().into()),
        (240, 333u16.to_ne_bytes().into()),
        (244, 0x7f7f_0101u32.to_ne_bytes().into()),
        (272, 1_010u32.to_ne_bytes().into()),
        (276, (-1_011i32).to_ne_bytes().into()),
        (296, 0x0102_0304_0506_0708u64.to_ne_bytes().into()),
        (304, vec![1, 0b101, 2, 0]),
        (308, 37i16.to_ne_bytes().into()),
        (312, 1_001u32.to_ne_bytes().into()),
        (316, 1_002u32.to_ne_bytes().into()),
        (320, 0x5048_4330u32.to_ne_bytes().into()),
        (324, 100_000u32.to_ne_bytes().into()),
        (352, vec![3, 1, 0, 0, 0, 0, 0, 0]),
        (872, 40u32.to_ne_bytes().into()),
        (876, 4u16.to_ne_bytes().into()),
        (4096, vec![192, 0, 2, 1]),
        (4112, vec![1, 0, 0b1010, 252, 1, 255, 0, 0]),
        (4224, vec![0x20, 0x01, 0x0d, 0xb8]),
        (4239, vec![1, 2, 2, 0b101]),
        (4352, 0x5048_4330u32.to_ne_bytes().into()),
        (4368, vec![3, 5, 0]),
    ];
    for (at, number) in [
        (128, AS_OF_NS),
        (136, REALTIME_NS),
        (144, REALTIME_NS - 66),
        (152, REALTIME_NS + 67),
        (160, 68),
        (168, 5 * S),
        (176, 6 * S),
        (192, 2),
        (200, 3),
        (208, 4),
        (216, 5),
        (224, 1),
        (248, -1_007),
        (256, 1_008),
        (264, -1_009),
        (280, -1_000_001),
        (288, 2_000_002),
        (328, 1_004),
        (336, 1_005),
        (344, 1_006),
        (360, 11),
        (440, 1),
        (448, 0),
        (552, 301),
        (576, 304),
        (616, 101),
        (744, 117),
        (752, 0),
        (4120, 7),
        (4128, -401),
        (4136, 402),
        (4144, REALTIME_NS - 403),
        (4152, REALTIME_NS + 404),
        (4160, 405),
    ] {
        expected.push((at, i64::to_ne_bytes(number).into()));
    }
    for (at, number) in [(488, 201u32), (516, 208), (520, 0)] {
        expected.push((at, number.to_ne_bytes().into()));
    }
    for (at, field) in expected {
        assert_eq!(bytes[at..at + field.len()], field, "at {at}");
    }
    for reserved in [40..64, 72..128, 878..4096, 4168..4224, 4608..8192] {
        let (from, to) = (reserved.start, reserved.end);
        assert!(
            bytes[reserved].iter().all(|&byte| byte == 0),
            "{from}..{to}"
        );
    }
}

#[test]
fn each_invalid_number_is_refused_and_an_unknown_reason_is_not() {
    let bench = Bench::new();
    bench.open().0.publish(&record());
    let far = (1i64 << 62).to_ne_bytes();
    let negative = (-1i64).to_ne_bytes();
    for (at, with) in [
        (128, &far[..]),
        (136, &far),
        (144, &far),
        (144, &(REALTIME_NS + 68).to_ne_bytes()),
        (152, &far),
        (160, &negative),
        (168, &far),
        (176, &far),
        (184, &[4]),
        (186, &[4]),
        (192, &far),
        (200, &far),
        (208, &far),
        (216, &far),
        (224, &far),
        (248, &far),
        (256, &far),
        (264, &far),
        (280, &2_000_003i64.to_ne_bytes()),
        (288, &1_000_000_000_001i64.to_ne_bytes()),
        (312, &u32::MAX.to_ne_bytes()),
        (328, &negative),
        (336, &negative),
        (344, &negative),
        (360, &(-(1_i64 << 58) - 1).to_ne_bytes()),
        (440, &far),
        (876, &33u16.to_ne_bytes()),
        (4112, &[4]),
        (4113, &[6]),
        (4115, &[33]),
        (4120, &far),
        (4128, &far),
        (4136, &negative),
        (4144, &far),
        (4152, &(REALTIME_NS - 404).to_ne_bytes()),
    ] {
        let whole = bench.bytes();
        bench.overwrite(at, with);
        let read = bench.read();
        assert!(matches!(read, Err(ReadError::Record(_))), "{at}: {read:?}");
        fs::write(bench.path(), whole).expect("written");
    }
    bench.overwrite(185, &[200, 0, 201]);
    let read = bench.read().expect("a record");
    assert_eq!(
        (read.reason, read.failure),
        (Reason::Untold, Reason::Untold)
    );
}

#[test]
fn a_file_of_another_layout_or_length_is_refused_and_a_higher_revision_is_not() {
    for (at, with) in [(0, &b"x"[..]), (4, b"ound"), (12, &[2]), (8, &[0, 0])] {
        let bench = Bench::new();
        bench.open().0.publish(&record());
        bench.overwrite(at, with);
        let read = bench.read();
        assert!(matches!(read, Err(ReadError::Header(_))), "{at}: {read:?}");
    }
    let bench = Bench::new();
    bench.open().0.publish(&record());
    bench.overwrite(14, &7u16.to_ne_bytes());
    bench.overwrite(8, &16_384u32.to_ne_bytes());
    let read = bench.read();
    assert!(matches!(read, Err(ReadError::TooShort { .. })), "{read:?}");
    let mut bytes = bench.bytes();
    bytes.resize(16_384, 1);
    fs::write(bench.path(), bytes).expect("written");
    assert_eq!(bench.read().expect("a record"), record());
    let (_segment, start) = bench.open();
    assert!(matches!(start, Start::Replaced { .. }), "{start}");
}

#[test]
fn an_unfinished_write_is_not_read_and_the_next_write_repairs_it() {
    let bench = Bench::new();
    bench.open().0.publish(&record());
    bench.overwrite(64, &5u64.to_ne_bytes());
    let read = bench.read();
    assert!(matches!(read, Err(ReadError::WriteInProgress)), "{read:?}");
    let (segment, start) = bench.open();
    assert!(matches!(start, Start::Cold { .. }), "{start}");
    segment.publish(&record());
    assert_eq!(bench.read().expect("a record"), record());
    bench.overwrite(64, &0u64.to_ne_bytes());
    let read = bench.read();
    assert!(matches!(read, Err(ReadError::NotInitialized)), "{read:?}");
}

#[test]
fn a_retired_segment_claims_nothing_and_is_removed() {
    let bench = Bench::new();
    bench.open().0.publish(&record());
    let reader = DiagnosticsReader::open(&bench.path()).expect("a reader");
    assert!(retire::<Diagnostics>(&bench.path()).expect("retired"));
    assert!(!bench.path().exists());
    let record = reader.snapshot().expect("a record");
    assert_eq!(record, DiagnosticsRecord::retired(record.as_of_ns));
    assert_eq!(record.reason, Reason::Retired);
}

#[test]
fn numbers_out_of_range_are_written_as_the_nearest_in_range() {
    let mut wild = record();
    wild.root_delay_ns = i64::MIN;
    wild.correction_ns = i64::MAX;
    wild.budget_ns = [i64::MAX; 11];
    wild.settings.holdover_ns = i64::MAX;
    wild.void_after_ns = i64::MAX;
    wild.sources = vec![
        Source {
            poll: 127,
            offset_error_ns: -1,
            ..Source::default()
        };
        MAX_SOURCES + 1
    ];
    let read = Diagnostics::decode(&Diagnostics::encode(&wild)).expect("a record");
    assert_eq!(read.root_delay_ns, 1 - (1 << 62));
    assert_eq!(read.void_after_ns, (1 << 62) - 1);
    assert!(read.budget_ns.iter().sum::<i64>() > 0);
    assert_eq!(read.sources.len(), MAX_SOURCES);
    assert_eq!(
        (read.sources[0].poll, read.sources[0].offset_error_ns),
        (32, 0)
    );
    // An interval that is inverted has no nearest valid one.
    let (earliest_ns, latest_ns) = (wild.latest_ns, wild.earliest_ns);
    wild.earliest_ns = earliest_ns;
    wild.latest_ns = latest_ns;
    let read = Diagnostics::decode(&Diagnostics::encode(&wild));
    assert_eq!(
        read,
        Err(RecordError::Inverted {
            earliest_ns,
            latest_ns
        })
    );
}

#[test]
fn the_status_ages_as_in_the_native_layout() {
    use ClockStatus::{Disrupted, FreeRunning, Synchronized, Unknown};
    let silent = (FreeRunning, Reason::DaemonSilent);
    let expired = (Unknown, Reason::HoldoverExpired);
    let kept = |status| (status, Reason::Contradiction);
    for (status, raw_ns, expected) in [
        (Synchronized, 5 * S - 1, kept(Synchronized)),
        (Synchronized, 5 * S, silent),
        (Synchronized, 6 * S - 1, silent),
        (Synchronized, 6 * S, expired),
        (FreeRunning, 6 * S - 1, kept(FreeRunning)),
        (FreeRunning, 6 * S, expired),
        (Unknown, 7 * S, kept(Unknown)),
        (Disrupted, 7 * S, kept(Disrupted)),
    ] {
        let record = DiagnosticsRecord {
            status,
            reason: Reason::Contradiction,
            ..record()
        };
        assert_eq!(record.status_at(raw_ns), expected, "{status} at {raw_ns}");
    }
}

#[test]
fn another_time_namespace_shows_the_instants_moved() {
    let moved = record().moved_back(-S);
    assert_eq!((moved.as_of_ns, moved.started_ns), (S + AS_OF_NS, S + 1));
    assert_eq!(
        (moved.status_since_ns, moved.reason_since_ns),
        (S + 2, S + 3)
    );
    assert_eq!((moved.failure_since_ns, moved.validated_ns), (S + 4, S + 5));
    assert_eq!(moved.free_running_after_ns, 6 * S);
    assert_eq!(moved.void_after_ns, 7 * S);
    assert_eq!(moved.sources[0].measured_ns, S + 7);
    assert_eq!(moved.sources[1].measured_ns, 0, "there is none");
    assert_eq!(moved.moved_back(S), record());
    let never = DiagnosticsRecord::no_claim(5).moved_back(S);
    assert_eq!(never.validated_ns, 0, "there is none");
}

fn any_source() -> impl Strategy<Value = Source> {
    let address = prop_oneof![
        Just(SourceAddress::Unresolved),
        any::<[u8; 4]>().prop_map(SourceAddress::V4),
        any::<[u8; 16]>().prop_map(SourceAddress::V6),
        any::<u32>().prop_map(SourceAddress::ReferenceClock),
    ];
    let state = (0u8..6).prop_map(|number| SourceState::try_from(number).expect("a state"));
    let near = -(1i64 << 61)..1 << 61;
    (
        (address, state, any::<[bool; 3]>(), -32i8..=32),
        (any::<[u8; 2]>(), near.clone(), near.clone(), 0..1i64 << 61),
        (proptest::option::of((near, 0..1i64 << 61)), any::<u64>()),
    )
        .prop_map(
            |((address, state, flags, poll), (bytes, measured, offset, error), (own, count))| {
                Source {
                    address,
                    state,
                    is_peer: flags[0],
                    is_followed: flags[1],
                    is_disjoint: flags[2],
                    poll,
                    stratum: bytes[0],
                    reachability: bytes[1],
                    measured_ns: measured,
                    offset_ns: offset,
                    offset_error_ns: error,
                    own_ns: own.map(|(earliest, width)| (earliest, earliest + width)),
                    measurements: count,
                }
            },
        )
}

proptest! {
    #[test]
    fn every_valid_record_is_decoded_as_it_was_encoded(
        sources in prop::collection::vec(any_source(), 0..=MAX_SOURCES),
        instants in prop::array::uniform8(-(1i64 << 62) + 1..1 << 62),
        budget_ns in prop::array::uniform11(-(1i64 << 58)..=1 << 58),
        width_ns in 0i64..1 << 61, earliest_ns in -(1i64 << 61)..1 << 61,
        restarts: [u32; 8], publications: [u64; 4], numbers: [u64; 3], pid: u32,
        reason: u8, tai_offset_s: Option<i16>, is_drill: bool, is_simulated: bool, frequency_ppb: i32,
    ) {
        let record = DiagnosticsRecord {
            as_of_ns: instants[0],
            realtime_ns: instants[1],
            started_ns: instants[2],
            status_since_ns: instants[3],
            reason_since_ns: instants[4],
            failure_since_ns: instants[5],
            validated_ns: instants[6],
            void_after_ns: instants[7],
            budget_ns,
            earliest_ns,
            latest_ns: earliest_ns + width_ns,
            restarts,
            publications,
            counters: Counters {
                reports: numbers[0],
                files_recreated: numbers[1],
                clock_steps: numbers[2],
                ..Counters::default()
            },
            pid,
            reason: Reason::from(reason),
            host: HostNotice { tai_offset_s, ..HostNotice::default() },
            is_drill,
            is_simulated,
            frequency_ppb,
            sources,
            ..record()
        };
        prop_assert_eq!(Diagnostics::decode(&Diagnostics::encode(&record)), Ok(record));
    }

    #[test]
    fn any_words_are_a_record_that_encodes_to_an_equal_one_or_an_error(
        edits in prop::collection::vec((0..shm_layout::diagnostics::WORDS, any::<u64>()), 0..40),
        is_near: bool,
    ) {
        let mut words = Diagnostics::encode(&record());
        for (at, word) in edits {
            words.as_mut()[at] = if is_near { word & 0xff } else { word };
        }
        if let Ok(record) = Diagnostics::decode(&words) {
            prop_assert_eq!(Diagnostics::decode(&Diagnostics::encode(&record)), Ok(record));
        }
    }
}
