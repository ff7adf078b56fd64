//! Client programs in a time namespace, whose monotonic clocks are not the daemon's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use integration::host::sandbox::Sandbox;
use integration::time::clock::clock_ns;
use integration::time::truth::Truth;
use nix::time::ClockId;
use shm_layout::native::NativeRecord;
use shm_layout::v1::V1Record;
use shm_layout::writer::{NativeSegment, V1Segment};
use shm_layout::{ClockStatus, Leap, Reason};

const S: i64 = 1_000_000_000;
/// Half the width of the published intervals.
const HALF_NS: i64 = 1_000_000;

/// A directory with both layouts as a daemon has just published them.
fn published(sandbox: &Sandbox) -> PathBuf {
    let directory = sandbox.path("clockbound");
    let raw_ns = clock_ns(ClockId::CLOCK_MONOTONIC_RAW);
    let now_ns = Truth::default().now_ns();
    let (native, _) = NativeSegment::open(&directory.join("native")).expect("a segment");
    native.publish(&NativeRecord {
        as_of_ns: raw_ns,
        earliest_ns: now_ns - HALF_NS,
        latest_ns: now_ns + HALF_NS,
        rate: 0,
        growth: 200_000,
        free_running_after_ns: raw_ns + 900 * S,
        void_after_ns: raw_ns + 1_000 * S,
        status: ClockStatus::Synchronized,
        reason: Reason::Tracking,
        leap: Leap::Normal,
        source: 1,
        ..NativeRecord::no_claim(raw_ns)
    });
    let (v1, _) = V1Segment::open(&directory.join("shm")).expect("a segment");
    let coarse_ns = clock_ns(ClockId::CLOCK_MONOTONIC_COARSE);
    v1.publish(&V1Record {
        as_of_ns: coarse_ns,
        void_after_ns: coarse_ns + 1_000 * S,
        bound_ns: HALF_NS,
        max_drift_ppb: 50_000,
        status: ClockStatus::Synchronized,
        is_simulated: false,
    });
    directory
}

/// Reads the interval in a time namespace whose monotonic clocks are this far ahead.
fn read_ahead(path: &Path, ahead_s: i64) -> Output {
    let offset = ahead_s.to_string();
    Command::new("unshare")
        .args([
            "-T",
            "--monotonic",
            &offset,
            "--boottime",
            &offset,
            "--fork",
            "--",
        ])
        .args([Path::new(env!("CARGO_BIN_EXE_interval")), path])
        .output()
        .expect("unshare is installed")
}

fn assert_true_and_narrow(output: &Output, before_ns: i64) {
    let text = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = text.split_whitespace().collect();
    let [earliest, latest, "synchronized", _] = words[..] else {
        panic!("{text}{}", String::from_utf8_lossy(&output.stderr));
    };
    let ends = [earliest, latest].map(|end| end.parse::<i64>().expect("a number"));
    assert!(
        ends[0] <= Truth::default().now_ns() && before_ns <= ends[1],
        "{text}"
    );
    assert!(ends[1] - ends[0] < 4 * HALF_NS, "{text}");
}

#[test]
fn a_client_in_a_time_namespace_gets_the_same_interval() {
    let sandbox = Sandbox::new();
    let directory = published(&sandbox);
    for ahead_s in [0, 1_000_000, -20] {
        for name in ["native", "shm"] {
            let before_ns = Truth::default().now_ns();
            let output = read_ahead(&directory.join(name), ahead_s);
            assert_true_and_narrow(&output, before_ns);
        }
    }
}

#[test]
fn offsets_of_the_daemons_time_namespace_are_applied() {
    let sandbox = Sandbox::new();
    let native = published(&sandbox).join("native");
    // As a daemon would have written it whose monotonic clocks are a million seconds ahead.
    let ahead_ns = 1_000_000 * S;
    let mut bytes = fs::read(&native).expect("a file");
    for (offset, is_instant) in [(32, false), (72, true), (104, true), (112, true)] {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[offset..offset + 8]);
        let was = if is_instant {
            i64::from_ne_bytes(word)
        } else {
            0
        };
        bytes[offset..offset + 8].copy_from_slice(&(was + ahead_ns).to_ne_bytes());
    }
    fs::write(&native, bytes).expect("written");
    for ahead_s in [0, 1_000_000] {
        let before_ns = Truth::default().now_ns();
        assert_true_and_narrow(&read_ahead(&native, ahead_s), before_ns);
    }
}
