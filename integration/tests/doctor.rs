//! clockboundctl doctor on hosts with one fault each, prepared or live, and clockboundctl drill on
//! a live daemon.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use clockbound_client::{Client, Reason, Status, diagnostics};
use integration::fakes::ntp_server::NtpServer;
use integration::host::namespace::{self, Private};
use integration::host::sandbox::Sandbox;
use integration::host::user::UserAccount;
use integration::host::virtual_clock::VirtualClock;
use integration::host::wait::{self, PATIENCE};
use integration::programs::chronyd::{Chronyd, server_line};
use integration::programs::daemon::{Daemon, Launch, copy_for_everyone};
use integration::programs::tools::{Ended, clockboundctl, ctl, run};
use integration::time::truth::Truth;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

mod prepared_host;

use prepared_host::Host;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");
/// The directory of a live daemon, in namespaces of its own.
const DIRECTORY: &str = "/run/clockbound";

/// What was found: the check, the severity, and the proposed line or command.
type Found = (String, String, String);

/// The warnings and errors of an examination in JSON. Its exit code has to be that of the gravest.
#[track_caller]
fn faults(ended: &Ended) -> Vec<Found> {
    let examination: Value = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|err| panic!("{err}: {} {}", ended.stdout, ended.stderr));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = examination["findings"].as_array().expect("findings");
    let faults: Vec<Found> = findings
        .iter()
        .filter(|finding| {
            ["warning", "error"].contains(&finding["severity"].as_str().unwrap_or(""))
        })
        .map(|finding| {
            let change = &finding["change"];
            assert!(!text(&finding["why"]).is_empty(), "{finding}");
            let place = match (&change["file"], &change["line_number"]) {
                (Value::String(file), Value::Number(number)) => format!("{file}:{number} "),
                (Value::String(file), _) => format!("{file} "),
                _ => String::new(),
            };
            let proposal = match (&change["wanted_line"], &change["present_line"]) {
                (Value::String(line), _) => format!("{place}+ {line}"),
                (_, Value::String(line)) => format!("{place}- {line}"),
                _ => text(&change["command"]),
            };
            (
                text(&finding["check"]),
                text(&finding["severity"]),
                proposal,
            )
        })
        .collect();
    let worst = faults.iter().map(|fault| fault.1.as_str()).min();
    let code = match worst {
        None => 0,
        Some("error") => 2,
        Some(_) => 1,
    };
    assert_eq!(ended.code, Some(code), "{}", ended.stdout);
    assert_eq!(examination["exit_code"], code);
    faults
}

#[track_caller]
fn assert_one(name: &str, ended: &Ended, (check, severity, proposal): (&str, &str, &str)) {
    let found = faults(ended);
    let expected = (check.to_owned(), severity.to_owned(), proposal.to_owned());
    assert_eq!(found, [expected], "{name}: {}", ended.stdout);
}

#[test]
fn a_healthy_prepared_host_has_no_fault() {
    let ended = Host::new().examine();
    assert_eq!(faults(&ended), [], "{}", ended.stdout);
    let examination: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let fields: Vec<&String> = examination.as_object().expect("an object").keys().collect();
    assert_eq!(fields, ["exit_code", "findings", "root", "severity"]);
    let finding = examination["findings"][0].as_object().expect("an object");
    let fields: Vec<&String> = finding.keys().collect();
    assert_eq!(fields, ["change", "check", "severity", "what", "why"]);
}

