//! A model of the sequence lock: every order in which the memory accesses of two threads can be
//! observed.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p shm-layout --test sequence_loom`.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use shm_layout::memory::sequence_lock::{self, NoSnapshot, unfenced};

type Write = fn(&AtomicU16, &[AtomicU64], &[u64]);
type Read = fn(&AtomicU16, &[AtomicU64], &mut [u64]) -> Result<u64, NoSnapshot>;

/// The generation and two payload words that every write sets to the same number.
struct Segment(AtomicU16, [AtomicU64; 2]);

fn model(writes: u64, write: Write, read: Read) {
    loom::model(move || {
        let segment = Arc::new(Segment(
            AtomicU16::new(0),
            [AtomicU64::new(0), AtomicU64::new(0)],
        ));
        sequence_lock::write(&segment.0, &segment.1, &[1, 1]);
        let writer = {
            let segment = Arc::clone(&segment);
            loom::thread::spawn(move || {
                for n in 0..writes {
                    write(&segment.0, &segment.1, &[2 + n, 2 + n]);
                }
            })
        };
        let mut words = [0; 2];
        if let Ok(generation) = read(&segment.0, &segment.1, &mut words) {
            assert_eq!(words[0], words[1], "a torn record");
            assert_eq!(generation, 2 * words[0], "a record of another generation");
        }
        writer.join().expect("the writer ends");
    });
}

#[test]
fn no_reader_ever_sees_a_torn_record() {
    model(2, sequence_lock::write, sequence_lock::read);
}

#[test]
#[should_panic(expected = "torn record")]
fn without_the_writers_fence_a_torn_record_is_seen() {
    model(1, unfenced::write, sequence_lock::read);
}

#[test]
#[should_panic(expected = "torn record")]
fn without_the_readers_fence_a_torn_record_is_seen() {
    model(1, sequence_lock::write, unfenced::read);
}

#[test]
fn an_unfinished_write_is_repaired_by_the_next_one_during_a_read() {
    loom::model(|| {
        let segment = Arc::new(Segment(
            AtomicU16::new(0),
            [AtomicU64::new(0), AtomicU64::new(0)],
        ));
        sequence_lock::write(&segment.0, &segment.1, &[1, 1]);
        let writer = {
            let segment = Arc::clone(&segment);
            loom::thread::spawn(move || {
                // The state after a crash: an odd generation, and the first word of a new record.
                segment.0.store(3, loom::sync::atomic::Ordering::Relaxed);
                loom::sync::atomic::fence(loom::sync::atomic::Ordering::Release);
                segment.1[0].store(9, loom::sync::atomic::Ordering::Relaxed);
                sequence_lock::write(&segment.0, &segment.1, &[2, 2]);
            })
        };
        let mut words = [0; 2];
        if sequence_lock::read(&segment.0, &segment.1, &mut words).is_ok() {
            assert!(
                words == [1, 1] || words == [2, 2],
                "a torn record: {words:?}"
            );
        }
        writer.join().expect("the writer ends");
        assert_eq!(
            (
                sequence_lock::read(&segment.0, &segment.1, &mut words),
                words
            ),
            (Ok(4), [2, 2])
        );
    });
}

/// A segment with the sequence of the native layout, and a generation of it that is known.
struct Known {
    generation: AtomicU64,
    payload: [AtomicU64; 2],
    known: AtomicU64,
}

impl Known {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            generation: AtomicU64::new(0),
            payload: [AtomicU64::new(0), AtomicU64::new(0)],
            known: AtomicU64::new(u64::MAX),
        })
    }

    fn write(&self, n: u64) {
        sequence_lock::write(&self.generation, &self.payload, &[n, n]);
    }

    fn make_known(&self) {
        let mut words = [0; 2];
        let (generation, payload) = (&self.generation, &self.payload);
        if let Some(known) = sequence_lock::read_once(generation, payload, &mut words) {
            self.known.store(known, Ordering::Release);
        }
    }

    fn check(&self) {
        let known = self.known.load(Ordering::Acquire);
        let mut words = [0; 2];
        let (generation, payload) = (&self.generation, &self.payload);
        if sequence_lock::read_known(generation, known, payload, &mut words) {
            assert_eq!(words, [known / 2; 2], "a torn record");
        }
    }
}

#[test]
fn a_generation_that_another_reader_has_stored_is_read_whole() {
    loom::model(|| {
        let segment = Known::new();
        let [for_writer, for_reader] = [Arc::clone(&segment), Arc::clone(&segment)];
        let writer = loom::thread::spawn(move || for_writer.write(1));
        let reader = loom::thread::spawn(move || for_reader.make_known());
        segment.check();
        writer.join().expect("the writer ends");
        reader.join().expect("the other reader ends");
    });
}

#[test]
fn a_known_generation_is_read_whole_during_the_next_write() {
    loom::model(|| {
        let segment = Known::new();
        segment.write(1);
        segment.make_known();
        let for_writer = Arc::clone(&segment);
        let writer = loom::thread::spawn(move || for_writer.write(2));
        segment.check();
        writer.join().expect("the writer ends");
    });
}
