//! Sets a scenario up, lets it happen, and clears it away, also when something panics.

use std::collections::VecDeque;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use nix::time::ClockId;

use super::apart;
use super::checker::Checker;
use super::declared::Declared;
use super::honesty;
use super::report::Report;
use super::scenario::{Action, Scenario, instant};
use super::sources::{self, POOL_PORT, Sources};
use crate::namespace::{Private, private};
use crate::reader::own_client;
use crate::truth::{LeapSecond, clock_ns};
use crate::virtual_clock::Rate;
use crate::world::shm_in;
use crate::{Chronyd, Daemon, Launch, Layout, Sandbox, Truth, VirtualClock};

const NS_PER_S: i64 = 1_000_000_000;
/// How often the script and the neighbours are looked at.
const TICK: Duration = Duration::from_millis(5);
/// A change of the clock's rate by this is a slew, and no correction of its frequency.
const SLEW_PPM: i64 = 1_000;
// chrony shows an address as the reference id, and these are the bytes of "PHC0".
const PHC0: Ipv4Addr = Ipv4Addr::new(80, 72, 67, 48);
const PHC_INTERFACE: &str = "eth0";
const PHC_SLOT: &str = "0000:00:05.0";

/// What runs scenarios.
#[derive(Clone, Debug)]
pub struct Rig {
    /// The daemon's program.
    pub daemon: PathBuf,
    /// The layouts that are compared with true time.
    pub layouts: Vec<Layout>,
    /// The arguments with which the program that this is part of comes to call [`apart::play_if_asked`].
    pub apart: &'static [&'static str],
}

impl Rig {
    /// Runs a scenario, in a process of its own when it needs a virtual clock.
    ///
    /// # Panics
    /// If a neighbour of the daemon fails, or the daemon ends; or if the scenario has more liars than it says.
    pub fn run(&self, scenario: &Scenario) -> Report {
        assert!(
            scenario.not_held.is_some() || honesty::liars(scenario) <= scenario.liars,
            "{}: sources lie that are to be honest",
            scenario.name
        );
        match scenario.needs_virtual_clock() {
            true => apart::run(self, scenario),
            false => self.run_here(scenario),
        }
    }

    /// Runs a scenario in this process, on the virtual clock that it runs under if it needs one.
    pub(super) fn run_here(&self, scenario: &Scenario) -> Report {
        let at = |address, port| SocketAddr::new(IpAddr::V4(address), port);
        let addresses = |port| -> Vec<SocketAddr> {
            let numbers = 0..scenario.servers.len();
            numbers
                .map(|number| at(sources::address(number), port))
                .collect()
        };
        if let Some(bound_ns) = scenario.phc_bound_ns {
            private(|host| {
                let sys = Sandbox::new();
                make_phc(host, &sys, bound_ns);
                self.run_with(scenario, &[at(PHC0, 0)], None)
            })
        } else if scenario.pool.is_some() {
            private(|host| {
                let etc = Sandbox::new();
                let hosts = sources::make_pool(host, &etc, scenario);
                self.run_with(scenario, &addresses(POOL_PORT), Some(hosts))
            })
        } else {
            self.run_with(scenario, &addresses(0), None)
        }
    }

    /// Runs scenarios, some at a time; the reports are in their order.
    ///
    /// # Panics
    /// As [`Rig::run`] does.
    pub fn run_together(&self, scenarios: &[Scenario], at_a_time: usize) -> Vec<Report> {
        // The longest first, so that none is left over when the others are done.
        let mut order: Vec<usize> = (0..scenarios.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(scenarios[index].seconds));
        let queue = Mutex::new(VecDeque::from(order));
        let reports = Mutex::new(Vec::new());
        let work = || {
            let next = || queue.lock().expect("queue").pop_front();
            while let Some(index) = next() {
                let report = self.run(&scenarios[index]);
                reports.lock().expect("reports").push((index, report));
            }
        };
        thread::scope(|scope| {
            for _ in 0..at_a_time {
                scope.spawn(work);
            }
        });
        let mut reports = reports.into_inner().expect("reports");
        reports.sort_by_key(|&(index, _)| index);
        reports.into_iter().map(|(_, report)| report).collect()
    }

