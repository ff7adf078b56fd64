//! What has been published, as the supervisor sees it from its own thread.

use std::sync::{Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::estimator::status::{ClockStatus, Reason};

/// A publication round that has reached every segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Rounds of this process, the first one is 1.
    pub number: u64,
    /// What it said.
    pub said: Said,
    /// Half the width of the interval around `CLOCK_REALTIME`, ns. Means nothing while the status
    /// is not trusted.
    pub bound_ns: i64,
}

/// The part of a round that is news when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// The published status.
    pub status: ClockStatus,
    /// Why the status is so.
    pub reason: Reason,
    /// chrony's reference id; 0 for none.
    pub reference_id: u32,
}

/// Counts rounds. Written by the publisher after each, read by the supervisor.
#[derive(Debug)]
pub struct Rounds {
    last: Mutex<Option<Round>>,
    news: (Sender<()>, Receiver<()>),
}

impl Default for Rounds {
    fn default() -> Self {
        Self {
            last: Mutex::default(),
            news: bounded(1),
        }
    }
}

impl Rounds {
    /// Acknowledges a round. Called only once its every write is done.
    pub fn acknowledge(&self, said: Said, bound_ns: i64) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let news = last.is_none_or(|round| round.said != said);
        *last = Some(Round {
            number: last.map_or(0, |round| round.number) + 1,
            said,
            bound_ns,
        });
        drop(last);
        if news {
            // Full: the supervisor has not looked yet, and will see this, too.
            let (Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(()))) =
                self.news.0.try_send(());
        }
    }

    /// The last round, if there was one.
    #[must_use]
    pub fn last(&self) -> Option<Round> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives something when the first round is there, and when a later one says something new.
    #[must_use]
    pub fn news(&self) -> &Receiver<()> {
        &self.news.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: Said = Said {
        status: ClockStatus::Synchronized,
        reason: Reason::Tracking,
        reference_id: 0x7f00_0001,
    };

    #[test]
    fn rounds_are_counted_and_only_changes_are_news() {
        let rounds = Rounds::default();
        assert_eq!(rounds.last(), None);
        let lost = Said {
            status: ClockStatus::FreeRunning,
            reason: Reason::ChronySilent,
            ..SAID
        };
        for (number, said, bound_ns, news) in [
            (1, SAID, 1_000, true),
            (2, SAID, 1_001, false),
            (3, lost, 1_002, true),
            (4, lost, 9_000, false),
            (5, SAID, 9_000, true),
        ] {
            rounds.acknowledge(said, bound_ns);
            let round = Round {
                number,
                said,
                bound_ns,
            };
            assert_eq!(rounds.last(), Some(round));
            assert_eq!(rounds.news().try_recv().is_ok(), news, "{round:?}");
        }
    }

    #[test]
    fn news_that_nobody_takes_stall_nothing() {
        let rounds = Rounds::default();
        for reference_id in 0..100 {
            rounds.acknowledge(
                Said {
                    reference_id,
                    ..SAID
                },
                0,
            );
        }
        assert!(rounds.news().try_recv().is_ok());
        assert!(rounds.news().try_recv().is_err());
        assert_eq!(rounds.last().map(|round| round.number), Some(100));
    }
}
