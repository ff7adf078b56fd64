//! The layouts, and what the writer and the reader need from any of them.

pub mod header;
pub mod native;
pub mod realtime_bound;
pub mod v1;
pub mod v2;

use std::fmt::Debug;
use std::sync::atomic::AtomicU64;

use nix::time::ClockId;

use crate::memory::map::Map;
use crate::memory::sequence_lock::Generation;
use crate::record::{Identity, RecordError};
use header::HeaderError;

/// A layout: the place of each part of a segment, and the meaning of its payload.
pub trait Layout: Debug + Send + Sync + 'static {
    /// The decoded record.
    type Record: Copy + Debug + PartialEq + Send + Sync;
    /// The generation, as wide as it is in the segment.
    type Generation: Generation;
    /// The words that a reader copies.
    type Payload: AsRef<[u64]> + AsMut<[u64]> + Copy + Debug + Default;
    /// As many words in shared memory.
    type Cells: AsRef<[AtomicU64]> + Debug + Default + Send + Sync;
    /// The words that a writer writes: the payload, followed by fields for the next writer only.
    type Written: AsRef<[u64]> + AsMut<[u64]> + Copy + Debug + Default;

    /// The layout's name in messages.
    const NAME: &'static str;
    /// The magic number in the header.
    const MAGIC: [u32; 2];
    /// The version in the header.
    const VERSION: u16;
    /// The size in bytes of a segment that this version writes.
    const SIZE: usize;
    /// The size in bytes of the shortest valid segment, which has everything that a reader needs.
    const MIN_SIZE: usize;
    /// The clock of the record's instants.
    const CLOCK: ClockId;

    /// Checks the header of `map`, which has at least [`MIN_BYTES`](crate::memory::map::MIN_BYTES);
    /// returns the size in it.
    ///
    /// # Errors
    /// The first field that is wrong.
    fn check(map: &Map) -> Result<u32, HeaderError> {
        let min_size = const { header::size_field(Self::MIN_SIZE) };
        header::check(map, Self::MAGIC, Self::VERSION, min_size)
    }

    /// Writes the header of a new segment, without the generation.
    fn set_header(map: &Map, _identity: &Identity) {
        let size = const { header::size_field(Self::SIZE) };
        header::write(map, Self::MAGIC, Self::VERSION, size);
    }

    /// Upgrades a segment of [`MIN_SIZE`](Self::MIN_SIZE) bytes, of an earlier revision, to
    /// [`SIZE`](Self::SIZE) bytes, which `map` already has.
    fn grow(_map: &Map) {}

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

    /// The payload.
    fn payload(map: &Map) -> &Self::Cells;

    /// The words of [`Written`](Self::Written).
    fn written(map: &Map) -> &[AtomicU64];

    /// Encodes a record for writing.
    fn encode(record: &Self::Record) -> Self::Written;

    /// Decodes a record, with the fields for the next writer. Any process may have written it.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    fn decode_written(written: &Self::Written) -> Result<Self::Record, RecordError>;

    /// Decodes a record, without the fields for the next writer. Any process may have written it.
    ///
    /// # Errors
    /// The first field that is not valid.
    fn decode(payload: &Self::Payload) -> Result<Self::Record, RecordError>;

    /// Decodes a payload that [`decode`](Self::decode) has accepted before, without validation. For
    /// any other payload the record is undefined, but it never panics.
    fn recall(payload: &Self::Payload) -> Self::Record;

    /// A record that claims nothing, as of `now_ns` of [`CLOCK`](Self::CLOCK).
    fn no_claim(now_ns: i64) -> Self::Record;

    /// The instant of a record on [`CLOCK`](Self::CLOCK), ns.
    fn as_of_ns(record: &Self::Record) -> i64;
}