#[test]
fn each_prepared_fault_is_found_once_with_its_line() {
    const UNIT: &str = "/usr/lib/systemd/system/clockbound.service";
    const DROP_IN: &str = "/etc/systemd/system/clockbound.service.d/fault.conf:2";
    const CONF: &str = "/etc/chrony/conf.d/fault.conf:2";
    let unit_setting = |line: &str| format!("{DROP_IN} + {line}");
    let conf = |line: &str| format!("{CONF} {line}");
    let options = "/etc/default/clockbound:7 + CLOCKBOUND_OPTIONS=";
    type Fault<'a> = (&'a str, &'a dyn Fn(&mut Host), (&'a str, &'a str, String));
    let command = str::to_owned;
    let faults: Vec<Fault<'_>> = vec![
        (
            "chronyd stopped",
            &|host| {
                host.change(|record| record.failure = Reason::ChronySilent);
                host.stop_chronyd();
            },
            (
                "chronyd",
                "error",
                command("systemctl enable --now chronyd"),
            ),
        ),
        (
            "chronyd leaves the clock",
            &|host| {
                host.chronyd("/usr/sbin/chronyd -x -F 1");
                host.write("etc/default/chrony", "DAEMON_OPTS=\"-x -F 1\"\n");
            },
            (
                "chronyd_leaves_the_clock",
                "warning",
                command("/etc/default/chrony:1 + DAEMON_OPTS=\"-F 1\""),
            ),
        ),
        (
            "the socket's directory is open to others",
            &|host| {
                fs::remove_file(host.path("run/chrony/chronyd.sock")).expect("removed");
                host.mode("run/chrony", 0o755);
            },
            (
                "chronyd_socket",
                "error",
                command("chmod 0750 /var/run/chrony && systemctl restart chronyd"),
            ),
        ),
        (
            "the socket's directory belongs to another user",
            &|host| chown(host.path("run/chrony"), Some(0), Some(0)).expect("chown"),
            (
                "chronyd_socket",
                "error",
                command("chown _chrony: /var/run/chrony && systemctl restart chronyd"),
            ),
        ),
        (
            "the socket is switched off",
            &|host| host.configure("bindcmdaddress /"),
            ("chronyd_socket", "error", conf("- bindcmdaddress /")),
        ),
        (
            "a server with a small maxclockerror",
            &|host| host.configure("allow\n"),
            (
                "maxclockerror",
                "warning",
                command("/etc/chrony/chrony.conf + maxclockerror 50"),
            ),
        ),
        (
            "polls that are too long for --max-bound",
            &|host| {
                host.change(|record| record.settings.max_bound_ns = 10_000_000);
                host.configure("server ntp.example.net minpoll 6 maxpoll 10");
            },
            (
                "polls",
                "warning",
                conf("+ server ntp.example.net minpoll 4 maxpoll 4"),
            ),
        ),
        (
            "a reference clock without delay",
            &|host| host.configure("refclock PHC /dev/ptp0 poll 0"),
            (
                "refclock_delay",
                "warning",
                conf("+ refclock PHC /dev/ptp0 poll 0 delay 10e-6"),
            ),
        ),
        (
            "a trusted local reference",
            &|host| {
                host.change(|record| record.settings.allow_local_reference = true);
                host.configure("local stratum 10");
            },
            ("local", "warning", conf("- local stratum 10")),
        ),
        (
            "smeared and unsmeared sources",
            &|host| host.configure("server time.google.com minpoll 4 maxpoll 4"),
            (
                "smeared_sources",
                "warning",
                conf("- server time.google.com minpoll 4 maxpoll 4"),
            ),
        ),
        (
            "too few sources for --falsetickers",
            &|host| host.change(|record| record.settings.falsetickers = 2),
            (
                "source_count",
                "warning",
                command(
                    "/etc/chrony/chrony.conf + server ntp.example.net iburst minpoll 4 maxpoll 4",
                ),
            ),
        ),
        (
            "a leap second zone that is not installed",
            &|host| fs::remove_file(host.path("usr/share/zoneinfo/right/UTC")).expect("removed"),
            (
                "leap_seconds",
                "warning",
                command(
                    "install the package that has /usr/share/zoneinfo/right/UTC, tzdata-legacy on \
                     Debian and Ubuntu, and systemctl restart chronyd",
                ),
            ),
        ),
        (
            "ntpd",
            &|host| host.root_process("/usr/sbin/ntpd -g"),
            (
                "other_time_daemon",
                "warning",
                command("systemctl disable --now ntpd"),
            ),
        ),
        (
            "phc2sys",
            &|host| host.root_process("/usr/sbin/phc2sys -s eth0 -w"),
            (
                "other_time_daemon",
                "warning",
                command("systemctl disable --now phc2sys"),
            ),
        ),
        (
            "a second chronyd",
            &|host| host.root_process("/usr/sbin/chronyd -f /etc/other.conf"),
            ("other_time_daemon", "warning", command("kill 900")),
        ),
        (
            "the published daemon",
            &|host| host.root_process("/usr/bin/clockbound"),
            ("second_clockbound", "error", command("kill 900")),
        ),
        (
            "timesyncd starts at boot",
            &|host| {
                host.write("usr/lib/systemd/system/systemd-timesyncd.service", "");
                let wants = "etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service";
                host.write(wants, "");
            },
            (
                "other_time_daemon_enabled",
                "warning",
                command("systemctl disable --now systemd-timesyncd"),
            ),
        ),
        (
            "a drop-in that does not preserve the directory",
            &|host| host.drop_in("[Service]\nRuntimeDirectoryPreserve=no\n"),
            (
                "unit_setting",
                "warning",
                unit_setting("RuntimeDirectoryPreserve=yes"),
            ),
        ),
        (
            "a drop-in that protects the clock",
            &|host| host.drop_in("[Service]\nProtectClock=yes\n"),
            ("unit_setting", "warning", unit_setting("ProtectClock=no")),
        ),
        (
            "a setting that is missing in the unit",
            &|host| host.replace(UNIT.trim_start_matches('/'), "WatchdogSec=2s\n", ""),
            (
                "unit_setting",
                "warning",
                format!("{UNIT} + [Service]\nWatchdogSec=2s"),
            ),
        ),
        (
            "a unit that hides the package's",
            &|host| {
                let unit = fs::read_to_string(host.path(UNIT.trim_start_matches('/')));
                let unit = unit.expect("a unit");
                host.write("etc/systemd/system/clockbound.service", &unit);
            },
            (
                "unit_hidden",
                "warning",
                command(
                    "rm /etc/systemd/system/clockbound.service && systemctl daemon-reload && \
                     systemctl restart clockbound",
                ),
            ),
        ),
        (
            "a daemon that does not start at boot",
            &|host| {
                let wants = "etc/systemd/system/multi-user.target.wants/clockbound.service";
                fs::remove_file(host.path(wants)).expect("removed");
            },
            (
                "unit_not_enabled",
                "warning",
                command("systemctl enable clockbound"),
            ),
        ),
        (
            "options without a drift rate",
            &|host| {
                let (from, to) = ("--max-drift-rate 50", "--falsetickers 1");
                host.replace("etc/default/clockbound", from, to);
                host.daemon("/usr/bin/clockbound --falsetickers 1");
                host.change(|record| record.settings.max_drift_ppb = 1_000);
            },
            (
                "drift_rate",
                "warning",
                format!("{options}\"--max-drift-rate 50 --falsetickers 1\""),
            ),
        ),
        (
            "options that are not in effect",
            &|host| host.daemon("/usr/bin/clockbound --max-drift-rate 20"),
            (
                "options_not_in_effect",
                "warning",
                command("systemctl restart clockbound"),
            ),
        ),
        (
            "a drift rate that was exceeded",
            &|host| host.change(|record| record.counters.drift_exceeded = 1),
            (
                "drift_exceeded",
                "error",
                format!("{options}\"--max-drift-rate 100\""),
            ),
        ),
        (
            "a closed run directory",
            &|host| host.mode("run/clockbound", 0o700),
            (
                "run_directory",
                "warning",
                command("chmod 0755 /var/run/clockbound"),
            ),
        ),
        (
            "a run directory on a disk",
            &|host| host.replace("proc/self/mounts", "run /run tmpfs", "run /run ext4"),
            (
                "run_file_system",
                "warning",
                command("/etc/fstab + tmpfs /var/run/clockbound tmpfs mode=0755 0 0"),
            ),
        ),
        (
            "a segment that others may write",
            &|host| host.mode("run/clockbound/shm", 0o666),
            (
                "segment",
                "warning",
                command("chmod 0644 /var/run/clockbound/shm"),
            ),
        ),
        (
            "a damaged segment",
            &|host| {
                fs::remove_file(host.path("run/clockbound/shm0")).expect("removed");
                host.write("run/clockbound/shm0", &"x".repeat(80));
                chown(host.path("run/clockbound/shm0"), Some(101), Some(101)).expect("chown");
            },
            ("segment", "error", command("systemctl restart clockbound")),
        ),
        (
            "a deleted segment",
            &|host| fs::remove_file(host.path("run/clockbound/native")).expect("removed"),
            (
                "segment",
                "warning",
                command("systemctl restart clockbound"),
            ),
        ),
        (
            "a slow clocksource",
            &|host| {
                let at = "sys/devices/system/clocksource/clocksource0/current_clocksource";
                host.replace(at, "tsc", "hpet");
            },
            (
                "clocksource",
                "warning",
                command(
                    "dmesg | grep -i clocksource; if it was not marked as unstable, start the \
                     kernel with clocksource=tsc",
                ),
            ),
        ),
        (
            "a VMClock device that is not used",
            &|host| {
                host.replace("proc/cpuinfo", "fpu", "fpu hypervisor");
                host.write("dev/vmclock0", "");
            },
            (
                "vmclock",
                "warning",
                command("systemctl restart clockbound"),
            ),
        ),
        (
            "another time namespace",
            &|host| {
                host.replace(
                    "proc/self/timens_offsets",
                    "monotonic 0 0",
                    "monotonic 60 0",
                )
            },
            (
                "time_namespace",
                "warning",
                command(
                    "run such programs in the time namespace of clockbound, or use the clients of \
                     this project",
                ),
            ),
        ),
        (
            "a simulation",
            &|host| host.change(|record| record.is_simulated = true),
            (
                "daemon",
                "warning",
                command("stop clockboundctl simulate, and start clockbound"),
            ),
        ),
        (
            "no measurement",
            &|host| {
                host.change(|record| {
                    record.status = Status::Unknown;
                    record.reason = Reason::NeverSynchronized;
                    record.failure = Reason::NeverSynchronized;
                });
            },
            (
                "status",
                "error",
                command("chronyc sources; see whether a source answers"),
            ),
        ),
    ];
    for (name, prepare, (check, severity, proposal)) in faults {
        let mut host = Host::new();
        prepare(&mut host);
        assert_one(name, &host.examine(), (check, severity, &proposal));
    }
}

