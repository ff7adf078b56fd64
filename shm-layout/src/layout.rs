//! What reader and writer need to know of a layout, whichever it is.

use std::fmt::Debug;
use std::sync::atomic::AtomicU64;

use nix::time::ClockId;
use thiserror::Error;

use crate::header::HeaderError;
use crate::identity::Identity;
use crate::map::Map;
use crate::sequence::Generation;
use crate::status::ForeignStatus;

/// A layout: where its parts are, and what its payload means.
pub trait Layout: Debug + Send + Sync + 'static {
    /// What a segment says.
    type Record: Copy + Debug + PartialEq + Send + Sync;
    /// The generation as it stands in the segment.
    type Generation: Generation;
    /// The payload as words: what a reader copies.
    type Payload: AsRef<[u64]> + AsMut<[u64]> + Copy + Debug + Default;
    /// As many words that are shared.
    type Cells: AsRef<[AtomicU64]> + Debug + Default + Send + Sync;

    /// What a writer writes, as words: the payload, and behind it what only the next writer reads.
    type Written: AsRef<[u64]> + AsMut<[u64]> + Copy + Debug + Default;

    /// The layout's name in messages.
    const NAME: &'static str;
    /// The size in bytes of the segments that are written.
    const SIZE: usize;
    /// The size in bytes that a segment has at least, all of which a reader knows.
    const MIN_SIZE: usize;
    /// The clock of its instants.
    const CLOCK: ClockId;

    /// Whether `map`, of at least [`MIN_BYTES`] bytes, begins like this layout; returns the size it declares.
    ///
    /// # Errors
    /// The first field that is wrong.
    fn check(map: &Map) -> Result<u32, HeaderError>;

    /// Writes the header of a new segment. The generation is left as it is.
    fn set_header(map: &Map, identity: &Identity);

    /// Makes a segment of [`MIN_SIZE`](Self::MIN_SIZE) bytes, of an earlier revision, one of [`SIZE`](Self::SIZE), which
    /// `map` has already.
    fn grow(_map: &Map) {}

    /// Copies what is not part of the record from one segment to a new one.
    fn carry_over(_from: &Map, _to: &Map) {}

    /// Whether a segment with a good header can be carried on by the daemon that is `identity`.
    ///
    /// # Errors
    /// Why it has to be replaced.
    fn check_identity(map: &Map, identity: &Identity) -> Result<(), String>;

    /// The generation.
    fn generation(map: &Map) -> &Self::Generation;

    /// The payload.
    fn payload(map: &Map) -> &Self::Cells;

    /// Where [`Written`](Self::Written) is.
    fn written(map: &Map) -> &[AtomicU64];

    /// A record as it is written.
    fn encode(record: &Self::Record) -> Self::Written;

    /// The record that was written, whoever wrote it, for the next writer.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    fn decode_written(written: &Self::Written) -> Result<Self::Record, RecordError>;

    /// The record in a payload, whoever wrote it; what is not part of the payload is left out.
    ///
    /// # Errors
    /// The first field that cannot be what it says.
    fn decode(payload: &Self::Payload) -> Result<Self::Record, RecordError>;

    /// The record in a payload that decoded before. Of any other it makes something, and never panics.
    fn recall(payload: &Self::Payload) -> Self::Record;

    /// A record that claims nothing, as of `now_ns` of [`CLOCK`](Self::CLOCK).
    fn no_claim(now_ns: i64) -> Self::Record;

    /// The instant of a record on [`CLOCK`](Self::CLOCK), ns.
    fn as_of_ns(record: &Self::Record) -> i64;
}

/// The bytes that a header check may look at: the v1 and v2 header.
pub const MIN_BYTES: usize = 16;

/// Why a payload is not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// An instant that no clock shows.
    #[error("{field} is {seconds} s and {nanoseconds} ns, which is no instant")]
    Instant {
        /// The field.
        field: &'static str,
        /// Its seconds.
        seconds: i64,
        /// Its nanoseconds.
        nanoseconds: i64,
    },
    /// A bound below zero, or above [`NO_CLAIM_BOUND_NS`](crate::v1::NO_CLAIM_BOUND_NS).
    #[error("bound_nsec is {0}, not within 0 and 31 years")]
    Bound(i64),
    /// A drift rate at which a clock stands still or runs backwards.
    #[error("max_drift_ppb is {0}, not below 1000000000")]
    Drift(u32),
    /// An instant so far away that nothing can be reckoned from it.
    #[error("{field} is {ns} ns, further away than a century")]
    Range {
        /// The field.
        field: &'static str,
        /// Its value.
        ns: i64,
    },
    /// An interval that ends before it begins.
    #[error("earliest is {earliest_ns}, after latest, {latest_ns}")]
    Inverted {
        /// Its beginning.
        earliest_ns: i64,
        /// Its end.
        latest_ns: i64,
    },
    /// A leap announcement that the layout does not have.
    #[error("leap is {0}, none of 0 to 3")]
    Leap(u8),
    /// A time scale that is not understood here.
    #[error("the time scale is {0}, not 0 (UTC)")]
    TimeScale(u8),
    /// A status that the layout does not have.
    #[error(transparent)]
    Status(#[from] ForeignStatus),
}
