//! The last few polls of the error bound, of which the worst counts.

/// How many polls a [`PhcWindow`] remembers.
pub const PHC_WINDOW_POLLS: usize = 8;

/// What the last polls say about the hardware clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhcBound {
    /// The largest error bound among the polls remembered, in nanoseconds, never 0.
    pub bound_ns: u32,
    /// When the latest good one was read, in nanoseconds, on the clock of the caller.
    pub as_of_ns: i64,
}

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
    latest_good_ns: i64,
}

impl PhcWindow {
    /// Remembers a bound of `bound_ns` nanoseconds, read at the instant `at_ns`.
    pub fn good(&mut self, bound_ns: u32, at_ns: i64) {
        self.latest_good_ns = at_ns;
        self.push(Some(bound_ns));
    }

    /// Remembers that a poll gave no bound.
    pub fn failed(&mut self) {
        self.push(None);
    }

    /// The largest bound remembered, or nothing if none of the polls was good.
    pub fn bound(&self) -> Option<PhcBound> {
        let bound_ns = self.polls.iter().flatten().copied().max()?;
        Some(PhcBound {
            bound_ns,
            as_of_ns: self.latest_good_ns,
        })
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
        assert_eq!(window.bound(), None);
        window.good(90_000, 1);
        for poll in 2..=8 {
            window.good(20_000, poll);
            let (bound_ns, as_of_ns) = (90_000, poll);
            assert_eq!(window.bound(), Some(PhcBound { bound_ns, as_of_ns }));
        }
        window.good(20_000, 9);
        let (bound_ns, as_of_ns) = (20_000, 9);
        assert_eq!(window.bound(), Some(PhcBound { bound_ns, as_of_ns }));
    }

    #[test]
    fn a_device_that_stays_broken_is_forgotten() {
        let mut window = PhcWindow::default();
        window.good(20_000, 5);
        for _ in 1..PHC_WINDOW_POLLS {
            window.failed();
            let (bound_ns, as_of_ns) = (20_000, 5);
            assert_eq!(window.bound(), Some(PhcBound { bound_ns, as_of_ns }));
        }
        window.failed();
        assert_eq!(window.bound(), None);
        window.good(30_000, 20);
        let (bound_ns, as_of_ns) = (30_000, 20);
        assert_eq!(window.bound(), Some(PhcBound { bound_ns, as_of_ns }));
    }

    proptest! {
        #[test]
        fn the_window_is_the_tail_of_all_polls(
            polls in proptest::collection::vec(proptest::option::of(1_u32..1_000_000_000), 0..40)
        ) {
            let mut window = PhcWindow::default();
            for (at_ns, poll) in (0..).zip(&polls) {
                match poll {
                    Some(bound_ns) => window.good(*bound_ns, at_ns),
                    None => window.failed(),
                }
                let seen = usize::try_from(at_ns).unwrap() + 1;
                let tail = &polls[seen.saturating_sub(PHC_WINDOW_POLLS)..seen];
                let expected = tail.iter().flatten().max().map(|bound_ns| PhcBound {
                    bound_ns: *bound_ns,
                    as_of_ns: (0..).zip(&polls[..seen]).filter(|(_, poll)| poll.is_some())
                        .map(|(at, _)| at).last().unwrap(),
                });
                prop_assert_eq!(window.bound(), expected);
            }
        }
    }
}
