//! What a run of the rig is made of.

use std::time::Duration;

use crate::Course;
use crate::chronyd::NEAR;
use crate::ntp_server::Manner;
use crate::virtual_clock::Rate;

/// chronyd believes in leap seconds at the end of June and of December only.
const END_OF_2026_S: i64 = 1_798_761_600;

/// What must come of a scenario, besides that trusted intervals contain true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Synchronized all the time once it was, without a flap.
    Healthy,
    /// Trusted for some of the time.
    Trusted,
    /// Never trusted.
    Untrusted,
}

/// Something that happens during a scenario.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// The server of this number changes its manner.
    Server(usize, fn(&mut Manner)),
    /// chronyd ends as an operator ends it.
    StopChronyd,
    /// chronyd ends as a crash does.
    KillChronyd,
    /// chronyd is started again.
    StartChronyd,
    /// chronyd hangs.
    FreezeChronyd,
    /// chronyd does not hang any more.
    ThawChronyd,
    /// The daemon is killed, and started again at once.
    RestartDaemon,
    /// CLOCK_REALTIME is set forwards by so many ns (backwards, when negative).
    StepClock(i64),
    /// The kernel lets CLOCK_REALTIME run faster by so many parts per billion than at the beginning.
    RunClockOff(i64),
    /// The kernel's discipline of CLOCK_REALTIME is set.
    SetRate(Rate),
    /// chronyd is told to step the clock by what remains of its correction.
    Makestep,
    /// The daemon is killed.
    KillDaemon,
    /// The daemon ends as an operator ends it.
    StopDaemon,
    /// The daemon is started again.
    StartDaemon,
}

impl Action {
    /// Whether it moves CLOCK_REALTIME, or changes its rate.
    pub fn disturbs_the_clock(&self) -> bool {
        matches!(
            self,
            Action::StepClock(_) | Action::RunClockOff(_) | Action::SetRate(_) | Action::Makestep
        )
    }
}

/// A scripted run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about, in a line.
    pub about: &'static str,
    /// How long it lasts, in seconds.
    pub seconds: u64,
    /// What must come of it.
    pub expect: Expect,
    /// Why trusted intervals may miss true time here: an assumption is broken, and the run is only shown.
    pub not_held: Option<&'static str>,
    /// Where true time goes.
    pub course: Course,
    /// How each of the servers answers at first.
    pub servers: Vec<Manner>,
    /// Options of chronyd's `server` lines.
    pub polling: &'static str,
    /// Further lines of chronyd's configuration.
    pub chrony_lines: &'static [&'static str],
    /// The error bound of the hardware clock that chronyd takes its server for, ns.
    pub phc_bound_ns: Option<u32>,
    /// Whether chronyd disciplines the clock; otherwise it runs with `-x`.
    pub discipline: bool,
    /// The date at the beginning, s since 1970; today's unless set.
    pub starts_at_s: Option<i64>,
    /// Whether true time inserts a leap second at the end of the UTC day.
    pub leap_second: bool,
    /// The kernel's discipline of CLOCK_REALTIME at the beginning.
    pub rate: Rate,
    /// What happens, and when: seconds since the beginning, in order.
    pub script: Vec<(f64, Action)>,
}

impl Scenario {
    /// A clock that is right, one good server polled sixteen times a second, and nothing that happens.
    pub fn new(name: &'static str, about: &'static str, seconds: u64) -> Scenario {
        Scenario {
            name,
            about,
            seconds,
            expect: Expect::Healthy,
            not_held: None,
            course: Course::default(),
            servers: vec![exact()],
            polling: NEAR,
            chrony_lines: &[],
            phc_bound_ns: None,
            discipline: false,
            starts_at_s: None,
            leap_second: false,
            rate: Rate::default(),
            script: Vec::new(),
        }
    }

    /// Whether it is played on a virtual clock, in a process of its own.
    pub fn needs_virtual_clock(&self) -> bool {
        let disturbed = self
            .script
            .iter()
            .any(|(_, action)| action.disturbs_the_clock());
        let unlike_the_machines = self.starts_at_s.is_some() || self.rate != Rate::default();
        disturbed || unlike_the_machines || self.discipline || self.leap_second
    }

    /// The same scenario, for another time.
    #[must_use]
    pub fn lasting(self, seconds: u64) -> Scenario {
        Scenario { seconds, ..self }
    }

    pub(super) fn expecting(self, expect: Expect) -> Scenario {
        Scenario { expect, ..self }
    }

    pub(super) fn not_held(self, reason: &'static str) -> Scenario {
        Scenario {
            not_held: Some(reason),
            ..self
        }
    }

    pub(super) fn course(self, course: Course) -> Scenario {
        Scenario { course, ..self }
    }

    pub(super) fn server(mut self, change: fn(&mut Manner)) -> Scenario {
        change(&mut self.servers[0]);
        self
    }

    pub(super) fn another_server(mut self, change: fn(&mut Manner)) -> Scenario {
        let mut manner = exact();
        change(&mut manner);
        self.servers.push(manner);
        self
    }

    pub(super) fn polling(self, polling: &'static str) -> Scenario {
        Scenario { polling, ..self }
    }

    pub(super) fn chrony_lines(self, chrony_lines: &'static [&'static str]) -> Scenario {
        Scenario {
            chrony_lines,
            ..self
        }
    }

    pub(super) fn phc_bound_ns(self, bound_ns: u32) -> Scenario {
        Scenario {
            phc_bound_ns: Some(bound_ns),
            ..self
        }
    }

    pub(super) fn disciplined(self) -> Scenario {
        Scenario {
            discipline: true,
            ..self
        }
    }

    pub(super) fn rate(self, rate: Rate) -> Scenario {
        Scenario { rate, ..self }
    }

    /// Begins so many seconds before a leap second is inserted at the end of 2026.
    pub(super) fn seconds_before_leap(self, seconds: i64) -> Scenario {
        Scenario {
            starts_at_s: Some(END_OF_2026_S - seconds),
            leap_second: true,
            ..self
        }
    }

    pub(super) fn at(mut self, second: f64, action: Action) -> Scenario {
        self.script.push((second, action));
        self
    }
}

/// A server without any slack: it tells true time, and declares the smallest distance there is.
fn exact() -> Manner {
    Manner {
        root_delay: 1e-6,
        root_dispersion: 1e-6,
        ..Manner::default()
    }
}

/// The length of a script's second.
pub(super) fn instant(second: f64) -> Duration {
    Duration::from_secs_f64(second)
}