#[test]
fn a_prepared_host_without_a_daemon_is_found() {
    let host = Host::new();
    host.stop_daemon();
    for name in ["diagnostics", "native", "shm0", "shm"] {
        fs::remove_file(host.path("run/clockbound").join(name)).expect("removed");
    }
    let expected = ("daemon", "error", "systemctl enable --now clockbound");
    assert_one("not running", &host.examine_as_it_is(), expected);
}

#[test]
fn an_image_without_processes_is_examined_as_far_as_it_can_be() {
    let host = Host::new();
    fs::remove_dir_all(host.path("proc")).expect("removed");
    let ended = host.examine();
    let known: Vec<Found> = faults(&ended);
    assert_eq!(known, [], "{}", ended.stdout);
    assert!(ended.stdout.contains("\"unknown\""), "{}", ended.stdout);
}

/// A chronyd that disciplines a virtual clock by two servers, and the daemon, as chronyd's user, in
/// namespaces with an empty /run.
struct Live {
    chronyd: Chronyd,
    daemon: Daemon,
    clock: VirtualClock,
    sandbox: Sandbox,
    _servers: [NtpServer; 2],
}

impl Live {
    /// `lines` are added to chronyd's configuration.
    fn start(private: &Private, lines: &[&str]) -> Live {
        Live::start_as(private, lines, &UserAccount::chrony(), &[])
    }

