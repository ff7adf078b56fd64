//! clockboundctl: what an operator and a script see beside a live daemon and chronyd, without
//! chronyd, without a daemon, beside an older daemon, and as another user.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clockbound_client::diagnostics::{self, Diagnostics};
use clockbound_client::{Reason, Status};
use integration::fakes::ntp_server::{NtpServer, ServerBehaviour};
use integration::fakes::reference_clock::{Driver, Feed, ReferenceClock};
use integration::host::process::{Log, Process};
use integration::host::sandbox::Sandbox;
use integration::host::user::UserAccount;
use integration::host::wait;
use integration::programs::chronyd::{Chronyd, polled_server_line, server_line};
use integration::programs::daemon::{Daemon, Launch, copy_for_everyone};
use integration::programs::tools::{Ended, clockboundctl, ctl, ctl_as, run};
use integration::setup::testbed::{Testbed, shm_path};
use integration::time::truth::Truth;
use nix::sys::signal::Signal;
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");

/// The verbs that read only the diagnostics.
const DIAGNOSTIC: [&str; 3] = ["status", "sources", "explain"];

fn directory_of(shm: &Path) -> PathBuf {
    shm.parent().expect("a directory").to_owned()
}

/// Waits until the diagnostics fulfil `cond`; shows the last ones if they do not.
#[track_caller]
fn until(directory: &Path, what: &str, cond: impl Fn(&Diagnostics) -> bool) -> Diagnostics {
    let found = wait::within(wait::PATIENCE, || {
        diagnostics::read(directory).ok().filter(&cond)
    });
    found.unwrap_or_else(|| {
        let last = ["status", "sources"].map(|verb| ctl(directory, &[verb]).stdout);
        panic!("never: {what}\n{}", last.join("\n"))
    })
}

#[track_caller]
fn until_reason(directory: &Path, reason: Reason) -> Diagnostics {
    until(directory, reason.as_str(), |it| it.reason == reason)
}

/// Whether a source is in the diagnostics whose measurements are used.
fn follows(diagnostics: &Diagnostics) -> bool {
    let record = &diagnostics.record;
    diagnostics.status == Status::Synchronized && record.sources.iter().any(|it| it.is_followed)
}

/// The output of a verb that succeeds.
#[track_caller]
fn shown(directory: &Path, words: &[&str]) -> String {
    let ended = ctl(directory, words);
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (Some(0), ""),
        "{words:?}: {ended:?}"
    );
    ended.stdout
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    // The lines are wrapped.
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[track_caller]
fn json(ended: &Ended) -> Value {
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap_or_else(|err| panic!("{err}: {ended:?}"))
}

#[test]
fn a_synchronized_daemon_is_shown_by_every_verb() {
    let bed = Testbed::with_offset_ns(5_000_000);
    let _daemon = bed.start(BIN);
    let directory = directory_of(&bed.shm());
    until(&directory, "a source", follows);

    let status = shown(&directory, &["status"]);
    assert_says(
        &status,
        &[
            "synchronized (tracking)",
            "root_distance",
            "reference 127.0.0.1",
        ],
    );
    let sources = shown(&directory, &["sources"]);
    assert_says(&sources, &["published", "* 127.0.0.1", "[---"]);
    assert_says(
        &shown(&directory, &["explain"]),
        &["measurements of 127.0.0.1"],
    );
    let ready = shown(
        &directory,
        &["wait", "--max-bound", "1h", "--timeout", "10s"],
    );
    assert_says(&ready, &["ready after", "synchronized (tracking)"]);
    let check = shown(&directory, &["check", "--max-bound", "1s"]);
    assert_says(&check, &["OK - synchronized (tracking), bound"]);
    assert_eq!(ctl(&directory, &["check", "--warn", "1ns"]).code, Some(1));
    let critical = ctl(&directory, &["check", "--max-bound", "1ns", "--perfdata"]);
    assert_eq!(critical.code, Some(2), "{critical:?}");
    assert_says(
        &critical.stdout,
        &["CRITICAL - bound", "above 1 ns", "| bound=0."],
    );
}

