//! A model of two places that replace each other: every order in which the memory accesses of a
//! reader and of the thread that replaces can be observed.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p shm-layout --test slot_loom`.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use shm_layout::memory::slot::{Current, index_of};

/// Each place has two words, which are the number of the file in it.
struct Places(Current, [[AtomicU64; 2]; 2]);

fn model(is_checked: bool) {
    loom::model(move || {
        let word = || AtomicU64::new(0);
        let places = Arc::new(Places(
            Current::default(),
            [[word(), word()], [word(), word()]],
        ));
        let replacing = {
            let places = Arc::clone(&places);
            loom::thread::spawn(move || {
                // The second replacement changes the place that a reader of number 0 reads.
                for _ in 0..2 {
                    let fill = |number| {
                        for word in &places.1[index_of(number)] {
                            word.store(number, Ordering::Relaxed);
                        }
                        Ok::<_, ()>(())
                    };
                    places.0.replace(fill).expect("it cannot fail");
                }
            })
        };
        let number = places.0.begin_read();
        let words = places.1[index_of(number)]
            .each_ref()
            .map(|word| word.load(Ordering::Relaxed));
        if !is_checked || places.0.is_still(number) {
            assert_eq!(words, [number; 2], "words of another file");
        }
        replacing.join().expect("it ends");
    });
}

#[test]
fn no_reader_ever_uses_words_of_another_file() {
    model(true);
}

#[test]
#[should_panic(expected = "words of another file")]
fn without_the_second_load_of_the_number_words_of_another_file_are_used() {
    model(false);
}
