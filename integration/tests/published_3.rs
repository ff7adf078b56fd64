//! The published client library 3.0.0-rc.0, in Rust and in C, with segments that this project's
//! writer publishes: opens during publication, killed daemons, and a control.

mod published;

use std::io::{self, Write as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use integration::fakes::vmclock::VmClock;
use integration::host::background::Background;
use integration::host::sandbox::{Sandbox, vmclock_path};
use integration::observe::layout::Layout;
use integration::observe::reader::Reader;
use integration::observe::reading::Status;
use integration::observe::samples::{LayoutSamples, Sample};
use integration::observe::segment::Segment;
use integration::setup::testbed::{Testbed, shm_path};
use integration::time::truth::{Course, Truth};
use shm_layout::counter;
use shm_layout::layout::v3::{Fraction, V3Record};
use shm_layout::writer::V3Segment;
use shm_layout::{ClockStatus, Disruption};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");

/// The time between publications.
const PERIOD: Duration = Duration::from_millis(1);
/// Number of opens of each library.
const OPENS: u64 = 100_000;
/// How often an open is repeated that came amid a publication.
const REOPENS: usize = 3;
/// How often the daemon is killed.
const KILLS: usize = 20;

/// How long the counter is compared with true time, and a record is not renewed afterwards.
const CALIBRATION: Duration = Duration::from_secs(1);
const HELD: Duration = Duration::from_secs(6);
/// The bound of a record: less than what a wrong period adds while the record is held.
const BOUND_NS: i64 = 2_000;
/// The relative error of the calibration at most.
const PERIOD_ERROR: f64 = 2e-7;
const ONE_PPM: f64 = 1e-6;

/// True time and a value of the counter at the same time: the narrowest of several brackets.
#[derive(Clone, Copy, Debug)]
struct Pair {
    counter: u64,
    true_ns: i64,
}

impl Pair {
    fn read(truth: &Truth) -> Pair {
        let bracket = |_| {
            let before = counter::read().expect("a counter");
            let true_ns = truth.now_ns();
            let after = counter::read().expect("a counter");
            let counter = before.midpoint(after);
            (after - before, Pair { counter, true_ns })
        };
        let narrowest = (0..20).map(bracket).min_by_key(|(width, _)| *width);
        narrowest.expect("some brackets").1
    }
}

/// The counter's period in seconds, measured for [`CALIBRATION`].
#[expect(
    clippy::cast_precision_loss,
    reason = "about a second, in ns and ticks"
)]
fn measured_period(truth: &Truth) -> f64 {
    let first = Pair::read(truth);
    thread::sleep(CALIBRATION);
    let last = Pair::read(truth);
    (last.true_ns - first.true_ns) as f64 / 1e9 / (last.counter - first.counter) as f64
}

/// A number below 1 as a fraction with 64 significant bits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the fraction is in [0.5, 1), and its shift is below 64"
)]
fn fraction(number: f64) -> Fraction {
    let shift = (-number.log2()).floor();
    Fraction {
        frac: (number * (64.0 + shift).exp2()) as u64,
        shift: shift as u8,
    }
}

/// A record that holds from now on, without a drift rate.
fn record(truth: &Truth, period_s: f64, disruption: Disruption) -> V3Record {
    let now = Pair::read(truth);
    V3Record {
        as_of_counter: now.counter,
        as_of_ns: now.true_ns,
        void_after_ns: now.true_ns + 1_000_000_000_000,
        period: fraction(period_s),
        period_error: fraction(PERIOD_ERROR),
        bound_ns: BOUND_NS,
        disruption,
        max_drift_ppb: 0,
        status: ClockStatus::Synchronized,
        is_simulated: false,
    }
}

/// A thread that publishes every millisecond, and counts.
fn publish_continuously(
    segment: V3Segment,
    truth: &Truth,
    period_s: f64,
    disruption: Disruption,
) -> (Background<()>, Arc<AtomicU64>) {
    let count = Arc::<AtomicU64>::default();
    let thread = {
        let (truth, count) = (truth.clone(), Arc::clone(&count));
        Background::start(move |stop: &AtomicBool| {
            while !stop.load(Ordering::Relaxed) {
                segment.publish(&record(&truth, period_s, disruption));
                count.fetch_add(1, Ordering::Relaxed);
                thread::sleep(PERIOD);
            }
        })
    };
    (thread, count)
}

/// A sandbox with the directory of the segments and a VMClock page.
fn sandbox_with_page() -> (Sandbox, VmClock) {
    let sandbox = Sandbox::new();
    let page = VmClock::create(&vmclock_path(&shm_path(&sandbox)));
    (sandbox, page)
}

