//! A VMClock page in a file, which a test writes as a hypervisor does.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::host::background::Background;

/// The size of the region: one page.
const SIZE: usize = 4096;
const MAGIC: u32 = 0x4b4c_4356;
const VERSION: u16 = 1;

// Offsets of the fields that a test changes.
const MAGIC_AT: u64 = 0;
const SIZE_AT: u64 = 4;
const VERSION_AT: u64 = 8;
const COUNTER_ID_AT: u64 = 10;
const SEQUENCE_AT: u64 = 12;
const MARKER_AT: u64 = 16;
const FLAGS_AT: u64 = 24;
const TAI_OFFSET_AT: u64 = 36;
const LEAP_AT: u64 = 38;
const GENERATION_AT: u64 = 104;

/// The field `tai_offset_sec` is valid.
pub const TAI_OFFSET_VALID: u64 = 1 << 0;
/// A disruption is expected within about a day.
pub const DISRUPTION_SOON: u64 = 1 << 1;
/// A disruption is expected within about an hour.
pub const DISRUPTION_IMMINENT: u64 = 1 << 2;
/// The field `vm_generation_counter` is there.
pub const GENERATION_PRESENT: u64 = 1 << 8;

/// The published clients take a page whose sequence count is 0 for one that is not written yet.
const FIRST_SEQUENCE: u32 = 2;

/// The counter is not one that a guest can read.
const COUNTER_INVALID: u8 = 0xff;

/// How long each of the updates of [`VmClock::write_continuously`] takes, and the time between two
/// of them: less than a copy of the page, so that a reader sees a change in each of its attempts.
const BETWEEN_UPDATES: Duration = Duration::from_micros(1);

/// A page with a disruption marker and a generation counter, and without time, as QEMU and
/// Firecracker provide it. The file is deleted with its directory.
#[derive(Debug)]
pub struct VmClock {
    file: File,
}