#[test]
fn the_interval_of_now_contains_true_time_in_every_format() {
    let bed = Testbed::with_offset_ns(5_000_000);
    let _daemon = bed.start(BIN);
    let directory = directory_of(&bed.shm());
    let read = |words: &[&str]| {
        let before_ns = bed.truth.now_ns();
        let line = shown(&directory, words);
        (before_ns, line, bed.truth.now_ns())
    };
    let contains = |(before_ns, after_ns): (i64, i64), (earliest_ns, latest_ns): (i64, i64)| {
        assert!(
            earliest_ns <= after_ns && before_ns <= latest_ns,
            "{earliest_ns} .. {latest_ns} between {before_ns} and {after_ns}"
        );
    };
    let (before_ns, line, after_ns) = read(&["now", "--format", "ns"]);
    let ends: Vec<i64> = (line.split_whitespace())
        .map(|word| word.parse().expect("nanoseconds"))
        .collect();
    contains((before_ns, after_ns), (ends[0], ends[1]));

    let (before_ns, line, after_ns) = read(&["now", "--format", "sec"]);
    let ends: Vec<i64> = (line.split_whitespace())
        .map(|word| {
            word.replace('.', "")
                .parse()
                .expect("seconds with nine decimals")
        })
        .collect();
    contains((before_ns, after_ns), (ends[0], ends[1]));

    for words in [["now", "--json"], ["now", "--format=json"]] {
        let (before_ns, line, after_ns) = read(&words);
        let value: Value = serde_json::from_str(&line).expect("JSON");
        let end = |name: &str| value[name].as_i64().expect("nanoseconds");
        contains(
            (before_ns, after_ns),
            (end("earliest_ns"), end("latest_ns")),
        );
    }
    let (_, line, _) = read(&["now", "--format", "rfc3339"]);
    assert!(
        line.split_whitespace()
            .all(|word| word.ends_with('Z') && word.len() == 30),
        "{line}"
    );
    assert_says(&read(&["now"]).1, &["synchronized (tracking), native"]);
}

#[test]
fn a_stopped_chronyd_is_a_warning_and_the_explanation_says_so() {
    let mut bed = Testbed::new();
    let _daemon = bed.start(BIN);
    let directory = directory_of(&bed.shm());
    bed.chronyd.stop();
    until_reason(&directory, Reason::ChronySilent);
    let check = ctl(&directory, &["check"]);
    assert_eq!(check.code, Some(1), "{check:?}");
    assert_says(
        &check.stdout,
        &["WARNING - free_running (chrony_silent), bound"],
    );
    assert_says(
        &shown(&directory, &["status"]),
        &["free_running (chrony_silent) for"],
    );
    let explained = shown(&directory, &["explain"]);
    assert_says(
        &explained,
        &["chronyd does not respond", "Start chronyd", "held over"],
    );
    assert_says(
        &shown(&directory, &["wait", "--timeout=1s"]),
        &["ready", "free_running"],
    );
}

#[test]
fn a_killed_daemon_is_critical_and_its_record_is_shown_with_its_age() {
    let bed = Testbed::new();
    // The 3.x segment is trusted only some time after the start.
    let mut daemon = bed.start_with(&bed.launch(BIN).args(["--shm1-path", "off"]));
    let directory = directory_of(&bed.shm());
    until(&directory, "a source", follows);
    daemon.kill();
    until_reason(&directory, Reason::DaemonSilent);
    let critical = "CRITICAL - free_running (daemon_silent), bound";
    let check = wait::until_some(wait::PATIENCE, "a critical state", || {
        Some(ctl(&directory, &["check"])).filter(|ended| ended.stdout.contains(critical))
    });
    assert_eq!(check.code, Some(2), "{check:?}");
    let status = shown(&directory, &["status"]);
    assert_says(
        &status,
        &[
            "free_running (daemon_silent) for",
            "published synchronized (tracking)",
        ],
    );
    assert_says(
        &shown(&directory, &["explain"]),
        &["systemctl status clockbound"],
    );
}

