//! Says a thing when it changes, and not at every poll.

use std::time::{Duration, Instant};

/// Changes let through within [`WINDOW`]; more than that is flapping.
const LIMIT: u32 = 5;

/// The time over which changes are counted.
const WINDOW: Duration = Duration::from_secs(60);

/// Lets changes of a value through, at most five a minute, and counts what it held back.
#[derive(Debug)]
pub struct ChangeGate<K> {
    said: K,
    window: Option<Instant>,
    passed: u32,
    suppressed: u32,
}

impl<K: Copy + PartialEq> ChangeGate<K> {
    /// A gate at which `initial` needs no saying.
    pub fn new(initial: K) -> Self {
        Self {
            said: initial,
            window: None,
            passed: 0,
            suppressed: 0,
        }
    }

    /// The value that was said last.
    pub fn said(&self) -> K {
        self.said
    }

    /// `Some(changes held back since the last one that was let through)` when `value` is to be said
    /// now.
    ///
    /// A change that is held back is said as soon as the minute is over, if it still holds then.
    pub fn pass(&mut self, value: K, now: Instant) -> Option<u32> {
        if value == self.said {
            return None;
        }
        if self
            .window
            .is_none_or(|start| now.saturating_duration_since(start) >= WINDOW)
        {
            self.window = Some(now);
            self.passed = 0;
        }
        if self.passed >= LIMIT {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        self.passed += 1;
        self.said = value;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_value_is_said_once() {
        let (mut gate, now) = (ChangeGate::new(0), Instant::now());
        let said = (0..1000)
            .filter(|n| {
                gate.pass(7, now + Duration::from_millis(100) * *n)
                    .is_some()
            })
            .count();
        assert_eq!(said, 1);
    }

    #[test]
    fn a_flapping_value_is_said_a_handful_of_times_a_minute_and_the_rest_counted() {
        let (mut gate, start) = (ChangeGate::new(0), Instant::now());
        let said = (1..600)
            .filter(|n| {
                gate.pass(n % 2, start + Duration::from_millis(100) * *n)
                    .is_some()
            })
            .count();
        assert_eq!(said, LIMIT as usize);
        let held_back = gate.pass(9, start + WINDOW * 2);
        assert!(held_back.is_some_and(|count| count > 100), "{held_back:?}");
    }

    #[test]
    fn a_value_that_was_held_back_is_said_when_it_still_holds() {
        let (mut gate, start) = (ChangeGate::new(0), Instant::now());
        for n in 0..LIMIT {
            assert!(gate.pass(n + 1, start).is_some());
        }
        assert_eq!(gate.pass(99, start), None);
        assert_eq!(gate.pass(99, start + WINDOW), Some(1));
        assert_eq!(gate.pass(99, start + WINDOW), None);
    }
}
