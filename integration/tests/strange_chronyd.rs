//! The daemon with replies that a real chronyd never sends, or sends at other times.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use integration::fakes::candm::{Report, SOURCE_COMMAND, TRACKING_COMMAND};
use integration::fakes::chronyd::{Answer, FakeChronyd};
use integration::host::sandbox::Sandbox;
use integration::host::wait;
use integration::observe::reader::Reader;
use integration::observe::reading::Status;
use integration::observe::segment::Segment;
use integration::programs::daemon::{Daemon, Launch};
use integration::setup::testbed::shm_path;
use integration::time::truth::Truth;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");
const MS: i64 = 1_000_000;

/// A fake chronyd and the daemon beside it.
struct Pair {
    daemon: Daemon,
    fake: FakeChronyd,
    sandbox: Sandbox,
}

impl Pair {
    fn new(report: impl FnMut() -> Report + Send + 'static) -> Pair {
        let sandbox = Sandbox::new();
        let fake = FakeChronyd::reporting(&sandbox.chrony_dir("chrony"), report);
        let daemon = Launch::new(BIN, fake.socket(), &shm_path(&sandbox)).start();
        Pair {
            daemon,
            fake,
            sandbox,
        }
    }

    fn shm(&self) -> std::path::PathBuf {
        shm_path(&self.sandbox)
    }

    /// Waits until the daemon has polled with the current script.
    fn wait_for_polls(&self, count: u64) {
        let goal = self.fake.requests() + count;
        self.daemon
            .wait_until("polls", || self.fake.requests() >= goal);
    }
}

#[test]
fn the_bound_is_close_to_the_report_once_rates_are_measured() {
    for correction in [0.005_004, -0.005_004, -0.079_8] {
        let pair = Pair::new(move || Report {
            correction,
            root_delay: 0.002,
            root_dispersion: 0.000_3,
            ..Report::healthy()
        });
        Segment::wait_for_status(&pair.shm(), Status::Synchronized);
        let exact = Duration::from_secs_f64(correction.abs() + 0.001 + 0.000_3);
        let exact_ns = i64::try_from(exact.as_nanos()).expect("below a second");
        let excess_ns = || {
            let excess_ns = Segment::settled(&pair.shm()).bound_ns() - exact_ns;
            assert!(
                excess_ns >= 0,
                "{correction}: {excess_ns} ns above {exact_ns}"
            );
            excess_ns
        };
        pair.daemon
            .wait_until("has measured the rate", || excess_ns() < 50_000);
    }
}

#[test]
fn the_status_is_unknown_before_the_first_synchronisation() {
    let pair = Pair::new(Report::unsynchronised);
    Segment::settled(&pair.shm());
    let reader = Reader::start(&pair.shm(), &Truth::default());
    Segment::wait_for_writes(&pair.shm(), 5);
    let seen = reader.finish();
    seen.assert_valid_with_one_status();
    assert_eq!(seen.statuses, [Status::Unknown]);
    pair.fake.report(Report::healthy);
    Segment::wait_for_status(&pair.shm(), Status::Synchronized);
}

#[test]
fn the_status_is_unknown_after_boot() {
    let sandbox = Sandbox::new();
    let fake = FakeChronyd::reporting(&sandbox.chrony_dir("chrony"), Report::unsynchronised);
    let launch = Launch::new(BIN, fake.socket(), &shm_path(&sandbox));
    let _daemon = launch.uptime(Duration::from_secs(20)).start();
    let segment = Segment::wait_for_writes(&shm_path(&sandbox), 5);
    assert_eq!(segment.status(), Status::Unknown);
    assert!(segment.as_of_ns() < 600_000 * MS, "the uptime is faked");
}

#[test]
fn a_chronyd_without_a_reference_makes_the_clock_free_running() {
    let pair = Pair::new(Report::healthy);
    Segment::wait_for_status(&pair.shm(), Status::Synchronized);
    let reader = Reader::start(&pair.shm(), &Truth::default());
    pair.fake.report(Report::unsynchronised);
    reader.wait_for(Status::FreeRunning);
    pair.fake.report(Report::healthy);
    reader.wait_for(Status::Synchronized);
    reader.finish().assert_valid();
}