#[test]
fn a_daemon_that_is_killed_without_chronyd_is_silent_too() {
    let mut bed = Testbed::new();
    let mut daemon = bed.start_with(&bed.launch(BIN).args(["--shm1-path", "off"]));
    let directory = directory_of(&bed.shm());
    until(&directory, "a source", follows);
    bed.chronyd.stop();
    until_reason(&directory, Reason::ChronySilent);
    daemon.kill();
    until_reason(&directory, Reason::DaemonSilent);
    // The last record of the interval can be some time younger than that of the diagnostics.
    let critical = "CRITICAL - free_running (daemon_silent), bound";
    let check = wait::until_some(wait::PATIENCE, "a critical state", || {
        Some(ctl(&directory, &["check"])).filter(|ended| ended.stdout.contains(critical))
    });
    assert_eq!(check.code, Some(2), "{check:?}");
    assert_says(
        &shown(&directory, &["status"]),
        &["published free_running (chrony_silent)"],
    );
    assert_says(
        &shown(&directory, &["sources"]),
        &["(daemon_silent), as of"],
    );
}

#[test]
fn wait_accepts_a_simulated_interval_only_if_it_is_told_to() {
    let sandbox = Sandbox::new();
    let directory = sandbox.dir("simulated", 0o755);
    let script = sandbox.write("script", "status synchronized bound 1ms\nwait 100ms");
    let mut command = Command::new(clockboundctl());
    command.arg("simulate").arg(script).arg("--hold");
    command.arg("--to").arg(&directory);
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let wait = ["wait", "--max-bound=1s", "--timeout=100ms"];
    let refused = ctl(&directory, &wait);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_says(&refused.stderr, &["the record is simulated"]);
    let words: Vec<&str> = wait.into_iter().chain(["--allow-simulated"]).collect();
    let accepted = ctl(&directory, &words);
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    assert_says(&accepted.stdout, &["ready", "SIMULATED"]);
    assert_says(&shown(&directory, &["now"]), &["native, SIMULATED"]);
}

#[test]
fn without_a_daemon_each_verb_says_so_in_one_line_with_its_exit_code() {
    let sandbox = Sandbox::new();
    let empty = sandbox.dir("empty", 0o755);
    for directory in [empty, sandbox.path("missing")] {
        for verb in DIAGNOSTIC.into_iter().chain(["now"]) {
            let ended = ctl(&directory, &[verb]);
            assert_eq!(
                (ended.code, ended.stdout.as_str()),
                (Some(69), ""),
                "{verb}: {ended:?}"
            );
            assert_eq!(ended.stderr.lines().count(), 1, "{verb}: {ended:?}");
            assert_says(&ended.stderr, &["clockboundctl: ", "is clockbound running"]);
        }
        let check = ctl(&directory, &["check", "--max-bound", "1ms"]);
        assert_eq!(
            (check.code, check.stderr.as_str()),
            (Some(3), ""),
            "{check:?}"
        );
        assert_says(
            &check.stdout,
            &["UNKNOWN - clockbound publishes nothing in /"],
        );
        let wait = ctl(&directory, &["wait", "--timeout", "100ms"]);
        assert_eq!((wait.code, wait.stdout.as_str()), (Some(1), ""), "{wait:?}");
        assert_says(
            &wait.stderr,
            &["waiting: failed to open", "not ready after"],
        );
        let quiet = ctl(&directory, &["wait", "--timeout", "100ms", "--quiet"]);
        assert_eq!(
            (quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()),
            (Some(1), "", "")
        );
    }
}

#[test]
fn wait_says_why_it_waits_each_time_the_reason_changes() {
    let sandbox = Sandbox::new();
    let truth = Truth::default();
    let server = NtpServer::start(&truth);
    let mut chronyd = Chronyd::following(&sandbox, "chrony", server.address());
    let shm = shm_path(&sandbox);
    let mut command = Command::new(clockboundctl());
    command.arg("--directory").arg(directory_of(&shm));
    command.args(["wait", "--timeout", "60s"]);
    let mut waiting = Process::start("clockboundctl", command, Log::Kept);
    waiting.wait_for_log("waiting: failed to open segment");
    let _daemon = Launch::new(BIN, &chronyd.socket(), &shm).start();
    waiting.wait_for_log("never_synchronized");
    waiting.wait_for_log("chrony_silent: chronyd does not respond");
    chronyd.start_synchronised();
    assert_eq!(waiting.wait().code, Some(0));
    let lines = waiting.log();
    assert!(
        lines.windows(2).all(|pair| pair[0] != pair[1]),
        "{lines:#?}"
    );
    assert!(lines.len() < 10, "no line without a change: {lines:#?}");
}

