//! Every check, on the facts of a healthy host with one of them changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clockbound_client::diagnostics::{Diagnostics, DiagnosticsRecord};
use clockbound_client::{Reason, Status};
use tempfile::TempDir;

use super::examine;
use crate::doctor::facts::chrony_conf::Configuration;
use crate::doctor::facts::files::{FileFacts, Kind};
use crate::doctor::facts::process::Process;
use crate::doctor::facts::unit::Unit;
use crate::doctor::facts::{
    Clocksource, Consumer, Discipline, Fact, Facts, OptionsFile, Published, SegmentFacts,
    TimeNamespace,
};
use crate::doctor::finding::{Finding, Severity};
use crate::fixture;

/// chronyd's configuration of the healthy host.
const CHRONY_CONF: &str = "pool 2.debian.pool.ntp.org iburst minpoll 4 maxpoll 4\nrtcsync\n\
                           leapsectz right/UTC\n";
/// chronyd's user.
const CHRONY: u32 = 101;
const SYS_TIME: u64 = 1 << 25;

fn file(path: &str, kind: Kind, mode: u32) -> Fact<Option<FileFacts>> {
    Fact::Known(Some(FileFacts {
        path: path.into(),
        kind,
        owner: CHRONY,
        group: CHRONY,
        mode,
    }))
}

fn process(pid: u32, line: &str) -> Process {
    let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let program = Path::new(&arguments[0]);
    let name = program.file_name().expect("a name").to_string_lossy();
    Process {
        pid,
        parent: 1,
        name: name.chars().take(15).collect(),
        user: CHRONY,
        groups: vec![CHRONY],
        namespace_pids: vec![pid],
        time_namespace: Some("time:[1]".to_owned()),
        run_directory: Some((1, 1)),
        arguments,
        ..Process::default()
    }
}

fn configuration(text: &str) -> Configuration {
    let root = tempfile::tempdir().expect("a directory");
    write(&root, "etc/chrony/chrony.conf", text);
    Configuration::read(root.path(), Path::new("/etc/chrony/chrony.conf"))
}

/// The unit of the repository, with this drop-in.
fn unit(drop_in: &str) -> Unit {
    let root = tempfile::tempdir().expect("a directory");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../systemd");
    let read = |name: &str| fs::read_to_string(repository.join(name)).expect("in the repository");
    let at = "usr/lib/systemd/system/clockbound.service";
    write(&root, at, &read("clockbound.service"));
    let packaged = format!("{at}.d/10-debian.conf");
    write(&root, &packaged, &read("debian/10-debian.conf"));
    write(
        &root,
        "etc/systemd/system/clockbound.service.d/50.conf",
        drop_in,
    );
    Unit::read(root.path(), "clockbound.service").expect("a unit")
}

fn write(root: &TempDir, path: &str, text: &str) {
    let path = root.path().join(path);
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    fs::write(path, text).expect("written");
}

fn read_record(record: DiagnosticsRecord) -> Published {
    Published::Read(Box::new(fixture::at_present(record)))
}

fn healthy() -> Facts {
    let directory = "/run/clockbound";
    let segment = |layout, name: &str| SegmentFacts {
        layout,
        file: file(&format!("{directory}/{name}"), Kind::Other, 0o644),
        damage: None,
        lock_pid: Some(4_711),
    };
    let mut daemon = process(4_711, "/usr/bin/clockbound --max-drift-rate 50");
    daemon.control_groups = "0::/system.slice/clockbound.service\n".to_owned();
    let mut chronyd = process(500, "/usr/sbin/chronyd -F 1");
    chronyd.capabilities = SYS_TIME;
    Facts {
        root: PathBuf::from("/"),
        directory: directory.into(),
        published: read_record(fixture::synchronized_record()),
        processes: Fact::Known(vec![process(1, "/sbin/init"), chronyd, daemon]),
        own_user_namespace: Some("user:[1]".to_owned()),
        accounts: vec![
            ("root".to_owned(), 0, 0),
            ("_chrony".to_owned(), CHRONY, CHRONY),
        ],
        configuration: configuration(CHRONY_CONF),
        chronyd_options: None,
        chronyd_version: Fact::Known("4.3".to_owned()),
        socket: "/run/chrony/chronyd.sock".into(),
        socket_file: file("/run/chrony/chronyd.sock", Kind::Socket, 0o755),
        socket_directory: file("/run/chrony", Kind::Directory, 0o750),
        run_directory: file(directory, Kind::Directory, 0o755),
        run_directory_id: Some((1, 1)),
        run_filesystem: Fact::Known("tmpfs".to_owned()),
        segments: vec![
            segment("native", "native"),
            segment("v2", "shm0"),
            segment("v1", "shm"),
            SegmentFacts {
                file: Fact::Known(None),
                lock_pid: None,
                ..segment("v3", "shm1")
            },
        ],
        unit: Some(unit("")),
        options_files: vec![options("--max-drift-rate 50")],
        enabled_units: ["chrony.service", "clockbound.service"]
            .map(str::to_owned)
            .to_vec(),
        services: vec!["chrony.service".to_owned()],
        consumers: Vec::new(),
        needs_reload: Fact::Known(false),
        clocksource: Fact::Known(Clocksource {
            current: "tsc".to_owned(),
            available: vec!["tsc".to_owned()],
        }),
        time_namespace: Fact::Known(TimeNamespace {
            id: Some("time:[1]".to_owned()),
            monotonic: "0.0".to_owned(),
        }),
        hypervisor: Fact::Known(None),
        vmclock: Fact::Known(None),
        discipline: Fact::Known(Discipline {
            is_unsynchronised: false,
            max_error_us: 1_000,
        }),
        leap_zone_exists: Some(true),
        has_right_utc: true,
        has_leap_list: true,
    }
}

