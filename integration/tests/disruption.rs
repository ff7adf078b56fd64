//! Clock disruptions, which a VMClock page in a file announces: the daemon beside a real chronyd,
//! and readers of each generation.

mod published;

use std::io::{self, Write as _};
use std::thread;
use std::time::Duration;

use clockbound_client::OpenOptions;
use integration::fakes::ntp_server::NtpServer;
use integration::fakes::vmclock::{DISRUPTION_IMMINENT, DISRUPTION_SOON, VmClock};
use integration::host::sandbox::{Sandbox, vmclock_path};
use integration::host::wait;
use integration::observe::layout::{Layout, Read};
use integration::observe::publications::Publications;
use integration::observe::reader::Reader;
use integration::observe::reading::Status;
use integration::observe::segment::Segment;
use integration::programs::chronyd::{Chronyd, polled_server_line};
use integration::programs::daemon::{Daemon, Launch};
use integration::setup::testbed::{Testbed, shm_path};
use integration::time::truth::Truth;
use nix::sys::signal::Signal;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");

/// The daemon's polling interval in these tests.
const TICK: Duration = Duration::from_millis(100);
/// How long a status that must not change is watched.
const WATCHED: Duration = Duration::from_secs(1);

const RESET: &str = "sources of chronyd were reset";
const RESET_FAILS: &str = "failed to reset the sources of chronyd";
const DISRUPTED: &str = "clock was disrupted";

/// A synchronised daemon with a VMClock page.
struct Disruptable {
    page: VmClock,
    daemon: Daemon,
    testbed: Testbed,
}

impl Disruptable {
    fn start(arguments: &[&str]) -> Disruptable {
        let testbed = Testbed::new();
        let page = VmClock::create(&vmclock_path(&testbed.shm()));
        let launch = testbed.launch(BIN).args(arguments.iter().copied());
        let daemon = testbed.start_with(&launch);
        Disruptable {
            page,
            daemon,
            testbed,
        }
    }

    fn readers(&self) -> Vec<Checked> {
        layouts().iter().map(|layout| self.open(layout)).collect()
    }

    fn open(&self, layout: &Layout) -> Checked {
        let shm = self.testbed.shm();
        let read = wait::until_some(wait::PATIENCE, layout.name, || (layout.open)(&shm).ok());
        Checked {
            layout: *layout,
            read,
            truth: self.testbed.truth.clone(),
        }
    }

    fn reader(&self, layout: Layout) -> Reader {
        Reader::of(layout, &self.testbed.shm(), &self.testbed.truth)
    }

    fn resets(&self) -> usize {
        self.daemon.count_log(RESET)
    }
}

/// Every layout, read by every client library.
fn layouts() -> Vec<Layout> {
    published::has_v3("the 3.x segment in a test of disruptions");
    published::all()
}

/// A reader whose trusted intervals are compared with true time.
struct Checked {
    layout: Layout,
    read: Read,
    truth: Truth,
}

impl Checked {
    #[track_caller]
    fn status(&mut self) -> Status {
        let before_ns = self.truth.now_ns();
        let reading = (self.read)();
        let after_ns = self.truth.now_ns();
        let name = self.layout.name;
        let reading = reading.unwrap_or_else(|err| panic!("{name}: {err}"));
        let trusted = matches!(reading.status, Status::Synchronized | Status::FreeRunning);
        let contains = reading.earliest_ns <= after_ns && before_ns <= reading.latest_ns;
        assert!(contains || !trusted, "{name}: {reading:?} at {before_ns}");
        reading.status
    }

    /// What it shows while the markers differ: 2.0.3 has Disrupted for the daemon's word only.
    fn differing(&self) -> Status {
        match self.layout.name == published::V2.name {
            true => Status::Unknown,
            false => Status::Disrupted,
        }
    }

    /// What it shows after the daemon has published a disruption: v1 has no status for it.
    fn disrupted(&self) -> Status {
        match self.layout.compares_marker {
            true => Status::Disrupted,
            false => Status::Unknown,
        }
    }
}

#[track_caller]
fn assert_statuses(readers: &mut [Checked], status: impl Fn(&Checked) -> Status) {
    for reader in readers {
        let expected = status(reader);
        assert_eq!(reader.status(), expected, "{}", reader.layout.name);
    }
}

#[track_caller]
fn wait_for_statuses(daemon: &Daemon, readers: &mut [Checked], status: fn(&Checked) -> Status) {
    for reader in readers {
        let expected = status(reader);
        let what = format!("{}: {expected:?}", reader.layout.name);
        daemon.wait_until(&what, || reader.status() == expected);
    }
}

fn synchronized(_: &Checked) -> Status {
    Status::Synchronized
}