    fn start_as(
        private: &Private,
        lines: &[&str],
        account: &UserAccount,
        options: &[&str],
    ) -> Live {
        private.empty_run();
        let addresses = [[127, 0, 0, 1], [127, 0, 0, 2]].map(Into::into);
        private.loopback(&addresses);
        let sandbox = Sandbox::new();
        let clock = VirtualClock::new(&sandbox);
        let servers = addresses.map(|address| NtpServer::start_at(&Truth::default(), address));
        let mut all = vec!["port 0".to_owned()];
        all.extend(servers.iter().map(|server| server_line(server.address())));
        all.extend(lines.iter().map(|line| (*line).to_owned()));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let mut chronyd = Chronyd::new(&sandbox, "chrony", &all).disciplining(&clock);
        chronyd.start_synchronised();
        let directory = Path::new(DIRECTORY);
        fs::create_dir(directory).expect("made");
        chown(directory, Some(account.uid), Some(account.gid)).expect("chown");
        let daemon = Live::launch(&sandbox, &clock, &chronyd, account, options).start();
        Live {
            chronyd,
            daemon,
            clock,
            sandbox,
            _servers: servers,
        }
    }

    /// The daemon with the clock of chronyd.
    fn launch(
        sandbox: &Sandbox,
        clock: &VirtualClock,
        chronyd: &Chronyd,
        account: &UserAccount,
        options: &[&str],
    ) -> Launch {
        // A copy that chronyd's user can execute, with the daemon's name.
        let copy = copy_for_everyone(BIN.as_ref(), &sandbox.path(""));
        let program = sandbox.path("clockbound");
        fs::rename(copy, &program).expect("renamed");
        let mut environment = Command::new("env");
        clock.environment().apply_to(&mut environment);
        let variables = environment.get_envs().map(|(name, value)| {
            let value = value.unwrap_or_default();
            format!("{}={}", name.to_string_lossy(), value.to_string_lossy())
        });
        let mut words: Vec<String> = variables.collect();
        words.push(program.to_string_lossy().into_owned());
        let shm = format!("{DIRECTORY}/shm");
        words.extend(["--max-drift-rate", "50", "--shm-path", &shm].map(str::to_owned));
        let socket = chronyd.socket().to_string_lossy().into_owned();
        words.extend(["--chrony-socket".to_owned(), socket]);
        words.extend(options.iter().map(|option| (*option).to_owned()));
        Launch::bare("env")
            .args(words.iter().map(String::as_str))
            .account(account)
    }

