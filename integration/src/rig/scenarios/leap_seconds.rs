//! Leap seconds, in each of chronyd's leap second modes. Each scenario begins 30 s before midnight.

use super::table::{kept, scenarios};
use crate::rig::scenario::Action::{KillDaemon, RestartDaemon, Server, StartDaemon, StopDaemon};
use crate::rig::scenario::Expect::Trusted;
use crate::rig::scenario::{Action, Scenario};
use crate::time::truth::LeapKind;

/// When the day ends, in the seconds of a script.
const MIDNIGHT: f64 = 30.0;

/// When a day ends whose last second is deleted.
const SHORT_MIDNIGHT: f64 = 29.0;

const STEP: &[&str] = &["leapsecmode step"];
const SLEW: &[&str] = &["leapsecmode slew"];
const IGNORE: &[&str] = &["leapsecmode ignore"];

/// The scenarios of the table.
pub fn all() -> Vec<Scenario> {
    [
        insertions(),
        deletions(),
        cancellations(),
        restarts_at_insertions(),
        restarts_at_deletions(),
        restart_at_cancellation(),
    ]
    .concat()
}

fn insertions() -> Vec<Scenario> {
    scenarios! { inserted;
        "leap-second", 56 s,
            "a leap second is inserted into a disciplined clock" [poll(1), disciplined];
        "leap-second-each-4-s", 60 s, "a leap second is inserted into a disciplined clock"
            [poll(4), disciplined, max_drift_ppm("15")];
        "leap-second-each-16-s", 76 s, "a leap second is inserted into a disciplined clock"
            [poll(16), disciplined];
        "leap-second-stepped", 56 s, "chronyd steps its clock for a leap second"
            [poll(1), disciplined, chrony_lines(STEP)];
        "leap-second-slewed", 64 s, "chronyd slews its clock for a leap second"
            [poll(4), disciplined, chrony_lines(SLEW)];
        "leap-second-slewed-at-once", 64 s, "chronyd slews its clock for a leap second"
            [poll(1), disciplined, max_drift_ppm("1"), chrony_lines(SLEW)];
        "leap-second-ignored", 64 s, "chronyd ignores a leap second and measures its effect"
            [poll(1), disciplined, chrony_lines(IGNORE)];
        "leap-second-of-no-clock", 56 s,
            "a leap second is inserted, and chronyd runs with -x" [poll(1)];
        "leap-second-unannounced-by-chronyd", 56 s,
            "a leap second is inserted that the server did not announce"
            [poll(1),
             not_held("the only server steps its time by a second and has not announced it"),
             server(|s| s.leap = 0)];
    }
}

fn deletions() -> Vec<Scenario> {
    scenarios! { deleted;
        "deleted-second", 56 s,
            "a second is deleted from a disciplined clock" [poll(1), disciplined];
        "deleted-second-each-4-s", 60 s, "a second is deleted from a disciplined clock"
            [poll(4), disciplined, max_drift_ppm("15")];
        "deleted-second-each-16-s", 76 s, "a second is deleted from a disciplined clock"
            [poll(16), disciplined];
        "deleted-second-stepped", 56 s, "chronyd steps its clock for a deleted second"
            [poll(1), disciplined, chrony_lines(STEP)];
        "deleted-second-slewed", 64 s, "chronyd slews its clock for a deleted second"
            [poll(4), disciplined, chrony_lines(SLEW)];
        "deleted-second-ignored", 64 s, "chronyd ignores a deleted second and measures its effect"
            [poll(1), disciplined, chrony_lines(IGNORE)];
        "deleted-second-of-no-clock", 56 s,
            "a second is deleted, and chronyd runs with -x" [poll(1)];
    }
}

