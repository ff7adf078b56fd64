//! Limits the rate of log events: an event is logged when a value changes, not at every poll.

use std::time::{Duration, Instant};

/// The maximum number of changes that are logged within [`WINDOW`].
const LIMIT: u32 = 5;

/// The time over which changes are counted.
const WINDOW: Duration = Duration::from_secs(60);

/// Selects the changes of a value that are logged, at most five a minute, and counts the others.
#[derive(Debug)]
pub struct ChangeGate<K> {
    logged: K,
    window: Option<Instant>,
    passed: u32,
    suppressed: u32,
}

impl<K: Copy + PartialEq> ChangeGate<K> {
    /// A gate for a value that is `initial`, which is not logged.
    pub fn new(initial: K) -> Self {
        Self {
            logged: initial,
            window: None,
            passed: 0,
            suppressed: 0,
        }
    }

    /// The value that was logged last.
    pub fn logged(&self) -> K {
        self.logged
    }

    /// Returns the number of suppressed changes since the last logged one if `value` has to be
    /// logged now; `None` if not.
    ///
    /// A suppressed change is logged when the minute is over, if the value has not changed back.
    pub fn pass(&mut self, value: K, now: Instant) -> Option<u32> {
        if value == self.logged {
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
        self.logged = value;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_value_is_logged_once() {
        let (mut gate, now) = (ChangeGate::new(0), Instant::now());
        let logged = (0..1000)
            .filter(|n| {
                gate.pass(7, now + Duration::from_millis(100) * *n)
                    .is_some()
            })
            .count();
        assert_eq!(logged, 1);
    }

    #[test]
    fn a_flapping_value_is_logged_five_times_a_minute_and_the_rest_is_counted() {
        let (mut gate, start) = (ChangeGate::new(0), Instant::now());
        let logged = (1..600)
            .filter(|n| {
                gate.pass(n % 2, start + Duration::from_millis(100) * *n)
                    .is_some()
            })
            .count();
        assert_eq!(logged, LIMIT as usize);
        let suppressed = gate.pass(9, start + WINDOW * 2);
        assert!(
            suppressed.is_some_and(|count| count > 100),
            "{suppressed:?}"
        );
    }

    #[test]
    fn a_suppressed_value_is_logged_later_if_it_has_not_changed_back() {
        let (mut gate, start) = (ChangeGate::new(0), Instant::now());
        for n in 0..LIMIT {
            assert!(gate.pass(n + 1, start).is_some());
        }
        assert_eq!(gate.pass(99, start), None);
        assert_eq!(gate.pass(99, start + WINDOW), Some(1));
        assert_eq!(gate.pass(99, start + WINDOW), None);
    }
}
