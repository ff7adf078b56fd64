//! The clock-status state machine: one total, pure function.
//!
//! ```text
//!                         Report
//!           +--------------------------------+
//!           |                                v
//!      +---------+      Void          +--------------+
//! ---->| Unknown |<-------------------| Synchronized |<---+ Report
//!      +---------+                    +--------------+    |
//!              ^                                 | Unsynchronized, Silence
//!              | Void                            v        |
//!              |                             +-------------+
//!              +-----------------------------| FreeRunning |--- Unsynchronized, Silence: unchanged
//!                                            +-------------+
//!      +-----------+
//!      | Disrupted |<-- Disruption, from every status
//!      +-----------+--> Synchronized on Report; unchanged by all others
//! ```
//!
//! `Disrupted` holds nothing, like `Unknown`, and lasts until a measurement that was made after the
//! disruption. `FreeRunning` is entered from `Synchronized` only: the one state that is reached by a validated
//! report of this boot. It holds that report's bound over, which grows. `Unknown` holds none, so
//! silence there changes nothing.

pub use shm_layout::{ClockStatus, Disruption, HostNotice, Reason};

/// What happened to the clock, as far as its status is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// chronyd reported a synchronised clock and every part of the bound was validated.
    Report,
    /// chronyd answered that its clock is not synchronised (leap status 3).
    Unsynchronized,
    /// No validated report for longer than the grace.
    Silence,
    /// Nothing may be claimed any more: the held bound expired, grew over
    /// `--max-bound`, or chronyd has no reference.
    Void,
    /// The clocks were disrupted: what was measured before says nothing about them.
    Disruption,
}

/// The status after `event` in `status`.
///
/// Total: every pair is written out, and a new status or event does not compile until it is placed.
#[must_use]
pub fn next(status: ClockStatus, event: Event) -> ClockStatus {
    use ClockStatus::{Disrupted, FreeRunning, Synchronized, Unknown};
    match (status, event) {
        (_, Event::Report) => Synchronized,
        (Synchronized | FreeRunning, Event::Unsynchronized | Event::Silence) => FreeRunning,
        (Unknown, Event::Unsynchronized | Event::Silence) => Unknown,
        (Unknown | Synchronized | FreeRunning, Event::Void) => Unknown,
        (Disrupted, Event::Unsynchronized | Event::Silence | Event::Void) => Disrupted,
        (_, Event::Disruption) => Disrupted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ClockStatus::{Disrupted, FreeRunning, Synchronized, Unknown};

    const STATUSES: [ClockStatus; 4] = [Unknown, Synchronized, FreeRunning, Disrupted];
    const EVENTS: [Event; 5] = [
        Event::Report,
        Event::Unsynchronized,
        Event::Silence,
        Event::Void,
        Event::Disruption,
    ];

    #[test]
    fn every_transition_is_as_drawn() {
        // Rows: status; columns: EVENTS in their order.
        let table = [
            (
                Unknown,
                [Synchronized, Unknown, Unknown, Unknown, Disrupted],
            ),
            (
                Synchronized,
                [Synchronized, FreeRunning, FreeRunning, Unknown, Disrupted],
            ),
            (
                FreeRunning,
                [Synchronized, FreeRunning, FreeRunning, Unknown, Disrupted],
            ),
            (
                Disrupted,
                [Synchronized, Disrupted, Disrupted, Disrupted, Disrupted],
            ),
        ];
        for (status, row) in table {
            for (event, expected) in EVENTS.into_iter().zip(row) {
                assert_eq!(next(status, event), expected, "{status} on {event:?}");
            }
        }
    }

    #[test]
    fn free_running_is_reached_only_from_a_state_that_holds_a_bound() {
        for status in STATUSES {
            for event in EVENTS {
                if next(status, event) == FreeRunning {
                    assert!(
                        matches!(status, Synchronized | FreeRunning),
                        "{status} on {event:?}"
                    );
                }
            }
        }
    }
}
