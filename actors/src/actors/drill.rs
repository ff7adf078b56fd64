//! The switch of the drill: SIGUSR1 turns it on, SIGUSR2 off. Without a value SIGUSR1 begins a
//! disruption, as in programs of the 2.x generation, and with one the drill of a reason.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use actix::Addr;
use shm_layout::diagnostics::DRILL_REASON;

use super::clock_state::{ClockState, DrillSwitched};
use crate::estimator::can_be_forced;
use crate::estimator::status::Reason;

/// What is rehearsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rehearsal {
    /// A disruption of the clocks.
    Disruption,
    /// This reason for the status.
    Reason(Reason),
}

impl Rehearsal {
    /// What SIGUSR1 with this `value` requests; 0 without one. `None` if it cannot be rehearsed.
    #[must_use]
    pub fn of_value(value: i32) -> Option<Self> {
        if value == 0 {
            return Some(Self::Disruption);
        }
        let number = value.checked_sub(DRILL_REASON)?;
        let reason = Reason::from(u8::try_from(number).ok()?);
        if reason == Reason::Disrupted {
            return Some(Self::Disruption);
        }
        can_be_forced(reason).then_some(Self::Reason(reason))
    }

    /// The value of an atomic word.
    fn to_word(self) -> u32 {
        match self {
            Self::Disruption => DISRUPTION,
            Self::Reason(reason) => DISRUPTION + 1 + u32::from(reason as u8),
        }
    }

    fn from_word(word: u32) -> Option<Self> {
        match word.checked_sub(DISRUPTION)? {
            0 => Some(Self::Disruption),
            number => Some(Self::Reason(Reason::from(u8::try_from(number - 1).ok()?))),
        }
    }
}

/// The word of a disruption. 0 is that of no drill.
const DISRUPTION: u32 = 1;

/// The switch. Clones are the same switch, and any thread can use it.
#[derive(Clone, Debug, Default)]
pub struct Drill(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    word: AtomicU32,
    clock_state: OnceLock<Addr<ClockState>>,
}

impl Drill {
    /// Begins what SIGUSR1 with this `value` requests, and ends what was rehearsed before. Another
    /// value changes nothing.
    pub fn begin(&self, value: i32) {
        let rehearsal = Rehearsal::of_value(value);
        if let Some(rehearsal) = rehearsal {
            self.0.word.store(rehearsal.to_word(), Ordering::Release);
        }
        self.notify(rehearsal.is_none().then_some(value));
    }

    /// Ends the drill.
    pub fn end(&self) {
        self.0.word.store(0, Ordering::Release);
        self.notify(None);
    }

    /// What is rehearsed; `None` without a drill.
    pub(super) fn rehearsal(&self) -> Option<Rehearsal> {
        Rehearsal::from_word(self.0.word.load(Ordering::Acquire))
    }

    /// Connects the switch to the actor that it wakes.
    pub(crate) fn connect(&self, clock_state: Addr<ClockState>) {
        // There is one ClockState in a process.
        let _ = self.0.clock_state.set(clock_state);
    }

    /// Every message makes ClockState look at the switch. This one is for the log, and for a reason
    /// to be published at once.
    fn notify(&self, refused: Option<i32>) {
        if let Some(clock_state) = self.0.clock_state.get() {
            clock_state.do_send(DrillSwitched { refused });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_nothing_or_the_number_of_a_reason_that_can_be_forced() {
        let reason = |reason: Reason| DRILL_REASON + i32::from(reason as u8);
        let silent = Some(Rehearsal::Reason(Reason::ChronySilent));
        for (value, rehearsal) in [
            (0, Some(Rehearsal::Disruption)),
            (reason(Reason::Disrupted), Some(Rehearsal::Disruption)),
            (reason(Reason::ChronySilent), silent),
            (reason(Reason::Tracking), None),
            (reason(Reason::Untold), None),
            (DRILL_REASON + 256, None),
            (Reason::ChronySilent as i32, None),
            (-1, None),
            (i32::MIN, None),
            (i32::MAX, None),
        ] {
            assert_eq!(Rehearsal::of_value(value), rehearsal, "{value}");
        }
    }

    #[test]
    fn the_switch_keeps_what_is_rehearsed_until_it_is_turned_off() {
        let drill = Drill::default();
        assert_eq!(drill.rehearsal(), None);
        for reason in Reason::ALL {
            let value = DRILL_REASON + i32::from(reason as u8);
            drill.begin(value);
            if let Some(rehearsal) = Rehearsal::of_value(value) {
                assert_eq!(drill.rehearsal(), Some(rehearsal));
            }
        }
        let last = drill.rehearsal();
        drill.begin(-1);
        assert_eq!((drill.rehearsal(), last.is_some()), (last, true));
        drill.end();
        assert_eq!(drill.rehearsal(), None);
    }
}