    fn wait_for(&self, status: Status) {
        self.daemon.wait_until(status.as_str(), || {
            diagnostics::read(Path::new(DIRECTORY)).is_ok_and(|shown| shown.status == status)
        });
    }

    fn examine(&self) -> Ended {
        ctl(Path::new(DIRECTORY), &["doctor", "--json"])
    }
}

#[test]
fn a_healthy_live_host_has_no_fault() {
    namespace::private(|private| {
        let live = Live::start(private, &[]);
        live.wait_for(Status::Synchronized);
        let ended = live.examine();
        assert_eq!(faults(&ended), [], "{}", ended.stdout);
        let text = ctl(Path::new(DIRECTORY), &["doctor"]);
        assert_eq!(text.code, Some(0), "{}", text.stdout);
        assert!(
            text.stdout.contains("0 errors, 0 warnings"),
            "{}",
            text.stdout
        );
    });
}

#[test]
fn live_faults_are_found_once() {
    namespace::private(|private| {
        let mut live = Live::start(
            private,
            &["refclock SOCK /run/clock.sock refid SOCK noselect"],
        );
        live.wait_for(Status::Synchronized);
        let conf = live.chronyd.dir().join("chrony.conf");
        let line = "refclock SOCK /run/clock.sock refid SOCK noselect";
        let number = line_number(&conf, line);
        let expected = format!("{}:{number} + {line} delay 1e-3", conf.display());
        let refclock = ("refclock_delay", "warning", expected.as_str());
        assert_one("a reference clock", &live.examine(), refclock);
        edit(&conf, line, "");
        assert_eq!(faults(&live.examine()), []);

        live.chronyd.stop();
        live.wait_for(Status::FreeRunning);
        let stopped = ("chronyd", "error", "systemctl enable --now chronyd");
        wait::until(PATIENCE, "chronyd is gone", || {
            faults(&live.examine())
                .iter()
                .all(|fault| fault.0 == "chronyd")
        });
        assert_one("chronyd stopped", &live.examine(), stopped);

        // Without the virtual clock it runs with -x.
        let mut other = Chronyd::in_dir(live.chronyd.dir().to_owned(), &configured(&conf));
        other.start_synchronised();
        live.wait_for(Status::Synchronized);
        let found = faults(&live.examine());
        let names: Vec<&str> = found.iter().map(|fault| fault.0.as_str()).collect();
        assert_eq!(names, ["chronyd_leaves_the_clock"], "{found:?}");
        assert!(!found[0].2.contains(" -x"), "{found:?}");
        other.stop();
        live.chronyd.start_synchronised();
        live.wait_for(Status::Synchronized);

        live.daemon.kill();
        // Until the record is stale, the daemon can be in another process namespace.
        let expected = ("daemon", "error", "systemctl start clockbound");
        wait::until(PATIENCE, "the record is stale", || {
            !faults(&live.examine()).is_empty()
        });
        assert_one("daemon stopped", &live.examine(), expected);
        let account = UserAccount::chrony();
        let launch = Live::launch(&live.sandbox, &live.clock, &live.chronyd, &account, &[]);
        live.daemon = launch.start();
        live.wait_for(Status::Synchronized);
        assert_eq!(faults(&live.examine()), []);
    });
}

