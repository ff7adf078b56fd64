//! A command line that makes no sense is refused with one line that says why.

use integration::host::sandbox::Sandbox;
use integration::programs::daemon::Launch;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");

/// Starts the daemon with these arguments; returns the one line it said when it refused.
#[track_caller]
fn refusal(arguments: &[&str]) -> String {
    // Whatever is accepted by mistake must not end up in the host's run directory.
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
fn drift_rates_that_no_clock_has_are_refused() {
    let bad = [
        "0", "-1", "5000000", "1000000", "nan", "inf", "-inf", "", "fifty", "1e30", "50ppm",
    ];
    for rate in bad {
        let line = refusal(&["--max-drift-rate", rate]);
        assert!(line.contains("max-drift-rate"), "{rate}: {line}");
    }
}

#[test]
fn drift_rates_beyond_32_bits_of_ppb_are_refused() {
    // As parts per billion these wrap around to something small.
    for rate in ["4294968", "4294967.296", "5000000"] {
        refusal(&["--max-drift-rate", rate]);
    }
}

#[test]
fn intervals_out_of_range_are_refused() {
    for interval in ["0", "0ms", "1ms", "1h", "-1s", "100", "soon"] {
        let line = refusal(&["--max-drift-rate", "50", "--poll-interval", interval]);
        assert!(line.contains("poll-interval"), "{interval}: {line}");
    }
}

#[test]
fn half_a_phc_is_refused() {
    for half in [["-r", "PHC0"], ["-i", "eth0"]] {
        refusal(&["--max-drift-rate", "50", half[0], half[1]]);
    }
}

#[test]
fn names_that_cannot_be_are_refused() {
    for refid in ["", "PHC00", "PHÇ0"] {
        refusal(&["--max-drift-rate", "50", "-i", "lo", "-r", refid]);
    }
    for interface in ["", "..", "../../etc", "no-such-interface-", "nosuch0"] {
        refusal(&["--max-drift-rate", "50", "-r", "PHC0", "-i", interface]);
    }
}

#[test]
fn paths_that_cannot_be_are_refused() {
    for path in ["", "relative/shm", "/"] {
        let line = refusal(&["--max-drift-rate", "50", "--shm-path", path]);
        assert!(line.contains("shm-path"), "{path}: {line}");
    }
    let long = format!("/{}", "s".repeat(200));
    for path in ["", "relative.sock", &long] {
        let line = refusal(&["--max-drift-rate", "50", "--chrony-socket", path]);
        assert!(line.contains("chrony-socket"), "{path}: {line}");
    }
}

#[test]
fn words_that_are_not_understood_are_refused() {
    refusal(&["--max-drift-rate", "50", "--no-such-option"]);
    refusal(&["--max-drift-rate", "50", "word"]);
    refusal(&["--max-drift-rate"]);
    refusal(&["--max-drift-rate", "50", "--log-level", "loud"]);
}

#[test]
fn a_default_drift_rate_is_said_to_be_one() {
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