#[test]
fn every_library_detects_a_disruption_in_the_first_read_after_it() {
    let mut machine = Disruptable::start(&[]);
    let mut readers = machine.readers();
    wait_for_statuses(&machine.daemon, &mut readers, synchronized);
    // The readers compare the markers themselves. v1 has none.
    machine.daemon.freeze();
    machine.page.disrupt();
    assert_statuses(&mut readers, |reader| match reader.layout.compares_marker {
        true => reader.differing(),
        false => Status::Synchronized,
    });
    // So do those that are opened afterwards.
    let mut late = machine.readers();
    late.retain(|reader| reader.layout.compares_marker);
    assert_statuses(&mut late, Checked::differing);
    machine.testbed.chronyd.freeze();
    machine.daemon.thaw();
    machine.daemon.wait_for_log(DISRUPTED);
    wait_for_statuses(&machine.daemon, &mut readers, Checked::disrupted);
    machine.testbed.chronyd.thaw();
    wait_for_statuses(&machine.daemon, &mut readers, synchronized);
    wait_for_statuses(&machine.daemon, &mut late, synchronized);
    assert!(machine.resets() > 0, "{:#?}", machine.daemon.log());
}

#[test]
fn a_change_of_the_generation_alone_is_a_disruption() {
    let mut machine = Disruptable::start(&[]);
    let mut readers = machine.readers();
    wait_for_statuses(&machine.daemon, &mut readers, synchronized);
    // No reader looks at it, so they follow the daemon. Without chronyd trust does not return.
    machine.testbed.chronyd.freeze();
    machine.page.change_generation();
    wait_for_statuses(&machine.daemon, &mut readers, Checked::disrupted);
    machine.testbed.chronyd.thaw();
    wait_for_statuses(&machine.daemon, &mut readers, synchronized);
}

#[test]
fn a_page_that_is_being_written_is_never_trusted_for_long_and_delays_nothing() {
    let machine = Disruptable::start(&[]);
    let shm = machine.testbed.shm();
    let mut own = [Layout::NATIVE, Layout::V1, Layout::V2].map(|layout| machine.open(&layout));
    wait_for_statuses(&machine.daemon, &mut own, synchronized);
    // The published libraries wait for the end of the write, so they are not read meanwhile.
    machine.page.begin_update();
    machine.daemon.wait_until("not trusted", || {
        !matches!(own[0].status(), Status::Synchronized | Status::FreeRunning)
    });
    Segment::wait_for_writes(&shm, 10);
    machine.page.end_update();
    wait_for_statuses(&machine.daemon, &mut own, synchronized);
    // Continuous updates, which no reader may see torn.
    let mut readers = machine.readers();
    let writer = machine.page.write_continuously();
    Segment::wait_for_writes(&shm, 20);
    for reader in readers.iter_mut().chain(&mut own) {
        reader.status();
    }
    writer.finish();
    wait_for_statuses(&machine.daemon, &mut readers, synchronized);
}

#[test]
fn without_support_no_library_looks_at_the_page() {
    let machine = Disruptable::start(&["--disable-clock-disruption-support"]);
    let mut readers = machine.readers();
    wait_for_statuses(&machine.daemon, &mut readers, synchronized);
    machine.page.restore();
    let shm = machine.testbed.shm();
    let status = machine.reader(Layout::V2);
    Segment::wait_for_writes(&shm, 10);
    status.finish().assert_valid_with_one_status();
    assert_statuses(&mut readers, synchronized);
    // The drill is part of the support.
    machine.daemon.signal(Signal::SIGUSR1);
    machine.daemon.wait_for_log("ignoring the signal");
    Segment::wait_for_writes(&shm, 10);
    assert_statuses(&mut readers, synchronized);
    assert_eq!(machine.resets(), 0);
    // Nor does a library need one.
    std::fs::remove_file(vmclock_path(&shm)).expect("there");
    let mut late = machine.readers();
    assert_statuses(&mut late, synchronized);
}

