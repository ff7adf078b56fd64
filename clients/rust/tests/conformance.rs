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

use clockbound_client::Error;
use clockbound_client::conformance::interval_in;
use clockbound_client::read_error::{HeaderError, ReadError};
use serde_json::{Value, json};

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
        let actual = match interval_in(&case.path, &case.environment) {
            Ok(interval) => json!({
                "earliest_ns": interval.earliest_ns(),
                "latest_ns": interval.latest_ns(),
                "status": interval.status().to_string(),
                "reason": interval.reason().to_string(),
            }),
            Err(err) => json!({ "error": error_kind(&err) }),
        };
        assert_eq!(actual, case.expect, "{}", case.name);
    }
}

fn error_kind(err: &Error) -> &'static str {
    match err {
        Error::EarlierBoot { .. } => "not_initialized",
        Error::Causality { .. } => "causality",
        Error::Open { source, .. } | Error::Read(source) => match source {
            ReadError::NotInitialized | ReadError::WriteInProgress => "not_initialized",
            ReadError::Header(HeaderError::Version { .. }) => "version",
            ReadError::TooShort { .. } | ReadError::Header(_) | ReadError::Record(_) => "malformed",
            ReadError::Io(_) | ReadError::NotAFile => "system",
        },
        _ => "other",
    }
}
