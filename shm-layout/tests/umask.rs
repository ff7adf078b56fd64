//! File modes under different umasks. It is a separate test binary, since the umask is a property
//! of the process.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::stat::{Mode, umask};
use shm_layout::writer::V1Segment;

#[test]
fn no_umask_changes_a_mode() {
    for mask in [0o000, 0o077, 0o777] {
        let directory = tempfile::tempdir().expect("a directory");
        let made = directory.path().join("made");
        let before = umask(Mode::from_bits_truncate(mask));
        let opened = V1Segment::open(&made.join("shm"));
        umask(before);
        let modes = ["", "shm", "shm.lock"].map(|name| {
            fs::metadata(made.join(name)).map(|file| file.permissions().mode() & 0o777)
        });
        opened.expect("the segment opens");
        assert_eq!(
            modes.map(|mode| mode.expect("a file")),
            [0o755, 0o644, 0o600],
            "umask {mask:o}"
        );
    }
}
