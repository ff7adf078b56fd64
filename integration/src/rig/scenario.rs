//! Scenarios: sources, clock, faults and expectation.

use std::time::Duration;

use crate::fakes::ntp_server::ServerBehaviour;
use crate::fakes::reference_clock::{Driver, Feed};
use crate::host::virtual_clock::Rate;
use crate::programs::chronyd::FREQUENT_POLLS;
use crate::time::truth::{Course, LeapKind};

/// The daemon's default drift rate in scenarios, ppm.
const MAX_DRIFT_PPM: &str = "50";

/// chronyd accepts leap seconds at the end of June and of December only.
const END_OF_2026_S: i64 = 1_798_761_600;

/// The expected result of a scenario, in addition to trusted intervals that contain true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Synchronized without interruption after the first time.
    Healthy,
    /// Trusted without interruption after the first time, in holdover at worst.
    Kept,
    /// Trusted at some time.
    Trusted,
    /// Trusted at some time before the machine stopped, and at the end.
    Regained,
    /// Never trusted.
    Untrusted,
}

/// An event of a scenario.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// The server of this number changes its behaviour.
    Server(usize, fn(&mut ServerBehaviour)),
    /// The reference clock of this number changes its samples.
    Refclock(usize, fn(&mut Feed)),
    /// `chronyc add server` adds the server of this number.
    AddServer(usize),
    /// `chronyc delete` deletes the server of this number.
    DeleteServer(usize),
    /// The source directory lists these servers, and `chronyc reload sources` reads it.
    ListServers(&'static [usize]),
    /// The name of the pool resolves to these servers; `chronyc refresh` makes chronyd resolve it.
    NamePool(&'static [usize]),
    /// A command of `chronyc`, which must succeed.
    Chronyc(&'static str),
    /// chronyd is stopped with SIGTERM.
    StopChronyd,
    /// chronyd is killed.
    KillChronyd,
    /// chronyd is started.
    StartChronyd,
    /// chronyd is suspended.
    FreezeChronyd,
    /// chronyd is resumed.
    ThawChronyd,
    /// The daemon is killed, and started at once.
    RestartDaemon,
    /// CLOCK_REALTIME is stepped by this many ns.
    StepClock(i64),
    /// The tick makes CLOCK_REALTIME faster by this many parts per billion than at the beginning.
    RunClockOff(i64),
    /// The kernel's tick and frequency of CLOCK_REALTIME are set.
    SetRate(Rate),
    /// `chronyc makestep` steps the clock by the remaining correction.
    Makestep,
    /// The daemon is killed.
    KillDaemon,
    /// The daemon is stopped with SIGTERM.
    StopDaemon,
    /// The daemon is started.
    StartDaemon,
    /// The virtual machine is stopped and continued.
    StopMachine(MachineStop),
}

/// A virtual machine is stopped for some time and continued: a live migration, a pause, or a
/// snapshot that is restored. Its clocks and counters do not run meanwhile, and the programs in it
/// do not notice. A request of chronyd may be on its way.
#[derive(Clone, Copy, Debug)]
pub struct MachineStop {
    /// How far true time advances meanwhile, ns.
    pub for_ns: i64,
    /// Whether a request of chronyd is answered before and the reply arrives afterwards, so that
    /// the measurement is wrong by `for_ns`.
    pub reply: Reply,
}

/// The reply to a request of chronyd that was answered before the machine stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// No request is on its way.
    None,
    /// It is in chronyd's socket when chronyd continues, and the daemon continues before chronyd:
    /// chronyd reads the reply and the daemon's commands together.
    WithCommands,
    /// It is in chronyd's socket when chronyd continues, and chronyd continues before the daemon.
    BeforeCommands,
    /// It arrives after both have continued.
    Later,
}

impl Action {
    /// Whether it steps CLOCK_REALTIME or changes its rate.
    pub fn disturbs_the_clock(&self) -> bool {
        matches!(
            self,
            Action::StepClock(_) | Action::RunClockOff(_) | Action::SetRate(_) | Action::Makestep
        )
    }
}

/// Where a server is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// In chronyd's configuration file.
    Configured,
    /// In the source directory.
    InDirectory,
    /// As an address of the pool's name.
    InPool,
    /// Nowhere at the beginning.
    Later,
}

