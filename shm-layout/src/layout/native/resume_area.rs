//! The resume area of the native segment: content that a daemon stores for the next one of the same
//! boot.
//!
//! Only the holder of the segment's lock reads and writes it. The area has two slots of 1952 bytes
//! each:
//!
//! | offset in the slot | type | field |
//! |---|---|---|
//! | 0 | u64 | number: 0 empty, otherwise one more than the number of the previous content |
//! | 8 | u64 | checksum: FNV-1a of number, bytes 16 to 23, content padded with zeros to 8 bytes |
//! | 16 | u32 | length of the content in bytes, at most 1928 |
//! | 20 | u32 | reserved, 0 |
//! | 24 | 1928 bytes | content |
//!
//! Content is stored in the slot without the newest content: that slot is marked as empty, filled,
//! and numbered last. A process that is killed in between leaves the other slot intact. The
//! checksum detects any other damage.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use thiserror::Error;

/// The longest content in bytes.
pub const CAPACITY: usize = 1928;
/// The size of the area in 8-byte words.
pub(crate) const AREA_WORDS: usize = 2 * SLOT_WORDS;

const SLOT_WORDS: usize = 244;
const NUMBER: usize = 0;
const CHECKSUM: usize = 1;
const LENGTH: usize = 2;
const CONTENT: usize = 3;

const _: () = assert!(SLOT_WORDS == CONTENT + CAPACITY / 8 && CAPACITY.is_multiple_of(8));

/// The content is longer than [`CAPACITY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{length} bytes do not fit into the resume area's {CAPACITY}")]
pub struct TooLong {
    /// The length of the content in bytes.
    pub length: usize,
}

/// Stores `content` in the slot without the newest content.
///
/// # Errors
/// When the content is longer than [`CAPACITY`]; the area is then unchanged.
pub(crate) fn store(area: &[AtomicU64; AREA_WORDS], content: &[u8]) -> Result<(), TooLong> {
    let length = content.len();
    if length > CAPACITY {
        return Err(TooLong { length });
    }
    let [first, second] = slots(area);
    let numbers = [first, second].map(|slot| load_slot(slot).map_or(0, |(number, _)| number));
    let slot = if numbers[0] > numbers[1] {
        second
    } else {
        first
    };
    let number = numbers[0].max(numbers[1]) + 1;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the length is at most CAPACITY"
    )]
    let length = length_word(length as u32);
    let words: Vec<u64> = content.chunks(8).map(word).collect();

    slot[NUMBER].store(0, Ordering::Relaxed);
    // No process sees the following stores with the slot's old number.
    fence(Ordering::Release);
    for (cell, &word) in slot[CONTENT..].iter().zip(&words) {
        cell.store(word, Ordering::Relaxed);
    }
    slot[LENGTH].store(length, Ordering::Relaxed);
    slot[CHECKSUM].store(checksum(number, length, &words), Ordering::Relaxed);
    // No process sees the new number without the stores above.
    slot[NUMBER].store(number, Ordering::Release);
    Ok(())
}

/// The newest content; `None` when neither slot is valid.
pub(crate) fn load(area: &[AtomicU64; AREA_WORDS]) -> Option<Vec<u8>> {
    let contents = slots(area).map(load_slot);
    let newest = contents.into_iter().flatten().max_by_key(|slot| slot.0);
    newest.map(|(_, content)| content)
}

fn slots(area: &[AtomicU64; AREA_WORDS]) -> [&[AtomicU64]; 2] {
    let (first, second) = area.split_at(SLOT_WORDS);
    [first, second]
}

/// The number and the content of a valid slot.
fn load_slot(slot: &[AtomicU64]) -> Option<(u64, Vec<u8>)> {
    let load = |index: usize| slot[index].load(Ordering::Acquire);
    let (number, length) = (load(NUMBER), load(LENGTH));
    let [a, b, c, d, ..] = length.to_ne_bytes();
    let bytes = u32::from_ne_bytes([a, b, c, d]) as usize;
    // The last number has no successor. No daemon reaches it.
    if number == 0 || number == u64::MAX || bytes > CAPACITY {
        return None;
    }
    let words: Vec<u64> = (CONTENT..CONTENT + bytes.div_ceil(8)).map(load).collect();
    if checksum(number, length, &words) != load(CHECKSUM) {
        return None;
    }
    let mut content: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    content.truncate(bytes);
    Some((number, content))
}

/// Up to 8 bytes as a word, padded with zeros.
fn word(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(array::from_fn(|n| bytes.get(n).copied().unwrap_or(0)))
}

fn length_word(length: u32) -> u64 {
    let [a, b, c, d] = length.to_ne_bytes();
    u64::from_ne_bytes([a, b, c, d, 0, 0, 0, 0])
}

