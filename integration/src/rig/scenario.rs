//! What a run of the rig is made of.

use std::time::Duration;

use crate::fakes::ntp_server::ServerBehaviour;
use crate::fakes::reference_clock::{Driver, Feed};
use crate::host::virtual_clock::Rate;
use crate::programs::chronyd::FREQUENT_POLLS;
use crate::time::truth::{Course, LeapKind};

/// The oscillator's drift that the daemon allows for, ppm, unless a scenario says otherwise.
const MAX_DRIFT_PPM: &str = "50";

/// chronyd believes in leap seconds at the end of June and of December only.
const END_OF_2026_S: i64 = 1_798_761_600;

/// What must come of a scenario, besides that trusted intervals contain true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Synchronized all the time once it was, without a flap.
    Healthy,
    /// Trusted all the time once it was, in holdover at the worst.
    Kept,
    /// Trusted for some of the time.
    Trusted,
    /// Never trusted.
    Untrusted,
}

/// Something that happens during a scenario.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// The server of this number changes its behaviour.
    Server(usize, fn(&mut ServerBehaviour)),
    /// The reference clock of this number measures differently.
    Refclock(usize, fn(&mut Feed)),
    /// chronyd is told by `chronyc add server` to use the server of this number, too.
    AddServer(usize),
    /// chronyd is told by `chronyc delete` to forget the server of this number.
    DeleteServer(usize),
    /// chronyd's source directory names these servers from now on, and chronyd reads it.
    ListServers(&'static [usize]),
    /// The name of the pool stands for these servers from now on; `chronyc refresh` makes chronyd notice.
    NamePool(&'static [usize]),
    /// A command of `chronyc`, which has to be successful.
    Chronyc(&'static str),
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

/// How chronyd comes to know a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// By its configuration.
    Configured,
    /// By its source directory.
    InDirectory,
    /// By the pool's name.
    InPool,
    /// Not at first.
    Later,
}

/// A scripted server, and how chronyd uses it.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// How it answers at first.
    pub behaviour: ServerBehaviour,
    /// The options of its line instead of the scenario's.
    pub options: Option<&'static str>,
    /// How chronyd comes to know it.
    pub listed: Listed,
}

/// A reference clock of chronyd's.
#[derive(Clone, Copy, Debug)]
pub struct Refclock {
    /// How it is connected.
    pub driver: Driver,
    /// How it measures at first.
    pub feed: Feed,
    /// The declared delay in seconds, half of which covers the clock's error.
    pub delay: f64,
    /// The other options of its line.
    pub options: &'static str,
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
    /// The servers. The first is at 127.0.0.1, the second at 127.0.0.2, and so on.
    pub servers: Vec<Server>,
    /// How many of the servers and reference clocks tell, at any time, a time that their declarations do not cover.
    pub falsetickers: usize,
    /// The reference clocks.
    pub refclocks: Vec<Refclock>,
    /// Options of chronyd's `server` lines.
    pub polling: &'static str,
    /// Options of the `pool` line, when there is one.
    pub pool: Option<&'static str>,
    /// The daemon's `--max-drift-rate`.
    pub max_drift_ppm: &'static str,
    /// Further arguments of the daemon.
    pub daemon_args: &'static [&'static str],
    /// Further lines of chronyd's configuration.
    pub chrony_lines: &'static [&'static str],
    /// The error bound of the hardware clock that chronyd takes its server for, ns.
    pub phc_bound_ns: Option<u32>,
    /// Whether chronyd disciplines the clock; otherwise it runs with `-x`.
    pub discipline: bool,
    /// The date at the beginning, s since 1970; today's unless set.
    pub starts_at_s: Option<i64>,
    /// The leap second of true time at the end of the UTC day.
    pub leap_second: Option<LeapKind>,
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
            falsetickers: 0,
            refclocks: Vec::new(),
            polling: FREQUENT_POLLS,
            pool: None,
            max_drift_ppm: MAX_DRIFT_PPM,
            daemon_args: &[],
            chrony_lines: &[],
            phc_bound_ns: None,
            discipline: false,
            starts_at_s: None,
            leap_second: None,
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
        disturbed || unlike_the_machines || self.discipline || self.leap_second.is_some()
    }

    /// The options of chronyd's sources and of the daemon, for the list of scenarios.
    pub fn settings(&self) -> String {
        let mut settings = vec![
            format!("server {}", self.polling),
            format!("--max-drift-rate {}", self.max_drift_ppm),
        ];
        settings.extend(self.daemon_args.chunks(2).map(|pair| pair.join(" ")));
        settings.join(", ")
    }

    /// The same scenario with another duration.
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

    /// Changes the first server.
    pub(super) fn server(self, change: fn(&mut ServerBehaviour)) -> Scenario {
        self.change_server(0, change)
    }

    /// Changes the server of this number.
    pub(super) fn change_server(
        mut self,
        number: usize,
        change: fn(&mut ServerBehaviour),
    ) -> Scenario {
        change(&mut self.servers[number].behaviour);
        self
    }

    /// Adds a server that is exact, but for this change.
    pub(super) fn another_server(mut self, change: fn(&mut ServerBehaviour)) -> Scenario {
        let mut server = exact();
        change(&mut server.behaviour);
        self.servers.push(server);
        self
    }

    /// Gives the line of the server that was added last its own options.
    pub(super) fn options(mut self, options: &'static str) -> Scenario {
        self.last_server().options = Some(options);
        self
    }

    /// Says how chronyd comes to know the server that was added last.
    pub(super) fn listed(mut self, listed: Listed) -> Scenario {
        self.last_server().listed = listed;
        self
    }

    fn last_server(&mut self) -> &mut Server {
        self.servers.last_mut().expect("a scenario has a server")
    }

    pub(super) fn without_servers(self) -> Scenario {
        Scenario {
            servers: Vec::new(),
            ..self
        }
    }

    pub(super) fn falsetickers(self, falsetickers: usize) -> Scenario {
        Scenario {
            falsetickers,
            ..self
        }
    }

    /// Adds a reference clock that is exact, but for this change, and declares a delay of 2 ms.
    pub(super) fn refclock(
        mut self,
        driver: Driver,
        options: &'static str,
        change: fn(&mut Feed),
    ) -> Scenario {
        let mut feed = Feed::default();
        change(&mut feed);
        self.refclocks.push(Refclock {
            driver,
            feed,
            delay: 0.002,
            options,
        });
        self
    }

    pub(super) fn pool(self, options: &'static str) -> Scenario {
        Scenario {
            pool: Some(options),
            ..self
        }
    }

    pub(super) fn max_drift_ppm(self, max_drift_ppm: &'static str) -> Scenario {
        Scenario {
            max_drift_ppm,
            ..self
        }
    }

    pub(super) fn daemon_args(self, daemon_args: &'static [&'static str]) -> Scenario {
        Scenario {
            daemon_args,
            ..self
        }
    }

    pub(super) fn polling(self, polling: &'static str) -> Scenario {
        Scenario { polling, ..self }
    }

    /// chronyd polls every `poll_s` seconds after an initial burst.
    pub(super) fn poll(self, poll_s: u64) -> Scenario {
        self.polling(match poll_s {
            1 => "iburst minpoll 0 maxpoll 0",
            2 => "iburst minpoll 1 maxpoll 1",
            4 => "iburst minpoll 2 maxpoll 2",
            8 => "iburst minpoll 3 maxpoll 3",
            16 => "iburst minpoll 4 maxpoll 4",
            64 => "iburst minpoll 6 maxpoll 6",
            _ => unreachable!("no scenario polls every {poll_s} s"),
        })
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

    /// Begins so many seconds before the end of 2026, when chronyd believes in leap seconds.
    pub(super) fn seconds_before_midnight(self, seconds: i64) -> Scenario {
        Scenario {
            starts_at_s: Some(END_OF_2026_S - seconds),
            ..self
        }
    }

    /// True time has a leap second at the end of the first day.
    pub(super) fn leap_second(self, kind: LeapKind) -> Scenario {
        Scenario {
            leap_second: Some(kind),
            ..self
        }
    }

    /// Steps the clock by `by_ns` every `interval_s` seconds from second 10 on.
    pub(super) fn stepping(self, times: u32, interval_s: f64, by_ns: i64) -> Scenario {
        let seconds = (0..times).map(|number| 10.0 + f64::from(number) * interval_s);
        seconds.fold(self, |scenario, second| {
            scenario.at(second, Action::StepClock(by_ns))
        })
    }

    /// Performs an action at this second, after those that are already there.
    pub(super) fn at(mut self, second: f64, action: Action) -> Scenario {
        let earlier = self.script.partition_point(|&(other, _)| other <= second);
        self.script.insert(earlier, (second, action));
        self
    }
}

/// A server without any slack: it tells true time, and declares the smallest distance there is.
fn exact() -> Server {
    Server {
        behaviour: ServerBehaviour {
            root_delay: 1e-6,
            root_dispersion: 1e-6,
            ..ServerBehaviour::default()
        },
        options: None,
        listed: Listed::Configured,
    }
}

/// The length of a script's second.
pub(super) fn instant(second: f64) -> Duration {
    Duration::from_secs_f64(second)
}
