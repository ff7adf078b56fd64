//! Scripts that clockboundctl publishes, read by the published client libraries and by this
//! project's: statuses, widths, offsets, disruptions, gaps and new files.

mod published;

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use clockbound_client::{Error, Layout as ClientLayout, OpenOptions, Reason, diagnostics};
use integration::host::sandbox::{Sandbox, vmclock_path};
use integration::host::wait::{self, PATIENCE};
use integration::observe::layout::{Layout, has_counter_clocksource};
use integration::observe::published_c;
use integration::observe::reading::{Reading, Status};
use integration::programs::tools::{clockboundctl, run};
use integration::time::clock::clock_ns;
use nix::sys::signal::{Signal, kill};
use nix::time::ClockId;
use nix::unistd::Pid;
use serde_json::Value;

const MS: i64 = 1_000_000;

/// A running `clockboundctl simulate`, killed when dropped.
struct Simulation {
    child: Child,
    lines: Receiver<String>,
    shm: PathBuf,
}

impl Simulation {
    /// Publishes `script` in a directory of the sandbox, with a VMClock page beside it, and waits
    /// until it is published.
    fn start(sandbox: &Sandbox, script: &str, options: &[&str]) -> Self {
        let shm = sandbox.path("simulated/shm");
        let directory = shm.parent().expect("a directory");
        let path = sandbox.write("script", script);
        let mut command = Command::new(clockboundctl());
        command.arg("simulate").arg(path).arg("--to").arg(directory);
        command.arg("--vmclock").arg(vmclock_path(&shm));
        command.arg("--json").args(options);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let stdout = child.stdout.take().expect("standard output is piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let simulation = Self { child, lines, shm };
        simulation.wait_for("ready");
        simulation
    }

    /// Waits for an event of this kind, and returns it.
    fn wait_for(&self, kind: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|err| panic!("no event {kind}: {err}"));
            let event: Value = serde_json::from_str(&line).expect("JSON");
            if event["event"] == kind {
                return event;
            }
            assert_ne!(event["event"], "end", "no event {kind}");
        }
    }

    /// Waits until the step of this line is published.
    fn wait_for_line(&self, line: u64) -> Value {
        loop {
            let step = self.wait_for("step");
            if step["line"] == line {
                return step;
            }
        }
    }

    fn terminate(mut self) -> Option<i32> {
        let pid = i32::try_from(self.child.id()).expect("process ids fit");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("it runs");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every client library of every layout.
fn layouts() -> Vec<Layout> {
    if has_counter_clocksource() {
        published_c::build();
    } else {
        // println! is captured in tests that pass.
        let _ = writeln!(
            io::stdout(),
            "skipped: layouts of 3.x: the clocksource is no counter"
        );
    }
    published::all()
}

/// A step of a script, and what clients read while it lasts.
struct Expected {
    line: u64,
    status: Status,
    /// What true time is ahead of `CLOCK_REALTIME`.
    offset_ns: i64,
    bound_ns: i64,
}

/// Whether a reading that was made between two instants of `CLOCK_REALTIME` is as expected. The
/// bound is at most 1 ms wider than that of the script.
fn is_as_expected(
    layout: &Layout,
    expected: &Expected,
    reading: &Reading,
    (before_ns, after_ns): (i64, i64),
) -> bool {
    let has_status = reading.status == expected.status
        // The 1.x generation has no such status.
        || layout.name.starts_with("v1")
            && (reading.status, expected.status) == (Status::Unknown, Status::Disrupted);
    if !has_status || matches!(expected.status, Status::Unknown | Status::Disrupted) {
        return has_status;
    }
    let (first_ns, last_ns) = (
        before_ns + expected.offset_ns,
        after_ns + expected.offset_ns,
    );
    let contains = reading.earliest_ns <= last_ns && first_ns <= reading.latest_ns;
    // Those that are centred on CLOCK_REALTIME have to cover the offset.
    let off_ns = if layout.on_realtime {
        expected.offset_ns.abs()
    } else {
        0
    };
    let least_ns = expected.bound_ns + off_ns;
    contains && (least_ns..least_ns + MS).contains(&reading.bound_ns())
}

#[test]
fn clients_of_every_generation_follow_a_script() {
    const SCRIPT: &str = "status unknown\n\
        wait 1s\n\
        status synchronized bound 500us\n\
        wait 1500ms\n\
        status free_running bound 20ms drift 50ppm\n\
        wait 1500ms\n\
        status synchronized bound 2ms offset 30ms\n\
        wait 1500ms\n\
        offset -30ms\n\
        wait 1500ms\n\
        disrupt\n\
        wait 1500ms\n\
        status synchronized bound 1ms offset 0\n\
        wait 1500ms\n\
        status unknown reason bound_over_cap\n\
        wait 1500ms\n";
    let step = |line, status, bound_ns, offset_ns| Expected {
        line,
        status,
        offset_ns,
        bound_ns,
    };
    let steps = [
        step(3, Status::Synchronized, 500_000, 0),
        step(5, Status::FreeRunning, 20 * MS, 0),
        step(7, Status::Synchronized, 2 * MS, 30 * MS),
        step(9, Status::Synchronized, 2 * MS, -30 * MS),
        step(11, Status::Disrupted, 0, 0),
        step(13, Status::Synchronized, MS, 0),
        step(15, Status::Unknown, 0, 0),
    ];
    let sandbox = Sandbox::new();
    let layouts = layouts();
    // Slow, so that a busy machine has time for every step.
    let simulation = Simulation::start(&sandbox, SCRIPT, &["--speed", "0.5"]);
    let mut readers: Vec<_> = layouts
        .iter()
        .map(|layout| {
            let read = (layout.open)(&simulation.shm);
            (
                layout,
                read.unwrap_or_else(|err| panic!("{}: {err}", layout.name)),
            )
        })
        .collect();
    for expected in &steps {
        simulation.wait_for_line(expected.line);
        for (layout, read) in &mut readers {
            // v1 and v2 of a clock that chronyd slews at the same time, and a machine that
            // suspends a reader, give other results now and then.
            let mut last = None;
            let is_read = wait::within(Duration::from_secs(2), || {
                let before_ns = clock_ns(ClockId::CLOCK_REALTIME);
                let reading = read().unwrap_or_else(|err| panic!("{}: {err}", layout.name));
                let after_ns = clock_ns(ClockId::CLOCK_REALTIME);
                last = Some(reading);
                is_as_expected(layout, expected, &reading, (before_ns, after_ns)).then_some(())
            });
            let line = expected.line;
            assert!(is_read.is_some(), "{}, line {line}: {last:?}", layout.name);
        }
    }
    assert_eq!(simulation.wait_for("end")["cause"], "script");
    let names: Vec<&str> = readers.iter().map(|(layout, _)| layout.name).collect();
    let _ = writeln!(io::stdout(), "report: followed by {}", names.join(", "));
    for (layout, read) in &mut readers {
        let status = read().expect("reads").status;
        assert_eq!(status, Status::Unknown, "{}: void at the end", layout.name);
    }
}

#[test]
fn clients_that_compare_markers_notice_a_disruption_before_the_publisher() {
    let sandbox = Sandbox::new();
    let layouts: Vec<Layout> = layouts()
        .into_iter()
        .filter(|layout| layout.compares_marker)
        .collect();
    let script = "status synchronized bound 1ms\nwait 1s\ndisrupt unnoticed 1h\nwait forever";
    let simulation = Simulation::start(&sandbox, script, &[]);
    let mut readers: Vec<_> = layouts
        .iter()
        .map(|layout| (layout, (layout.open)(&simulation.shm).expect("opens")))
        .collect();
    for (layout, read) in &mut readers {
        assert_eq!(
            read().expect("reads").status,
            Status::Synchronized,
            "{}",
            layout.name
        );
    }
    simulation.wait_for_line(3);
    for (layout, read) in &mut readers {
        let status = read().expect("reads").status;
        // Clients of the 2.x generation have Unknown for another marker.
        let is_noticed = status == Status::Disrupted
            || layout.name == published::V2.name && status == Status::Unknown;
        assert!(is_noticed, "{}: {status:?}", layout.name);
    }
    let mut without = (Layout::V1.open)(&simulation.shm).expect("opens");
    assert_eq!(without().expect("reads").status, Status::Synchronized);
    assert_eq!(simulation.terminate(), Some(0));
}

#[test]
fn a_client_that_refuses_simulated_records_refuses_every_layout() {
    let sandbox = Sandbox::new();
    let script = "status synchronized bound 1ms\nwait forever";
    let simulation = Simulation::start(&sandbox, script, &[]);
    let page = vmclock_path(&simulation.shm);
    let mut names = vec!["", "native", "shm0", "shm"];
    if has_counter_clocksource() {
        names.push("shm1");
    }
    for name in names {
        let path = simulation.shm.with_file_name(name);
        let options = OpenOptions::new().path(&path).vmclock(&page);
        let client = options.open().expect("opens");
        assert!(client.record().expect("a record").is_simulated, "{name}");
        assert!(client.now().expect("an interval").status().is_trusted());
        let refused = options.refuse_simulated(true).open();
        assert!(
            matches!(refused.as_ref().err(), Some(Error::Simulated)),
            "{name}: {refused:?}"
        );
    }
    let known = diagnostics::read(&simulation.shm.with_file_name("")).expect("diagnostics");
    assert!(known.record.is_simulated);
}

#[test]
fn every_layout_lies_if_true_time_moves_and_the_interval_stays() {
    let sandbox = Sandbox::new();
    let script = "status synchronized bound 1ms offset -6ms lie 5ms\nwait forever";
    let simulation = Simulation::start(&sandbox, script, &[]);
    assert_eq!(simulation.wait_for_line(1)["is_true"], false);
    for layout in layouts() {
        let mut read = (layout.open)(&simulation.shm).expect("opens");
        wait::until(PATIENCE, layout.name, || {
            let reading = read().expect("reads");
            let now_ns = clock_ns(ClockId::CLOCK_REALTIME);
            // True time is 6 ms before that.
            reading.status == Status::Synchronized
                && (now_ns - 6 * MS..now_ns).contains(&reading.earliest_ns)
                && reading.bound_ns() < 2 * MS
        });
    }
}

#[test]
fn time_stamps_of_the_clock_are_converted() {
    let sandbox = Sandbox::new();
    let script = "status synchronized bound 1ms offset 20ms\nwait forever";
    let simulation = Simulation::start(&sandbox, script, &[]);
    let client = OpenOptions::new()
        .path(simulation.shm.with_file_name("native"))
        .vmclock(vmclock_path(&simulation.shm))
        .open()
        .expect("opens");
    // The first one fails if a program sets or slews the clock at the same time.
    let (stamp_ns, then) = wait::until_some(PATIENCE, "a stamp is converted", || {
        let stamp_ns = clock_ns(ClockId::CLOCK_REALTIME);
        let then = client.interval_at_realtime(stamp_ns).ok()?;
        Some((stamp_ns, then))
    });
    let true_ns = stamp_ns + 20 * MS;
    assert!(
        then.earliest_ns() <= true_ns && true_ns <= then.latest_ns(),
        "{then}"
    );
}

#[test]
fn the_diagnostics_are_those_of_the_script() {
    let sandbox = Sandbox::new();
    let script = "status synchronized bound 1ms drift 50ppm offset 5ms\nwait 500ms\n\
                  reason contradiction\nwait 500ms\nwait forever";
    let simulation = Simulation::start(&sandbox, script, &[]);
    simulation.wait_for_line(4);
    let known = diagnostics::read(&simulation.shm.with_file_name("")).expect("diagnostics");
    let record = &known.record;
    assert_eq!(known.reason, Reason::Contradiction);
    assert_eq!(record.counters.contradictions, 1);
    let half_ns = (record.latest_ns - record.earliest_ns + 1) / 2;
    assert_eq!(record.budget_ns.iter().sum::<i64>(), half_ns);
    assert!((MS..2 * MS).contains(&half_ns), "{half_ns}");
    let midpoint_ns = record.earliest_ns.midpoint(record.latest_ns);
    assert!((midpoint_ns - record.realtime_ns - 5 * MS).abs() <= 1);
    assert!(record.sources[0].is_followed && record.pid != 0);
}

#[test]
fn records_age_in_a_gap_and_a_client_follows_new_files() {
    let sandbox = Sandbox::new();
    let script = "status synchronized bound 1ms holdover 30s\ngap 8s\nwait 1s\n\
                  status synchronized bound 3ms\nrestart 1s\nwait forever";
    let simulation = Simulation::start(&sandbox, script, &[]);
    let client = OpenOptions::new()
        .path(simulation.shm.with_file_name(""))
        .vmclock(vmclock_path(&simulation.shm))
        .open()
        .expect("opens");
    let status = || client.now().expect("an interval").status();
    assert_eq!(status(), clockbound_client::Status::Synchronized);
    wait::until(PATIENCE, "the record ages", || {
        status() == clockbound_client::Status::FreeRunning
    });
    let step = simulation.wait_for_line(5);
    assert_eq!(step["bound_ns"], 3 * MS);
    let inode = || {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(simulation.shm.with_file_name("native")).map(|file| file.ino())
    };
    simulation.wait_for_line(6);
    assert!(inode().is_ok());
    wait::until(PATIENCE, "the client reads the new file", || {
        let now = client.now().expect("an interval");
        now.status() == clockbound_client::Status::Synchronized && now.bound_ns() >= 3 * MS
    });
    assert_eq!(
        client.record().expect("a record").layout,
        ClientLayout::Native
    );
}

#[test]
fn what_is_held_stays_and_what_is_not_is_void() {
    let sandbox = Sandbox::new();
    let script = "status synchronized bound 1ms\nwait 100ms";
    for (option, status) in [
        (&["--hold"][..], Status::Synchronized),
        (&[][..], Status::Unknown),
    ] {
        let simulation = Simulation::start(&sandbox, script, option);
        assert_eq!(simulation.wait_for("end")["cause"], "script");
        for layout in [Layout::NATIVE, Layout::V2, Layout::V1] {
            let mut read = (layout.open)(&simulation.shm).expect("opens");
            assert_eq!(read().expect("reads").status, status, "{}", layout.name);
        }
    }
}

#[test]
fn every_event_has_the_documented_fields() {
    let sandbox = Sandbox::new();
    let path = sandbox.write("script", "status synchronized\nwait 10ms");
    let mut command = Command::new(clockboundctl());
    command.args(["--json", "simulate"]).arg(path);
    command.arg("--to").arg(sandbox.path("simulated"));
    let ended = run(command);
    let events: Vec<String> = ended
        .stdout
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).expect("JSON");
            let fields = event.as_object().expect("an object");
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            format!("{}: {}", event["event"], names.join(" "))
        })
        .collect();
    let step = "\"step\": at_ns bound_ns event is_true line reason status text true_offset_ns";
    assert_eq!(
        events,
        [
            "\"ready\": directory event length_ns pid segments",
            step,
            step,
            "\"end\": cause event",
        ]
    );
}

