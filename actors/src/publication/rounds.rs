//! The last publication round, for the supervisor, which runs on another thread.

use std::sync::{Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::estimator::status::{ClockStatus, Reason};

/// A publication round that has reached every segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// The number of the round in this process; the first round is 1.
    pub number: u64,
    /// The published state.
    pub state: PublishedState,
    /// Half the width of the interval around `CLOCK_REALTIME`, ns. Undefined while the status is
    /// not trusted.
    pub bound_ns: i64,
}

/// The part of a round whose changes are reported at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedState {
    /// The published status.
    pub status: ClockStatus,
    /// The reason for the status.
    pub reason: Reason,
    /// chrony's reference id; 0 without a reference.
    pub reference_id: u32,
}

/// The last round and the number of rounds. The publisher writes them after each round, and the
/// supervisor reads them.
#[derive(Debug)]
pub struct Rounds {
    last: Mutex<Option<Round>>,
    changes: (Sender<()>, Receiver<()>),
}

impl Default for Rounds {
    fn default() -> Self {
        Self {
            last: Mutex::default(),
            changes: bounded(1),
        }
    }
}

impl Rounds {
    /// Acknowledges a round. Call it after every write of the round is complete.
    pub fn acknowledge(&self, state: PublishedState, bound_ns: i64) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = last.is_none_or(|round| round.state != state);
        *last = Some(Round {
            number: last.map_or(0, |round| round.number) + 1,
            state,
            bound_ns,
        });
        drop(last);
        if changed {
            // If the channel is full, the supervisor has not read the last change yet, and reads
            // this one with it.
            let (Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(()))) =
                self.changes.0.try_send(());
        }
    }

    /// The last round; `None` before the first one.
    #[must_use]
    pub fn last(&self) -> Option<Round> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives a value at the first round, and at each later round with another state.
    #[must_use]
    pub fn changes(&self) -> &Receiver<()> {
        &self.changes.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: PublishedState = PublishedState {
        status: ClockStatus::Synchronized,
        reason: Reason::Tracking,
        reference_id: 0x7f00_0001,
    };

    #[test]
    fn rounds_are_counted_and_only_changes_are_signalled() {
        let rounds = Rounds::default();
        assert_eq!(rounds.last(), None);
        let lost = PublishedState {
            status: ClockStatus::FreeRunning,
            reason: Reason::ChronySilent,
            ..STATE
        };
        for (number, state, bound_ns, changed) in [
            (1, STATE, 1_000, true),
            (2, STATE, 1_001, false),
            (3, lost, 1_002, true),
            (4, lost, 9_000, false),
            (5, STATE, 9_000, true),
        ] {
            rounds.acknowledge(state, bound_ns);
            let round = Round {
                number,
                state,
                bound_ns,
            };
            assert_eq!(rounds.last(), Some(round));
            assert_eq!(rounds.changes().try_recv().is_ok(), changed, "{round:?}");
        }
    }

    #[test]
    fn unread_changes_do_not_block_the_publisher() {
        let rounds = Rounds::default();
        for reference_id in 0..100 {
            rounds.acknowledge(
                PublishedState {
                    reference_id,
                    ..STATE
                },
                0,
            );
        }
        assert!(rounds.changes().try_recv().is_ok());
        assert!(rounds.changes().try_recv().is_err());
        assert_eq!(rounds.last().map(|round| round.number), Some(100));
    }
}