/// Announced leap seconds that true time does not have.
fn cancellations() -> Vec<Scenario> {
    let mut cancellations = scenarios! { announced;
        "no-leap-second", 64 s, "a leap second is announced and inserted, but true time has none"
            [poll(1), disciplined];
        "no-leap-second-each-4-s", 64 s,
            "chronyd steps its clock for an announced leap second that true time has not"
            [poll(4), disciplined, max_drift_ppm("15"), chrony_lines(STEP)];
        "no-leap-second-each-16-s", 76 s,
            "chronyd ignores an announced leap second that true time has not"
            [poll(16), disciplined, chrony_lines(IGNORE)];
        "no-leap-second-of-no-clock", 56 s,
            "a leap second is announced that true time has not, and chronyd runs with -x" [poll(1)];
        "no-deleted-second", 64 s,
            "a deleted second is announced and applied, but true time has none"
            [poll(1), disciplined, server(|s| s.leap = 2)];
    };
    cancellations.extend(scenarios! { before_midnight;
        "leap-second-called-off", 50 s,
            "a leap second is announced, and withdrawn 12 s before midnight"
            [poll(1), disciplined, server(|s| s.leap = 1)] 18: Server(0, |s| s.leap = 0);
    });
    cancellations
}

fn restarts_at_insertions() -> Vec<Scenario> {
    scenarios! { inserted;
        "leap-second-restarted-before", 56 s, "the daemon is restarted 2 s before a leap second"
            [poll(1), disciplined] 28: RestartDaemon;
        "leap-second-restarted-in-it", 56 s, "the daemon is restarted in a leap second"
            [poll(1), disciplined] 30.5: RestartDaemon;
        "leap-second-restarted-after", 60 s,
            "the daemon is restarted 2 s and 5 s after a leap second"
            [poll(4), disciplined] 33: RestartDaemon, 36: RestartDaemon;
        "leap-second-restarted-each-16-s", 76 s,
            "the daemon is restarted 5 s before a leap second, at midnight and 3 s after"
            [poll(16)] 25: RestartDaemon, 30: RestartDaemon, 33: RestartDaemon;
        "leap-second-while-down", 64 s,
            "the daemon is killed 20 s before a leap second and started 10 s after"
            [poll(1), expecting(Trusted), disciplined] 10: KillDaemon, 41: StartDaemon;
        "leap-second-while-down-each-16-s", 90 s,
            "the daemon is stopped 20 s before a leap second and started 10 s after"
            [poll(16), expecting(Trusted), disciplined] 10: StopDaemon, 41: StartDaemon;
    }
}

fn restarts_at_deletions() -> Vec<Scenario> {
    scenarios! { deleted;
        "deleted-second-restarted-in-it", 56 s,
            "the daemon is restarted 1 s before a deleted second, at midnight and 1 s after"
            [poll(1), disciplined] 28: RestartDaemon, 29: RestartDaemon, 30: RestartDaemon;
        "deleted-second-while-down", 64 s,
            "the daemon is down from 20 s before a deleted second to 10 s after, with chronyd -x"
            [poll(4), expecting(Trusted)] 9: KillDaemon, 39: StartDaemon;
    }
}

fn restart_at_cancellation() -> Vec<Scenario> {
    scenarios! { announced;
        "no-leap-second-while-down", 64 s,
            "the daemon is down from 20 s before to 10 s after a false leap second"
            [poll(1), expecting(Trusted)] 10: KillDaemon, 40: StartDaemon;
    }
}

fn inserted(name: &'static str, about: &'static str, seconds: u64) -> Scenario {
    announced(name, about, seconds).leap_second(LeapKind::Inserted)
}

fn deleted(name: &'static str, about: &'static str, seconds: u64) -> Scenario {
    before_midnight(name, about, seconds)
        .leap_second(LeapKind::Deleted)
        .server(|server| server.leap = 2)
        .at(SHORT_MIDNIGHT, withdraw())
}

/// A leap second is announced until midnight.
fn announced(name: &'static str, about: &'static str, seconds: u64) -> Scenario {
    before_midnight(name, about, seconds)
        .server(|server| server.leap = 1)
        .at(MIDNIGHT, withdraw())
}

fn withdraw() -> Action {
    Server(0, |server| server.leap = 0)
}

fn before_midnight(name: &'static str, about: &'static str, seconds: u64) -> Scenario {
    kept(name, about, seconds).seconds_before_midnight(30)
}
