//! Clients of records that a program simulates.

mod segments;

use std::fs;
use std::time::Duration;

use clockbound_client::{Error, Layout, OpenOptions, Status};
use shm_layout::native::NativeRecord;
use shm_layout::v1::V1Record;
use shm_layout::writer::V1Segment;

use segments::{HALF_NS, SegmentDirectory, native, v1};

fn simulated() -> NativeRecord {
    NativeRecord {
        is_simulated: true,
        ..native(Status::Synchronized, HALF_NS)
    }
}

#[test]
fn a_simulated_record_is_read_and_told_unless_the_client_refuses_it() {
    let directory = SegmentDirectory::new();
    let _segment = directory.publish_native(&simulated());
    let options = OpenOptions::new().path(&directory.0);
    let client = options.open().expect("a client");
    assert!(client.now().expect("an interval").status().is_trusted());
    assert!(client.record().expect("details").is_simulated);
    for follow in [true, false] {
        let options = options.clone().follow(follow).refuse_simulated(true);
        let opened = options.open();
        assert!(matches!(opened, Err(Error::Simulated)), "{opened:?}");
        let ready = options.open_when_ready(Duration::from_millis(1), None);
        let Err(Error::NotReady { cause, .. }) = ready else {
            panic!("{ready:?}");
        };
        assert!(matches!(*cause, Error::Simulated), "{cause}");
    }
}

#[test]
fn a_client_that_refuses_finds_each_record_that_becomes_simulated() {
    for follow in [true, false] {
        let directory = SegmentDirectory::new();
        let segment = directory.publish_native(&native(Status::Synchronized, HALF_NS));
        let options = OpenOptions::new().path(&directory.0).follow(follow);
        let client = options.refuse_simulated(true).open().expect("a client");
        for _ in 0..3 {
            segment.publish(&native(Status::Synchronized, HALF_NS));
            assert!(client.now().is_ok() && client.now().is_ok());
            assert!(!client.record().expect("details").is_simulated);
            segment.publish(&simulated());
            for _ in 0..2 {
                let now = client.now();
                assert!(matches!(now, Err(Error::Simulated)), "{now:?}");
                let at = client.interval_at(0);
                assert!(matches!(at, Err(Error::Simulated)), "{at:?}");
            }
        }
    }
}

#[test]
fn a_client_that_refuses_prefers_a_segment_of_a_daemon() {
    let directory = SegmentDirectory::new();
    let _native = directory.publish_native(&simulated());
    let _v1 = directory.publish_v1(HALF_NS);
    let options = OpenOptions::new().path(&directory.0);
    let client = options.clone().open().expect("a client");
    assert_eq!(client.record().expect("details").layout, Layout::Native);
    let client = options.refuse_simulated(true).open().expect("a client");
    let record = client.record().expect("details");
    assert_eq!((record.layout, record.is_simulated), (Layout::V1, false));
}

#[test]
fn a_client_that_refuses_does_not_follow_to_a_simulated_file() {
    let directory = SegmentDirectory::new();
    let segment = directory.publish_v1(HALF_NS);
    let options = OpenOptions::new().path(&directory.0).refuse_simulated(true);
    let client = options.open().expect("a client");
    drop(segment);
    fs::remove_file(directory.path("shm")).expect("removed");
    let (other, _) = V1Segment::open(&directory.path("shm")).expect("a segment");
    other.publish(&V1Record {
        is_simulated: true,
        ..v1(HALF_NS)
    });
    assert!(!clockbound_client::conformance::follow_at_once(&client));
    assert!(
        client
            .now()
            .expect("the record before")
            .status()
            .is_trusted()
    );
    other.publish(&v1(2 * HALF_NS));
    assert!(clockbound_client::conformance::follow_at_once(&client));
    assert!(client.now().expect("an interval").bound_ns() >= 2 * HALF_NS);
}