impl VmClock {
    /// Creates the file; the marker is 1 and the generation 1.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn create(path: &Path) -> VmClock {
        let options = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .clone();
        let file = options.open(path).expect("create the page");
        file.set_len(SIZE as u64).expect("set the length");
        let page = VmClock { file };
        page.write(SIZE_AT, &u32::try_from(SIZE).expect("a page").to_le_bytes());
        page.write(VERSION_AT, &VERSION.to_le_bytes());
        page.write(COUNTER_ID_AT, &[COUNTER_INVALID]);
        page.write(FLAGS_AT, &GENERATION_PRESENT.to_le_bytes());
        page.write(MARKER_AT, &1_u64.to_le_bytes());
        page.write(GENERATION_AT, &1_u64.to_le_bytes());
        page.write(SEQUENCE_AT, &FIRST_SEQUENCE.to_le_bytes());
        page.write(MAGIC_AT, &MAGIC.to_le_bytes());
        page
    }

    /// The disruption marker.
    pub fn marker(&self) -> u64 {
        self.read_u64(MARKER_AT)
    }

    /// Changes the disruption marker, as after a live migration.
    pub fn disrupt(&self) {
        self.update(|page| page.increment(MARKER_AT));
    }

    /// Changes the generation counter alone.
    pub fn change_generation(&self) {
        self.update(|page| page.increment(GENERATION_AT));
    }

    /// Changes marker and generation counter, as when a snapshot is restored.
    pub fn restore(&self) {
        self.update(|page| {
            page.increment(MARKER_AT);
            page.increment(GENERATION_AT);
        });
    }

    /// Replaces the flags, except that of the generation counter.
    pub fn set_flags(&self, flags: u64) {
        let flags = flags | GENERATION_PRESENT;
        self.update(|page| page.write(FLAGS_AT, &flags.to_le_bytes()));
    }

    /// Sets the leap indicator: 0 none, 1 and 2 before a leap second, 3 to 5 in it and after it.
    pub fn set_leap(&self, leap: u8) {
        self.update(|page| page.write(LEAP_AT, &[leap]));
    }

    /// Sets TAI - UTC, s, and marks it as valid.
    pub fn set_tai_offset(&self, seconds: i16) {
        let flags = self.read_u64(FLAGS_AT) | TAI_OFFSET_VALID;
        self.update(|page| {
            page.write(TAI_OFFSET_AT, &seconds.to_le_bytes());
            page.write(FLAGS_AT, &flags.to_le_bytes());
        });
    }

    /// Begins an update: the sequence count is odd until [`VmClock::end_update`].
    pub fn begin_update(&self) {
        self.advance_sequence(1);
    }

    /// Ends an update.
    pub fn end_update(&self) {
        self.advance_sequence(0);
    }

    /// Updates the page without changing a field, again and again, until the result is dropped.
    ///
    /// # Panics
    /// If the file cannot be opened again.
    pub fn write_continuously(&self) -> Background<()> {
        let page = VmClock {
            file: self.file.try_clone().expect("a second descriptor"),
        };
        Background::start(move |stop: &AtomicBool| {
            while !stop.load(Ordering::Relaxed) {
                page.update(|_| ());
                thread::sleep(BETWEEN_UPDATES);
            }
        })
    }

    /// Replaces the magic number.
    pub fn set_magic(&self, magic: u32) {
        self.write(MAGIC_AT, &magic.to_le_bytes());
    }

    /// Replaces the version.
    pub fn set_version(&self, version: u16) {
        self.write(VERSION_AT, &version.to_le_bytes());
    }

    /// Shortens the file to this many bytes. A program that has it mapped must not read it then.
    ///
    /// # Panics
    /// If the file system refuses.
    pub fn truncate(&self, bytes: u64) {
        self.file.set_len(bytes).expect("truncate the page");
    }

    fn update(&self, change: impl FnOnce(&VmClock)) {
        self.begin_update();
        change(self);
        self.end_update();
    }

    /// Advances the sequence count to the next one with this remainder modulo 2.
    fn advance_sequence(&self, remainder: u32) {
        let now = self.read_u32(SEQUENCE_AT);
        let next = now.wrapping_add(1);
        let next = next.wrapping_add((next ^ remainder) & 1);
        self.write(SEQUENCE_AT, &next.to_le_bytes());
    }

    /// Only the lowest byte changes: the kernel copies each byte at once.
    fn increment(&self, offset: u64) {
        let next = self.read_u64(offset) + 1;
        self.write(offset, &next.to_le_bytes());
    }

    fn read_u64(&self, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        self.file
            .read_exact_at(&mut bytes, offset)
            .expect("read the page");
        u64::from_le_bytes(bytes)
    }

    fn read_u32(&self, offset: u64) -> u32 {
        let mut bytes = [0; 4];
        self.file
            .read_exact_at(&mut bytes, offset)
            .expect("read the page");
        u32::from_le_bytes(bytes)
    }

    fn write(&self, offset: u64, bytes: &[u8]) {
        self.file
            .write_all_at(bytes, offset)
            .expect("write the page");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::sandbox::Sandbox;

    #[test]
    fn an_update_leaves_an_even_sequence_count_and_changes_its_fields_only() {
        let sandbox = Sandbox::new();
        let page = VmClock::create(&sandbox.path("vmclock0"));
        assert_eq!(page.read_u32(SEQUENCE_AT), FIRST_SEQUENCE);
        page.disrupt();
        assert_eq!((page.marker(), page.read_u32(SEQUENCE_AT)), (2, 4));
        assert_eq!(page.read_u64(GENERATION_AT), 1);
        page.restore();
        assert_eq!((page.marker(), page.read_u64(GENERATION_AT)), (3, 2));
        page.begin_update();
        assert_eq!(page.read_u32(SEQUENCE_AT), 7);
        page.begin_update();
        assert_eq!(page.read_u32(SEQUENCE_AT), 9);
        page.end_update();
        page.set_tai_offset(37);
        assert_eq!(
            page.read_u64(FLAGS_AT),
            TAI_OFFSET_VALID | GENERATION_PRESENT
        );
        assert_eq!(page.read_u32(SEQUENCE_AT), 12);
    }
}
