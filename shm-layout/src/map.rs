//! The map: a file's beginning as shared atomic words. The only room with unsafe code.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use crate::header::{HEADER_BYTES, Header};

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
    /// Maps the first `length` bytes of `file`, a multiple of 8 and at least a header.
    ///
    /// # Errors
    /// `InvalidData` when the file is shorter, `InvalidInput` for a length that no layout has, otherwise
    /// what mmap(2) says.
    pub fn new(file: &File, length: usize, access: Access) -> io::Result<Self> {
        let length = NonZeroUsize::new(length)
            .filter(|length| length.get() >= HEADER_BYTES && length.get().is_multiple_of(8))
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

    /// The header, its generation apart. Each field is read by itself: a foreign writer may be at it.
    #[must_use]
    pub fn header(&self) -> Header {
        let magic = [self.u32_at(0), self.u32_at(4)].map(|half| half.load(Ordering::Relaxed));
        Header {
            magic,
            size: self.u32_at(8).load(Ordering::Relaxed),
            version: self.u16_at(12).load(Ordering::Relaxed),
        }
    }

    /// Writes the header of a new segment; the map must be writable. The generation is left as it is.
    pub fn set_header(&self, header: Header) {
        self.u32_at(0).store(header.magic[0], Ordering::Relaxed);
        self.u32_at(4).store(header.magic[1], Ordering::Relaxed);
        self.u32_at(8).store(header.size, Ordering::Relaxed);
        self.u16_at(12).store(header.version, Ordering::Relaxed);
    }

    /// The generation.
    #[must_use]
    pub fn generation(&self) -> &AtomicU16 {
        self.u16_at(14)
    }

    /// The words behind the header.
    #[must_use]
    pub fn payload(&self) -> &[AtomicU64] {
        let words = (self.length.get() - HEADER_BYTES) / size_of::<AtomicU64>();
        // SAFETY: the map is at least a header long, page aligned, lives as long as `self`, and
        // `words` words fit behind the header; atomics may be shared with any other process.
        unsafe { slice::from_raw_parts(self.start.as_ptr().add(HEADER_BYTES).cast(), words) }
    }

    fn u16_at(&self, offset: usize) -> &AtomicU16 {
        debug_assert!(offset.is_multiple_of(2) && offset < HEADER_BYTES);
        // SAFETY: within the header, aligned, and shared atomically like the rest of the map.
        unsafe { &*self.start.as_ptr().add(offset).cast() }
    }

    fn u32_at(&self, offset: usize) -> &AtomicU32 {
        debug_assert!(offset.is_multiple_of(4) && offset < HEADER_BYTES);
        // SAFETY: as in `u16_at`.
        unsafe { &*self.start.as_ptr().add(offset).cast() }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped, and nothing borrows from it any more. It cannot fail for
        // a mapping that exists, and a failure would only leave it mapped.
        let _ = unsafe { munmap(self.start.cast(), self.length.get()) };
    }
}