/// Opens a segment that is published every millisecond, [`OPENS`] times, and reads it once each
/// time.
///
/// The published library keeps an empty record when it is opened while the generation is odd. Such
/// a client reads Unknown until the next publication, or with disruption support an error for ever.
/// The writer can only make this time short. The next open must succeed.
fn open_often(layout: &Layout, supported: bool) {
    let (sandbox, page) = sandbox_with_page();
    let shm = shm_path(&sandbox);
    let truth = Truth::on_raw(Course::default());
    let period_s = measured_period(&truth);
    let marker = page.marker();
    let disruption = Disruption { marker, supported };
    let first = record(&truth, period_s, disruption);
    let nothing = |now_ns| V3Record {
        disruption,
        ..V3Record::no_claim(now_ns)
    };
    let (segment, _) = V3Segment::open_with(&shm.with_file_name("shm1"), nothing).expect("opens");
    segment.publish(&first);
    let (publisher, count) = publish_continuously(segment, &truth, period_s, disruption);
    let began = Instant::now();
    let mut seen = LayoutSamples::of(layout);
    let mut unlucky = 0;
    for _ in 0..OPENS {
        let mut opened = LayoutSamples::of(layout);
        let mut open = || {
            let mut read = (layout.open)(&shm).expect("opens");
            opened.take(&mut read, &truth, began);
            opened.samples.last().is_some_and(Sample::is_trusted)
        };
        if !open() {
            unlucky += 1;
            assert!((0..REOPENS).any(|_| open()), "{:?}", opened.details);
        }
        seen.violations.extend(opened.violations);
        seen.details.extend(opened.details);
    }
    publisher.finish();
    let _ = writeln!(
        io::stdout(),
        "report: {}, support {}: {OPENS} opens during {} publications in {:.1} s, {unlucky} amid \
         a publication, {} violations",
        layout.name,
        u8::from(supported),
        count.load(Ordering::Relaxed),
        began.elapsed().as_secs_f64(),
        seen.violations.len()
    );
    assert!(count.load(Ordering::Relaxed) > 100, "it publishes");
    assert!(seen.violations.is_empty(), "{:?}", seen.details);
    assert!(unlucky < OPENS / 1_000, "{unlucky}: {:?}", seen.details);
}

#[test]
fn the_rust_library_opens_a_segment_during_publication() {
    if published::has_v3("the_rust_library_opens_a_segment_during_publication") {
        open_often(&published::V3, false);
        open_often(&published::V3, true);
    }
}

#[test]
fn the_c_library_opens_a_segment_during_publication() {
    if published::has_v3("the_c_library_opens_a_segment_during_publication") {
        let [.., c] = published::V3_LAYOUTS;
        open_often(&c, false);
        open_often(&c, true);
    }
}

/// Reads one record until it is [`HELD`] old; returns the number of violations of each library.
fn violations_of_a_period(sandbox: &Sandbox, factor: f64) -> Vec<(&'static str, usize)> {
    let shm = shm_path(sandbox);
    let truth = Truth::on_raw(Course::default());
    let period_s = measured_period(&truth) * factor;
    let (segment, _) = V3Segment::open(&shm.with_file_name("shm1")).expect("opens");
    segment.publish(&record(&truth, period_s, Disruption::default()));
    let began = Instant::now();
    let mut seen = published::V3_LAYOUTS.map(|layout| {
        let read = (layout.open)(&shm).expect("opens");
        (read, LayoutSamples::of(&layout))
    });
    while began.elapsed() < HELD {
        for (read, samples) in &mut seen {
            samples.take(read, &truth, began);
        }
        thread::sleep(PERIOD);
    }
    seen.iter()
        .map(|(_, seen)| {
            assert_eq!(seen.errors, 0, "{:?}", seen.details);
            assert!(
                seen.samples
                    .iter()
                    .all(|sample| sample.status == Status::Synchronized)
            );
            (seen.layout.name, seen.violations.len())
        })
        .collect()
}

#[test]
fn a_period_that_is_wrong_by_one_ppm_is_a_violation_and_a_measured_one_is_none() {
    let name = "a_period_that_is_wrong_by_one_ppm_is_a_violation_and_a_measured_one_is_none";
    if !published::has_v3(name) {
        return;
    }
    for (name, violations) in violations_of_a_period(&Sandbox::new(), 1.0) {
        assert_eq!(violations, 0, "{name}");
    }
    for factor in [1.0 + ONE_PPM, 1.0 - ONE_PPM] {
        for (name, violations) in violations_of_a_period(&Sandbox::new(), factor) {
            assert!(violations > 0, "{name}, period times {factor}");
        }
    }
}

/// The readers of the 3.x segment.
fn readers(path: &Path, truth: &Truth) -> [Reader; 3] {
    published::V3_LAYOUTS.map(|layout| Reader::of(layout, path, truth))
}

#[test]
fn readers_of_the_3_x_segment_are_unaffected_by_killed_daemons() {
    if !published::has_v3("readers_of_the_3_x_segment_are_unaffected_by_killed_daemons") {
        return;
    }
    let testbed = Testbed::new();
    let shm = testbed.shm();
    let mut daemon = testbed.start(BIN);
    daemon.wait_until("the 3.x segment is there", || {
        shm.with_file_name("shm1").exists()
    });
    let old = readers(&shm, &testbed.truth);
    for _ in 0..KILLS {
        daemon.kill();
        daemon = testbed.launch(BIN).start();
        Segment::wait_for_writes(&shm, 2);
    }
    let new = readers(&shm, &testbed.truth);
    for reader in old.iter().chain(&new) {
        reader.wait_for(Status::Synchronized);
    }
    for reader in old.into_iter().chain(new) {
        reader.finish().assert_valid();
    }
    daemon.terminate();
}
