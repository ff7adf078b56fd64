use std::path::Path;

use super::*;
use crate::record::test_rows::{S, row_at};

const LARGE: Limits = Limits {
    max_bytes: 1 << 20,
    keep: 3,
};

fn lines_of(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("is there");
    text.lines().map(|line| format!("{line}\n")).collect()
}

fn row(number: i64) -> String {
    row_at(number * S).to_line()
}

#[test]
fn a_new_file_begins_with_the_header() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.csv");
    let mut recording = Recording::open(&path, LARGE).expect("opens");
    recording.append(&row(1)).expect("appends");
    assert_eq!(lines_of(&path), [header(), row(1)]);
}

#[test]
fn an_existing_file_is_continued() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.csv");
    for number in 1..4 {
        let mut recording = Recording::open(&path, LARGE).expect("opens");
        recording.append(&row(number)).expect("appends");
    }
    assert_eq!(lines_of(&path), [header(), row(1), row(2), row(3)]);
}

#[test]
fn a_cut_row_is_ended_before_the_next_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.csv");
    let cut = &row(1)[..40];
    fs::write(&path, format!("{}{cut}", header())).expect("writes");
    let mut recording = Recording::open(&path, LARGE).expect("opens");
    recording.append(&row(2)).expect("appends");
    recording.append(&row(3)).expect("appends");
    assert_eq!(
        lines_of(&path),
        [header(), format!("{cut}\n"), row(2), row(3)]
    );
}

#[test]
fn a_file_with_another_header_is_renamed() {
    for other in [
        "unix_time_ns,status\n1,synchronized\n".to_owned(),
        header()[..20].to_owned(),
        format!("{},more\n", header().trim_end()),
        "something else entirely".to_owned(),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.csv");
        fs::write(&path, &other).expect("writes");
        let mut recording = Recording::open(&path, LARGE).expect("opens");
        recording.append(&row(1)).expect("appends");
        assert_eq!(lines_of(&path), [header(), row(1)]);
        let kept = fs::read_to_string(numbered(&path, 1)).expect("is kept");
        assert_eq!(kept, other);
    }
}

#[test]
fn files_are_renamed_by_size_and_the_oldest_one_is_deleted() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.csv");
    // Room for the header and two rows.
    let limits = Limits {
        max_bytes: bytes(header().len() + 2 * row(10).len()),
        keep: 2,
    };
    let mut recording = Recording::open(&path, limits).expect("opens");
    for number in 10..20 {
        recording.append(&row(number)).expect("appends");
    }
    assert_eq!(recording.rotations(), 4);
    assert_eq!(lines_of(&path), [header(), row(18), row(19)]);
    assert_eq!(lines_of(&numbered(&path, 1)), [header(), row(16), row(17)]);
    assert_eq!(lines_of(&numbered(&path, 2)), [header(), row(14), row(15)]);
    assert!(!numbered(&path, 3).exists());
    let size = fs::metadata(&path).expect("is there").len();
    assert!(size <= limits.max_bytes);
}

#[test]
fn without_kept_files_only_the_newest_one_is_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.csv");
    let limits = Limits {
        max_bytes: 1,
        keep: 0,
    };
    let mut recording = Recording::open(&path, limits).expect("opens");
    recording.append(&row(1)).expect("appends");
    recording.append(&row(2)).expect("appends");
    assert_eq!(lines_of(&path), [header(), row(2)]);
    assert!(!numbered(&path, 1).exists());
}

#[test]
fn a_second_recorder_of_the_same_file_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.csv");
    let _first = Recording::open(&path, LARGE).expect("opens");
    let err = Recording::open(&path, LARGE).expect_err("is in use");
    assert!(matches!(err, FileError::InUse(_)), "{err}");
}

#[test]
fn a_device_is_refused() {
    let err = Recording::open(Path::new("/dev/full"), LARGE).expect_err("is a device");
    assert!(err.to_string().contains("not a regular file"), "{err}");
}
