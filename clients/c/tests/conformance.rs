//! Reads every golden segment of `clients/conformance` through the C interface.
#![cfg(target_endian = "little")]

#[path = "../../conformance/cases.rs"]
mod cases;

use clockbound::now_in;

#[test]
fn every_golden_segment_reads_as_expected() {
    for case in cases::all() {
        let (name, expect) = (case.name, case.expect);
        match now_in(&case.path, &case.environment) {
            Ok(now) => {
                let ns = |time: libc::timespec| time.tv_sec * 1_000_000_000 + time.tv_nsec;
                assert_eq!(
                    Some(ns(now.earliest)),
                    expect["earliest_ns"].as_i64(),
                    "{name}"
                );
                assert_eq!(Some(ns(now.latest)), expect["latest_ns"].as_i64(), "{name}");
                assert!((0..1_000_000_000).contains(&now.earliest.tv_nsec));
                let status = ["unknown", "synchronized", "free_running", "disrupted"];
                let status = status[usize::try_from(now.clock_status).expect("a status")];
                assert_eq!(Some(status), expect["status"].as_str(), "{name}");
            }
            Err(kind) => {
                let kinds = [
                    "",
                    "",
                    "not_initialized",
                    "malformed",
                    "causality",
                    "version",
                ];
                let kind = kinds.get(usize::try_from(kind).expect("a kind")).copied();
                assert_eq!(kind, expect["error"].as_str(), "{name}");
            }
        }
    }
}
