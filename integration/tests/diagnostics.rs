//! The diagnostics of a daemon beside a real chronyd.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

use clockbound_client::diagnostics::{self, Diagnostics, SourceAddress, SourceState};
use clockbound_client::{Reason, Status};
use integration::fakes::ntp_server::{NtpServer, ServerBehaviour};
use integration::host::sandbox::{Sandbox, mode_of};
use integration::host::user::UserAccount;
use integration::host::wait;
use integration::observe::layout::Layout;
use integration::observe::reader::Reader;
use integration::observe::reading;
use integration::programs::chronyd::{Chronyd, polled_server_line};
use integration::programs::daemon::Daemon;
use integration::setup::testbed::Testbed;
use integration::time::truth::Truth;
use nix::sys::signal::Signal;
use shm_layout::diagnostics::DRILL_REASON;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");
const MS: i64 = 1_000_000;

fn path(testbed: &Testbed) -> PathBuf {
    testbed.shm().with_file_name("diagnostics")
}

fn read(testbed: &Testbed) -> Diagnostics {
    diagnostics::read(&path(testbed)).expect("diagnostics")
}

/// Waits until the diagnostics are so, and returns them.
#[track_caller]
fn wait_for(testbed: &Testbed, what: &str, cond: impl Fn(&Diagnostics) -> bool) -> Diagnostics {
    wait::until_some(wait::PATIENCE, what, || {
        diagnostics::read(&path(testbed))
            .ok()
            .filter(|now| cond(now))
    })
}

/// SIGUSR1 with a value, as sigqueue(3) sends it.
fn send_value(daemon: &Daemon, value: i32) {
    let status = Command::new("python3")
        .args([
            "-c",
            SIGQUEUE,
            &daemon.pid().to_string(),
            &value.to_string(),
        ])
        .status();
    assert!(status.expect("python3").success(), "sigqueue");
}

const SIGQUEUE: &str = "
import ctypes, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
sys.exit(libc.sigqueue(int(sys.argv[1]), signal.SIGUSR1, int(sys.argv[2]) & 0xffffffff) != 0)
";

fn drill(daemon: &Daemon, reason: Reason) {
    send_value(daemon, DRILL_REASON + i32::from(reason as u8));
}

/// A chronyd with these servers, polled 16 times a second; the last ones are off by 50 ms.
fn with_servers(honest: u8, liars: u8) -> (Testbed, Vec<NtpServer>) {
    let truth = Truth::default();
    let mut servers: Vec<NtpServer> = (1..=honest + liars)
        .map(|n| {
            let behaviour = ServerBehaviour {
                time_error_ns: if n > honest { 50 * MS } else { 0 },
                ..ServerBehaviour::default()
            };
            NtpServer::start_with(&truth, Ipv4Addr::new(127, 0, 0, n), behaviour)
        })
        .collect();
    let lines: Vec<String> = servers
        .iter()
        .map(|server| polled_server_line(server.address(), -4))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).chain(["port 0"]).collect();
    let sandbox = Sandbox::new();
    let mut chronyd = Chronyd::new(&sandbox, "chrony", &lines);
    chronyd.start_synchronised();
    let server = servers.remove(0);
    let testbed = Testbed {
        chronyd,
        server,
        truth,
        sandbox,
    };
    (testbed, servers)
}

#[test]
fn the_budget_is_half_the_width_and_the_sources_contain_true_time() {
    let (testbed, _others) = with_servers(3, 1);
    let _daemon = testbed.start(BIN);
    let complete = |now: &Diagnostics| {
        let record = &now.record;
        record
            .sources
            .iter()
            .filter(|source| source.own_ns.is_some())
            .count()
            == 4
            && record.sources.iter().any(|source| source.is_followed)
            && record.sources.iter().any(|source| source.is_disjoint)
    };
    let mut records = 0;
    let mut last_ns = 0;
    while records < 5 {
        let now = wait_for(&testbed, "four sources, one of them disjoint", complete);
        let offset_ns = testbed.truth.now_ns() - reading_of_realtime_ns();
        let record = now.record;
        if record.as_of_ns == last_ns {
            continue;
        }
        (last_ns, records) = (record.as_of_ns, records + 1);
        let width_ns = record.latest_ns - record.earliest_ns;
        let sum_ns: i64 = record.budget_ns.iter().sum();
        assert_eq!(sum_ns, width_ns / 2 + width_ns % 2, "{record:?}");
        // True time has a constant offset from this machine's clock.
        let truth_ns = record.realtime_ns + offset_ns;
        assert!(
            (record.earliest_ns..=record.latest_ns).contains(&truth_ns),
            "{record:?}"
        );
        for source in &record.sources {
            let (earliest_ns, latest_ns) = source.own_ns.expect("each has one");
            let SourceAddress::V4([127, 0, 0, n]) = source.address else {
                panic!("{source:?}");
            };
            // The fourth is off by 50 ms.
            let holds = (earliest_ns..=latest_ns).contains(&truth_ns);
            assert_eq!((holds, source.is_disjoint), (n != 4, n == 4), "{source:?}");
            assert!(!source.is_followed || source.state == SourceState::Selected);
            assert!(source.measurements > 0 && source.measured_ns <= record.as_of_ns);
        }
    }
}

