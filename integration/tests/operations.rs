//! What a new operator does with the packages, under a real systemd: the commands of
//! docs/operations.md, and the files that it refers to.
//!
//! The commands of each block `console` run in their order and must succeed. With
//! `UPDATE_DOCUMENTS=1` what they print replaces what the document shows. The packages are those
//! that `systemd.rs` needs.

#[path = "operations/document.rs"]
mod document;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use integration::fakes::ntp_server::NtpServer;
use integration::host::container::{Container, Root};
use integration::host::namespace::private;
use integration::host::sandbox::Sandbox;
use integration::host::wait::{self, PATIENCE};
use integration::programs::chronyd::server_line;
use integration::setup::packages;
use integration::time::truth::Truth;
use serde_json::Value;

use document::{Account, Part};

/// The document with the commands.
const DOCUMENT: &str = "docs/operations.md";
const DAEMON: &str = "clockbound.service";
const SOCKET: &str = "clockbound-exporter.socket";
const EXPORTER: &str = "clockbound-exporter.service";
/// The directory with the packages in the container.
const PACKAGES: &str = "root/packages";
/// Prometheus has scraped at least once within this time.
const SCRAPES: Duration = Duration::from_secs(60);
/// What runs a command without privileges.
const NOBODY: [&str; 6] = [
    "setpriv",
    "--reuid=nobody",
    "--regid=nogroup",
    "--clear-groups",
    "bash",
    "-c",
];

#[test]
fn a_new_operator_gets_from_the_packages_to_a_graph() {
    if !Path::new("/usr/bin/prometheus").exists() {
        let _ = writeln!(
            io::stdout(),
            "skipped: a_new_operator_gets_from_the_packages_to_a_graph: no prometheus"
        );
        return;
    }
    // Outlives the namespaces and their mounts.
    let sandbox = Sandbox::new();
    private(|host| {
        host.loopback(&[]);
        let server = NtpServer::start(&Truth::offset_by_ns(0));
        let root = Root::overlay(host, &sandbox);
        root.enable_chrony(&server_line(server.address()));
        for name in ["clockbound", "clockbound-exporter"] {
            let path = packages::deb("", name);
            let file = path.file_name().expect("a name").to_string_lossy();
            let content = fs::read(&path).expect("read the package");
            root.write(&format!("{PACKAGES}/{file}"), content);
        }
        let previous = packages::deb("previous", "clockbound-exporter");
        root.write(
            "opt/previous.deb",
            fs::read(previous).expect("read the package"),
        );
        let host = Host(root.boot());

        host.commands_of_the_document_succeed();
        host.bound_is_the_sum_of_its_terms();
        host.packaged_units_are_valid();
        host.checks_of_kubernetes_have_their_exit_codes();
        host.services_wait_for_the_interval();
        host.exporter_is_upgraded();
        host.packages_are_removed();
    });
}

struct Host(Container);

impl Host {
    fn commands_of_the_document_succeed(&self) {
        let updates = env::var_os("UPDATE_DOCUMENTS").is_some();
        let path = repository().join(DOCUMENT);
        let text = fs::read_to_string(&path).expect("read the document");
        let mut parts = document::parse(&text);
        for part in &mut parts {
            if let Part::Command {
                account,
                text,
                output,
            } = part
            {
                let printed = self.succeed(*account, text);
                assert!(
                    updates || output.is_empty() == printed.is_empty(),
                    "{text}: the document shows {output:?}, printed was {printed:?}"
                );
                *output = printed;
            }
        }
        if updates {
            fs::write(&path, document::render(&parts)).expect("write the document");
        }
    }

    /// Runs a command of the document; returns what it printed. Repeats a query until Prometheus
    /// has an answer.
    fn succeed(&self, account: Account, command: &str) -> String {
        let deadline = if command.starts_with("promtool query") {
            SCRAPES
        } else {
            Duration::ZERO
        };
        let mut last = (false, String::new());
        let printed = wait::within(deadline, || {
            last = self.run(account, command);
            let is_done = last.0 && (deadline.is_zero() || !last.1.trim().is_empty());
            is_done.then(|| last.1.clone())
        });
        let printed = printed.unwrap_or_else(|| panic!("{command}: {}", last.1));
        // Lines of a document have no spaces at their ends.
        let lines = printed
            .lines()
            .map(|line| line.trim_end().to_owned() + "\n");
        lines.collect()
    }

