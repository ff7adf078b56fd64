//! The packages, the unit and the journal, under a real systemd.
//!
//! One boot for all steps. They need the packages of `integration/package deb`, and those of
//! `integration/package deb --version 0.0.1-1` in `target/packages/previous`, which
//! `integration/test` builds.

mod booted;
mod published;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use integration::fakes::ntp_server::NtpServer;
use integration::fakes::vmclock::VmClock;
use integration::host::container::Root;
use integration::host::namespace::private;
use integration::host::sandbox::Sandbox;
use integration::host::sandbox::vmclock_path;
use integration::host::wait;
use integration::observe::layout::Layout;
use integration::observe::publications::Publications;
use integration::observe::reader::Reader;
use integration::observe::reading::Status;
use integration::observe::segment::Segment;
use integration::programs::chronyd::server_line;
use integration::time::truth::Truth;
use serde_json::Value;

use booted::{Host, SEGMENTS, SHM, UNIT, VMCLOCK, install_before_boot};

const FAULTS: &str = "run/clockbound/faults.sock";
/// The largest permitted exposure level of `systemd-analyze security`.
const EXPOSURE: f64 = 0.7;
const KILLS: usize = 5;
/// A part of the message that the machine has no VMClock device.
const UNPROTECTED: &str = "no vmclock";
/// A part of the message that uevents cannot be received.
const DEAF: &str = "failed to listen for vm generation changes";
/// A part of the message that the sources of chronyd were reset.
const RESET: &str = "sources of chronyd were reset";

#[test]
fn the_daemon_runs_under_systemd() {
    // Outlives the namespaces and their mounts.
    let sandbox = Sandbox::new();
    private(|host| {
        host.loopback(&[]);
        let truth = Truth::offset_by_ns(0);
        let server = NtpServer::start(&truth);
        let root = Root::overlay(host, &sandbox);
        root.enable_chrony(&server_line(server.address()));
        install_before_boot(&root);
        let container = root.boot();
        let mut host = Host {
            publications: Publications::watch(&container.path(SHM)),
            container,
            truth,
        };
        host.wait_for_status(Status::Synchronized);

        host.started_in_order();
        host.unit_is_clean();
        host.runs_without_vmclock();
        let page = host.waits_for_vmclock();
        host.status_and_journal_are_complete();
        host.programs_are_built();
        host.upgrade();
        host.kill();
        host.disruption(&page);
        host.drill();
        // The new process logs the changes of its status again, which are limited by the minute.
        host.restart();
        host.chrony_restarts();
        host.chrony_stops();
        host.use_faulty_daemon();
        host.watchdog();
        host.journald_stops();
        host.remove_and_purge();
    });
}

impl Host {
    fn started_in_order(&self) {
        let us = |unit: &str, what: &str| -> u64 {
            self.container
                .property(unit, what)
                .parse()
                .expect("a time in us")
        };
        let chrony = us("chrony.service", "ActiveEnterTimestampMonotonic");
        let ours = us(UNIT, "InactiveExitTimestampMonotonic");
        assert!(
            chrony > 0 && ours >= chrony,
            "chrony {chrony} us, clockbound {ours} us"
        );
        assert_eq!(self.systemctl(&["is-enabled", UNIT]).trim(), "enabled");
    }

    fn unit_is_clean(&self) {
        for unit in [
            "/usr/lib/systemd/system/clockbound.service",
            "/opt/clockbound-pre-235.service",
        ] {
            let output = self.container.try_run(&["systemd-analyze", "verify", unit]);
            assert_eq!(output, (true, String::new()), "{unit}");
        }
        let output = self
            .container
            .run(&["systemd-analyze", "--no-pager", "security", UNIT]);
        let (_, level) = output
            .split_once("Overall exposure level for clockbound.service: ")
            .expect("the level");
        println!("exposure: {}", level.trim());
        let level: f64 = level
            .split_whitespace()
            .next()
            .expect("a word")
            .parse()
            .expect("a number");
        assert!(level <= EXPOSURE, "{output}");
    }

    fn runs_without_vmclock(&self) {
        let warnings = self.events(&["--priority", "warning"]);
        let count = |what| {
            let messages = warnings.iter().map(|event| text(event, "MESSAGE"));
            messages.filter(|message| message.contains(what)).count()
        };
        assert_eq!((count(UNPROTECTED), count(DEAF)), (1, 0), "{warnings:#?}");
        // systemd has nothing to say about the device that does not exist.
        let systemd = ["journalctl", "--no-pager", "--output=cat", "_PID=1"];
        let lines = self.container.run(&systemd);
        assert!(!lines.contains("vmclock"), "{lines}");
    }

