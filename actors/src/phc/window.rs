//! The last few polls of the error bound, of which the worst counts.

/// How many polls a [`PhcWindow`] remembers.
pub const PHC_WINDOW_POLLS: usize = 8;

/// The last [`PHC_WINDOW_POLLS`] polls. chronyd disciplines the system clock with samples that
/// are older than the latest error bound, so the largest recent one is the honest one.
///
/// A failed poll takes a place like a good one: a device that stays broken is forgotten after that
/// many polls instead of lending its last good value for ever.
#[derive(Clone, Debug, Default)]
pub struct PhcWindow {
    /// `None` is a poll that failed, or one that has not happened yet.
    polls: [Option<u32>; PHC_WINDOW_POLLS],
    next: usize,
}

impl PhcWindow {
    /// Adds a bound of `bound_ns` nanoseconds.
    pub fn add(&mut self, bound_ns: u32) {
        self.push(Some(bound_ns));
    }

    /// Adds a poll that gave no bound.
    pub fn add_failure(&mut self) {
        self.push(None);
    }

    /// The largest bound in the window, nanoseconds, never 0; `None` if none of the polls was good.
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
    fn a_large_bound_counts_until_it_has_left_the_window() {
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
    fn a_device_that_stays_broken_is_forgotten() {
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
        fn the_window_is_the_tail_of_all_polls(
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