    fn run_with(
        &self,
        scenario: &Scenario,
        addresses: &[SocketAddr],
        hosts: Option<PathBuf>,
    ) -> Report {
        let sandbox = Sandbox::new();
        let clock = scenario.needs_virtual_clock().then(|| clock_for(scenario));
        let truth = truth_for(scenario);
        let began = Instant::now();
        let sources = Sources::start(&sandbox, scenario, addresses, hosts, &truth, began);
        let mut chronyd = chronyd(&sandbox, scenario, &sources);
        if let (true, Some(clock)) = (scenario.discipline, &clock) {
            chronyd = chronyd.disciplining(clock);
        }
        chronyd.start();
        let shm = shm_in(&sandbox);
        let mut launch = Launch::bare(&self.daemon)
            .args(["--max-drift-rate", scenario.max_drift_ppm])
            .args(["--chrony-socket", &chronyd.socket().to_string_lossy()])
            .args(["--shm-path", &shm.to_string_lossy()])
            .args(scenario.daemon_args.iter().copied());
        if scenario.phc_bound_ns.is_some() {
            launch = launch.args(["-r", "PHC0", "-i", PHC_INTERFACE]);
        }
        let daemon_started = began.elapsed();
        let daemon = launch.start();
        daemon.wait_until("publishes", || own_client(&shm).is_ok());
        let checker = Checker::start(&shm, &self.layouts, &truth, began);
        let declared = Declared::start(&chronyd.socket());
        let mut stage = Stage {
            sources,
            daemon: Some(daemon),
            launch,
            chronyd,
            sets: clock.as_ref().map_or(0, VirtualClock::sets),
            clock,
            rate: scenario.rate,
            began,
            disturbed: Vec::new(),
            slewed: Vec::new(),
            ran_ppm: scenario.rate.ppm(),
            moved_unseen: false,
            chronyd_synchronised: None,
            earlier_log: Vec::new(),
        };
        stage.play(scenario);
        let seen = checker.finish();
        Report {
            scenario: scenario.clone(),
            daemon_started,
            seen,
            declared_ns: declared.finish(),
            daemon_log: [stage.earlier_log, log_of(stage.daemon.as_ref())].concat(),
            chronyd_log: stage.chronyd.log(),
            chronyd_synchronised: stage.chronyd_synchronised,
            disturbed: stage.disturbed,
            slewed: stage.slewed,
        }
    }
}

/// The neighbours of the daemon and the daemon, in the order of their end.
struct Stage {
    /// `None` while it is down.
    daemon: Option<Daemon>,
    chronyd: Chronyd,
    sources: Sources,
    launch: Launch,
    clock: Option<VirtualClock>,
    /// How often the clock was set until it was last looked at.
    sets: i64,
    /// The clock's rate at the beginning.
    rate: Rate,
    began: Instant,
    disturbed: Vec<Duration>,
    slewed: Vec<Duration>,
    /// How fast the clock ran when it was last looked at, ppm more than the hardware.
    ran_ppm: i64,
    /// The clock was moved while no daemon ran that could have noticed.
    moved_unseen: bool,
    chronyd_synchronised: Option<Duration>,
    earlier_log: Vec<String>,
}

impl Stage {
    /// Lets happen what the script says, until the scenario is over.
    fn play(&mut self, scenario: &Scenario) {
        let mut script = scenario.script.iter().peekable();
        let mut looked = self.began.elapsed();
        while self.began.elapsed() < Duration::from_secs(scenario.seconds) {
            if self.chronyd_synchronised.is_none() && self.chronyd.has_selected() {
                self.chronyd_synchronised = Some(self.began.elapsed());
            }
            if let Some(daemon) = &mut self.daemon {
                assert!(
                    daemon.is_running(),
                    "{}: the daemon ended:\n{}",
                    scenario.name,
                    daemon.log().join("\n")
                );
            }
            while let Some((_, action)) =
                script.next_if(|(second, _)| instant(*second) <= self.began.elapsed())
            {
                self.perform(action);
            }
            let before = std::mem::replace(&mut looked, self.began.elapsed());
            self.note_sets(before);
            self.note_slews(before);
            thread::sleep(TICK);
        }
    }

    /// Notes that the clock was set since `before`, by whomever. A daemon that was down then begins to notice when it is
    /// started.
    fn note_sets(&mut self, before: Duration) {
        let sets = self.clock.as_ref().map_or(0, VirtualClock::sets);
        let was_set = std::mem::replace(&mut self.sets, sets) != sets;
        if was_set || self.moved_unseen {
            self.disturbed.push(before);
        }
        self.moved_unseen = self.daemon.is_none() && (self.moved_unseen || was_set);
    }

