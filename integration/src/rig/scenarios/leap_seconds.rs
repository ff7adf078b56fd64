//! Leap seconds, with what chronyd makes of them. Each scenario begins 30 s before midnight.

use super::super::scenario::{Action, Expect, Scenario};
use super::polled_each;
use crate::time::truth::LeapKind;

/// When the day ends, in the seconds of a script.
const MIDNIGHT: f64 = 30.0;

/// When the day ends that a second is deleted from.
const SHORT_MIDNIGHT: f64 = 29.0;

/// The scenarios of the table.
pub fn all() -> Vec<Scenario> {
    [inserted(), deleted(), not_happening(), restarted()].concat()
}

fn inserted() -> Vec<Scenario> {
    vec![
        inserted_one(
            "leap-second",
            "a leap second is inserted into a disciplined clock",
            56,
            1,
        )
        .disciplined(),
        inserted_one(
            "leap-second-each-4-s",
            "a leap second is inserted into a disciplined clock, polled every 4 s, drift rate 15",
            60,
            4,
        )
        .disciplined()
        .max_drift_ppm("15"),
        inserted_one(
            "leap-second-each-16-s",
            "a leap second is inserted into a disciplined clock, polled every 16 s",
            76,
            16,
        )
        .disciplined(),
        inserted_one(
            "leap-second-stepped",
            "chronyd steps its clock for a leap second",
            56,
            1,
        )
        .disciplined()
        .chrony_lines(&["leapsecmode step"]),
        inserted_one(
            "leap-second-slewed",
            "chronyd slews its clock for a leap second, polled every 4 s",
            64,
            4,
        )
        .disciplined()
        .chrony_lines(&["leapsecmode slew"]),
        inserted_one(
            "leap-second-slewed-at-once",
            "chronyd slews its clock for a leap second, polled every second, drift rate 1",
            64,
            1,
        )
        .disciplined()
        .max_drift_ppm("1")
        .chrony_lines(&["leapsecmode slew"]),
        inserted_one(
            "leap-second-ignored",
            "chronyd ignores a leap second, and measures it",
            64,
            1,
        )
        .disciplined()
        .chrony_lines(&["leapsecmode ignore"]),
        inserted_one(
            "leap-second-of-no-clock",
            "a leap second is inserted, while chronyd -x watches",
            56,
            1,
        ),
        inserted_one(
            "leap-second-unannounced-by-chronyd",
            "a leap second is inserted that chronyd was not told of",
            56,
            1,
        )
        .not_held("the only server steps its time by a second and has not announced it")
        .server(|server| server.leap = 0),
    ]
}

fn deleted() -> Vec<Scenario> {
    vec![
        deleted_one(
            "deleted-second",
            "a second is deleted from a disciplined clock",
            56,
            1,
        )
        .disciplined(),
        deleted_one(
            "deleted-second-each-4-s",
            "a second is deleted from a disciplined clock, polled every 4 s, drift rate 15",
            60,
            4,
        )
        .disciplined()
        .max_drift_ppm("15"),
        deleted_one(
            "deleted-second-each-16-s",
            "a second is deleted from a disciplined clock, polled every 16 s",
            76,
            16,
        )
        .disciplined(),
        deleted_one(
            "deleted-second-stepped",
            "chronyd steps its clock for a deleted second",
            56,
            1,
        )
        .disciplined()
        .chrony_lines(&["leapsecmode step"]),
        deleted_one(
            "deleted-second-slewed",
            "chronyd slews its clock for a deleted second, polled every 4 s",
            64,
            4,
        )
        .disciplined()
        .chrony_lines(&["leapsecmode slew"]),
        deleted_one(
            "deleted-second-ignored",
            "chronyd ignores a deleted second, and measures it",
            64,
            1,
        )
        .disciplined()
        .chrony_lines(&["leapsecmode ignore"]),
        deleted_one(
            "deleted-second-of-no-clock",
            "a second is deleted, while chronyd -x watches",
            56,
            1,
        ),
    ]
}

