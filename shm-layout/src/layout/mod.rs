//! The layouts, and what the writer and the reader need from any of them.

pub mod diagnostics;
pub mod header;
pub mod identified;
pub mod native;
pub mod realtime_bound;
pub mod v1;
pub mod v2;
pub mod v3;

use std::fmt::Debug;
use std::sync::atomic::AtomicU64;

use nix::time::ClockId;

use crate::memory::map::Map;
use crate::memory::sequence_lock::Generation;
use crate::record::{Disruption, Identity, RecordError};
use header::HeaderError;

/// How the disruption support flag of a file may change while programs have the file mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupportFlag {
    /// In any way, or there is no such flag.
    Free,
    /// It is never set: a program that cannot open the VMClock device would fail from then on.
    NeverSet,
    /// Not at all: a program would fail from then on.
    Fixed,
}

/// A layout: the place of each part of a segment, and the meaning of its payload.
pub trait Layout: Debug + Send + Sync + 'static {
    /// The decoded record.
    type Record: Clone + Debug + PartialEq + Send + Sync;
    /// The generation, as wide as it is in the segment.
    type Generation: Generation;
    /// The words of a record, as a writer writes them.
    type Words: AsRef<[u64]> + AsMut<[u64]> + Copy + Debug + Default;
    /// As many words in shared memory.
    type Cells: AsRef<[AtomicU64]> + Debug + Default + Send + Sync;

    /// The layout's name in messages.
    const NAME: &'static str;
    /// The magic number in the header.
    const MAGIC: [u32; 2];
    /// The version in the header.
    const VERSION: u16;
    /// The size in bytes of a segment that this version writes.
    const SIZE: usize;
    /// The size in bytes of the shortest valid segment, which has everything that the interval needs.
    const MIN_SIZE: usize;
    /// The size in bytes of the part that has the whole record.
    const RECORD_END: usize;
    /// The clock of the record's instants.
    const CLOCK: ClockId;
    /// Whether readers cannot tell that a record is of an earlier boot. Then a file that may be of
    /// one is removed before anything else is done with it, and a record is complete at any time:
    /// an unfinished write is replaced at once.
    const IS_REMOVED_AFTER_BOOT: bool = false;
    /// How the disruption support flag of a file may change.
    const SUPPORT: SupportFlag = SupportFlag::Free;

    /// Checks the header of `map`, which has at least [`MIN_BYTES`](crate::memory::map::MIN_BYTES);
    /// returns the size in it.
    ///
    /// # Errors
    /// The first field that is wrong.
    fn check(map: &Map) -> Result<u32, HeaderError> {
        let min_size = const { header::size_field(Self::MIN_SIZE) };
        header::check(map, Self::MAGIC, Self::VERSION, min_size)
    }

    /// The end of the record in a valid segment with `size` in its header: an earlier revision has
    /// only a part of it.
    fn record_end(size: u32) -> usize {
        if (size as usize) < Self::RECORD_END {
            Self::MIN_SIZE
        } else {
            Self::RECORD_END
        }
    }

    /// Writes the header of a new segment, without the generation.
    fn set_header(map: &Map, _identity: &Identity) {
        let size = const { header::size_field(Self::SIZE) };
        header::write(map, Self::MAGIC, Self::VERSION, size);
    }

    /// Upgrades a segment of an earlier revision to this one. `map` already has
    /// [`SIZE`](Self::SIZE) bytes.
    fn upgrade(_map: &Map) {}

    /// Copies the part that is not in the record from one segment to a new one.
    fn carry_over(_from: &Map, _to: &Map) {}

    /// Checks that a process with this `identity` may continue a segment whose header is valid. A
    /// layout without an identity relies on the lock file beside the segment.
    ///
    /// # Errors
    /// Why the segment has to be replaced.
    fn check_identity(_map: &Map, _identity: &Identity) -> Result<(), String> {
        Ok(())
    }

    /// The generation.
    fn generation(map: &Map) -> &Self::Generation;

    /// The cells of the record. If `map` is shorter than the record, those that it has.
    fn cells(map: &Map) -> &[AtomicU64];

    /// Encodes a record.
    fn encode(record: &Self::Record) -> Self::Words;

    /// Decodes a record. Any process may have written it.
    ///
    /// # Errors
    /// The first field that is not valid.
    fn decode(words: &Self::Words) -> Result<Self::Record, RecordError>;

    /// A record that claims nothing, as of `now_ns` of [`CLOCK`](Self::CLOCK).
    fn no_claim(now_ns: i64) -> Self::Record;

    /// As [`no_claim`](Self::no_claim), for a segment that is not written any more.
    fn retired(now_ns: i64) -> Self::Record {
        Self::no_claim(now_ns)
    }

    /// The instant of a record on [`CLOCK`](Self::CLOCK), ns.
    fn as_of_ns(record: &Self::Record) -> i64;

    /// Whether a record is from after `nothing`, a record that claims nothing at the present.
    fn is_from_future(record: &Self::Record, nothing: &Self::Record) -> bool {
        Self::as_of_ns(record) > Self::as_of_ns(nothing)
    }

    /// The disruption marker of a record; without support if the layout has none.
    fn disruption(_record: &Self::Record) -> Disruption {
        Disruption::default()
    }

    /// Whether a program wrote the record for a test, so that it says nothing about the clock.
    fn is_simulated(record: &Self::Record) -> bool;

    /// Whether the support flag is set in words that may be invalid. Only for layouts whose flag is
    /// not [`Free`](SupportFlag::Free).
    fn support_in(_words: &Self::Words) -> bool {
        false
    }

    /// Sets the support flag of encoded words to `supported`. Only for layouts whose flag is not
    /// [`Free`](SupportFlag::Free).
    fn set_support(_words: &mut Self::Words, _supported: bool) {}
}

/// A layout with an interval, which readers read often: they copy only the words that it needs.
pub trait IntervalLayout: Layout {
    /// The first words of a record: those that the interval needs.
    type IntervalWords: AsMut<[u64]> + Copy + Debug + Default;

    /// The cells of [`IntervalWords`](Self::IntervalWords).
    fn interval_cells(map: &Map) -> &[AtomicU64];

    /// The part of a record that the interval needs, of words that [`decode`](Layout::decode) has
    /// accepted before, without validation. All other fields are 0. For any other words the record
    /// is undefined, but this never panics.
    fn recall(words: &Self::IntervalWords) -> Self::Record;
}
