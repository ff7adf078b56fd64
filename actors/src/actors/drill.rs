//! The switch of the disruption drill: SIGUSR1 turns it on, SIGUSR2 off, as in programs of the 2.x
//! generation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use actix::Addr;

use super::clock_state::{ClockState, DrillSwitched};

/// The switch. Clones are the same switch, and any thread can use it.
#[derive(Clone, Debug, Default)]
pub struct Drill(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_on: AtomicBool,
    clock_state: OnceLock<Addr<ClockState>>,
}

impl Drill {
    /// Switches the drill on or off.
    pub fn switch(&self, on: bool) {
        self.0.is_on.store(on, Ordering::Release);
        if let Some(clock_state) = self.0.clock_state.get() {
            // Every message makes ClockState look at the switch. This one is for the log.
            clock_state.do_send(DrillSwitched);
        }
    }

    /// Whether it is on.
    pub(super) fn is_on(&self) -> bool {
        self.0.is_on.load(Ordering::Acquire)
    }

    /// Connects the switch to the actor that it wakes.
    pub(crate) fn connect(&self, clock_state: Addr<ClockState>) {
        // There is one ClockState in a process.
        let _ = self.0.clock_state.set(clock_state);
    }
}
