//! A VMClock page in a file, as a hypervisor provides it in a device.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;

use shm_layout::vmclock;

/// The size of the region: one page.
const SIZE: u32 = 4096;
const MAGIC: u32 = 0x4b4c_4356;
const VERSION: u16 = 1;
/// The page has the generation of the virtual machine.
const GENERATION_PRESENT: u64 = 1 << 8;
/// The page has no time.
const NO_COUNTER: u8 = 0xff;
/// Clients of the 3.x generation take a sequence of 0 for a page that is not written yet.
const FIRST_SEQUENCE: u32 = 2;

// The offsets of the fields.
const MAGIC_AT: u64 = 0;
const SIZE_AT: u64 = 4;
const VERSION_AT: u64 = 8;
const COUNTER_ID_AT: u64 = 10;
const SEQUENCE_AT: u64 = 12;
const MARKER_AT: u64 = 16;
const FLAGS_AT: u64 = 24;
const GENERATION_AT: u64 = 104;

/// A page that this process writes.
#[derive(Debug)]
pub struct Page {
    file: File,
    marker: u64,
    sequence: u32,
}

impl Page {
    /// Opens the page at `path`, or creates it with a marker of 1. A page of an earlier run is
    /// continued, because programs may have it mapped.
    ///
    /// # Errors
    /// Those of the file system; and there is something else at the path: a device, or a file that
    /// is not a page.
    pub fn open(path: &Path) -> io::Result<Self> {
        match std::fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_file() => Self::existing(path),
            Ok(metadata) if metadata.file_type().is_char_device() => Err(io::Error::other(
                "this is a device; give the path of a file that does not exist",
            )),
            Ok(_) => Err(io::Error::other("this is not a regular file")),
            Err(err) if err.kind() == io::ErrorKind::NotFound => Self::create(path),
            Err(err) => Err(err),
        }
    }

    fn create(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        file.set_len(SIZE.into())?;
        for (at, bytes) in [
            (SIZE_AT, &SIZE.to_le_bytes()[..]),
            (VERSION_AT, &VERSION.to_le_bytes()),
            (COUNTER_ID_AT, &[NO_COUNTER]),
            (FLAGS_AT, &GENERATION_PRESENT.to_le_bytes()),
            (MARKER_AT, &1_u64.to_le_bytes()),
            (GENERATION_AT, &1_u64.to_le_bytes()),
            (SEQUENCE_AT, &FIRST_SEQUENCE.to_le_bytes()),
            // Last: the page is valid from here on.
            (MAGIC_AT, &MAGIC.to_le_bytes()),
        ] {
            file.write_all_at(bytes, at)?;
        }
        Ok(Self {
            file,
            marker: 1,
            sequence: FIRST_SEQUENCE,
        })
    }

    fn existing(path: &Path) -> io::Result<Self> {
        // It checks the header.
        vmclock::Page::open(path).map_err(|err| {
            io::Error::other(format!(
                "{err}; give the path of a VMClock page or of a file that does not exist"
            ))
        })?;
        let file = File::options().read(true).write(true).open(path)?;
        let (mut marker, mut sequence) = ([0; 8], [0; 4]);
        file.read_exact_at(&mut marker, MARKER_AT)?;
        file.read_exact_at(&mut sequence, SEQUENCE_AT)?;
        Ok(Self {
            file,
            marker: u64::from_le_bytes(marker),
            // A run that was killed may have left it odd.
            sequence: u32::from_le_bytes(sequence) & !1,
        })
    }

    /// The disruption marker.
    pub fn marker(&self) -> u64 {
        self.marker
    }

    /// Changes the disruption marker, as after a live migration.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn disrupt(&mut self) -> io::Result<()> {
        let marker = self.marker.wrapping_add(1);
        let write = |at, bytes: &[u8]| self.file.write_all_at(bytes, at);
        write(SEQUENCE_AT, &self.sequence.wrapping_add(1).to_le_bytes())?;
        write(MARKER_AT, &marker.to_le_bytes())?;
        self.sequence = self.sequence.wrapping_add(2);
        write(SEQUENCE_AT, &self.sequence.to_le_bytes())?;
        self.marker = marker;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_of_the_page_see_its_marker_change() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("missing/vmclock0");
        let mut page = Page::open(&path).expect("created");
        let reader = vmclock::Page::open(&path).expect("a page");
        let content = reader.read().expect("not amid a write");
        assert_eq!((content.marker, content.generation), (1, Some(1)));
        page.disrupt().expect("written");
        assert_eq!(reader.read().expect("not amid a write").marker, 2);
        drop(page);
        let mut page = Page::open(&path).expect("continued");
        assert_eq!(page.marker(), 2);
        page.disrupt().expect("written");
        assert_eq!(reader.marker(), 3);
    }

    #[test]
    fn devices_and_other_files_are_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("text");
        std::fs::write(&path, "text").expect("written");
        let refused = Page::open(&path).expect_err("refused").to_string();
        assert!(
            refused.contains("give the path of a VMClock page"),
            "{refused}"
        );
        assert_eq!(std::fs::read(&path).expect("unchanged"), b"text");
        let refused = Page::open(Path::new("/dev/null")).expect_err("refused");
        assert!(
            refused.to_string().contains("this is a device"),
            "{refused}"
        );
        assert!(Page::open(directory.path()).is_err());
    }
}