/// `CLOCK_REALTIME`, ns since 1970.
fn reading_of_realtime_ns() -> i64 {
    integration::time::clock::clock_ns(nix::time::ClockId::CLOCK_REALTIME)
}

#[test]
fn settings_and_the_process_are_in_the_record_which_anyone_reads() {
    let testbed = Testbed::new();
    let launch = testbed.launch(BIN).umask(0o077).args(["--holdover", "77s"]);
    let daemon = testbed.start_with(&launch);
    let record = wait_for(&testbed, "a source", |now| now.record.source_count == 1).record;
    assert_eq!(i64::from(record.pid), i64::from(daemon.pid()));
    assert!(record.started_ns < record.as_of_ns);
    assert_eq!(record.settings.max_drift_ppb, 50_000);
    assert_eq!(record.settings.holdover_ns, 77_000_000_000);
    assert_eq!(record.settings.poll_interval_us, 100_000);
    assert_eq!((record.protocol, record.reference_id), (6, 0x7f00_0001));
    assert_eq!(mode_of(&path(&testbed)), 0o644);
    let Some(nobody) = UserAccount::named("nobody") else {
        let _ = writeln!(
            std::io::stdout(),
            "skipped: settings_and_the_process_are_in_the_record_which_anyone_reads: \
             there is no user nobody"
        );
        return;
    };
    let status = nobody
        .command("head")
        .args(["--quiet", "-c", "8"])
        .arg(path(&testbed))
        .output()
        .expect("head");
    assert!(
        status.status.success() && status.stdout == b"clkbdiag",
        "{status:?}"
    );
}

#[test]
fn an_outage_is_told_from_its_first_failure_on_with_its_reason_and_since_when() {
    let mut testbed = Testbed::new();
    let _daemon = testbed.start(BIN);
    let before = wait_for(&testbed, "tracking", |now| now.reason == Reason::Tracking).record;
    assert_eq!(
        (before.failure, before.counters.status_changes),
        (Reason::Tracking, 1)
    );
    testbed.chronyd.stop();
    let failing = wait_for(&testbed, "a failure", |now| {
        now.record.failure == Reason::ChronySilent
    })
    .record;
    let outage = wait_for(&testbed, "free running", |now| {
        now.status == Status::FreeRunning
    })
    .record;
    assert_eq!(outage.reason, Reason::ChronySilent);
    // The grace is between them.
    assert_eq!(outage.failure_since_ns, failing.failure_since_ns);
    assert!(outage.status_since_ns > outage.failure_since_ns);
    assert!(outage.validated_ns <= outage.failure_since_ns);
    assert!(outage.counters.polls_unanswered > before.counters.polls_unanswered);
    assert_eq!(outage.counters.status_changes, 2);
    testbed.chronyd.start_synchronised();
    let after = wait_for(&testbed, "trust", |now| {
        now.status == Status::Synchronized && now.reason == Reason::Tracking
    })
    .record;
    assert!(after.status_since_ns > outage.status_since_ns);
    assert_eq!(after.failure, Reason::Tracking);
    assert_eq!(
        after.counters.chronyd_restarts,
        before.counters.chronyd_restarts + 1
    );
    assert!(after.counters.reports > before.counters.reports);
    assert!(after.counters.measurements > before.counters.measurements);
}

#[test]
fn publications_and_recreated_files_are_counted() {
    let testbed = Testbed::new();
    let _daemon = testbed.start_with(&testbed.launch(BIN).args(["--shm0-path", "off"]));
    let before = read(&testbed).record;
    let [native, v2, v1, _v3] = before.publications;
    assert!(native > 0 && v1 > 0 && v2 == 0, "{:?}", before.publications);
    std::fs::remove_file(testbed.shm().with_file_name("native")).expect("there");
    let after = wait_for(&testbed, "a file that was created again", |now| {
        now.record.counters.files_recreated == 1
    });
    assert!(after.record.publications[0] > native);
    // The diagnostics, too.
    std::fs::remove_file(path(&testbed)).expect("there");
    wait_for(&testbed, "both files", |now| {
        now.record.counters.files_recreated == 2
    });
}

