//! Reads every golden segment of `clients/conformance`.
//!
//! `GOLDEN=write cargo test -p clockbound-client --test conformance` writes the files.
#![cfg(target_endian = "little")]

#[path = "../../conformance/cases.rs"]
mod cases;
mod golden;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clockbound_client::Error;
use clockbound_client::conformance::{
    interval_at_in, interval_at_realtime_in, interval_in, record_in,
};
use clockbound_client::read_error::{HeaderError, ReadError};
use serde_json::{Value, json};

use cases::{Instant, Time};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance")
}

/// Returns the path and the bytes of every file.
fn files() -> Vec<(PathBuf, Vec<u8>)> {
    let golden = golden::all();
    let cases: Vec<&Value> = golden.iter().map(|golden| &golden.case).collect();
    let cases = serde_json::to_string_pretty(&cases).expect("JSON") + "\n";
    let mut files = vec![(directory().join("cases.json"), cases.into_bytes())];
    let segments = golden.into_iter().flat_map(|golden| golden.files);
    files.extend(segments.map(|(name, bytes)| (directory().join("segments").join(name), bytes)));
    files
}

fn write_if_requested() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if env::var_os("GOLDEN").is_some_and(|value| value == "write") {
            for (path, bytes) in files() {
                let parent = path.parent().expect("a directory");
                fs::create_dir_all(parent).expect("the directory is created");
                fs::write(&path, &bytes).expect("the file is written");
            }
        }
    });
}

#[test]
fn the_golden_files_match_the_table() {
    write_if_requested();
    for (path, bytes) in files() {
        let found = fs::read(&path).expect("the file exists");
        assert!(found == bytes, "{} differs from the table", path.display());
    }
}

#[test]
fn every_golden_segment_reads_as_expected() {
    write_if_requested();
    for case in cases::all() {
        let read = match case.instant {
            Instant::Present => interval_in(&case.path, &case.environment),
            Instant::MonotonicRaw(ns) => interval_at_in(&case.path, &case.environment, ns),
            Instant::Realtime(ns) => interval_at_realtime_in(&case.path, &case.environment, ns),
        };
        let actual = match &read {
            Ok(interval) => json!({
                "earliest_ns": interval.earliest_ns(),
                "latest_ns": interval.latest_ns(),
                "status": interval.status().to_string(),
                "reason": interval.reason().to_string(),
            }),
            Err(err) => json!({ "error": error_kind(err) }),
        };
        assert_eq!(actual, case.expect, "{}", case.name);
        for time in case.times {
            let interval = read.as_ref().expect("an interval");
            let t = system_time(&time);
            assert_eq!(
                (interval.is_after(t), interval.is_before(t)),
                (time.is_after, time.is_before),
                "{} and {} s",
                case.name,
                time.seconds
            );
        }
        if let Some(expected) = case.record {
            let record = record_in(&case.path, &case.environment).expect("a record");
            let actual = json!({
                "layout": record.layout.to_string(),
                "age_ns": record.age_ns,
                "leap": record.leap.map(|leap| leap as u8),
                "source": record.source,
                "valid_since_ns": record.valid_since_ns,
            });
            assert_eq!(actual, expected, "{}", case.name);
        }
        if let Some(expected) = case.disruption {
            let record = record_in(&case.path, &case.environment).expect("a record");
            let actual = json!({
                "supported": record.disruption_supported,
                "marker": record.disruption_marker,
                "soon": record.disruption_soon,
                "imminent": record.disruption_imminent,
                "tai_offset_s": record.tai_offset_s,
            });
            assert_eq!(actual, expected, "{}", case.name);
        }
        if let Some(expected) = case.is_simulated {
            let record = record_in(&case.path, &case.environment).expect("a record");
            assert_eq!(record.is_simulated, expected, "{}", case.name);
        }
    }
}

fn system_time(time: &Time) -> SystemTime {
    let seconds = Duration::from_secs(time.seconds.unsigned_abs());
    let second = if time.seconds < 0 {
        UNIX_EPOCH - seconds
    } else {
        UNIX_EPOCH + seconds
    };
    second + Duration::from_nanos(time.nanoseconds.into())
}

fn error_kind(err: &Error) -> &'static str {
    match err {
        Error::EarlierBoot { .. } => "not_initialized",
        Error::Causality { .. } => "causality",
        Error::VmClock { .. } => "vmclock",
        Error::Simulated => "simulated",
        Error::Open { source, .. } | Error::Read(source) => match source {
            ReadError::NotInitialized | ReadError::WriteInProgress => "not_initialized",
            ReadError::Header(HeaderError::Version { .. }) => "version",
            ReadError::TooShort { .. } | ReadError::Header(_) | ReadError::Record(_) => "malformed",
            ReadError::Simulated => "simulated",
            ReadError::Io(_) | ReadError::NotAFile => "system",
        },
        _ if err.is_not_known() => "not_known",
        _ => "other",
    }
}
