//! The last polls of the error bound, of which the largest value is used.

/// The number of polls in a [`PhcWindow`].
pub const PHC_WINDOW_POLLS: usize = 8;

/// The last [`PHC_WINDOW_POLLS`] polls. chronyd disciplines the system clock with samples that are
/// older than the latest error bound, so the largest recent bound is used.
///
/// A failed poll occupies a place, too. If all polls fail, no bound is left after that many polls.
#[derive(Clone, Debug, Default)]
pub struct PhcWindow {
    /// `None` for a failed poll, or before the first polls.
    polls: [Option<u32>; PHC_WINDOW_POLLS],
    next: usize,
}

impl PhcWindow {
    /// Adds a bound of `bound_ns` nanoseconds.
    pub fn add(&mut self, bound_ns: u32) {
        self.push(Some(bound_ns));
    }

    /// Adds a failed poll.
    pub fn add_failure(&mut self) {
        self.push(None);
    }

    /// The largest bound in the window, nanoseconds, never 0; `None` if all polls failed.
    #[must_use]
    pub fn bound_ns(&self) -> Option<u32> {
        self.polls.iter().flatten().copied().max()
    }

    fn push(&mut self, poll: Option<u32>) {
        self.polls[self.next] = poll;
        self.next = (self.next + 1) % PHC_WINDOW_POLLS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_large_bound_is_used_until_it_leaves_the_window() {
        let mut window = PhcWindow::default();
        assert_eq!(window.bound_ns(), None);
        window.add(90_000);
        for _ in 1..PHC_WINDOW_POLLS {
            window.add(20_000);
            assert_eq!(window.bound_ns(), Some(90_000));
        }
        window.add(20_000);
        assert_eq!(window.bound_ns(), Some(20_000));
    }

    #[test]
    fn after_a_window_of_failures_no_bound_is_left() {
        let mut window = PhcWindow::default();
        window.add(20_000);
        for _ in 1..PHC_WINDOW_POLLS {
            window.add_failure();
            assert_eq!(window.bound_ns(), Some(20_000));
        }
        window.add_failure();
        assert_eq!(window.bound_ns(), None);
        window.add(30_000);
        assert_eq!(window.bound_ns(), Some(30_000));
    }

    proptest! {
        #[test]
        fn the_largest_of_the_last_polls_is_used(
            polls in proptest::collection::vec(proptest::option::of(1_u32..1_000_000_000), 0..40)
        ) {
            let mut window = PhcWindow::default();
            for (at, poll) in polls.iter().enumerate() {
                match poll {
                    Some(bound_ns) => window.add(*bound_ns),
                    None => window.add_failure(),
                }
                let tail = &polls[(at + 1).saturating_sub(PHC_WINDOW_POLLS)..=at];
                prop_assert_eq!(window.bound_ns(), tail.iter().flatten().copied().max());
            }
        }
    }
}
