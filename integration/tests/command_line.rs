//! An invalid command line is rejected with an error of one line.

use integration::host::sandbox::Sandbox;
use integration::programs::daemon::Launch;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");

/// Starts the daemon with these arguments; returns the line of its error.
#[track_caller]
fn rejection(arguments: &[&str]) -> String {
    // A daemon that starts by mistake must not write to the host's run directory.
    let sandbox = Sandbox::new();
    let shm = sandbox.path("shm").to_string_lossy().into_owned();
    let mut launch = Launch::bare(BIN).args(arguments.iter().copied());
    if !arguments.contains(&"--shm-path") {
        launch = launch.args(["--shm-path", &shm]);
    }
    let (exit, log) = launch.run();
    assert!(
        exit.code.is_some_and(|code| (64..=78).contains(&code)),
        "{arguments:?}: {exit:?} {log:?}"
    );
    let [line] = &log[..] else {
        panic!("{arguments:?}: one line, not {log:#?}")
    };
    assert!(
        !sandbox.path("shm").exists(),
        "{arguments:?} left a segment"
    );
    line.clone()
}

#[test]
fn invalid_drift_rates_are_rejected() {
    let bad = [
        "0", "-1", "5000000", "1000000", "nan", "inf", "-inf", "", "fifty", "1e30", "50ppm",
    ];
    for rate in bad {
        let line = rejection(&["--max-drift-rate", rate]);
        assert!(line.contains("max-drift-rate"), "{rate}: {line}");
    }
}

#[test]
fn drift_rates_beyond_32_bits_of_ppb_are_rejected() {
    // As parts per billion these would wrap to small values.
    for rate in ["4294968", "4294967.296", "5000000"] {
        rejection(&["--max-drift-rate", rate]);
    }
}

#[test]
fn intervals_out_of_range_are_rejected() {
    for interval in ["0", "0ms", "1ms", "1h", "-1s", "100", "soon"] {
        let line = rejection(&["--max-drift-rate", "50", "--poll-interval", interval]);
        assert!(line.contains("poll-interval"), "{interval}: {line}");
    }
}

#[test]
fn a_phc_without_interface_or_reference_id_is_rejected() {
    for half in [["-r", "PHC0"], ["-i", "eth0"]] {
        rejection(&["--max-drift-rate", "50", half[0], half[1]]);
    }
}

#[test]
fn invalid_reference_ids_and_interfaces_are_rejected() {
    for refid in ["", "PHC00", "PHÇ0"] {
        rejection(&["--max-drift-rate", "50", "-i", "lo", "-r", refid]);
    }
    for interface in ["", "..", "../../etc", "no-such-interface-", "nosuch0"] {
        rejection(&["--max-drift-rate", "50", "-r", "PHC0", "-i", interface]);
    }
}

#[test]
fn invalid_paths_are_rejected() {
    for path in ["", "relative/shm", "/"] {
        let line = rejection(&["--max-drift-rate", "50", "--shm-path", path]);
        assert!(line.contains("shm-path"), "{path}: {line}");
    }
    let long = format!("/{}", "s".repeat(200));
    for path in ["", "relative.sock", &long] {
        let line = rejection(&["--max-drift-rate", "50", "--chrony-socket", path]);
        assert!(line.contains("chrony-socket"), "{path}: {line}");
    }
}

#[test]
fn unknown_arguments_are_rejected() {
    rejection(&["--max-drift-rate", "50", "--no-such-option"]);
    rejection(&["--max-drift-rate", "50", "word"]);
    rejection(&["--max-drift-rate"]);
    rejection(&["--max-drift-rate", "50", "--log-level", "loud"]);
}

#[test]
fn the_default_drift_rate_is_logged() {
    let sandbox = Sandbox::new();
    let shm = sandbox.path("run").join("shm");
    let socket = sandbox.path("chronyd.sock");
    let launch = Launch::bare(BIN)
        .args(["--chrony-socket", &socket.to_string_lossy()])
        .args(["--shm-path", &shm.to_string_lossy()]);
    let mut daemon = launch.start();
    daemon.wait_for_log("max-drift-rate");
    assert_eq!(daemon.terminate().code, Some(0));
}
