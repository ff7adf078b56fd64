//! A model of readers that keep the number which belongs to the words they validated: every order in
//! which the memory accesses of the segment's writer, of a keeper and of a reader can be observed.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p shm-layout --test known_loom`.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::AtomicU64;
use shm_layout::memory::known::Known;
use shm_layout::memory::sequence_lock::{read_known, read_once, write};

struct Shared {
    generation: AtomicU64,
    payload: [AtomicU64; 1],
    known: Known,
}

/// The number that belongs to `word`.
fn number_of(word: u64) -> u64 {
    word + 100
}

/// One reader keeps the record of generation 2, the writer writes another, a second reader keeps that
/// one, and a third reads.
#[test]
fn the_number_belongs_to_the_words() {
    loom::model(|| {
        let shared = Arc::new(Shared {
            generation: AtomicU64::new(0),
            payload: [AtomicU64::new(0)],
            known: Known::new(u64::MAX),
        });
        write(&shared.generation, &shared.payload, &[7]);
        shared.known.keep(2, number_of(7));
        let writing = {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || write(&shared.generation, &shared.payload, &[8]))
        };
        let keeping = {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || {
                let mut words = [0];
                let read = read_once(&shared.generation, &shared.payload, &mut words);
                if let Some(generation) = read.filter(|&generation| generation > 2) {
                    shared.known.keep(generation, number_of(words[0]));
                }
            })
        };
        let known = shared.known.generation();
        let number = shared.known.number();
        let mut words = [0];
        if read_known(&shared.generation, known, &shared.payload, &mut words) {
            assert_eq!(number, number_of(words[0]));
        }
        writing.join().expect("no panic");
        keeping.join().expect("no panic");
    });
}

#[test]
#[should_panic(expected = "assertion `left == right` failed")]
fn a_keeper_of_earlier_words_after_later_ones_breaks_it() {
    loom::model(|| {
        let shared = Arc::new(Shared {
            generation: AtomicU64::new(0),
            payload: [AtomicU64::new(0)],
            known: Known::new(u64::MAX),
        });
        write(&shared.generation, &shared.payload, &[7]);
        write(&shared.generation, &shared.payload, &[8]);
        shared.known.keep(4, number_of(8));
        let late = {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || shared.known.keep(2, number_of(7)))
        };
        let known = shared.known.generation();
        let number = shared.known.number();
        let mut words = [0];
        if read_known(&shared.generation, known, &shared.payload, &mut words) {
            assert_eq!(number, number_of(words[0]));
        }
        late.join().expect("no panic");
    });
}
