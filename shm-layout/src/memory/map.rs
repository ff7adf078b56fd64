//! A mapped file as shared atomic words. Besides this module, only `clock` and `counter` have unsafe
//! code.
#![expect(
    unsafe_code,
    reason = "references into a mapped file cannot be checked by the compiler"
)]

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};

use nix::sys::mman::{MRemapFlags, MapFlags, ProtFlags, mmap, mmap_anonymous, mremap, munmap};

/// The length of the shortest map: the header of the shortest layout.
pub const MIN_BYTES: usize = 16;

/// The length of each map of a [`MapPair`]: not more than a page on any machine.
const PLACE_BYTES: NonZeroUsize = NonZeroUsize::new(4096).expect("not 0");

/// The distance of the maps of a [`MapPair`]: not less than a page on any machine.
const PLACE_DISTANCE: usize = if cfg!(target_arch = "x86_64") {
    4096
} else {
    65_536
};

/// The length of the memory of a [`MapPair`].
const PAIR_BYTES: NonZeroUsize = NonZeroUsize::new(2 * PLACE_DISTANCE).expect("not 0");

/// How a file is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For loads only. A store would kill the process (SIGSEGV); only the reader uses such maps.
    Read,
    /// For loads and stores.
    ReadWrite,
}

/// The first bytes of a file, shared with every process that maps them.
///
/// Every access is atomic, so other processes may write at any time. Access beyond the end of a
/// file kills the process (SIGBUS). Therefore [`Map::new`] checks the length, and writers never
/// truncate.
#[derive(Debug)]
pub struct Map {
    start: NonNull<u8>,
    length: NonZeroUsize,
}

// SAFETY: the memory is mapped until the map is dropped, and every access to it is atomic.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// Maps the first `length` bytes of `file`, a multiple of 8 and at least [`MIN_BYTES`].
    ///
    /// # Errors
    /// `InvalidData` when the file is shorter than `length`, `InvalidInput` for an invalid length,
    /// and the errors of mmap(2).
    pub fn new(file: &File, length: usize, access: Access) -> io::Result<Self> {
        if file.metadata()?.len() < length as u64 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the file is too short",
            ));
        }
        Self::of_device(file, length, access)
    }

    /// As [`new`](Self::new), for a file whose length the caller has checked, and for a device,
    /// which has none.
    ///
    /// # Errors
    /// `InvalidInput` for an invalid length, and the errors of mmap(2).
    pub(crate) fn of_device(file: &File, length: usize, access: Access) -> io::Result<Self> {
        let length = NonZeroUsize::new(length)
            .filter(|length| length.get() >= MIN_BYTES && length.get().is_multiple_of(8))
            .ok_or(io::ErrorKind::InvalidInput)?;
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

    /// The length in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length.get()
    }

    /// The two bytes at `offset`.
    ///
    /// # Panics
    /// When `offset` is not aligned, or the bytes are not within the map.
    #[inline]
    #[must_use]
    pub fn u16_at(&self, offset: usize) -> &AtomicU16 {
        self.check(offset, 2);
        // SAFETY: `check` has verified that the bytes are within the map and aligned to it, and the
        // map is page aligned. It exists as long as `self`. Other processes may access atomics.
        unsafe { &*self.start.as_ptr().add(offset).cast() }
    }

    /// The four bytes at `offset`.
    ///
    /// # Panics
    /// As [`u16_at`](Self::u16_at).
    #[inline]
    #[must_use]
    pub fn u32_at(&self, offset: usize) -> &AtomicU32 {
        self.check(offset, 4);
        // SAFETY: as in `u16_at`.
        unsafe { &*self.start.as_ptr().add(offset).cast() }
    }

    /// The eight bytes at `offset`.
    ///
    /// # Panics
    /// As [`u16_at`](Self::u16_at).
    #[inline]
    #[must_use]
    pub fn u64_at(&self, offset: usize) -> &AtomicU64 {
        self.check(offset, 8);
        // SAFETY: as in `u16_at`.
        unsafe { &*self.start.as_ptr().add(offset).cast() }
    }

    /// The `N` words that begin at `offset`.
    ///
    /// # Panics
    /// As [`u16_at`](Self::u16_at).
    #[inline]
    #[must_use]
    pub fn words_at<const N: usize>(&self, offset: usize) -> &[AtomicU64; N] {
        self.check(offset, 8);
        assert!(offset + 8 * N <= self.length.get());
        // SAFETY: as in `u16_at`; the assertion above covers all `N` words.
        unsafe { &*self.start.as_ptr().add(offset).cast() }
    }

    #[inline]
    fn check(&self, offset: usize, size: usize) {
        assert!(offset.is_multiple_of(size) && offset + size <= self.length.get());
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: this is exactly the range that `new` mapped, and no borrow of it remains.
        // munmap(2) does not fail for an existing mapping; a failure would leave it mapped, which
        // is harmless.
        let _ = unsafe { munmap(self.start.cast(), self.length.get()) };
    }
}