#[test]
fn impossible_reports_are_rejected() {
    let healthy = Report::healthy();
    let impossible = [
        Report {
            root_dispersion: -1.0,
            ..healthy
        },
        Report {
            root_delay: -1.0,
            ..healthy
        },
        Report {
            root_dispersion: f64::INFINITY,
            ..healthy
        },
        Report {
            correction: f64::INFINITY,
            ..healthy
        },
        Report {
            correction: f64::NEG_INFINITY,
            ..healthy
        },
        Report { leap: 4, ..healthy },
        Report {
            ref_time: (0, 2_000_000_000),
            ..healthy
        },
    ];
    for report in impossible {
        let mut pair = Pair::new(move || report);
        pair.wait_for_polls(5);
        let segment = Segment::settled(&pair.shm());
        assert_eq!(segment.status(), Status::Unknown, "{report:?}");
        assert!(
            segment.bound_ns() >= 0,
            "{report:?}: {}",
            segment.bound_ns()
        );
        assert!(pair.daemon.is_running());
        pair.fake.report(Report::healthy);
        Segment::wait_for_status(&pair.shm(), Status::Synchronized);
    }
}

#[test]
fn the_status_of_a_clock_with_a_large_offset_is_stable() {
    // chronyd's times are those of the corrected clock, half a second from the system clock.
    for (correction_ns, shift_s) in [(500_000_000, 1), (-500_000_000, 0)] {
        let pair = Pair::new(move || {
            let mut report = Report {
                correction: f64::from(correction_ns) / 1e9,
                ..Report::healthy()
            };
            report.ref_time.0 += shift_s;
            report
        });
        Segment::wait_for_status(&pair.shm(), Status::Synchronized);
        let reader = Reader::start(&pair.shm(), &Truth::offset_by_ns(correction_ns.into()));
        pair.wait_for_polls(20);
        reader.finish().assert_valid_with_one_status();
    }
}

#[test]
fn slow_replies_are_accepted() {
    let sandbox = Sandbox::new();
    let fake = FakeChronyd::start(&sandbox.chrony_dir("chrony"), |request| {
        Answer::after(
            Duration::from_millis(800),
            Report::healthy().answer_to(request),
        )
    });
    let shm = shm_path(&sandbox);
    let _daemon = Launch::new(BIN, fake.socket(), &shm).start();
    Segment::wait_for_status(&shm, Status::Synchronized);
    let reader = Reader::start(&shm, &Truth::default());
    Segment::wait_for_writes(&shm, 5);
    reader.finish().assert_valid_with_one_status();
}

#[test]
fn a_late_reply_is_not_taken_for_the_reply_to_a_later_request() {
    let pair = Pair::new(Report::healthy);
    Segment::wait_for_status(&pair.shm(), Status::Synchronized);
    let mut first = true;
    // The late reply has a correction of 100 ms, later ones have 10 us.
    pair.fake.set(move |request| {
        let late = std::mem::take(&mut first);
        let correction = if late { 0.1 } else { 10e-6 };
        let after = Duration::from_millis(if late { 3000 } else { 0 });
        Answer::after(
            after,
            Report {
                correction,
                ..Report::healthy()
            }
            .answer_to(request),
        )
    });
    pair.wait_for_polls(2);
    Segment::wait_for_status(&pair.shm(), Status::Synchronized);
    let near = || Segment::settled(&pair.shm()).bound_ns() < 10 * MS;
    wait::holds(
        Duration::from_secs(2),
        "every reply is to the latest request",
        near,
    );
}