#[test]
fn wait_gives_up_at_its_timeout_while_the_bound_is_too_wide() {
    let bed = Testbed::new();
    let _daemon = bed.start(BIN);
    let directory = directory_of(&bed.shm());
    let ended = ctl(
        &directory,
        &["--json", "wait", "--max-bound=1ns", "--timeout=200ms"],
    );
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_says(&ended.stderr, &["waiting: bound", "above 1 ns"]);
    let value = json(&ended);
    assert_eq!(value["is_ready"], Value::Bool(false));
    assert_eq!(value["status"], "synchronized");
    assert!(value["waited_ns"].as_i64() >= Some(200_000_000), "{value}");
}

#[test]
fn the_verbs_that_need_no_diagnostics_work_beside_a_daemon_without_them() {
    let bed = Testbed::new();
    let launch = bed.launch(BIN).args(
        [
            "--shm0-path",
            "--shm1-path",
            "--native-path",
            "--diagnostics-path",
        ]
        .into_iter()
        .flat_map(|option| [option, "off"]),
    );
    let mut daemon = bed.start_with(&launch);
    let directory = directory_of(&bed.shm());
    assert_says(&shown(&directory, &["now"]), &["synchronized (untold), v1"]);
    assert_says(
        &shown(&directory, &["wait"]),
        &["ready", "synchronized (untold)"],
    );
    assert_says(
        &shown(&directory, &["check"]),
        &["OK - synchronized (untold)"],
    );
    for verb in DIAGNOSTIC {
        let ended = ctl(&directory, &[verb]);
        assert_eq!(ended.code, Some(69), "{verb}: {ended:?}");
    }
    daemon.kill();
    let check = wait::until_some(wait::PATIENCE, "the record is old", || {
        Some(ctl(&directory, &["check"])).filter(|ended| ended.code == Some(2))
    });
    assert_says(&check.stdout, &["CRITICAL - free_running (daemon_silent)"]);
}

#[test]
fn another_user_needs_no_privileges() {
    let bed = Testbed::new();
    let _daemon = bed.start(BIN);
    let directory = directory_of(&bed.shm());
    until(&directory, "a source", follows);
    let program = copy_for_everyone(clockboundctl(), &bed.sandbox.path(""));
    let nobody = UserAccount::named("nobody").expect("the account nobody");
    for verb in DIAGNOSTIC.into_iter().chain(["now", "wait", "check"]) {
        let ended = ctl_as(&nobody, &program, &directory, &[verb]);
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(0), ""),
            "{verb}: {ended:?}"
        );
    }
}

#[test]
fn a_wrong_command_line_and_a_closed_pipe_end_properly() {
    let bed = Testbed::new();
    let _daemon = bed.start(BIN);
    let directory = directory_of(&bed.shm());
    for words in [
        &["status", "--nonsense"] as &[&str],
        &["nonsense"],
        &["wait", "--max-bound", "5"],
        &["now", "--format", "xml"],
    ] {
        let ended = ctl(&directory, words);
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(64), ""),
            "{words:?}: {ended:?}"
        );
        assert!(!ended.stderr.is_empty(), "{words:?}");
    }
    let check = ctl(&directory, &["check", "--max-bound", "5"]);
    assert_eq!(check.code, Some(3), "{check:?}");
    assert_says(&check.stdout, &["UNKNOWN - invalid arguments"]);
    for words in [
        ["--help", "status"],
        ["status", "--help"],
        ["--version", "status"],
    ] {
        assert_eq!(ctl(&directory, &words).code, Some(0), "{words:?}");
    }
    for words in [["status"], ["--help"]] {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(clockboundctl());
        command
            .arg("--directory")
            .arg(&directory)
            .args(words)
            .stdout(writer);
        let output = command.output().expect("clockboundctl runs");
        assert_eq!(output.status.code(), Some(0), "{words:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{words:?}: {output:?}");
    }
}