/// FNV-1a, 64 bits.
fn checksum(number: u64, length: u64, content: &[u64]) -> u64 {
    let words = [number, length].into_iter().chain(content.iter().copied());
    words
        .flat_map(u64::to_ne_bytes)
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    type Words = [u64; AREA_WORDS];

    fn area(words: &Words) -> [AtomicU64; AREA_WORDS] {
        array::from_fn(|n| AtomicU64::new(words[n]))
    }

    fn words(area: &[AtomicU64; AREA_WORDS]) -> Words {
        array::from_fn(|n| area[n].load(Ordering::Relaxed))
    }

    /// An area in which `contents` were stored in this order.
    fn stored(contents: &[&[u8]]) -> Words {
        let area = area(&[0; AREA_WORDS]);
        for content in contents {
            store(&area, content).expect("it fits");
        }
        words(&area)
    }

    #[test]
    fn load_returns_the_content_that_was_stored_last() {
        let area = area(&[0; AREA_WORDS]);
        assert_eq!(load(&area), None);
        for length in [0, 1, 7, 8, 9, 100, CAPACITY - 1, CAPACITY] {
            let content: Vec<u8> = (0..=u8::MAX).cycle().skip(length).take(length).collect();
            store(&area, &content).expect("it fits");
            assert_eq!(load(&area), Some(content), "{length} bytes");
        }
    }

    #[test]
    fn too_long_content_is_refused_and_changes_nothing() {
        let before = stored(&[b"content"]);
        let area = area(&before);
        let length = CAPACITY + 1;
        assert_eq!(store(&area, &vec![1; length]), Err(TooLong { length }));
        assert_eq!(words(&area), before);
    }

    #[test]
    fn an_interrupted_store_leaves_the_older_or_the_newer_content() {
        // The slot is not empty, was used before, or holds a longer content.
        let histories: [&[&[u8]]; 4] = [
            &[],
            &[b"an older content"],
            &[b"1", b"an older content"],
            &[&[9; 500], b"an older content", &[7; 300]],
        ];
        let newer: &[u8] = b"a newer content, which is longer than the older one";
        for history in histories {
            let before = stored(history);
            let after = {
                let area = area(&before);
                store(&area, newer).expect("it fits");
                words(&area)
            };
            let older = history.last().map(|content| content.to_vec());
            let changed: Vec<usize> = (0..AREA_WORDS).filter(|&n| before[n] != after[n]).collect();
            // In the order of the stores: number 0, content, length, checksum, number.
            let number = changed[0];
            let mut torn = before;
            torn[number] = 0;
            for &index in changed[1..].iter().rev() {
                assert_eq!(load(&area(&torn)), older, "before word {index}");
                torn[index] = after[index];
            }
            assert_eq!(load(&area(&torn)), older, "before the number");
            torn[number] = after[number];
            assert_eq!(load(&area(&torn)).as_deref(), Some(newer));
            // In any other order, byte by byte, as from a page that was written to a disk in part.
            for reversed in [false, true] {
                let mut torn: Vec<u8> = before.iter().flat_map(|word| word.to_ne_bytes()).collect();
                let whole: Vec<u8> = after.iter().flat_map(|word| word.to_ne_bytes()).collect();
                for n in 0..torn.len() {
                    let n = if reversed { torn.len() - 1 - n } else { n };
                    if torn[n] == whole[n] {
                        continue;
                    }
                    torn[n] = whole[n];
                    let words: Words = array::from_fn(|n| word(&torn[8 * n..8 * n + 8]));
                    let found = load(&area(&words));
                    assert!(
                        found == older || found.as_deref() == Some(newer),
                        "byte {n}: {found:?}"
                    );
                }
                let words: Words = array::from_fn(|n| word(&torn[8 * n..8 * n + 8]));
                assert_eq!(load(&area(&words)).as_deref(), Some(newer));
            }
        }
    }

    #[test]
    fn a_damaged_slot_is_not_loaded() {
        let before = stored(&[b"the only content"]);
        for index in [NUMBER, CHECKSUM, LENGTH, CONTENT, CONTENT + 1] {
            for bit in 0..64 {
                let mut changed = before;
                changed[index] ^= 1 << bit;
                assert_eq!(load(&area(&changed)), None, "word {index}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_number_without_a_successor_is_invalid() {
        let mut forged = stored(&[b"forged"]);
        forged[NUMBER] = u64::MAX;
        let content = forged[CONTENT..CONTENT + 1].to_vec();
        forged[CHECKSUM] = checksum(u64::MAX, forged[LENGTH], &content);
        let area = area(&forged);
        assert_eq!(load(&area), None);
        store(&area, b"content").expect("it fits");
        assert_eq!(load(&area).as_deref(), Some(&b"content"[..]));
    }

    proptest! {
        #[test]
        fn garbage_is_not_loaded_and_can_be_overwritten(
            garbage in vec(any::<u64>(), AREA_WORDS), lengths in any::<[u16; 2]>(),
            content in vec(any::<u8>(), 0..=CAPACITY),
        ) {
            let mut words: Words = array::from_fn(|n| garbage[n]);
            for (slot, length) in lengths.into_iter().enumerate() {
                words[slot * SLOT_WORDS + LENGTH] = length_word(length.into());
            }
            let area = area(&words);
            prop_assert_eq!(load(&area), None);
            store(&area, &content).expect("it fits");
            prop_assert_eq!(load(&area), Some(content));
        }

        #[test]
        fn a_damaged_area_yields_stored_content_or_nothing(
            contents in vec(vec(any::<u8>(), 0..=64), 1..4), index in 0..AREA_WORDS, damage: u64,
        ) {
            let stored_ones: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
            let mut words = stored(&stored_ones);
            words[index] = damage;
            if let Some(found) = load(&area(&words)) {
                prop_assert!(contents.contains(&found));
            }
        }
    }
}
