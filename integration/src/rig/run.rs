//! Sets a scenario up, lets it happen, and clears it away, also when something panics.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::checker::Checker;
use super::declared::Declared;
use super::honesty;
use super::report::Report;
use super::scenario::{Action, Scenario, instant};
use super::sources::{self, POOL_PORT, Sources};
use crate::machine_clock::Undisturbed;
use crate::namespace::{Private, private};
use crate::reader::own_client;
use crate::world::shm_in;
use crate::{Chronyd, Daemon, Launch, Layout, MachineClock, Sandbox, Truth};

/// How often the script and the neighbours are looked at.
const TICK: Duration = Duration::from_millis(5);
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
}

impl Rig {
    /// Runs a scenario; one that disturbs the machine's clock waits until no other runs, and the others wait for it.
    ///
    /// # Errors
    /// When the scenario sets the clock, and this process may not.
    ///
    /// # Panics
    /// If a neighbour of the daemon fails, or the daemon ends; or if the scenario has more liars than it says.
    pub fn run(&self, scenario: &Scenario) -> io::Result<Report> {
        assert!(
            scenario.not_held.is_some() || honesty::liars(scenario) <= scenario.liars,
            "{}: sources lie that are to be honest",
            scenario.name
        );
        let disturbs = scenario.disturbs_the_clock();
        let clock = disturbs.then(MachineClock::take).transpose()?;
        let _undisturbed = (!disturbs).then(Undisturbed::wait);
        let at = |address, port| SocketAddr::new(IpAddr::V4(address), port);
        let addresses = |port| -> Vec<SocketAddr> {
            let numbers = 0..scenario.servers.len();
            numbers
                .map(|number| at(sources::address(number), port))
                .collect()
        };
        Ok(if let Some(bound_ns) = scenario.phc_bound_ns {
            private(|host| {
                let sys = Sandbox::new();
                make_phc(host, &sys, bound_ns);
                self.run_with(scenario, clock.as_ref(), &[at(PHC0, 0)], None)
            })
        } else if scenario.pool.is_some() {
            private(|host| {
                let etc = Sandbox::new();
                let hosts = sources::make_pool(host, &etc, scenario);
                self.run_with(scenario, clock.as_ref(), &addresses(POOL_PORT), Some(hosts))
            })
        } else {
            self.run_with(scenario, clock.as_ref(), &addresses(0), None)
        })
    }

    /// Runs scenarios that do not disturb the machine's clock, some at a time; the reports are in their order.
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
                let report = self.run(&scenarios[index]).expect("needs no rights");
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
        clock: Option<&MachineClock>,
        addresses: &[SocketAddr],
        hosts: Option<PathBuf>,
    ) -> Report {
        let sandbox = Sandbox::new();
        let truth = Truth::on_raw(scenario.course.clone());
        let began = Instant::now();
        let sources = Sources::start(&sandbox, scenario, addresses, hosts, &truth, began);
        let mut chronyd = chronyd(&sandbox, scenario, &sources);
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
            daemon,
            launch,
            chronyd,
            clock,
            began,
            disturbed: Vec::new(),
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
            daemon_log: [stage.earlier_log, stage.daemon.log()].concat(),
            chronyd_log: stage.chronyd.log(),
            chronyd_synchronised: stage.chronyd_synchronised,
            disturbed: stage.disturbed,
        }
    }
}

/// The neighbours of the daemon and the daemon, in the order of their end.
struct Stage<'a> {
    daemon: Daemon,
    chronyd: Chronyd,
    sources: Sources,
    launch: Launch,
    clock: Option<&'a MachineClock>,
    began: Instant,
    disturbed: Vec<Duration>,
    chronyd_synchronised: Option<Duration>,
    earlier_log: Vec<String>,
}

impl Stage<'_> {
    /// Lets happen what the script says, until the scenario is over.
    fn play(&mut self, scenario: &Scenario) {
        let mut script = scenario.script.iter().peekable();
        while self.began.elapsed() < Duration::from_secs(scenario.seconds) {
            if self.chronyd_synchronised.is_none() && self.chronyd.has_selected() {
                self.chronyd_synchronised = Some(self.began.elapsed());
            }
            assert!(
                self.daemon.is_running(),
                "{}: the daemon ended:\n{}",
                scenario.name,
                self.daemon.log().join("\n")
            );
            while let Some((_, action)) =
                script.next_if(|(second, _)| instant(*second) <= self.began.elapsed())
            {
                self.perform(action);
            }
            thread::sleep(TICK);
        }
    }

    fn perform(&mut self, action: &Action) {
        if action.disturbs_the_clock() {
            self.disturbed.push(self.began.elapsed());
        }
        let clock = || self.clock.expect("taken for scenarios that disturb it");
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
            }
            Action::FreezeChronyd => self.chronyd.freeze(),
            Action::ThawChronyd => self.chronyd.thaw(),
            Action::RestartDaemon => {
                self.daemon.kill();
                self.earlier_log.extend(self.daemon.log());
                self.daemon = self.launch.start();
            }
            Action::StepClock(by_ns) => clock().step(*by_ns),
            Action::RunClockOff(ppb) => clock().run_off(*ppb),
        }
    }

    fn chronyc(&self, command: &str) {
        sources::chronyc(&self.chronyd.socket(), command);
    }
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