    /// Notes that somebody began or ended to slew the clock since `before`.
    fn note_slews(&mut self, before: Duration) {
        let ppm = self.clock.as_ref().map_or(0, |clock| clock.rate().ppm());
        let changed_ppm = ppm - std::mem::replace(&mut self.ran_ppm, ppm);
        if changed_ppm.abs() >= SLEW_PPM {
            self.slewed.push(before);
        }
    }

    fn end_daemon(&mut self, end: impl FnOnce(&mut Daemon)) {
        if let Some(mut daemon) = self.daemon.take() {
            end(&mut daemon);
            self.earlier_log.extend(daemon.log());
        }
    }

    fn perform(&mut self, action: &Action) {
        if action.disturbs_the_clock() {
            self.disturbed.push(self.began.elapsed());
            self.moved_unseen |= self.daemon.is_none();
        }
        let clock = || self.clock.as_ref().expect("a virtual clock");
        match action {
            Action::Server(number, change) => self.sources.servers[*number].set(change),
            Action::Refclock(number, change) => self.sources.refclocks[*number].set(change),
            Action::AddServer(number) => self.chronyc(&self.sources.add(*number)),
            Action::DeleteServer(number) => self.chronyc(&self.sources.delete(*number)),
            Action::ListServers(numbers) => {
                self.sources.list(numbers);
                self.chronyc("reload sources");
            }
            Action::NamePool(numbers) => self.sources.name_pool(numbers),
            Action::Chronyc(command) => self.chronyc(command),
            Action::StopChronyd => {
                self.chronyd.stop();
            }
            Action::KillChronyd => {
                self.chronyd.kill();
            }
            Action::StartChronyd => {
                self.chronyd.start();
                // It has begun with a step by nothing, which excuses nobody.
                self.sets = self.clock.as_ref().map_or(0, VirtualClock::sets);
            }
            Action::FreezeChronyd => self.chronyd.freeze(),
            Action::ThawChronyd => self.chronyd.thaw(),
            Action::RestartDaemon => {
                self.end_daemon(kill);
                self.daemon = Some(self.launch.start());
            }
            Action::StepClock(by_ns) => clock().step(*by_ns),
            Action::RunClockOff(ppb) => clock().set_rate(self.rate.faster_by(*ppb)),
            Action::SetRate(rate) => clock().set_rate(*rate),
            Action::Makestep => self.chronyd.makestep(),
            Action::KillDaemon => self.end_daemon(kill),
            Action::StopDaemon => self.end_daemon(|daemon| {
                daemon.terminate();
            }),
            Action::StartDaemon => self.daemon = Some(self.launch.start()),
        }
    }

    fn chronyc(&self, command: &str) {
        sources::chronyc(&self.chronyd.socket(), command);
    }
}

fn kill(daemon: &mut Daemon) {
    daemon.kill();
}

fn log_of(daemon: Option<&Daemon>) -> Vec<String> {
    daemon.map_or_else(Vec::new, Daemon::log)
}

/// The clock that this process runs under, as the scenario begins.
fn clock_for(scenario: &Scenario) -> VirtualClock {
    let clock = VirtualClock::of_this_process().expect("a process under a virtual clock");
    if let Some(s) = scenario.starts_at_s {
        clock.set(s * NS_PER_S);
    }
    clock.set_rate(scenario.rate);
    clock
}

fn truth_for(scenario: &Scenario) -> Truth {
    let day_ns = 86_400 * NS_PER_S;
    let now_ns = clock_ns(ClockId::CLOCK_REALTIME) + scenario.course.offset_ns;
    let midnight_ns = (now_ns.div_euclid(day_ns) + 1) * day_ns;
    let leap_second = scenario
        .leap_second
        .map(|kind| LeapSecond { kind, midnight_ns });
    Truth::on_raw_with_leap(scenario.course.clone(), leap_second)
}

fn chronyd(sandbox: &Sandbox, scenario: &Scenario, sources: &Sources) -> Chronyd {
    let sources = sources.configuration(scenario);
    let mut lines = vec!["port 0"];
    lines.extend(sources.iter().map(String::as_str));
    lines.extend(scenario.chrony_lines);
    Chronyd::new(sandbox, "chrony", &lines)
}

fn make_phc(host: &Private, sys: &Sandbox, bound_ns: u32) {
    host.loopback(&[PHC0]);
    let device = host.network_device(sys, PHC_INTERFACE, PHC_SLOT);
    let file: &Path = &device.join("phc_error_bound");
    fs::write(file, format!("{bound_ns}\n")).expect("write the error bound");
}