fn options(text: &str) -> OptionsFile {
    let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    OptionsFile {
        path: "/etc/default/clockbound".into(),
        line: Some((6, format!("CLOCKBOUND_OPTIONS=\"{text}\""))),
        options: words.into_iter().filter(|word| !word.is_empty()).collect(),
    }
}

/// The findings that are not `ok`.
fn notable(facts: &Facts) -> Vec<Finding> {
    let findings = examine(facts).into_iter();
    findings
        .filter(|finding| finding.severity > Severity::Ok)
        .collect()
}

/// The line or the command that a finding proposes.
fn proposal(finding: &Finding) -> String {
    let Some(change) = &finding.change else {
        return String::new();
    };
    let line = change.wanted_line.clone().or_else(|| {
        let deleted = change.present_line.as_ref()?;
        Some(format!("delete: {deleted}"))
    });
    line.or_else(|| change.command.clone()).unwrap_or_default()
}

/// One changed fact, and the only finding that results: its name, severity and proposal.
type Case = (
    &'static str,
    Box<dyn Fn(&mut Facts)>,
    &'static str,
    Severity,
    &'static str,
);

fn case(
    name: &'static str,
    change: impl Fn(&mut Facts) + 'static,
    check: &'static str,
    severity: Severity,
    proposal: &'static str,
) -> Case {
    (name, Box::new(change), check, severity, proposal)
}

