//! Every golden segment of `clients/conformance`, read as a program would.
//!
//! `GOLDEN=write cargo test -p clockbound-client --test conformance` writes them anew.
#![cfg(target_endian = "little")]

#[path = "../../conformance/cases.rs"]
mod cases;
mod golden;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use clockbound_client::Error;
use clockbound_client::given::interval;
use clockbound_client::read_error::{HeaderError, ReadError};
use serde_json::{Value, json};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance")
}

/// Every file with its bytes.
fn files() -> Vec<(PathBuf, Vec<u8>)> {
    let golden = golden::all();
    let cases: Vec<&Value> = golden.iter().map(|golden| &golden.case).collect();
    let cases = serde_json::to_string_pretty(&cases).expect("JSON") + "\n";
    let mut files = vec![(directory().join("cases.json"), cases.into_bytes())];
    for one in golden {
        let name = one.name.to_owned() + ".bin";
        files.push((directory().join("segments").join(name), one.bytes));
    }
    files
}

fn write_if_asked() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if env::var_os("GOLDEN").is_some_and(|word| word == "write") {
            for (path, bytes) in files() {
                fs::write(&path, &bytes).expect("write it");
            }
        }
    });
}

#[test]
fn the_golden_files_are_those_that_the_table_makes() {
    write_if_asked();
    for (path, bytes) in files() {
        let found = fs::read(&path).expect("it is there");
        assert!(found == bytes, "{} is not current", path.display());
    }
}

#[test]
fn every_golden_segment_is_read_as_it_must_be() {
    write_if_asked();
    for case in cases::all() {
        let said = match interval(&case.path, &case.surroundings) {
            Ok(said) => json!({
                "earliest_ns": said.earliest_ns(),
                "latest_ns": said.latest_ns(),
                "status": said.status().to_string(),
                "reason": said.reason().to_string(),
            }),
            Err(err) => json!({ "error": kind(&err) }),
        };
        assert_eq!(said, case.expect, "{}", case.name);
    }
}

fn kind(err: &Error) -> &'static str {
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