#[test]
fn a_daemon_that_may_not_query_chronyd_is_found() {
    namespace::private(|private| {
        let nobody = UserAccount::named("nobody").expect("the account nobody");
        let live = Live::start_as(private, &[], &nobody, &[]);
        live.daemon.wait_for_log("failed to query chronyd");
        live.wait_for(Status::Unknown);
        let owner = UserAccount::chrony().name;
        let expected = format!("start clockbound as user {owner}");
        let found = faults(&live.examine());
        let names: Vec<_> = found
            .iter()
            .map(|fault| (fault.0.as_str(), fault.1.as_str(), fault.2.as_str()))
            .collect();
        let refused = ("chronyd_socket", "error", expected.as_str());
        assert_eq!(names, [("status", "error", ""), refused]);
    });
}

#[test]
fn a_second_time_daemon_is_found_by_its_name() {
    namespace::private(|private| {
        let live = Live::start(private, &[]);
        live.wait_for(Status::Synchronized);
        let ntpd = live.sandbox.path("ntpd");
        fs::copy("/bin/sleep", &ntpd).expect("copied");
        // Other tests examine this host at the same time, and must not see it.
        let script = format!(
            "{} 100 & until grep -q ntpd /proc/$!/comm; do sleep 0.01; done; \
             exec {} --directory {DIRECTORY} doctor --json",
            ntpd.display(),
            clockboundctl().display()
        );
        let mut command = Command::new("unshare");
        command
            .args([
                "--mount",
                "--pid",
                "--fork",
                "--mount-proc",
                "--kill-child=KILL",
            ])
            .args(["--", "sh", "-c", &script]);
        let found = run(command);
        let expected = (
            "other_time_daemon",
            "warning",
            "systemctl disable --now ntpd",
        );
        assert_one("ntpd", &found, expected);
    });
}