/// A scripted server and chronyd's configuration of it.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// Its behaviour at the beginning.
    pub behaviour: ServerBehaviour,
    /// Its options, if they differ from the scenario's.
    pub options: Option<&'static str>,
    /// Where it is configured.
    pub listed: Listed,
}

/// A scripted reference clock and chronyd's configuration of it.
#[derive(Clone, Copy, Debug)]
pub struct Refclock {
    /// How it is connected.
    pub driver: Driver,
    /// Its samples at the beginning.
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
    /// A description in one line.
    pub about: &'static str,
    /// How long it lasts, in seconds.
    pub seconds: u64,
    /// The expected result.
    pub expect: Expect,
    /// The broken assumption because of which violations are no fault, if any; the run is only
    /// shown.
    pub not_held: Option<&'static str>,
    /// The course of true time.
    pub course: Course,
    /// The servers. The first is at 127.0.0.1, the second at 127.0.0.2, and so on.
    pub servers: Vec<Server>,
    /// Number of falsetickers: sources whose declared error does not cover their time error at some
    /// instant.
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
    /// Whether there is a VMClock page, whose marker changes when the machine stops.
    pub vmclock: bool,
    /// The error bound of the hardware clock that the server represents, ns.
    pub phc_bound_ns: Option<u32>,
    /// Whether chronyd disciplines the clock; otherwise it runs with `-x`.
    pub discipline: bool,
    /// The time at the beginning, s since 1970; the machine's if `None`.
    pub starts_at_s: Option<i64>,
    /// The leap second of true time at the end of the UTC day.
    pub leap_second: Option<LeapKind>,
    /// The kernel's tick and frequency of CLOCK_REALTIME at the beginning.
    pub rate: Rate,
    /// The events with their seconds since the beginning, in order.
    pub script: Vec<(f64, Action)>,
}

impl Scenario {
    /// A clock without offset, an exact server polled sixteen times a second, and no events.
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
            vmclock: false,
            phc_bound_ns: None,
            discipline: false,
            starts_at_s: None,
            leap_second: None,
            rate: Rate::default(),
            script: Vec::new(),
        }
    }

    /// Whether it runs on a virtual clock, in a process of its own.
    pub fn needs_virtual_clock(&self) -> bool {
        let disturbed = self
            .script
            .iter()
            .any(|(_, action)| action.disturbs_the_clock());
        let differs = self.starts_at_s.is_some() || self.rate != Rate::default();
        disturbed || differs || self.discipline || self.leap_second.is_some()
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

    /// Adds a server that is exact except for this change.
    pub(super) fn another_server(mut self, change: fn(&mut ServerBehaviour)) -> Scenario {
        let mut server = exact();
        change(&mut server.behaviour);
        self.servers.push(server);
        self
    }

    /// Sets the options of the server that was added last.
    pub(super) fn options(mut self, options: &'static str) -> Scenario {
        self.last_server().options = Some(options);
        self
    }

    /// Sets where the server that was added last is configured.
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

    /// Adds a reference clock that is exact except for this change, and declares a delay of 2 ms.
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

    /// The machine has a VMClock page.
    pub(super) fn vmclock(self) -> Scenario {
        Scenario {
            vmclock: true,
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

    /// Begins this many seconds before the end of 2026, a date at which chronyd accepts leap
    /// seconds.
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

/// A server without a time error, which declares a root distance near zero.
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

/// The time from the beginning to a second of the script.
pub(super) fn instant(second: f64) -> Duration {
    Duration::from_secs_f64(second)
}