fn in_record(change: impl Fn(&mut DiagnosticsRecord) + 'static) -> impl Fn(&mut Facts) + 'static {
    move |facts| {
        let mut record = fixture::synchronized_record();
        change(&mut record);
        facts.published = read_record(record);
    }
}

fn with_configuration(lines: &'static str) -> impl Fn(&mut Facts) + 'static {
    move |facts| facts.configuration = configuration(&format!("{CHRONY_CONF}{lines}\n"))
}

fn with_process(line: &'static str) -> impl Fn(&mut Facts) + 'static {
    move |facts| {
        let mut other = process(900, line);
        other.capabilities = SYS_TIME;
        edit_processes(facts, |processes| processes.push(other.clone()));
    }
}

fn edit_processes(facts: &mut Facts, edit: impl FnOnce(&mut Vec<Process>)) {
    let Fact::Known(processes) = &mut facts.processes else {
        panic!("the processes are known");
    };
    edit(processes);
}

fn with_drop_in(text: &'static str) -> impl Fn(&mut Facts) + 'static {
    move |facts| facts.unit = Some(unit(text))
}

fn edit_file(
    select: impl Fn(&mut Facts) -> &mut Fact<Option<FileFacts>> + 'static,
    edit: impl Fn(&mut FileFacts) + 'static,
) -> impl Fn(&mut Facts) + 'static {
    move |facts| {
        let Fact::Known(Some(file)) = select(facts) else {
            panic!("the file exists");
        };
        edit(file);
    }
}

fn check_cases(cases: Vec<Case>) {
    for (name, change, check, severity, expected) in cases {
        let mut facts = healthy();
        change(&mut facts);
        let findings = notable(&facts);
        let names: Vec<_> = findings
            .iter()
            .map(|finding| (finding.check, finding.severity))
            .collect();
        assert_eq!(names, [(check, severity)], "{name}: {findings:#?}");
        let proposal = proposal(&findings[0]);
        assert!(
            proposal == expected
                || (expected.ends_with('~')
                    && proposal.starts_with(expected.trim_end_matches('~'))),
            "{name}: {proposal:?} is not {expected:?}"
        );
        assert!(!findings[0].why.is_empty(), "{name}");
    }
}

#[test]
fn a_healthy_host_has_no_finding() {
    assert_eq!(notable(&healthy()), []);
    assert!(
        examine(&healthy()).len() > 15,
        "the parts that are in order are named"
    );
}

#[test]
fn faults_of_the_daemon_are_found() {
    use Severity::{Error, Info, Unknown, Warning};
    check_cases(vec![
        case(
            "stopped",
            |facts| {
                let record = fixture::synchronized_record();
                let read = Diagnostics::at(
                    record,
                    fixture::NOW_NS + 60 * fixture::S,
                    fixture::REALTIME_NS,
                );
                assert!(read.age > Duration::from_secs(10));
                facts.published = Published::Read(Box::new(read));
                edit_processes(facts, |processes| {
                    processes.retain(|process| process.pid != 4_711)
                });
            },
            "daemon",
            Error,
            "systemctl start clockbound",
        ),
        case(
            "hung",
            |facts| {
                let record = fixture::synchronized_record();
                let read = Diagnostics::at(
                    record,
                    fixture::NOW_NS + 60 * fixture::S,
                    fixture::REALTIME_NS,
                );
                facts.published = Published::Read(Box::new(read));
            },
            "daemon",
            Error,
            "systemctl restart clockbound",
        ),
        case(
            "in another process namespace",
            |facts| {
                edit_processes(facts, |processes| {
                    processes.retain(|process| process.pid != 4_711)
                })
            },
            "daemon",
            Unknown,
            "",
        ),
        case(
            "an earlier boot",
            |facts| facts.published = Published::EarlierBoot,
            "daemon",
            Error,
            "systemctl enable --now clockbound",
        ),
        case(
            "no diagnostics",
            |facts| facts.published = Published::Missing,
            "daemon",
            Warning,
            "give its directory~",
        ),
        case(
            "damaged diagnostics",
            |facts| facts.published = Published::Unreadable("bad magic".to_owned()),
            "daemon",
            Error,
            "systemctl restart clockbound",
        ),
        case(
            "simulated",
            in_record(|record| record.is_simulated = true),
            "daemon",
            Warning,
            "stop clockboundctl simulate, and start clockbound",
        ),
        case(
            "a source that does not answer",
            in_record(|record| {
                record.status = Status::FreeRunning;
                record.reason = Reason::SourceUnreachable;
                record.failure = Reason::SourceUnreachable;
            }),
            "status",
            Warning,
            "chronyc sources;~",
        ),
        case(
            "unknown",
            in_record(|record| {
                record.status = Status::Unknown;
                record.reason = Reason::BoundOverCap;
            }),
            "status",
            Error,
            "clockboundctl explain;~",
        ),
        case(
            "drift",
            in_record(|record| record.counters.drift_exceeded = 2),
            "drift_exceeded",
            Error,
            "CLOCKBOUND_OPTIONS=\"--max-drift-rate 100\"",
        ),
        case(
            "wander",
            in_record(|record| record.counters.wander_exceeded = 1),
            "wander_exceeded",
            Warning,
            "remove --max-wander~",
        ),
        case(
            "contradictions",
            in_record(|record| record.counters.contradictions = 3),
            "contradictions",
            Info,
            "journalctl -u clockbound -p err",
        ),
        case(
            "crashes",
            in_record(|record| record.restarts[2] = 1),
            "actor_restarts",
            Info,
            "journalctl -u clockbound -p err",
        ),
        case(
            "deleted segments",
            in_record(|record| record.counters.files_recreated = 1),
            "files_recreated",
            Info,
            "",
        ),
        case(
            "no drift rate",
            |facts| {
                in_record(|record| record.settings.max_drift_ppb = 1_000)(facts);
                facts.options_files = vec![options("--falsetickers 1")];
                edit_processes(facts, |processes| {
                    processes[2].arguments = ["clockbound", "--falsetickers", "1"]
                        .map(str::to_owned)
                        .to_vec();
                });
            },
            "drift_rate",
            Warning,
            "CLOCKBOUND_OPTIONS=\"--max-drift-rate 50 --falsetickers 1\"",
        ),
        case(
            "wander in a virtual machine",
            |facts| {
                in_record(|record| {
                    record.settings.max_wander_ppb_per_s = 20;
                    record.disruption.supported = true;
                })(facts);
                facts.hypervisor = Fact::Known(Some("KVM".to_owned()));
                facts.vmclock = file("/dev/vmclock0", Kind::Other, 0o444);
            },
            "wander_in_virtual_machine",
            Warning,
            "remove --max-wander~",
        ),
    ]);
}

#[test]
fn faults_of_chronyd_are_found() {
    use Severity::{Error, Warning};
    check_cases(vec![
        case(
            "does not run",
            |facts| {
                in_record(|record| record.failure = Reason::ChronySilent)(facts);
                edit_processes(facts, |processes| {
                    processes.retain(|process| process.pid != 500)
                });
            },
            "chronyd",
            Error,
            "systemctl enable --now chronyd",
        ),
        case(
            "leaves the clock",
            |facts| {
                edit_processes(facts, |processes| {
                    processes[1] = process(500, "/usr/sbin/chronyd -x -F 1");
                });
            },
            "chronyd_leaves_the_clock",
            Warning,
            "/usr/sbin/chronyd -F 1",
        ),
        case(
            "leaves the clock by its options",
            |facts| {
                facts.chronyd_options = Some(OptionsFile {
                    path: "/etc/sysconfig/chronyd".into(),
                    line: Some((2, "OPTIONS=\"-x -F 2\"".to_owned())),
                    options: ["-x", "-F", "2"].map(str::to_owned).to_vec(),
                });
                edit_processes(facts, |processes| {
                    processes[1] = process(500, "/usr/sbin/chronyd -x -F 2");
                });
            },
            "chronyd_leaves_the_clock",
            Warning,
            "OPTIONS=\"-F 2\"",
        ),
        case(
            "no socket",
            |facts| facts.socket_file = Fact::Known(None),
            "chronyd_socket",
            Error,
            "systemctl restart chronyd",
        ),
        case(
            "a directory that others may use",
            |facts| {
                facts.socket_file = Fact::Known(None);
                facts.socket_directory = file("/run/chrony", Kind::Directory, 0o755);
            },
            "chronyd_socket",
            Error,
            "chmod 0750 /run/chrony && systemctl restart chronyd",
        ),
        case(
            "a directory of another user",
            edit_file(
                |facts| &mut facts.socket_directory,
                |file| {
                    file.owner = 0;
                    file.group = 0;
                },
            ),
            "chronyd_socket",
            Error,
            "chown _chrony: /run/chrony && systemctl restart chronyd",
        ),
        case(
            "a daemon of another user",
            |facts| {
                facts.unit = Some(unit("[Service]\nUser=nobody\n"));
                edit_processes(facts, |processes| {
                    processes[2].user = 65_534;
                    processes[2].groups = vec![65_534];
                });
                facts.accounts.push(("nobody".to_owned(), 65_534, 65_534));
                let Fact::Known(Some(directory)) = &mut facts.run_directory else {
                    panic!("it exists");
                };
                directory.owner = 65_534;
                for segment in &mut facts.segments {
                    if let Fact::Known(Some(file)) = &mut segment.file {
                        file.owner = 65_534;
                    }
                }
            },
            "chronyd_socket",
            Error,
            "User=_chrony",
        ),
        case(
            "a switched off socket",
            with_configuration("bindcmdaddress /"),
            "chronyd_socket",
            Error,
            "delete: bindcmdaddress /",
        ),
        case(
            "another socket",
            with_configuration("bindcmdaddress /run/chrony/other.sock"),
            "chronyd_socket",
            Error,
            "bindcmdaddress /run/chrony/chronyd.sock",
        ),
    ]);
}

#[test]
fn faults_of_the_configuration_are_found_with_their_lines() {
    use Severity::{Info, Unknown, Warning};
    check_cases(vec![
        case(
            "unreadable",
            |facts| {
                facts.configuration.unreadable =
                    vec![("/etc/chrony/chrony.conf".into(), "denied".to_owned())];
            },
            "chrony_conf",
            Unknown,
            "",
        ),
        case(
            "serves clients",
            with_configuration("allow"),
            "maxclockerror",
            Warning,
            "maxclockerror 50",
        ),
        case(
            "serves clients with a small error",
            with_configuration("allow\nmaxclockerror 10"),
            "maxclockerror",
            Warning,
            "maxclockerror 50",
        ),
        case(
            "default polls",
            with_configuration("server ntp.example.net iburst"),
            "polls",
            Info,
            "server ntp.example.net iburst maxpoll 4 minpoll 4",
        ),
        case(
            "polls above the limit",
            |facts| {
                in_record(|record| record.settings.max_bound_ns = 10_000_000)(facts);
                with_configuration("server ntp.example.net maxpoll 10")(facts);
            },
            "polls",
            Warning,
            "server ntp.example.net maxpoll 4 minpoll 4",
        ),
        case(
            "a reference clock with a long poll",
            with_configuration("refclock PHC /dev/ptp0 poll 6 delay 1e-6"),
            "polls",
            Info,
            "refclock PHC /dev/ptp0 poll 4 delay 1e-6",
        ),
        case(
            "a reference clock with the default poll",
            |facts| {
                in_record(|record| record.settings.max_drift_ppb = 100_000)(facts);
                facts.configuration = configuration(
                    "rtcsync\nleapsectz right/UTC\nrefclock PPS /dev/pps0 delay 1e-6\n",
                );
            },
            "polls",
            Info,
            "refclock PPS /dev/pps0 delay 1e-6 poll 3",
        ),
        case(
            "polls of a server at a high drift rate",
            |facts| {
                in_record(|record| record.settings.max_drift_ppb = 200_000)(facts);
                facts.configuration =
                    configuration("rtcsync\nleapsectz right/UTC\npool a.example minpoll 5\n");
            },
            "polls",
            Info,
            "pool a.example minpoll 4 maxpoll 4",
        ),
        case(
            "the shortest polls of a server",
            |facts| {
                in_record(|record| record.settings.max_drift_ppb = 200_000)(facts);
                facts.configuration = configuration(
                    "rtcsync\nleapsectz right/UTC\npool a.example minpoll 4 maxpoll 4\n",
                );
            },
            "polls",
            Info,
            "",
        ),
        case(
            "a reference clock without delay",
            with_configuration("refclock PHC /dev/ptp0 poll 0"),
            "refclock_delay",
            Warning,
            "refclock PHC /dev/ptp0 poll 0 delay 10e-6",
        ),
        case(
            "local",
            with_configuration("local stratum 10"),
            "local",
            Info,
            "delete: local stratum 10",
        ),
        case(
            "local and trusted",
            |facts| {
                in_record(|record| record.settings.allow_local_reference = true)(facts);
                with_configuration("local stratum 10")(facts);
            },
            "local",
            Warning,
            "delete: local stratum 10",
        ),
        case(
            "trusted without local",
            in_record(|record| record.settings.allow_local_reference = true),
            "local",
            Info,
            "remove --allow-local-reference~",
        ),
        case(
            "a zone that is not installed",
            |facts| {
                facts.leap_zone_exists = Some(false);
                facts.chronyd_version = Fact::Known("4.6".to_owned());
            },
            "leap_seconds",
            Warning,
            "leapseclist /usr/share/zoneinfo/leap-seconds.list",
        ),
        case(
            "a zone that is not installed, and an old chronyd",
            |facts| facts.leap_zone_exists = Some(false),
            "leap_seconds",
            Warning,
            "install the package that has /usr/share/zoneinfo/right/UTC~",
        ),
        case(
            "a zone that is not installed, and no list",
            |facts| {
                facts.leap_zone_exists = Some(false);
                facts.has_leap_list = false;
                facts.chronyd_version = Fact::Known("4.6".to_owned());
            },
            "leap_seconds",
            Warning,
            "install the package that has /usr/share/zoneinfo/right/UTC~",
        ),
        case(
            "only reference clocks, and no zone",
            |facts| {
                let clock = "refclock PPS /dev/pps0 poll 2 delay 1e-6\n";
                facts.configuration = configuration(&clock.repeat(2));
                facts.has_right_utc = false;
            },
            "leap_seconds",
            Info,
            "install the package that has /usr/share/zoneinfo/right/UTC~",
        ),
        case(
            "only reference clocks, no zone, and a list",
            |facts| {
                let clock = "refclock PPS /dev/pps0 poll 2 delay 1e-6\n";
                facts.configuration = configuration(&clock.repeat(2));
                facts.has_right_utc = false;
                facts.chronyd_version = Fact::Known("4.8".to_owned());
            },
            "leap_seconds",
            Info,
            "leapseclist /usr/share/zoneinfo/leap-seconds.list",
        ),
        case(
            "only reference clocks",
            |facts| {
                let clock = "refclock PPS /dev/pps0 poll 2 delay 1e-6\n";
                facts.configuration = configuration(&clock.repeat(2));
            },
            "leap_seconds",
            Info,
            "leapsectz right/UTC",
        ),
        case(
            "maxdelay",
            |facts| {
                in_record(|record| record.disruption.supported = true)(facts);
                with_configuration("server ntp.example.net minpoll 4 maxpoll 4 maxdelay 5")(facts);
            },
            "maxdelay",
            Warning,
            "server ntp.example.net minpoll 4 maxpoll 4 maxdelay 3",
        ),
    ]);
}

#[test]
fn faults_of_the_sources_are_found() {
    use Severity::{Error, Info, Warning};
    check_cases(vec![
        case(
            "smeared and not",
            with_configuration("server time1.google.com minpoll 4 maxpoll 4"),
            "smeared_sources",
            Warning,
            "delete: server time1.google.com minpoll 4 maxpoll 4",
        ),
        case(
            "smeared only",
            |facts| {
                let server = "server 169.254.169.123 minpoll 4 maxpoll 4\n";
                facts.configuration = configuration(&server.repeat(3));
            },
            "smeared_sources",
            Info,
            "",
        ),
        case(
            "slewed leap seconds",
            with_configuration("leapsecmode slew"),
            "leapsecmode",
            Info,
            "leapsecmode system",
        ),
        case(
            "smoothed time",
            with_configuration("smoothtime 400 0.01 leaponly"),
            "smoothtime",
            Info,
            "delete: smoothtime 400 0.01 leaponly",
        ),
        case(
            "one source",
            |facts| {
                in_record(|record| record.source_count = 1)(facts);
                facts.configuration = configuration("server ntp.example.net minpoll 4 maxpoll 4\n");
            },
            "source_count",
            Info,
            "",
        ),
        case(
            "no source",
            |facts| {
                in_record(|record| record.source_count = 0)(facts);
                facts.configuration = configuration("rtcsync\n");
            },
            "source_count",
            Error,
            "server ntp.example.net iburst minpoll 4 maxpoll 4",
        ),
        case(
            "too few for falsetickers",
            in_record(|record| record.settings.falsetickers = 2),
            "source_count",
            Warning,
            "server ntp.example.net iburst minpoll 4 maxpoll 4",
        ),
    ]);
}

#[test]
fn other_programs_that_set_the_clock_are_found() {
    use Severity::{Error, Info, Unknown, Warning};
    check_cases(vec![
        case(
            "ntpd",
            with_process("/usr/sbin/ntpd -g"),
            "other_time_daemon",
            Warning,
            "systemctl disable --now ntpd",
        ),
        case(
            "timesyncd",
            with_process("/usr/lib/systemd/systemd-timesyncd"),
            "other_time_daemon",
            Warning,
            "systemctl disable --now systemd-timesyncd",
        ),
        case(
            "ntpd-rs",
            with_process("/usr/bin/ntp-daemon"),
            "other_time_daemon",
            Warning,
            "systemctl disable --now ntpd-rs",
        ),
        case(
            "phc2sys",
            with_process("/usr/sbin/phc2sys -a -rr"),
            "other_time_daemon",
            Warning,
            "systemctl disable --now phc2sys",
        ),
        case(
            "ptp4l with software time stamps",
            with_process("/usr/sbin/ptp4l -S -i eth0"),
            "other_time_daemon",
            Warning,
            "systemctl disable --now ptp4l",
        ),
        case(
            "a second chronyd",
            with_process("/usr/sbin/chronyd -f /etc/other.conf"),
            "other_time_daemon",
            Warning,
            "kill 900",
        ),
        case(
            "VirtualBox",
            with_process("/usr/sbin/VBoxService"),
            "other_time_daemon",
            Warning,
            "start VBoxService with --disable-timesync",
        ),
        case(
            "VMware",
            with_process("/usr/bin/vmtoolsd"),
            "other_time_daemon",
            Info,
            "vmware-toolbox-cmd timesync status;~",
        ),
        case(
            "a second daemon",
            with_process("/usr/bin/clockbound --max-drift-rate 50"),
            "second_clockbound",
            Error,
            "kill 900",
        ),
        case(
            "a second daemon whose directory is not known",
            |facts| {
                with_process("/usr/bin/clockbound")(facts);
                edit_processes(facts, |processes| {
                    processes.last_mut().expect("added").run_directory = None;
                });
            },
            "second_clockbound",
            Unknown,
            "",
        ),
        case(
            "enabled",
            |facts| {
                facts
                    .enabled_units
                    .push("systemd-timesyncd.service".to_owned());
                facts.services.push("systemd-timesyncd.service".to_owned());
            },
            "other_time_daemon_enabled",
            Warning,
            "systemctl disable --now systemd-timesyncd",
        ),
    ]);
    let mut facts = healthy();
    facts.processes = Fact::Unknown("/proc: denied".to_owned());
    let findings = notable(&facts);
    assert!(!findings.is_empty());
    assert!(
        findings.iter().all(|finding| finding.severity == Unknown),
        "{findings:#?}"
    );
}

#[test]
fn programs_that_cannot_set_the_clock_are_not_found() {
    for (line, edit) in [
        (
            "/usr/sbin/phc2sys -s CLOCK_REALTIME -c eth0",
            (|_| {}) as fn(&mut Process),
        ),
        ("/usr/sbin/phc2sys -a", |_| {}),
        ("/usr/sbin/ptp4l -H -i eth0", |_| {}),
        ("/usr/sbin/chronyd -x -f /etc/other.conf", |_| {}),
        ("/usr/sbin/VBoxService --disable-timesync", |_| {}),
        ("/usr/sbin/chronyd -F 1", |process| process.parent = 500),
        ("/usr/sbin/ntpd -g", |process| process.capabilities = 0),
        ("/usr/sbin/ntpd -g", |process| {
            process.namespace_pids = vec![900, 1]
        }),
        ("/usr/bin/clockbound --shm-path /run/other/shm", |process| {
            process.run_directory = Some((1, 2));
        }),
        ("/usr/bin/clockbound-exporter", |_| {}),
    ] {
        let mut facts = healthy();
        with_process(line)(&mut facts);
        edit_processes(&mut facts, |processes| {
            edit(processes.last_mut().expect("added"));
        });
        assert_eq!(notable(&facts), [], "{line}");
    }
}

#[test]
fn changes_of_the_unit_are_found_with_their_lines() {
    use Severity::{Error, Info, Warning};
    let setting = |name, text: &'static str, expected| {
        case(name, with_drop_in(text), "unit_setting", Warning, expected)
    };
    check_cases(vec![
        setting(
            "not preserved",
            "[Service]\nRuntimeDirectoryPreserve=no\n",
            "RuntimeDirectoryPreserve=yes",
        ),
        setting(
            "no directory",
            "[Service]\nRuntimeDirectory=\n",
            "RuntimeDirectory=clockbound",
        ),
        setting(
            "closed directory",
            "[Service]\nRuntimeDirectoryMode=0700\n",
            "RuntimeDirectoryMode=0755",
        ),
        setting("type", "[Service]\nType=simple\n", "Type=notify"),
        setting(
            "no watchdog",
            "[Service]\nWatchdogSec=0\n",
            "WatchdogSec=2s",
        ),
        setting(
            "slow watchdog",
            "[Service]\nWatchdogSec=1min\n",
            "WatchdogSec=2s",
        ),
        setting(
            "no restart",
            "[Service]\nRestart=on-failure\n",
            "Restart=always",
        ),
        setting(
            "start limit",
            "[Unit]\nStartLimitIntervalSec=10\n",
            "StartLimitIntervalSec=0",
        ),
        setting(
            "protected clock",
            "[Service]\nProtectClock=yes\n",
            "ProtectClock=no",
        ),
        setting(
            "subset of /proc",
            "[Service]\nProcSubset=pid\n",
            "ProcSubset=all",
        ),
        setting(
            "no shared memory",
            "[Service]\nRemoveIPC=yes\n",
            "RemoveIPC=no",
        ),
        setting(
            "no VMClock",
            "[Service]\nBindReadOnlyPaths=\n",
            "BindReadOnlyPaths=-/dev/vmclock0",
        ),
        setting(
            "no netlink",
            "[Service]\nRestrictAddressFamilies=\nRestrictAddressFamilies=AF_UNIX\n",
            "RestrictAddressFamilies=AF_UNIX AF_NETLINK",
        ),
        setting(
            "no /run",
            "[Service]\nReadWritePaths=\nReadWritePaths=/run/clockbound\n",
            "ReadWritePaths=/run",
        ),
        setting(
            "little memory",
            "[Service]\nMemoryMax=2M\n",
            "MemoryMax=32M",
        ),
        case(
            "hidden",
            |facts| {
                let unit = facts.unit.as_mut().expect("a unit");
                unit.hidden = vec![unit.file.clone()];
                unit.file = "/etc/systemd/system/clockbound.service".into();
            },
            "unit_hidden",
            Warning,
            "rm /etc/systemd/system/clockbound.service~",
        ),
        case(
            "published",
            with_drop_in("[Unit]\nConflicts=chronyd.service\n"),
            "published_unit",
            Error,
            "delete: Conflicts=chronyd.service",
        ),
        case(
            "a hardware clock",
            |facts| {
                let line = "--max-drift-rate 50 --phc-interface eth0 --phc-ref-id PHC0";
                facts.options_files = vec![options(line)];
                edit_processes(facts, |processes| {
                    let words = format!("clockbound {line}");
                    processes[2].arguments = words.split(' ').map(str::to_owned).collect();
                });
            },
            "unit_setting",
            Error,
            "[Service]\nPrivateNetwork=no",
        ),
        case(
            "not read again",
            |facts| facts.needs_reload = Fact::Known(true),
            "unit_reload",
            Warning,
            "systemctl daemon-reload && systemctl restart clockbound",
        ),
        case(
            "options that are not in effect",
            |facts| facts.options_files = vec![options("--max-drift-rate 50 --falsetickers 1")],
            "options_not_in_effect",
            Warning,
            "systemctl restart clockbound",
        ),
        case(
            "not enabled",
            |facts| {
                facts
                    .enabled_units
                    .retain(|name| name != "clockbound.service")
            },
            "unit_not_enabled",
            Warning,
            "systemctl enable clockbound",
        ),
        case(
            "a program that does not wait",
            |facts| {
                facts.consumers = vec![Consumer {
                    name: "database.service".to_owned(),
                    unit: Unit::default(),
                }];
            },
            "consumer_does_not_wait",
            Info,
            "[Service]\nExecStartPre=/usr/bin/clockboundctl wait --timeout 60s",
        ),
    ]);
}

#[test]
fn faults_of_the_segments_are_found() {
    use Severity::{Error, Unknown, Warning};
    check_cases(vec![
        case(
            "closed directory",
            edit_file(|facts| &mut facts.run_directory, |file| file.mode = 0o750),
            "run_directory",
            Warning,
            "chmod 0755 /run/clockbound",
        ),
        case(
            "open directory",
            edit_file(|facts| &mut facts.run_directory, |file| file.mode = 0o777),
            "run_directory",
            Warning,
            "chmod 0755 /run/clockbound",
        ),
        case(
            "a directory of another user",
            edit_file(|facts| &mut facts.run_directory, |file| file.owner = 0),
            "run_directory",
            Warning,
            "chown _chrony: /run/clockbound && systemctl restart clockbound",
        ),
        case(
            "a disk",
            |facts| facts.run_filesystem = Fact::Known("ext4".to_owned()),
            "run_file_system",
            Warning,
            "tmpfs /run/clockbound tmpfs mode=0755 0 0",
        ),
        case(
            "a closed segment",
            edit_file(
                |facts| &mut facts.segments[0].file,
                |file| file.mode = 0o600,
            ),
            "segment",
            Warning,
            "chmod 0644 /run/clockbound/native",
        ),
        case(
            "an open segment",
            edit_file(
                |facts| &mut facts.segments[1].file,
                |file| file.mode = 0o666,
            ),
            "segment",
            Warning,
            "chmod 0644 /run/clockbound/shm0",
        ),
        case(
            "a segment of another user",
            edit_file(|facts| &mut facts.segments[1].file, |file| file.owner = 0),
            "segment",
            Warning,
            "rm /run/clockbound/shm0 && systemctl restart clockbound",
        ),
        case(
            "a damaged segment",
            |facts| facts.segments[2].damage = Some("bad magic".to_owned()),
            "segment",
            Error,
            "systemctl restart clockbound",
        ),
        case(
            "a missing segment",
            |facts| facts.segments[2].file = Fact::Known(None),
            "segment",
            Warning,
            "systemctl restart clockbound",
        ),
        case(
            "two writers",
            |facts| facts.segments[2].lock_pid = Some(12),
            "segment",
            Error,
            "stop both~",
        ),
        case(
            "not readable",
            |facts| facts.segments[0].file = Fact::Unknown("denied".to_owned()),
            "segment",
            Unknown,
            "",
        ),
    ]);
}

#[test]
fn faults_of_the_machine_are_found() {
    use Severity::{Info, Unknown, Warning};
    let source = |current: &'static str| {
        move |facts: &mut Facts| {
            facts.clocksource = Fact::Known(Clocksource {
                current: current.to_owned(),
                available: vec![current.to_owned(), "tsc".to_owned()],
            });
        }
    };
    check_cases(vec![
        case("slow", source("hpet"), "clocksource", Warning, "dmesg~"),
        case(
            "paravirtual",
            source("kvm-clock"),
            "clocksource",
            Info,
            "dmesg~",
        ),
        case(
            "not known",
            |facts| facts.clocksource = Fact::Unknown("missing".to_owned()),
            "clocksource",
            Unknown,
            "",
        ),
        case(
            "a virtual machine without a device",
            |facts| facts.hypervisor = Fact::Known(Some("KVM".to_owned())),
            "vmclock",
            Info,
            "",
        ),
        case(
            "a device that is not used",
            |facts| {
                facts.hypervisor = Fact::Known(Some("KVM".to_owned()));
                facts.vmclock = file("/dev/vmclock0", Kind::Other, 0o444);
            },
            "vmclock",
            Warning,
            "systemctl restart clockbound",
        ),
        case(
            "a device that users cannot read",
            |facts| {
                in_record(|record| record.disruption.supported = true)(facts);
                facts.hypervisor = Fact::Known(Some("KVM".to_owned()));
                facts.vmclock = file("/dev/vmclock0", Kind::Other, 0o600);
            },
            "vmclock",
            Warning,
            "SUBSYSTEM==\"misc\"~",
        ),
        case(
            "another time namespace",
            |facts| {
                facts.time_namespace = Fact::Known(TimeNamespace {
                    id: Some("time:[2]".to_owned()),
                    monotonic: "3600.0".to_owned(),
                });
            },
            "time_namespace",
            Warning,
            "run such programs~",
        ),
        case(
            "not declared to be synchronised",
            |facts| {
                facts.configuration = configuration(&CHRONY_CONF.replace("rtcsync\n", ""));
                facts.discipline = Fact::Known(Discipline {
                    is_unsynchronised: true,
                    max_error_us: 16_000_000,
                });
            },
            "kernel_clock",
            Info,
            "rtcsync",
        ),
    ]);
}

#[test]
fn a_drill_is_a_finding_and_its_reason_is_not_another() {
    let mut facts = healthy();
    in_record(|record| {
        record.is_drill = true;
        record.status = Status::FreeRunning;
        record.reason = Reason::ChronySilent;
    })(&mut facts);
    let names: Vec<_> = notable(&facts)
        .iter()
        .map(|finding| (finding.check, finding.severity))
        .collect();
    assert_eq!(
        names,
        [("status", Severity::Info), ("drill", Severity::Warning)]
    );
}

#[test]
fn the_reason_is_a_remark_when_another_finding_says_what_is_wrong() {
    let mut facts = healthy();
    in_record(|record| {
        record.status = Status::FreeRunning;
        record.reason = Reason::ChronySilent;
        record.failure = Reason::ChronySilent;
    })(&mut facts);
    edit_processes(&mut facts, |processes| {
        processes.retain(|process| process.pid != 500);
    });
    let names: Vec<_> = notable(&facts)
        .iter()
        .map(|finding| (finding.check, finding.severity))
        .collect();
    assert_eq!(
        names,
        [("status", Severity::Info), ("chronyd", Severity::Error)]
    );
}

#[test]
fn a_missing_interval_is_an_error_whatever_else_is_found() {
    for (status, reason) in [
        (Status::Unknown, Reason::HoldoverExpired),
        (Status::Disrupted, Reason::Disrupted),
    ] {
        let found = |change: &dyn Fn(&mut Facts)| {
            let mut facts = healthy();
            in_record(move |record| {
                record.status = status;
                record.reason = reason;
            })(&mut facts);
            change(&mut facts);
            let findings = notable(&facts);
            let names: Vec<_> = findings
                .iter()
                .map(|finding| (finding.check, finding.severity))
                .collect();
            (names, proposal(&findings[0]))
        };
        let (names, command) = found(&with_configuration("refclock PHC /dev/ptp0 poll 0"));
        assert_eq!(
            names,
            [
                ("status", Severity::Error),
                ("refclock_delay", Severity::Warning)
            ]
        );
        assert!(command.starts_with("chronyc sources"), "{command}");
        let (names, command) = found(&with_configuration("bindcmdaddress /"));
        assert_eq!(
            names,
            [
                ("status", Severity::Error),
                ("chronyd_socket", Severity::Error)
            ]
        );
        assert_eq!(command, "", "the other finding has the command");
    }
}