    fn run(&self, account: Account, command: &str) -> (bool, String) {
        match account {
            Account::Root => {
                let line = format!("exec 2>&1\ncd /{PACKAGES}\n{command}");
                self.0.try_run(&["bash", "-c", &line])
            }
            Account::Nobody => {
                let line = format!("exec 2>&1\ncd /tmp\n{command}");
                self.0.try_run(&[&NOBODY[..], &[&line]].concat())
            }
        }
    }

    /// In records of different instants, with and without terms that are negative.
    fn bound_is_the_sum_of_its_terms(&self) {
        let mut instants = BTreeSet::new();
        while instants.len() < 10 {
            let (_, printed) = self.run(Account::Nobody, "clockboundctl --json status");
            let status: Value = serde_json::from_str(&printed).expect("JSON");
            let terms = status["budget_ns"].as_object().expect("terms");
            let sum_ns: i64 = terms.values().filter_map(Value::as_i64).sum();
            let bound_ns = &status["interval"]["bound_ns"];
            assert_eq!(Some(sum_ns), bound_ns.as_i64(), "{printed}");
            instants.insert(status["as_of_ns"].as_i64().expect("an instant"));
        }
    }

    fn packaged_units_are_valid(&self) {
        for unit in [DAEMON, SOCKET, EXPORTER, "clockbound-wait.service"] {
            let path = format!("/usr/lib/systemd/system/{unit}");
            let verified = self.0.try_run(&["systemd-analyze", "verify", &path]);
            assert_eq!(verified, (true, String::new()), "{unit}");
        }
    }

    /// The lines of the manifests, as they are there.
    fn checks_of_kubernetes_have_their_exit_codes(&self) {
        let read = |name: &str| {
            let path = repository().join("systemd/container").join(name);
            fs::read_to_string(path).expect("read a file of the repository")
        };
        let plugin: Value =
            serde_json::from_str(&read("node-problem-detector.json")).expect("JSON");
        let rule = &plugin["rules"][0];
        let script = rule["args"][1].as_str().expect("a script");
        assert_eq!(rule["path"], "/bin/sh");
        let limit = "--max-bound 10ms";
        for (script, code) in [
            (script.to_owned(), 0),
            (script.replace(limit, "--max-bound 1ns"), 1),
            (script.replace(limit, "--directory /nowhere"), 2),
        ] {
            let line = format!("({script}) >/tmp/check-{code}; echo $?");
            let (_, printed) = self.run(Account::Nobody, &line);
            let message = self.0.run(&["cat", &format!("/tmp/check-{code}")]);
            assert_eq!(printed.trim(), code.to_string(), "{script}: {message}");
            let length = plugin["pluginConfig"]["max_output_length"].as_u64();
            assert!(
                message.lines().count() == 1
                    && message.trim_end().chars().count() as u64 <= length.expect("a length"),
                "{message}"
            );
        }

        let manifest = read("daemonset.yaml");
        let readiness = "[clockboundctl, check, --max-bound=10ms]";
        let liveness = "! clockboundctl --json check | grep -q daemon_silent";
        assert!(
            manifest.contains(&format!("command: {readiness}}}")),
            "{manifest}"
        );
        assert!(
            manifest.contains(&format!("command: [sh, -c, \"{liveness}\"]}}")),
            "{manifest}"
        );
        let is_ready = || {
            self.run(Account::Nobody, "clockboundctl check --max-bound=10ms")
                .0
        };
        let is_alive = || self.run(Account::Nobody, liveness).0;
        assert!(is_ready() && is_alive());
        self.0.run(&["systemctl", "stop", DAEMON]);
        wait::until(PATIENCE, "the probes see that the daemon is silent", || {
            !is_ready() && !is_alive()
        });
        self.0.run(&["systemctl", "start", DAEMON]);
        wait::until(PATIENCE, "the probes see the new daemon", || {
            is_ready() && is_alive()
        });
    }

