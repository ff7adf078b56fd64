//! Runs a scenario in this process. Everything it starts ends when it returns or panics.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::time::ClockId;

use super::declared_bound::DeclaredBound;
use super::report::{NOTICE, Report};
use super::scenario::{Action, MachineStop, Reply, Scenario, instant};
use super::sources::{self, POOL_PORT, Sources};
use crate::fakes::phc::{PHC_OPTIONS, PHC0, Phc};
use crate::fakes::vmclock::VmClock;
use crate::host::namespace::private;
use crate::host::sandbox::{Sandbox, vmclock_path};
use crate::host::virtual_clock::{Rate, VirtualClock};
use crate::host::wait;
use crate::observe::layout::Layout;
use crate::observe::reading::open_client;
use crate::observe::samples::Sampler;
use crate::programs::chronyd::Chronyd;
use crate::programs::daemon::{Daemon, Launch};
use crate::setup::testbed::shm_path;
use crate::time::NS_PER_S;
use crate::time::clock::clock_ns;
use crate::time::truth::{LeapSecond, Truth};

/// How often the script and the programs are checked.
const TICK: Duration = Duration::from_millis(5);
/// A change of the clock's rate by at least this much is a slew, not a frequency correction.
const SLEW_PPM: i64 = 1_000;
/// How often each layout is read after the machine has stopped and before a program continues.
const READS_BEFORE_PROGRAMS: u64 = 10;
/// The time between the program that continues first and the other one: some ticks of the daemon.
const BETWEEN_PROGRAMS: Duration = Duration::from_millis(250);

/// Runs a scenario in this process, on the virtual clock that this process uses if the scenario
/// needs one.
pub(super) fn run(daemon: &Path, layouts: &[Layout], scenario: &Scenario) -> Report {
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
            Phc::new(host, &sys).set_error_bound(&format!("{bound_ns}\n"));
            run_with(daemon, layouts, scenario, &[at(PHC0, 0)], None)
        })
    } else if scenario.pool.is_some() {
        private(|host| {
            let etc = Sandbox::new();
            let hosts = sources::make_pool(host, &etc, scenario);
            run_with(
                daemon,
                layouts,
                scenario,
                &addresses(POOL_PORT),
                Some(hosts),
            )
        })
    } else {
        run_with(daemon, layouts, scenario, &addresses(0), None)
    }
}

fn run_with(
    daemon: &Path,
    layouts: &[Layout],
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
    let shm = shm_path(&sandbox);
    let mut launch = Launch::bare(daemon)
        .args(["--max-drift-rate", scenario.max_drift_ppm])
        .args(["--chrony-socket", &chronyd.socket().to_string_lossy()])
        .args(["--shm-path", &shm.to_string_lossy()])
        .args(["--vmclock", &vmclock_path(&shm).to_string_lossy()])
        .args(scenario.daemon_args.iter().copied());
    if scenario.phc_bound_ns.is_some() {
        launch = launch.args(PHC_OPTIONS);
    }
    let page = scenario
        .vmclock
        .then(|| VmClock::create(&vmclock_path(&shm)));
    let daemon_started = began.elapsed();
    let daemon = launch.start();
    daemon.wait_until("publishes", || open_client(&shm).is_ok());
    let sampler = Sampler::start(&shm, layouts, &truth, began);
    let declared = DeclaredBound::start(&chronyd.socket());
    let mut run = Run {
        sources,
        daemon: Some(daemon),
        launch,
        chronyd,
        sampler,
        truth,
        page,
        steps: clock.as_ref().map_or(0, VirtualClock::steps),
        clock,
        rate: scenario.rate,
        began,
        disturbed: Vec::new(),
        slewed: Vec::new(),
        stopped: Vec::new(),
        last_rate_ppm: scenario.rate.ppm(),
        moved_while_down: false,
        chronyd_synchronised: None,
        earlier_log: Vec::new(),
    };
    run.execute(scenario);
    let layouts = run.sampler.finish();
    Report {
        scenario: scenario.clone(),
        daemon_started,
        layouts,
        declared_ns: declared.finish(),
        daemon_log: [run.earlier_log, log_of(run.daemon.as_ref())].concat(),
        chronyd_log: run.chronyd.log(),
        chronyd_synchronised: run.chronyd_synchronised,
        disturbed: run.disturbed,
        slewed: run.slewed,
        stopped: run.stopped,
    }
}