/// Announced, and true time has none.
fn not_happening() -> Vec<Scenario> {
    let announced = |name, about, seconds, poll_s| {
        before_midnight(name, about, seconds, poll_s)
            .server(|server| server.leap = 1)
            .at(MIDNIGHT, Action::Server(0, |server| server.leap = 0))
    };
    vec![
        announced(
            "no-leap-second",
            "a leap second is announced and does not come, but to a disciplined clock",
            64,
            1,
        )
        .disciplined(),
        announced(
            "no-leap-second-each-4-s",
            "a leap second is announced and does not come, but chronyd steps its clock, polled every 4 s",
            64,
            4,
        )
        .disciplined()
        .max_drift_ppm("15")
        .chrony_lines(&["leapsecmode step"]),
        announced(
            "no-leap-second-each-16-s",
            "a leap second is announced and does not come, and chronyd ignores it, polled every 16 s",
            76,
            16,
        )
        .disciplined()
        .chrony_lines(&["leapsecmode ignore"]),
        announced(
            "no-leap-second-of-no-clock",
            "a leap second is announced and does not come, while chronyd -x watches",
            56,
            1,
        ),
        announced(
            "no-deleted-second",
            "a deleted second is announced and does not come, but to a disciplined clock",
            64,
            1,
        )
        .disciplined()
        .server(|server| server.leap = 2),
        before_midnight(
            "leap-second-called-off",
            "a leap second is announced, and called off 12 s before midnight",
            50,
            1,
        )
        .disciplined()
        .server(|server| server.leap = 1)
        .at(18.0, Action::Server(0, |server| server.leap = 0)),
    ]
}

/// The daemon is restarted around midnight.
fn restarted() -> Vec<Scenario> {
    vec![
        inserted_one(
            "leap-second-restarted-before",
            "a leap second is inserted, and the daemon restarted 2 s before",
            56,
            1,
        )
        .disciplined()
        .at(28.0, Action::RestartDaemon),
        inserted_one(
            "leap-second-restarted-in-it",
            "a leap second is inserted, and the daemon restarted in it",
            56,
            1,
        )
        .disciplined()
        .at(30.5, Action::RestartDaemon),
        inserted_one(
            "leap-second-restarted-after",
            "a leap second is inserted, and the daemon restarted 2 s and 5 s after, polled every 4 s",
            60,
            4,
        )
        .disciplined()
        .at(33.0, Action::RestartDaemon)
        .at(36.0, Action::RestartDaemon),
        inserted_one(
            "leap-second-restarted-each-16-s",
            "a leap second is inserted, and the daemon restarted 5 s before, at midnight and 3 s after",
            76,
            16,
        )
        .at(25.0, Action::RestartDaemon)
        .at(30.0, Action::RestartDaemon)
        .at(33.0, Action::RestartDaemon),
        deleted_one(
            "deleted-second-restarted-in-it",
            "a second is deleted, and the daemon restarted 1 s before, at midnight and 1 s after",
            56,
            1,
        )
        .disciplined()
        .at(28.0, Action::RestartDaemon)
        .at(29.0, Action::RestartDaemon)
        .at(30.0, Action::RestartDaemon),
        inserted_one(
            "leap-second-while-down",
            "the daemon is killed 20 s before a leap second and started 10 s after",
            64,
            1,
        )
        .expecting(Expect::Trusted)
        .disciplined()
        .at(10.0, Action::KillDaemon)
        .at(41.0, Action::StartDaemon),
        inserted_one(
            "leap-second-while-down-each-16-s",
            "the daemon is stopped 20 s before a leap second and started 10 s after, polled every 16 s",
            90,
            16,
        )
        .expecting(Expect::Trusted)
        .disciplined()
        .at(10.0, Action::StopDaemon)
        .at(41.0, Action::StartDaemon),
        deleted_one(
            "deleted-second-while-down",
            "the daemon is killed 20 s before a deleted second and started 10 s after, while chronyd -x watches",
            64,
            4,
        )
        .expecting(Expect::Trusted)
        .at(9.0, Action::KillDaemon)
        .at(39.0, Action::StartDaemon),
        before_midnight(
            "no-leap-second-while-down",
            "the daemon is killed 20 s before a leap second that does not come, and started 10 s after",
            64,
            1,
        )
        .expecting(Expect::Trusted)
        .server(|server| server.leap = 1)
        .at(10.0, Action::KillDaemon)
        .at(MIDNIGHT, Action::Server(0, |server| server.leap = 0))
        .at(40.0, Action::StartDaemon),
    ]
}

fn inserted_one(name: &'static str, about: &'static str, seconds: u64, poll_s: u64) -> Scenario {
    before_midnight(name, about, seconds, poll_s)
        .leap_second(LeapKind::Inserted)
        .server(|server| server.leap = 1)
        .at(MIDNIGHT, Action::Server(0, |server| server.leap = 0))
}

fn deleted_one(name: &'static str, about: &'static str, seconds: u64, poll_s: u64) -> Scenario {
    before_midnight(name, about, seconds, poll_s)
        .leap_second(LeapKind::Deleted)
        .server(|server| server.leap = 2)
        .at(SHORT_MIDNIGHT, Action::Server(0, |server| server.leap = 0))
}

fn before_midnight(name: &'static str, about: &'static str, seconds: u64, poll_s: u64) -> Scenario {
    Scenario::new(name, about, seconds)
        .expecting(Expect::Kept)
        .polling(polled_each(poll_s))
        .seconds_before_midnight(30)
}
