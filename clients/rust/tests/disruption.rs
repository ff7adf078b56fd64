//! A client and the VMClock page: a file in the place of the device.

mod segments;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use clockbound_client::conformance::follow_at_once;
use clockbound_client::{Client, Error, Interval, Layout, OpenOptions, Reason, Status};
use nix::time::ClockId;
use shm_layout::native::NativeRecord;
use shm_layout::v2::V2Record;
use shm_layout::v3::V3Record;
use shm_layout::writer::{V2Segment, V3Segment};
use shm_layout::{Disruption, HostNotice};

use segments::{
    HALF_NS, S, SegmentDirectory, VmClockPage, clock_ns, native, now_ns, silent, v1, v3, wait_until,
};

const DISRUPTED: (Status, Reason) = (Status::Disrupted, Reason::Disrupted);

/// Publishes a record that holds under a disruption marker.
type Publish = Box<dyn Fn(&SegmentDirectory, u64)>;

fn supported(marker: u64) -> Disruption {
    Disruption {
        marker,
        supported: true,
    }
}

fn native_under(marker: u64) -> NativeRecord {
    let record = native(Status::Synchronized, HALF_NS);
    NativeRecord {
        disruption: supported(marker),
        ..record
    }
}

fn v2_under(marker: u64) -> V2Record {
    V2Record {
        disruption: supported(marker),
        ..v1(HALF_NS).into()
    }
}

/// Publishes a v2 record. A file that was written without disruption support keeps that.
fn publish_v2_under(directory: &SegmentDirectory, marker: u64) -> V2Segment {
    let path = directory.path("shm0");
    let (segment, _) = V2Segment::open_with(&path, |_| v2_under(marker)).expect("a segment");
    segment.publish(&v2_under(marker));
    segment
}

/// Returns the file names of the layouts with a disruption marker, and how they are published.
fn layouts() -> Vec<(&'static str, Publish)> {
    let mut layouts: Vec<(_, Publish)> = vec![
        (
            "native",
            Box::new(|directory, marker| drop(directory.publish_native(&native_under(marker)))),
        ),
        (
            "shm0",
            Box::new(|directory, marker| {
                publish_v2_under(directory, marker);
            }),
        ),
    ];
    if v3(HALF_NS).is_some() {
        layouts.push((
            "shm1",
            Box::new(|directory, marker| {
                let record = || V3Record {
                    disruption: supported(marker),
                    ..v3(HALF_NS).expect("a counter")
                };
                let path = directory.path("shm1");
                let (segment, _) = V3Segment::open_with(&path, |_| record()).expect("a segment");
                segment.publish(&record());
            }),
        ));
    } else {
        let _ = writeln!(
            std::io::stdout(),
            "skipped: v3: a program cannot read the counter"
        );
    }
    layouts
}

fn open(path: &Path, page: &Path, follow: bool) -> Result<Client, Error> {
    let options = OpenOptions::new().path(path).vmclock(page);
    options.follow(follow).open()
}

fn status_of(interval: &Interval) -> (Status, Reason) {
    (interval.status(), interval.reason())
}

#[test]
fn another_marker_reads_as_disrupted_from_the_next_read_on() {
    for (name, publish) in layouts() {
        for follow in [true, false] {
            let directory = SegmentDirectory::new();
            publish(&directory, 7);
            let page = VmClockPage::new(directory.path("vmclock"), 7);
            let client = open(&directory.path(name), &page.0, follow).expect("a client");
            let now = || client.now().expect("an interval");
            for _ in 0..3 {
                let (before_ns, now, after_ns) = (now_ns(), now(), now_ns());
                assert_eq!(now.status(), Status::Synchronized, "{name}");
                assert!(now.earliest_ns() <= after_ns && before_ns <= now.latest_ns());
            }
            page.set_marker(8);
            for _ in 0..3 {
                assert_eq!(status_of(&now()), DISRUPTED, "{name}");
            }
            let record = client.record().expect("a record");
            assert_eq!((record.status, record.reason), DISRUPTED, "{name}");
            assert_eq!(
                (record.disruption_supported, record.disruption_marker),
                (true, Some(7))
            );
            assert!(matches!(
                client.commit_wait_ns(0),
                Err(Error::Untrusted {
                    status: Status::Disrupted,
                    reason: Reason::Disrupted,
                })
            ));
            // The daemon has new measurements.
            publish(&directory, 8);
            for _ in 0..3 {
                assert_eq!(now().status(), Status::Synchronized, "{name}");
            }
            // A write of the page that is in progress has no effect: the marker is one word.
            page.put(12, &1_u32.to_le_bytes());
            assert_eq!(now().status(), Status::Synchronized, "{name}");
            page.set_marker(9);
            assert_eq!(status_of(&now()), DISRUPTED, "{name}");
        }
    }
}

