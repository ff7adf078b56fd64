//! Reading a VMClock page that is a file.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use shm_layout::memory::map::{Access, Map};
use shm_layout::record::{Disruption, HostNotice};
use shm_layout::vmclock::{Content, Page, VmClockError};
use tempfile::TempDir;

const MARKER: usize = 16;
const FLAGS: usize = 24;

/// A page with the marker 7, as a device without time fields has it.
fn page(size: u32, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length.max(112)];
    bytes[..4].copy_from_slice(b"VCLK");
    bytes[4..8].copy_from_slice(&size.to_le_bytes());
    bytes[8] = 1;
    bytes[10] = 0xff;
    bytes[12..16].copy_from_slice(&2u32.to_le_bytes());
    bytes[MARKER..24].copy_from_slice(&7u64.to_le_bytes());
    bytes[104..112].copy_from_slice(&9u64.to_le_bytes());
    bytes.truncate(length);
    bytes
}

/// A directory for a page.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("vmclock0")
    }

    fn write(&self, bytes: &[u8]) -> Result<Page, VmClockError> {
        fs::write(self.path(), bytes).expect("written");
        Page::open(&self.path())
    }

    fn change(&self, offset: u64, bytes: &[u8]) {
        let file = File::options().write(true).open(self.path());
        let file = file.expect("a file");
        file.write_all_at(bytes, offset).expect("written");
    }
}

#[test]
fn the_fields_are_decoded_and_change_with_the_page() {
    let bench = Bench::new();
    let page = bench.write(&page(4_096, 4_096)).expect("a page");
    let plain = Content {
        marker: 7,
        generation: None,
        leap: 0,
        tai_offset_s: None,
        disruption_soon: false,
        disruption_imminent: false,
        notifies: false,
    };
    assert_eq!((page.marker(), page.read()), (7, Some(plain)));
    bench.change(36, &(-37i16).to_le_bytes());
    bench.change(38, &[4]);
    bench.change(16, &0x0102_0304_0506_0708_u64.to_le_bytes());
    for (flags, expected) in [
        (0u64, plain),
        (
            1 << 0,
            Content {
                tai_offset_s: Some(-37),
                ..plain
            },
        ),
        (
            1 << 1,
            Content {
                disruption_soon: true,
                ..plain
            },
        ),
        (
            1 << 2,
            Content {
                disruption_imminent: true,
                ..plain
            },
        ),
        (
            1 << 8,
            Content {
                generation: Some(9),
                ..plain
            },
        ),
        (
            1 << 9,
            Content {
                notifies: true,
                ..plain
            },
        ),
        (0b1111_1000 | 1 << 63, plain),
    ] {
        bench.change(24, &flags.to_le_bytes());
        let expected = Content {
            marker: 0x0102_0304_0506_0708,
            leap: 4,
            ..expected
        };
        assert_eq!(page.read(), Some(expected), "flags {flags:x}");
        assert_eq!(page.marker(), expected.marker);
        let notice = HostNotice {
            soon: expected.disruption_soon,
            imminent: expected.disruption_imminent,
            leap: 4,
            tai_offset_s: expected.tai_offset_s,
        };
        assert_eq!(HostNotice::from(&expected), notice);
    }
    let disruption = Disruption::from(&plain);
    assert_eq!((disruption.marker, disruption.supported), (7, true));
}

#[test]
fn a_page_of_the_first_version_of_the_interface_has_no_generation() {
    for (size, length) in [(104, 104), (104, 112), (112, 104), (4_096, 104)] {
        let bench = Bench::new();
        let page = bench.write(&page(size, length)).expect("a page");
        bench.change(24, &(1u64 << 8).to_le_bytes());
        let content = page.read().expect("a whole page");
        assert_eq!((content.marker, content.generation), (7, None));
    }
}

#[test]
fn a_page_that_is_being_written_is_not_returned() {
    let bench = Bench::new();
    let page = bench.write(&page(4_096, 4_096)).expect("a page");
    for odd in [1u32, 3, u32::MAX] {
        bench.change(12, &odd.to_le_bytes());
        assert_eq!((page.read(), page.marker()), (None, 7));
    }
    for even in [0u32, 4, u32::MAX - 1] {
        bench.change(12, &even.to_le_bytes());
        assert!(page.read().is_some(), "sequence {even}");
    }
}

#[test]
fn a_file_that_is_not_a_page_is_refused_and_the_error_tells_why() {
    let message = |bytes: &[u8]| {
        let bench = Bench::new();
        let refused = bench.write(bytes).expect_err("no page");
        assert!(!refused.is_missing());
        refused.to_string()
    };
    let valid = page(4_096, 4_096);
    let with = |offset: usize, byte: u8| {
        let mut bytes = valid.clone();
        bytes[offset] = byte;
        message(&bytes)
    };
    assert!(with(0, b'v').contains("magic"));
    assert!(with(8, 2).contains("version 2"));
    assert!(with(8, 0).contains("version 0"));
    assert!(message(&page(103, 4_096)).contains("103 bytes"));
    assert!(message(&valid[..103]).contains("103 bytes"));
    assert!(message(&valid[..15]).contains("15 bytes"));
    assert!(message(&[]).contains("0 bytes"));
}

#[test]
fn what_is_at_the_path_never_blocks() {
    let bench = Bench::new();
    let missing = Page::open(&bench.path()).expect_err("nothing");
    assert!(missing.is_missing());
    assert!(matches!(
        Page::open(bench.0.path()),
        Err(VmClockError::NotADevice)
    ));
    mkfifo(&bench.path(), Mode::S_IRWXU).expect("a FIFO");
    assert!(matches!(
        Page::open(&bench.path()),
        Err(VmClockError::NotADevice)
    ));
    // Devices without a length: one that can be mapped, and one that cannot.
    assert!(matches!(
        Page::open(Path::new("/dev/zero")),
        Err(VmClockError::Magic(0))
    ));
    assert!(matches!(
        Page::open(Path::new("/dev/null")),
        Err(VmClockError::Io(err)) if err.kind() != io::ErrorKind::NotFound
    ));
}

#[test]
fn a_content_is_of_one_write_while_another_process_writes() {
    let bench = Bench::new();
    let page = bench.write(&page(4_096, 4_096)).expect("a page");
    let file = File::options().read(true).write(true).open(bench.path());
    let map = Map::new(&file.expect("a file"), 112, Access::ReadWrite).expect("a map");
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in (1_u64 << 8..).step_by(1 << 9).take(200_000) {
                let sequence = map.u32_at(12);
                let odd = u32::from_le(sequence.load(Ordering::Relaxed)) | 1;
                sequence.store(odd.to_le(), Ordering::Relaxed);
                fence(Ordering::Release);
                // Bit 8, that there is a generation, is set in each.
                for offset in [MARKER, FLAGS, 104] {
                    map.u64_at(offset).store(number.to_le(), Ordering::Relaxed);
                }
                sequence.store(odd.wrapping_add(1).to_le(), Ordering::Release);
            }
            is_done.store(true, Ordering::Relaxed);
        });
        let mut last = 0;
        while !is_done.load(Ordering::Relaxed) {
            let Some(content) = page.read() else { continue };
            if let Some(generation) = content.generation {
                assert_eq!(content.marker, generation);
                assert_eq!(content.notifies, generation & 1 << 9 != 0);
                assert!(generation >= last);
                last = generation;
            }
        }
        assert_eq!(page.read().expect("whole").generation, Some(page.marker()));
    });
}
