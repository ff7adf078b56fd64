//! The virtual machine is stopped and continued: migrated live, paused, or restored from a snapshot.
//!
//! True time is stepped against all clocks of the machine, while chronyd, the daemon and the readers
//! are stopped. The readers continue first.

use super::table::{MS, scenarios};
use crate::rig::scenario::Action::{KillDaemon, StartDaemon, StopMachine};
use crate::rig::scenario::{Expect, MachineStop, Reply, Scenario};

/// The age of the snapshot.
const MINUTE_NS: i64 = 60_000 * MS;

/// The scenarios of the table.
pub fn all() -> Vec<Scenario> {
    scenarios! { regained;
        "restored", 30 s, "a snapshot that is 60 s old is restored"
            [poll(1), vmclock] 12: StopMachine(stop(MINUTE_NS, Reply::None));
        "restored-twice", 40 s, "a snapshot is restored, and again within the cool-down"
            [poll(1), vmclock]
            12: StopMachine(stop(MINUTE_NS, Reply::None)),
            15: StopMachine(stop(MINUTE_NS, Reply::None));
        "restored-amid-a-request", 30 s,
            "a reply from before the snapshot arrives together with the daemon's commands"
            [poll(1), vmclock] 12: StopMachine(stop(MINUTE_NS, Reply::WithCommands));
        "restored-while-down", 30 s, "a snapshot is restored while the daemon is down"
            [poll(1), vmclock]
            12: KillDaemon, 12: StopMachine(stop(MINUTE_NS, Reply::None)), 12: StartDaemon;
        "migrated", 30 s, "the machine is migrated within 300 ms"
            [poll(1), vmclock] 12: StopMachine(stop(300 * MS, Reply::None));
        "migrated-amid-a-request", 30 s,
            "the machine is migrated within 300 ms, and a reply from before is measured first"
            [poll(1), vmclock] 12: StopMachine(stop(300 * MS, Reply::BeforeCommands));
        "paused-amid-a-request", 30 s,
            "the machine is paused for 3 s, and a reply from before arrives later"
            [poll(1), vmclock] 12: StopMachine(stop(3_000 * MS, Reply::Later));
        "restored-without-a-page", 30 s, "a snapshot that is 60 s old is restored"
            [poll(4), not_held("no VMClock page tells that true time is 60 s later")]
            12: StopMachine(stop(MINUTE_NS, Reply::None));
    }
}

/// A scenario in which the interval is trusted before the machine stops and at the end.
fn regained(name: &'static str, about: &'static str, seconds: u64) -> Scenario {
    Scenario::new(name, about, seconds).expecting(Expect::Regained)
}

fn stop(for_ns: i64, reply: Reply) -> MachineStop {
    MachineStop { for_ns, reply }
}