/// The programs of a running scenario, in the order in which they end, and its recorded events.
struct Run {
    /// `None` while it is stopped.
    daemon: Option<Daemon>,
    chronyd: Chronyd,
    sources: Sources,
    launch: Launch,
    sampler: Sampler,
    truth: Truth,
    page: Option<VmClock>,
    clock: Option<VirtualClock>,
    /// How often the clock had been stepped at the last check.
    steps: i64,
    /// The clock's rate at the beginning.
    rate: Rate,
    began: Instant,
    disturbed: Vec<Duration>,
    slewed: Vec<Duration>,
    stopped: Vec<Duration>,
    /// The clock's frequency offset from the hardware at the last check, ppm.
    last_rate_ppm: i64,
    /// The clock was moved while no daemon ran that could have detected it.
    moved_while_down: bool,
    chronyd_synchronised: Option<Duration>,
    earlier_log: Vec<String>,
}

impl Run {
    /// Performs the script's actions at their times, until the scenario is over.
    fn execute(&mut self, scenario: &Scenario) {
        let mut script = scenario.script.iter().peekable();
        let mut checked = self.began.elapsed();
        while self.began.elapsed() < Duration::from_secs(scenario.seconds) {
            if self.chronyd_synchronised.is_none() && self.chronyd.has_selected() {
                self.chronyd_synchronised = Some(self.began.elapsed());
            }
            if let Some(daemon) = &mut self.daemon {
                assert!(
                    daemon.is_running(),
                    "{}: the daemon exited unexpectedly:\n{}",
                    scenario.name,
                    daemon.log().join("\n")
                );
            }
            while let Some((_, action)) =
                script.next_if(|(second, _)| instant(*second) <= self.began.elapsed())
            {
                self.perform(action);
            }
            let before = std::mem::replace(&mut checked, self.began.elapsed());
            self.record_steps(before);
            self.record_slews(before);
            thread::sleep(TICK);
        }
    }

    /// Records a step of the clock since `before`, whatever its cause. A daemon that was down at
    /// that time detects the step after its start.
    fn record_steps(&mut self, before: Duration) {
        let steps = self.clock.as_ref().map_or(0, VirtualClock::steps);
        let stepped = std::mem::replace(&mut self.steps, steps) != steps;
        if stepped || self.moved_while_down {
            self.disturbed.push(before);
        }
        self.moved_while_down = self.daemon.is_none() && (self.moved_while_down || stepped);
    }

    /// Records the beginning or the end of a slew since `before`.
    fn record_slews(&mut self, before: Duration) {
        let ppm = self.clock.as_ref().map_or(0, |clock| clock.rate().ppm());
        let changed_ppm = ppm - std::mem::replace(&mut self.last_rate_ppm, ppm);
        if changed_ppm.abs() >= SLEW_PPM {
            self.slewed.push(before);
        }
    }