#[test]
fn invalid_datagrams_are_ignored() {
    let mut pair = Pair::new(Report::healthy);
    Segment::wait_for_status(&pair.shm(), Status::Synchronized);
    let reader = Reader::start(&pair.shm(), &Truth::default());
    pair.fake.set(|request| {
        let good = Report::healthy().answer_to(request);
        let mut other_sequence = Report {
            correction: 9.0,
            ..Report::healthy()
        }
        .answer_to(request);
        other_sequence[16] ^= 0xff;
        let mut other_version = good.clone();
        other_version[0] = 5;
        let junk = [
            vec![],
            vec![0; 3],
            good[..20].to_vec(),
            vec![0xff; 2000],
            other_sequence,
        ];
        let at = |n: usize, bytes| Answer {
            after: Duration::from_millis(n as u64),
            bytes,
        };
        junk.into_iter()
            .chain([good])
            .enumerate()
            .map(|(n, bytes)| at(n, bytes))
            .collect()
    });
    pair.wait_for_polls(20);
    assert!(pair.daemon.is_running());
    Segment::wait_for_status(&pair.shm(), Status::Synchronized);
    let seen = reader.finish();
    seen.assert_valid();
    assert!(!seen.statuses.contains(&Status::Unknown), "{seen:?}");
}

#[test]
fn the_clock_is_free_running_while_chronyd_does_not_reply() {
    let pair = Pair::new(Report::healthy);
    Segment::wait_for_status(&pair.shm(), Status::Synchronized);
    let reader = Reader::start(&pair.shm(), &Truth::default());
    pair.fake.set(|_| Vec::new());
    reader.wait_for(Status::FreeRunning);
    pair.fake.report(Report::healthy);
    reader.wait_for(Status::Synchronized);
    reader.finish().assert_valid();
}

#[test]
fn the_segment_is_written_while_chronyd_does_not_reply() {
    let pair = Pair::new(Report::healthy);
    Segment::wait_for_status(&pair.shm(), Status::Synchronized);
    let generations = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&generations);
    let path = pair.shm();
    pair.fake.set(move |request| {
        if request.command == TRACKING_COMMAND {
            let generation = Segment::settled(&path).generation();
            noted.lock().expect("note").push(generation);
        }
        Vec::new()
    });
    // A batch has up to two requests of this kind. The next one follows when the daemon has waited
    // 2 s for replies.
    let writes_between = |noted: &Vec<u16>| {
        let pairs = noted.iter().zip(noted.iter().skip(1));
        pairs
            .map(|(&before, after)| after.wrapping_sub(before) / 2)
            .max()
    };
    pair.daemon.wait_until("writes between two batches", || {
        writes_between(&generations.lock().expect("noted")) > Some(5)
    });
}

/// Requests to a chronyd that updates the clock with every fourth tracking report.
#[derive(Default)]
struct Updates {
    reports: u64,
    source_requests: u64,
}

#[test]
fn the_source_is_requested_again_after_each_update_of_the_clock() {
    let pair = Pair::new(Report::unsynchronised);
    let updates = Arc::new(Mutex::new(Updates::default()));
    let counted = Arc::clone(&updates);
    pair.fake.set(move |request| {
        let mut updates = counted.lock().expect("count");
        Answer::at_once(match request.command {
            TRACKING_COMMAND => {
                updates.reports += 1;
                let mut report = Report::healthy();
                report.ref_time.1 = 1_000 * u32::try_from(updates.reports / 4).expect("a few");
                report.reply_to(request)
            }
            SOURCE_COMMAND if request.index > 0 => request.no_such_source(),
            SOURCE_COMMAND => {
                updates.source_requests += 1;
                Report::healthy().source_reply_to(request)
            }
            _ => request.refuse(),
        })
    });
    let reports = || updates.lock().expect("count").reports;
    pair.daemon
        .wait_until("a hundred reports", || reports() >= 100);
    let updates = updates.lock().expect("count");
    // A request for each of 25 updates; one a second would be about ten.
    assert!(
        updates.source_requests >= 20,
        "{} requests",
        updates.source_requests
    );
    drop(updates);
    Segment::wait_for_status(&pair.shm(), Status::Synchronized);
}
