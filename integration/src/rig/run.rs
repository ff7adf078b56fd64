//! Sets a scenario up, lets it happen, and clears it away, also when something panics.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::checker::Checker;
use super::report::Report;
use super::scenario::{Action, Scenario, instant};
use crate::machine_clock::Undisturbed;
use crate::namespace::{Private, private};
use crate::reader::own_client;
use crate::world::shm_in;
use crate::{Chronyd, Daemon, Launch, Layout, MachineClock, NtpServer, Sandbox, Truth};

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
    /// If a neighbour of the daemon fails, or the daemon ends.
    pub fn run(&self, scenario: &Scenario) -> io::Result<Report> {
        let disturbs = scenario.disturbs_the_clock();
        let clock = disturbs.then(MachineClock::take).transpose()?;
        let _undisturbed = (!disturbs).then(Undisturbed::wait);
        Ok(match scenario.phc_bound_ns {
            Some(bound_ns) => private(|host| {
                let sys = Sandbox::new();
                make_phc(host, &sys, bound_ns);
                self.run_with(scenario, clock.as_ref(), &[PHC0])
            }),
            None => {
                let address = |number| Ipv4Addr::new(127, 0, 0, number);
                let addresses: Vec<Ipv4Addr> = (1..=u8::MAX)
                    .map(address)
                    .take(scenario.servers.len())
                    .collect();
                self.run_with(scenario, clock.as_ref(), &addresses)
            }
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
        addresses: &[Ipv4Addr],
    ) -> Report {
        let sandbox = Sandbox::new();
        let truth = Truth::on_raw(scenario.course.clone());
        let began = Instant::now();
        let servers: Vec<NtpServer> = addresses
            .iter()
            .zip(&scenario.servers)
            .map(|(address, manner)| NtpServer::start_with(&truth, *address, *manner))
            .collect();
        let mut chronyd = chronyd(&sandbox, scenario, &servers);
        chronyd.start();
        let shm = shm_in(&sandbox);
        let mut launch = Launch::new(&self.daemon, &chronyd.socket(), &shm);
        if scenario.phc_bound_ns.is_some() {
            launch = launch.args(["-r", "PHC0", "-i", PHC_INTERFACE]);
        }
        let daemon_started = began.elapsed();
        let daemon = launch.start();
        daemon.wait_until("publishes", || own_client(&shm).is_ok());
        let checker = Checker::start(&shm, &self.layouts, &truth, began);
        let mut stage = Stage {
            servers,
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
    servers: Vec<NtpServer>,
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
            Action::Server(number, change) => self.servers[*number].set(change),
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
}

fn chronyd(sandbox: &Sandbox, scenario: &Scenario, servers: &[NtpServer]) -> Chronyd {
    let server = |server: &NtpServer| {
        let (address, polling) = (server.address(), scenario.polling);
        format!("server {} port {} {polling}", address.ip(), address.port())
    };
    let servers: Vec<String> = servers.iter().map(server).collect();
    let mut lines = vec!["port 0"];
    lines.extend(servers.iter().map(String::as_str));
    lines.extend(scenario.chrony_lines);
    Chronyd::new(sandbox, "chrony", &lines)
}

fn make_phc(host: &Private, sys: &Sandbox, bound_ns: u32) {
    host.loopback(&[PHC0]);
    let device = host.network_device(sys, PHC_INTERFACE, PHC_SLOT);
    let file: &Path = &device.join("phc_error_bound");
    fs::write(file, format!("{bound_ns}\n")).expect("write the error bound");
}