    /// With `--require-vmclock`; returns the page, which is there from now on.
    fn waits_for_vmclock(&mut self) -> VmClock {
        self.systemctl(&["stop", UNIT]);
        // As after a boot: v2 does not support disruptions as long as a file from before is there.
        let segments = self.container.path(SEGMENTS);
        for entry in std::fs::read_dir(segments).expect("list the segments") {
            std::fs::remove_file(entry.expect("an entry").path()).expect("remove a segment");
        }
        std::fs::write(
            self.container.path("etc/default/clockbound"),
            "CLOCKBOUND_OPTIONS=\"--max-drift-rate 50 --require-vmclock\"\n",
        )
        .expect("write the options");
        self.systemctl(&["start", "--no-block", UNIT]);
        wait::until(wait::PATIENCE, "the unit is started repeatedly", || {
            self.restarts() >= 2
        });
        let journal = self.journal(&["--lines", "20"]);
        assert!(journal.contains("status=66/NOINPUT"), "{journal}");
        let page = VmClock::create(&self.container.path(VMCLOCK));
        // What the readers of the test open. It is relative, because their root is the host's.
        let link = vmclock_path(&self.container.path(SHM));
        symlink(Path::new("..").join(VMCLOCK), link).expect("link the page");
        self.wait_for_status(Status::Synchronized);
        self.publications = Publications::watch(&self.container.path(SHM));
        page
    }

    fn status_and_journal_are_complete(&self) {
        wait::until(
            wait::PATIENCE,
            "systemctl status has the bound and the source",
            || {
                let text = self.container.property(UNIT, "StatusText");
                text.starts_with("synchronized, bound ") && text.contains("source 7F000001")
            },
        );
        let status = self.systemctl(&["status", "--no-pager", UNIT]);
        assert!(
            status.contains("Status: \"synchronized, bound "),
            "{status}"
        );
        assert_eq!(self.container.property(UNIT, "User"), "_chrony");

        let change = wait::until_some(wait::PATIENCE, "the change is in the journal", || {
            self.events(&[])
                .into_iter()
                .find(|event| event["CLOCK_STATUS"] == "synchronized")
        });
        for (field, value) in [
            ("ACTOR", "clock_state"),
            ("CLOCK_STATUS_BEFORE", "unknown"),
            ("CLOCK_REASON", "tracking"),
            ("PRIORITY", "6"),
            ("SYSLOG_IDENTIFIER", "clockbound"),
            ("_TRANSPORT", "journal"),
            ("_SYSTEMD_UNIT", UNIT),
        ] {
            assert_eq!(change[field], value, "{field} of {change}");
        }
        let bound_ns = change["CLOCK_BOUND_NS"].as_str().expect("the bound");
        assert!(bound_ns.parse::<i64>().is_ok_and(|ns| ns > 0), "{change}");
        let explained = self.journal(&["--catalog"]);
        for text in [
            "Subject: The clock status is now synchronized",
            "man:clockbound(8)",
        ] {
            assert!(explained.contains(text), "{text} in {explained}");
        }
        for complaint in [
            "no drift rate given",
            "failed to read the kernel's clock frequency",
        ] {
            assert!(!explained.contains(complaint), "{complaint} in {explained}");
        }
    }

    /// With the files of the -dev package.
    fn programs_are_built(&self) {
        self.container
            .run(&["dpkg", "--install", "/opt/library.deb", "/opt/dev.deb"]);
        let build = "cc /opt/interval.c $(pkg-config --cflags --libs clockbound) -o /opt/interval";
        self.container.run(&["sh", "-ec", build]);
        let output = self
            .container
            .run(&["/opt/interval", "/run/clockbound", "1"]);
        assert!(output.contains("synchronized"), "{output}");
    }

    fn upgrade(&self) {
        let main = || self.container.property(UNIT, "MainPID");
        let before = main();
        self.without_effect_on_readers("upgrade", || {
            self.container.run(&["dpkg", "--install", "/opt/new.deb"]);
        });
        assert_ne!(main(), before, "the new daemon runs");
    }

    fn kill(&self) {
        let mut times = Vec::new();
        self.without_effect_on_readers("kill -9, repeatedly", || {
            for _ in 0..KILLS {
                let before = self.restarts();
                self.systemctl(&["kill", "--signal", "KILL", UNIT]);
                times.push(self.publications.next());
                assert_eq!(self.restarts(), before + 1);
            }
        });
        println!("kill -9 to the next publication: {times:?}");
    }