#[test]
fn a_daemon_that_is_restarted_continues_its_state_with_new_counters() {
    let testbed = Testbed::new();
    let mut daemon = testbed.start(BIN);
    let tracking = |now: &Diagnostics| now.reason == Reason::Tracking;
    let before = wait_for(&testbed, "tracking", tracking).record;
    daemon.terminate();
    let left = read(&testbed);
    assert_eq!(left.record.pid, before.pid);
    let daemon = testbed.start(BIN);
    let after = wait_for(&testbed, "the next daemon", |now| {
        i64::from(now.record.pid) == i64::from(daemon.pid()) && tracking(now)
    })
    .record;
    assert!(after.started_ns > before.as_of_ns);
    assert_eq!(after.status_since_ns, before.status_since_ns);
    assert_eq!(after.counters.status_changes, 0);
    assert!(after.counters.reports < left.record.counters.reports + 1_000);
}

#[test]
fn without_a_daemon_the_status_is_aged() {
    let testbed = Testbed::new();
    let mut daemon = testbed.start_with(&testbed.launch(BIN).args(["--holdover", "7s"]));
    wait_for(&testbed, "tracking", |now| now.reason == Reason::Tracking);
    daemon.kill();
    let silent = wait_for(&testbed, "silent", |now| now.status == Status::FreeRunning);
    assert_eq!(silent.reason, Reason::DaemonSilent);
    let expired = wait_for(&testbed, "expired", |now| now.status == Status::Unknown);
    assert_eq!(expired.reason, Reason::HoldoverExpired);
}

#[test]
fn diagnostics_that_are_not_published_any_more_are_retired() {
    let testbed = Testbed::new();
    let mut daemon = testbed.start(BIN);
    assert!(path(&testbed).exists());
    daemon.terminate();
    let _daemon = testbed.start_with(&testbed.launch(BIN).args(["--diagnostics-path", "off"]));
    wait::until(wait::PATIENCE, "the file is removed", || {
        !path(&testbed).exists()
    });
}

#[test]
fn a_drill_of_a_reason_is_published_on_every_layout_until_it_is_ended() {
    let testbed = Testbed::new();
    let daemon = testbed.start(BIN);
    wait_for(&testbed, "tracking", |now| now.reason == Reason::Tracking);
    let readers: Vec<Reader> = [Layout::NATIVE, Layout::V1, Layout::V2]
        .map(|layout| Reader::of(layout, &testbed.shm(), &testbed.truth))
        .into();
    let wait_for_all = |status: reading::Status| {
        readers.iter().for_each(|reader| reader.wait_for(status));
    };
    for (reason, status, seen) in [
        (
            Reason::TooFewSources,
            Status::FreeRunning,
            reading::Status::FreeRunning,
        ),
        (
            Reason::HoldoverExpired,
            Status::Unknown,
            reading::Status::Unknown,
        ),
    ] {
        let before = read(&testbed).record;
        drill(&daemon, reason);
        let drilled = wait_for(&testbed, "the drill", |now| now.record.is_drill);
        assert_eq!((drilled.status, drilled.reason), (status, reason));
        // The reports are usable all the same.
        assert_eq!(drilled.record.failure, Reason::Tracking);
        let width_ns =
            |record: &diagnostics::DiagnosticsRecord| record.latest_ns - record.earliest_ns;
        if status == Status::FreeRunning {
            assert!(width_ns(&drilled.record) < width_ns(&before) + 100 * MS);
        } else {
            assert!(width_ns(&drilled.record) > 1_000_000 * MS);
        }
        wait_for_all(seen);
        daemon.signal(Signal::SIGUSR2);
        let over = wait_for(&testbed, "the end", |now| !now.record.is_drill);
        assert_eq!(
            (over.status, over.reason),
            (Status::Synchronized, Reason::Tracking)
        );
        wait_for_all(reading::Status::Synchronized);
        daemon.wait_for_log("drill of a reason is over");
    }
    // A plain signal is the disruption of the 2.x generation.
    daemon.signal(Signal::SIGUSR1);
    let disrupted = wait_for(&testbed, "disrupted", |now| now.status == Status::Disrupted);
    assert!(disrupted.record.is_drill);
    // It is replaced by the drill of a reason.
    drill(&daemon, Reason::ChronySilent);
    wait_for(&testbed, "free running", |now| {
        now.status == Status::FreeRunning
    });
    daemon.signal(Signal::SIGUSR2);
    wait_for(&testbed, "trust", |now| now.status == Status::Synchronized);
    // What cannot be drilled changes nothing.
    drill(&daemon, Reason::Tracking);
    send_value(&daemon, 7);
    daemon.wait_until("both are refused", || {
        daemon.count_log("no drill has this value") == 2
    });
    assert!(!read(&testbed).record.is_drill);
    for reader in readers {
        reader.finish().assert_valid();
    }
}

#[test]
fn without_support_for_disruptions_no_reason_is_drilled() {
    let testbed = Testbed::new();
    let launch = testbed
        .launch(BIN)
        .args(["--disable-clock-disruption-support"]);
    let daemon = testbed.start_with(&launch);
    drill(&daemon, Reason::HoldoverExpired);
    daemon.wait_for_log("ignoring the signal");
    assert_eq!(read(&testbed).status, Status::Synchronized);
}
