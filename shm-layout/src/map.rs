//! The map: a file's beginning as shared atomic words. The only room with unsafe code.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use crate::layout::MIN_BYTES;

/// What may be done through a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Loads only; a store would kill the process, so only readers' code holds such a map.
    Read,
    /// Loads and stores.
    ReadWrite,
}

/// The first bytes of a file, shared with every process that maps them.
///
/// All access is atomic, so other processes may write at any time. A file that is truncated
/// under its map kills whoever touches it (SIGBUS): writers never truncate, and this
/// length was checked when the map was made.
#[derive(Debug)]
pub struct Map {
    start: NonNull<u8>,
    length: NonZeroUsize,
}

// SAFETY: the memory belongs to the map until it is dropped, and is accessed atomically only.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// Maps the first `length` bytes of `file`, a multiple of 8 and at least [`MIN_BYTES`].
    ///
    /// # Errors
    /// `InvalidData` when the file is shorter, `InvalidInput` for a length that no layout has, otherwise
    /// what mmap(2) says.
    pub fn new(file: &File, length: usize, access: Access) -> io::Result<Self> {
        let length = NonZeroUsize::new(length)
            .filter(|length| length.get() >= MIN_BYTES && length.get().is_multiple_of(8))
            .ok_or(io::ErrorKind::InvalidInput)?;
        if file.metadata()?.len() < length.get() as u64 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the file is too short",
            ));
        }
        let protection = match access {
            Access::Read => ProtFlags::PROT_READ,
            Access::ReadWrite => ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
        };
        // SAFETY: a new mapping at an address of the kernel's choice aliases no Rust object.
        let start = unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, file, 0) }?;
        Ok(Self {
            start: start.cast(),
            length,
        })
    }

    /// The two bytes at `offset`, which must be aligned and inside.
    #[inline]
    #[must_use]
    pub fn u16_at(&self, offset: usize) -> &AtomicU16 {
        self.check(offset, 2);
        // SAFETY: inside the map and aligned, as was checked; the map is page aligned and lives as long as
        // `self`; atomics may be shared with any other process.
        unsafe { &*self.start.as_ptr().add(offset).cast() }
    }

    /// The four bytes at `offset`, likewise.
    #[inline]
    #[must_use]
    pub fn u32_at(&self, offset: usize) -> &AtomicU32 {
        self.check(offset, 4);
        // SAFETY: as in `u16_at`.
        unsafe { &*self.start.as_ptr().add(offset).cast() }
    }

    /// The eight bytes at `offset`, likewise.
    #[inline]
    #[must_use]
    pub fn u64_at(&self, offset: usize) -> &AtomicU64 {
        self.check(offset, 8);
        // SAFETY: as in `u16_at`.
        unsafe { &*self.start.as_ptr().add(offset).cast() }
    }

    /// `N` words from `offset` on, likewise.
    #[inline]
    #[must_use]
    pub fn words_at<const N: usize>(&self, offset: usize) -> &[AtomicU64; N] {
        self.check(offset, 8);
        assert!(offset + 8 * N <= self.length.get());
        // SAFETY: as in `u16_at`, and `N` words fit behind `offset`.
        unsafe { &*self.start.as_ptr().add(offset).cast() }
    }

    #[inline]
    fn check(&self, offset: usize, size: usize) {
        assert!(offset.is_multiple_of(size) && offset + size <= self.length.get());
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped, and nothing borrows from it any more. It cannot fail for
        // a mapping that exists, and a failure would only leave it mapped.
        let _ = unsafe { munmap(self.start.cast(), self.length.get()) };
    }
}