/// Two maps of 4096 bytes each, for loads only, at addresses that never change. Each contains zeros
/// until a map of a file is moved there.
///
/// What is after the end of the file reads as 0.
#[derive(Debug)]
pub struct MapPair {
    start: NonNull<u8>,
}

// SAFETY: as for `Map`.
unsafe impl Send for MapPair {}
// SAFETY: as for `Map`.
unsafe impl Sync for MapPair {}

/// One map of a [`MapPair`].
#[derive(Debug)]
pub struct PairedMap<'a> {
    // Not dropped, because the memory is that of the pair.
    map: ManuallyDrop<Map>,
    pair: PhantomData<&'a MapPair>,
}

impl Deref for PairedMap<'_> {
    type Target = Map;

    #[inline]
    fn deref(&self) -> &Map {
        &self.map
    }
}

impl MapPair {
    /// Maps zeros.
    ///
    /// # Errors
    /// Those of mmap(2).
    pub fn new() -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice aliases no Rust object.
        let start = unsafe { map_zeros(None, PAIR_BYTES) }?;
        Ok(Self {
            start: start.cast(),
        })
    }

    /// The map of this index: 0, or otherwise 1.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> PairedMap<'_> {
        // SAFETY: both places are within the memory of the pair.
        let start = unsafe { self.start.add(usize::from(index != 0) * PLACE_DISTANCE) };
        PairedMap {
            map: ManuallyDrop::new(Map {
                start,
                length: PLACE_BYTES,
            }),
            pair: PhantomData,
        }
    }

    /// Replaces the content of the map `index` by that of `map`, which is for loads only. Other
    /// threads may load meanwhile: each load sees the old content or the new one.
    ///
    /// # Errors
    /// `InvalidInput` if `map` is longer than 4096 bytes, and the errors of mremap(2).
    pub fn replace(&self, index: usize, map: Map) -> io::Result<()> {
        if map.length > PLACE_BYTES {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (size, place) = (PLACE_BYTES.get(), self.get(index).start.cast());
        let flags = MRemapFlags::MREMAP_MAYMOVE | MRemapFlags::MREMAP_FIXED;
        let map = ManuallyDrop::new(map);
        // SAFETY: both are one page. `map` is not used any more, so nobody has a reference into its
        // old address. References into the pair are to atomics, which another process may change at
        // any time, too. The kernel changes the page table under a lock, for which a load at this
        // address waits.
        let moved = unsafe { mremap(map.start.cast(), size, size, flags, Some(place)) };
        if let Err(errno) = moved {
            drop(ManuallyDrop::into_inner(map));
            // A kernel that fails late has unmapped the place.
            // SAFETY: the page belongs to the pair.
            unsafe { map_zeros(NonZeroUsize::new(place.as_ptr().addr()), PLACE_BYTES) }?;
            return Err(errno.into());
        }
        Ok(())
    }
}

impl Drop for MapPair {
    fn drop(&mut self) {
        // SAFETY: this is exactly the memory of the pair, and no borrow of it remains.
        let _ = unsafe { munmap(self.start.cast(), PAIR_BYTES.get()) };
    }
}

/// Maps zeros, for loads only, at the address `at` if there is one.
///
/// # Safety
/// What is mapped at `at` belongs to the caller.
unsafe fn map_zeros(
    at: Option<NonZeroUsize>,
    length: NonZeroUsize,
) -> nix::Result<NonNull<c_void>> {
    let fixed = if at.is_some() {
        MapFlags::MAP_FIXED
    } else {
        MapFlags::empty()
    };
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_ANONYMOUS | fixed;
    // SAFETY: a new mapping at an address of the kernel's choice aliases no Rust object; `at` is
    // the caller's, by contract.
    unsafe { mmap_anonymous(at, length, ProtFlags::PROT_READ, flags) }
}