#[test]
fn records_are_void_after_a_closed_output_and_after_a_hangup() {
    let sandbox = Sandbox::new();
    let shm = sandbox.path("simulated/shm");
    let script = sandbox.write(
        "script",
        "status synchronized bound 1ms\nwait 50ms\nstatus synchronized bound 2ms\nwait 1h",
    );
    let start = || {
        let mut command = Command::new(clockboundctl());
        command.arg("simulate").arg(&script).arg("--json");
        command.arg("--to").arg(shm.parent().expect("a directory"));
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut lines = BufReader::new(stdout);
        lines.read_line(&mut String::new()).expect("it is ready");
        (child, lines)
    };
    let is_void = || {
        [Layout::NATIVE, Layout::V2, Layout::V1]
            .iter()
            .all(|layout| {
                let mut read = (layout.open)(&shm).expect("opens");
                read().expect("reads").status == Status::Unknown
            })
    };

    let (mut child, lines) = start();
    // The next event cannot be written.
    drop(lines);
    child.wait().expect("it ends");
    assert!(is_void(), "after a closed output");

    let (mut child, _lines) = start();
    assert!(!is_void(), "the next simulation");
    let pid = i32::try_from(child.id()).expect("process ids fit");
    kill(Pid::from_raw(pid), Signal::SIGHUP).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(is_void(), "after a hangup");
}