/// What is wrong with a page, and how it becomes so.
type Damage = (&'static str, fn(&VmClock));

/// Pages that cannot be used.
fn invalid_pages() -> [Damage; 4] {
    [
        ("a wrong magic number", |page| page.set_magic(0x4b4c_4357)),
        ("an unknown version", |page| page.set_version(2)),
        ("a page of 103 bytes", |page| page.truncate(103)),
        ("an empty page", |page| page.truncate(0)),
    ]
}

#[test]
fn without_a_valid_page_the_daemon_runs_unprotected_and_says_so_once() {
    let testbed = Testbed::new();
    let path = vmclock_path(&testbed.shm());
    for (what, damage) in [("no page", None)]
        .into_iter()
        .chain(invalid_pages().map(|(what, damage)| (what, Some(damage))))
    {
        if let Some(damage) = damage {
            damage(&VmClock::create(&path));
        }
        let mut daemon = testbed.start(BIN);
        for layout in layouts() {
            let mut reader = Checked {
                layout,
                read: wait::until_some(wait::PATIENCE, layout.name, || {
                    (layout.open)(&testbed.shm()).ok()
                }),
                truth: testbed.truth.clone(),
            };
            daemon.wait_until(what, || reader.status() == Status::Synchronized);
        }
        let path_text = path.to_string_lossy();
        daemon.wait_for_log(&path_text);
        let said = daemon.count_log(&path_text);
        assert_eq!(said, 1, "{what}: {:#?}", daemon.log());
        daemon.terminate();
        let _ = std::fs::remove_file(&path);
    }
}

#[test]
fn the_daemon_exits_without_the_page_that_is_required() {
    let sandbox = Sandbox::new();
    let shm = shm_path(&sandbox);
    let path = vmclock_path(&shm);
    let launch = Launch::new(BIN, &sandbox.path("none.sock"), &shm).args(["--require-vmclock"]);
    for (what, damage) in [("no page", None)]
        .into_iter()
        .chain(invalid_pages().map(|(what, damage)| (what, Some(damage))))
    {
        if let Some(damage) = damage {
            damage(&VmClock::create(&path));
        }
        let (exit, log) = launch.run();
        assert_eq!(exit.code, Some(66), "{what}: {log:#?}");
        let [line] = &log[..] else {
            panic!("{what}: one line, not {log:#?}")
        };
        assert!(line.contains(&*path.to_string_lossy()), "{what}: {line}");
        assert!(!shm.exists(), "{what}: it left a segment");
        let _ = std::fs::remove_file(&path);
    }
}

#[test]
fn announcements_of_the_host_are_in_the_log_and_the_native_record() {
    let machine = Disruptable::start(&[]);
    let shm = machine.testbed.shm();
    let client = OpenOptions::new()
        .path(shm.with_file_name("native"))
        .vmclock(vmclock_path(&shm))
        .open()
        .expect("opens");
    let host = || {
        let details = client.record().expect("readable");
        (
            details.disruption_soon,
            details.disruption_imminent,
            details.tai_offset_s,
        )
    };
    assert_eq!(host(), (false, false, None));
    for (flags, expected, logged) in [
        (DISRUPTION_SOON, (true, false, None), "within a day"),
        (DISRUPTION_IMMINENT, (false, true, None), "within an hour"),
        (0, (false, false, None), "none"),
    ] {
        machine.page.set_flags(flags);
        machine.daemon.wait_until(logged, || host() == expected);
        machine.daemon.wait_for_log(logged);
    }
    machine.page.set_tai_offset(37);
    machine.page.set_leap(1);
    machine
        .daemon
        .wait_until("the TAI offset", || host().2 == Some(37));
    machine.daemon.wait_until("the leap second in the log", || {
        machine.daemon.count_log("tai_offset_s: 37") > 0
    });
    // Announcements are no disruption.
    let mut reader = machine.open(&Layout::NATIVE);
    assert_eq!(reader.status(), Status::Synchronized);
    assert_eq!(machine.daemon.count_log(DISRUPTED), 0);
}

/// Disrupts a machine whose chronyd polls every 64 s, when `is_ready`; it has to be synchronised
/// again before the next poll.
fn assert_measured_before_the_next_poll(is_ready: impl Fn(&Chronyd) -> bool) {
    let sandbox = Sandbox::new();
    let server = NtpServer::start(&Truth::default());
    let line = polled_server_line(server.address(), 6);
    let mut chronyd = Chronyd::new(&sandbox, "chrony", &["port 0", &line]);
    chronyd.start_synchronised();
    let shm = shm_path(&sandbox);
    let page = VmClock::create(&vmclock_path(&shm));
    let daemon = Launch::new(BIN, &chronyd.socket(), &shm).start();
    Segment::wait_for_status(&shm, Status::Synchronized);
    daemon.wait_until("chronyd is ready", || is_ready(&chronyd));
    let selected = |line: &&String| line.contains("Selected source");
    let selections = || chronyd.log().iter().filter(selected).count();
    let (resets, selected_before) = (daemon.count_log(RESET), selections());
    let before = server.requests();
    page.restore();
    daemon.wait_until("a reset", || daemon.count_log(RESET) > resets);
    daemon.wait_until("requests of chronyd", || server.requests() > before);
    daemon.wait_until("synchronised again", || {
        Segment::read(&shm).is_ok_and(|segment| segment.status() == Status::Synchronized)
    });
    // chronyd has lost its source meanwhile.
    assert!(selections() > selected_before, "{:#?}", chronyd.log());
}

#[test]
fn chronyd_that_polls_rarely_is_made_to_measure_at_once() {
    assert_measured_before_the_next_poll(|chronyd| chronyd.bursting_sources() == Some(0));
}

#[test]
fn chronyd_that_is_in_its_first_burst_is_made_to_measure_soon() {
    assert_measured_before_the_next_poll(|chronyd| chronyd.bursting_sources() == Some(1));
}

#[test]
fn without_chronyd_the_clock_stays_disrupted_until_it_is_back() {
    let mut machine = Disruptable::start(&[]);
    let mut readers = machine.readers();
    wait_for_statuses(&machine.daemon, &mut readers, synchronized);
    machine.testbed.chronyd.kill();
    // Also at the start of the daemon, which resumes nothing.
    let resets = machine.resets();
    machine.page.restore();
    wait_for_statuses(&machine.daemon, &mut readers, Checked::disrupted);
    machine.daemon.wait_for_log(RESET_FAILS);
    wait::holds(WATCHED, "disrupted", || {
        readers
            .iter_mut()
            .all(|reader| reader.status() == reader.disrupted())
    });
    assert_eq!(machine.resets(), resets);
    machine.testbed.chronyd.start();
    machine
        .daemon
        .wait_until("a reset", || machine.daemon.count_log(RESET) > resets);
    wait_for_statuses(&machine.daemon, &mut readers, synchronized);
}

/// Publications in a time of this length at least: half of what the tick gives.
fn expected_publications(span: Duration) -> u64 {
    u64::try_from(span.as_millis() / TICK.as_millis() / 2).expect("fits")
}

#[test]
fn a_disruption_delays_no_publication_while_chronyd_hangs() {
    let mut machine = Disruptable::start(&[]);
    let shm = machine.testbed.shm();
    let publications = Publications::watch(&shm);
    machine.testbed.chronyd.freeze();
    // Each one needs a new reset, and no reset is answered.
    let span = Duration::from_secs(4);
    let before = publications.count();
    for _ in 0..4 {
        machine.page.restore();
        thread::sleep(span / 4);
    }
    let count = publications.count() - before;
    let at_least = expected_publications(span);
    // println! is captured in tests that pass.
    let _ = writeln!(
        io::stdout(),
        "report: {count} publications in {} s with four disruptions and a chronyd that hangs",
        span.as_secs()
    );
    assert!(count >= at_least, "{count} publications, not {at_least}");
    machine.testbed.chronyd.thaw();
    Segment::wait_for_status(&shm, Status::Synchronized);
}

#[test]
fn a_drill_disrupts_every_layout_until_it_is_ended() {
    let machine = Disruptable::start(&[]);
    let mut readers = machine.readers();
    wait_for_statuses(&machine.daemon, &mut readers, synchronized);
    machine.daemon.signal(Signal::SIGUSR1);
    wait_for_statuses(&machine.daemon, &mut readers, Checked::disrupted);
    machine.daemon.wait_for_log(RESET);
    // chronyd has new measurements, but the drill is not over.
    wait::holds(WATCHED, "disrupted", || {
        readers
            .iter_mut()
            .all(|reader| reader.status() == reader.disrupted())
    });
    machine.daemon.signal(Signal::SIGUSR2);
    wait_for_statuses(&machine.daemon, &mut readers, synchronized);
}

/// Restarts the daemon beside a chronyd that does not answer; returns the status of each reader
/// after some publications.
fn statuses_after_restart(while_down: fn(&VmClock)) -> Vec<(Layout, Status)> {
    let mut machine = Disruptable::start(&[]);
    let mut readers = machine.readers();
    wait_for_statuses(&machine.daemon, &mut readers, synchronized);
    machine.testbed.chronyd.freeze();
    machine.daemon.kill();
    while_down(&machine.page);
    machine.daemon = machine.testbed.launch(BIN).start();
    Segment::wait_for_writes(&machine.testbed.shm(), 10);
    let status = |reader: &mut Checked| (reader.layout, reader.status());
    readers.iter_mut().map(status).collect()
}

#[test]
fn a_daemon_that_starts_after_a_disruption_resumes_nothing() {
    let is_trusted = |status: &Status| matches!(status, Status::Synchronized | Status::FreeRunning);
    for (layout, status) in statuses_after_restart(VmClock::restore) {
        assert!(!is_trusted(&status), "{}: {status:?}", layout.name);
    }
    // The control: without a disruption it resumes. The 3.x segment needs a new calibration.
    for (layout, status) in statuses_after_restart(|_| ()) {
        let resumes = [Layout::NATIVE.name, Layout::V1.name, Layout::V2.name];
        if resumes.contains(&layout.name) {
            assert!(is_trusted(&status), "{}: {status:?}", layout.name);
        }
    }
}