#[test]
fn colors_are_only_in_the_output_to_a_terminal_or_on_request() {
    let bed = Testbed::new();
    let _daemon = bed.start(BIN);
    let directory = directory_of(&bed.shm());
    for verb in DIAGNOSTIC {
        let plain = shown(&directory, &[verb]);
        assert!(!plain.contains('\u{1b}'), "{verb}: {plain:?}");
        let colored = shown(&directory, &[verb, "--color", "always"]);
        assert!(colored.contains('\u{1b}'), "{verb}: {colored:?}");
    }
    // script(1) runs a command with a terminal.
    let line = format!(
        "{} --directory {} status",
        clockboundctl().display(),
        directory.display()
    );
    let mut script = Command::new("script");
    script.args(["--quiet", "--command", &line, "/dev/null"]);
    let output = script
        .env_remove("NO_COLOR")
        .output()
        .expect("script is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("\u{1b}["), "{text:?}");
}

/// A chronyd with these lines and a daemon with these options.
struct Host {
    _daemon: Daemon,
    chronyd: Chronyd,
    directory: PathBuf,
}

impl Host {
    fn start(sandbox: &Sandbox, lines: &[&str], arguments: &[&str]) -> Host {
        let lines: Vec<&str> = ["port 0"].iter().chain(lines).copied().collect();
        let mut chronyd = Chronyd::new(sandbox, "chrony", &lines);
        chronyd.start();
        let shm = shm_path(sandbox);
        let launch = Launch::new(BIN, &chronyd.socket(), &shm).args(arguments.iter().copied());
        let daemon = launch.start();
        let directory = directory_of(&shm);
        daemon.wait_until("diagnostics", || diagnostics::read(&directory).is_ok());
        Host {
            _daemon: daemon,
            chronyd,
            directory,
        }
    }

    /// The explanation once `cond` is fulfilled.
    #[track_caller]
    fn explained(&self, what: &str, cond: impl Fn(&Diagnostics) -> bool) -> String {
        until(&self.directory, what, cond);
        shown(&self.directory, &["explain"])
    }
}

#[test]
fn a_far_source_is_explained() {
    let sandbox = Sandbox::new();
    let behaviour = ServerBehaviour {
        root_delay: 0.0,
        root_dispersion: 0.0,
        request_delay: Duration::from_millis(50),
        reply_delay: Duration::from_millis(50),
        ..ServerBehaviour::default()
    };
    let server = NtpServer::start_with(&Truth::default(), std::net::Ipv4Addr::LOCALHOST, behaviour);
    let host = Host::start(&sandbox, &[&polled_server_line(server.address(), 0)], &[]);
    let explained = host.explained("a far source", |it| {
        follows(it) && it.record.root_delay_ns > 0
    });
    assert_says(
        &explained,
        &[
            "root_distance is",
            "The round trip to the reference is 10",
            "Use a nearer server",
            "In chrony.conf: server NEARER-SERVER iburst minpoll 4 maxpoll 4",
        ],
    );
}

#[test]
fn slow_polling_is_explained() {
    let sandbox = Sandbox::new();
    let server = NtpServer::start(&Truth::default());
    let host = Host::start(&sandbox, &[&polled_server_line(server.address(), 6)], &[]);
    let explained = host.explained("a source", follows);
    assert_says(
        &explained,
        &[
            "127.0.0.1 is polled every 64 s, and the bound grows by",
            "Poll it every 16 s",
            "In chrony.conf: server 127.0.0.1 iburst minpoll 4 maxpoll 4",
        ],
    );
}

#[test]
fn a_reference_clock_without_delay_is_explained_as_a_premise_at_risk() {
    for (options, is_at_risk) in [("", true), ("delay 0.001", false)] {
        let sandbox = Sandbox::new();
        let socket = sandbox.chrony_dir("refclocks").join("0");
        let (truth, began) = (Truth::default(), Instant::now());
        let clock = ReferenceClock::start(Driver::Sock, &socket, &truth, Feed::default(), began);
        let line = format!("refclock {} poll 0 refid GPS {options}", clock.parameter());
        let host = Host::start(&sandbox, &[&line], &[]);
        let explained = host.explained("a source", follows);
        let risk = "chronyd assumes that the reference clock GPS has no delay";
        assert_eq!(
            explained.contains("Premises at risk"),
            is_at_risk,
            "{explained}"
        );
        if is_at_risk {
            assert_says(
                &explained,
                &[risk, "refclock DRIVER PARAMETER refid GPS delay SECONDS"],
            );
        }
    }
}

#[test]
fn a_holdover_is_explained_and_its_source_named() {
    let sandbox = Sandbox::new();
    let server = NtpServer::start(&Truth::default());
    let host = Host::start(&sandbox, &[&server_line(server.address())], &[]);
    host.explained("a source", follows);
    server.set(|behaviour| behaviour.silent = true);
    let is_held_over = |it: &Diagnostics| {
        it.reason == Reason::SourceUnreachable
            && it
                .record
                .sources
                .iter()
                .all(|source| source.reachability == 0)
    };
    let explained = host.explained("holdover", is_held_over);
    assert_says(
        &explained,
        &[
            "The status is free_running for",
            "source_unreachable: no usable source has answered",
            "nothing is claimed any more",
            "127.0.0.1 does not answer chronyd's polls",
        ],
    );
    assert!(!explained.contains("narrower\n"), "{explained}");
}

#[test]
fn sources_that_disagree_are_explained_and_named() {
    let sandbox = Sandbox::new();
    let truth = Truth::default();
    let at = |octet: u8, time_error_ns: i64| {
        let behaviour = ServerBehaviour {
            time_error_ns,
            ..ServerBehaviour::default()
        };
        NtpServer::start_with(&truth, [127, 0, 0, octet].into(), behaviour)
    };
    let servers = [at(1, 30_000_000), at(2, 0), at(3, 0)];
    let lines = servers
        .each_ref()
        .map(|server| server_line(server.address()));
    let trusted = format!("{} prefer trust", lines[0]);
    let host = Host::start(&sandbox, &[&trusted, &lines[1], &lines[2]], &[]);
    let disagree = |it: &Diagnostics| {
        let own = it
            .record
            .sources
            .iter()
            .filter(|source| source.own_ns.is_some());
        it.reason == Reason::SourcesDisagree && own.count() == 3
    };
    let explained = host.explained("sources that disagree", disagree);
    assert_says(
        &explained,
        &[
            "sources_disagree: more than half",
            "The fewest others agree with 127.0.0.1.",
        ],
    );
}

#[test]
fn too_few_sources_are_explained_with_the_lines_that_are_missing() {
    let sandbox = Sandbox::new();
    let server = NtpServer::start(&Truth::default());
    let arguments = ["--falsetickers", "1"];
    let mut host = Host::start(&sandbox, &[&server_line(server.address())], &arguments);
    wait::until(wait::PATIENCE, "chronyd synchronises", || {
        host.chronyd.is_synchronised()
    });
    let is_too_few = |it: &Diagnostics| {
        [it.reason, it.record.failure].contains(&Reason::TooFewSources)
            && it
                .record
                .sources
                .iter()
                .any(|source| source.reachability != 0)
    };
    let explained = host.explained("too few sources", is_too_few);
    assert_says(
        &explained,
        &[
            "--falsetickers 1 requires 3 reachable sources, and 1 are reachable",
            "server OTHER-SERVER-2 iburst",
        ],
    );
    host.chronyd.stop();
}

#[test]
fn a_disruption_is_explained_and_claims_nothing() {
    let bed = Testbed::new();
    let daemon = bed.start(BIN);
    let directory = directory_of(&bed.shm());
    daemon.signal(Signal::SIGUSR1);
    until_reason(&directory, Reason::Disrupted);
    let explained = shown(&directory, &["explain"]);
    assert_says(
        &explained,
        &["A drill is in progress", "do not use the interval"],
    );
    assert!(!explained.contains("The bound"), "{explained}");
    let now = ctl(&directory, &["now", "--format", "ns"]);
    assert_eq!((now.code, now.stdout.as_str()), (Some(2), ""), "{now:?}");
    let check = ctl(&directory, &["check"]);
    assert_eq!(check.code, Some(2), "{check:?}");
    assert_says(&check.stdout, &["CRITICAL - drill: disrupted"]);
    daemon.signal(Signal::SIGUSR2);
    until_reason(&directory, Reason::Tracking);
    assert_eq!(ctl(&directory, &["check"]).code, Some(0));
}

#[test]
fn the_json_of_every_verb_has_the_documented_fields() {
    let verbs: [&[&str]; 8] = [
        &["status"],
        &["sources"],
        &["explain"],
        &["now"],
        &["wait", "--timeout", "100ms"],
        &["wait", "--timeout", "100ms", "--max-bound", "1h"],
        &["check"],
        &["check", "--max-bound", "1h", "--warn", "1h"],
    ];
    let mut shapes: BTreeMap<&str, Shape> = BTreeMap::new();
    let mut observe = |directory: &Path| {
        for words in verbs {
            let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
            let ended = ctl(directory, &words);
            if !ended.stdout.is_empty() {
                shapes.entry(words[0]).or_default().add("", &json(&ended));
            }
        }
    };
    observe(Path::new("/nonexistent"));
    let mut bed = Testbed::new();
    let sandbox = Sandbox::new();
    let without_chronyd = shm_path(&sandbox);
    let daemon = Launch::new(BIN, &sandbox.path("none.sock"), &without_chronyd).start();
    let directory = directory_of(&without_chronyd);
    until(&directory, "a failure", |it| {
        it.record.failure != Reason::Tracking
    });
    observe(&directory);
    drop(daemon);
    let _daemon = bed.start(BIN);
    let directory = directory_of(&bed.shm());
    until(&directory, "a source", follows);
    observe(&directory);
    bed.chronyd.stop();
    until_reason(&directory, Reason::ChronySilent);
    observe(&directory);
    for (verb, shape) in shapes {
        shape.check(&format!("ctl-{verb}.json"));
    }
}

/// The paths of the fields of JSON values, each with the types that were seen.
#[derive(Debug, Default)]
struct Shape(BTreeMap<String, BTreeSet<String>>);

impl Shape {
    fn add(&mut self, path: &str, value: &Value) {
        let types = self.0.entry(path.to_owned()).or_default();
        types.insert(type_of(value).to_owned());
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    self.add(&format!("{path}/{name}"), field);
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    self.add(&format!("{path}[]"), element);
                }
            }
            _ => {}
        }
    }

    /// Compares it with the golden file, or writes that with `UPDATE_GOLDEN=1`.
    #[track_caller]
    fn check(&self, name: &str) {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/tests/golden");
        let path = golden.join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            let text = serde_json::to_string_pretty(&self.0).expect("JSON");
            fs::create_dir_all(&golden).expect("the directory of golden files");
            fs::write(&path, text + "\n").expect("write a golden file");
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let golden: BTreeMap<String, BTreeSet<String>> =
            serde_json::from_str(&text).unwrap_or_else(|err| panic!("{name}: {err}"));
        for (path, types) in &self.0 {
            let expected = golden.get(path);
            assert!(
                expected.is_some_and(|expected| types.is_subset(expected)),
                "{name}: {path} is {types:?}, not {expected:?}; fields are only added, and with \
                 UPDATE_GOLDEN=1"
            );
        }
        // A field of an object that was seen has to be there. An array can be empty.
        let is_missing = |path: &&String| {
            let parent = path.rsplit_once('/').map(|(parent, _)| parent);
            let types = parent.and_then(|parent| self.0.get(parent));
            let is_field = !path.ends_with("[]") && types.is_some_and(|it| it.contains("object"));
            is_field && !self.0.contains_key(*path)
        };
        let missing: Vec<&String> = golden.keys().filter(is_missing).collect();
        assert!(missing.is_empty(), "{name}: missing {missing:?}");
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