    fn restart(&self) {
        self.without_effect_on_readers("restart", || {
            self.systemctl(&["restart", UNIT]);
        });
        self.without_effect_on_readers("reload", || {
            self.systemctl(&["reload-or-restart", UNIT]);
        });
        self.without_effect_on_readers("stop and start", || {
            self.systemctl(&["stop", UNIT]);
            self.systemctl(&["start", UNIT]);
        });
        let stopped = self.events(&["--priority", "info"]);
        assert!(stopped.iter().any(|event| event["SIGNAL"] == "SIGTERM"));
    }

    /// Trust returns by itself.
    fn disruption(&self, page: &VmClock) {
        self.disrupted("a disruption", || page.restore(), || ());
    }

    /// Trust returns when the drill has ended.
    fn drill(&self) {
        let kill = |signal| {
            self.systemctl(&["kill", "--signal", signal, UNIT]);
        };
        let meanwhile = || {
            let text = self.container.property(UNIT, "StatusText");
            assert!(text.starts_with("disrupted"), "{text}");
            kill("USR2");
        };
        self.disrupted("a drill", || kill("USR1"), meanwhile);
    }

    /// Runs `begin`, then `meanwhile` when chronyd measures again after its sources were reset.
    fn disrupted(&self, what: &str, begin: impl FnOnce(), meanwhile: impl FnOnce()) {
        use Status::{Disrupted, Synchronized, Unknown};
        let native = Reader::of(Layout::NATIVE, &self.container.path(SHM), &self.truth);
        let (events, resets) = (self.events(&[]).len(), self.resets_of_chronyd());
        // The burst comes later if there was one in the last 10 s.
        let is_reset = |event: &Value| {
            text(event, "MESSAGE").starts_with(RESET)
                && ["accepted", "later"].contains(&text(event, "BURST"))
        };
        let seen = self.watched(what, || {
            begin();
            wait::until(wait::PATIENCE, "chronyd has no source", || {
                self.resets_of_chronyd() > resets
            });
            wait::until(wait::PATIENCE, "the journal has the reset", || {
                self.events(&[])[events..].iter().any(is_reset)
            });
            Segment::wait_for_writes(&self.container.path(SHM), 20);
            meanwhile();
            self.wait_for_status(Synchronized);
        });
        let mut statuses: Vec<_> = seen.into_iter().map(|seen| seen.statuses).collect();
        // Where the page changed, 2.0.3 says Unknown until the daemon has published Disrupted.
        statuses[2].retain(|&status| status != Unknown);
        let v1 = vec![Synchronized, Unknown, Synchronized];
        let v2 = vec![Synchronized, Disrupted, Synchronized];
        assert_eq!(statuses, [v1.clone(), v1, v2.clone()], "{what}");
        native.wait_for(Synchronized);
        let native = native.finish();
        native.assert_valid();
        assert_eq!(native.statuses, v2, "{what}");

        let changes: Vec<_> = self.events(&[])[events..]
            .iter()
            .map(|event| {
                ["CLOCK_STATUS_BEFORE", "CLOCK_STATUS"].map(|name| text(event, name).to_owned())
            })
            .filter(|[before, _]| !before.is_empty())
            .collect();
        let expected = [["synchronized", "disrupted"], ["disrupted", "synchronized"]];
        assert_eq!(changes, expected, "{what}");
    }

    /// How often chronyd has lost its sources, by its messages.
    fn resets_of_chronyd(&self) -> usize {
        let words = [
            "journalctl",
            "--no-pager",
            "--unit=chrony.service",
            "--output=cat",
        ];
        let text = self.container.run(&words);
        text.matches("no selectable sources").count()
    }

    /// FreeRunning in between is correct: chronyd reports that it is not synchronised.
    fn chrony_restarts(&self) {
        let seen = self.watched("chrony restarted", || {
            self.systemctl(&["restart", "chrony.service"]);
            // The daemon has polled the new chronyd.
            Segment::wait_for_writes(&self.container.path(SHM), 10);
            self.wait_for_status(Status::Synchronized);
        });
        for seen in seen {
            assert!(!seen.statuses.contains(&Status::Unknown), "{seen:?}");
        }
    }

    fn chrony_stops(&self) {
        let seen = self.watched("chrony stopped for 10 s", || {
            let stopped = Instant::now();
            self.systemctl(&["stop", "chrony.service"]);
            self.wait_for_status(Status::FreeRunning);
            wait::until(wait::PATIENCE, "10 s are over", || {
                stopped.elapsed() >= Duration::from_secs(10)
            });
            self.systemctl(&["start", "chrony.service"]);
            self.wait_for_status(Status::Synchronized);
        });
        for seen in seen {
            use Status::{FreeRunning, Synchronized};
            assert_eq!(seen.statuses, [Synchronized, FreeRunning, Synchronized]);
        }
        let warnings = self.events(&["--priority", "warning"]);
        assert!(
            warnings
                .iter()
                .all(|event| event["PRIORITY"].as_str() <= Some("4"))
        );
        for (field, value) in [
            ("CLOCK_STATUS", "free_running"),
            ("CLOCK_REASON", "chrony_silent"),
        ] {
            assert!(
                warnings.iter().any(|event| event[field] == value),
                "{field} {value}"
            );
        }
        assert!(
            warnings.iter().any(|event| !event["ERR"].is_null()),
            "{warnings:#?}"
        );
    }