#[test]
fn a_script_that_is_repeated_ends_with_a_signal() {
    let sandbox = Sandbox::new();
    let script = "status synchronized\nwait 50ms\ndisrupt\nwait 50ms";
    let simulation = Simulation::start(&sandbox, script, &["--loop"]);
    for _ in 0..3 {
        simulation.wait_for_line(3);
    }
    let known = diagnostics::read(&simulation.shm.with_file_name("")).expect("diagnostics");
    assert!(known.record.counters.disruptions >= 2);
    assert_eq!(simulation.terminate(), Some(0));
}

#[test]
fn a_command_that_would_harm_or_cannot_be_played_is_refused() {
    let sandbox = Sandbox::new();
    let simulation = Simulation::start(&sandbox, "status synchronized\nwait forever", &[]);
    let held = simulation.shm.parent().expect("a directory");
    let refused = |script: &str, to: &Path, options: &[&str]| {
        let path = sandbox.write("refused", script);
        let mut command = Command::new(clockboundctl());
        command
            .arg("simulate")
            .arg(path)
            .arg("--to")
            .arg(to)
            .args(options);
        let ended = run(command);
        assert_eq!(ended.stdout, "");
        (ended.code, ended.stderr)
    };
    let free = sandbox.path("free");
    let default = Path::new("/run/clockbound");
    for (script, to, options, code, message) in [
        (
            "wait 1s",
            held,
            &[][..],
            73,
            "publishes the segment native here",
        ),
        (
            "wait 1s",
            default,
            &[],
            64,
            "is the directory of the daemon",
        ),
        (
            "wait 1",
            &free,
            &[],
            65,
            "refused: line 1: found \"1\", expected a time",
        ),
        (
            "wait forever",
            &free,
            &["--loop"],
            65,
            "--loop needs a script that takes some time",
        ),
        (
            "holdover 5s",
            &free,
            &["--speed", "10"],
            65,
            "which is 30s at --speed 10",
        ),
        (
            "drift 200ppm",
            &free,
            &["--speed", "1000"],
            65,
            "more than 100000 ppm at --speed 1000",
        ),
        (
            "wait 1s",
            &free,
            &["--vmclock", "/dev/null"],
            74,
            "/dev/null: this is a device",
        ),
    ] {
        let (found, stderr) = refused(script, to, options);
        assert_eq!(found, Some(code), "{stderr}");
        assert!(stderr.contains(message), "{stderr}");
    }
    assert!(!free.exists());
}