    /// Records a disturbance that the daemon which ended at `ended` may not have detected until now,
    /// because the next one detects it after its start. A start takes long on a busy machine.
    fn extend_disturbance(&mut self, ended: Duration) {
        let is_recent = |moved: &Duration| ended.saturating_sub(*moved) < NOTICE;
        if self.disturbed.last().is_some_and(is_recent) {
            let now = self.began.elapsed();
            let down = (0..).map(|n| ended + n * NOTICE / 2);
            self.disturbed.extend(down.take_while(|at| *at < now));
            self.disturbed.push(now);
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
            self.moved_while_down |= self.daemon.is_none();
        }
        let clock = || self.clock.as_ref().expect("a virtual clock");
        match action {
            Action::Server(number, change) => self.sources.servers[*number].set(change),
            Action::Refclock(number, change) => self.sources.refclocks[*number].set(change),
            Action::AddServer(number) => self.chronyd.chronyc(&self.sources.add(*number)),
            Action::DeleteServer(number) => self.chronyd.chronyc(&self.sources.delete(*number)),
            Action::ListServers(numbers) => {
                self.sources.list(numbers);
                self.chronyd.chronyc("reload sources");
            }
            Action::NamePool(numbers) => self.sources.name_pool(numbers),
            Action::Chronyc(command) => self.chronyd.chronyc(command),
            Action::StopChronyd => {
                self.chronyd.stop();
            }
            Action::KillChronyd => {
                self.chronyd.kill();
            }
            Action::StartChronyd => {
                self.chronyd.start();
                // It begins with a step by 0, which must not excuse a violation.
                self.steps = self.clock.as_ref().map_or(0, VirtualClock::steps);
            }
            Action::FreezeChronyd => self.chronyd.freeze(),
            Action::ThawChronyd => self.chronyd.thaw(),
            Action::RestartDaemon => {
                let ended = self.began.elapsed();
                self.end_daemon(kill);
                self.daemon = Some(self.launch.start());
                self.extend_disturbance(ended);
            }
            Action::StepClock(by_ns) => clock().step(*by_ns),
            Action::RunClockOff(ppb) => clock().set_rate(self.rate.faster_by(*ppb)),
            Action::SetRate(rate) => clock().set_rate(*rate),
            Action::Makestep => self.chronyd.chronyc("makestep"),
            Action::KillDaemon => self.end_daemon(kill),
            Action::StopDaemon => self.end_daemon(|daemon| {
                daemon.terminate();
            }),
            Action::StartDaemon => {
                self.daemon = Some(self.launch.start());
                self.extend_stop();
            }
            Action::StopMachine(stop) => self.stop_machine(stop),
        }
    }

    /// Stops the programs and the readers, moves true time, changes the page and continues the
    /// readers before the programs.
    fn stop_machine(&mut self, stop: &MachineStop) {
        let server = &self.sources.servers[0];
        if stop.reply != Reply::None {
            server.set(|server| server.holding = true);
            wait::until(wait::PATIENCE, "chronyd sends a request", || {
                server.is_holding()
            });
        }
        let release = || server.set(|server| server.holding = false);
        self.chronyd.freeze();
        if let Some(daemon) = &self.daemon {
            daemon.freeze();
        }
        self.sampler.between_rounds(|| {
            self.truth.step_by_ns(stop.for_ns);
            if let Some(page) = &self.page {
                page.restore();
            }
            self.stopped.push(self.began.elapsed());
        });
        self.sampler.wait_for_rounds(READS_BEFORE_PROGRAMS);
        if matches!(stop.reply, Reply::WithCommands | Reply::BeforeCommands) {
            release();
        }
        let thaw = |daemon: &Option<Daemon>| {
            if let Some(daemon) = daemon {
                daemon.thaw();
            }
        };
        if stop.reply == Reply::BeforeCommands {
            self.chronyd.thaw();
            thread::sleep(BETWEEN_PROGRAMS);
            thaw(&self.daemon);
        } else {
            thaw(&self.daemon);
            thread::sleep(BETWEEN_PROGRAMS);
            self.chronyd.thaw();
        }
        if stop.reply == Reply::Later {
            thread::sleep(BETWEEN_PROGRAMS);
            release();
        }
        self.extend_stop();
    }

    /// Records a stop of the machine that the daemon could not detect until now.
    fn extend_stop(&mut self) {
        let now = self.began.elapsed();
        let is_recent = |stopped: &Duration| now.saturating_sub(*stopped) < NOTICE;
        if self.stopped.last().is_some_and(is_recent) {
            self.stopped.push(now);
        }
    }
}

fn kill(daemon: &mut Daemon) {
    daemon.kill();
}

fn log_of(daemon: Option<&Daemon>) -> Vec<String> {
    daemon.map_or_else(Vec::new, Daemon::log)
}

/// The virtual clock of this process, set for the beginning of the scenario.
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