    fn use_faulty_daemon(&self) {
        let path = self
            .container
            .path("etc/systemd/system/clockbound.service.d");
        std::fs::create_dir_all(&path).expect("make a directory");
        let words = format!(
            "[Service]\nExecStartPre=-rm -f /{FAULTS}\nExecStart=\n\
             ExecStart=/opt/faulty --max-drift-rate 50 --fault-socket /{FAULTS} \
             --poll-interval 10ms --log-level debug\n"
        );
        std::fs::write(path.join("faulty.conf"), words).expect("write a drop-in");
        self.systemctl(&["daemon-reload"]);
        self.without_effect_on_readers("another daemon", || {
            self.systemctl(&["restart", UNIT]);
        });
    }

    fn watchdog(&self) {
        let before = self.restarts();
        self.without_effect_on_readers("a hung actor", || {
            integration::programs::daemon::inject(
                &self.container.path(FAULTS),
                "shm_publisher",
                "handler",
                "pause",
            );
            wait::until(wait::PATIENCE, "the watchdog restarts the daemon", || {
                self.restarts() > before
            });
        });
        assert!(self.journal(&[]).contains("Watchdog timeout"));
    }

    /// journald is suspended, then stopped.
    fn journald_stops(&self) {
        const JOURNALD: &str = "systemd-journald.service";
        self.without_effect_on_readers("journald frozen", || {
            self.systemctl(&["kill", "--signal", "STOP", JOURNALD]);
            // More events than all queues hold: the daemon logs several events in each of 100
            // rounds a second.
            Segment::wait_for_writes(&self.container.path(SHM), 600);
            self.systemctl(&["kill", "--signal", "KILL", UNIT]);
            self.publications.next();
            Segment::wait_for_writes(&self.container.path(SHM), 600);
            self.systemctl(&["kill", "--signal", "CONT", JOURNALD]);
        });
        wait::until(
            wait::PATIENCE,
            "the journal has how many events it missed",
            || {
                self.events(&[]).iter().any(|event| {
                    event["MESSAGE"]
                        .as_str()
                        .is_some_and(|text| text.starts_with("log events dropped"))
                        && event["COUNT"]
                            .as_str()
                            .is_some_and(|count| count.parse::<u64>().is_ok())
                })
            },
        );
        self.without_effect_on_readers("journald stopped", || {
            let sockets = ["systemd-journald.socket", "systemd-journald-dev-log.socket"];
            let all = [JOURNALD, "systemd-journald-audit.socket"];
            // A message may start it again before its last socket is closed.
            wait::until(wait::PATIENCE, "journald is stopped", || {
                let words = [&["systemctl", "stop"], &sockets[..], &all[..]].concat();
                self.container.try_run(&words).0
                    && self.container.property(JOURNALD, "ActiveState") == "inactive"
            });
            Segment::wait_for_writes(&self.container.path(SHM), 100);
            self.systemctl(&["kill", "--signal", "KILL", UNIT]);
            self.publications.next();
            self.systemctl(&[&["start"], &sockets[..], &[JOURNALD]].concat());
        });
    }

    fn remove_and_purge(&self) {
        let readers = self.readers();
        self.container.run(&["dpkg", "--remove", "clockbound"]);
        readers.iter().for_each(|reader| reader.wait_for_reads(100));
        assert!(
            self.container.path(SHM).exists(),
            "readers that start later need it"
        );
        assert!(self.container.path("etc/default/clockbound").exists());
        assert!(!self.container.path("usr/bin/clockbound").exists());
        self.container.run(&["dpkg", "--purge", "clockbound"]);
        readers.iter().for_each(|reader| reader.wait_for_reads(100));
        for left in ["etc/default/clockbound", "run/clockbound"] {
            assert!(!self.container.path(left).exists(), "{left}");
        }
        let users = self.container.run(&["getent", "passwd", "_chrony"]);
        assert!(users.starts_with("_chrony:"), "the user is chrony's");
        for reader in readers {
            let seen = reader.finish();
            assert_eq!(
                (seen.errors, seen.violations, seen.inverted),
                (0, 0, 0),
                "{seen:?}"
            );
        }
    }
}

/// A field of an event, empty if it does not have it.
fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event[field].as_str().unwrap_or_default()
}