    /// With the drop-in of the package, and with the unit for `time-sync.target`.
    fn services_wait_for_the_interval(&self) {
        let unit = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n";
        let directory = self.0.path("etc/systemd/system");
        fs::create_dir_all(directory.join("database.service.d")).expect("make a directory");
        fs::write(directory.join("database.service"), unit).expect("write a unit");
        self.0.run(&[
            "cp",
            "/usr/share/doc/clockbound/examples/wait.conf",
            "/etc/systemd/system/database.service.d/",
        ]);
        self.0.run(&["systemctl", "daemon-reload"]);
        // Without chronyd there is no interval.
        self.0.run(&["systemctl", "stop", DAEMON, "chrony.service"]);
        // Other units may have reached it at the boot.
        self.0.run(&["systemctl", "stop", "time-sync.target"]);
        self.0.run(&["sh", "-c", "rm /run/clockbound/*"]);
        let units = ["database.service", "clockbound-wait.service"];
        let start = [&["systemctl", "start", "--no-block"], &units[..]].concat();
        self.0.run(&start);
        for (unit, waiting) in units.into_iter().zip(["start-pre", "start"]) {
            wait::until(PATIENCE, "the service waits", || {
                self.0.property(unit, "SubState") == waiting
            });
        }
        assert_eq!(
            self.0.property("time-sync.target", "ActiveState"),
            "inactive"
        );
        self.0
            .run(&["systemctl", "start", "chrony.service", DAEMON]);
        for unit in [&units[..], &["time-sync.target"]].concat() {
            wait::until(PATIENCE, "the service is started", || {
                self.0.property(unit, "ActiveState") == "active"
            });
        }
        for unit in units {
            self.0.run(&["systemctl", "stop", unit]);
        }
    }

    fn exporter_is_upgraded(&self) {
        let install = |package: &str| {
            let line = format!("dpkg --install {package}");
            let (succeeded, printed) = self.run(Account::Root, &line);
            assert!(succeeded, "{printed}");
        };
        let version = || {
            let metrics = self.run(Account::Nobody, "curl -sS http://127.0.0.1:19123/metrics");
            assert!(metrics.0, "{}", metrics.1);
            let program = self.0.property(EXPORTER, "MainPID");
            self.0.run(&["readlink", &format!("/proc/{program}/exe")])
        };
        // The versions differ in the package only. An older one is installed in the same way.
        for package in ["/opt/previous.deb", "./clockbound-exporter_*.deb"] {
            version();
            let before = self.0.property(EXPORTER, "MainPID");
            install(package);
            assert_eq!(version().trim(), "/usr/bin/clockbound-exporter");
            assert_ne!(self.0.property(EXPORTER, "MainPID"), before, "{package}");
        }
        self.0.run(&["systemctl", "disable", "--now", SOCKET]);
        install("./clockbound-exporter_*.deb");
        let state = |what: &str| self.0.try_run(&["systemctl", what, SOCKET]).1;
        assert_eq!(
            (state("is-enabled").trim(), state("is-active").trim()),
            ("disabled", "inactive"),
            "the administrator's choice"
        );
        self.0.run(&["systemctl", "enable", "--now", SOCKET]);
        version();
    }

    fn packages_are_removed(&self) {
        let exists = |name: &str| self.0.path(name).symlink_metadata().is_ok();
        let conffile = "etc/default/clockbound-exporter";
        self.0.run(&["dpkg", "--remove", "clockbound-exporter"]);
        for unit in [SOCKET, EXPORTER] {
            assert_eq!(self.0.property(unit, "ActiveState"), "inactive", "{unit}");
            assert_eq!(self.0.property(unit, "LoadState"), "not-found", "{unit}");
        }
        assert!(exists(conffile) && !exists("usr/bin/clockbound-exporter"));
        self.0.run(&["dpkg", "--purge", "clockbound-exporter"]);
        let link = format!("etc/systemd/system/sockets.target.wants/{SOCKET}");
        for left in [conffile, &link, "usr/share/clockbound-exporter"] {
            assert!(!exists(left), "{left}");
        }
        // The daemon is not affected.
        assert!(self.run(Account::Nobody, "clockboundctl check").0);
        self.0.run(&["dpkg", "--purge", "clockbound"]);
        for left in [
            "usr/bin/clockboundctl",
            "run/clockbound",
            "usr/share/doc/clockbound",
        ] {
            assert!(!exists(left), "{left}");
        }
    }
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