#[test]
fn intervals_of_other_instants_are_disrupted_as_well() {
    let directory = SegmentDirectory::new();
    let record = native_under(7);
    let _segment = directory.publish_native(&NativeRecord {
        valid_since_ns: record.as_of_ns - 100 * S,
        realtime_since_ns: record.as_of_ns - 50 * S,
        realtime_slowest: -(1 << 22),
        realtime_fastest: 1 << 22,
        realtime_error_ns: 1_000_000,
        realtime_ns: record.earliest_ns + HALF_NS,
        ..record
    });
    let page = VmClockPage::new(directory.path("vmclock"), 7);
    let client = open(&directory.0, &page.0, true).expect("a client");
    let raw_ns = clock_ns(ClockId::CLOCK_MONOTONIC_RAW);
    let both = || {
        [
            client.interval_at(raw_ns).expect("known").status(),
            client
                .interval_at_realtime(now_ns())
                .expect("known")
                .status(),
        ]
    };
    assert_eq!(both(), [Status::Synchronized; 2]);
    page.set_marker(8);
    assert_eq!(both(), [Status::Disrupted; 2]);
}

#[test]
fn a_record_without_disruption_support_needs_no_page() {
    let directory = SegmentDirectory::new();
    directory.publish_native(&native(Status::Synchronized, HALF_NS));
    let page = VmClockPage::new(directory.path("vmclock"), 7);
    for path in [page.0.clone(), directory.path("nothing")] {
        let client = open(&directory.0, &path, true).expect("a client");
        page.set_marker(8);
        let now = client.now().expect("an interval");
        assert_eq!(now.status(), Status::Synchronized);
        let record = client.record().expect("a record");
        assert_eq!(
            (record.disruption_supported, record.disruption_marker),
            (false, None)
        );
    }
}

#[test]
fn a_record_that_requires_the_page_is_refused_without_a_valid_one() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 4] = [
        ("magic", |bytes| bytes[0] = b'v'),
        ("version 2", |bytes| bytes[8] = 2),
        ("64 bytes", |bytes| bytes.truncate(64)),
        ("96 bytes", |bytes| {
            bytes[4..8].copy_from_slice(&96_u32.to_le_bytes())
        }),
    ];
    for (name, publish) in layouts() {
        let directory = SegmentDirectory::new();
        publish(&directory, 7);
        let path = directory.path("vmclock");
        let refused = |cause: &str| {
            for segment in [directory.path(name), directory.0.clone()] {
                for follow in [true, false] {
                    let err = open(&segment, &path, follow).expect_err("no page");
                    assert!(matches!(err, Error::VmClock { .. }), "{err:?}");
                    let text = err.to_string();
                    assert!(text.contains(cause), "{name}: {text}");
                    assert!(text.contains("/vmclock:"), "{name}: {text}");
                    let cause = std::error::Error::source(&err).expect("a cause");
                    assert!(text.contains(&cause.to_string()), "{text}");
                }
            }
        };
        refused("No such file");
        for (cause, damage) in damages {
            let page = VmClockPage::new(path.clone(), 7);
            let mut bytes = fs::read(&page.0).expect("a page");
            damage(&mut bytes);
            fs::write(&page.0, bytes).expect("written");
            refused(cause);
        }
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("a directory");
        refused("device");
    }
}

#[test]
fn a_page_that_appears_later_is_read_by_a_client_that_follows() {
    let directory = SegmentDirectory::new();
    let segment = directory.publish_native(&native(Status::Synchronized, HALF_NS));
    let path = directory.path("vmclock");
    let clients = [true, false].map(|follow| open(&directory.0, &path, follow).expect("opened"));
    for client in &clients {
        assert!(client.now().expect("an interval").status().is_trusted());
    }
    segment.publish(&native_under(7));
    for client in &clients {
        for _ in 0..3 {
            assert!(matches!(client.now(), Err(Error::VmClock { .. })));
            let record = client.record();
            assert!(matches!(record, Err(Error::VmClock { .. })), "{record:?}");
        }
        let waited = client.commit_wait_ns(0);
        assert!(matches!(waited, Err(Error::VmClock { .. })), "{waited:?}");
    }
    let page = VmClockPage::new(path, 7);
    let [following, other] = clients;
    wait_until("the client reads the page", || following.now().is_ok());
    for _ in 0..3 {
        segment.publish(&native_under(7));
        let now = following.now().expect("an interval");
        assert_eq!(now.status(), Status::Synchronized);
        assert!(matches!(other.now(), Err(Error::VmClock { .. })));
    }
    page.set_marker(8);
    assert_eq!(status_of(&following.now().expect("an interval")), DISRUPTED);
}