#[test]
fn a_drill_begins_and_ends_and_the_examination_shows_it() {
    namespace::private(|private| {
        let live = Live::start(private, &[]);
        live.wait_for(Status::Synchronized);
        let directory = Path::new(DIRECTORY);
        let client = Client::open().expect("a client of the default directory");

        let asked = ctl(directory, &["drill", "--reason", "chrony_silent"]);
        assert_eq!(asked.code, Some(64), "{asked:?}");
        assert!(asked.stdout.contains("free_running"), "{asked:?}");
        assert!(asked.stderr.contains("--yes"), "{asked:?}");
        assert!(!is_drill(), "nothing was done");

        let words = ["drill", "--reason", "chrony_silent", "--yes", "--json"];
        let begun = ctl(directory, &words);
        assert_eq!(begun.code, Some(0), "{begun:?}");
        let shown: Value = serde_json::from_str(&begun.stdout).expect("JSON");
        assert_eq!(shown["is_drill"], true);
        assert_eq!(shown["reason"], "chrony_silent");
        let interval = client.now().expect("an interval");
        assert_eq!(interval.status(), Status::FreeRunning);
        let found = faults(&live.examine());
        let drill = ("drill", "warning", "clockboundctl drill --off");
        assert_one("a drill", &live.examine(), drill);
        assert_eq!(found.len(), 1);

        let ended = ctl(directory, &["drill", "--off"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!is_drill());
        live.wait_for(Status::Synchronized);
        let again = ctl(directory, &["drill", "--off"]);
        assert!(
            again.stdout.contains("no drill is in progress"),
            "{again:?}"
        );

        let short = ctl(directory, &["drill", "--for", "100ms", "--yes"]);
        assert_eq!(short.code, Some(0), "{short:?}");
        assert!(short.stdout.contains("reason disrupted"), "{short:?}");
        assert!(short.stdout.contains("the drill has ended"), "{short:?}");
        assert!(!is_drill());
        live.wait_for(Status::Synchronized);
    });
}

#[test]
fn a_limited_drill_ends_when_its_program_ends() {
    namespace::private(|private| {
        let mut live = Live::start(private, &[]);
        live.wait_for(Status::Synchronized);
        let mut command = Command::new(clockboundctl());
        command.args(["--directory", DIRECTORY, "drill", "--yes"]);
        command.args(["--reason", "chrony_silent", "--for", "1h"]);
        let mut child = command.spawn().expect("starts");
        wait::until(PATIENCE, "the drill has begun", is_drill);
        let pid = i32::try_from(child.id()).expect("process ids fit");
        kill(Pid::from_raw(pid), Signal::SIGHUP).expect("it runs");
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
        assert!(!is_drill(), "after a hangup");

        // The reason of a status that claims less is shown in place of that of the drill.
        let directory = Path::new(DIRECTORY);
        live.chronyd.stop();
        live.wait_for(Status::FreeRunning);
        let short = ctl(
            directory,
            &[
                "drill",
                "--reason",
                "sources_disagree",
                "--for",
                "100ms",
                "--yes",
            ],
        );
        assert_eq!(short.code, Some(0), "{short:?}");
        assert!(short.stdout.contains("claims less already"), "{short:?}");
        assert!(short.stdout.contains("the drill has ended"), "{short:?}");
        assert!(!is_drill());
    });
}

#[test]
fn another_process_and_another_user_get_no_drill() {
    namespace::private(|private| {
        let live = Live::start(private, &[]);
        live.wait_for(Status::Synchronized);
        let directory = Path::new(DIRECTORY);
        let own = std::process::id().to_string();
        let wrong = ctl(directory, &["drill", "--pid", &own, "--yes"]);
        assert_eq!(wrong.code, Some(69), "{wrong:?}");
        assert!(wrong.stderr.contains("is not the daemon"), "{wrong:?}");

        let nobody = UserAccount::named("nobody").expect("the account nobody");
        let program = copy_for_everyone(clockboundctl(), &live.sandbox.path(""));
        let mut command = nobody.command(&program.to_string_lossy());
        command.args(["--directory", DIRECTORY, "drill", "--yes"]);
        let refused = run(command);
        assert_eq!(refused.code, Some(77), "{refused:?}");
        assert!(!is_drill());
    });
}

fn is_drill() -> bool {
    let shown = diagnostics::read(Path::new(DIRECTORY)).expect("diagnostics");
    shown.record.is_drill
}

fn line_number(file: &Path, line: &str) -> usize {
    let text = fs::read_to_string(file).expect("a file");
    let index = text.lines().position(|other| other == line);
    index.expect("the line is there") + 1
}

fn edit(file: &PathBuf, from: &str, to: &str) {
    let text = fs::read_to_string(file).expect("a file");
    fs::write(file, text.replace(from, to)).expect("written");
}

/// The lines of a configuration that `Chronyd` does not add itself.
fn configured(file: &Path) -> Vec<&'static str> {
    let text = fs::read_to_string(file).expect("a file").leak();
    let lines = text.lines();
    lines
        .filter(|line| line.starts_with("server ") || *line == "port 0")
        .collect()
}
