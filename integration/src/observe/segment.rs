//! A segment file as raw bytes, parsed without the code that writes it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::reading::Status;
use crate::host::wait;

/// Size of the v1 layout.
pub const V1_SIZE: usize = 72;

/// A copy of the bytes of a v1 segment, and which file they came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Content of the file.
    pub bytes: Vec<u8>,
    /// The file's inode.
    pub inode: u64,
}

impl Segment {
    /// Reads the file once; a write may be in progress.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(path: &Path) -> io::Result<Segment> {
        Ok(Segment {
            bytes: fs::read(path)?,
            inode: fs::metadata(path)?.ino(),
        })
    }

    /// Reads until no write was in progress.
    ///
    /// # Panics
    /// If there is no valid segment in time.
    #[track_caller]
    pub fn settled(path: &Path) -> Segment {
        wait::until_some(wait::PATIENCE, "a valid segment", || {
            let segment = Segment::read(path).ok().filter(Segment::is_valid)?;
            // Two equal copies with an even generation: nothing was torn.
            (Segment::read(path).ok()? == segment).then_some(segment)
        })
    }

    /// Waits for a segment that satisfies `cond`.
    ///
    /// # Panics
    /// If there is none in time.
    #[track_caller]
    pub fn wait_for(path: &Path, what: &str, cond: impl Fn(&Segment) -> bool) -> Segment {
        wait::until_some(wait::PATIENCE, what, || {
            Some(Segment::settled(path)).filter(&cond)
        })
    }

    /// Waits until `path` has this status.
    #[track_caller]
    pub fn wait_for_status(path: &Path, status: Status) -> Segment {
        Segment::wait_for(path, &format!("status {status:?}"), |segment| {
            segment.status() == status
        })
    }

    /// Waits until the writer has published at least `count` more times.
    #[track_caller]
    pub fn wait_for_writes(path: &Path, count: u16) -> Segment {
        let start = Segment::settled(path).generation();
        Segment::wait_for(path, "the generation advances", |segment| {
            segment.generation().wrapping_sub(start) >= 2 * count
        })
    }

    /// Whether magic, version, size and generation are those of a segment at rest.
    pub fn is_valid(&self) -> bool {
        self.bytes.len() == V1_SIZE
            && self.u32_at(0) == 0x414d_5a4e
            && self.u32_at(4) == 0x4342_0200
            && self.u32_at(8) as usize == V1_SIZE
            && self.version() == 1
            && self.generation() != 0
            && self.generation().is_multiple_of(2)
    }

    /// Layout version.
    pub fn version(&self) -> u16 {
        u16::from_ne_bytes(self.at(12))
    }

    /// Odd while a write is in progress.
    pub fn generation(&self) -> u16 {
        u16::from_ne_bytes(self.at(14))
    }

    /// The instant of the bound, CLOCK_MONOTONIC_COARSE in nanoseconds.
    pub fn as_of_ns(&self) -> i64 {
        self.i64_at(16) * 1_000_000_000 + self.i64_at(24)
    }

    /// When the bound becomes invalid, CLOCK_MONOTONIC_COARSE in nanoseconds.
    pub fn void_after_ns(&self) -> i64 {
        self.i64_at(32) * 1_000_000_000 + self.i64_at(40)
    }

    /// Half the width of the interval at `as_of`.
    pub fn bound_ns(&self) -> i64 {
        self.i64_at(48)
    }

    /// The rate at which the bound grows.
    pub fn max_drift_ppb(&self) -> u32 {
        self.u32_at(56)
    }

    /// The status that is published.
    ///
    /// # Panics
    /// If it is not one of the v1 layout.
    pub fn status(&self) -> Status {
        match self.u32_at(64) {
            0 => Status::Unknown,
            1 => Status::Synchronized,
            2 => Status::FreeRunning,
            other => panic!("status {other} is not in the v1 layout"),
        }
    }

    /// Whether reserved fields and padding are zero.
    pub fn padding_is_zero(&self) -> bool {
        self.u32_at(60) == 0 && self.bytes[68..V1_SIZE] == [0; 4]
    }

    fn u32_at(&self, offset: usize) -> u32 {
        u32::from_ne_bytes(self.at(offset))
    }

    fn i64_at(&self, offset: usize) -> i64 {
        i64::from_ne_bytes(self.at(offset))
    }

    fn at<const N: usize>(&self, offset: usize) -> [u8; N] {
        self.bytes[offset..offset + N].try_into().expect("N bytes")
    }
}