#[test]
fn a_record_without_a_marker_is_not_preferred_after_a_disruption() {
    let directory = SegmentDirectory::new();
    // The same daemon publishes them, and is silent.
    let published = |marker| {
        let segment = directory.publish_native(&silent(native_under(marker)));
        drop(segment);
        directory.publish_v1(HALF_NS);
        directory.publish_v2(HALF_NS);
    };
    published(7);
    let page = VmClockPage::new(directory.path("vmclock"), 8);
    let is_without_marker = |client: &Client| {
        let layout = client.record().expect("a record").layout;
        layout == Layout::V2 || layout == Layout::V1
    };
    // Live files without a marker are of a daemon that does not read the page.
    let live = open(&directory.0, &page.0, true).expect("a client");
    assert!(is_without_marker(&live));
    // The state after a restore from a snapshot: all are as old, and the native one is not trusted.
    directory.publish_native(&native_under(7));
    for follow in [true, false] {
        let client = open(&directory.0, &page.0, follow).expect("a client");
        assert_eq!(status_of(&client.now().expect("an interval")), DISRUPTED);
        assert!(!follow_at_once(&client));
        assert_eq!(status_of(&client.now().expect("an interval")), DISRUPTED);
    }
    // The same without a page.
    let refused = open(&directory.0, &directory.path("nothing"), true);
    assert!(matches!(refused, Err(Error::VmClock { .. })), "{refused:?}");
    page.set_marker(7);
    let client = open(&directory.0, &page.0, true).expect("a client");
    assert_eq!(client.record().expect("a record").layout, Layout::Native);
    assert_eq!(
        client.now().expect("an interval").status(),
        Status::Synchronized
    );
}

/// Each marker stands for a time that is 10 s after that of the last one. A reader that mixes the
/// record of one marker with the page of another would return a wrong interval.
#[test]
fn threads_that_read_during_disruptions_get_no_interval_of_another_marker() {
    const ROUNDS: u64 = 3_000;
    for (name, _) in layouts().into_iter().take(2) {
        let directory = SegmentDirectory::new();
        let page = VmClockPage::new(directory.path("vmclock"), 0);
        let shift_ns = |marker: u64| 10 * S * i64::try_from(marker).expect("small");
        let path = directory.path(name);
        let native_segment = directory.publish_native(&native_under(0));
        let v2_segment = publish_v2_under(&directory, 0);
        // The v2 record is about CLOCK_REALTIME, which does not jump, so its bound tells its marker.
        let bound_ns = |marker: u64| HALF_NS + 1_000_000 * i64::from(marker.is_multiple_of(2));
        let publish = |marker| {
            let record = native_under(marker);
            native_segment.publish(&NativeRecord {
                earliest_ns: record.earliest_ns + shift_ns(marker),
                latest_ns: record.latest_ns + shift_ns(marker),
                ..record
            });
            v2_segment.publish(&V2Record {
                disruption: supported(marker),
                ..v1(bound_ns(marker)).into()
            });
        };
        publish(0);
        let client = open(&path, &page.0, true).expect("a client");
        let marker = || {
            let bytes = fs::read(&page.0).expect("a page");
            u64::from_le_bytes(bytes[16..24].try_into().expect("8 bytes"))
        };
        let (is_done, trusted) = (AtomicBool::new(false), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_done.load(Ordering::Relaxed) {
                        let (before, before_ns) = (marker(), now_ns());
                        let now = client.now().expect("an interval");
                        let (after_ns, after) = (now_ns(), marker());
                        if before != after || !now.status().is_trusted() {
                            continue;
                        }
                        trusted.fetch_add(1, Ordering::Relaxed);
                        if name == "native" {
                            let contained = now.earliest_ns() <= after_ns + shift_ns(after)
                                && before_ns + shift_ns(after) <= now.latest_ns();
                            assert!(contained, "{now} under {after}");
                        } else {
                            let growth_ns = now.bound_ns() - bound_ns(after);
                            assert!((0..500_000).contains(&growth_ns), "{now} under {after}");
                        }
                    }
                });
            }
            for round in 1..=ROUNDS {
                page.set_marker(round);
                if round.is_multiple_of(8) {
                    thread::yield_now();
                }
                publish(round);
                if round.is_multiple_of(16) {
                    thread::sleep(std::time::Duration::from_micros(100));
                }
            }
            is_done.store(true, Ordering::Relaxed);
        });
        assert!(trusted.load(Ordering::Relaxed) > 10, "{name}");
    }
}

#[test]
fn the_details_of_a_record_contain_what_the_host_announces() {
    let directory = SegmentDirectory::new();
    let page = VmClockPage::new(directory.path("vmclock"), 7);
    let segment = directory.publish_native(&native_under(7));
    let client = open(&directory.0, &page.0, true).expect("a client");
    let details = || client.record().expect("a record");
    let nothing = details();
    assert!(!nothing.disruption_soon && !nothing.disruption_imminent);
    assert_eq!(nothing.tai_offset_s, None);
    for (soon, imminent, tai_offset_s) in [(true, false, Some(37)), (false, true, Some(-1))] {
        segment.publish(&NativeRecord {
            host: HostNotice {
                soon,
                imminent,
                leap: 0,
                tai_offset_s,
            },
            ..native_under(7)
        });
        let found = details();
        assert_eq!(
            (found.disruption_soon, found.disruption_imminent),
            (soon, imminent)
        );
        assert_eq!(found.tai_offset_s, tai_offset_s);
    }
}
